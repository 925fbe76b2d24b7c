// The rows of a journal, for everybody that reads them, in whatever files they are kept.
//
//   const std::unique_ptr<JournalRows> journal = open_journal_rows("data");                   // journal_files.h
//   journal->read(journal->anchor(), [&](const JournalRow& row) { use(row); return true; });   // checked: throws at what does not fit
//   journal->each_stored(7, [&](const StoredRow& row) { … return true; });                     // as they are: goes on behind damage
//
// SqliteRows reads journal.db and backups, SegmentRows a folder of segment files. Belongs to one thread at a time; the journal may be written
// meanwhile by another one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "ledger/clock_doubt.h"
#include "ledger/data_error.h"
#include "ledger/journal_row.h"

namespace holdfast {

struct CountedRows;   // change_pages.h

// A journal's content is not what was written.
class JournalDamage : public DataError {
 public:
  using DataError::DataError;
};

// A row as it is stored.
struct StoredRow {
  JournalRow row;   // its body is valid until the visit returns
  std::optional<ChainHash> before{};   // the hash of the row before it, or of the anchor; nothing if it cannot be read
  bool is_checked = false;   // it fits the row before it; otherwise nobody has looked
  std::string wrong{};   // why it cannot be read, the rest of a sentence. Then only its position is known. Empty: it can be
};

class JournalRows {
 public:
  using Visit = std::function<bool(const JournalRow&)>;   // false: stop
  using VisitStored = std::function<bool(const StoredRow&)>;   // false: stop

  JournalRows() = default;
  virtual ~JournalRows() = default;
  JournalRows(const JournalRows&) = delete;
  JournalRows& operator=(const JournalRows&) = delete;

  // The path of the journal's file or folder, for errors.
  virtual const std::string& path() const = 0;

  // Later reads, head() and anchor() too, are as of this moment, whatever others write. For rows that are only read.
  virtual void pin() = 0;

  // ---- as of the opening or pin(), and what this object itself has written since
  // The last row, or the anchor if there is none.
  virtual const JournalHead& head() const = 0;
  // Position and hash before the first row that is kept: position 0 unless old rows were removed.
  virtual const JournalHead& anchor() const = 0;

  // ---- as of now, unless pinned
  // Calls `visit` for each row after `after`, in order, and checks chain, positions, numbers of events, and that times never go back. Throws
  // JournalDamage, which names the first row that does not fit. Rows appended meanwhile are not seen.
  void read(const JournalHead& after, const Visit& visit);
  // The hash that the row at `position` (or the anchor) has, or nothing. Throws JournalDamage.
  virtual std::optional<ChainHash> hash_at(Position position) = 0;
  // The time of the last row; 0 if there is none.
  virtual Millis last_time() = 0;
  // The first row that is kept; nothing if there is none.
  virtual std::optional<Position> oldest() = 0;
  // The last row that retention has removed; 0: none.
  virtual Position removed_through() = 0;
  // The rows from `first` on, counted up to `rows_max`.
  virtual CountedRows count(Position first, std::int64_t rows_max) = 0;
  // What the rows take on disk.
  virtual std::int64_t bytes() = 0;

  // ---- rows that readers must get past, damaged or not
  // Visits each row from position `first` on, in order, without checks. A row that is missing is left out.
  virtual void each_stored(Position first, const VisitStored& visit) = 0;
  // Of these, the rows of an event that end with its change `next` or a later one, and rows of which nobody knows the event.
  virtual void each_stored_of(EventNumber event, Seq next, Position first, const VisitStored& visit) = 0;
  // Visits the rows at these positions, in this order, until one is missing.
  virtual void each_stored_at(std::span<const Position> positions, const VisitStored& visit) = 0;

  // ---- what is noted beside the rows
  // Whether a journal.head (head_marker.h) belongs to it.
  virtual bool has_marker() = 0;
  // A start with a clock far ahead, noted for the next start.
  virtual std::optional<DoubtfulStart> doubtful_start() = 0;

 protected:
  // Visits each row after `after`, in order. Throws JournalDamage at the first that is missing, has impossible numbers, or does not fit the hash
  // of the row before it.
  virtual void each_chained(const JournalHead& after, const Visit& visit) = 0;
  // The sentence of a JournalDamage: where, what, and the way out.
  virtual std::string told_of(const std::string& what) const = 0;
  [[noreturn]] void damaged(const std::string& what) const { throw JournalDamage(told_of(what)); }
};

// What is wrong with rows, as JournalDamage and StoredRow::wrong say it.
inline constexpr const char* k_row_with_impossible_numbers = "has numbers that there cannot be";
std::string told_of_missing_row(Position position);
std::string told_of_broken_chain(Position position);

}   // namespace holdfast
