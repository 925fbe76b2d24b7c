#include "ledger/postgres/reading.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "ledger/data_error.h"
#include "ledger/postgres/stored.h"
#include "ledger/reservation_pages.h"

namespace holdfast::pg {
namespace {

constexpr std::int32_t k_rows_at_once = 64;                // journal rows: 70 KB each while an event is imported
constexpr std::int32_t k_steps_at_once = 256;              // rows of change_order
constexpr std::size_t k_reservations_at_once = 1'000;

constexpr std::int32_t k_events_at_once = 4;               // first number of events that one statement searches for an order
constexpr std::int32_t k_events_at_once_max = 100'000;
constexpr std::int64_t k_changes_at_once = 100'000;        // of one event that is too large for one statement
constexpr std::chrono::milliseconds k_moment{100};

#define HOLDFAST_ROW_COLUMNS "first_seq, changes, at, body"
// Rows from the one with change $2 to the one with change $3, without rows that have only keys.
constexpr Statement k_rows{"reader_rows",
                           "SELECT " HOLDFAST_ROW_COLUMNS
                           " FROM holdfast.journal WHERE event = $1 AND first_seq >= coalesce((SELECT first_seq FROM holdfast.journal "
                           "WHERE event = $1 AND first_seq <= $2 AND changes > 0 ORDER BY first_seq DESC, ordinal DESC LIMIT 1), $2) "
                           "AND first_seq <= $3 AND changes > 0 ORDER BY first_seq, ordinal LIMIT $4"};
constexpr Statement k_oldest{"reader_oldest",
                             "SELECT first_seq FROM holdfast.journal WHERE event = $1 AND changes > 0 ORDER BY first_seq, ordinal LIMIT 1"};
constexpr Statement k_head{
    "reader_head", "SELECT first_seq + changes - 1 FROM holdfast.journal WHERE event = $1 ORDER BY first_seq DESC, ordinal DESC LIMIT 1"};
constexpr Statement k_order_ends{"reader_order_ends",
                                 "SELECT coalesce(min(position), 0), coalesce(max(position), 0) FROM holdfast.change_order"};
constexpr Statement k_order{
    "reader_order",
    "SELECT position, event, first_seq, last_seq FROM holdfast.change_order WHERE position >= $1 ORDER BY position LIMIT $2"};
constexpr Statement k_reservations{"reader_reservations",
                                   "SELECT " HOLDFAST_RESERVATION_COLUMNS ", event FROM holdfast.reservation WHERE id = ANY ($1)"};
constexpr Statement k_ids{"reader_event_ids", "SELECT event, id FROM holdfast.event_state WHERE event = ANY ($1)"};
constexpr Statement k_history{"reader_history",
                              "SELECT c.version, c.seq, c.at, c.kind, c.reservation, r.customer, r.order_id FROM holdfast.seat_change c "
                              "LEFT JOIN holdfast.reservation r ON r.id = c.reservation AND r.event = c.event "
                              "WHERE c.event = $1 AND c.seat = $2 AND c.version > $3 ORDER BY c.version LIMIT $4"};
#define HOLDFAST_LIST \
  "SELECT " HOLDFAST_RESERVATION_COLUMNS ", event, " HOLDFAST_LAST_STEP("seq", "reservation.event") " FROM holdfast.reservation WHERE "
constexpr Statement k_list{"list_all", HOLDFAST_LIST "(event, created_seq) > ($1, $2) ORDER BY event, created_seq LIMIT $3"};
constexpr Statement k_list_event{"list_event", HOLDFAST_LIST "event = $1 AND created_seq > $2 ORDER BY created_seq LIMIT $3"};
constexpr Statement k_list_customer{
    "list_customer",
    HOLDFAST_LIST "customer = $4 AND kind = 0 AND (event, created_seq) > ($1, $2) ORDER BY customer, event, created_seq LIMIT $3"};
constexpr Statement k_list_both{
    "list_customer_and_event",
    HOLDFAST_LIST "customer = $4 AND kind = 0 AND event = $1 AND created_seq > $2 ORDER BY customer, event, created_seq LIMIT $3"};
constexpr Statement k_last_event{"reader_last_event", "SELECT coalesce(max(number), 0) FROM holdfast.event"};
// No index contains a column that changes, so none contains the order (schema.cc). One statement searches a few events.
constexpr Statement k_orders{"reader_orders",
                             "SELECT order_id, id FROM holdfast.reservation WHERE event > $1 AND event <= $2 AND order_id = ANY ($3) "
                             "AND order_id <> '' ORDER BY event DESC, created_seq"};
constexpr Statement k_orders_of_event{"reader_orders_of_event",
                                      "SELECT order_id, id FROM holdfast.reservation WHERE event = $1 AND created_seq > $2 AND "
                                      "created_seq <= $3 AND order_id = ANY ($4) AND order_id <> '' ORDER BY created_seq"};
constexpr Statement k_last_created{"reader_last_created",
                                   "SELECT created_seq FROM holdfast.reservation WHERE event = $1 ORDER BY created_seq DESC LIMIT 1"};

// Calls `read`. If the database cannot answer, logs why and returns `unavailable`.
template <typename Read>
auto guarded(FailureLog& failures, Read read) {
  return guarded_reading([&]() -> decltype(read()) {
    try {
      auto found = read();
      failures.worked();
      return found;
    } catch (const Error& error) {
      failures.failed(Work::reading, error.what());
      return read_problem(ReadProblem::Kind::unavailable);
    }
  });
}

KeptRow kept_row(const Result& rows, int at, EventNumber event) {
  JournalRow row{
      .event = event, .first_seq = rows.seq(at, 0), .changes = rows.unsigned4(at, 1), .at = rows.int8(at, 2), .body = rows.bytes(at, 3)};
  JournalBody body;
  if (!decode_body(row, body)) return {.event = event, .first_seq = row.first_seq, .changes = row.changes, .is_damaged = true};
  return holdfast::kept_row(row, body, 0);
}

// Rows from the one with change `next` to the one with change `last`, or the first part of them. Empty if the first one is
// missing.
KeptRows read_rows(Connection& connection, EventNumber event, Seq next, Seq last) {
  const Result rows = connection.query(k_rows, Parameters().event(event).seq(next).seq(last).int4(k_rows_at_once));
  KeptRows found;
  for (int at = 0; at < rows.rows(); ++at) found.push_back(std::make_shared<const KeptRow>(kept_row(rows, at, event)));
  if (!found.empty() && (found.front()->first_seq > next || found.front()->end_seq() <= next)) return {};
  return found;
}

ReservationRow row_of(const Result& rows, int at) {
  ReservationRow row;
  if (!read_reservation(rows, at, row)) throw DataError("reservation " + to_string(rows.uuid(at, 0)) + " cannot be read");
  return row;
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------------- completing

// Waits until the tables have what readers have seen of the event so far.
void Reader::await_tables(EventNumber event) const {
  const auto published = published_(event);
  const Seq told = published == nullptr ? 0 : published->seq();
  if (projector_.await(event, told, until())) return;
  const auto damaged = projector_.damaged();
  if (const auto damage = damaged.find(event); damage != damaged.end()) throw DataError(damage->second);
  throw DataError("the tables of event " + std::to_string(event) + " do not have change " + std::to_string(told) + " yet, but " +
                  std::to_string(projector_.projected(event)) + "; they follow too slowly, or cannot be written");
}

// False if memory does not have the reservation, or is behind the change.
bool Reader::complete_from_memory(RecordedChange& change) const {
  if (!needs_completing(change)) return true;
  const auto published = published_(change.event);
  if (published == nullptr || published->seq() < change.seq) return false;
  const auto view = published->reservation(change.reservation, 0);   // 0: as recorded
  if (!view) return false;
  complete(change, &*view);
  return true;
}

// Marks changes that cannot be completed, so that one damaged event does not stop the others.
void Reader::complete_or_mark(Connection& connection, std::vector<RecordedChange*>& changes) const {
  std::vector<RecordedChange> as_recorded;   // completing a change adds to it
  as_recorded.reserve(changes.size());
  for (const RecordedChange* change : changes) as_recorded.push_back(*change);
  try {
    return complete_from_tables(connection, changes);
  } catch (const DataError& error) {
    spdlog::debug("changes are completed one by one: {}", error.what());
  }
  for (std::size_t i = 0; i < changes.size(); ++i) {
    *changes[i] = std::move(as_recorded[i]);
    std::vector<RecordedChange*> one{changes[i]};
    try {
      complete_from_tables(connection, one);
    } catch (const DataError& error) {
      untold_.failed(changes[i]->event, error.what());
      make_unreadable(*changes[i]);
    }
  }
}

// Throws DataError if one of them cannot be completed. Some others may be completed then.
void Reader::complete_from_tables(Connection& connection, std::vector<RecordedChange*>& changes) const {
  std::map<EventNumber, Seq> last;
  std::vector<Uuid> ids;
  for (const RecordedChange* change : changes) {
    last[change->event] = std::max(last[change->event], change->seq);
    ids.push_back(change->reservation);
  }
  if (ids.empty()) return;
  for (const auto& [event, seq] : last) {
    if (projector_.await(event, seq, until())) continue;
    const auto damaged = projector_.damaged();
    if (const auto damage = damaged.find(event); damage != damaged.end()) throw DataError(damage->second);
    throw Error("HFTAB", "the tables of event " + std::to_string(event) + " follow too slowly");
  }
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  std::map<Uuid, ReservationView> views;
  const Result rows = connection.query(k_reservations, Parameters().uuids(std::span<const Uuid>(ids)));
  for (int at = 0; at < rows.rows(); ++at) {
    ReservationRow row = row_of(rows, at);
    views[row.id] = view_of(row);
  }
  for (RecordedChange* change : changes) {
    const auto view = views.find(change->reservation);
    complete(*change, view == views.end() ? nullptr : &view->second);
  }
}

void Reader::name_events(Connection& connection, std::vector<RecordedChange>& changes) const {
  const std::scoped_lock lock(ids_mutex_);
  std::vector<EventNumber> unknown;
  for (const RecordedChange& change : changes) {
    if (!ids_.contains(change.event) && std::ranges::find(unknown, change.event) == unknown.end()) unknown.push_back(change.event);
  }
  if (!unknown.empty()) {
    const Result rows = connection.query(k_ids, Parameters().events(unknown));
    for (int row = 0; row < rows.rows(); ++row) ids_[rows.event(row, 0)] = rows.uuid(row, 1);
  }
  for (RecordedChange& change : changes) {
    const auto id = ids_.find(change.event);
    if (id == ids_.end()) throw DataError("event " + std::to_string(change.event) + ", which the journal speaks of, is not there");
    change.event_id = id->second;
  }
}

// ---------------------------------------------------------------------------------------------------------------- changes

Reading<ChangePage> Reader::read_changes(EventNumber event, Seq after, std::size_t limit, ReadFrom from) const {
  return guarded(pool_.failures(), [&]() -> Reading<ChangePage> {
    const auto published = published_(event);
    if (published == nullptr && from == ReadFrom::memory) return read_problem(ReadProblem::Kind::not_in_memory);
    std::optional<Pool::Borrowed> connection;
    const auto database = [&]() -> Connection& {
      if (!connection) connection.emplace(pool_.take());
      return **connection;
    };
    Seq head = published == nullptr ? 0 : published->seq();
    if (published == nullptr) {
      const Result last = database().query(k_head, Parameters().event(event));
      if (last.rows() > 0) head = last.seq(0, 0);
    }
    const StoredRows stored{
        .rows = [&](Seq next, std::size_t some) { return read_rows(database(), event, next, std::min(head, next + some - 1)); },
        .oldest = [&]() -> std::optional<Seq> {
          const Result oldest = database().query(k_oldest, Parameters().event(event));
          return oldest.rows() > 0 ? std::optional(oldest.seq(0, 0)) : std::nullopt;
        }};
    auto page = read_page(event, after, head, limit, from, recent_, stored);
    if (!page && page.error().kind == ReadProblem::Kind::unavailable) {
      throw DataError("the journal row with change " + std::to_string(after + 1) + " of event " + std::to_string(event) +
                      " cannot be read");
    }
    if (!page) return page;
    std::vector<RecordedChange*> incomplete;
    for (RecordedChange& change : page->changes) {
      if (published != nullptr) change.event_id = published->card().id;
      if (!complete_from_memory(change)) incomplete.push_back(&change);
    }
    if (!incomplete.empty() && from == ReadFrom::memory) return read_problem(ReadProblem::Kind::not_in_memory);
    if (!incomplete.empty()) complete_from_tables(database(), incomplete);
    if (published == nullptr && !page->changes.empty()) {
      if (!projector_.await(event, 1, until())) throw Error("HFTAB", "the tables of event " + std::to_string(event) + " follow too slowly");
      name_events(database(), page->changes);
    }
    return page;
  });
}

// The changes of a step of change_order, row by row, as far as the page has room. False: they are not kept any more.
bool Reader::add_step(Connection& connection, EventNumber event, const ChangeStretch& step, AllChangesPage& page) const {
  while (page.next().position == step.position && page.has_room()) {
    const Seq seq = step.first + page.next().skip;
    const KeptRows rows = read_rows(connection, event, seq, std::min(step.end, seq + page.room()) - 1);
    if (rows.empty()) return false;
    for (const auto& row : rows) {
      if (page.next().position != step.position || page.room() == 0) break;
      if (const std::string why = page.add(*row, step); !why.empty()) untold_.failed(event, why);
    }
  }
  return true;
}

Reading<ChangePage> Reader::read_all_changes(std::string_view cursor, std::size_t limit, ReadFrom from) const {
  if (from == ReadFrom::memory) return read_problem(ReadProblem::Kind::not_in_memory);
  return guarded(pool_.failures(), [&]() -> Reading<ChangePage> {
    if (!projector_.await_order(until())) throw Error("HFTAB", "the order of all changes follows too slowly, or cannot be written");
    auto connection = pool_.take();
    const Result ends = connection->query(k_order_ends);
    const std::int64_t head = ends.int8(0, 1);
    const auto begin = place_of_cursor(cursor, head, [&] { return head == 0 ? 1 : ends.int8(0, 0); });
    if (!begin) return read_problem(ReadProblem::Kind::bad_cursor);
    AllChangesPage made(*begin, limit);
    bool is_archived = false;
    while (made.next().position <= head && made.has_room() && !is_archived) {
      const Result steps = connection->query(k_order, Parameters().int8(made.next().position).int4(k_steps_at_once));
      if (steps.rows() == 0) is_archived = true;
      for (int at = 0; at < steps.rows() && !is_archived && made.has_room(); ++at) {
        const ChangeStretch step{.position = steps.int8(at, 0), .first = steps.seq(at, 2), .end = steps.seq(at, 3) + 1};
        if (step.position != made.next().position) is_archived = true;
        if (!is_archived && !made.can_begin_in(step)) return read_problem(ReadProblem::Kind::bad_cursor);
        is_archived = is_archived || !add_step(*connection, steps.event(at, 1), step, made);
      }
    }
    ChangePage page = std::move(made).finish();
    if (is_archived && page.changes.empty()) return read_problem(ReadProblem::Kind::archived);
    std::vector<RecordedChange*> incomplete;
    for (RecordedChange& change : page.changes) {
      if (!complete_from_memory(change)) incomplete.push_back(&change);
    }
    complete_or_mark(*connection, incomplete);
    name_events(*connection, page.changes);
    return page;
  });
}

// ---------------------------------------------------------------------------------------------------------------- from the tables

Reading<std::vector<SeatChange>> Reader::seat_history(SeatPlace place, std::uint32_t after, std::size_t limit) const {
  return guarded(pool_.failures(), [&]() -> Reading<std::vector<SeatChange>> {
    await_tables(place.event);
    auto connection = pool_.take();
    const Result rows = connection->query(k_history, Parameters().event(place.event).seat(place.seat).unsigned4(after).unsigned8(limit));
    std::vector<SeatChange> history;
    for (int row = 0; row < rows.rows(); ++row) {
      SeatChange change{.seq = rows.seq(row, 1),
                        .at = rows.int8(row, 2),
                        .kind = static_cast<ChangeKind>(rows.int2(row, 3)),
                        .version = rows.unsigned4(row, 0)};
      const auto state = state_after(change.kind);
      const bool has_reservation = !rows.is_null(row, 4);
      if (!state || concerns_reservation(change.kind) != has_reservation || has_reservation == rows.is_null(row, 5)) {
        throw DataError("the history of seat " + std::to_string(place.seat) + " of event " + std::to_string(place.event) +
                        " cannot be read");
      }
      change.state = *state;
      if (has_reservation) {
        change.reservation = rows.uuid(row, 4);
        change.customer = rows.text(row, 5);
      }
      if (change.kind == ChangeKind::consumed || change.kind == ChangeKind::returned) change.order = rows.text(row, 6);
      history.push_back(std::move(change));
    }
    return history;
  });
}

Reading<ReservationPage> Reader::list_reservations(const ReservationFilter& filter, std::string_view cursor, std::size_t limit) const {
  return guarded(pool_.failures(), [&]() -> Reading<ReservationPage> {
    const auto after = cursor.empty() ? ReservationPlace{} : parse_reservation_place(cursor);
    if (!after) return read_problem(ReadProblem::Kind::bad_cursor);
    if (filter.event) {
      await_tables(*filter.event);
    } else if (!projector_.await_order(until())) {
      throw Error("HFTAB", "the tables follow too slowly, or cannot be written");
    }
    if (filter.event && after->event > *filter.event) return ReservationPage{};
    ReservationPageInWork made(filter, limit,
                               {filter.event.value_or(after->event), !filter.event || after->event == *filter.event ? after->seq : 0});
    const Statement& list = filter.customer ? (filter.event ? k_list_both : k_list_customer) : (filter.event ? k_list_event : k_list);
    auto connection = pool_.take();
    // Reads one more than fits on the page, to know whether there is a next page.
    for (;;) {
      const std::size_t some = std::min({k_reservations_at_once, limit + 1, made.k_looked_at_max + 1 - made.looked_at()});
      Parameters parameters;
      parameters.event(made.last().event).seq(made.last().seq).unsigned8(some);
      if (filter.customer) parameters.text(*filter.customer);
      const Result rows = connection->query(list, parameters);
      for (int at = 0; at < rows.rows(); ++at) {
        if (!made.has_room()) return std::move(made.page);
        const ReservationRow row = row_of(rows, at);
        const EventNumber event = rows.event(at, k_reservation_columns);
        made.add(event, row.created_seq,
                 as_it_is_now(*connection, event, row,
                              rows.is_null(at, k_reservation_columns + 1) ? 0 : rows.seq(at, k_reservation_columns + 1)));
      }
      if (static_cast<std::size_t>(rows.rows()) < some) return std::move(made.page);
    }
  });
}

namespace {

// The orders that are searched for, and those found so far.
class OrderSearch {
 public:
  explicit OrderSearch(std::span<const std::string> orders) : orders_(orders), wanted_(orders.begin(), orders.end()) {}

  bool has_all() const { return known_.size() == wanted_.size(); }
  std::vector<std::optional<Uuid>> found() const {
    std::vector<std::optional<Uuid>> found(orders_.size());
    for (std::size_t i = 0; i < orders_.size(); ++i) {
      if (const auto at = known_.find(orders_[i]); at != known_.end()) found[i] = at->second;
    }
    return found;
  }
  // Searches events from `first` + 1 to `last`. False: the database had no time for so many at once.
  bool look_at_events(Connection& connection, std::int32_t first, std::int32_t last) {
    return look(connection, k_orders, Parameters().int4(first).int4(last).texts(orders_));
  }
  // Searches all reservations of one event that is too large for look_at_events().
  void look_through(Connection& connection, std::int32_t event) {
    const Result last = connection.query(k_last_created, Parameters().int4(event));
    const std::int64_t head = last.rows() == 0 ? 0 : last.int8(0, 0);
    std::int64_t some = k_changes_at_once;
    for (std::int64_t after = 0; after < head && !has_all();) {
      if (look(connection, k_orders_of_event, Parameters().int4(event).int8(after).int8(after + some).texts(orders_))) {
        after += some;
      } else if (some == 1) {
        throw Error(std::string(k_query_canceled), "not even one reservation could be read in time");
      } else {
        some = std::max<std::int64_t>(some / 4, 1);
      }
    }
  }

 private:
  bool look(Connection& connection, const Statement& statement, const Parameters& parameters) {
    try {
      const Result rows = connection.query(statement, parameters);
      for (int at = 0; at < rows.rows(); ++at) {
        const auto order = wanted_.find(rows.text(at, 0));
        if (order != wanted_.end()) known_.try_emplace(*order, rows.uuid(at, 1));
      }
      return true;
    } catch (const Error& error) {
      if (!error.is(k_query_canceled)) throw;
      connection.take_rest();
      return false;
    }
  }

  std::span<const std::string> orders_;
  std::set<std::string_view> wanted_;
  std::unordered_map<std::string_view, Uuid> known_;
};

}  // namespace

// Searches from the latest event back, because that is where current orders are, with as many events per statement as take a
// moment. Waits only shortly for the tables: other customers' payments wait behind this call, and the caller asks again.
Reading<std::vector<std::optional<Uuid>>> Reader::find_orders(std::span<const std::string> orders) const {
  return guarded(pool_.failures(), [&]() -> Reading<std::vector<std::optional<Uuid>>> {
    constexpr int k_part_of_patience = 5;
    if (!projector_.await_order(Projector::Timer::now() + patience_ / k_part_of_patience)) {
      throw Error("HFTAB", "the tables follow too slowly, or cannot be written");
    }
    OrderSearch search(orders);
    auto connection = pool_.take();
    std::int32_t last = connection->query(k_last_event).int4(0, 0);
    for (std::int32_t some = k_events_at_once; last > 0 && !search.has_all();) {
      const std::int32_t first = std::max(0, last - some);
      const auto began = Projector::Timer::now();
      if (!search.look_at_events(*connection, first, last)) {
        some = std::max((last - first) / 4, 1);
        if (last - first > 1) continue;
        search.look_through(*connection, last);
      }
      last = first;
      const bool is_quick = Projector::Timer::now() - began < k_moment;
      some = is_quick ? std::min(4 * some, k_events_at_once_max) : std::max(some / 4, 1);
    }
    return search.found();
  });
}

// What readers see is newer than the tables, unless this node does not follow the event, or has not heard of the change yet.
ReservationView Reader::as_it_is_now(Connection& connection, EventNumber event, const ReservationRow& row, Seq as_of) const {
  const auto published = published_(event);
  if (published != nullptr && published->seq() >= as_of) {
    if (auto view = published->reservation(row.id, now_())) return std::move(*view);
  }
  ReservationView view = view_of(row);
  if (view.status == ReservationStatus::active && view.expires_at <= now_()) {
    view.status = ReservationStatus::expired;
  } else if (row.owned == row.seats.size()) {
    for (ReservedSeat& reserved : view.seats) reserved.owned = true;
  } else if (row.owned > 0) {
    mark_owned(connection, event, row, view);
  }
  return view;
}

}  // namespace holdfast::pg
