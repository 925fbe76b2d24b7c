// Kafka under three nodes: away for a minute, and with two nodes that both believe they are the publisher. And the size of one
// node's metrics.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iostream>

#include "cluster/cluster.h"
#include "cluster/feed_check.h"
#include "cluster/load.h"

namespace holdfast::test {
namespace {

constexpr std::size_t k_seats = 200;

// The node that publishes now, other than `except`. Nothing if none does.
std::optional<std::size_t> publisher(Cluster& cluster, std::optional<std::size_t> except = std::nullopt) {
  for (std::size_t node = 0; node < cluster.count(); ++node) {
    if (node == except) continue;
    Client client = cluster.client(node);
    if (metric(client, "holdfast_feed_publishing") == 1) return node;
  }
  return std::nullopt;
}

TEST(Feed, PublishesEverythingInOrderAfterAMinuteWithoutKafka) {
  Cluster cluster({.own_kafka = true});
  Client client = cluster.client(0);
  const TestEvent event = make_event(client, k_seats);
  Load load(cluster, event, {}, 2);
  ASSERT_TRUE(load.goes_on(50));
  ASSERT_TRUE(eventually([&] { return publisher(cluster).has_value(); }, 6 * k_patience));
  cluster.kafka().stop();
  // The one sleep that is meant: longer than the timeouts of librdkafka and of a transaction.
  const auto until = Clock::now() + milliseconds{k_is_sanitized ? 15'000 : 60'000};
  while (Clock::now() < until) ASSERT_TRUE(load.goes_on(5)) << "nobody waits for Kafka";
  double lag = 0;
  for (std::size_t node = 0; node < cluster.count(); ++node) {
    Client asked = cluster.client(node);
    lag = std::max(lag, metric(asked, "holdfast_feed_lag_changes"));
  }
  EXPECT_GT(lag, 0) << "the lag is a metric";
  // Each on a new connection: an idle one would be closed in the meantime.
  EXPECT_EQ(cluster.client(0).get("/readyz").status, 200);
  cluster.kafka().start();
  ASSERT_TRUE(load.goes_on(50));
  load.stop();
  EXPECT_EQ(load.unavailable(), 0U);
  Client afterwards = cluster.client(0);
  load.expect_kept(afterwards);
  cluster.verify({event});
}

TEST(Feed, PublishesChangesOfEventsThatOnlyAnotherNodeServes) {
  Cluster cluster;
  std::optional<std::size_t> publishing;
  ASSERT_TRUE(eventually([&] { return (publishing = publisher(cluster)).has_value(); }, 6 * k_patience));
  Client other = cluster.client((*publishing + 1) % cluster.count());
  const TestEvent event = make_event(other, 10);
  const Answer held = hold(other, "c", {event[0]});
  ASSERT_EQ(held.status, 201) << held;
  const std::string path = "/v1/reservations/" + string_of(held.json().at("id"));
  ASSERT_EQ(other.post(path + "/add", R"({"seatIds":)" + json_of(std::vector{event[1]}) + "}").status, 200);
  ASSERT_EQ(other.post(path + "/release", "{}").status, 200);
  KafkaReader reader(cluster.bootstrap(), {cluster.topic("reservation-created"), cluster.topic("reservation-released")});
  EXPECT_TRUE(reader.read_until([&] { return reader.messages().size() >= 4; }, 3 * k_patience))
      << reader.messages().size() << " messages came";
  EXPECT_EQ(publisher(cluster), publishing) << "it was to be another node's event";
  cluster.verify({event});
}

TEST(Feed, FencesTheOlderOfTwoRelaysSoThatEachMessageIsReadOnce) {
  if (!has_real_kafka()) GTEST_SKIP() << "the mock cluster of librdkafka fences nobody";
  Cluster cluster;
  Client client = cluster.client(0);
  const TestEvent event = make_event(client, k_seats);
  for (int pause = 0; pause < (k_is_sanitized ? 1 : 2); ++pause) {
    std::optional<std::size_t> older;
    ASSERT_TRUE(eventually([&] { return (older = publisher(cluster)).has_value(); }, 6 * k_patience));
    std::vector<std::size_t> others;
    for (std::size_t node = 0; node < cluster.count(); ++node) {
      if (node != older) others.push_back(node);
    }
    // The node is paused in the middle of its work: there are changes that it has not published.
    Load load(cluster, event, others);
    ASSERT_TRUE(load.goes_on(300));
    Paused paused(cluster.at(*older).process());
    std::optional<std::size_t> younger;
    EXPECT_TRUE(eventually([&] { return (younger = publisher(cluster, older)).has_value(); }, 3 * k_patience)) << "another one takes over";
    EXPECT_TRUE(load.goes_on(100));
    paused.resume();   // with everything in its queue
    EXPECT_TRUE(load.goes_on(300));
    load.stop();
    if (HasFailure()) return;
    EXPECT_TRUE(eventually([&] {
      Client asked = cluster.client(*older);
      return metric(asked, "holdfast_feed_publishing") == 0;
    })) << "the older one notices";
    Client asked = cluster.client(others[0]);
    load.expect_kept(asked);
    for (const std::string& reservation : load.reservations()) {
      EXPECT_EQ(asked.post("/v1/reservations/" + reservation + "/release", "{}").status, 200);
    }
  }
  cluster.verify({event});
}

// As in tests/contract for a node with the embedded ledger: what an operator's Prometheus fetches each time.
TEST(Metrics, OfAFreshNodeWithDatabaseLockAndFeedAreBelow50Kilobytes) {
  Cluster cluster({.nodes = 1});
  Client client = cluster.client(0);
  ASSERT_TRUE(eventually([&] { return publisher(cluster).has_value(); }, 6 * k_patience));
  const Answer text = client.get("/metrics");
  ASSERT_EQ(text.status, 200);
  EXPECT_LT(text.body.size(), 50U * 1'000U);
  for (const char* name : {"holdfast_postgresql_", "holdfast_lock_", "holdfast_feed_"}) EXPECT_THAT(text.body, testing::HasSubstr(name));
}

}   // namespace
}   // namespace holdfast::test
