#include <gtest/gtest.h>

#include <set>

#include "lock/redis/breaker.h"

namespace holdfast::lock {
namespace {

using namespace std::chrono_literals;

constexpr Breaker::Options k_options{.failures_max = 3, .pause_first = 100ms, .pause_max = 400ms};
constexpr Breaker::Time k_begin{};

Breaker opened() {
  Breaker breaker(k_options, 1);
  for (int i = 0; i < 3; ++i) breaker.failed(k_begin);
  return breaker;
}

TEST(Breaker, OpensAfterSomeFailuresInARow) {
  Breaker breaker(k_options, 1);
  for (int i = 0; i < 10; ++i) {
    breaker.failed(k_begin);
    breaker.failed(k_begin);
    EXPECT_TRUE(breaker.admits());
    breaker.succeeded();
  }
  for (int i = 0; i < 3; ++i) breaker.failed(k_begin);
  EXPECT_FALSE(breaker.admits());
}

TEST(Breaker, LetsOneProbeThroughAfterItsPause) {
  Breaker breaker = opened();
  EXPECT_FALSE(breaker.may_probe(k_begin + 49ms));
  EXPECT_TRUE(breaker.may_probe(k_begin + 100ms));
  EXPECT_EQ(breaker.state(), Breaker::State::half_open);
  EXPECT_FALSE(breaker.may_probe(k_begin + 200ms)) << "one probe at a time";
  EXPECT_FALSE(breaker.admits()) << "requests wait for the probe";
  breaker.probe_succeeded();
  EXPECT_TRUE(breaker.admits());
}

TEST(Breaker, PausesLongerAfterEachFailedProbeUpToALimit) {
  Breaker breaker = opened();
  Breaker::Time now = k_begin;
  for (const auto longest : {100ms, 200ms, 400ms, 400ms}) {
    const auto pause = breaker.probe_at() - now;
    EXPECT_GE(pause, longest / 2);
    EXPECT_LE(pause, longest);
    now = breaker.probe_at();
    ASSERT_TRUE(breaker.may_probe(now));
    breaker.failed(now);
  }
}

TEST(Breaker, VariesItsPauses) {
  std::set<Breaker::Time> times;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Breaker breaker(k_options, seed);
    for (int i = 0; i < 3; ++i) breaker.failed(k_begin);
    times.insert(breaker.probe_at());
  }
  EXPECT_GT(times.size(), 10u);
}

TEST(Breaker, OpensAtTheFirstFailureAfterAProbeAndNotAfterARequestThatSucceeded) {
  Breaker breaker = opened();
  ASSERT_TRUE(breaker.may_probe(breaker.probe_at()));
  breaker.probe_succeeded();
  breaker.failed(k_begin);
  EXPECT_FALSE(breaker.admits()) << "a server that answers a probe and no request";

  ASSERT_TRUE(breaker.may_probe(breaker.probe_at()));
  breaker.probe_succeeded();
  breaker.succeeded();
  breaker.failed(k_begin);
  EXPECT_TRUE(breaker.admits());
}

TEST(Breaker, IgnoresAnswersToRequestsFromBeforeItOpened) {
  Breaker breaker = opened();
  breaker.succeeded();
  EXPECT_FALSE(breaker.admits());
  ASSERT_TRUE(breaker.may_probe(breaker.probe_at()));
  breaker.failed(k_begin);   // an old request
  breaker.probe_succeeded();
  EXPECT_EQ(breaker.state(), Breaker::State::open);
}

}  // namespace
}  // namespace holdfast::lock
