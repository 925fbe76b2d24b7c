#include "sql/sqlite.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>

namespace holdfast::sqlite {
namespace {

constexpr sqlite3_int64 k_rewritten_at_once = sqlite3_int64{64} * 1024;   // SQLite's files take less than 128 KiB a call

}   // namespace

Database::Database(const std::string& path, Mode mode) : path_(path) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_URI;   // URIs are for ATTACH
  flags |= mode == Mode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (mode == Mode::create) flags |= SQLITE_OPEN_CREATE;
  sqlite3* handle = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  handle_.reset(handle);
  if (result != SQLITE_OK) fail("open");
  sqlite3_busy_timeout(handle, 10'000);
}

std::optional<std::string> Database::find_cut() const {
  sqlite3_file* file = nullptr;
  sqlite3_int64 size = 0;
  const int asked = sqlite3_file_control(handle(), "main", SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file));
  if (asked != SQLITE_OK || file == nullptr || file->pMethods == nullptr || file->pMethods->xFileSize(file, &size) != SQLITE_OK) {
    return "its size cannot be read";
  }
  if (size == 0) return "it is empty";   // and SQLite would remove its log
  std::error_code error;
  const auto wal = std::filesystem::file_size(path_ + "-wal", error);
  if (!error && wal > 0) return std::nullopt;
  std::array<unsigned char, 32> header{};
  if (file->pMethods->xRead(file, header.data(), static_cast<int>(header.size()), 0) != SQLITE_OK) return "it has no whole header";
  const std::int64_t page = header[16] == 0 && header[17] == 1 ? 65'536 : std::int64_t{header[16]} << 8 | header[17];
  const std::int64_t pages =
      std::int64_t{header[28]} << 24 | std::int64_t{header[29]} << 16 | std::int64_t{header[30]} << 8 | std::int64_t{header[31]};
  if (size >= page * pages) return std::nullopt;
  return "it is " + std::to_string(size) + " bytes long, and its header says " + std::to_string(page * pages);
}

void Database::rewrite_log() {
  const Transaction alone(*this);   // nobody else appends to the log or starts it anew
  sqlite3_file* log = nullptr;
  if (sqlite3_file_control(handle(), nullptr, SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&log)) != SQLITE_OK) fail("find the log of");
  if (log == nullptr || log->pMethods == nullptr) return;   // there is none
  const auto expect_ok = [this](int result, const char* doing) {
    if (result == SQLITE_OK) return;
    throw Error(result & 0xFF, std::string("cannot ") + doing + " " + path_ + "-wal: " + sqlite3_errstr(result) + " (SQLite result code " +
                                   std::to_string(result) + ")");
  };
  sqlite3_int64 size = 0;
  expect_ok(log->pMethods->xFileSize(log, &size), "read");
  std::vector<char> bytes(static_cast<std::size_t>(std::min(size, k_rewritten_at_once)));
  for (sqlite3_int64 at = 0; at < size;) {
    const int count = static_cast<int>(std::min(size - at, k_rewritten_at_once));
    expect_ok(log->pMethods->xRead(log, bytes.data(), count, at), "read");
    expect_ok(log->pMethods->xWrite(log, bytes.data(), count, at), "write");
    at += count;
  }
  if (size > 0) expect_ok(log->pMethods->xSync(log, SQLITE_SYNC_NORMAL), "sync");
}

void Database::move_log() {
  const int result = sqlite3_wal_checkpoint_v2(handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (result != SQLITE_OK && (result & 0xFF) != SQLITE_BUSY && (result & 0xFF) != SQLITE_LOCKED) fail("move the log of");
}

void Database::fail(const char* doing) const {
  const int code = handle_ == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(handle_.get());
  const char* message = handle_ == nullptr ? "out of memory" : sqlite3_errmsg(handle_.get());
  std::string what = std::string("cannot ") + doing + " " + path_ + ": " + message + " (SQLite result code " + std::to_string(code) + ")";
  if ((code & 0xFF) == SQLITE_CORRUPT || (code & 0xFF) == SQLITE_NOTADB || (code & 0xFF) == SQLITE_ERROR) {
    what +=
        ". The file is damaged, or it was changed by hand. Nothing was repaired by guessing. Put back both files from a backup (holdfast "
        "restore), or, if only "
        "state.db is damaged, make it again with `holdfast rebuild`.";
  }
  throw Error(code & 0xFF, what);
}

void Database::execute(const char* sql) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail("work with");
}

std::int64_t Database::query_int(const char* sql) {
  Statement query(*this, sql);
  if (!query.step()) throw Error(SQLITE_NOTFOUND, "no answer from " + path_ + " to " + sql);
  return query.integer(0);
}

void Database::name_schema(const char* name) {
  if (sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_MAINDBNAME, name) != SQLITE_OK) fail("name the tables of");
}

Statement::Statement(Database& database, std::string_view sql) : database_(database) {
  sqlite3_stmt* handle = nullptr;
  const int result =
      sqlite3_prepare_v3(database.handle(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  handle_.reset(handle);
  if (result != SQLITE_OK) database.fail("read the tables of");
}

Statement& Statement::bound(int result) {
  if (result != SQLITE_OK) database_.fail("bind a value for");
  return *this;
}

Statement& Statement::bind(int parameter, std::int64_t value) { return bound(sqlite3_bind_int64(handle_.get(), parameter, value)); }
Statement& Statement::bind(int parameter, double value) { return bound(sqlite3_bind_double(handle_.get(), parameter, value)); }
Statement& Statement::bind_text(int parameter, std::string_view value) {
  return bound(sqlite3_bind_text64(handle_.get(), parameter, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8));
}
Statement& Statement::bind_blob(int parameter, std::string_view value) {
  // An empty view may have a null pointer, which SQLite takes for NULL.
  const char* bytes = value.empty() ? "" : value.data();
  return bound(sqlite3_bind_blob64(handle_.get(), parameter, bytes, value.size(), SQLITE_STATIC));
}
Statement& Statement::bind_null(int parameter) { return bound(sqlite3_bind_null(handle_.get(), parameter)); }

std::vector<std::size_t> Statement::parameter_numbers() const {
  std::vector<std::size_t> numbers;
  for (int parameter = 1; parameter <= sqlite3_bind_parameter_count(handle_.get()); ++parameter) {
    const char* const name = sqlite3_bind_parameter_name(handle_.get(), parameter);
    const std::string_view digits = name == nullptr || *name != '$' ? std::string_view{} : std::string_view(name + 1);
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc{} || end != digits.data() + digits.size() || number == 0) {
      throw Error(SQLITE_MISUSE, std::string("a parameter is not called $1, $2, …: ") + sqlite3_sql(handle_.get()));
    }
    numbers.push_back(number);
  }
  return numbers;
}

void Statement::run() {
  while (step()) {}
}

bool Statement::step() {
  const int result = sqlite3_step(handle_.get());
  if (result == SQLITE_ROW) return true;
  if (result != SQLITE_DONE) {
    sqlite3_reset(handle_.get());
    database_.fail("read or write");
  }
  sqlite3_reset(handle_.get());
  return false;
}

void Statement::reset() { sqlite3_reset(handle_.get()); }

std::string_view Statement::view(const void* bytes, int column) const {
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

std::string_view Statement::text(int column) const { return view(sqlite3_column_text(handle_.get(), column), column); }
std::string_view Statement::blob(int column) const { return view(sqlite3_column_blob(handle_.get(), column), column); }

}  // namespace holdfast::sqlite
