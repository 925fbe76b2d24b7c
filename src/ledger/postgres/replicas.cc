// The events that this node has: loading, catching up, eviction, damage.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "core/bytes.h"
#include "ledger/postgres/journal_reading.h"
#include "ledger/postgres/postgres_ledger.h"

namespace holdfast {
namespace {

using namespace pg;
using Timer = std::chrono::steady_clock;

constexpr int k_rows_at_once = 128;                       // per statement, outside the lock: 70 KB each while an event is imported

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

}   // namespace

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

// From the tables, and the journal after them. An event that does not exist stays without an inventory. Call with the replica's mutex.
void PostgresLedger::load(Connection& connection, Replica& replica) {
  const Millis longer = keys_kept_longer();
  replica.drop();
  replica.keys.keep_longer(longer);
  if (replica.last_shown && !replica.history_changed && !row_at(connection, replica.number, *replica.last_shown)) {
    spdlog::warn(
        "the journal of event {} does not have change {} as this node has shown it (a failover or a restore); the event is loaded again",
        replica.number, replica.last_shown->seq);
    ++counters_.histories;
    replica.history_changed = true;
  }
  if (replica.history_changed) {
    reader_->forget(replica.number);
    recent_keys_.forget(replica.number);
  }
  auto loaded = load_event(connection, replica.number, hash_seed_, longer);
  projector_->tables_are_as_of(replica.number, loaded ? loaded->as_of.seq : 0);
  if (loaded) take_loaded(replica, std::move(*loaded));
  try {
    catch_up(connection, replica);
  } catch (const HistoryChanged& error) {
    // The journal has just been read from its beginning or from the tables' place, so it contradicts itself.
    replica.drop();
    throw DataError(
        "the journal of event " + std::to_string(replica.number) + " is damaged: " + error.what() +
        ". Nothing is sold from this event. Run `holdfast verify --ledger URL` for details, and restore the database from a backup.");
  } catch (...) {
    replica.drop();   // a part of the event would look like the whole
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
    replica.keys.put(each.kept.key, each.at, each.kept.outcomes);
    replica.on_key(each.kept, each.at);
  }
  // If readers see less than the tables have, the journal rows after the tables do not follow what readers see.
  const auto readers = replica.published();
  if (readers != nullptr && !replica.history_changed && readers->seq() < replica.place.at.seq) {
    replica.show_anew();
    reader_->forget(replica.number);
  }
  replica.meet_readers();
}

// After a failover or a restore: readers have seen changes that are lost. The replica now has what the database has: perhaps less of the
// event, nothing, or another event that was given the same number since.
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
  replica.keys.keep_longer(keys_kept_longer());
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
    spdlog::warn("{}; the event is loaded again", error.what());
    ++counters_.histories;
    replica.history_changed = true;
    load(connection, replica);
  }
}

// Whether the journal's head has the replica's place and another hash: a failover took rows back, and as many were written since. Then
// the event must be loaded again. False also while a batch has the replica: the batch compares by itself.
bool PostgresLedger::is_another_history(Replica& replica, Seq seq, std::int16_t ordinal, std::string_view hash) {
  const std::unique_lock mine(replica.mutex, std::try_to_lock);
  if (!mine || !replica.damage.empty()) return false;
  if (replica.history_changed) return true;   // it could not be loaded again yet
  if (!replica.is_loaded() && !replica.last_shown) return false;
  const JournalPlace& at = replica.is_loaded() ? replica.place.at : *replica.last_shown;
  if (at.seq != seq || at.ordinal != ordinal || hash == as_bytes(at.hash)) return false;
  spdlog::warn(
      "the journal of event {} ends with another change {} than this node has seen (a failover or a restore); the event is loaded again",
      replica.number, seq);
  ++counters_.histories;
  replica.history_changed = true;
  replica.drop();
  return true;
}

// Called before readers see the event: "there is no such seat" must not be answered for a seat of an event that readers see. Call with the
// replica's mutex. Waits while seats of the same event's evicted replica are being removed.
void PostgresLedger::make_findable(EventNumber number, const PublishedEvent& event) {
  {
    std::shared_lock lock(replicas_mutex_);
    left_.wait(lock, [&] { return !leaving_.contains(number); });
  }
  const auto taken = directory_.enter(number, *event.plan(), 1);
  const auto place = taken.empty() ? std::nullopt : directory_.find(taken.front());
  if (place && place->event != number) {   // otherwise an evicted replica of the same event has entered them
    throw DataError("seat " + taken.front() + " of event " + std::to_string(number) +
                    " also belongs to another event. Nothing is sold from this event. Run `holdfast verify --ledger URL` for details.");
  }
  const std::unique_lock lock(replicas_mutex_);
  list_event(number, event.card().id);
}

// After each change of what readers see.
void PostgresLedger::after_publishing(Replica& replica) {
  const auto published = replica.published();
  if (published == nullptr) return;
  projector_->tell(replica.number, published->seq());
  replica.projected = projector_->projected(replica.number);
  ++progress_;
  if (const std::string difference = replica.difference(); !difference.empty()) {
    throw DataError(
        "what readers see of event " + std::to_string(replica.number) + " differs from what is sold from (" + difference +
        "). This is a bug in Holdfast: please report it. All answers are in the journal. Nothing is sold from this event until both have "
        "been loaded again, which is tried automatically.");
  }
}

// Never between a recall and the command or the reader that needs it. Call with the replica's mutex.
void PostgresLedger::forget_ended(Replica& replica) {
  if (!replica.is_loaded() || replica.inventory->ended_count() <= options_.ended_in_memory_max + options_.ended_in_memory_max / 8) return;
  replica.forget_ended(replica.projected, options_.ended_in_memory_max);
}

// Evicts the least recently used replicas while there are too many. A reader of an evicted event would keep an old copy, so replicas that
// were used recently or are watched stay. Damaged ones stay too, to be reported and loaded again.
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
    {
      const std::unique_lock lock(replicas_mutex_);
      if (replicas_.size() <= options_.events_in_memory_max) return;
      if (replica->used_at() + options_.kept_for >= Timer::now()) continue;
      leaving_.insert(replica->number);
      replicas_.erase(replica->number);
    }
    take_away(*replica);
  }
}

// Removes an evicted replica's seats from the directory, which takes seconds for millions of them: without the mutex that every request needs.
// The replica itself is destroyed after that, by the last who holds it.
void PostgresLedger::take_away(Replica& replica) {
  struct Left {
    PostgresLedger& ledger;
    EventNumber number;
    ~Left() {
      {
        const std::unique_lock lock(ledger.replicas_mutex_);
        ledger.leaving_.erase(number);
      }
      ledger.left_.notify_all();
    }
  } const left{*this, replica.number};
  if (const auto published = replica.published()) directory_.remove(*published->plan());
}

// ---------------------------------------------------------------------------------------------------------------- damage

// Call with the replica's mutex.
void PostgresLedger::note_damage(Replica& replica, const std::string& what) {
  if (replica.damage != what) spdlog::critical("{}", what);
  replica.set_aside(what);
  const std::scoped_lock lock(trouble_mutex_);
  damaged_[replica.number] = what;
}

// Loads damaged events again, so that an event whose journal or tables were repaired is sold without a restart.
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

// False: the event was not tried, because it was tried a moment ago or a batch has it.
bool PostgresLedger::try_damaged(Connection& connection, EventNumber number) {
  const ReplicaPtr replica = find_replica(number);
  if (replica == nullptr) {   // evicted while the damage was found; the next request for the event loads it
    const std::scoped_lock lock(trouble_mutex_);
    damaged_.erase(number);
    return true;
  }
  const std::unique_lock mine(replica->mutex, std::try_to_lock);
  if (!mine || replica->damaged_at + options_.damaged_for > Timer::now()) return false;
  unless_damaged(*replica, [&] {
    replica->history_changed = true;   // readers may have seen what was repaired
    load(connection, *replica);
    replica->damage.clear();
    spdlog::warn("event {} is no longer damaged", number);
    const std::scoped_lock lock(trouble_mutex_);
    damaged_.erase(number);
  });
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
