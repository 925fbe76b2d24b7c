// journal.db: all changes of all events, in order, append-only. The truth.
//
// A row is one event's part of a batch: its packed changes, the idempotency keys kept with them, and a SHA-256 hash chained to the row before
// it, which reveals a changed, lost or moved row.
//
//   journal (position INTEGER PRIMARY KEY,   -- 1, 2, 3, … without gaps
//            event, first_seq, changes,      -- the changes first_seq … first_seq + changes - 1 of this event; 0 changes: only keys
//            at,                             -- milliseconds since 1970 UTC; never goes back
//            body, hash)
//   meta    (name PRIMARY KEY, value)        -- the chain's anchor: position and hash before the first row that is kept;
//                                            -- has_marker: that there is a journal.head beside it (head_marker.h);
//                                            -- clock_doubt_until, clock_doubt_ahead: of the last start in doubt (clock_doubt.h)
//
// A Journal belongs to one thread at a time; several may be open on one file, one of them writing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/clock_doubt.h"
#include "ledger/data_error.h"
#include "ledger/journal_row.h"
#include "sql/sqlite.h"

namespace holdfast {

// A journal's content is not what was written.
class JournalDamage : public DataError {
 public:
  using DataError::DataError;
};

// The row at which a statement stands whose first columns are position, event, first_seq, changes, at, body and hash of the table `journal`. Its
// body is valid until the statement's next step. Numbers that are too large are cut, and a hash of another size is zeros: the chain does not
// fit such a row.
JournalRow journal_row_in(const sqlite::Statement& at);

class Journal {
 public:
  static constexpr int k_format = 1;
  static constexpr std::int64_t k_backup_application_id = 0x48664231;   // "HfB1"
  enum class Mode { create, write, read, read_backup };   // a backup's tables are those of a journal

  // Throws sqlite::Error, or DataError if the file is not a journal of this format or is cut short.
  Journal(const std::string& path, Mode mode);

  // The last row, or the anchor if there is none.
  const JournalHead& head() const { return head_; }
  // Position and hash before the first row that is kept: position 0 unless old rows were removed.
  const JournalHead& anchor() const { return anchor_; }

  // Writing: begin, append …, commit. If commit() or append() throws, nothing of the transaction is in the file as far as SQLite knows, and
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

  // Calls `visit` for each row after `after`, in order, and checks chain, positions and times. `visit` returns false to stop. Throws
  // JournalDamage, which names the first row that does not fit. Runs in one transaction: rows appended meanwhile are not seen.
  void read(const JournalHead& after, const std::function<bool(const JournalRow&)>& visit);
  // The hash of the row at `position` (or of the anchor), or nothing. Throws JournalDamage.
  std::optional<ChainHash> hash_at(Position position);

  // Whether the folder has, or had, a marker of how far the journal reaches.
  bool has_marker();
  void note_marker();

  // A start with a clock far ahead, noted for the next start.
  std::optional<DoubtfulStart> doubtful_start();
  void note_doubtful_start(const DoubtfulStart& start);

  // The frames in the write-ahead log after the last commit; and moving them into the file. Doing so on a reader's connection spares the writer
  // the work; the writer moves what is left.
  int wal_frames() const { return wal_frames_; }
  void checkpoint_wal();
  // Keeps the log as it is when the journal is closed; otherwise closing moves it into the file and removes it.
  void keep_log_at_close();
  // Makes sure that the log is on disk; call it before serving. After a failed sync it may be in the page cache only, and a power loss would
  // take what was answered from it. So it is moved into the file, which is synced. While another program reads the file (a backup), the log is
  // rewritten in place and synced. Throws sqlite::Error or DataError if that fails.
  void settle();

  std::int64_t bytes();   // of the file
  sqlite::Database& database() { return database_; }

 private:
  void create_tables();
  void check_format(std::int64_t application_id);
  void load_head();
  bool fits_next(const JournalRow& row);
  void rewrite_log();
  template <typename Read>
  auto guarded(Read read) const -> decltype(read());
  [[noreturn]] void damaged(const std::string& what) const;

  sqlite::Database database_;
  std::string sql_meta_;
  JournalHead head_;
  JournalHead anchor_;
  JournalHead uncommitted_;   // head after what has been appended in the open transaction
  std::optional<sqlite::Statement> begin_;
  std::optional<sqlite::Statement> append_;
  std::optional<sqlite::Statement> commit_;
  int wal_frames_ = 0;
};

}   // namespace holdfast
