// Verifies that the journal in PostgreSQL is complete and unaltered, and that the tables agree with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ledger/postgres/tables.h"
#include "sql/postgres_connection.h"

namespace holdfast::pg {

struct EventVerified {
  std::vector<std::string> problems;   // empty: everything agrees. Each is a sentence that names the event
  std::uint64_t rows = 0;
  std::uint64_t changes = 0;
  std::uint64_t seats = 0;
  std::uint64_t reservations = 0;
  std::uint64_t changes_behind = 0;   // changes that the tables do not have yet
  bool journal_is_whole = true;       // false: old rows were removed, so the tables could be compared only with themselves
  bool views_were_compared = true;    // false: this role may not read holdfast.reservation_row, by which view Reservations finds rows
};

// Replays the event's journal from its first row, in one snapshot. Checks the hash chain, numbers without gaps, times that never
// go back, and versions. Then compares the tables with the changes up to their place, seat by seat and reservation by
// reservation. Needs memory for the event twice. Reports damage, does not throw for it. Throws Error.
EventVerified verify_event(Connection& connection, EventNumber event);

// Every event that is in the journal, in the tables or in the list of events.
std::vector<EventNumber> events_to_verify(Connection& connection);

// `settings` with limits long enough for a long verification.
Settings for_verifying(Settings settings);

}  // namespace holdfast::pg
