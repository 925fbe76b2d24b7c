#include "ledger/embedded/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/bytes.h"
#include "core/check.h"
#include "ledger/embedded/data_folder.h"

namespace holdfast {
namespace {

constexpr std::size_t k_rewritten_at_once = std::size_t{1} * 1024 * 1024;
constexpr std::int64_t k_application_id = 0x48664A31;   // "HfJ1", in the file's header

constexpr const char* k_sql_create = R"(
  CREATE TABLE journal (
    position  INTEGER PRIMARY KEY,
    event     INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    changes   INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    body      BLOB NOT NULL,
    hash      BLOB NOT NULL
  ) STRICT;
  CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
  INSERT INTO meta VALUES ('anchor_position', 0), ('anchor_hash', zeroblob(32)), ('has_marker', 1);
)";
constexpr const char* k_sql_append =
    "INSERT INTO journal (position, event, first_seq, changes, at, body, hash) VALUES (?, ?, ?, ?, ?, ?, ?)";
constexpr const char* k_sql_read =
    "SELECT position, event, first_seq, changes, at, body, hash FROM journal WHERE position > ? ORDER BY position";
constexpr const char* k_sql_read_one = "SELECT position, event, first_seq, changes, at, body, hash FROM journal WHERE position = ?";
constexpr const char* k_sql_last = "SELECT position, hash FROM journal ORDER BY position DESC LIMIT 1";
constexpr const char* k_sql_hash_at = "SELECT hash FROM journal WHERE position = ?";

// Bytes of another size are no hash: zeros stand for them. No row's hash is zeros, so the chain does not fit there, and whoever checks it
// names the row.
ChainHash hash_or_zeros(std::string_view bytes) {
  ChainHash hash{};
  read_bytes(bytes, hash);
  return hash;
}

}  // namespace

JournalRow journal_row_in(const sqlite::Statement& at) {
  return {.position = at.integer(0),
          .event = static_cast<EventNumber>(at.integer(1)),
          .first_seq = static_cast<Seq>(at.integer(2)),
          .changes = static_cast<std::uint32_t>(at.integer(3)),
          .at = at.integer(4),
          .body = at.blob(5),
          .hash = hash_or_zeros(at.blob(6))};
}

Journal::Journal(const std::string& path, Mode mode)
    : database_(path, mode == Mode::create  ? sqlite::Database::Mode::create
                      : mode == Mode::write ? sqlite::Database::Mode::read_write
                                            : sqlite::Database::Mode::read_only),
      sql_meta_(std::string("SELECT value FROM ") + (mode == Mode::read_backup ? "journal_meta" : "meta") + " WHERE name = ?") {
  if (mode == Mode::create) {
    create_tables();
  } else if (const auto cut = database_.find_cut()) {
    throw DataError(path + " is damaged: " + *cut + ". Nothing was changed. Put back both files from a backup (holdfast restore).");
  }
  check_format(mode == Mode::read_backup ? k_backup_application_id : k_application_id);
  if (mode == Mode::create || mode == Mode::write) {
    database_.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = OFF;");
    sqlite3_wal_hook(
        database_.handle(),
        [](void* self, sqlite3*, const char*, int frames) {
          static_cast<Journal*>(self)->wal_frames_ = frames;
          return SQLITE_OK;
        },
        this);
    begin_.emplace(database_, "BEGIN IMMEDIATE");
    append_.emplace(database_, k_sql_append);
    commit_.emplace(database_, "COMMIT");
  }
  load_head();
}

void Journal::create_tables() {
  database_.execute("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;");
  sqlite::Transaction transaction(database_);
  database_.execute(k_sql_create);
  database_.execute(("PRAGMA application_id = " + std::to_string(k_application_id)).c_str());
  database_.execute(("PRAGMA user_version = " + std::to_string(k_format)).c_str());
  transaction.commit();
}

void Journal::check_format(std::int64_t application_id) {
  if (database_.query_int("PRAGMA application_id") != application_id) {
    throw DataError(database_.path() + " is not a journal of Holdfast. Nothing was changed. Is this the right folder?");
  }
  refuse_other_format(database_, k_format);
}

void Journal::load_head() {
  sqlite::Statement meta(database_, sql_meta_);
  meta.bind_text(1, "anchor_position");
  if (!meta.step()) damaged("the anchor of its chain is missing");
  anchor_.position = meta.integer(0);
  meta.reset();
  meta.bind_text(1, "anchor_hash");
  if (!meta.step()) damaged("the anchor of its chain is missing");
  anchor_.hash = hash_or_zeros(meta.blob(0));
  meta.reset();
  sqlite::Statement last(database_, k_sql_last);
  head_ = last.step() ? JournalHead{last.integer(0), hash_or_zeros(last.blob(1))} : anchor_;
}

void Journal::damaged(const std::string& what) const {
  throw JournalDamage(
      database_.path() + " is damaged: " + what +
      ". Nothing was changed and nothing is sold from it. Put back both files from a backup (holdfast restore), or ask for help "
      "and keep the file as it is.");
}

// Corruption that SQLite reports is damage too.
template <typename Read>
auto Journal::guarded(Read read) const -> decltype(read()) {
  try {
    return read();
  } catch (const sqlite::Error& error) {
    if (error.code() == SQLITE_CORRUPT || error.code() == SQLITE_NOTADB || error.code() == SQLITE_ERROR) damaged(error.what());
    throw;
  }
}

void Journal::begin() {
  begin_->run();
  uncommitted_ = head_;
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
  head_ = uncommitted_;
}

void Journal::roll_back() { sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr); }

std::vector<JournalRow> Journal::old_rows(Position through, Millis older_than, std::size_t limit) {
  // This read takes no lock, so the writer never waits for it. (head_ may be behind what another connection has appended.)
  sqlite::Statement rows(database_,
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
  sqlite::Statement next(database_, k_sql_read_one);
  next.bind(1, row.position + 1);
  if (!next.step()) return false;
  const JournalRow found = journal_row_in(next);
  return found.hash == chain(row.hash, found);
}

void Journal::remove(std::span<const JournalRow> oldest) {
  if (oldest.empty()) return;
  const JournalHead last{oldest.back().position, oldest.back().hash};
  sqlite::Transaction transaction(database_);
  sqlite::Statement(database_, "DELETE FROM journal WHERE position <= ?").bind(1, last.position).run();
  sqlite::Statement(database_, "UPDATE meta SET value = ? WHERE name = 'anchor_position'").bind(1, last.position).run();
  sqlite::Statement(database_, "UPDATE meta SET value = ? WHERE name = 'anchor_hash'").bind_blob(1, as_bytes(last.hash)).run();
  transaction.commit();
  anchor_ = last;
}

void Journal::read(const JournalHead& after, const std::function<bool(const JournalRow&)>& visit) {
  sqlite::Statement rows = guarded([&] { return sqlite::Statement(database_, k_sql_read); });
  rows.bind(1, after.position);
  JournalHead before = after;
  Millis latest = 0;
  while (guarded([&] { return rows.step(); })) {
    const JournalRow row = journal_row_in(rows);
    if (row.position != before.position + 1) damaged("row " + std::to_string(before.position + 1) + " is missing");
    if (rows.integer(1) != std::int64_t{row.event} || rows.integer(3) != std::int64_t{row.changes}) {
      damaged("row " + std::to_string(row.position) + " has numbers that there cannot be");
    }
    if (row.hash != chain(before.hash, row)) {
      damaged("row " + std::to_string(row.position) + " does not fit the chain: it, or a row before it, is not what was written");
    }
    if (row.at < latest) damaged("row " + std::to_string(row.position) + " is from before the row before it");
    latest = row.at;
    before = {row.position, row.hash};
    if (!visit(row)) return;
  }
}

std::optional<ChainHash> Journal::hash_at(Position position) {
  if (position == anchor_.position) return anchor_.hash;
  return guarded([&]() -> std::optional<ChainHash> {
    sqlite::Statement at(database_, k_sql_hash_at);
    at.bind(1, position);
    if (!at.step()) return std::nullopt;
    return hash_or_zeros(at.blob(0));
  });
}

bool Journal::has_marker() {
  sqlite::Statement meta(database_, sql_meta_);
  meta.bind_text(1, "has_marker");
  return meta.step();
}

void Journal::note_marker() { database_.execute("INSERT OR REPLACE INTO meta VALUES ('has_marker', 1)"); }

std::optional<DoubtfulStart> Journal::doubtful_start() {
  DoubtfulStart start;
  sqlite::Statement meta(database_, sql_meta_);
  meta.bind_text(1, "clock_doubt_until");
  if (!meta.step()) return std::nullopt;
  start.until = meta.integer(0);
  meta.reset();
  meta.bind_text(1, "clock_doubt_ahead");
  if (!meta.step()) return std::nullopt;
  start.ahead = meta.integer(0);
  return start;
}

void Journal::note_doubtful_start(const DoubtfulStart& start) {
  sqlite::Statement(database_, "INSERT OR REPLACE INTO meta VALUES ('clock_doubt_until', ?1), ('clock_doubt_ahead', ?2)")
      .bind(1, start.until)
      .bind(2, start.ahead)
      .run();
}

void Journal::checkpoint_wal() {
  // Busy is not an error: a reader keeps some frames from being moved, and the next call moves them.
  const int result = sqlite3_wal_checkpoint_v2(database_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (result != SQLITE_OK && (result & 0xFF) != SQLITE_BUSY && (result & 0xFF) != SQLITE_LOCKED) database_.fail("move the log of");
}

void Journal::keep_log_at_close() { sqlite3_db_config(database_.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr); }

void Journal::settle() {
  int frames = 0;
  int moved = 0;
  const int result = sqlite3_wal_checkpoint_v2(database_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &frames, &moved);
  if (result == SQLITE_OK && frames == moved) return;
  if (result != SQLITE_OK && (result & 0xFF) != SQLITE_BUSY && (result & 0xFF) != SQLITE_LOCKED) database_.fail("move the log of");
  rewrite_log();   // a reader keeps frames from being moved
}

// Rewrites the log with its own bytes. Concurrent readers read the same bytes, and a crash in between changes nothing. The
// rewritten pages are dirty, so fdatasync() writes them, even if the kernel had marked them clean after a failed sync.
void Journal::rewrite_log() {
  const std::string log = database_.path() + "-wal";
  const auto fail = [&](const char* doing) { throw DataError(std::string("cannot ") + doing + " " + log + ": " + std::strerror(errno)); };
  const int file = ::open(log.c_str(), O_RDWR | O_CLOEXEC);   // SQLite has no locks on the log file, so closing it drops none
  if (file < 0) fail("open");
  struct Close {
    int file;
    ~Close() { ::close(file); }
  } const close{file};
  std::vector<char> bytes(k_rewritten_at_once);
  for (off_t at = 0;;) {
    const ssize_t count = ::pread(file, bytes.data(), bytes.size(), at);
    if (count < 0) fail("read");
    if (count == 0) break;
    errno = ENOSPC;   // in case the write was cut short
    if (::pwrite(file, bytes.data(), static_cast<std::size_t>(count), at) != count) fail("write");
    at += count;
  }
  if (::fdatasync(file) != 0) fail("sync");
}

std::int64_t Journal::bytes() { return database_.query_int("PRAGMA page_count") * database_.query_int("PRAGMA page_size"); }

}  // namespace holdfast
