// One interface over SQLite and PostgreSQL: values, results and transactions are the same in both.
#include "sql/database.h"

#include <gtest/gtest.h>

#include <memory>

#include "sql/postgres_database.h"
#include "sql/sqlite_database.h"
#include "support/process.h"
#include "support/services.h"
#include "support/sql.h"

namespace holdfast::test {
namespace {

using sql::Result;
using sql::Statement;
using sql::Values;

constexpr Statement k_insert{"test_insert",
                             "INSERT INTO holdfast.thing (id, flag, words, data, small, name) VALUES ($1, $2, $3, $4, $5, $6)"};
constexpr Statement k_all{"test_all", "SELECT id, flag, words, data, small, name FROM holdfast.thing ORDER BY small"};
constexpr Statement k_count{"test_count", "SELECT count(*) FROM holdfast.thing"};
constexpr Statement k_rename{"test_rename", "UPDATE holdfast.thing SET name = $3 WHERE small >= $1"};   // not $2
constexpr Statement k_lock{"test_lock", "SELECT small FROM holdfast.thing FOR UPDATE", sql::k_not_in_sqlite};

class InDatabase {
 public:
  virtual ~InDatabase() = default;
  virtual sql::Database& database() = 0;
};

class InSqlite final : public InDatabase {
 public:
  InSqlite() {
    const std::string path = folder_ / "things.db";
    sqlite::Database(path, sqlite::Database::Mode::create)
        .execute(
            "CREATE TABLE thing (id TEXT PRIMARY KEY, flag INTEGER NOT NULL, words TEXT NOT NULL, data BLOB NOT NULL, small INTEGER, "
            "name TEXT) STRICT");
    database_ = std::make_unique<sql::SqliteDatabase>(path);
  }
  sql::Database& database() override { return *database_; }

 private:
  TempFolder folder_;
  std::unique_ptr<sql::SqliteDatabase> database_;
};

class InPostgres final : public InDatabase {
 public:
  InPostgres() {
    Sql(server_.url())
        .run(
            "CREATE SCHEMA holdfast; CREATE TABLE holdfast.thing (id uuid PRIMARY KEY, flag boolean NOT NULL, words bytea NOT NULL, "
            "data bytea NOT NULL, small smallint, name text)");
  }
  sql::Database& database() override { return database_; }

 private:
  PostgresDatabase server_;
  pg::Pool pool_{{.url = server_.url()}, {.connections_max = 2}};
  sql::PostgresDatabase database_{pool_};
};

enum class Kind { sqlite, postgresql };

class SqlDatabase : public testing::TestWithParam<Kind> {
 protected:
  static std::unique_ptr<InDatabase> place_of(Kind kind) {
    if (kind == Kind::sqlite) return std::make_unique<InSqlite>();
    return std::make_unique<InPostgres>();
  }
  static Uuid id_of(std::uint8_t number) {
    Uuid id{};
    id.data[0] = 0xAB;
    id.data[15] = number;
    return id;
  }
  static Values thing(std::uint8_t number) {
    return Values().uuid(id_of(number)).boolean(true).any_text("w").bytes("d").integer(number).text("n");
  }
  std::int64_t count() { return database.query(k_count).integer(0, 0); }

  const std::unique_ptr<InDatabase> place = place_of(GetParam());
  sql::Database& database = place->database();
};

INSTANTIATE_TEST_SUITE_P(In, SqlDatabase, testing::Values(Kind::sqlite, Kind::postgresql),
                         [](const auto& info) { return info.param == Kind::sqlite ? "sqlite" : "postgresql"; });

TEST_P(SqlDatabase, KeepsValuesOfEveryTypeAsTheyWere) {
  const std::string odd("a\0b \xFF", 5);
  database.query(k_insert, Values().uuid(id_of(1)).boolean(true).any_text(odd).bytes(odd).integer(1).text("Ü"));
  database.query(k_insert, Values().uuid(id_of(2)).boolean(false).any_text("").bytes({}).integer(2).text(std::nullopt));
  const Result rows = database.query(k_all);
  ASSERT_EQ(rows.rows(), 2);
  EXPECT_EQ(rows.uuid(0, 0), id_of(1));
  EXPECT_TRUE(rows.boolean(0, 1));
  EXPECT_EQ(rows.text(0, 2), odd);
  EXPECT_EQ(rows.text(0, 3), odd);
  EXPECT_EQ(rows.integer(0, 4), 1);
  EXPECT_EQ(rows.text(0, 5), "Ü");
  EXPECT_FALSE(rows.boolean(1, 1));
  EXPECT_EQ(rows.text(1, 2), "") << "empty, and not NULL";
  EXPECT_EQ(rows.text(1, 3), "");
  EXPECT_TRUE(rows.is_null(1, 5));
  EXPECT_EQ(rows.integer_or_null(1, 4), 2);
  EXPECT_THROW((void)rows.integer(0, 5), std::runtime_error) << "a text is no number";
}

TEST_P(SqlDatabase, TakesParametersByTheirNumbersAndLeavesOthersOut) {
  database.query(k_insert, thing(1));
  database.query(k_insert, thing(2));
  EXPECT_EQ(database.query(k_rename, Values().integer(2).integer(77).text("new")).affected(), 1U);
  const Result rows = database.query(k_all);
  EXPECT_EQ(rows.text(0, 5), "n");
  EXPECT_EQ(rows.text(1, 5), "new");
}

TEST_P(SqlDatabase, RollsBackWhatWasNotCommitted) {
  {
    const auto transaction = database.begin();
    transaction->send(k_insert, thing(1));
    EXPECT_EQ(transaction->ask(k_count).integer(0, 0), 1);
    transaction->send(k_insert, thing(2));
  }
  EXPECT_EQ(count(), 0);
}

TEST_P(SqlDatabase, GivesTheResultsOfTheLastStatementsInTheOrderOfSending) {
  {
    const auto transaction = database.begin();
    transaction->send(k_lock);
    transaction->send(k_insert, thing(1));
    transaction->send(k_count);
    transaction->send(k_insert, thing(2));
    transaction->send(k_rename, Values().integer(0).integer(0).text("x"));
    const std::vector<Result> results = transaction->receive(3);
    ASSERT_EQ(results.size(), 3U);
    EXPECT_EQ(results[0].integer(0, 0), 1);
    EXPECT_EQ(results[1].affected(), 1U);
    EXPECT_EQ(results[2].affected(), 2U);
    transaction->send(k_insert, thing(3));
    EXPECT_TRUE(transaction->commit().empty());
  }
  EXPECT_EQ(count(), 3);
}

TEST_P(SqlDatabase, GoesOnAfterAnError) {
  database.query(k_insert, thing(1));
  EXPECT_THROW(database.query(k_insert, thing(1)), std::runtime_error) << "the id exists";
  {
    const auto transaction = database.begin();
    EXPECT_THROW(
        {
          transaction->send(k_insert, thing(2));
          transaction->send(k_insert, thing(1));
          transaction->commit();
        },
        std::runtime_error);
  }
  EXPECT_EQ(count(), 1);
}

}  // namespace
}  // namespace holdfast::test
