#include "support/sql.h"

#include <libpq-fe.h>

namespace holdfast::test {
namespace {

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

Result checked(PGconn* connection, PGresult* answer, const std::string& statement) {
  Result result(answer, &PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) throw SqlError(statement + ": " + PQerrorMessage(connection));
  return result;
}

}  // namespace

void Sql::End::operator()(pg_conn* connection) const { PQfinish(connection); }

Sql::Sql(const std::string& url) : connection_(PQconnectdb(url.c_str())) {
  if (PQstatus(connection_.get()) != CONNECTION_OK) throw SqlError(PQerrorMessage(connection_.get()));
  // Drops notices, which libpq would print into the tests' output.
  PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
}

std::vector<Sql::Row> Sql::query(const std::string& statement, const std::vector<std::string>& parameters) {
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  const Result result = checked(
      connection_.get(),
      PQexecParams(connection_.get(), statement.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr, nullptr, 0),
      statement);
  std::vector<Row> rows;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    Row& columns = rows.emplace_back();
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      if (PQgetisnull(result.get(), row, column) != 0) {
        columns.emplace_back(std::nullopt);
      } else {
        columns.emplace_back(PQgetvalue(result.get(), row, column));
      }
    }
  }
  return rows;
}

std::string Sql::value(const std::string& statement, const std::vector<std::string>& parameters) {
  const std::vector<Row> rows = query(statement, parameters);
  if (rows.size() != 1 || rows[0].size() != 1) throw SqlError(statement + ": " + std::to_string(rows.size()) + " rows, not one value");
  return rows[0][0].value_or("");
}

void Sql::run(const std::string& statements) { checked(connection_.get(), PQexec(connection_.get(), statements.c_str()), statements); }

}  // namespace holdfast::test
