// The live seat map's memory and its messages.
#include "live/touches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace holdfast {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto a = SeatState::available;
constexpr auto h = SeatState::held;
constexpr auto s = SeatState::sold;

// An event whose changes each set some seats to one state.
struct EventInTest {
  explicit EventInTest(std::size_t seats, Seq seq = 0, std::size_t touches_max = RecentTouches::k_touches_max)
      : states(seats, a), recent(seq, touches_max) {}

  void set(std::vector<SeatIndex> seats, SeatState state) {
    for (const SeatIndex seat : seats) states[seat] = state;
    recent.add(recent.seq() + 1, seats, states);
  }

  std::vector<SeatState> states;
  RecentTouches recent;
};

TEST(RecentTouches, AreEachSeatOnceWithItsLastStateInPlanOrder) {
  EventInTest event(10, 100);
  event.set({7, 3}, h);   // 101
  event.set({3}, a);      // 102
  event.set({5}, h);      // 103
  event.set({7}, s);      // 104
  EXPECT_THAT(event.recent.between(100, 104), ElementsAre(Touch{3, a}, Touch{5, h}, Touch{7, s}));
  EXPECT_THAT(event.recent.between(101, 104), ElementsAre(Touch{3, a}, Touch{5, h}, Touch{7, s}));
  EXPECT_THAT(event.recent.between(103, 104), ElementsAre(Touch{7, s}));
  EXPECT_THAT(event.recent.between(104, 104), IsEmpty());
}

TEST(RecentTouches, StopAtTheRequestedChange) {
  EventInTest event(10, 100);
  event.set({3}, h);
  event.set({3}, s);
  event.set({4}, h);
  EXPECT_THAT(event.recent.between(100, 101), ElementsAre(Touch{3, h}));
  EXPECT_THAT(event.recent.between(100, 102), ElementsAre(Touch{3, s}));
}

TEST(RecentTouches, CoverExactlyTheChangesSinceTheBeginning) {
  EventInTest event(10, 100);
  EXPECT_TRUE(event.recent.covers(100));
  EXPECT_FALSE(event.recent.covers(99)) << "before the beginning";
  EXPECT_FALSE(event.recent.covers(101)) << "has not been yet";
  event.set({1}, h);
  event.set({}, h);
  EXPECT_TRUE(event.recent.covers(102));
  EXPECT_EQ(event.recent.seq(), 102u);
  EXPECT_EQ(event.recent.touched(), 101u) << "a change that sets no seat is counted and touches nothing";
  EXPECT_THAT(event.recent.between(101, 102), IsEmpty());
}

TEST(RecentTouches, ForgetTheOldestBeyondTheLimitAndSaySo) {
  EventInTest event(10, 0, 4);
  event.set({0, 1}, h);   // 1
  event.set({2, 3}, h);   // 2
  EXPECT_TRUE(event.recent.covers(0));
  event.set({4}, h);   // 3: half of change 1 is gone
  EXPECT_FALSE(event.recent.covers(0));
  EXPECT_TRUE(event.recent.covers(1));
  EXPECT_THAT(event.recent.between(1, 3), ElementsAre(Touch{2, h}, Touch{3, h}, Touch{4, h}));
  event.set({5, 6, 7, 8, 9}, h);   // 4: one change alone is too many
  EXPECT_FALSE(event.recent.covers(3));
  EXPECT_TRUE(event.recent.covers(4));
}

// Applying the touches between any two points to the states at the first gives the states at the second.
TEST(RecentTouches, LeadFromAnyCoveredPointToAnyLaterOne) {
  std::mt19937 random(20260224);
  EventInTest event(40, 0, 300);
  std::vector<std::vector<SeatState>> history{event.states};
  for (int i = 0; i < 2'000; ++i) {
    std::vector<SeatIndex> seats(random() % 4);
    for (SeatIndex& seat : seats) seat = random() % 40;
    event.set(seats, std::array{a, h, s}.at(random() % 3));
    history.push_back(event.states);
    const Seq now = event.recent.seq();
    const Seq after = now - std::min<Seq>(now, random() % 250);
    if (!event.recent.covers(after)) continue;
    const Seq through = after + random() % (now - after + 1);
    std::vector<SeatState> followed = history.at(after);
    for (const Touch& touch : event.recent.between(after, through)) followed.at(touch.seat) = touch.state;
    ASSERT_EQ(followed, history.at(through)) << "from " << after << " through " << through;
  }
  EXPECT_FALSE(event.recent.covers(1'000)) << "the test went beyond what is kept";
}

TEST(Messages, AreServerSentEventsWithTheSeqAsId) {
  EXPECT_EQ(snapshot_message(42, 1, "ahsb"), "event: snapshot\nid: 42\ndata: {\"seq\":42,\"planVersion\":1,\"states\":\"ahsb\"}\n\n");
  EXPECT_EQ(changes_message(43, std::vector<Touch>{{12, h}, {13, a}}),
            "event: changes\nid: 43\ndata: {\"seq\":43,\"seats\":[[12,\"h\"],[13,\"a\"]]}\n\n");
  EXPECT_EQ(k_comment, ":\n\n");
}

TEST(Messages, AreSnapshotsIfThatIsShorter) {
  EXPECT_FALSE(is_shorter_whole(64, 10)) << "few changes are changes, however small the event is";
  EXPECT_TRUE(is_shorter_whole(65, 700));
  EXPECT_FALSE(is_shorter_whole(65, 1'000));
  EXPECT_TRUE(is_shorter_whole(2'000, 20'000));
  EXPECT_FALSE(is_shorter_whole(1'000, 1'000'000));
}

}  // namespace
}  // namespace holdfast
