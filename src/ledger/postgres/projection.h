// Steps of the projector. A step writes to the tables what the journal of one event has and the tables lack, in a few statements.
//
//   pg::project(connection, 7);                     // a transaction of its own: for the projector's thread, on any node
//   pg::project_within(connection, 7);              // in an open transaction, right after the journal row was inserted (projection = "sync")
//   pg::order_changes(connection, {7, 8});          // then: gives these changes their places among the changes of all events
//
// The event's row in event_state is the lock of its steps: nodes share the work and never do it twice. These functions throw
// Error, after which nothing of the step was done. They throw DataError if the event's journal or tables are damaged; nothing was
// changed then either.
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
    up_to_date,   // the tables have all that the journal has
    busy,   // another node is taking a step
    done,
  };
  Result result = Result::up_to_date;
  JournalPlace place{};   // the tables have the event as of here; unknown if busy
  std::uint64_t changes = 0;   // taken in this step
  std::size_t rows = 0;   // journal rows taken
  bool there_is_more = false;   // there may be more
  bool has_keys = false;
  bool import_has_ended = false;
  std::size_t seats = 0;   // seats of the event, set if import_has_ended
};

// Takes one step in a transaction of its own: at most `changes_max` changes, and the rest of the last row. Four round trips.
StepReport project(Connection& connection, EventNumber event, std::size_t changes_max = k_changes_a_step);

// Takes all steps that the open transaction can see. Waits for another node's step of the event (lock_timeout). `changes` and
// `rows` count all steps.
StepReport project_within(Connection& connection, EventNumber event);

// Gives changes that the tables have and that have no place yet the next places in holdfast.change_order. A transaction of its
// own, one round trip.
void order_changes(Connection& connection, std::span<const EventNumber> events);

// Deletes the oldest keys that had expired by the time of the event's last step, a few rows per call.
void drop_old_keys(Connection& connection, EventNumber event);

// Looks at up to `limit` events from `first` on, and returns those that the tables or the order lack changes of. `next`: the
// first event that was not looked at; 0 if none is left.
struct Lagging {
  std::vector<EventNumber> events;
  EventNumber next = 0;
};
Lagging find_lagging(Connection& connection, EventNumber first, std::size_t limit);

// Deletes an event from the tables, so that the projector makes them again from the first journal row. Throws DataError and does
// nothing if the journal no longer has its first row. The event's change_order stays.
void forget_tables(Connection& connection, EventNumber event);

// Returns a sentence for each statement of a batch or a step for which the planner would not use an index. Empty if all is well,
// or if the tables have no seats.
std::vector<std::string> find_bad_plans(Connection& connection);

}   // namespace holdfast::pg
