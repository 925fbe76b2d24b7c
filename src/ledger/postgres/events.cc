// Making events: the ids are taken in the database first, all or none; the event comes through the engine then, like any change.
// An import whose node went away is abandoned by another one.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "ledger/embedded/data_folder.h"
#include "ledger/postgres/journal_reading.h"
#include "ledger/postgres/postgres_ledger.h"

namespace holdfast {
namespace {

using namespace pg;

constexpr std::size_t k_ids_at_once = 5'000;
constexpr std::size_t k_taken_ids_named_max = 100;
constexpr Millis k_import_lease = 30'000;

constexpr Statement k_take_event_id{"take_event_id",
                                    "INSERT INTO holdfast.event_directory (id, event) SELECT $1, nextval('holdfast.event_number') "
                                    "WHERE NOT EXISTS (SELECT FROM holdfast.event_directory WHERE id = $1) "
                                    "ON CONFLICT (id) DO NOTHING RETURNING event"};
// Once the sequence is at its end: numbers that creations have left which were refused. Two nodes that take the same one collide.
constexpr Statement k_take_unused_number{"take_unused_number",
                                         "INSERT INTO holdfast.event_directory (id, event) SELECT $1, n FROM generate_series(1, 100000) AS n "
                                         "WHERE NOT EXISTS (SELECT FROM holdfast.event WHERE number = n) ORDER BY n LIMIT 1 "
                                         "ON CONFLICT (id) DO NOTHING RETURNING event"};
constexpr Statement k_has_event_id{"has_event_id", "SELECT FROM holdfast.event_directory WHERE id = $1"};
constexpr Statement k_new_event{"new_event", "INSERT INTO holdfast.event (number, id, created_at) VALUES ($1, $2, $3)"};
constexpr Statement k_new_import{"new_import",
                                 "INSERT INTO holdfast.import (event, node, until) VALUES ($1, $2, floor(extract(epoch FROM "
                                 "clock_timestamp()) * 1000)::bigint + $3)"};
constexpr Statement k_take_ids{"take_ids",
                               "INSERT INTO holdfast.seat_directory (id, event, seat) SELECT t.id, $2, $3 + (t.n - 1)::int FROM "
                               "unnest($1) WITH ORDINALITY AS t (id, n) ON CONFLICT (id) DO NOTHING"};
constexpr Statement k_taken_ids{"taken_ids", "SELECT id FROM holdfast.seat_directory WHERE id = ANY($1) AND event <> $2 LIMIT $3"};
constexpr Statement k_renew_imports{"renew_imports",
                                    "UPDATE holdfast.import SET until = floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint + $2 "
                                    "WHERE node = $1"};
constexpr Statement k_stale_imports{"stale_imports",
                                    "SELECT event FROM holdfast.import WHERE until < floor(extract(epoch FROM clock_timestamp()) * "
                                    "1000)::bigint ORDER BY event LIMIT 16"};
constexpr Statement k_give_back_ids{"give_back_ids", "DELETE FROM holdfast.seat_directory WHERE event = $1"};
constexpr Statement k_end_import{"end_import", "DELETE FROM holdfast.import WHERE event = $1"};
constexpr Statement k_give_back_event_id{"give_back_event_id", "DELETE FROM holdfast.event_directory WHERE event = $1"};
constexpr std::string_view k_sequence_limit = "2200H";

CreationProblem problem(CreationProblem::Kind kind, std::string what, std::vector<std::string> seats = {}) {
  return {kind, std::move(what), std::move(seats)};
}

}  // namespace

std::expected<EventNumber, CreationProblem> PostgresLedger::reserve_event(NewEvent event) {
  using Kind = CreationProblem::Kind;
  try {
    auto connection = pool_.take();
    try {
      return reserve_event_on(*connection, event, k_take_event_id);
    } catch (const Error& error) {
      connection->reset();
      if (!error.is(k_sequence_limit)) throw;
    }
    try {
      return reserve_event_on(*connection, event, k_take_unused_number);
    } catch (const Error&) {
      connection->reset();
      throw;
    }
  } catch (const Error& error) {
    spdlog::warn("an event was not created: {}", error.what());
    return std::unexpected(problem(Kind::unavailable, "the database cannot write at the moment; the event was not created"));
  }
}

std::expected<EventNumber, CreationProblem> PostgresLedger::reserve_event_on(Connection& connection, NewEvent& event,
                                                                             const Statement& take_number) {
  using Kind = CreationProblem::Kind;
  connection.query(k_begin);
  const pg::Result taken_id = connection.query(take_number, Parameters().uuid(event.card.id));
  if (taken_id.rows() == 0) {
    const bool exists = connection.query(k_has_event_id, Parameters().uuid(event.card.id)).rows() > 0;
    connection.query(k_rollback);
    if (exists) return std::unexpected(problem(Kind::event_exists, "an event with the id " + to_string(event.card.id) + " exists"));
    return std::unexpected(problem(Kind::too_many_events, "there have been 100,000 events, which is the most"));
  }
  const auto number = static_cast<EventNumber>(taken_id.int4(0, 0));
  connection.query(k_new_event, Parameters().int4(static_cast<std::int32_t>(number)).uuid(event.card.id).int8(now()));
  connection.query(k_new_import, Parameters().int4(static_cast<std::int32_t>(number)).uuid(node_).int8(k_import_lease));
  std::vector<std::string> taken = take_ids(connection, number, *event.plan);
  if (!taken.empty()) {
    connection.query(k_rollback);
    return std::unexpected(problem(Kind::seat_exists, "a seat with the id " + taken.front() + " exists", std::move(taken)));
  }
  connection.query(k_commit);
  event.card.number = number;
  const ReplicaPtr replica = replica_of(number);
  const std::scoped_lock lock(replica->mutex);
  replica->pending = std::move(event);
  return number;
}

// Enters all of a plan's ids; then those that others have, at most k_taken_ids_named_max.
std::vector<std::string> PostgresLedger::take_ids(Connection& connection, EventNumber number, const Plan& plan) {
  std::vector<std::string> ids;
  for (std::size_t first = 0; first < plan.size(); first += k_ids_at_once) {
    const std::size_t count = std::min(k_ids_at_once, plan.size() - first);
    ids.clear();
    for (std::size_t i = 0; i < count; ++i) ids.push_back(plan.seat_id(static_cast<SeatIndex>(first + i)));
    const std::span<const std::string> part(ids);
    const pg::Result entered = connection.query(
        k_take_ids, Parameters().texts(part).int4(static_cast<std::int32_t>(number)).int4(static_cast<std::int32_t>(first)));
    if (entered.affected() == count) continue;
    const pg::Result taken =
        connection.query(k_taken_ids, Parameters().texts(part).int4(static_cast<std::int32_t>(number)).int8(k_taken_ids_named_max));
    std::vector<std::string> named;
    for (int row = 0; row < taken.rows(); ++row) named.emplace_back(taken.text(row, 0));
    return named;
  }
  return {};
}

void PostgresLedger::abandon_event(EventNumber number) {
  const ReplicaPtr replica = find_replica(number);
  if (replica == nullptr) return;
  {
    const std::scoped_lock lock(replica->mutex);
    if (!replica->pending) return;
    replica->pending.reset();
  }
  try {
    auto connection = pool_.take();
    give_back_ids(*connection, number);
  } catch (const std::exception& error) {
    // The lease of the import ends, and any node does it then.
    spdlog::warn("the ids of event {}, whose import did not end, are given back later: {}", number, error.what());
  }
}

void PostgresLedger::give_back_ids(Connection& connection, EventNumber number) {
  const auto event = static_cast<std::int32_t>(number);
  try {
    connection.query(k_begin);
    connection.query(k_give_back_ids, Parameters().int4(event));
    connection.query(k_give_back_event_id, Parameters().int4(event));
    connection.query(k_end_import, Parameters().int4(event));
    connection.query(k_commit);
  } catch (const Error&) {
    connection.reset();
    throw;
  }
}

void PostgresLedger::renew_imports(Connection& connection) {
  connection.query(k_renew_imports, Parameters().uuid(node_).int8(k_import_lease));
}

// Imports whose node has not been heard of: nobody saw their events, and their ids are free again.
void PostgresLedger::abandon_stale_imports(Connection& connection) {
  const pg::Result stale = connection.query(k_stale_imports);
  for (int row = 0; row < stale.rows(); ++row) {
    const auto number = static_cast<EventNumber>(stale.int4(row, 0));
    bool has_ended = false;
    try {
      has_ended = bring_number(connection, number, true);
    } catch (const DataError&) {
      continue;   // it is named and in the log by now; the others go on
    }
    if (has_ended) {
      connection.query(k_end_import, Parameters().int4(static_cast<std::int32_t>(number)));
      continue;
    }
    const ReplicaPtr replica = replica_of(number);
    bool began = false;
    {
      const std::scoped_lock lock(replica->mutex);
      if (replica->pending) continue;   // it is ours, and was slow
      began = replica->is_loaded() && replica->inventory->settings().status == EventStatus::importing;
    }
    if (began) {
      Entry entry;
      entry.submission.parts.push_back({number, Configure{.status = EventStatus::abandoned}});
      const Batch batch{.events = {number}, .entries = {&entry}};
      ExecutionReport report{.durable = true};
      execute_some({&batch, 1}, report);
      if (!report.durable) continue;
    }
    give_back_ids(connection, number);
    spdlog::warn("the import of event {} had not ended when its node went away; it was abandoned, its seats' ids are free", number);
  }
}

}  // namespace holdfast
