// Durations, sorted into ranges and read back; and series with their intervals.
#include <gtest/gtest.h>

#include <cmath>

#include "api/desk/latency_histogram.h"
#include "api/desk/statistics.h"
#include "json/json.h"
#include "ledger/ledger_in_test.h"
#include "support/json.h"

namespace holdfast::test {
namespace {

using api::k_latency_halvings;
using api::k_latency_ranges;
using api::latency_begin_ms;
using api::latency_range_of;
using api::LatencyCounts;
using api::LatencyHistogram;
using api::Quantiles;
using api::quantiles_of;
using api::Resolution;
using api::Statistics;
using api::ThreadCounters;
using api::Traffic;

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
    // Below 16 units, ranges are one unit wide.
    if (range >= k_latency_halvings) EXPECT_LE((end_ns - begin_ns) / begin_ns, 1.0 / 16 + 1e-9) << range;
  }
}

TEST(LatencyRanges, TheLongestTimesAreInTheLastOne) {
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

TEST(Quantiles, OneSlowRequestAmongManyIsTheMaximumAndNotTheNinetyNinth) {
  LatencyHistogram took;
  for (int i = 0; i < 1'000; ++i) took.record(microseconds(100));
  took.record(seconds(2));
  const Quantiles found = quantiles_of(took.counts());
  EXPECT_LT(found.p99, 0.12F);
  EXPECT_GT(found.max, 1'900);
}

TEST(Quantiles, OfADifferenceCoverOnlyWhatCameInBetween) {
  LatencyHistogram took;
  took.record(milliseconds(500));
  const LatencyCounts before = took.counts();
  took.record(milliseconds(1));
  const Quantiles found = quantiles_of(took.counts() - before);
  EXPECT_EQ(found.count, 1U);
  EXPECT_LT(found.max, 1.1F);
}

TEST(Quantiles, AClockThatGoesBackCountsAsZero) {
  LatencyHistogram took;
  took.record(nanoseconds(-5));
  EXPECT_EQ(took.counts().counts[0], 1U);
}

// ---------------------------------------------------------------------------------------------------------------- series

class Series : public testing::Test {
 protected:
  void SetUp() override { statistics.begin(it.ledger()); }

  void pass(Millis millis) {
    time.pass(millis);
    statistics.sample(it.ledger());
  }
  Json series(Resolution resolution, Millis since = 0) const {
    std::string text;
    holdfast::Json json(text);
    json.object([&] { statistics.append_series(json, resolution, since); });
    return parse_json(text);
  }
  static std::vector<std::int64_t> numbers(const Json& column) {
    std::vector<std::int64_t> list;
    for (const Json& value : column.as_array()) list.push_back(value.to_number<std::int64_t>());
    return list;
  }

  LedgerFolder folder;
  TestTime time;
  LedgerInTest it{folder, time};
  EventNumber event = it.create_event(50);
  Statistics statistics;
  ThreadCounters& counters = statistics.add_thread();
};

using Numbers = std::vector<std::int64_t>;

TEST_F(Series, ALateSampleReportsItsLongerInterval) {
  pass(1'000);
  ASSERT_TRUE(it.hold(event, it.new_id(event), {1}).accepted());
  pass(3'000);
  pass(1'000);
  const Json now = series(Resolution::second);
  EXPECT_EQ(numbers(now.at("seconds")), (Numbers{1, 3, 1}));
  EXPECT_EQ(numbers(now.at("changes").at("held")), (Numbers{0, 1, 0}));
  EXPECT_EQ(string_of(now.at("at").at(1)), rfc3339(k_begin + 4'000));
}

TEST_F(Series, TwoSamplesInOneSecondCountAsOne) {
  pass(1'000);
  ASSERT_TRUE(it.hold(event, it.new_id(event), {1}).accepted());
  pass(300);
  pass(300);
  pass(400);
  EXPECT_EQ(numbers(series(Resolution::second).at("changes").at("held")), (Numbers{0, 1}));
}

TEST_F(Series, CoverTheLastQuarterOfAnHour) {
  for (int second = 0; second < 1'000; ++second) pass(1'000);
  const Json now = series(Resolution::second);
  EXPECT_EQ(now.at("at").as_array().size(), Statistics::k_seconds_kept);
  EXPECT_EQ(string_of(now.at("at").at(0)), rfc3339(k_begin + 101'000));
  EXPECT_EQ(string_of(now.at("asOf")), rfc3339(k_begin + 1'000'000));
  // After a pause as long as the ring, only later samples are left.
  pass(2'000'000);
  EXPECT_EQ(series(Resolution::second).at("at").as_array().size(), 1U);
}

TEST_F(Series, CoverTheMinutesOfOneDay) {
  for (int minute = 0; minute < 1'500; ++minute) pass(60'000);
  const Json now = series(Resolution::minute);
  EXPECT_EQ(now.at("at").as_array().size(), Statistics::k_minutes_kept);
  EXPECT_EQ(Statistics::k_minutes_kept, 1'440U);
}

TEST_F(Series, MinutesAreTheSumsOfTheirSeconds) {
  counters.answered(Traffic::command, 201, "", milliseconds(4));
  for (int second = 0; second < 30; ++second) pass(1'000);
  ASSERT_TRUE(it.hold(event, it.new_id(event), {1, 2}).accepted());
  counters.answered(Traffic::command, 409, "seat_unavailable", milliseconds(1));
  counters.answered(Traffic::command, 409, "a code of later", milliseconds(1));
  for (int second = 0; second < 90; ++second) pass(1'000);
  const Json now = series(Resolution::minute);
  EXPECT_EQ(numbers(now.at("seconds")), (Numbers{60, 60}));
  EXPECT_EQ(numbers(now.at("seats").at("held")), (Numbers{2, 0}));
  EXPECT_EQ(numbers(now.at("refusals").at("seat_unavailable")), (Numbers{1, 0}));
  EXPECT_EQ(numbers(now.at("refusals").at("other")), (Numbers{1, 0}));
  EXPECT_EQ(numbers(now.at("commands").at("count")), (Numbers{3, 0}));
  EXPECT_NEAR(now.at("commands").at("maxMs").at(0).to_number<double>(), 4, 0.3);
  EXPECT_TRUE(now.at("commands").at("maxMs").at(1).is_null());
  EXPECT_EQ(series(Resolution::minute, k_begin + 60'000).at("at").as_array().size(), 1U);
}

TEST_F(Series, AnExpiryThatAHoldRecordsCountsOnce) {
  ASSERT_TRUE(it.hold(event, it.new_id(event), {1}, "anna", 500).accepted());
  pass(1'000);
  ASSERT_TRUE(it.hold(event, it.new_id(event), {1}).accepted());
  pass(1'000);
  EXPECT_EQ(numbers(series(Resolution::second).at("changes").at("expired")), (Numbers{0, 1}));
  EXPECT_EQ(numbers(series(Resolution::second).at("seats").at("expired")), (Numbers{0, 1}));
}

}  // namespace
}  // namespace holdfast::test
