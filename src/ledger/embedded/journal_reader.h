// Journal rows by event and by position, for readers: beside the writer, without its chain being checked (verify does that).
//
// The journal has no index by event, so that appending stays cheap: state.db has one (table journal_index), and the rows that it
// does not have yet are looked through.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "ledger/embedded/recent_rows.h"
#include "sql/sqlite.h"

namespace holdfast {

// Any thread; one reads at a time.
class JournalReader {
 public:
  static constexpr std::size_t k_bytes_at_once = std::size_t{4} * 1024 * 1024;   // of one call: then it ends after the row at hand

  // Both files are there. Throws sqlite::Error.
  JournalReader(const std::string& journal, const std::string& state);

  // Rows of an event, from that with change `next` on, until they have `changes_max` changes, or a part of that; none when that
  // row is not there. Throws sqlite::Error; DataError when a row cannot be read.
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

  std::mutex mutex_;
  sqlite::Database journal_;
  sqlite::Database state_;
};

}  // namespace holdfast
