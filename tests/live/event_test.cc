// The messages to listeners of a live seat map after the ledger's database has lost changes that they had seen.
#include "live/event.h"

#include <gtest/gtest.h>

#include "core/event_in_test.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

// Changes of an event, and where its readers are.
class LiveEventInTest : public testing::Test {
 protected:
  static constexpr std::size_t k_seats = 8;
  std::shared_ptr<PublishedEvent> published_ =
      std::make_shared<PublishedEvent>(EventInTest(k_seats).inventory.replica(), plan_of({}, k_seats));
};

TEST_F(LiveEventInTest, ListenersOfALostHistoryGetASnapshotOfTheNewOne) {
  EventInTest shown(k_seats);
  ASSERT_TRUE(shown.hold(shown.new_id(), {1, 2}).accepted());
  ASSERT_TRUE(shown.hold(shown.new_id(), {3}).accepted());
  published_->follow(shown.changes.bytes, shown.changes.count, shown.now, {});
  LiveEvent live(published_);
  const LiveUpdate first = live.first({});
  EXPECT_EQ(first.seq, 2u);
  EXPECT_EQ(live.since(first.seq, first.history).chunk, nullptr);

  EventInTest there(k_seats);
  ASSERT_TRUE(there.hold(there.new_id(), {5}).accepted());
  published_->begin_anew(there.inventory.replica());
  ASSERT_TRUE(live.advance());
  const LiveUpdate update = live.since(first.seq, first.history);
  EXPECT_EQ(update.seq, 1u);
  EXPECT_NE(update.history, first.history);
  ASSERT_NE(update.chunk, nullptr);
  EXPECT_EQ(update.chunk, live.first({}).chunk) << "the whole map";
  EXPECT_EQ(live.since(update.seq, update.history).chunk, nullptr);
  EXPECT_FALSE(live.advance());
}

}   // namespace
}   // namespace holdfast::test
