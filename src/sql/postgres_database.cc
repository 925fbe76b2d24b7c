#include "sql/postgres_database.h"

#include "core/check.h"

namespace holdfast::sql {
namespace {

constexpr std::string_view k_invalid_schema_name = "3F000";

pg::Parameters parameters_of(const Values& values) {
  pg::Parameters parameters;
  for (const Values::Value& value : values.list()) {
    switch (value.type) {
      case Values::Type::integer: value.is_null ? parameters.null(pg::k_oid_int8) : parameters.int8(value.integer); break;
      case Values::Type::boolean: parameters.boolean(value.integer != 0); break;
      case Values::Type::text: value.is_null ? parameters.null(pg::k_oid_text) : parameters.text(value.text); break;
      case Values::Type::any_text:
      case Values::Type::bytes: parameters.bytes(value.text); break;
      case Values::Type::uuid: value.is_null ? parameters.null(pg::k_oid_uuid) : parameters.uuid(value.uuid); break;
    }
  }
  return parameters;
}

Result::Cell cell_of(const pg::Result& rows, int row, int column) {
  if (rows.is_null(row, column)) return std::monostate{};
  switch (PQftype(rows.get(), column)) {
    case pg::k_oid_int2: return std::int64_t{rows.int2(row, column)};
    case pg::k_oid_int4: return std::int64_t{rows.int4(row, column)};
    case pg::k_oid_int8: return rows.int8(row, column);
    case pg::k_oid_bool: return std::int64_t{rows.boolean(row, column)};
    case pg::k_oid_uuid: return rows.uuid(row, column);
    default: return std::string(rows.text(row, column));
  }
}

Result result_of(const pg::Result& rows) {
  const int columns = PQnfields(rows.get());
  std::vector<Result::Cell> cells;
  cells.reserve(static_cast<std::size_t>(rows.rows()) * static_cast<std::size_t>(columns));
  for (int row = 0; row < rows.rows(); ++row) {
    for (int column = 0; column < columns; ++column) cells.push_back(cell_of(rows, row, column));
  }
  return {columns, std::move(cells), rows.affected()};
}

// Calls `ask`. If the tables are missing, the error says how to create them.
template <typename Ask>
auto explained(const std::string& url, Ask ask) {
  try {
    return ask();
  } catch (const pg::Error& error) {
    if (!error.is(pg::k_undefined_table) && !error.is(k_invalid_schema_name)) throw;
    throw pg::Error(error.state(),
                    pg::without_password(url) +
                        " has no tables of Holdfast, or those of an older version. Create them with `holdfast migrate --ledger "
                        "URL`.");
  }
}

class Writing final : public Transaction {
 public:
  explicit Writing(pg::Pool& pool) : url_(pool.settings().url), connection_(pool.take()) { send(pg::k_begin, {}); }

  void send(const Statement& statement, const Values& values) override {
    send(pg::Statement{statement.name, statement.text}, parameters_of(values));
  }
  std::vector<Result> receive(std::size_t wanted) override {
    HOLDFAST_CHECK(wanted <= sent_);
    return explained(url_, [&] { return receive_all(wanted, 0); });
  }
  std::vector<Result> commit(std::size_t wanted) override {
    HOLDFAST_CHECK(wanted <= sent_);
    send(pg::k_commit, {});
    return explained(url_, [&] { return receive_all(wanted, 1); });
  }

 private:
  void send(const pg::Statement& statement, const pg::Parameters& parameters) {
    connection_->send(statement, parameters);
    ++sent_;
  }
  // One round trip. The results of the last `wanted` statements before the last `behind`.
  std::vector<Result> receive_all(std::size_t wanted, std::size_t behind) {
    connection_->sync();
    std::vector<Result> results;
    for (; sent_ > 0; --sent_) {
      const pg::Result result = connection_->receive();
      if (sent_ > behind && sent_ <= behind + wanted) results.push_back(result_of(result));
    }
    connection_->end_sync();
    return results;
  }

  const std::string& url_;
  pg::Pool::Borrowed connection_;   // as new when it goes back: what was not committed is rolled back
  std::size_t sent_ = 0;         // since the last receive()
};

}  // namespace

Result PostgresDatabase::query(const Statement& statement, const Values& values) {
  return explained(pool_.settings().url,
                   [&] { return result_of(pool_.take()->query(pg::Statement{statement.name, statement.text}, parameters_of(values))); });
}

std::unique_ptr<Transaction> PostgresDatabase::begin() { return std::make_unique<Writing>(pool_); }

}  // namespace holdfast::sql
