// The network between nodes and PostgreSQL fails all the time: connections are cut, delayed, fall silent and are refused, at any message of
// any round trip (support/postgres_proxy.h). Meanwhile buyers insist on few seats (buyers.h). The promises hold:
//
//   the nodes answer again by themselves, once the network is good
//   what was answered is in the database, once, and nothing else is
//   the answers can be explained by one order of the operations (docs/testing.md, Linearizability)
//   journal and tables agree
//
// A run has rounds, each with new events, so that the histories of seats stay short enough to be checked.
//
// HOLDFAST_TEST_SEED and HOLDFAST_TEST_FAULTS repeat a run, or make it longer.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>

#include "cluster/buyers.h"
#include "support/postgres_proxy.h"
#include "support/services.h"
#include "support/sql.h"
#include "support/wire.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::size_t k_events = 6;
constexpr std::size_t k_seats = 4;   // of each event
constexpr std::size_t k_faults = k_is_sanitized ? 60 : 180;
constexpr std::size_t k_faults_a_round = 150;
constexpr milliseconds k_patience_for_faults{180'000};   // of a round; with sanitizers, too: they have a third of the faults
constexpr const char* k_limit_of_checker = "15s";   // less than k_patience, so that the checker itself says that it took too long

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const given = std::getenv(name);
  return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
}

// Nodes over one database, each behind a network of its own.
class Faults : public testing::Test {
 protected:
  Faults() : Faults(nullptr) {}
  // Over a server of its own, which a test may stop.
  explicit Faults(std::unique_ptr<PostgresServer> postgres)
      : postgres_(std::move(postgres)),
        database_(postgres_ ? std::make_unique<PostgresDatabase>(*postgres_) : std::make_unique<PostgresDatabase>()) {}

  void SetUp() override {
    record_histories_in(HOLDFAST_HISTORIES_OF_FAULTS);
    std::cout << "HOLDFAST_TEST_SEED=" << seed_ << " HOLDFAST_TEST_FAULTS=" << faults_max_ << std::endl;
    const Finished migrated = run_holdfast({"migrate", "--ledger", database_->url()});
    ASSERT_EQ(migrated.status, 0) << migrated.everything();
  }

  void start_nodes(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      networks_.push_back(std::make_unique<PostgresProxy>(port_in(database_->url()), seed_ + i));
      nodes_.push_back(std::make_unique<Server>(
          ServerSettings{.flags = {"--ledger", with_port(database_->url(), networks_[i]->port()), "--threads", "2"}}));
    }
  }
  std::vector<TestEvent> new_events() {
    Client client = nodes_[0]->connect();
    std::vector<TestEvent> events;
    for (std::size_t i = 0; i < k_events; ++i) events.push_back(make_event(client, k_seats));
    return events;
  }
  FaultTally tally() const {
    FaultTally all;
    for (const auto& network : networks_) all.add(network->tally());
    return all;
  }
  double sum_of(std::string_view name) {
    double sum = 0;
    for (const auto& node : nodes_) {
      Client client = node->connect();
      sum += metric(client, name);
    }
    return sum;
  }

  // Faults until there are so many in all.
  void play(std::size_t faults_max) {
    Buyers buyers(nodes_, new_events(), random_());
    for (const auto& network : networks_) network->begin_faults();
    const bool has_met_them = eventually([&] { return tally().total() >= faults_max; }, k_patience_for_faults);
    for (const auto& network : networks_) network->end_faults();
    EXPECT_TRUE(has_met_them) << "only " << tally().total() << " faults: the nodes hardly talk to the database";
    expect_service(buyers);
    buyers.stop();
    EXPECT_THAT(buyers.complaints(), IsEmpty());
    EXPECT_THAT(buyers.differences(database_->url()), IsEmpty());
    const auto checked = check_history();
    if (checked) EXPECT_EQ(checked->status, 0) << checked->everything();
    std::cout << tally().total() << " faults: " << buyers.accepted() << " accepted (" << buyers.replayed() << " by a lost attempt), "
              << buyers.refused() << " refused, " << buyers.unavailable() << " times 503, slowest " << buyers.slowest().count() << " ms; "
              << (checked ? checked->out : "history not checked, because the checker was not built\n") << std::flush;
  }

  // All nodes are as they were before the faults, without a restart.
  void expect_service(Buyers& buyers) {
    EXPECT_TRUE(buyers.goes_on());
    expect_ready();
  }
  void expect_ready() {
    for (const auto& node : nodes_) {
      ASSERT_TRUE(node->process().runs()) << "a node ended:\n" << node->log();
      EXPECT_TRUE(eventually([&] { return node->connect().get("/readyz").status == 200; })) << node->connect().get("/readyz");
    }
  }

  // Nothing if there is no checker: without Go it is not built, and not in the flavours with sanitizers.
  static std::optional<Finished> check_history() {
    const std::filesystem::path history = end_history();
    if (!std::filesystem::exists(HOLDFAST_LINEARIZABILITY)) return std::nullopt;
    return run_program(HOLDFAST_LINEARIZABILITY, {"-limit", k_limit_of_checker, history.string()});
  }

  void play_all_and_verify() {
    while (!HasFailure() && tally().total() < faults_max_) play(std::min(tally().total() + k_faults_a_round, faults_max_));
    EXPECT_EQ(sum_of("holdfast_postgresql_histories_changed_total"), 0) << "the database lost nothing";
    stop_and_verify();
    for (const Trip trip : {Trip::startup, Trip::read, Trip::write, Trip::other}) EXPECT_GT(tally().of(trip), 0U) << name_of(trip);
  }

  void stop_and_verify() {
    std::cout << tally() << "batches judged again: " << sum_of("holdfast_postgresql_batches_again_total")
              << ", commits found after their answer was lost: " << sum_of("holdfast_postgresql_commits_settled_total") << std::endl;
    EXPECT_EQ(sum_of("holdfast_postgresql_events_damaged"), 0);
    for (const auto& node : nodes_) node->stop();
    const Finished verified = run_holdfast({"verify", "--ledger", database_->url()});
    EXPECT_EQ(verified.status, 0) << verified.everything();
  }

  const std::uint64_t seed_ = from_environment("HOLDFAST_TEST_SEED", std::random_device{}());
  const std::size_t faults_max_ = from_environment("HOLDFAST_TEST_FAULTS", k_faults);
  std::mt19937_64 random_{seed_};
  std::unique_ptr<PostgresServer> postgres_;   // none: the shared one
  std::unique_ptr<PostgresDatabase> database_;
  std::vector<std::unique_ptr<PostgresProxy>> networks_;   // of each node
  std::vector<std::unique_ptr<Server>> nodes_;
};

TEST_F(Faults, BetweenOneNodeAndPostgresqlLoseNoAnswerAndDoubleNone) {
  start_nodes(1);
  play_all_and_verify();
}

TEST_F(Faults, BetweenTwoNodesAndPostgresqlLoseNoAnswerAndDoubleNone) {
  start_nodes(2);
  play_all_and_verify();
}

class FaultsOfServer : public Faults {
 protected:
  FaultsOfServer() : Faults(std::make_unique<PostgresServer>()) {}

  // All nodes show the seats as the database has them.
  void expect_shown(const std::vector<TestEvent>& events) {
    Sql sql(database_->url());
    for (const TestEvent& event : events) {
      for (const std::string& id : event.seats) {
        const std::string state =
            sql.value("select state || ' ' || coalesce(reservation::text, '') from holdfast.seats where id = $1", {id});
        for (const auto& node : nodes_) {
          Client client = node->connect();
          const Json shown = seat(client, id);
          const Json* const owner = shown.as_object().if_contains("reservationId");
          EXPECT_EQ(string_of(shown.at("state")) + " " + (owner == nullptr || owner->is_null() ? "" : string_of(*owner)), state) << id;
        }
      }
    }
  }
};

// Then answers are lost: those since the copy. Nothing else is, and the nodes go on with what there is.
TEST_F(FaultsOfServer, ThatGoesBackToAnOlderCopyLoseOnlyWhatCameAfterTheCopy) {
  start_nodes(2);
  const std::vector<TestEvent> events = new_events();
  Buyers before(nodes_, new_events(), random_());
  EXPECT_TRUE(before.goes_on());
  before.stop();
  EXPECT_THAT(before.complaints(), IsEmpty());
  postgres_->keep_copy();
  expect_ready();

  Buyers meanwhile(nodes_, events, random_());
  EXPECT_TRUE(meanwhile.goes_on());
  for (const auto& network : networks_) network->begin_faults();
  postgres_->go_back_to_copy();
  EXPECT_TRUE(eventually([&] { return tally().total() >= k_faults / 10; }, k_patience_for_faults));
  for (const auto& network : networks_) network->end_faults();
  expect_service(meanwhile);
  meanwhile.stop();
  EXPECT_GT(sum_of("holdfast_postgresql_histories_changed_total"), 0);
  EXPECT_THAT(before.differences(database_->url()), IsEmpty());
  EXPECT_THAT(meanwhile.differences(database_->url()), Not(IsEmpty())) << "nothing was lost, so nothing was tested";
  expect_shown(events);
  end_history();   // what was answered and is lost is in it

  play(tally().total() + k_faults / 10);
  stop_and_verify();
}

// The judges of the tests above can tell: a database that forgets what it says it has committed.
TEST_F(Faults, OfADatabaseThatForgetsCommitsAreFound) {
  start_nodes(1);
  Buyers buyers(nodes_, new_events(), random_());
  ASSERT_TRUE(buyers.goes_on());
  networks_[0]->lose_commits();
  ASSERT_TRUE(buyers.goes_on());
  buyers.stop();
  EXPECT_THAT(buyers.complaints(), Not(IsEmpty()));
  EXPECT_THAT(buyers.differences(database_->url()), Not(IsEmpty()));
  const auto checked = check_history();
  if (!checked) GTEST_SKIP() << "the checker was not built; linearizability.the_checker_finds_what_is_wrong says why";
  EXPECT_EQ(checked->status, 1) << checked->everything();
  EXPECT_THAT(checked->out, HasSubstr("NOT LINEARIZABLE"));
}

}   // namespace
}   // namespace holdfast::test
