// SQL as other programs use it on the same database: one connection, text in and out.
//
//   Sql sql(database.url());
//   EXPECT_EQ(sql.value("select count(*) from Reservations"), "7");
//
// Every call throws SqlError if the server refuses or goes away. Not for several threads at once.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

struct pg_conn;

namespace holdfast::test {

class SqlError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Sql {
 public:
  using Row = std::vector<std::optional<std::string>>;   // nothing: NULL

  explicit Sql(const std::string& url);

  // One statement, its parameters as $1, $2, …
  std::vector<Row> query(const std::string& statement, const std::vector<std::string>& parameters = {});
  // The only column of the only row; "" for NULL.
  std::string value(const std::string& statement, const std::vector<std::string>& parameters = {});
  // Any number of statements, as psql sends them.
  void run(const std::string& statements);

 private:
  struct End {
    void operator()(pg_conn* connection) const;
  };
  std::unique_ptr<pg_conn, End> connection_;
};

}  // namespace holdfast::test
