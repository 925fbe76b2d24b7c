// SQLite's C interface with owners and errors. A Database and its Statements belong to one thread at a time.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::sqlite {

// A failed call of SQLite: what failed, in which file, and its result code.
class Error : public std::runtime_error {
 public:
  Error(int code, const std::string& what) : std::runtime_error(what), code_(code) {}
  int code() const { return code_; }   // SQLITE_FULL, SQLITE_IOERR, SQLITE_CORRUPT, … (primary result code)

 private:
  int code_;
};

class Database {
 public:
  enum class Mode { read_only, read_write, create };

  // Throws Error.
  Database(const std::string& path, Mode mode);

  void execute(const char* sql);
  std::int64_t query_int(const char* sql);   // first column of the first row; throws if there is no row
  // Rows that the last INSERT, UPDATE or DELETE has written.
  std::int64_t changes() const { return sqlite3_changes64(handle_.get()); }
  // Lets statements call its tables NAME.table, not only main.table. `name` must outlive the database.
  void name_schema(const char* name);
  sqlite3* handle() const { return handle_.get(); }
  const std::string& path() const { return path_; }
  [[noreturn]] void fail(const char* doing) const;

  // Checks what SQLite does not check when it opens a file: that the file is not empty, and not shorter than its header says.
  // Returns what is wrong; nothing if all is well, or if the write-ahead log has frames, because then the header may be ahead of
  // the file. Reads through SQLite's own descriptor: opening and closing the file by another one would drop the process's locks
  // on it.
  std::optional<std::string> find_cut() const;

  // ---- the write-ahead log of a file in WAL mode
  // Writes the log again with its own bytes, and syncs it. After a failed sync the kernel takes the lost pages for clean, so a later sync
  // succeeds without them; pages that are written again are not clean. Readers read the same bytes, other writers wait, and a crash in between
  // changes nothing. Throws Error if it fails: then the log may not be on disk.
  void rewrite_log();
  // Moves the log into the file and syncs both, as far as readers allow; what is left is no error. It must be on disk: a power failure in
  // between would leave a file that needs frames which the log lacks.
  void move_log();
  // Whether closing the last connection leaves the log as it is; otherwise that moves it into the file and removes it.
  void keep_log_at_close(bool keeps) { sqlite3_db_config(handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keeps ? 1 : 0, nullptr); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

class Statement {
 public:
  Statement(Database& database, std::string_view sql);

  // Parameters are numbered from 1. Texts and blobs are not copied: they must live until the statement has run.
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, double value);
  Statement& bind_text(int parameter, std::string_view value);
  Statement& bind_blob(int parameter, std::string_view value);
  Statement& bind_null(int parameter);

  // Runs a statement that returns no rows, and resets it.
  void run();
  // The next row. False after the last one; the statement is then reset.
  bool step();
  void reset();

  // The number n of each parameter `$n`, in the order in which bind() counts them. Throws Error if a parameter has another name.
  std::vector<std::size_t> parameter_numbers() const;

  // Columns are numbered from 0. Views live until the next step().
  int columns() const { return sqlite3_column_count(handle_.get()); }
  int type(int column) const { return sqlite3_column_type(handle_.get(), column); }   // SQLITE_INTEGER, SQLITE_TEXT, …
  std::int64_t integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  double real(int column) const { return sqlite3_column_double(handle_.get(), column); }
  std::string_view text(int column) const;
  std::string_view blob(int column) const;
  bool is_null(int column) const { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
  };
  Statement& bound(int result);
  std::string_view view(const void* bytes, int column) const;

  Database& database_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

// BEGIN IMMEDIATE … COMMIT. Rolls back when destroyed without commit().
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) { database_.execute("BEGIN IMMEDIATE"); }
  ~Transaction() {
    if (!done_) sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() {
    database_.execute("COMMIT");
    done_ = true;
  }

 private:
  Database& database_;
  bool done_ = false;
};

}   // namespace holdfast::sqlite
