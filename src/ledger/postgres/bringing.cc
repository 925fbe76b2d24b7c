// Loading what a request asks for (events, seats, reservations), and the lists of all events.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/locale/utf.hpp>

#include "ledger/postgres/postgres_ledger.h"

namespace holdfast {
namespace {

using namespace pg;

constexpr std::size_t k_seats_found_max = 1'000;

constexpr Statement k_event_exists{"event_exists", "SELECT id FROM holdfast.event WHERE number = $1"};
constexpr Statement k_event_number{"event_number", "SELECT event FROM holdfast.event_directory WHERE id = $1"};
constexpr Statement k_seats_found{"seats_found", "SELECT event, id FROM holdfast.seat_directory WHERE id = ANY($1)"};
constexpr Statement k_open_events{"open_events",
                                  "SELECT s.event, e.id FROM holdfast.event_state s JOIN holdfast.event e ON e.number = s.event "
                                  "WHERE s.status BETWEEN 1 AND 3 ORDER BY s.event"};
// The heads of all events: one index lookup per event, however many rows the order has.
constexpr Statement k_heads{"heads_of_all",
                            "SELECT e.number, o.last_seq, p.position FROM holdfast.event e "
                            "CROSS JOIN LATERAL (SELECT last_seq FROM holdfast.change_order WHERE event = e.number "
                            "ORDER BY event DESC, first_seq DESC LIMIT 1) o "
                            "CROSS JOIN (SELECT max(position) AS position FROM holdfast.change_order) p"};
constexpr Statement k_heads_after{
    "heads_after", "SELECT event, max(last_seq), max(position) FROM holdfast.change_order WHERE position > $1 GROUP BY event"};
constexpr Statement k_order_at{"order_at", "SELECT event, last_seq FROM holdfast.change_order WHERE position = $1"};
constexpr Statement k_head{"head", "SELECT first_seq + changes - 1, " HOLDFAST_DATABASE_NOW
                                   " FROM holdfast.journal WHERE event = $1 ORDER BY event DESC, first_seq DESC, ordinal DESC LIMIT 1"};

// Whether the database can have such an id: UTF-8 without NUL, at most k_seat_id_bytes_max bytes.
bool can_be_id(std::string_view id) {
  using Utf8 = boost::locale::utf::utf_traits<char>;
  if (id.size() > k_seat_id_bytes_max) return false;
  for (auto at = id.begin(); at != id.end();) {
    const auto point = Utf8::decode(at, id.end());
    if (point == boost::locale::utf::illegal || point == boost::locale::utf::incomplete || point == 0) return false;
  }
  return true;
}

// An id as the directory writes it: UUIDs in lower case.
std::string directory_form(const std::string& id) {
  const auto uuid = parse_uuid(id);
  return uuid ? to_string(*uuid) : id;
}

}   // namespace

bool PostgresLedger::bring(const Wanted& wanted) {
  try {
    auto connection = pool_.take();
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
  } catch (const Error& error) {
    pool_.failures().failed(Work::reading, error.what());
    return false;
  } catch (const DataError& error) {
    spdlog::debug("a request asks for a damaged event: {}", error.what());   // logged when it was found; health reports it
    return false;
  } catch (const std::exception& error) {
    spdlog::warn("a request cannot be answered from the database: {}", error.what());
    return false;
  }
}

bool PostgresLedger::exists(Connection& connection, EventNumber number) {
  return connection.query(k_event_exists, Parameters().event(number)).rows() > 0;
}

// False: the event does not exist, or its import has not ended.
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
  if (!unless_damaged(*replica, [&] { freshen(connection, *replica); })) throw DataError(replica->damage);
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
  // Seats of open events are here now, unless an event was evicted or damaged meanwhile.
  for (const auto& [event, id] : found) {
    if (std::ranges::binary_search(events, event) && !directory_.find(id))
      throw DataError("seat " + id + " cannot be read on this node at the moment");
  }
}

void PostgresLedger::bring_reservation(Connection& connection, const Uuid& id, bool as_of_now) {
  const auto number = event_of_reservation(id);
  if (!number || !bring_number(connection, *number, as_of_now)) return;
  const ReplicaPtr replica = replica_of(*number);
  if (const auto published = replica->published(); published != nullptr && published->reservation(id, now())) return;
  const std::scoped_lock lock(replica->mutex);   // before the tables are read: a load after that may bring the reservation back
  const auto found = find_reservation(connection, id);
  if (!found || found->view.status == ReservationStatus::active) return;
  if (!replica->damage.empty()) throw DataError(replica->damage);
  const auto load = [&] { freshen(connection, *replica); };
  if (!replica->is_loaded() && !unless_damaged(*replica, load)) throw DataError(replica->damage);
  forget_ended(*replica);
  recall_ended(connection, *replica, *found);
  const auto published = replica->published();
  if (published == nullptr || !published->reservation(id, now()))
    throw DataError("reservation " + to_string(id) + " cannot be read on this node at the moment");
}

// Brings a forgotten reservation back from the tables. The tables may be ahead of the replica, because of rows that another node has
// written. Then the reservation may have ended before or after the replica's place, which is known only once the replica has caught up.
// Call with the replica's mutex. Throws DataError if the tables contradict themselves.
void PostgresLedger::recall_ended(Connection& connection, Replica& replica, const FoundReservation& found) {
  const bool is_behind = found.as_of > replica.place.at.seq;
  if (is_behind && !unless_damaged(replica, [&] { catch_up(connection, replica); })) return;
  if (found.as_of <= replica.place.at.seq) replica.recall(found.view);   // does nothing if the rows have brought it already
}

// Reads the list of open events. Events that are open on this node stay listed: the tables may not have them yet.
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

// Call with replicas_mutex_.
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

// Whether heads_ still fits the order of all changes. False after a failover or a restore. Call with heads_mutex_.
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
    heads_as_of_ = 0;   // perhaps there are too many rows since then: read all heads next time
    throw;
  }
  std::vector<EventHead> open;
  for (const EventNumber number : events()) {
    if (const auto head = heads_.find(number); head != heads_.end()) open.push_back({number, head->second});
  }
  return open;
}

// Whether readers see everything that was committed before this call. One round trip that waits for no batch. If readers saw more than
// the journal has, they have seen changes that are lost.
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

}   // namespace holdfast
