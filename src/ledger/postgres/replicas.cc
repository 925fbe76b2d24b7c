// Which events this node has, and how they are brought here and kept true.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/locale/utf.hpp>

#include "core/check.h"
#include "ledger/data_error.h"
#include "ledger/postgres/journal_reading.h"
#include "ledger/postgres/postgres_ledger.h"

namespace holdfast {
namespace {

using namespace pg;
using Timer = std::chrono::steady_clock;

constexpr int k_rows_at_once = 128;                       // read in one go, outside the lock: 70 KB each while an event is imported
constexpr std::size_t k_seats_found_max = 1'000;

constexpr Statement k_event_exists{"event_exists", "SELECT id FROM holdfast.event WHERE number = $1"};
constexpr Statement k_event_number{"event_number", "SELECT event FROM holdfast.event_directory WHERE id = $1"};
constexpr Statement k_seats_found{"seats_found", "SELECT event, id FROM holdfast.seat_directory WHERE id = ANY($1)"};
constexpr Statement k_open_events{"open_events",
                                  "SELECT s.event, e.id FROM holdfast.event_state s JOIN holdfast.event e ON e.number = s.event "
                                  "WHERE s.status BETWEEN 1 AND 3 ORDER BY s.event"};
// All of them: one look at an index for each event, however many rows the order has.
constexpr Statement k_heads{"heads_of_all",
                            "SELECT e.number, o.last_seq, p.position FROM holdfast.event e "
                            "CROSS JOIN LATERAL (SELECT last_seq FROM holdfast.change_order WHERE event = e.number "
                            "ORDER BY event DESC, first_seq DESC LIMIT 1) o "
                            "CROSS JOIN (SELECT max(position) AS position FROM holdfast.change_order) p"};
constexpr Statement k_heads_after{
    "heads_after", "SELECT event, max(last_seq), max(position) FROM holdfast.change_order WHERE position > $1 GROUP BY event"};
constexpr Statement k_order_at{"order_at", "SELECT event, last_seq FROM holdfast.change_order WHERE position = $1"};
constexpr Statement k_head{"head",
                           "SELECT first_seq + changes - 1, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint "
                           "FROM holdfast.journal WHERE event = $1 ORDER BY event DESC, first_seq DESC, ordinal DESC LIMIT 1"};

// Whether an id is a text as a database takes it: UTF-8 without NUL, not longer than any is.
bool can_be_id(std::string_view id) {
  using Utf8 = boost::locale::utf::utf_traits<char>;
  if (id.size() > k_seat_id_bytes_max) return false;
  for (auto at = id.begin(); at != id.end();) {
    const auto point = Utf8::decode(at, id.end());
    if (point == boost::locale::utf::illegal || point == boost::locale::utf::incomplete || point == 0) return false;
  }
  return true;
}

// Whether two plans have the same categories and the same seats in the same places.
bool are_same(const Plan& one, const Plan& other) {
  constexpr std::size_t k_seats_at_once = 2'000;
  if (one.size() != other.size()) return false;
  const auto bytes_of = [](const auto& encode) {
    std::string bytes;
    Writer writer(bytes);
    encode(writer);
    return bytes;
  };
  const auto header = [&](const Plan& plan) { return bytes_of([&](Writer& writer) { plan.encode_header(writer); }); };
  if (header(one) != header(other)) return false;
  for (std::size_t first = 0; first < one.size(); first += k_seats_at_once) {
    const std::size_t count = std::min(k_seats_at_once, one.size() - first);
    const auto part = [&](const Plan& plan) {
      return bytes_of([&](Writer& writer) { plan.encode_seats(static_cast<SeatIndex>(first), count, writer); });
    };
    if (part(one) != part(other)) return false;
  }
  return true;
}

// The form in which the directory has an id.
std::string directory_form(const std::string& id) {
  const auto uuid = parse_uuid(id);
  return uuid ? to_string(*uuid) : id;
}

}  // namespace

PostgresLedger::ReplicaPtr PostgresLedger::find_replica(EventNumber number) const {
  const std::shared_lock lock(replicas_mutex_);
  const auto at = replicas_.find(number);
  return at == replicas_.end() ? nullptr : at->second;
}

PostgresLedger::ReplicaPtr PostgresLedger::replica_of(EventNumber number) {
  if (auto replica = find_replica(number)) {
    replica->touch();
    return replica;
  }
  const std::unique_lock lock(replicas_mutex_);
  ReplicaPtr& replica = replicas_[number];
  if (replica == nullptr) {
    replica = std::make_shared<Replica>(number, hash_seed_, options_.idempotency_keys_max);
    replica->on_key = [this, number](const KeptKey& key, Millis at) { recent_keys_.put(key.key.key, number, at); };
    replica->before_open = [this, number](const PublishedEvent& event) { make_findable(number, event); };
    replica->on_shown = [this](const JournalRow& row, const JournalBody& body) { remember(row, body); };
  }
  replica->touch();
  return replica;
}

// From the tables and the journal after them. An event that there is not stays without an inventory. With the replica's mutex.
void PostgresLedger::load(Connection& connection, Replica& replica) {
  replica.drop();
  if (replica.last_shown && !replica.history_changed && !row_at(connection, replica.number, *replica.last_shown)) {
    spdlog::warn("the journal of event {} does not have change {} as this node has shown it (a failover, a restore); it is read anew",
                 replica.number, replica.last_shown->seq);
    ++counters_.histories;
    replica.history_changed = true;
  }
  if (replica.history_changed) {
    reader_->forget(replica.number);
    recent_keys_.forget(replica.number);
  }
  auto loaded = load_event(connection, replica.number, hash_seed_);
  projector_->tables_are_as_of(replica.number, loaded ? loaded->as_of.seq : 0);
  if (loaded) take_loaded(replica, std::move(*loaded));
  try {
    catch_up(connection, replica);
  } catch (const HistoryChanged& error) {
    // Just read, and it contradicts itself.
    replica.drop();
    throw DataError("the journal of event " + std::to_string(replica.number) + " is damaged: " + error.what() +
                    ". Nothing is sold from this event. `holdfast verify --ledger …` says more; put the database back from a backup.");
  } catch (...) {
    replica.drop();   // half of it would pass for the whole
    throw;
  }
  if (replica.is_loaded()) {
    ++counters_.loaded;
    if (replica.pending) {
      replica.plan = replica.pending->plan;
      replica.importing.reset();
    }
  }
  if (replica.history_changed) begin_anew(connection, replica);
  if (!replica.is_loaded()) return;
  if (replica.join_readers()) reader_->forget(replica.number);
  replica.open_if_ready();
  replica.note_expiry();
  after_publishing(replica);
}

void PostgresLedger::take_loaded(Replica& replica, LoadedEvent loaded) {
  replica.inventory = std::move(loaded.inventory);
  replica.plan = std::move(loaded.plan);
  replica.importing = std::move(loaded.importing);
  replica.place = {.at = loaded.as_of, .last = loaded.as_of_row};
  replica.projected = loaded.as_of.seq;
  for (const LoadedKey& each : loaded.keys) {
    if (replica.keys.find(each.kept.key.key, each.at) == nullptr) replica.keys.put(each.kept.key, each.at, each.kept.outcomes);
    replica.on_key(each.kept, each.at);
  }
  // The rows after the tables do not follow what readers see when that is older than the tables.
  const auto readers = replica.published();
  if (readers != nullptr && !replica.history_changed && readers->seq() < replica.place.at.seq) {
    replica.show_anew();
    reader_->forget(replica.number);
  }
  replica.meet_readers();
}

// What readers have seen is lost, and the replica has what the database has instead: perhaps less of the event, perhaps nothing of it, perhaps
// another event that was given the same number since.
void PostgresLedger::begin_anew(Connection& connection, Replica& replica) {
  const auto readers = replica.published();
  const bool is_open = replica.is_loaded() && replica.plan != nullptr && replica.inventory->settings().status != EventStatus::importing;
  if (readers == nullptr) {
    replica.history_changed = false;
  } else if (is_open && are_same(*readers->plan(), *replica.plan) && readers->card().id == replica.inventory->card().id) {
    replica.show_anew();
  } else {
    directory_.remove(*readers->plan());
    replica.hide();
    unlist_event(replica.number, readers->card().id);
    ++progress_;
  }
  if (!replica.is_loaded() && replica.pending && !exists(connection, replica.number)) replica.pending.reset();
}

std::size_t PostgresLedger::catch_up(Connection& connection, Replica& replica) {
  std::size_t followed = 0;
  for (;;) {
    const std::int64_t sent = DatabaseClock::boot_ms();
    const pg::Result rows = connection.query(k_read_after, read_after(replica, k_rows_at_once));
    observe_clock(rows.int8(0, 0), sent);
    const std::size_t folded = fold_rows(rows, replica, find_in(connection));
    followed += folded;
    if (rows.rows() < k_rows_at_once) break;
  }
  if (followed > 0 && replica.is_loaded()) after_publishing(replica);
  counters_.followed += followed;
  return followed;
}

void PostgresLedger::freshen(Connection& connection, Replica& replica) {
  if (!replica.is_loaded()) return load(connection, replica);
  try {
    catch_up(connection, replica);
  } catch (const HistoryChanged& error) {
    spdlog::warn("{}: it is read anew", error.what());
    ++counters_.histories;
    replica.history_changed = true;
    load(connection, replica);
  }
}

// Whether readers have everything that was committed before this call: one look, which waits for no batch on its way.
// Readers that have more than the journal had meanwhile have seen what is lost.
bool PostgresLedger::is_fresh(Connection& connection, const Replica& replica) {
  const auto published = replica.published();
  if (published == nullptr) return false;
  const Seq before = published->seq();
  const std::int64_t sent = DatabaseClock::boot_ms();
  const pg::Result head = connection.query(k_head, Parameters().event(replica.number));
  if (head.rows() == 0) return false;
  observe_clock(head.int8(0, 1), sent);
  const Seq seq = head.seq(0, 0);
  return before <= seq && published->seq() >= seq;
}

// Whether the journal's head stands where the replica stands and is another row: a failover took something back, and as much was written since.
// Then it is to be read anew. A batch that is on its way looks by itself.
bool PostgresLedger::is_another_history(Replica& replica, Seq seq, std::int16_t ordinal, std::string_view hash) {
  const std::unique_lock mine(replica.mutex, std::try_to_lock);
  if (!mine || !replica.damage.empty()) return false;
  if (replica.history_changed) return true;   // and could not be read anew yet
  if (!replica.is_loaded() && !replica.last_shown) return false;
  const JournalPlace& at = replica.is_loaded() ? replica.place.at : *replica.last_shown;
  if (at.seq != seq || at.ordinal != ordinal || hash == std::string_view(reinterpret_cast<const char*>(at.hash.data()), at.hash.size())) {
    return false;
  }
  spdlog::warn("the journal of event {} ends with another change {} than this node has seen (a failover, a restore); it is read anew",
               replica.number, seq);
  ++counters_.histories;
  replica.history_changed = true;
  replica.drop();
  return true;
}

// Before an event is here: "there is no such seat" is said of what is here, and must not be said of a seat that is being entered.
// With the replica's mutex.
void PostgresLedger::make_findable(EventNumber number, const PublishedEvent& event) {
  const auto taken = directory_.enter(number, *event.plan(), 1);
  const auto place = taken.empty() ? std::nullopt : directory_.find(taken.front());
  if (place && place->event != number) {   // else a replica of it that was evicted meanwhile has entered them
    throw DataError("seat " + taken.front() + " of event " + std::to_string(number) +
                    " is also one of another event. Nothing is sold from this event. `holdfast verify --ledger …` says more.");
  }
  const std::unique_lock lock(replicas_mutex_);
  list_event(number, event.card().id);
}

// What follows when readers see more than before.
void PostgresLedger::after_publishing(Replica& replica) {
  const auto published = replica.published();
  if (published == nullptr) return;
  projector_->tell(replica.number, published->seq());
  replica.projected = projector_->projected(replica.number);
  ++progress_;
  if (const std::string difference = replica.difference(); !difference.empty()) {
    throw DataError(
        "what readers see of event " + std::to_string(replica.number) + " differs from what is sold from (" + difference +
        "). This is a fault of the program: please report it. What was answered is in the journal. Nothing is sold from this event "
        "until both have been loaded anew, which is tried by itself.");
  }
}

// Not between a recall and the command or the reader that it was for. With the replica's mutex.
void PostgresLedger::forget_ended(Replica& replica) {
  if (!replica.is_loaded() || replica.inventory->ended_count() <= options_.ended_in_memory_max + options_.ended_in_memory_max / 8) return;
  replica.forget_ended(replica.projected, options_.ended_in_memory_max);
}

// ---------------------------------------------------------------------------------------------------------------- bringing

bool PostgresLedger::bring(const Wanted& wanted) {
  try {
    auto connection = pool_.take();
    try {
      if (wanted.list_of_events) bring_events(*connection);
      if (wanted.event && !bring_number(*connection, *wanted.event, wanted.as_of_now)) return true;
      if (wanted.event_id) {
        const pg::Result found = connection->query(k_event_number, Parameters().uuid(*wanted.event_id));
        if (found.rows() == 1) bring_number(*connection, found.event(0, 0), wanted.as_of_now);
      }
      if (!wanted.seats.empty()) bring_seats(*connection, wanted);
      if (wanted.reservation) bring_reservation(*connection, *wanted.reservation, wanted.as_of_now);
      pool_.failures().worked();
      return true;
    } catch (const Error&) {
      connection->reset();
      throw;
    }
  } catch (const Error& error) {
    pool_.failures().failed(Work::reading, error.what());
    return false;
  } catch (const DataError& error) {
    spdlog::debug("what a caller asks for is damaged: {}", error.what());   // it was named when it was found, and is told by health
    return false;
  } catch (const std::exception& error) {
    spdlog::warn("what a caller asks for cannot be read from the database: {}", error.what());
    return false;
  }
}

bool PostgresLedger::exists(Connection& connection, EventNumber number) {
  return connection.query(k_event_exists, Parameters().event(number)).rows() > 0;
}

// False: there is no such event, or its import has not ended.
bool PostgresLedger::bring_number(Connection& connection, EventNumber number, bool as_of_now) {
  ReplicaPtr replica = find_replica(number);
  const bool is_here = replica != nullptr && replica->published() != nullptr;
  if (is_here) {
    replica->touch();
    if (!as_of_now || is_fresh(connection, *replica)) return true;
  } else if (!exists(connection, number)) {
    return false;
  }
  if (replica == nullptr) replica = replica_of(number);
  const std::scoped_lock lock(replica->mutex);
  if (!replica->damage.empty()) throw DataError(replica->damage);
  try {
    freshen(connection, *replica);
  } catch (const DataError& error) {
    note_damage(*replica, error.what());
    throw;
  }
  return replica->published() != nullptr;
}

void PostgresLedger::bring_seats(Connection& connection, const Wanted& wanted) {
  std::vector<std::string> unknown;
  std::vector<EventNumber> events;
  for (const std::string& id : wanted.seats) {
    if (const auto place = directory_.find(id)) {
      events.push_back(place->event);
    } else if (can_be_id(id) && unknown.size() < k_seats_found_max) {
      unknown.push_back(directory_form(id));
    }
  }
  std::vector<std::pair<EventNumber, std::string>> found;
  if (!unknown.empty()) {
    const pg::Result rows = connection.query(k_seats_found, Parameters().texts(std::span<const std::string>(unknown)));
    for (int row = 0; row < rows.rows(); ++row) {
      found.emplace_back(rows.event(row, 0), rows.text(row, 1));
      events.push_back(found.back().first);
    }
  }
  std::ranges::sort(events);
  const auto repeated = std::ranges::unique(events);
  events.erase(repeated.begin(), repeated.end());
  std::erase_if(events, [&](EventNumber event) { return !bring_number(connection, event, wanted.as_of_now); });
  // What the database knows of an open event is here now, unless the event was evicted or damaged meanwhile.
  for (const auto& [event, id] : found) {
    if (std::ranges::binary_search(events, event) && !directory_.find(id))
      throw DataError("seat " + id + " cannot be had here at the moment");
  }
}

void PostgresLedger::bring_reservation(Connection& connection, const Uuid& id, bool as_of_now) {
  const auto number = event_of_reservation(id);
  if (!number || !bring_number(connection, *number, as_of_now)) return;
  const ReplicaPtr replica = replica_of(*number);
  if (const auto published = replica->published(); published != nullptr && published->reservation(id, now())) return;
  const std::scoped_lock lock(replica->mutex);   // first: what is loaded after the tables were asked may know of its return
  const auto found = find_reservation(connection, id);
  if (!found || found->view.status == ReservationStatus::active) return;
  if (!replica->damage.empty()) throw DataError(replica->damage);
  if (!replica->is_loaded()) {
    try {
      freshen(connection, *replica);
    } catch (const DataError& error) {
      note_damage(*replica, error.what());
      throw;
    }
  }
  forget_ended(*replica);
  recall_ended(connection, *replica, *found);
  const auto published = replica->published();
  if (published == nullptr || !published->reservation(id, now()))
    throw DataError("reservation " + to_string(id) + " cannot be had here at the moment");
}

// Brings a reservation that memory has forgotten back from the tables. These may be ahead of the replica, by what another node has written of
// others: it may have ended before the replica's place or after it, and only once the replica is as far as they is that known. With the replica's
// mutex. Throws DataError when what the tables have of it cannot be.
void PostgresLedger::recall_ended(Connection& connection, Replica& replica, const FoundReservation& found) {
  if (found.as_of > replica.place.at.seq) {
    try {
      catch_up(connection, replica);
    } catch (const DataError& error) {
      note_damage(replica, error.what());
      return;
    }
  }
  if (found.as_of <= replica.place.at.seq) replica.recall(found.view);   // nothing to do when the rows have brought it
}

// The list of the events that there are. Those that are open here stay on it: the tables may not have them yet.
void PostgresLedger::bring_events(Connection& connection) {
  const pg::Result open = connection.query(k_open_events);
  const std::unique_lock lock(replicas_mutex_);
  const auto is_here = [&](EventNumber number) {
    const auto at = replicas_.find(number);
    return at != replicas_.end() && at->second->published() != nullptr;
  };
  std::erase_if(by_id_, [&](const auto& each) { return !is_here(each.second); });
  std::erase_if(listed_, [&](EventNumber number) { return !is_here(number); });
  for (int row = 0; row < open.rows(); ++row) {
    const EventNumber number = open.event(row, 0);
    list_event(number, open.uuid(row, 1));
  }
}

// With the mutex of replicas.
void PostgresLedger::list_event(EventNumber number, const Uuid& id) {
  by_id_[to_string(id)] = number;
  const auto place = std::ranges::lower_bound(listed_, number);
  if (place == listed_.end() || *place != number) listed_.insert(place, number);
}

void PostgresLedger::unlist_event(EventNumber number, const Uuid& id) {
  const std::unique_lock lock(replicas_mutex_);
  if (const auto at = by_id_.find(to_string(id)); at != by_id_.end() && at->second == number) by_id_.erase(at);
  std::erase(listed_, number);
}

// Whether the order of all changes is the one that heads() has read so far. With its mutex.
bool PostgresLedger::follows_order(Connection& connection) {
  if (histories_of_heads_ != counters_.histories) return false;
  if (heads_as_of_ == 0) return true;
  const pg::Result last = connection.query(k_order_at, Parameters().int8(heads_as_of_));
  if (last.rows() == 0) return false;
  const auto head = heads_.find(last.event(0, 0));
  return head != heads_.end() && head->second == last.seq(0, 1);
}

std::vector<EventHead> PostgresLedger::heads() {
  auto connection = pool_.take();
  const std::scoped_lock lock(heads_mutex_);
  try {
    if (!follows_order(*connection)) {
      histories_of_heads_ = counters_.histories;
      heads_.clear();
      heads_as_of_ = 0;
    }
    const pg::Result ahead =
        heads_as_of_ == 0 ? connection->query(k_heads) : connection->query(k_heads_after, Parameters().int8(heads_as_of_));
    for (int row = 0; row < ahead.rows(); ++row) {
      Seq& seq = heads_[ahead.event(row, 0)];
      seq = std::max(seq, ahead.seq(row, 1));
      heads_as_of_ = std::max(heads_as_of_, ahead.int8(row, 2));
    }
  } catch (const Error&) {
    heads_as_of_ = 0;   // too many rows since then, perhaps
    connection->reset();
    throw;
  }
  std::vector<EventHead> open;
  for (const EventNumber number : events()) {
    if (const auto head = heads_.find(number); head != heads_.end()) open.push_back({number, head->second});
  }
  return open;
}

// The least recently used replicas go, as long as there are too many. Whoever reads one keeps what readers see of it alive, but
// it is not followed any more: so what was used a moment ago, or is watched, stays. So does what is damaged, for it is named and tried again.
void PostgresLedger::evict() {
  std::vector<ReplicaPtr> idle;
  {
    const std::shared_lock lock(replicas_mutex_);
    if (replicas_.size() <= options_.events_in_memory_max) return;
    for (const auto& [number, replica] : replicas_) {
      if (replica->used_at() + options_.kept_for < Timer::now()) idle.push_back(replica);
    }
  }
  std::ranges::sort(idle, {}, [](const ReplicaPtr& each) { return each->used_at(); });
  for (const ReplicaPtr& replica : idle) {
    const std::unique_lock mine(replica->mutex, std::try_to_lock);
    if (!mine || replica->pending || !replica->damage.empty() || replica->is_watched()) continue;
    const std::unique_lock lock(replicas_mutex_);
    if (replicas_.size() <= options_.events_in_memory_max) return;
    if (replica->used_at() + options_.kept_for >= Timer::now()) continue;
    if (const auto published = replica->published()) directory_.remove(*published->plan());
    replicas_.erase(replica->number);
  }
}

// ---------------------------------------------------------------------------------------------------------------- damage

// With the replica's mutex.
void PostgresLedger::note_damage(Replica& replica, const std::string& what) {
  if (replica.damage != what) spdlog::critical("{}", what);
  replica.set_aside(what);
  const std::scoped_lock lock(trouble_mutex_);
  damaged_[replica.number] = what;
}

// An event whose journal or tables were put right is sold from again, without a restart: everything is read anew, as by a start.
void PostgresLedger::try_damaged_again() {
  std::vector<EventNumber> numbers;
  {
    const std::scoped_lock lock(trouble_mutex_);
    for (const auto& [number, what] : damaged_) numbers.push_back(number);
  }
  for (const EventNumber number : numbers) {
    work_alone(not_kept_, number, [&](Connection& connection) { return try_damaged(connection, number); });
  }
}

// False: it is not its time.
bool PostgresLedger::try_damaged(Connection& connection, EventNumber number) {
  const ReplicaPtr replica = find_replica(number);
  if (replica == nullptr) {   // it went while somebody found the damage: whoever asks for the event again looks anew
    const std::scoped_lock lock(trouble_mutex_);
    damaged_.erase(number);
    return true;
  }
  const std::unique_lock mine(replica->mutex, std::try_to_lock);
  if (!mine || replica->damaged_at + options_.damaged_for > Timer::now()) return false;
  try {
    replica->history_changed = true;   // readers may have seen what was put right
    load(connection, *replica);
    replica->damage.clear();
    spdlog::warn("event {} is whole again", number);
    const std::scoped_lock lock(trouble_mutex_);
    damaged_.erase(number);
  } catch (const DataError& error) {
    note_damage(*replica, error.what());
  }
  return true;
}

// ---------------------------------------------------------------------------------------------------------------- reading

std::shared_ptr<const PublishedEvent> PostgresLedger::event(EventNumber number) const {
  const ReplicaPtr replica = find_replica(number);
  if (replica == nullptr) return nullptr;
  replica->touch();
  return replica->published();
}

std::optional<EventNumber> PostgresLedger::event_by_id(const Uuid& id) const {
  const std::shared_lock lock(replicas_mutex_);
  const auto at = by_id_.find(to_string(id));
  return at == by_id_.end() ? std::nullopt : std::optional(at->second);
}

std::vector<EventNumber> PostgresLedger::events() const {
  const std::shared_lock lock(replicas_mutex_);
  return listed_;
}

std::optional<ReservationView> PostgresLedger::reservation(const Uuid& id) const {
  const auto number = event_of_reservation(id);
  const auto published = number ? event(*number) : nullptr;
  return published == nullptr ? std::nullopt : published->reservation(id, now());
}

}   // namespace holdfast
