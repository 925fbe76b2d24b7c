// PostgreSQL goes away under three nodes and comes back: 503 with Retry-After meanwhile, nothing that was answered is lost, service returns
// by itself.
#include <gtest/gtest.h>

#include "cluster/cluster.h"
#include "cluster/load.h"

namespace holdfast::test {
namespace {

constexpr std::size_t k_seats = 200;

bool is_ready(Cluster& cluster, std::size_t node) { return cluster.client(node).get("/readyz").status == 200; }

TEST(PostgresAway, ARestartAtOnceUnderLoadLosesNothingThatWasAnsweredAndSellsNothingTwice) {
  Cluster cluster({.own_postgres = true});
  Client client = cluster.client(0);
  const TestEvent event = make_event(client, k_seats);
  Load load(cluster, event);
  for (int restart = 0; restart < (k_is_sanitized ? 2 : 4); ++restart) {
    ASSERT_TRUE(load.goes_on(200));
    cluster.postgres().restart_immediately();
  }
  ASSERT_TRUE(load.goes_on(200));
  load.stop();
  load.expect_kept(client);
  EXPECT_EQ(load.without_retry_after(), 0U);
  EXPECT_EQ(load.lost(), 0U) << "a node closed connections, or ended";
  std::cout << load.accepted() << " accepted, " << load.refused() << " refused, " << load.unavailable() << " times 503, slowest "
            << load.slowest().count() << " ms\n";
  cluster.verify({event});
}

TEST(PostgresAway, NodesSay503WithRetryAfterAreNotReadyAndComeBackByThemselves) {
  Cluster cluster({.own_postgres = true});
  Client client = cluster.client(0);
  const TestEvent event = make_event(client, 10);
  ASSERT_EQ(reserve(client, event[0], "c").status, 201);

  cluster.postgres().stop_immediately();
  for (std::size_t node = 0; node < cluster.count(); ++node) {
    Client asking = cluster.client(node);
    const Answer refused = reserve(asking, event[1], "c");
    EXPECT_EQ(refused.status, 503) << refused;
    EXPECT_FALSE(refused.header("Retry-After").empty()) << refused;
    EXPECT_TRUE(eventually([&] { return asking.get("/readyz").status == 503; }));
    EXPECT_EQ(asking.get("/healthz").status, 200);
    EXPECT_EQ(metric(asking, "holdfast_readiness", {"state=\"not_ready\""}), 1);
  }

  cluster.postgres().start();
  for (std::size_t node = 0; node < cluster.count(); ++node) {
    EXPECT_TRUE(eventually([&] { return is_ready(cluster, node); }));
  }
  EXPECT_EQ(seat_state(client, event[0]), "held") << "no hold is forgotten";
  Client other = cluster.client(1);
  EXPECT_EQ(reserve(other, event[0], "d").status, 409);
  EXPECT_EQ(reserve(other, event[1], "d").status, 201);
  cluster.verify({event});
}

TEST(PostgresAway, APausedPostgresBlocksNoRequestForEverAndSellsNothingTwice) {
  Cluster cluster({.own_postgres = true});
  Client client = cluster.client(0);
  const TestEvent event = make_event(client, k_seats);
  Load load(cluster, event);
  ASSERT_TRUE(load.goes_on(100));
  cluster.postgres().pause();
  const std::size_t before = load.unavailable();
  // 10 s until the connection counts as lost, and 10 s to look for a commit that was in flight.
  EXPECT_TRUE(eventually([&] { return load.unavailable() > before; }, 2 * k_patience)) << "nobody was told that it cannot be done now";
  cluster.postgres().resume();
  ASSERT_TRUE(load.goes_on(100));
  load.stop();
  load.expect_kept(client);
  cluster.verify({event});
}

}   // namespace
}   // namespace holdfast::test
