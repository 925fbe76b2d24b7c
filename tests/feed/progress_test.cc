// Reports about work that does not progress: the age of the oldest of it, and the events that are left out.
#include <gmock/gmock.h>

#include "feed/backlog.h"
#include "ledger/failing_events.h"

namespace holdfast::feed {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

const Backlog::Timer::time_point k_start{seconds(1'000)};

TEST(BacklogTest, IsEmptyUntilThereIsWork) {
  Backlog backlog;
  EXPECT_FALSE(backlog.oldest());
  backlog.done(7);
  backlog.wanted(7, k_start);
  EXPECT_FALSE(backlog.oldest());
}

TEST(BacklogTest, CountsFromTheLookThatFoundTheOldest) {
  Backlog backlog;
  backlog.wanted(10, k_start);
  backlog.wanted(20, k_start + seconds(1));
  backlog.wanted(20, k_start + seconds(2));
  EXPECT_EQ(backlog.oldest(), k_start);
  backlog.done(9);
  EXPECT_EQ(backlog.oldest(), k_start) << "10 still waits";
  backlog.done(10);
  EXPECT_EQ(backlog.oldest(), k_start + seconds(1));
  backlog.done(20);
  EXPECT_FALSE(backlog.oldest());
}

TEST(BacklogTest, WorkThatKeepsUpIsNeverOld) {
  Backlog backlog;
  for (unsigned i = 1; i < 5'000; ++i) {
    backlog.wanted(i * 10, k_start + seconds(i));
    backlog.done((i - 1) * 10);
    EXPECT_EQ(backlog.oldest(), k_start + seconds(i));
  }
}

TEST(BacklogTest, WorkThatStandsStillGetsOlderAndItsMemoryDoesNotGrow) {
  Backlog backlog;
  for (unsigned i = 0; i < 5'000; ++i) backlog.wanted(i + 1, k_start + seconds(i));
  EXPECT_EQ(backlog.oldest(), k_start);
  EXPECT_EQ(age_of(backlog.oldest(), k_start + seconds(5'000)).count(), 5'000);
}

TEST(FailingEventsTest, AreRetriedAfterPausesThatGrowToAMinute) {
  FailingEvents failing("test");
  EXPECT_TRUE(failing.may_try(1, k_start));
  auto now = k_start;
  for (const int pause : {1, 2, 4, 8, 16, 32, 60, 60}) {
    failing.failed(1, "no", now);
    EXPECT_FALSE(failing.may_try(1, now + seconds(pause) - std::chrono::milliseconds(1))) << pause;
    EXPECT_TRUE(failing.may_try(2, now)) << "the others are not concerned";
    now += seconds(pause);
    EXPECT_TRUE(failing.may_try(1, now)) << pause;
  }
  failing.worked(1);
  failing.failed(1, "no", now);
  EXPECT_TRUE(failing.may_try(1, now + seconds(1))) << "from the beginning";
}

TEST(FailingEventsTest, AreReportedFromTheSecondFailureOnWithTheFirstByName) {
  FailingEvents failing("test");
  failing.failed(5, "slow", k_start);
  EXPECT_EQ(failing.summary(k_start + seconds(10)).events, 0U);
  failing.failed(5, "slow", k_start + seconds(1));
  for (int i = 0; i < 2; ++i) failing.failed(3, "damaged", k_start + seconds(9));
  EXPECT_EQ(failing.summary(k_start + seconds(10)).events, 2U);
  EXPECT_EQ(failing.summary(k_start + seconds(10)).since, k_start);
  EXPECT_THAT(failing.summary(k_start + seconds(10)).text, HasSubstr("2 events: event 5: slow"));
  failing.worked(5);
  EXPECT_THAT(failing.summary(k_start + seconds(10)).text, HasSubstr("1 event: event 3: damaged"));
  EXPECT_EQ(failing.summary(k_start + seconds(60) + FailingEvents::k_forgotten_after).events, 0U) << "nobody tries it any more";
  failing.clear();
  EXPECT_EQ(failing.summary(k_start + seconds(10)).events, 0U);
}

}  // namespace
}  // namespace holdfast::feed
