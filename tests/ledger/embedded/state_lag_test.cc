// How far state.db may be behind the journal: then rounds wait, but only for a moment, so that whatever blocks its writes does
// not stop sales.
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "ledger/embedded/disk.h"
#include "ledger/embedded/row_ages.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;
using Timer = std::chrono::steady_clock;

TEST(RowAges, AreNeverTooLowAndAtMostA256thOfTheMaximumTooHigh) {
  const Timer::time_point begin{};
  RowAges ages(256ms);
  ages.wrote(1, begin);
  ages.wrote(2, begin + 999us);   // remembered together with the first
  ages.wrote(3, begin + 1ms);
  EXPECT_EQ(ages.older_than(256ms, begin + 256ms - 1ns), 0);
  EXPECT_EQ(ages.older_than(256ms, begin + 256ms), 2);
  EXPECT_EQ(ages.older_than(256ms, begin + 257ms), 3);
  EXPECT_EQ(ages.older_than(128ms, begin + 128ms), 2);
  ages.followed(2);
  EXPECT_EQ(ages.older_than(256ms, begin + 256ms), 0);
  EXPECT_EQ(ages.older_than(256ms, begin + 257ms), 3);
  ages.wrote(3, begin + 300ms);
  ages.followed(3);
  EXPECT_EQ(ages.older_than(0ms, begin + 1h), 0);
}

TEST(RowAges, OfVeryOldRowsAreKept) {
  const Timer::time_point begin{};
  RowAges ages(256ms);
  for (int i = 0; i < 10'000; ++i) ages.wrote(i + 1, begin + i * 1ms);
  EXPECT_EQ(ages.older_than(256ms, begin + 9'999ms), 9'744);
  EXPECT_EQ(ages.older_than(256ms, begin + 1h), 10'000);
}

struct StateLag : testing::Test {
  // A ledger with this limit for the lag of its tables.
  LedgerInTest& open(std::chrono::milliseconds lag_max, std::chrono::milliseconds held_back_max) {
    it = std::make_unique<LedgerInTest>(folder / "data", time,
                                        EmbeddedOptions{.data = {}, .state_lag_max = lag_max, .round_held_back_max = held_back_max});
    event = it->create_event(200);
    it->wait_for_tables();
    return *it;
  }
  bool sells() {
    const auto seat = static_cast<SeatIndex>(sold++ % 200);
    const Uuid id = it->new_id(event);
    return it->hold(event, id, {seat}).accepted() && it->release(event, id).accepted();
  }
  Position head() { return it->ledger().state_through() + it->ledger().rows_behind(); }

  Disk& disk = Disk::get();   // first: files that are open already do not go through it
  LedgerFolder folder;
  TestTime time;
  std::unique_ptr<LedgerInTest> it;
  EventNumber event = 0;
  std::size_t sold = 0;
};

TEST_F(StateLag, HoldsARoundBackUntilTheTablesHaveAllOverdueRows) {
  open(500ms, 60s);
  sqlite::Database blocker(DataFolder::state_in(folder / "data"), sqlite::Database::Mode::read_write);
  blocker.execute("BEGIN IMMEDIATE");
  const auto before = it->ledger().held_back();
  ASSERT_TRUE(it->hold(event, it->new_id(event), {150}).accepted());
  const Position first = head();
  EXPECT_EQ(it->ledger().held_back(), before) << "nothing is so old yet";
  const auto written = Timer::now();
  ASSERT_TRUE(eventually([&] { return Timer::now() > written + 510ms; }));
  std::future<bool> next = std::async(std::launch::async, [&] { return sells(); });
  EXPECT_EQ(next.wait_for(300ms), std::future_status::timeout);
  EXPECT_LT(it->ledger().state_through(), first);
  blocker.execute("ROLLBACK");
  EXPECT_TRUE(next.get());
  EXPECT_GE(it->ledger().state_through(), first);
  EXPECT_GE(it->ledger().held_back() - before, 200ms);
}

TEST_F(StateLag, IsNotExceededUnderAnyLoad) {
  open(20ms, 60s);
  std::vector<std::pair<Timer::time_point, Position>> rounds;
  for (int i = 0; i < (k_is_sanitized ? 60 : 300); ++i) {
    Round round;
    for (SeatIndex seat = 0; seat < 200; ++seat) {
      const Uuid id = it->new_id(event);
      round.add(event, Hold{.reservation = id, .customer = "anna", .seats = round.keep({seat}), .duration = k_minute});
      round.add(event, Release{id, {}});
    }
    const auto began = Timer::now();
    ASSERT_TRUE(round.run(it->ledger()).durable);
    const Position through = it->ledger().state_through();
    for (const auto& [answered, position] : rounds) {
      if (answered <= began - 20ms) ASSERT_GE(through, position) << "round " << i;
    }
    rounds.emplace_back(Timer::now(), head());
  }
}

TEST_F(StateLag, ARoundWaitsFor200MillisecondsAtMostWhileTheTablesAreHeldBySomebody) {
  constexpr auto k_most = 200ms;
  open(1ms, EmbeddedOptions{}.round_held_back_max);
  sqlite::Database blocker(DataFolder::state_in(folder / "data"), sqlite::Database::Mode::read_write);
  blocker.execute("BEGIN IMMEDIATE");
  const auto before = it->ledger().held_back();
  EXPECT_TRUE(sells());
  const auto written = Timer::now();
  ASSERT_TRUE(eventually([&] { return Timer::now() > written + 2ms; }));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(sells());
  EXPECT_GT(it->ledger().rows_behind(), 0);
  EXPECT_GE(it->ledger().held_back() - before, k_most);
  EXPECT_LT(it->ledger().held_back() - before, 8 * k_most + 2s);   // eight rounds; a busy machine wakes them late
  blocker.execute("ROLLBACK");
  it->wait_for_tables();
}

TEST_F(StateLag, HoldsNothingBackWhileTheTablesCannotBeWritten) {
  open(1ms, 60s);
  disk.fail("state.db", Disk::Fault::full, 0);
  EXPECT_TRUE(sells());
  ASSERT_TRUE(eventually([&] { return !it->ledger().state_follows(); }));
  const auto before = it->ledger().held_back();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(sells());
  EXPECT_LT(it->ledger().held_back() - before, 10s);
  EXPECT_GT(it->ledger().rows_behind(), 0);
  disk.heal();
  it->wait_for_tables();
  EXPECT_TRUE(sells());
}

TEST_F(StateLag, CoversRowsThatAStartFindsMissingToo) {
  open(0ms, 60s);
  disk.fail("state.db", Disk::Fault::full, 0);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(sells());
  const Position written = head();
  Disk::get().copy_as_after_kill(folder / "data", folder / "killed");
  disk.heal();
  it = std::make_unique<LedgerInTest>(folder / "killed", time,
                                      EmbeddedOptions{.data = {}, .state_lag_max = 1ms, .round_held_back_max = 60s});
  const auto begin = Timer::now();
  ASSERT_TRUE(eventually([&] { return Timer::now() > begin + 2ms; }));
  EXPECT_TRUE(it->hold(event, reservation_id(event, 9'999), {0}).accepted());
  EXPECT_GE(it->ledger().state_through(), written);
}

TEST_F(StateLag, HasNoLimitWhenItIsZero) {
  open(0ms, 60s);
  sqlite::Database blocker(DataFolder::state_in(folder / "data"), sqlite::Database::Mode::read_write);
  blocker.execute("BEGIN IMMEDIATE");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(sells());
  EXPECT_EQ(it->ledger().held_back(), 0ns);
  blocker.execute("ROLLBACK");
}

}   // namespace
}   // namespace holdfast::test
