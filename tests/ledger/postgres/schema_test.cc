// Databases with another schema version than the program's: it works on later ones that have only added something, and refuses
// all others (decision 56). A later version is simulated by further steps after the existing ones.
#include <gmock/gmock.h>

#include "ledger/data_error.h"
#include "ledger/postgres/schema.h"
#include "ledger/postgres/schema_sql.h"
#include "support/events.h"
#include "support/server.h"
#include "support/services.h"
#include "support/sql.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;
using testing::Not;

const pg::SchemaStep k_adds{.scripts = {"CREATE TABLE holdfast.waiting_list (customer text PRIMARY KEY);"
                                        "ALTER TABLE holdfast.event ADD COLUMN note text;"
                                        "ALTER TABLE holdfast.reservation ADD COLUMN channel smallint NOT NULL DEFAULT 0;"
                                        "ALTER TABLE holdfast.api_key ADD COLUMN team text"},
                            .is_additive = true};
const pg::SchemaStep k_adds_again{.scripts = {"CREATE INDEX ON holdfast.waiting_list (customer)"}, .is_additive = true};
const pg::SchemaStep k_changes{.scripts = {"ALTER TABLE holdfast.journal RENAME COLUMN at TO happened_at"}};

// Brings a database to a version after this program's, as a later program does.
pg::Migration migrate_further(const PostgresDatabase& database, const std::vector<pg::SchemaStep>& further) {
  const auto known = pg::schema_steps();
  std::vector<pg::SchemaStep> steps(known.begin(), known.end());
  steps.insert(steps.end(), further.begin(), further.end());
  return pg::migrate({.url = database.url()}, steps);
}

// The error of a program of this schema version about the database; empty if it works on it.
std::string refusal(const PostgresDatabase& database, int version = pg::k_schema_version) {
  pg::Connection connection({.url = database.url()});
  try {
    pg::check_schema(connection, version);
    return {};
  } catch (const DataError& error) {
    return error.what();
  }
}

TEST(SchemaVersions, CountIsThatOfTheProgram) { EXPECT_EQ(pg::schema_steps().size(), static_cast<std::size_t>(pg::k_schema_version)); }

TEST(SchemaVersions, Version2HasNothingUnknownToProgramsOf010) {
  const PostgresDatabase database;
  ASSERT_EQ(run_holdfast({"migrate", "--ledger", database.url()}).status, 0);
  Sql sql(database.url());
  EXPECT_EQ(sql.value("SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns "
                      "WHERE table_schema = 'holdfast' AND table_name = 'schema_version'"),
            "version,at");
}

TEST(SchemaVersions, ALaterOneThatOnlyAddsIsAcceptedByEveryCommand) {
  const PostgresDatabase database;
  const std::string url = database.url();
  ASSERT_EQ(run_holdfast({"migrate", "--ledger", url}).status, 0);
  const pg::Migration done = migrate_further(database, {k_adds});
  EXPECT_EQ(done.from, pg::k_schema_version);
  EXPECT_EQ(done.to, pg::k_schema_version + 1);
  {
    Server server({.flags = {"--ledger", url}});
    Client client = server.connect();
    const TestEvent event = make_event(client, 10);
    EXPECT_EQ(hold(client, "customer", {event[0], event[1]}).status, 201);
    EXPECT_EQ(reserve(client, event[0], "other").status, 409);
    server.stop();
    server.start();
    Client again = server.connect();
    EXPECT_EQ(seat_state(again, event[0]), "held") << "after a restart";
    EXPECT_EQ(reserve(again, event[2], "other").status, 201);
  }
  const Finished migrated = run_holdfast({"migrate", "--ledger", url});
  EXPECT_EQ(migrated.status, 0) << migrated.everything();
  EXPECT_THAT(migrated.out, HasSubstr("has version " + std::to_string(pg::k_schema_version + 1)));
  EXPECT_THAT(migrated.out, HasSubstr("nothing was changed"));
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"keys", "create", "--ledger", url, "--name", "shop", "--scopes", "read"},
                                             {"keys", "list", "--ledger", url},
                                             {"rebuild", "--ledger", url, "--event", "1"},
                                             {"verify", "--ledger", url}}) {
    const Finished finished = run_holdfast(command);
    EXPECT_EQ(finished.status, 0) << command[0] << ": " << finished.everything();
  }
}

TEST(SchemaVersions, ALaterOneThatChangesSomethingIsRefusedByEveryCommand) {
  const PostgresDatabase database;
  const std::string url = database.url();
  ASSERT_EQ(run_holdfast({"migrate", "--ledger", url}).status, 0);
  migrate_further(database, {k_changes});
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"migrate", "--ledger", url},
                                             {"keys", "create", "--ledger", url, "--name", "shop", "--scopes", "read"},
                                             {"keys", "list", "--ledger", url},
                                             {"rebuild", "--ledger", url, "--event", "1"},
                                             {"verify", "--ledger", url}}) {
    const Finished refused = run_holdfast(command);
    EXPECT_EQ(refused.status, 1) << command[0] << ": " << refused.everything();
    EXPECT_THAT(refused.err, HasSubstr("has version 3, which needs a program of schema version 3 or later; this program has 2"));
    EXPECT_THAT(refused.err, HasSubstr("Nothing was changed"));
  }
  const Finished refused = failing_start({.flags = {"--ledger", url}});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.everything(), HasSubstr("has version 3, which needs a program of schema version 3 or later"));
  EXPECT_EQ(Sql(url).value("SELECT count(*) FROM holdfast.api_key"), "0");
}

TEST(SchemaVersions, TheOldestProgramThatCanWorkIsRememberedOverSeveralSteps) {
  const PostgresDatabase database;
  migrate_further(database, {k_adds, k_adds_again});
  EXPECT_EQ(refusal(database, 2), "");
  EXPECT_EQ(refusal(database, 3), "");
  EXPECT_EQ(refusal(database, 4), "");
  migrate_further(database, {k_adds, k_adds_again, k_changes});
  EXPECT_THAT(refusal(database, 2), HasSubstr("needs a program of schema version 5"));
  EXPECT_THAT(refusal(database, 4), HasSubstr("needs a program of schema version 5"));
  EXPECT_EQ(refusal(database, 5), "");
  migrate_further(database, {k_adds, k_adds_again, k_changes, k_adds_again});
  EXPECT_THAT(refusal(database, 4), HasSubstr("needs a program of schema version 5"));
  EXPECT_EQ(refusal(database, 5), "");
  EXPECT_EQ(refusal(database, 6), "");
}

TEST(SchemaVersions, AnEarlierOneIsRefusedWithWhatToDo) {
  const PostgresDatabase database;
  ASSERT_EQ(run_holdfast({"migrate", "--ledger", database.url()}).status, 0);
  const std::string refused = refusal(database, pg::k_schema_version + 1);
  EXPECT_THAT(refused, HasSubstr("has version 2 of Holdfast's schema; this version of Holdfast needs version 3"));
  EXPECT_THAT(refused, HasSubstr("holdfast migrate --ledger URL"));
}

TEST(SchemaVersions, AMigrationByAProgramInBetweenChangesNothing) {
  const PostgresDatabase database;
  migrate_further(database, {k_adds, k_adds_again});
  const pg::Migration done = migrate_further(database, {k_adds});
  EXPECT_EQ(done.from, 4);
  EXPECT_EQ(done.to, 4);
  EXPECT_EQ(Sql(database.url()).value("SELECT count(*) FROM holdfast.schema_version"), "4");
}

TEST(SchemaVersions, WithoutACompatibilityOneIsForItsOwnProgramsOnly) {
  const PostgresDatabase database;
  migrate_further(database, {k_adds});
  Sql sql(database.url());
  sql.run("UPDATE holdfast.schema_version SET compatible_from = NULL");
  EXPECT_THAT(refusal(database, 2), HasSubstr("needs a program of schema version 3"));
  sql.run("ALTER TABLE holdfast.schema_version DROP COLUMN compatible_from");
  EXPECT_THAT(refusal(database, 2), HasSubstr("needs a program of schema version 3"));
  EXPECT_EQ(refusal(database, 3), "");
}

}   // namespace
}   // namespace holdfast::test
