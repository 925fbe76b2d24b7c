// The program of the previous version and this one: side by side on one database, and one after the other on one folder. In both
// directions nothing that was answered is lost, and nothing is sold twice.
#include <gmock/gmock.h>

#include <array>
#include <cstdlib>

#include "cluster/load.h"
#include "support/nodes.h"
#include "support/services.h"
#include "support/sql.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;

constexpr std::size_t k_seats = 200;

// The program that build_previous.sh has built.
std::string previous_program() {
  const char* const program = std::getenv("HOLDFAST_TEST_PREVIOUS");
  if (program == nullptr) throw std::runtime_error("HOLDFAST_TEST_PREVIOUS is not set: run it by ./dev test Upgrade");
  return program;
}

const std::string k_this_program = HOLDFAST_BINARY;

std::string version_of(Client& client) { return string_of(client.get("/version").json().at("version")); }

void expect_done(const Finished& finished) { EXPECT_EQ(finished.status, 0) << finished.everything(); }

// Two nodes over one database, each with a replaceable program.
class TwoNodes : public Nodes {
 public:
  TwoNodes(const std::string& ledger, const std::string& program) {
    for (auto& node : nodes_) {
      node = std::make_unique<Server>(
          ServerSettings{.flags = {"--ledger", ledger, "--port", std::to_string(free_port())}, .program = program});
    }
  }

  std::size_t count() const override { return nodes_.size(); }
  Server& at(std::size_t node) override { return *nodes_.at(node); }
  milliseconds behind_max() const override { return k_patience; }
  void verify(const std::vector<TestEvent>&) override {}

  // Stops a node in order, and starts this program in its place, on the same port.
  void replace(std::size_t node, const std::string& program) {
    at(node).stop();
    at(node).settings().program = program;
    at(node).start();
  }

 private:
  std::array<std::unique_ptr<Server>, 2> nodes_;
};

// The state that must hold after each step: a hold, a sale, and an answer under its key, all made at the beginning.
class Kept {
 public:
  explicit Kept(Client& client) : event_(make_event(client, 40)) {
    held_ = string_of(hold(client, "keeper", {event_[0], event_[1]}).json().at("id"));
    sold_ = string_of(hold(client, "buyer", {event_[2]}).json().at("id"));
    EXPECT_EQ(client.post("/v1/reservations/" + sold_ + "/consume", R"({"orderId":"order-1"})").status, 200);
    keyed_ = reserve(client, event_[3], "keyed", {{"Idempotency-Key", "kept-" + held_}});
    EXPECT_EQ(keyed_.status, 201) << keyed_;
  }

  // Through one node: all of it is there, nobody else gets its seats, and the node sells another one.
  void expect_at(Client client, std::string_view when) {
    SCOPED_TRACE(when);
    EXPECT_EQ(string_of(reservation(client, held_).at("status")), "active");
    EXPECT_EQ(string_of(reservation(client, sold_).at("status")), "consumed");
    EXPECT_EQ(seat_state(client, event_[1]), "held");
    EXPECT_EQ(seat_state(client, event_[2]), "sold");
    for (std::size_t seat = 0; seat < 4; ++seat) EXPECT_EQ(reserve(client, event_[seat], "thief").status, 409);
    const Answer again = reserve(client, event_[3], "keyed", {{"Idempotency-Key", "kept-" + held_}});
    EXPECT_EQ(again.status, 201) << again;
    EXPECT_EQ(again.body, keyed_.body);
    const std::string& next = event_[next_++];
    EXPECT_EQ(reserve(client, next, "customer").status, 201) << "it does not sell";
    EXPECT_EQ(reserve(client, next, "thief").status, 409);
  }

 private:
  TestEvent event_;
  std::string held_;
  std::string sold_;
  Answer keyed_;
  std::size_t next_ = 4;
};

TEST(Upgrade, NodesAreReplacedOneAfterTheOtherUnderLoadAndBackAgain) {
  const std::string previous = previous_program();
  const PostgresDatabase database;
  expect_done(run_program(previous, {"migrate", "--ledger", database.url()}));
  TwoNodes nodes(database.url(), previous);
  Client first = nodes.connect(0);
  const std::string version_before = version_of(first);
  Kept kept(first);
  const TestEvent event = make_event(first, k_seats);
  Load load(nodes, event);
  ASSERT_TRUE(load.goes_on(200));

  const auto look = [&](std::string_view when) {
    ASSERT_TRUE(load.goes_on(200)) << when;
    for (std::size_t node = 0; node < nodes.count(); ++node) kept.expect_at(nodes.connect(node), when);
  };
  expect_done(run_holdfast({"migrate", "--ledger", database.url()}));
  look("the new program has migrated");
  nodes.replace(0, previous);
  look("an old node was restarted after that");
  nodes.replace(0, k_this_program);
  Client client = nodes.connect(0);
  EXPECT_NE(version_of(client), version_before) << "both programs are of one version: nothing is tested";
  look("a new node beside an old one");
  nodes.replace(1, k_this_program);
  look("both nodes are new");
  expect_done(run_program(previous, {"migrate", "--ledger", database.url()}));
  nodes.replace(1, previous);
  look("one node was taken back");
  nodes.replace(0, previous);
  look("both were");

  load.stop();
  Client asked = nodes.connect(1);
  load.expect_kept(asked);
  expect_done(run_holdfast({"verify", "--ledger", database.url()}));
  expect_done(run_program(previous, {"verify", "--ledger", database.url()}));
  std::cout << load.accepted() << " accepted, " << load.refused() << " refused, " << load.unavailable() << " times 503, " << load.lost()
            << " connections lost, slowest " << load.slowest().count() << " ms\n";
}

// Changes that a later version may make to the database, in SQL.
constexpr const char* k_later_version_adds =
    "BEGIN; CREATE TABLE holdfast.waiting_list (customer text PRIMARY KEY); "
    "ALTER TABLE holdfast.reservation ADD COLUMN channel smallint NOT NULL DEFAULT 0; "
    "ALTER TABLE holdfast.journal ADD COLUMN origin text; "
    "ALTER TABLE holdfast.schema_version ADD COLUMN IF NOT EXISTS compatible_from integer; "
    "INSERT INTO holdfast.schema_version (version, compatible_from) SELECT max(version) + 1, max(version) FROM holdfast.schema_version; "
    "COMMIT";
constexpr const char* k_later_version_changes =
    "INSERT INTO holdfast.schema_version (version, compatible_from) SELECT max(version) + 1, max(version) + 1 FROM holdfast.schema_version";

TEST(Upgrade, ALaterMigrationThatOnlyAddsLetsNodesRestartAndOneThatChangesRefusesThem) {
  const PostgresDatabase database;
  expect_done(run_holdfast({"migrate", "--ledger", database.url()}));
  TwoNodes nodes(database.url(), k_this_program);
  Client first = nodes.connect(0);
  Kept kept(first);
  const TestEvent event = make_event(first, k_seats);
  Load load(nodes, event);
  ASSERT_TRUE(load.goes_on(200));

  Sql sql(database.url());
  sql.run(k_later_version_adds);
  ASSERT_TRUE(load.goes_on(200)) << "nodes that run go on";
  for (std::size_t node = 0; node < nodes.count(); ++node) {
    nodes.replace(node, k_this_program);
    ASSERT_TRUE(load.goes_on(200));
    kept.expect_at(nodes.connect(node), "restarted on the later schema");
  }
  load.stop();
  Client asked = nodes.connect(0);
  load.expect_kept(asked);
  expect_done(run_holdfast({"migrate", "--ledger", database.url()}));
  expect_done(run_holdfast({"verify", "--ledger", database.url()}));

  sql.run(k_later_version_changes);
  const Finished refused = failing_start({.flags = {"--ledger", database.url()}});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.everything(), HasSubstr("Nothing was changed"));
}

TEST(Upgrade, AFolderGoesFromOneProgramToTheOtherAndBack) {
  const std::string previous = previous_program();
  const TempFolder folder;
  Server server({.data = folder / "data", .program = previous});
  Client client = server.connect();
  Kept kept(client);
  kept.expect_at(server.connect(), "the old program");
  const auto go_on_with = [&](const std::string& program, bool is_killed, std::string_view when) {
    is_killed ? server.kill() : server.stop();
    expect_done(run_program(program, {"verify", "--data", server.data().string()}));
    server.settings().program = program;
    server.start();
    kept.expect_at(server.connect(), when);
  };
  go_on_with(k_this_program, false, "the new program after a stop");
  go_on_with(previous, false, "back after a stop");
  go_on_with(k_this_program, true, "the new program after a kill");
  go_on_with(previous, true, "back after a kill");
  expect_done(run_holdfast({"backup", "--data", server.data().string(), (folder / "copy").string()}));
  expect_done(run_program(previous, {"restore", "--data", (folder / "restored").string(), (folder / "copy").string()}));
}

}   // namespace
}   // namespace holdfast::test
