// One small interface over SQLite and PostgreSQL, for stores that keep the same tables in both: statements, transactions, results.
//
//   constexpr sql::Statement k_name{"key_name", "SELECT name FROM holdfast.api_key WHERE id = $1"};
//   const sql::Result row = database.query(k_name, sql::Values().text(id));
//
//   const auto transaction = database.begin();
//   transaction->send(k_lock, sql::Values().uuid(id));
//   transaction->send(k_write, sql::Values().uuid(id).integer(7));
//   const std::vector<sql::Result> written = transaction->commit(1);   // PostgreSQL: all of it in one round trip
//
// A statement has one text. SQLite accepts `$1`, and `holdfast.` before a table (SqliteDatabase names its schema so). Values and Result
// convert what the two store differently. A statement that still differs has a second text: Statement::sqlite.
//
// Errors are those of the database: sqlite::Error and pg::Error. Both are std::runtime_error, and what() says what to do.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/ids.h"

namespace holdfast::sqlite {
class Database;
}

namespace holdfast::sql {

// For Statement::sqlite: SQLite has nothing to do here, and the result is empty. Locks of rows are such a case, because a
// transaction locks the whole file.
inline constexpr const char* k_not_in_sqlite = "";

// Each statement has a name of its own in the program. The texts must live as long as the program.
struct Statement {
  const char* name;
  const char* text;
  const char* sqlite = nullptr;   // if it differs
};

// Values for $1, $2, … A statement need not use all of them. Texts and bytes are not copied: they must live until the call that takes
// the values has returned.
class Values {
 public:
  // How a value is stored in PostgreSQL; in SQLite.
  enum class Type : std::uint8_t {
    integer,    // bigint, also for a smaller column; INTEGER
    boolean,    // boolean; INTEGER, 0 or 1
    text,       // text; TEXT. UTF-8 without a zero byte
    any_text,   // bytea; TEXT. What people or other programs wrote, whose bytes may be anything
    bytes,      // bytea; BLOB
    uuid        // uuid; TEXT of 36 bytes
  };
  struct Value {
    Type type;
    bool is_null = false;
    std::int64_t integer = 0;   // boolean too
    std::string_view text{};    // any_text and bytes too
    Uuid uuid{};
  };

  // Nothing stands for NULL.
  Values& integer(std::optional<std::int64_t> value) { return add({Type::integer, !value, value.value_or(0)}); }
  Values& boolean(bool value) { return add({Type::boolean, false, value ? 1 : 0}); }
  Values& text(std::optional<std::string_view> value) { return add({Type::text, !value, 0, value.value_or(std::string_view{})}); }
  Values& any_text(std::string_view value) { return add({Type::any_text, false, 0, value}); }
  Values& bytes(std::string_view value) { return add({Type::bytes, false, 0, value}); }
  Values& uuid(const std::optional<Uuid>& value) { return add({Type::uuid, !value, 0, {}, value.value_or(Uuid{})}); }

  const std::vector<Value>& list() const { return list_; }

 private:
  Values& add(const Value& value) {
    list_.push_back(value);
    return *this;
  }

  std::vector<Value> list_;
};

// The result of a statement. Rows and columns are numbered from 0. Views live as long as the result.
class Result {
 public:
  using Cell = std::variant<std::monostate, std::int64_t, std::string, Uuid>;

  Result() = default;
  Result(int columns, std::vector<Cell> cells, std::uint64_t affected) : columns_(columns), cells_(std::move(cells)), affected_(affected) {}

  int rows() const { return columns_ == 0 ? 0 : static_cast<int>(cells_.size()) / columns_; }
  bool is_null(int row, int column) const { return std::holds_alternative<std::monostate>(cell(row, column)); }
  // Throw std::runtime_error if the column has no such value: the table was changed by hand.
  std::int64_t integer(int row, int column) const;
  std::optional<std::int64_t> integer_or_null(int row, int column) const;
  bool boolean(int row, int column) const { return integer(row, column) != 0; }
  std::string_view text(int row, int column) const;   // any_text and bytes too
  Uuid uuid(int row, int column) const;
  // Rows that an INSERT, UPDATE or DELETE has written.
  std::uint64_t affected() const { return affected_; }

 private:
  const Cell& cell(int row, int column) const;

  int columns_ = 0;
  std::vector<Cell> cells_;   // row by row
  std::uint64_t affected_ = 0;
};

// Rolls back when destroyed without commit(). One thread. After an error it can only be destroyed.
class Transaction {
 public:
  virtual ~Transaction() = default;

  // Runs the statement: SQLite at once, PostgreSQL with the next receive() or commit(), which sends all of them in one round
  // trip.
  virtual void send(const Statement& statement, const Values& values = {}) = 0;
  // The results of the last `wanted` statements sent.
  virtual std::vector<Result> receive(std::size_t wanted) = 0;
  // The same, and commits. What it has written is durable when this returns.
  virtual std::vector<Result> commit(std::size_t wanted = 0) = 0;

  Result ask(const Statement& statement, const Values& values = {}) {
    send(statement, values);
    return std::move(receive(1).front());
  }
};

// Any thread, several at once. Statements are prepared once for each connection.
class Database {
 public:
  virtual ~Database() = default;

  // One statement, which is a transaction of its own. PostgreSQL: one round trip.
  virtual Result query(const Statement& statement, const Values& values = {}) = 0;
  // SQLite gives a transaction to one thread at a time, PostgreSQL to as many as its pool has connections; others wait. While the
  // transaction exists, its thread must not call begin() or query().
  virtual std::unique_ptr<Transaction> begin() = 0;
  // The file, or the server's URL without a password.
  virtual std::string place() const = 0;
  // The connection to SQLite, to be used within a transaction or by the only thread. nullptr: PostgreSQL, which other nodes share.
  virtual sqlite::Database* file() = 0;
};

}  // namespace holdfast::sql
