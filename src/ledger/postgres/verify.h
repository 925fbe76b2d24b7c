// Proving that the journal in PostgreSQL is whole and that the tables say the same.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ledger/postgres/tables.h"
#include "sql/postgres_connection.h"

namespace holdfast::pg {

struct EventVerified {
  std::vector<std::string> problems;   // empty: everything agrees. Each a sentence that names the event
  std::uint64_t rows = 0;
  std::uint64_t changes = 0;
  std::uint64_t seats = 0;
  std::uint64_t reservations = 0;
  std::uint64_t changes_behind = 0;   // that the tables do not have yet
  bool journal_is_whole = true;       // false: old rows were removed; the tables could be compared with themselves only
  bool views_were_compared = true;    // false: this role may not read holdfast.reservation_row, by which view Reservations finds rows
};

// Replays the journal of an event in one snapshot, from its first row: chain, numbers without gaps, times that never go back,
// versions; and that the tables are what the changes up to their place give, seat by seat and reservation by reservation. Memory:
// the event twice. Does not throw for damage: it reports it. Throws Error.
EventVerified verify_event(Connection& connection, EventNumber event);

// Every event that the journal, the tables or the list of events have.
std::vector<EventNumber> events_to_verify(Connection& connection);

// Settings with which a long verification is not cut off.
Settings for_verifying(Settings settings);

}  // namespace holdfast::pg
