// The real program with several database hosts: it finds the writable one, and /readyz says what a failover could lose.
#include <gmock/gmock.h>

#include "support/events.h"
#include "support/server.h"
#include "support/services.h"
#include "support/sql.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;
using testing::Not;

// A URL with these hosts, in that order.
std::string url_of(std::initializer_list<std::uint16_t> ports) {
  std::string hosts;
  for (const std::uint16_t port : ports) hosts += (hosts.empty() ? "" : ",") + ("127.0.0.1:" + std::to_string(port));
  return "postgresql://holdfast@" + hosts + "/holdfast";
}

// For new sessions of the server.
void set(const PostgresServer& server, const std::string& setting, const std::string& value) {
  Sql admin(server.admin_url());
  admin.run("ALTER SYSTEM SET " + setting + " = '" + value + "'");
  admin.run("SELECT pg_reload_conf()");
  ASSERT_TRUE(eventually([&] { return Sql(server.admin_url()).value("SHOW " + setting) == value; }));
}

void migrate(const std::string& url) {
  const Finished migrated = run_holdfast({"migrate", "--ledger", url});
  ASSERT_EQ(migrated.status, 0) << migrated.everything();
}

TEST(PostgresHosts, WithoutASynchronousStandbyReadinessSaysWhatAFailoverCouldLose) {
  const PostgresServer postgres;
  const std::string url = url_of({postgres.port(), free_port()});
  migrate(url);
  Server server({.flags = {"--ledger", url}});
  Client client = server.connect();
  ASSERT_TRUE(eventually([&] { return client.get("/readyz").body.contains("synchronous_standby_names"); }));
  const Answer degraded = client.get("/readyz");
  EXPECT_EQ(degraded.status, 200) << "it sells";
  EXPECT_THAT(degraded.body, HasSubstr("a failover may lose the last commits"));
  const TestEvent event = make_event(client, 10);
  EXPECT_EQ(reserve(client, event[0], "anna").status, 201);
  set(postgres, "synchronous_standby_names", "any_standby");
  EXPECT_TRUE(eventually([&] { return !client.get("/readyz").body.contains("synchronous_standby_names"); }));
  set(postgres, "synchronous_standby_names", "");   // sessions that wait for the standby continue
  EXPECT_TRUE(eventually([&] { return client.get("/readyz").body.contains("synchronous_standby_names"); }));
}

TEST(PostgresHosts, WithASynchronousStandbyReadinessSaysNothing) {
  const PostgresServer postgres;
  migrate(postgres.url());
  Server server({.flags = {"--ledger", postgres.url()}});
  Client client = server.connect();
  EXPECT_TRUE(eventually([&] { return client.get("/readyz").body == "ready\n"; }));
}

TEST(PostgresHosts, AreTriedInOrderUntilOneAnswers) {
  const PostgresServer postgres;
  const std::string url = url_of({free_port(), postgres.port()});
  migrate(url);
  Server server({.flags = {"--ledger", url}});
  Client client = server.connect();
  const TestEvent event = make_event(client, 10);
  EXPECT_EQ(reserve(client, event[0], "anna").status, 201);
  Client other = server.connect();
  EXPECT_EQ(reserve(other, event[0], "bob").status, 409);
}

TEST(PostgresHosts, ThatAreReadOnlyAreSkipped) {
  const PostgresServer read_only;
  const PostgresServer primary;
  const std::string url = url_of({read_only.port(), primary.port()});
  migrate(primary.url());
  set(read_only, "default_transaction_read_only", "on");
  Server server({.flags = {"--ledger", url}});
  Client client = server.connect();
  const TestEvent event = make_event(client, 10);
  EXPECT_EQ(reserve(client, event[0], "anna").status, 201);
  EXPECT_EQ(Sql(primary.url()).value("SELECT count(*) > 0 FROM holdfast.journal"), "t");
}

// Nodes leave a demoted server for the writable one.
TEST(PostgresHosts, RunningNodesLeaveADemotedOneForTheOther) {
  const PostgresServer first;
  const PostgresServer second;
  const std::string url = url_of({first.port(), second.port()});
  migrate(first.url());
  Server server({.flags = {"--ledger", url}});
  Client client = server.connect();
  const TestEvent event = make_event(client, 10);
  ASSERT_EQ(reserve(client, event[0], "anna").status, 201);
  // As in a failover: the new primary has the same data, and the old one takes no more writes, even from open sessions.
  const std::string copy =
      "pg_dump '" + first.admin_url() + "' | psql --quiet --set ON_ERROR_STOP=1 '" + second.admin_url() + "' >/dev/null";
  set(first, "default_transaction_read_only", "on");
  Sql(first.admin_url()).run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'holdfast'");
  ASSERT_EQ(std::system(copy.c_str()), 0);
  EXPECT_TRUE(eventually([&] {
    Client asking = server.connect();
    return reserve(asking, event[1], "bob").status == 201;
  }));
  Client asking = server.connect();
  EXPECT_EQ(reserve(asking, event[0], "carol").status, 409) << "the hold from before the failover";
  Sql primary(second.url());
  // The tables may not have had the event yet when they were copied.
  EXPECT_TRUE(eventually([&] { return primary.value("SELECT count(*) FROM seats WHERE id = $1 AND state = 'held'", {event[1]}) == "1"; }));
}

}  // namespace
}  // namespace holdfast::test
