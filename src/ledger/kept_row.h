// A journal row that owns its bytes, for readers, and the changes in it as readers see them.
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
  std::string versions{};   // the sections beside them, as ChangeBatch has them
  std::string traces{};
  bool is_damaged = false;   // damaged: only event, first_seq and changes are known

  Seq end_seq() const { return first_seq + changes; }   // the first change after it
};

// `position`: of the row in the order of all events' rows; 0 if the ledger has none.
KeptRow kept_row(const JournalRow& row, const JournalBody& body, Position position);

using KeptRows = std::vector<std::shared_ptr<const KeptRow>>;

// Bytes of a journal for one page: a page ends after the row that reaches them.
inline constexpr std::size_t k_bytes_a_page = std::size_t{4} * 1024 * 1024;

// Adds the changes of a row from its `skip`th on, until there are `limit` in all; complete() adds what the journal keeps elsewhere. Returns
// how many of the row's changes are done. Throws DataError if the row cannot be read.
std::uint32_t add_changes(const KeptRow& row, std::uint32_t skip, std::size_t limit, std::vector<RecordedChange>& changes);

// The same for readers of all events, whom one damaged row must not stop: changes of a row that is damaged or cannot be read are
// added as unreadable, one by one, and `why` says what is wrong. Otherwise `why` does not change.
std::uint32_t add_told_changes(const KeptRow& row, std::uint32_t skip, std::size_t limit, std::vector<RecordedChange>& changes,
                               std::string& why);
// Turns a change whose reservation cannot be read into an unreadable one: what the row itself says of it is left.
void make_unreadable(RecordedChange& change);

// Whether the journal keeps a part of the change elsewhere, with its reservation.
bool needs_completing(const RecordedChange& change);
// Adds that part: the customer, the order, and the seats if the change stands for all of them. `view` is the reservation after the change or
// later; nullptr: it is not there. Throws DataError if it is not, or if they do not fit.
void complete(RecordedChange& change, const ReservationView* view);

}   // namespace holdfast
