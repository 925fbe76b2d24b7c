// Time is the database's: nodes whose own clocks are minutes apart agree on when a hold ends.
#include <gtest/gtest.h>

#include "cluster/cluster.h"
#include "cluster/load.h"

namespace holdfast::test {
namespace {

// A node whose wall clock is off by so much, by libfaketime. Its monotonic clock is unaffected.
std::map<std::string, std::string> clock_off_by(const std::string& offset) {
  return {{"LD_PRELOAD", HOLDFAST_FAKETIME}, {"FAKETIME", offset}, {"FAKETIME_DONT_FAKE_MONOTONIC", "1"}, {"FAKETIME_NO_CACHE", "0"}};
}

class Clocks : public ::testing::Test {
 protected:
  // The first two do not publish: under libfaketime, librdkafka's timed waits end late by the offset.
  Clocks() : cluster({.environments = {clock_off_by("+7m"), clock_off_by("-7m"), {}}, .without_feed = {0, 1}}) {}

  double seconds_left(const std::string& expires_at) {
    return std::stod(sql.value("select extract(epoch from $1::timestamptz - clock_timestamp())", {expires_at}));
  }

  Cluster cluster;
  Sql sql{cluster.ledger_url()};
  Client client = cluster.client(2);
  TestEvent event = make_event(client, 200);
};

TEST_F(Clocks, MinutesApartGiveHoldsTheSameTime) {
  for (std::size_t node = 0; node < cluster.count(); ++node) {
    Client asked = cluster.client(node);
    const Answer answer = reserve(asked, event[node], "c");
    ASSERT_EQ(answer.status, 201) << answer;
    const double left = seconds_left(string_of(answer.json().at("expiresAt")));
    EXPECT_LE(left, 900.0);
    EXPECT_GT(left, 900.0 - std::chrono::duration<double>(k_patience).count()) << "node " << node;
  }
}

TEST_F(Clocks, MinutesApartEndAHoldOnTime) {
  Client fast = cluster.client(0);
  Client slow = cluster.client(1);
  const Answer held = hold(slow, "c", {event[0]}, R"("holdSeconds":4)");
  ASSERT_EQ(held.status, 201) << held;
  const std::string expires_at = string_of(held.json().at("expiresAt"));
  // The hold is refused as long as it runs by the database's clock, and accepted from then on, on every node.
  for (std::size_t tries = 0;; ++tries) {
    Client asked = cluster.client(tries % cluster.count());
    const double left_before = seconds_left(expires_at);
    const Answer taken = reserve(asked, event[0], "d");
    const double left_after = seconds_left(expires_at);
    if (taken.status == 201) {
      EXPECT_LE(left_after, 0.001) << "taken before its time was over";
      break;
    }
    ASSERT_EQ(taken.status, 409) << taken;
    ASSERT_GT(left_before, 0.0) << "refused although its time was over";
  }
  EXPECT_EQ(string_of(reservation(fast, string_of(held.json().at("id"))).at("status")), "expired");
  EXPECT_EQ(string_of(reservation(slow, string_of(held.json().at("id"))).at("status")), "expired");
  cluster.verify({event});
}

TEST_F(Clocks, MinutesApartSellNothingTwiceUnderLoad) {
  Load load(cluster, event);
  ASSERT_TRUE(load.goes_on(500));
  load.stop();
  load.expect_kept(client);
  cluster.verify({event});
}

}   // namespace
}   // namespace holdfast::test
