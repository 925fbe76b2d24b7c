// Events whose tables in state.db stand still, because a row of the journal does not fit them. Tables of other events follow the journal
// past that row, so each stopped event has a place of its own.
//
//   stopped_event (event, position, why)   -- the last journal row that the event's tables have
//
// Only a file with a stopped event has this table, and it has format 2: a program that does not know the table would sell the event from
// tables that are wrong, so it must refuse the file. A file without stopped events has format 1, as ever.
//
// Functions throw sqlite::Error. A database belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/event.h"
#include "ledger/journal_row.h"
#include "sql/sqlite.h"

namespace holdfast {

inline constexpr std::int64_t k_state_format_with_stopped_events = 2;

struct StoppedEvent {
  Position through = 0;   // the tables have the event's journal rows up to here
  std::string why;   // "change 7 of event 3 (held, journal row 19) finds seat 2 sold"
  bool operator==(const StoppedEvent&) const = default;
};
using StoppedEvents = std::map<EventNumber, StoppedEvent>;

// Empty if the file has none.
StoppedEvents load_stopped_events(sqlite::Database& state);

// Within the caller's transaction. Replaces what the file has of this event.
void save_stopped_event(sqlite::Database& state, EventNumber event, const StoppedEvent& stopped);

// Within the caller's transaction. The last one takes the table with it, and the file has format 1 again.
void remove_stopped_event(sqlite::Database& state, EventNumber event, std::int64_t format_without);

// What an operator must know of stopped events, of which there is at least one, in a few sentences without the last full stop: which event,
// why, what holds, what to do. `state`: the name of the file.
std::string told_of(const StoppedEvents& stopped, const std::string& state);

}   // namespace holdfast
