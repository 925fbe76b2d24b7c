// Waiting for changes on an event loop.
#include "api/watch.h"

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

using api::Watch;
using testing::ElementsAre;

class Watching : public testing::Test {
 protected:
  void SetUp() override {
    watch.attach(context);
    event = it.create_event(10);
  }
  // Begins to wait. Its result is in `results` once it has resumed.
  void wait(Seq after, milliseconds patience) {
    boost::asio::co_spawn(context, waiting(after, patience), boost::asio::detached);
    context.poll();
  }
  boost::asio::awaitable<void> waiting(Seq after, milliseconds patience) {
    auto published = it.ledger().event(event);
    results.push_back(co_await watch.for_event(std::move(published), after, Watch::Clock::now() + patience));
  }
  void change() { EXPECT_TRUE(it.block(event, {next_seat++}).accepted()); }
  void run() {
    context.restart();
    context.run();
  }

  LedgerFolder folder;
  TestTime time;
  LedgerInTest it{folder, time};
  boost::asio::io_context context;
  Watch watch{it.ledger(), 2};
  std::vector<Watch::Result> results;
  EventNumber event = 0;
  SeatIndex next_seat = 0;
};

TEST_F(Watching, EndsAtOnceWhenThereIsNewsAlready) {
  wait(2, milliseconds(60'000));
  EXPECT_THAT(results, ElementsAre(Watch::Result::news));
}

TEST_F(Watching, EndsWithTheChangeAndNotWithAnotherEventsChange) {
  wait(3, milliseconds(60'000));
  const EventNumber other = it.create_event(1);
  it.block(other, {0});
  watch.on_round();
  context.poll();
  EXPECT_TRUE(results.empty());
  change();
  watch.on_round();
  run();
  EXPECT_THAT(results, ElementsAre(Watch::Result::news));
  EXPECT_EQ(watch.waiters(), 0u);
}

TEST_F(Watching, EndsAtItsDeadline) {
  wait(3, milliseconds(20));
  run();
  EXPECT_THAT(results, ElementsAre(Watch::Result::over));
}

TEST_F(Watching, IsRefusedWhenTooManyAreWaiting) {
  wait(3, milliseconds(60'000));
  wait(3, milliseconds(60'000));
  wait(3, milliseconds(60'000));
  EXPECT_THAT(results, ElementsAre(Watch::Result::full));
  wait(2, milliseconds(60'000));
  EXPECT_EQ(results.back(), Watch::Result::news) << "what is there already needs no waiting";
  change();
  watch.on_round();
  run();
  EXPECT_EQ(watch.waiters(), 0u);
  EXPECT_EQ(results.size(), 4u);
}

TEST_F(Watching, IsLimitedToTenThousandAtOnce) {
  Watch all{it.ledger()};
  all.attach(context);
  std::size_t full = 0;
  std::size_t news = 0;
  const auto waiting = [&]() -> boost::asio::awaitable<void> {
    const auto result = co_await all.for_event(it.ledger().event(event), 3, Watch::Clock::now() + 4 * k_patience);
    full += result == Watch::Result::full ? 1 : 0;
    news += result == Watch::Result::news ? 1 : 0;
  };
  for (std::size_t i = 0; i < 10'000; ++i) boost::asio::co_spawn(context, waiting, boost::asio::detached);
  context.poll();
  EXPECT_EQ(all.waiters(), 10'000u);
  EXPECT_EQ(full, 0u);
  boost::asio::co_spawn(context, waiting, boost::asio::detached);
  context.poll();
  EXPECT_EQ(full, 1u);
  change();
  all.on_round();
  run();
  EXPECT_EQ(news, 10'000u);
}

TEST_F(Watching, EndsForAllAndForGoodWhenTheServerStops) {
  wait(3, milliseconds(60'000));
  watch.end();
  run();
  wait(3, milliseconds(60'000));
  run();
  EXPECT_THAT(results, ElementsAre(Watch::Result::over, Watch::Result::over));
}

}  // namespace
}  // namespace holdfast::test
