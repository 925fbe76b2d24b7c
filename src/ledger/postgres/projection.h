// Steps of the projector: what the journal has of one event and the tables do not have yet, written to the tables in a few
// statements.
//
//   pg::project(connection, 7);                     // a transaction of its own: for the projector's thread, on any node
//   pg::project_within(connection, 7);              // in an open transaction, right after the journal row was inserted (projection = "sync")
//   pg::order_changes(connection, {7, 8});          // then: gives what the tables have its place among the changes of all events
//
// An event's row in event_state is the lock of its steps: nodes share the work and never do it twice. They throw Error (after
// which nothing of a step was done), and DataError when journal or tables of the event are damaged: nothing was changed then
// either.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ledger/postgres/tables.h"
#include "sql/postgres_connection.h"

namespace holdfast::pg {

inline constexpr std::size_t k_changes_a_step = 8'192;

struct StepReport {
  enum class Result {
    up_to_date,   // the journal has nothing that the tables do not have
    busy,   // another node does it
    done,
  };
  Result result = Result::up_to_date;
  JournalPlace place{};   // that the tables have the event as of; where busy: unknown
  std::uint64_t changes = 0;   // in this step
  std::size_t rows = 0;   // of the journal
  bool there_is_more = false;   // perhaps
  bool has_keys = false;
  bool import_has_ended = false;
  std::size_t seats = 0;   // of the event, when import_has_ended
};

// One step in a transaction of its own, of at most `changes_max` changes and what the last row has beyond. Four round trips.
StepReport project(Connection& connection, EventNumber event, std::size_t changes_max = k_changes_a_step);

// Everything that the transaction sees of the event, in an open transaction; it waits for another node that is at a step of it
// (lock_timeout). `changes` and `rows` are of all steps.
StepReport project_within(Connection& connection, EventNumber event);

// Gives what the tables have of these events, and what has no place yet, the next places in holdfast.change_order. A transaction
// of its own, one round trip.
void order_changes(Connection& connection, std::span<const EventNumber> events);

// Drops the oldest keys that are over at the time of the event's last step, a small number of rows.
void drop_old_keys(Connection& connection, EventNumber event);

// Events from `first` on, at most `limit`, and which of them the tables or the order do not have wholly. `next`: the first that
// was not looked at; 0: there is none.
struct Lagging {
  std::vector<EventNumber> events;
  EventNumber next = 0;
};
Lagging find_lagging(Connection& connection, EventNumber first, std::size_t limit);

// Takes what the tables have of an event out of them, so that the projector makes it again from the first row of its journal.
// Throws DataError, and does nothing, when the journal does not have its first row any more. Its change_order stays.
void forget_tables(Connection& connection, EventNumber event);

// Of tables that have seats: what the planner would do otherwise than by an index in the statements that are run for every batch and step, one sentence
// each; empty: all is well.
std::vector<std::string> find_bad_plans(Connection& connection, std::span<const Statement> more = {});

}   // namespace holdfast::pg
