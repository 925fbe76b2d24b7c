#include "ledger/embedded/journal.h"

#include "core/bytes.h"
#include "core/check.h"

namespace holdfast {
namespace {

constexpr const char* k_sql_append =
    "INSERT INTO journal (position, event, first_seq, changes, at, body, hash) VALUES (?, ?, ?, ?, ?, ?, ?)";
constexpr const char* k_sql_read_one = "SELECT position, event, first_seq, changes, at, body, hash FROM journal WHERE position = ?";

}  // namespace

Journal::Journal(const std::string& path, Mode mode) : SqliteRows(path, mode == Mode::create ? Writing::create : Writing::write) {
  database().execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = OFF;");
  sqlite3_wal_hook(
      database().handle(),
      [](void* self, sqlite3*, const char*, int frames) {
        static_cast<Journal*>(self)->wal_frames_ = frames;
        return SQLITE_OK;
      },
      this);
  begin_.emplace(database(), "BEGIN IMMEDIATE");
  append_.emplace(database(), k_sql_append);
  commit_.emplace(database(), "COMMIT");
  keep_log_at_close(false);   // what could refuse the file is over
}

void Journal::begin() {
  begin_->run();
  uncommitted_ = head();
}

void Journal::append(EventNumber event, Seq first_seq, std::uint32_t changes, Millis at, std::string_view body) {
  JournalRow row{.position = uncommitted_.position + 1, .event = event, .first_seq = first_seq, .changes = changes, .at = at, .body = body};
  row.hash = chain(uncommitted_.hash, row);
  append_->bind(1, row.position)
      .bind(2, std::int64_t{event})
      .bind(3, static_cast<std::int64_t>(first_seq))
      .bind(4, std::int64_t{changes})
      .bind(5, at)
      .bind_blob(6, body)
      .bind_blob(7, as_bytes(row.hash))
      .run();
  uncommitted_ = {row.position, row.hash};
}

void Journal::commit() {
  commit_->run();
  set_head(uncommitted_);
}

void Journal::roll_back() { sqlite3_exec(database().handle(), "ROLLBACK", nullptr, nullptr, nullptr); }

std::vector<JournalRow> Journal::old_rows(Position through, Millis older_than, std::size_t limit) {
  // This read takes no lock, so the writer never waits for it. (head() may be behind what another connection has appended.)
  sqlite::Statement rows(database(),
                         "SELECT position, event, first_seq, changes, at, hash FROM journal WHERE position <= ?1 AND at < ?2 "
                         "AND position < (SELECT max(position) FROM journal) ORDER BY position LIMIT ?3");
  rows.bind(1, through).bind(2, older_than).bind(3, static_cast<std::int64_t>(limit));
  std::vector<JournalRow> old;
  while (rows.step()) {
    old.push_back({.position = rows.integer(0),
                   .event = static_cast<EventNumber>(rows.integer(1)),
                   .first_seq = static_cast<Seq>(rows.integer(2)),
                   .changes = static_cast<std::uint32_t>(rows.integer(3)),
                   .at = rows.integer(4),
                   .body = {},
                   .hash = hash_or_zeros(rows.blob(5))});
  }
  // A damaged hash would make the rows that stay look damaged, all of them and for ever.
  while (!old.empty() && !fits_next(old.back())) old.pop_back();
  return old;
}

// Whether the hash of the row is the one that the next row was chained to.
bool Journal::fits_next(const JournalRow& row) {
  sqlite::Statement next(database(), k_sql_read_one);
  next.bind(1, row.position + 1);
  if (!next.step()) return false;
  const JournalRow found = row_in(next);
  return found.hash == chain(row.hash, found);
}

void Journal::remove(std::span<const JournalRow> oldest) {
  if (oldest.empty()) return;
  const JournalHead last{oldest.back().position, oldest.back().hash};
  sqlite::Transaction transaction(database());
  sqlite::Statement(database(), "DELETE FROM journal WHERE position <= ?").bind(1, last.position).run();
  write_anchor(last);
  transaction.commit();
  set_anchor(last);
}

void Journal::begin_after(const JournalHead& anchor) {
  HOLDFAST_CHECK(head() == JournalHead{});
  sqlite::Transaction transaction(database());
  write_anchor(anchor);
  transaction.commit();
  set_anchor(anchor);
  set_head(anchor);
}

// Within a transaction.
void Journal::write_anchor(const JournalHead& anchor) {
  sqlite::Statement(database(), "UPDATE meta SET value = ? WHERE name = 'anchor_position'").bind(1, anchor.position).run();
  sqlite::Statement(database(), "UPDATE meta SET value = ? WHERE name = 'anchor_hash'").bind_blob(1, as_bytes(anchor.hash)).run();
}

void Journal::note_marker() { database().execute("INSERT OR REPLACE INTO meta VALUES ('has_marker', 1)"); }

void Journal::note_doubtful_start(const DoubtfulStart& start) {
  sqlite::Statement(database(), "INSERT OR REPLACE INTO meta VALUES ('clock_doubt_until', ?1), ('clock_doubt_ahead', ?2)")
      .bind(1, start.until)
      .bind(2, start.ahead)
      .run();
}

void Journal::checkpoint_wal() { database().move_log(); }

void Journal::keep_log_at_close(bool keeps) { database().keep_log_at_close(keeps); }

void Journal::settle() {
  database().rewrite_log();
  database().move_log();
}

}  // namespace holdfast
