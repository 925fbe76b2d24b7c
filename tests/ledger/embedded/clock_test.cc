// The embedded ledger's clock: holds keep their time whatever the wall clock does.
#include "ledger/embedded/clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

// Lets time pass in steps of a second, and compares the clocks in each, as the server does. Returns the reports.
std::vector<Millis> run(TestTime& time, LedgerClock& clock, Millis duration) {
  std::vector<Millis> reports;
  for (Millis passed = 0; passed < duration; passed += 1'000) {
    const Millis before = clock.now();
    time.pass(1'000);
    if (const auto step = clock.compare()) reports.push_back(*step);
    const Millis moved = clock.now() - before;
    EXPECT_GE(moved, 999);    // 500 ppm of a second is half a millisecond
    EXPECT_LE(moved, 1'001);
  }
  return reports;
}

TEST(Clock, StartsAtTheWallTimeAndFollowsTheBootClock) {
  TestTime time;
  LedgerClock clock(time, 0);
  EXPECT_EQ(clock.now(), k_begin);
  EXPECT_TRUE(run(time, clock, k_hour).empty());
  EXPECT_EQ(clock.now(), k_begin + k_hour);
}

TEST(Clock, DoesNotStartBeforeTheLastRecordedTime) {
  TestTime time;
  LedgerClock clock(time, k_begin + k_day);
  EXPECT_EQ(clock.now(), k_begin + k_day);
  time.pass(10);
  EXPECT_EQ(clock.now(), k_begin + k_day + 10);
  EXPECT_EQ(clock.compare(), -k_day);   // reports that the wall clock is behind
}

TEST(Clock, AStepForwardIsReportedOnceAndFollowedByAtMost500Ppm) {
  TestTime time;
  LedgerClock clock(time, 0);
  run(time, clock, 10'000);
  time.step_wall(3 * k_hour);
  const Millis at_step = clock.now();
  EXPECT_EQ(at_step, k_begin + 10'000);
  EXPECT_EQ(run(time, clock, 2 * k_hour), std::vector<Millis>{3 * k_hour});
  const Millis slewed = clock.now() - at_step - 2 * k_hour;
  EXPECT_GT(slewed, 3'500);   // 500 ppm of two hours are 3.6 s
  EXPECT_LE(slewed, 3'600);
}

TEST(Clock, AStepBackIsReportedOnceAndNeverMakesTimeGoBack) {
  TestTime time;
  LedgerClock clock(time, 0);
  run(time, clock, 10'000);
  time.step_wall(-3 * k_hour);
  const Millis at_step = clock.now();
  EXPECT_EQ(run(time, clock, 2 * k_hour), std::vector<Millis>{-3 * k_hour});
  const Millis slewed = clock.now() - at_step - 2 * k_hour;
  EXPECT_LT(slewed, -3'500);
  EXPECT_GE(slewed, -3'600);
}

TEST(Clock, AStepBackToTheOldTimeIsASecondStep) {
  TestTime time;
  LedgerClock clock(time, 0);
  time.step_wall(k_hour);
  EXPECT_EQ(clock.compare(), k_hour);
  time.step_wall(-k_hour);
  EXPECT_EQ(clock.compare(), 0);
  EXPECT_TRUE(run(time, clock, 60'000).empty());
}

TEST(Clock, ASmallDifferenceIsSlewedWithoutAReport) {
  TestTime time;
  LedgerClock clock(time, 0);
  time.step_wall(100);
  EXPECT_TRUE(run(time, clock, 600'000).empty());   // 200 s would be enough
  EXPECT_NEAR(static_cast<double>(clock.now() - (k_begin + 100 + 600'000)), 0, 1.5);
}

TEST(Clock, ADriftIsReportedOnceItIsAsLargeAsAStep) {
  TestTime time;
  LedgerClock clock(time, 0);
  std::vector<Millis> reports;
  for (int second = 0; second < 3'600; ++second) {
    time.step_wall(2);   // 2,000 ppm too fast
    for (const Millis report : run(time, clock, 1'000)) reports.push_back(report);
  }
  ASSERT_FALSE(reports.empty());
  EXPECT_NEAR(static_cast<double>(reports.front()), 500, 3);
}

// Nobody compares the clocks while a machine sleeps: a slew must still end when the difference is made good.
TEST(Clock, ASuspendCountsInFullAndSlewsNoFurtherThanTheDifference) {
  TestTime time;
  LedgerClock clock(time, 0);
  time.step_wall(10);
  EXPECT_EQ(clock.compare(), std::nullopt);
  time.suspend(8 * k_hour);
  EXPECT_EQ(clock.now(), k_begin + 8 * k_hour + 10);
  EXPECT_EQ(clock.compare(), std::nullopt);
}

TEST(Clock, NeverGoesBackInAnyThreadWhileTheSlewChanges) {
  TestTime time;
  LedgerClock clock(time, 0);
  std::atomic<bool> done{false};
  std::atomic<Millis> seen{0};   // the latest that any thread has seen
  std::atomic<bool> went_back{false};
  std::vector<std::jthread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        const Millis at_least = seen;
        const Millis now = clock.now();
        if (now < at_least) went_back = true;
        Millis known = seen;
        while (known < now && !seen.compare_exchange_weak(known, now)) {}
      }
    });
  }
  for (int i = 0; i < 20'000; ++i) {
    time.step_wall(i % 2 == 0 ? k_hour : -k_hour);
    time.pass(i % 3);
    clock.compare();
  }
  done = true;
  readers.clear();
  EXPECT_FALSE(went_back);
}

// ---------------------------------------------------------------------------------------------------------------- holds

TEST(ClockOfTheLedger, AHoldEndsInItsMillisecondWhateverTheWallClockDoes) {
  for (const Millis step : {5 * k_hour, -5 * k_hour}) {
    LedgerFolder folder;
    TestTime time;
    LedgerInTest it(folder, time);
    const EventNumber event = it.create_event(4);
    const Uuid first = it.new_id(event);
    ASSERT_TRUE(it.hold(event, first, {1}, "anna", 60'000).accepted());
    time.step_wall(step);
    time.pass(59'999);   // nobody has compared the clocks yet: no slew
    EXPECT_EQ(told(it.hold(event, it.new_id(event), {1}, "ben")), "seat_unavailable 1");
    EXPECT_EQ(it.ledger().event(event)->seat(1, it.ledger().now()).state, SeatState::held);
    time.pass(1);
    EXPECT_EQ(it.ledger().event(event)->seat(1, it.ledger().now()).state, SeatState::available);
    EXPECT_EQ(told(it.hold(event, it.new_id(event), {1}, "ben")), "accepted");
  }
}

TEST(ClockOfTheLedger, AHoldThatEndedDuringASuspendIsOver) {
  LedgerFolder folder;
  TestTime time;
  LedgerInTest it(folder, time);
  const EventNumber event = it.create_event(4);
  const Uuid id = it.new_id(event);
  ASSERT_TRUE(it.hold(event, id, {1}, "anna", 15 * k_minute).accepted());
  time.suspend(8 * k_hour);
  EXPECT_EQ(it.ledger().until_next_expiry({}), milliseconds(0));
  EXPECT_EQ(told(it.consume(event, id)), "reservation_expired");
}

TEST(ClockOfTheLedger, AfterARestartWithTheWallClockADayBackTimeGoesOnFromTheLastRecorded) {
  LedgerFolder folder;
  TestTime time;
  LedgerInTest it(folder, time);
  const EventNumber event = it.create_event(4);
  const Uuid id = it.new_id(event);
  ASSERT_TRUE(it.hold(event, id, {1}, "anna", 60'000).accepted());
  const Millis recorded = it.ledger().now();
  it.close();
  time.step_wall(-k_day);
  it.reopen();
  EXPECT_EQ(it.ledger().now(), recorded);
  EXPECT_EQ(it.ledger().compare_clocks(), -k_day);
  time.pass(59'000);
  EXPECT_EQ(told(it.hold(event, it.new_id(event), {1}, "ben")), "seat_unavailable 1");
  time.pass(1'100);   // and 30 ms for 60 s of a slew of 500 ppm
  EXPECT_EQ(told(it.hold(event, it.new_id(event), {1}, "ben")), "accepted");
}

TEST(ClockOfTheLedger, AfterARestartThatTookLongHoldsThatEndedMeanwhileAreOver) {
  LedgerFolder folder;
  TestTime time;
  LedgerInTest it(folder, time);
  const EventNumber event = it.create_event(4);
  const Uuid id = it.new_id(event);
  ASSERT_TRUE(it.hold(event, id, {1}, "anna", 60'000).accepted());
  it.close();
  time.pass(60'000);
  it.reopen();
  EXPECT_EQ(it.ledger().reservation(id)->status, ReservationStatus::expired);
  EXPECT_EQ(it.ledger().events_to_sweep(10, {}), std::vector<EventNumber>{event});
  EXPECT_EQ(it.sweep(event).swept, 1u);
  EXPECT_EQ(it.ledger().until_next_expiry({}), std::nullopt);
}

}  // namespace
}  // namespace holdfast::test
