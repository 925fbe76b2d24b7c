// Proving that journal and tables are whole and say the same.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/inventory.h"
#include "core/plan.h"
#include "ledger/embedded/journal.h"
#include "ledger/embedded/state_store.h"
#include "ledger/journal_fold.h"

namespace holdfast {

// Up to this size of the journal, everything is verified at each start; over it, the rows after the tables' position.
inline constexpr std::int64_t k_journal_bytes_verified_at_start = 16 * 1024 * 1024;

struct VerifyReport {
  std::string problem;   // empty: everything agrees
  std::uint64_t rows = 0;
  std::uint64_t changes = 0;
  std::uint64_t events = 0;
  std::uint64_t seats = 0;
  std::uint64_t reservations = 0;
  std::uint64_t keys = 0;
  Position tables_as_of = 0;
  Position journal_head = 0;
  bool journal_is_whole = true;   // false: old rows were removed; the tables could not be made again to compare
};

// Replays the journal from its first row: chain, positions, numbers of changes, and that the tables are what the changes up to
// their position give, seat by seat and reservation by reservation. Does not throw for damage: it reports it.
VerifyReport verify(Journal& journal, StateStore& state, const std::function<void(std::uint64_t rows)>& progress = {});

// The same for a folder, also while a server works with it, and that the journal reaches as far as journal.head knows. Throws what opening
// the files throws.
VerifyReport verify_folder(const std::filesystem::path& data);

// That the tables' position is in the journal, with the same hash. Throws DataError.
void check_pair(Journal& journal, StateStore& state);

// The latest time that either file has.
Millis last_recorded_time(Journal& journal, StateStore& state);

}  // namespace holdfast
