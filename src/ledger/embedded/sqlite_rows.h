// The rows of journal.db, the SQLite file of a journal, and of a backup, which has the same tables. Folders and backups of all versions have
// this format.
//
//   journal (position INTEGER PRIMARY KEY,   -- 1, 2, 3, … without gaps
//            event, first_seq, changes,      -- the changes first_seq … first_seq + changes - 1 of this event; 0 changes: only keys
//            at,                             -- milliseconds since 1970 UTC; never goes back
//            body, hash)
//   meta    (name PRIMARY KEY, value)        -- the chain's anchor: position and hash before the first row that is kept;
//                                            -- has_marker: that there is a journal.head beside it (head_marker.h);
//                                            -- clock_doubt_until, clock_doubt_ahead: of the last start in doubt (clock_doubt.h)
//
// In a backup the table `meta` is called `journal_meta`. The write-ahead log beside the file is part of it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ledger/embedded/journal_rows.h"
#include "sql/sqlite.h"

namespace holdfast {

class SqliteRows : public JournalRows {
 public:
  static constexpr int k_format = 1;
  static constexpr std::int64_t k_application_id = 0x48664A31;   // "HfJ1", in the file's header
  static constexpr std::int64_t k_backup_application_id = 0x48664231;   // "HfB1"
  enum class Mode { read, read_backup };

  // Throws sqlite::Error, or DataError if the file is not a journal of this format or is cut short.
  SqliteRows(const std::string& path, Mode mode);

  const std::string& path() const override { return database_.path(); }
  void pin() override;
  const JournalHead& head() const override { return head_; }
  const JournalHead& anchor() const override { return anchor_; }
  std::optional<ChainHash> hash_at(Position position) override;
  Millis last_time() override;
  std::optional<Position> oldest() override;
  Position removed_through() override;
  CountedRows count(Position first, std::int64_t rows_max) override;
  std::int64_t bytes() override;   // of the file
  void each_stored(Position first, const VisitStored& visit) override;
  void each_stored_of(EventNumber event, Seq next, Position first, const VisitStored& visit) override;
  void each_stored_at(std::span<const Position> positions, const VisitStored& visit) override;
  bool has_marker() override;
  std::optional<DoubtfulStart> doubtful_start() override;

 protected:
  // For the writer, in Journal. A file that is being created gets its tables by `create`.
  enum class Writing { create, write };
  SqliteRows(const std::string& path, Writing writing);

  // The row at which a statement stands whose first columns are position, event, first_seq, changes, at, body and hash. Its body is valid until
  // the statement's next step. Numbers that are too large are cut, and a hash of another size is zeros: the chain does not fit such a row.
  static JournalRow row_in(const sqlite::Statement& at);
  static ChainHash hash_or_zeros(std::string_view bytes);

  sqlite::Database& database() { return database_; }
  void set_head(const JournalHead& head) { head_ = head; }
  void set_anchor(const JournalHead& anchor) { anchor_ = anchor; }

  void each_chained(const JournalHead& after, const Visit& visit) override;
  std::string told_of(const std::string& what) const override;

 private:
  SqliteRows(const std::string& path, sqlite::Database::Mode mode, const char* meta) : database_(path, mode), meta_(meta) {}
  void create_tables();
  void refuse_cut_file() const;
  void check_format(std::int64_t application_id);
  void load_head();
  sqlite::Statement stored_rows_where(const char* condition);
  std::optional<std::int64_t> find_meta(std::string_view name);
  template <typename Read>
  auto guarded(Read read) const -> decltype(read());

  sqlite::Database database_;
  const std::string meta_;   // the table's name
  JournalHead head_;
  JournalHead anchor_;
};

}   // namespace holdfast
