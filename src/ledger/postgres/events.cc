// Creating events: one transaction takes all ids in the database, or none. Then the event goes through the engine like any change. If a
// node goes away during an import, another node abandons the import.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <numeric>

#include "ledger/postgres/imports.h"
#include "ledger/postgres/piece_size.h"
#include "ledger/postgres/postgres_ledger.h"

namespace holdfast {
namespace {

using namespace pg;

constexpr std::size_t k_ids_first = 1'000;   // in the first statement; later ones take more while the database is fast
constexpr std::size_t k_ids_at_once_max = 5'000;
constexpr std::chrono::seconds k_ids_deadline{35};   // more than the statement_timeout that k_patient sets
constexpr std::size_t k_taken_ids_named_max = 100;
constexpr std::chrono::milliseconds k_giving_back_at_once{2'000};   // after a failed import; any node gives back the rest
constexpr std::chrono::milliseconds k_giving_back_a_turn{500};      // for imports of other nodes

constexpr Statement k_take_event_id{"take_event_id",
                                    "INSERT INTO holdfast.event_directory (id, event) SELECT $1, nextval('holdfast.event_number') "
                                    "WHERE NOT EXISTS (SELECT FROM holdfast.event_directory WHERE id = $1) "
                                    "ON CONFLICT (id) DO NOTHING RETURNING event"};
// After the end of the sequence: numbers that refused creations have left unused. If two nodes take the same number, one fails.
constexpr Statement k_take_unused_number{
    "take_unused_number",
    "INSERT INTO holdfast.event_directory (id, event) SELECT $1, n FROM generate_series(1, 100000) AS n "
    "WHERE NOT EXISTS (SELECT FROM holdfast.event WHERE number = n) ORDER BY n LIMIT 1 "
    "ON CONFLICT (id) DO NOTHING RETURNING event"};
constexpr Statement k_has_event_id{"has_event_id", "SELECT FROM holdfast.event_directory WHERE id = $1"};
constexpr Statement k_new_event{"new_event", "INSERT INTO holdfast.event (number, id, created_at) VALUES ($1, $2, $3)"};
// An import of millions of seats takes minutes, and must not fail because one statement waits for the disk. Nothing waits for this
// transaction.
constexpr Statement k_patient{"import_patiently", "SELECT set_config('statement_timeout', '30s', true)"};
constexpr Statement k_take_ids{"take_ids",
                               "INSERT INTO holdfast.seat_directory (id, event, seat) SELECT t.id, $2, t.seat FROM "
                               "unnest($1, $3) AS t (id, seat) ON CONFLICT (id) DO NOTHING"};
constexpr Statement k_taken_ids{"taken_ids", "SELECT id FROM holdfast.seat_directory WHERE id = ANY($1) AND event <> $2 LIMIT $3"};
constexpr std::string_view k_sequence_limit = "2200H";

CreationProblem problem(CreationProblem::Kind kind, std::string what, std::vector<std::string> seats = {}) {
  return {kind, std::move(what), std::move(seats)};
}

// A plan's seats roughly in the order of their ids, like the directory's index. Ids derived from labels are random, so in the plan's
// order each would change another page of the index, and the server would log and write all of these pages. UUIDs are sorted by their
// first two bytes; other ids stay in the plan's order.
std::vector<SeatIndex> in_order_of_ids(const Plan& plan) {
  const auto place = [&](SeatIndex seat) -> std::size_t {
    const Uuid* id = plan.seat_uuid(seat);
    return id == nullptr ? 0 : std::size_t{id->data[0]} << 8 | id->data[1];
  };
  std::vector<std::size_t> next(1 << 16);   // index in the order for the next seat of each place
  const auto size = static_cast<SeatIndex>(plan.size());
  for (SeatIndex seat = 0; seat < size; ++seat) ++next[place(seat)];
  std::exclusive_scan(next.begin(), next.end(), next.begin(), std::size_t{0});
  std::vector<SeatIndex> order(size);
  for (SeatIndex seat = 0; seat < size; ++seat) order[next[place(seat)]++] = seat;
  return order;
}

}   // namespace

std::expected<EventNumber, CreationProblem> PostgresLedger::reserve_event(NewEvent event) {
  using Kind = CreationProblem::Kind;
  try {
    const std::vector<SeatIndex> order = in_order_of_ids(*event.plan);   // before a connection is taken: 20 million seats take seconds
    auto connection = pool_.take();
    try {
      return reserve_event_on(*connection, event, order, k_take_event_id);
    } catch (const Error& error) {
      connection->reset();
      if (!error.is(k_sequence_limit)) throw;
    }
    return reserve_event_on(*connection, event, order, k_take_unused_number);
  } catch (const Error& error) {
    spdlog::warn("an event was not created: {}", error.what());
    return std::unexpected(problem(Kind::unavailable, "the database cannot write at the moment; the event was not created"));
  }
}

std::expected<EventNumber, CreationProblem> PostgresLedger::reserve_event_on(Connection& connection, NewEvent& event,
                                                                             std::span<const SeatIndex> order,
                                                                             const Statement& take_number) {
  using Kind = CreationProblem::Kind;
  const LongerDeadline longer(connection, k_ids_deadline);   // more than the statements of take_ids() may take
  connection.query(k_begin);
  const pg::Result taken_id = connection.query(take_number, Parameters().uuid(event.card.id));
  if (taken_id.rows() == 0) {
    const bool exists = connection.query(k_has_event_id, Parameters().uuid(event.card.id)).rows() > 0;
    connection.query(k_rollback);
    if (exists) return std::unexpected(problem(Kind::event_exists, "an event with the id " + to_string(event.card.id) + " already exists"));
    return std::unexpected(problem(Kind::too_many_events, "there have already been 100,000 events, which is the maximum"));
  }
  const EventNumber number = taken_id.event(0, 0);
  connection.query(k_new_event, Parameters().event(number).uuid(event.card.id).int8(now()));
  std::vector<std::string> taken = take_ids(connection, number, *event.plan, order);
  if (!taken.empty()) {
    connection.query(k_rollback);
    const std::string what = "a seat with the id " + taken.front() + " already exists";
    return std::unexpected(problem(Kind::seat_exists, what, std::move(taken)));
  }
  begin_import(connection, number, node_);   // last, because the ids of a large plan take longer than the lease
  connection.query(k_commit);
  event.card.number = number;
  {
    const std::scoped_lock lock(imports_mutex_);
    imports_.insert(number);
  }
  const ReplicaPtr replica = replica_of(number);
  const std::scoped_lock lock(replica->mutex);
  replica->pending = std::move(event);
  return number;
}

// Enters all ids of a plan into the directory, in this order. Returns ids that other events have, at most k_taken_ids_named_max; empty:
// all were entered. Call in a transaction. Each statement takes a fraction of its time limit.
std::vector<std::string> PostgresLedger::take_ids(Connection& connection, EventNumber number, const Plan& plan,
                                                  std::span<const SeatIndex> order) {
  connection.query(k_patient);
  PieceSize piece(k_ids_first, k_ids_at_once_max);
  std::vector<std::string> ids;
  while (!order.empty()) {
    const auto some = order.first(std::min(piece.now(), order.size()));
    order = order.subspan(some.size());
    ids.clear();
    for (const SeatIndex seat : some) ids.push_back(plan.seat_id(seat));
    const std::span<const std::string> part(ids);
    const auto began = PieceSize::Timer::now();
    const pg::Result entered = connection.query(k_take_ids, Parameters().texts(part).event(number).seats(some));
    piece.took(PieceSize::Timer::now() - began);
    if (entered.affected() == some.size()) continue;
    const pg::Result taken = connection.query(k_taken_ids, Parameters().texts(part).event(number).int8(k_taken_ids_named_max));
    std::vector<std::string> named;
    named.reserve(static_cast<std::size_t>(taken.rows()));
    for (int row = 0; row < taken.rows(); ++row) named.emplace_back(taken.text(row, 0));
    return named;
  }
  return {};
}

void PostgresLedger::abandon_event(EventNumber number) {
  {
    const std::scoped_lock lock(imports_mutex_);
    imports_.erase(number);   // ends the renewals: once the lease is over, any node completes this
  }
  const ReplicaPtr replica = find_replica(number);
  if (replica == nullptr) return;
  {
    const std::scoped_lock lock(replica->mutex);
    if (!replica->pending) return;
    replica->pending.reset();
  }
  try {
    auto connection = pool_.take();
    if (close_import(*connection, number)) give_up_import(*connection, number, node_);
    give_back_ids(*connection, number, std::chrono::steady_clock::now() + k_giving_back_at_once);
  } catch (const std::exception& error) {
    spdlog::warn("the import of event {} failed, and its ids will be given back later: {}", number, error.what());
  }
}

// Makes sure that an import can never open its event. True: the journal says that the import was abandoned, or has no row of it. False:
// the event has opened, or the outcome is unknown.
bool PostgresLedger::close_import(Connection& connection, EventNumber number) {
  if (bring_number(connection, number, true)) {
    forget_import(connection, number);
    return false;
  }
  const ReplicaPtr replica = replica_of(number);
  bool began = false;
  {
    const std::scoped_lock lock(replica->mutex);
    if (replica->pending) return false;   // an import of this node that was slow
    began = replica->is_loaded() && replica->inventory->settings().status == EventStatus::importing;
  }
  if (began) {
    Entry entry;
    entry.submission.parts.push_back({number, Configure{.status = EventStatus::abandoned}});
    const Batch batch{.events = {number}, .entries = {&entry}};
    ExecutionReport report{.durable = true};
    execute_some({&batch, 1}, report);
    if (!report.durable || !entry.verdict.accepted()) return false;
  }
  const std::scoped_lock lock(replica->mutex);
  if (!replica->pending) replica->drop();   // nothing will ask for it again
  return true;
}

bool PostgresLedger::has_imports() {
  const std::scoped_lock lock(imports_mutex_);
  return !imports_.empty();
}

void PostgresLedger::renew_imports(Connection& connection) {
  std::set<EventNumber> ours;
  {
    const std::scoped_lock lock(imports_mutex_);
    ours = imports_;
  }
  const std::set<EventNumber> renewed = pg::renew_imports(connection, ours, node_);
  const std::scoped_lock lock(imports_mutex_);
  for (const EventNumber event : ours) {
    if (!renewed.contains(event)) imports_.erase(event);
  }
}

// Abandons imports whose lease is over, and gives their ids back. Readers have never seen their events.
void PostgresLedger::abandon_stale_imports(Connection& connection) {
  const auto until = std::chrono::steady_clock::now() + k_giving_back_a_turn;
  for (const auto& [number, is_nobodys] : stale_imports(connection, last_stale_import_)) {
    if (std::chrono::steady_clock::now() >= until) return;
    last_stale_import_ = number;
    work_alone(not_kept_, number, [&](Connection& own) {
      abandon_import(own, number, is_nobodys, until);
      return true;
    });
  }
}

void PostgresLedger::abandon_import(Connection& connection, EventNumber number, bool is_nobodys,
                                    std::chrono::steady_clock::time_point until) {
  try {
    if (!is_nobodys && (!close_import(connection, number) || !take_stale_import(connection, number))) return;
  } catch (const DataError&) {
    return;   // note_damage() has logged it
  }
  if (!is_nobodys) spdlog::warn("the import of event {} was abandoned, because its node went away before the end of the import", number);
  if (give_back_ids(connection, number, until)) spdlog::warn("the ids of event {}, whose import was abandoned, are free again", number);
}

}   // namespace holdfast
