// How long things took, sorted into ranges and read back; and series that keep what they promise.
#include <gtest/gtest.h>

#include <cmath>

#include "api/latency_histogram.h"
#include "api/statistics.h"

namespace holdfast::api {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(LatencyRanges, HaveNoGapsAndNoOverlapsAndAreAtMostASixteenthWide) {
  for (std::size_t range = 0; range < k_latency_ranges; ++range) {
    const double begin_ns = latency_begin_ms(range) * 1e6;
    const double end_ns = latency_begin_ms(range + 1) * 1e6;
    ASSERT_LT(begin_ns, end_ns) << range;
    EXPECT_EQ(latency_range_of(static_cast<std::uint64_t>(std::llround(begin_ns))), range);
    EXPECT_EQ(latency_range_of(static_cast<std::uint64_t>(std::llround(end_ns)) - 1), range);
    // Below 16 units a unit is all that can be told apart.
    if (range >= k_latency_halvings) EXPECT_LE((end_ns - begin_ns) / begin_ns, 1.0 / 16 + 1e-9) << range;
  }
}

TEST(LatencyRanges, WhatTakesLongerThanAnythingIsInTheLastOne) {
  EXPECT_EQ(latency_range_of(UINT64_MAX), k_latency_ranges - 1);
  EXPECT_GT(latency_begin_ms(k_latency_ranges), 30'000);
}

TEST(Quantiles, OfNothingAreNothing) {
  const Quantiles none = quantiles_of({});
  EXPECT_EQ(none.count, 0U);
  EXPECT_EQ(none.max, 0);
}

TEST(Quantiles, AreRightToAboutASixteenth) {
  LatencyHistogram took;
  for (int us = 1; us <= 10'000; ++us) took.record(microseconds(us));
  const Quantiles found = quantiles_of(took.counts());
  EXPECT_EQ(found.count, 10'000U);
  EXPECT_NEAR(found.p50, 5.0, 5.0 / 16);
  EXPECT_NEAR(found.p99, 9.9, 9.9 / 16);
  EXPECT_GE(found.max, 10.0F);
  EXPECT_LE(found.max, 10.0F * 17 / 16);
}

TEST(Quantiles, OneSlowAmongManyIsTheLongestAndNotTheNinetyNinth) {
  LatencyHistogram took;
  for (int i = 0; i < 1'000; ++i) took.record(microseconds(100));
  took.record(seconds(2));
  const Quantiles found = quantiles_of(took.counts());
  EXPECT_LT(found.p99, 0.12F);
  EXPECT_GT(found.max, 1'900);
}

TEST(Quantiles, OfADifferenceAreThoseOfWhatCameBetween) {
  LatencyHistogram took;
  took.record(milliseconds(500));
  const LatencyCounts before = took.counts();
  took.record(milliseconds(1));
  const Quantiles found = quantiles_of(took.counts() - before);
  EXPECT_EQ(found.count, 1U);
  EXPECT_LT(found.max, 1.1F);
}

TEST(Quantiles, AClockThatWentBackIsNoTimeAtAll) {
  LatencyHistogram took;
  took.record(nanoseconds(-5));
  EXPECT_EQ(took.counts().counts[0], 1U);
}

}  // namespace
}  // namespace holdfast::api
