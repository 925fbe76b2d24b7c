// Changes for the Kafka feed from a real journal: everything that a message needs, as of the change; and which rows may be
// removed.
#include "feed/kafka/ledger_source.h"

#include <gmock/gmock.h>

#include <atomic>
#include <map>

#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

using feed::kafka::FedChange;
using feed::kafka::FedPage;
using feed::kafka::FeedPosition;
using feed::kafka::News;
using testing::ElementsAre;

struct FeedSourceTest : testing::Test {
  Seq published(EventNumber number) const {
    const auto at = positions.find(number);
    return at == positions.end() ? 0 : at->second;
  }
  News news(EventNumber after = 0, std::size_t limit = 100) {
    return source.news([this](EventNumber number) { return published(number); }, after, limit);
  }
  void publish(EventNumber number, Seq seq) {
    positions[number] = seq;
    const FeedPosition position{number, seq};
    source.published({&position, 1});
  }
  std::vector<FedChange> all(EventNumber number, std::size_t limit = 100) {
    std::vector<FedChange> changes;
    for (;;) {
      const FedPage page = source.read(number, changes.size(), limit);
      EXPECT_EQ(page.oldest, 0u);
      if (page.changes.empty()) return changes;
      changes.insert(changes.end(), page.changes.begin(), page.changes.end());
    }
  }
  static std::string told(const FedChange& change) {
    std::string text = std::string(name_of(change.kind)) + (change.customer.empty() ? "" : " of " + change.customer);
    for (const auto& seat : change.seats)
      text += " " + seat.section + "-" + seat.row + "-" + seat.number + "@" + std::to_string(seat.version);
    return text;
  }

  LedgerFolder folder;
  TestTime time;
  LedgerInTest it{folder, time};
  Round round;
  feed::kafka::LedgerFeedSource source{it.ledger()};
  std::map<EventNumber, Seq> positions;
};

TEST_F(FeedSourceTest, ReadsChangesAsOfTheirTimeFromMemoryAndFiles) {
  const EventNumber event = it.create_event(20);
  const Uuid a = it.new_id(event);
  it.hold(event, a, {1, 2}, "anna", 10 * k_minute);
  const Millis held_at = it.ledger().now();
  time.pass(k_minute);
  it.does(event, Add{a, round.keep({3})});
  it.does(event, Extend{a, 30 * k_minute});
  it.release(event, a, {1});
  it.consume(event, a);
  it.give_back(event, a, {3});
  const Uuid lock = it.new_id(event);
  round.add(event, Hold{.reservation = lock, .kind = ReservationKind::ticket_lock, .seats = round.keep({9}), .duration = k_minute});
  round.run(it.ledger());
  time.pass(2 * k_minute);
  it.sweep(event);
  for (const bool in_memory : {true, false}) {
    if (!in_memory) it.reopen();
    for (const std::size_t limit : {1u, 4u, 100u}) {
      feed::kafka::LedgerFeedSource anew(it.ledger());
      std::vector<FedChange> changes;
      while (changes.size() < 11) {
        const FedPage page = anew.read(event, changes.size(), limit);
        ASSERT_FALSE(page.changes.empty());
        changes.insert(changes.end(), page.changes.begin(), page.changes.end());
      }
      std::vector<std::string> texts;
      for (std::size_t i = 3; i < changes.size(); ++i) texts.push_back(told(changes[i]));
      EXPECT_THAT(texts, ElementsAre("held of anna S0-1-2@1 S0-1-3@1", "seats_added of anna S0-1-4@1", "extended of anna",
                                     "released of anna S0-1-2@2", "consumed of anna S0-1-3@2 S0-1-4@2", "returned of anna S0-1-4@3",
                                     "held S0-1-10@1", "expired S0-1-10@2"));
      for (std::size_t i = 0; i < changes.size(); ++i) EXPECT_EQ(changes[i].seq, i + 1);
      EXPECT_EQ(changes[3].expires_at, held_at + 10 * k_minute);
      EXPECT_EQ(changes[4].expires_at, held_at + 10 * k_minute) << "as it was then, though it was extended later";
      EXPECT_EQ(changes[4].created_at, held_at) << "of the reservation";
      EXPECT_EQ(changes[4].at, held_at + k_minute);
      EXPECT_EQ(changes[7].order, "order-1");
      EXPECT_EQ(changes[3].event, it.ledger().event(event)->card().id);
      EXPECT_TRUE(changes[3].seats[0].has_uuid);
      EXPECT_EQ(changes[3].seats[0].id, it.ledger().event(event)->plan()->seat_id(1));
    }
  }
}

TEST_F(FeedSourceTest, NamesEventsWithNewsInTurnAndCountsWhatIsBehind) {
  for (int i = 0; i < 5; ++i) it.create_event(5);
  News found = news(0, 2);
  ASSERT_EQ(found.events.size(), 2u);
  EXPECT_EQ(found.events[0].event, 1u);
  EXPECT_EQ(found.behind, 15u);
  EXPECT_EQ(news(4, 3).events[0].event, 5u);
  EXPECT_EQ(news(4, 3).events[1].event, 1u) << "from the beginning again";
  for (EventNumber number = 1; number <= 5; ++number) publish(number, 3);
  EXPECT_TRUE(news().events.empty());
  it.block(3, {1});
  found = news();
  ASSERT_EQ(found.events.size(), 1u);
  EXPECT_EQ(found.events[0].event, 3u);
  EXPECT_EQ(found.events[0].seq, 4u);
  publish(3, 9);
  EXPECT_EQ(news().events.size(), 1u) << "more published than there is: other data";
}

TEST_F(FeedSourceTest, NeverReportsUnpublishedChangesAsPublished) {
  EXPECT_EQ(source.published_through(), 0u);
  const EventNumber a = it.create_event(5);
  const EventNumber b = it.create_event(5);
  EXPECT_EQ(news().events.size(), 2u);
  const std::uint64_t then = it.ledger().progress();
  it.block(a, {1});
  publish(a, 3);
  EXPECT_EQ(source.published_through(), 0u) << "of event b nothing is published";
  publish(b, 3);
  EXPECT_EQ(source.published_through(), then) << "all that there was when it was looked at";
  EXPECT_EQ(news().events.size(), 1u);
  publish(a, 4);
  EXPECT_EQ(source.published_through(), it.ledger().progress());
  EXPECT_TRUE(news().events.empty());
}

TEST_F(FeedSourceTest, KeepsRowsBeyondTheirRetentionUntilTheyArePublished) {
  const EventNumber event = it.create_event(5);
  time.pass(3 * k_day);
  it.block(event, {4});   // otherwise the next start would doubt its clock, and remove nothing
  std::atomic<Position> through{0};
  std::atomic<int> asked{0};
  it.reopen(
      {.data = folder, .journal_retention_days = 1, .journal_removable_through = [&] { return ++asked, through.load(); }, .clock = &time});
  feed::kafka::LedgerFeedSource of(it.ledger());
  const auto anchor = [&] { return journal_of(folder).anchor(); };
  for (const SeatIndex seat : {1U, 2U}) {   // when the checkpointer asks for the second time, it has finished the first
    const int before = asked;
    it.block(event, {seat});
    ASSERT_TRUE(eventually([&] { return asked > before; }));
  }
  EXPECT_EQ(anchor(), 0) << "rows that are old enough, but not published";
  const News found = of.news([](EventNumber) { return Seq{0}; }, 0, 10);
  ASSERT_EQ(found.events.size(), 1u);
  const FeedPosition position{event, found.events[0].seq};
  of.published({&position, 1});
  through = static_cast<Position>(of.published_through());
  it.block(event, {3});
  EXPECT_TRUE(eventually([&] { return anchor() == 3; })) << anchor();   // the event's creation; the rest is not old enough
  it.close();   // it calls functions of this test
}

}  // namespace
}  // namespace holdfast::test
