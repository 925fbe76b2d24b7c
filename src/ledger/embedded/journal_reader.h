// Journal rows by event and by position, for readers: beside the writer. Each row is held against the chain's hash of the row before it.
//
// One that does not fit, or cannot be decoded, is given as damaged (KeptRow::is_damaged), so that it keeps nobody from the others. Whose it is
// and which changes it has is taken from state.db, which followed the row when it was whole. When state.db does not know, nobody does, and
// reading on would lose changes of an event without anybody being told: then reading ends there.
//
// The journal has no index by event, so that appending stays cheap: state.db has one (table journal_index), and the rows that it
// does not have yet are looked through.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "ledger/embedded/damaged_rows.h"
#include "ledger/embedded/journal.h"
#include "ledger/kept_row.h"
#include "sql/sqlite.h"

namespace holdfast {

// Any thread; one reads at a time.
class JournalReader {
 public:
  static constexpr std::size_t k_bytes_at_once = std::size_t{4} * 1024 * 1024;   // of one call: then it ends after the row at hand

  // Both files are there. `damaged` is told of what is found, and may be shared. Throws sqlite::Error.
  JournalReader(const std::string& journal, const std::string& state, std::shared_ptr<DamagedRows> damaged);

  // Rows of an event, from that with change `next` on, until they have `changes_max` changes, or a part of that; none when that
  // row is not there. Throws sqlite::Error; JournalDamage when a row is missing, or it is not known whose a damaged one is.
  KeptRows rows_of(EventNumber event, Seq next, std::size_t changes_max);
  // Rows of all events from position `first` on, likewise.
  KeptRows rows_from(Position first, std::size_t changes_max);
  // The first row that is there; nothing when none is.
  std::optional<Position> oldest();
  // The first change of an event that is there; nothing when none is.
  std::optional<Seq> oldest_of(EventNumber event);

 private:
  KeptRows indexed_rows(EventNumber event, Seq next, std::size_t changes_max);
  KeptRows rows_in_tail(Position after, EventNumber event, Seq next, std::size_t changes_max);
  Position indexed_through();
  std::shared_ptr<const KeptRow> kept(const sqlite::Statement& row);
  std::shared_ptr<const KeptRow> kept_behind(const KeptRows& rows, const sqlite::Statement& row);
  std::shared_ptr<const KeptRow> damaged_row(Position position);
  bool fits(const JournalRow& row, std::optional<ChainHash> before);
  bool is_removed(Position position);
  std::optional<ChainHash> hash_that_must_be(Position position);
  [[noreturn]] void fail(const std::string& what) const;

  std::mutex mutex_;
  sqlite::Database journal_;
  sqlite::Database state_;
  const std::shared_ptr<DamagedRows> damaged_;
};

}   // namespace holdfast
