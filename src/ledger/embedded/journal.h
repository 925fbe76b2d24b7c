// The writer of journal.db: appends rows, and removes old ones.
//
//   Journal journal(path, Journal::Mode::write);
//   journal.begin();
//   journal.append(event, first_seq, changes, at, body);
//   journal.commit();   // on disk
//
// sqlite_rows.h has the file's tables, and how it is read. A row is one event's part of a batch: its packed changes, the idempotency keys kept
// with them, and a SHA-256 hash chained to the row before it, which reveals a changed, lost or moved row.
//
// A Journal belongs to one thread at a time; several may be open on one file, one of them appending.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/clock_doubt.h"
#include "ledger/embedded/sqlite_rows.h"
#include "ledger/journal_row.h"
#include "sql/sqlite.h"

namespace holdfast {

class Journal final : public SqliteRows {
 public:
  enum class Mode { create, write };

  // Throws sqlite::Error, or DataError if the file is not a journal of this format or is cut short.
  Journal(const std::string& path, Mode mode);

  // The anchor of a journal that has no row yet: rows go on after it.
  void begin_after(const JournalHead& anchor);
  // begin, append …, commit. If commit() or append() throws, nothing of the transaction is in the file as far as SQLite knows, and
  // the caller must stop writing.
  void begin();
  void append(EventNumber event, Seq first_seq, std::uint32_t changes, Millis at, std::string_view body);
  void commit();   // returns when it is on disk
  void roll_back();
  // The oldest rows, without their bodies: up to `through`, written before `older_than`, at most `limit`. Never the last row, which tells where
  // the journal is. The row after them fits the hash of the last of them, which becomes the anchor: otherwise fewer rows are returned.
  std::vector<JournalRow> old_rows(Position through, Millis older_than, std::size_t limit);
  // Removes rows from old_rows(). They must be in state.db, and delivered.
  void remove(std::span<const JournalRow> oldest);

  // That the folder has a journal.head from now on.
  void note_marker();
  // A start with a clock far ahead, noted for the next start.
  void note_doubtful_start(const DoubtfulStart& start);

  // The frames in the write-ahead log after the last commit; and moving them into the file. Doing so on a reader's connection spares the writer
  // the work; the writer moves what is left.
  int wal_frames() const { return wal_frames_; }
  void checkpoint_wal();
  // Whether closing leaves the log as it is; otherwise closing moves it into the file and removes it.
  void keep_log_at_close(bool keeps = true);
  // Makes sure that the log is on disk; call it before serving. After a failed sync of an earlier process it may be in the page cache only, and
  // a power loss would take what was answered from it. So it is written again and synced; then it is moved into the file, as far as readers
  // (a backup) allow. Throws sqlite::Error if that fails.
  void settle();

 private:
  bool fits_next(const JournalRow& row);
  void write_anchor(const JournalHead& anchor);

  JournalHead uncommitted_;   // head after what has been appended in the open transaction
  std::optional<sqlite::Statement> begin_;
  std::optional<sqlite::Statement> append_;
  std::optional<sqlite::Statement> commit_;
  int wal_frames_ = 0;
};

}   // namespace holdfast
