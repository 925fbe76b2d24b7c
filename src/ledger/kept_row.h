// A journal row's changes, owning them, for readers; and the changes out of it as readers see them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/time.h"
#include "ledger/journal_row.h"
#include "ledger/reading.h"

namespace holdfast {

struct KeptRow {
  Position position = 0;
  EventNumber event = 0;
  Seq first_seq = 0;
  std::uint32_t changes = 0;
  Millis at = 0;
  std::string bytes{};   // of the changes
  std::string versions{};   // and what is kept beside them, as ChangeBatch has it
  std::string traces{};
  bool is_damaged = false;   // it is not what was written: event, first_seq and changes are right, and nothing else is known of it

  Seq end_seq() const { return first_seq + changes; }   // the first change after it
};

using KeptRows = std::vector<std::shared_ptr<const KeptRow>>;

// Bytes that are read of a journal for one page: then it ends after the row at hand.
inline constexpr std::size_t k_bytes_a_page = std::size_t{4} * 1024 * 1024;

// Adds the changes of a row from its `skip`th on, up to `limit` in all. What the journal keeps elsewhere they do not have yet.
// Returns how many of the row's are done then. Throws DataError when the row cannot be read.
std::uint32_t add_changes(const KeptRow& row, std::uint32_t skip, std::size_t limit, std::vector<RecordedChange>& changes);

// The same for readers who must not be kept from what other events have: of a damaged row, or one that cannot be read, the changes are added
// as unreadable, one by one, and `why` says what is wrong with it; else `why` stays as it is.
std::uint32_t add_told_changes(const KeptRow& row, std::uint32_t skip, std::size_t limit, std::vector<RecordedChange>& changes,
                               std::string& why);
// Makes a change one that cannot be read: of it only the numbers are left.
void make_unreadable(RecordedChange& change);

// Adds what the journal keeps elsewhere to a change of a reservation: whose it is, its order, its seats where the change stands
// for all of them. `view` is the reservation after the change or later. Throws DataError when they do not fit.
void complete(RecordedChange& change, const ReservationView& view);

}   // namespace holdfast
