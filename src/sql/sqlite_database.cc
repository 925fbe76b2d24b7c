#include "sql/sqlite_database.h"

#include <cstring>
#include <utility>

#include "core/check.h"

namespace holdfast::sql {
namespace {

constexpr const char* k_schema = "holdfast";   // as in PostgreSQL

// Texts and bytes of values must outlive the run, and so must `uuids`.
void bind(sqlite::Statement& statement, int parameter, const Values::Value& value, std::vector<std::string>& uuids) {
  // SQLite takes a null pointer for NULL, and an empty view may have one.
  const std::string_view text = value.text.empty() ? std::string_view("") : value.text;
  if (value.is_null) {
    statement.bind_null(parameter);
    return;
  }
  switch (value.type) {
    case Values::Type::integer:
    case Values::Type::boolean: statement.bind(parameter, value.integer); return;
    case Values::Type::text:
    case Values::Type::any_text: statement.bind_text(parameter, text); return;
    case Values::Type::bytes: statement.bind_blob(parameter, text); return;
    case Values::Type::uuid: statement.bind_text(parameter, uuids.emplace_back(to_string(value.uuid))); return;
  }
}

Result::Cell cell_of(const sqlite::Statement& row, int column) {
  switch (row.type(column)) {
    case SQLITE_NULL: return std::monostate{};
    case SQLITE_INTEGER: return row.integer(column);
    case SQLITE_BLOB: return std::string(row.blob(column));
    default: return std::string(row.text(column));
  }
}

// Also after an error: a statement that is not reset keeps the file's lock.
struct ResetAtEnd {
  sqlite::Statement& statement;
  ~ResetAtEnd() { statement.reset(); }
};

}  // namespace

SqliteDatabase::SqliteDatabase(const std::string& path) : connection_(path, sqlite::Database::Mode::read_write) {
  connection_.name_schema(k_schema);
}

SqliteDatabase::Prepared& SqliteDatabase::prepare(const Statement& statement, const char* text) {
  const auto known = prepared_.find(statement.name);
  if (known == prepared_.end()) return prepared_.try_emplace(statement.name, connection_, text).first->second;
  HOLDFAST_CHECK(std::strcmp(known->second.text, text) == 0);   // a name stands for one statement
  return known->second;
}

Result SqliteDatabase::run(const Statement& statement, const Values& values) {
  const char* const text = statement.sqlite == nullptr ? statement.text : statement.sqlite;
  if (*text == '\0') return {};
  auto& [ignored, prepared, numbers] = prepare(statement, text);
  const ResetAtEnd reset{prepared};
  std::vector<std::string> uuids;
  uuids.reserve(numbers.size());   // none may move once it is bound
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    HOLDFAST_CHECK(numbers[i] <= values.list().size());
    bind(prepared, static_cast<int>(i) + 1, values.list()[numbers[i] - 1], uuids);
  }
  std::vector<Result::Cell> cells;
  while (prepared.step()) {
    for (int column = 0; column < prepared.columns(); ++column) cells.push_back(cell_of(prepared, column));
  }
  return {prepared.columns(), std::move(cells), static_cast<std::uint64_t>(connection_.changes())};
}

Result SqliteDatabase::query(const Statement& statement, const Values& values) {
  const std::scoped_lock lock(mutex_);
  return run(statement, values);
}

class SqliteDatabase::Writing final : public Transaction {
 public:
  explicit Writing(SqliteDatabase& database) : database_(database), lock_(database.mutex_), transaction_(database.connection_) {}

  void send(const Statement& statement, const Values& values) override { results_.push_back(database_.run(statement, values)); }
  std::vector<Result> receive(std::size_t wanted) override {
    HOLDFAST_CHECK(wanted <= results_.size());
    results_.erase(results_.begin(), results_.end() - static_cast<std::ptrdiff_t>(wanted));
    return std::exchange(results_, {});
  }
  std::vector<Result> commit(std::size_t wanted) override {
    transaction_.commit();
    return receive(wanted);
  }

 private:
  SqliteDatabase& database_;
  const std::scoped_lock<std::mutex> lock_;   // until after the rollback
  sqlite::Transaction transaction_;
  std::vector<Result> results_;   // since the last receive()
};

std::unique_ptr<Transaction> SqliteDatabase::begin() { return std::make_unique<Writing>(*this); }

}  // namespace holdfast::sql
