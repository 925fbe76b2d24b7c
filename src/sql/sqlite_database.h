// SQLite behind the interface of database.h: one connection to one file.
//
// Statements call its tables `holdfast.NAME`, as in PostgreSQL. A transaction is BEGIN IMMEDIATE, and others wait for its end: threads
// for a mutex, other processes for the file's lock.
#pragma once

#include <mutex>
#include <unordered_map>

#include "sql/database.h"
#include "sql/sqlite.h"

namespace holdfast::sql {

class SqliteDatabase final : public Database {
 public:
  // Opens an existing file. The caller sets its journal mode and creates its tables, through file(). Throws sqlite::Error.
  explicit SqliteDatabase(const std::string& path);

  Result query(const Statement& statement, const Values& values = {}) override;
  std::unique_ptr<Transaction> begin() override;
  std::string place() const override { return connection_.path(); }
  sqlite::Database* file() override { return &connection_; }

 private:
  class Writing;
  struct Prepared {
    Prepared(sqlite::Database& connection, const char* text)
        : text(text), statement(connection, text), numbers(statement.parameter_numbers()) {}
    const char* text;
    sqlite::Statement statement;
    std::vector<std::size_t> numbers;   // of its parameters
  };

  Prepared& prepare(const Statement& statement, const char* text);
  Result run(const Statement& statement, const Values& values);

  std::mutex mutex_;
  sqlite::Database connection_;
  std::unordered_map<std::string_view, Prepared> prepared_;
};

}  // namespace holdfast::sql
