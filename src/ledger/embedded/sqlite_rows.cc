#include "ledger/embedded/sqlite_rows.h"

#include "core/bytes.h"
#include "ledger/change_pages.h"
#include "ledger/embedded/data_folder.h"

namespace holdfast {
namespace {

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
constexpr const char* k_sql_read =
    "SELECT position, event, first_seq, changes, at, body, hash FROM journal WHERE position > ? ORDER BY position";
constexpr const char* k_sql_last = "SELECT position, hash FROM journal ORDER BY position DESC LIMIT 1";
constexpr const char* k_sql_last_time = "SELECT coalesce(max(at), 0) FROM (SELECT at FROM journal ORDER BY position DESC LIMIT 1)";
constexpr const char* k_sql_hash_at = "SELECT hash FROM journal WHERE position = ?";
constexpr const char* k_sql_count =
    "SELECT count(*), coalesce(sum(changes), 0), (SELECT coalesce(max(position), 0) FROM journal) FROM "
    "(SELECT changes FROM journal WHERE position >= ?1 ORDER BY position LIMIT ?2)";

std::optional<ChainHash> hash_in(const sqlite::Statement& row, int column) {
  ChainHash hash{};
  return read_bytes(row.blob(column), hash) ? std::optional(hash) : std::nullopt;
}

bool has_its_numbers(const JournalRow& row, const sqlite::Statement& at) {
  return at.integer(1) == std::int64_t{row.event} && at.integer(3) == std::int64_t{row.changes};
}

}  // namespace

SqliteRows::SqliteRows(const std::string& path, Mode mode)
    : SqliteRows(path, sqlite::Database::Mode::read_only, mode == Mode::read_backup ? "journal_meta" : "meta") {
  refuse_cut_file();
  check_format(mode == Mode::read_backup ? k_backup_application_id : k_application_id);
  load_head();
}

SqliteRows::SqliteRows(const std::string& path, Writing writing)
    : SqliteRows(path, writing == Writing::create ? sqlite::Database::Mode::create : sqlite::Database::Mode::read_write, "meta") {
  database_.keep_log_at_close(writing == Writing::write);   // if it is refused here
  writing == Writing::create ? create_tables() : refuse_cut_file();
  check_format(k_application_id);
  load_head();
}

void SqliteRows::create_tables() {
  database_.execute("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;");
  sqlite::Transaction transaction(database_);
  database_.execute(k_sql_create);
  database_.execute(("PRAGMA application_id = " + std::to_string(k_application_id)).c_str());
  database_.execute(("PRAGMA user_version = " + std::to_string(k_format)).c_str());
  transaction.commit();
}

void SqliteRows::refuse_cut_file() const {
  const auto cut = database_.find_cut();
  if (!cut) return;
  throw DataError(path() + " is damaged: " + *cut + ". Nothing was changed. Put back both files from a backup (holdfast restore).");
}

void SqliteRows::check_format(std::int64_t application_id) {
  if (database_.query_int("PRAGMA application_id") != application_id) {
    throw DataError(path() + " is not a journal of Holdfast. Nothing was changed. Is this the right folder?");
  }
  refuse_other_format(database_, k_format);
}

void SqliteRows::load_head() {
  sqlite::Statement meta(database_, "SELECT value FROM " + meta_ + " WHERE name = ?");
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

void SqliteRows::pin() {
  database_.execute("BEGIN");
  load_head();
}

JournalRow SqliteRows::row_in(const sqlite::Statement& at) {
  return {.position = at.integer(0),
          .event = static_cast<EventNumber>(at.integer(1)),
          .first_seq = static_cast<Seq>(at.integer(2)),
          .changes = static_cast<std::uint32_t>(at.integer(3)),
          .at = at.integer(4),
          .body = at.blob(5),
          .hash = hash_or_zeros(at.blob(6))};
}

// Bytes of another size are no hash: zeros stand for them. No row's hash is zeros, so the chain does not fit there, and whoever checks it
// names the row.
ChainHash SqliteRows::hash_or_zeros(std::string_view bytes) {
  ChainHash hash{};
  read_bytes(bytes, hash);
  return hash;
}

std::string SqliteRows::told_of(const std::string& what) const {
  return path() + " is damaged: " + what +
         ". Nothing was changed and nothing is sold from it. Put back both files from a backup (holdfast restore), or ask for help "
         "and keep the file as it is.";
}

// Corruption that SQLite reports is damage too.
template <typename Read>
auto SqliteRows::guarded(Read read) const -> decltype(read()) {
  try {
    return read();
  } catch (const sqlite::Error& error) {
    if (error.code() == SQLITE_CORRUPT || error.code() == SQLITE_NOTADB || error.code() == SQLITE_ERROR) damaged(error.what());
    throw;
  }
}

// ---------------------------------------------------------------------------------------------------------------- checked rows

// In one transaction.
void SqliteRows::each_chained(const JournalHead& after, const Visit& visit) {
  sqlite::Statement rows = guarded([&] { return sqlite::Statement(database_, k_sql_read); });
  rows.bind(1, after.position);
  JournalHead before = after;
  while (guarded([&] { return rows.step(); })) {
    const JournalRow row = row_in(rows);
    if (row.position != before.position + 1) damaged(told_of_missing_row(before.position + 1));
    if (!has_its_numbers(row, rows)) damaged("row " + std::to_string(row.position) + " " + k_row_with_impossible_numbers);
    if (row.hash != chain(before.hash, row)) damaged(told_of_broken_chain(row.position));
    before = {row.position, row.hash};
    if (!visit(row)) return;
  }
}

std::optional<ChainHash> SqliteRows::hash_at(Position position) {
  return guarded([&]() -> std::optional<ChainHash> {
    sqlite::Statement at(database_, k_sql_hash_at);
    at.bind(1, position);
    if (at.step()) return hash_or_zeros(at.blob(0));
    if (position != removed_through()) return std::nullopt;
    sqlite::Statement anchor(database_, "SELECT value FROM " + meta_ + " WHERE name = 'anchor_hash'");
    return anchor.step() ? std::optional(hash_or_zeros(anchor.blob(0))) : std::nullopt;
  });
}

Millis SqliteRows::last_time() { return database_.query_int(k_sql_last_time); }

std::optional<Position> SqliteRows::oldest() {
  const Position position = database_.query_int("SELECT coalesce(min(position), 0) FROM journal");
  return position == 0 ? std::nullopt : std::optional(position);
}

Position SqliteRows::removed_through() {
  const auto position = find_meta("anchor_position");
  if (!position) damaged("the anchor of its chain is missing");
  return *position;
}

CountedRows SqliteRows::count(Position first, std::int64_t rows_max) {
  sqlite::Statement count(database_, k_sql_count);
  count.bind(1, first).bind(2, rows_max).step();
  return {.rows = count.integer(0), .changes = count.integer(1), .last = count.integer(2)};
}

std::int64_t SqliteRows::bytes() { return database_.query_int("PRAGMA page_count") * database_.query_int("PRAGMA page_size"); }

// ---------------------------------------------------------------------------------------------------------------- rows as they are

// Each row with the hash of the row before it, or of the anchor. Body and hashes come last, so that SQLite does not read those of
// rows that the condition leaves out.
sqlite::Statement SqliteRows::stored_rows_where(const char* condition) {
  return {database_,
          "SELECT position, event, first_seq, changes, at, body, hash, coalesce("
          "(SELECT hash FROM journal before WHERE before.position = journal.position - 1), "
          "(SELECT value FROM " +
              meta_ + " WHERE name = 'anchor_hash' AND (SELECT value FROM " + meta_ +
              " WHERE name = 'anchor_position') = journal.position - 1)) FROM journal WHERE " + condition};
}

namespace {

StoredRow stored(const JournalRow& row, const sqlite::Statement& at) {
  return {.row = row, .before = hash_in(at, 7), .wrong = has_its_numbers(row, at) ? "" : k_row_with_impossible_numbers};
}

}  // namespace

void SqliteRows::each_stored(Position first, const VisitStored& visit) {
  sqlite::Statement rows = stored_rows_where("position >= ?1 ORDER BY position");
  rows.bind(1, first);
  while (rows.step() && visit(stored(row_in(rows), rows))) {}
}

void SqliteRows::each_stored_of(EventNumber event, Seq next, Position first, const VisitStored& visit) {
  sqlite::Statement rows = stored_rows_where("position >= ?1 AND event = ?2 AND first_seq + changes > ?3 ORDER BY position");
  rows.bind(1, first).bind(2, std::int64_t{event}).bind(3, static_cast<std::int64_t>(next));
  while (rows.step() && visit(stored(row_in(rows), rows))) {}
}

void SqliteRows::each_stored_at(std::span<const Position> positions, const VisitStored& visit) {
  sqlite::Statement row = stored_rows_where("position = ?1");
  for (const Position position : positions) {
    row.bind(1, position);
    if (!row.step() || !visit(stored(row_in(row), row))) return;
    row.reset();
  }
}

// ---------------------------------------------------------------------------------------------------------------- notes

std::optional<std::int64_t> SqliteRows::find_meta(std::string_view name) {
  sqlite::Statement meta(database_, "SELECT value FROM " + meta_ + " WHERE name = ?");
  meta.bind_text(1, name);
  return meta.step() ? std::optional(meta.integer(0)) : std::nullopt;
}

bool SqliteRows::has_marker() { return find_meta("has_marker").has_value(); }

std::optional<DoubtfulStart> SqliteRows::doubtful_start() {
  const auto until = find_meta("clock_doubt_until");
  const auto ahead = find_meta("clock_doubt_ahead");
  if (!until || !ahead) return std::nullopt;
  return DoubtfulStart{.until = *until, .ahead = *ahead};
}

}  // namespace holdfast
