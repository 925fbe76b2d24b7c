// Journal rows by event and by position, for readers beside the writer. Each row is checked against the hash of the row before it.
//
// A row that does not fit, or cannot be decoded, is returned as damaged (KeptRow::is_damaged), so that it does not hold up the others. Its event
// and the numbers of its changes come from state.db, which followed the row while it was whole. If state.db does not know them, reading ends
// there: to continue would silently lose changes of some event.
//
// The journal has no index by event, so that appending stays cheap. state.db has one (table journal_index); rows that it does not have yet are
// searched.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "ledger/embedded/damaged_rows.h"
#include "ledger/embedded/journal_rows.h"
#include "ledger/kept_row.h"
#include "sql/sqlite.h"

namespace holdfast {

// Any thread; one reads at a time.
class JournalReader {
 public:
  static constexpr std::size_t k_bytes_at_once = std::size_t{4} * 1024 * 1024;   // a call ends after the row that reaches them

  // The file `state` exists. `damaged` gets what is found, logs it, and may be shared. Throws sqlite::Error.
  JournalReader(std::unique_ptr<JournalRows> journal, const std::string& state, std::shared_ptr<DamagedRows> damaged);

  // Rows of an event, from the one with change `next` on, until they have `changes_max` changes, or fewer; none if that row is not there.
  // Throws sqlite::Error; JournalDamage if a row is missing, or if the event of a damaged row is unknown.
  KeptRows rows_of(EventNumber event, Seq next, std::size_t changes_max);
  // Rows of all events from position `first` on, likewise.
  KeptRows rows_from(Position first, std::size_t changes_max);
  // The first row that is kept; nothing if there is none.
  std::optional<Position> oldest();
  // The first change of an event that is kept; nothing if there is none.
  std::optional<Seq> oldest_of(EventNumber event);
  // How many changes there are from a cursor of Ledger::read_all_changes on: exact up to 10,000 rows, else estimated. Throws sqlite::Error, or
  // std::runtime_error if it is not a cursor.
  std::uint64_t count_changes_from(std::string_view cursor);

 private:
  KeptRows indexed_rows(EventNumber event, Seq next, std::size_t changes_max);
  KeptRows rows_in_tail(Position after, EventNumber event, Seq next, std::size_t changes_max);
  Position indexed_through();
  std::shared_ptr<const KeptRow> kept(const StoredRow& row);
  std::shared_ptr<const KeptRow> kept_behind(const KeptRows& rows, const StoredRow& row);
  std::shared_ptr<const KeptRow> damaged_row(Position position);
  bool fits(const StoredRow& row);
  std::optional<ChainHash> hash_that_must_be(Position position);
  [[noreturn]] void end_before(Position position, const std::string& what) const;

  std::mutex mutex_;
  const std::unique_ptr<JournalRows> journal_;
  sqlite::Database state_;
  const std::shared_ptr<DamagedRows> damaged_;
};

}   // namespace holdfast
