// Proves that journal and tables are whole and agree.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/inventory.h"
#include "core/plan.h"
#include "ledger/embedded/journal_rows.h"
#include "ledger/embedded/state_store.h"
#include "ledger/journal_fold.h"

namespace holdfast {

// A journal of up to this size is verified whole at each start; of a larger one the rows after the tables' position.
inline constexpr std::int64_t k_journal_bytes_verified_at_start = 16 * 1024 * 1024;

struct VerifyReport {
  std::string problem;   // empty: everything agrees
  // The problem is that tables of some events stand still (stopped_events.h). Those of all others agree with the journal.
  bool only_stopped_events = false;
  std::uint64_t rows = 0;
  std::uint64_t changes = 0;
  std::uint64_t events = 0;
  std::uint64_t seats = 0;
  std::uint64_t reservations = 0;
  std::uint64_t keys = 0;
  Position tables_as_of = 0;
  Position journal_head = 0;
  bool journal_is_whole = true;   // false: old rows were removed, so the tables could not be compared
};

// Replays the journal from its first row and checks the chain, positions and numbers of changes, and that the tables are what the changes up to
// their position give, seat by seat and reservation by reservation. Then compares all rows that have a sum with it, also those that the journal
// no longer proves (`sums` leaves that out). Tables that stand still are not compared, but named. Reports damage; does not throw for it.
VerifyReport verify(JournalRows& journal, StateStore& state, StateStore::Sums sums = StateStore::Sums::compare);

// The same for a folder, even while a server uses it; also checks that the journal reaches as far as journal.head says. Throws what opening the
// files throws.
VerifyReport verify_folder(const std::filesystem::path& data);

// Checks that the journal has the row of the tables' position, with the same hash. Throws DataError.
void check_pair(JournalRows& journal, StateStore& state);

// What an operator must know of a journal that contradicts itself: `contradiction` is what told_of() says of it.
std::string told_of_contradictory_journal(JournalRows& journal, const std::string& contradiction);

// The latest time recorded in either file.
Millis last_recorded_time(JournalRows& journal, StateStore& state);

}   // namespace holdfast
