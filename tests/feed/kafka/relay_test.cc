// The relay on Kafka, with sources and stores that fail, forget and change: nothing lost, nothing twice, in order by seat.
#include "feed/kafka/relay.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <atomic>

#include "feed/kafka/feed_file.h"
#include "feed/kafka/scripted_feed.h"
#include "feed/kafka/store.h"
#include "support/process.h"
#include "support/services.h"

namespace holdfast::feed::kafka {
namespace {

using std::chrono::milliseconds;
using test::eventually;
using test::k_patience;
using test::KafkaReader;

constexpr const char* k_only_real = "the mock cluster of librdkafka does not keep the metadata of offsets: this needs Apache Kafka";

std::string new_prefix() { return "t" + std::to_string(test::Clock::now().time_since_epoch().count()) + "-"; }

// Fails as often as it is told to, before or after it has saved.
class FailingStore : public FeedStore {
 public:
  explicit FailingStore(const std::string& path) : FeedStore(open_feed_file(path)) {}
  void save(Epoch epoch, std::span<const FeedPosition> positions) override {
    if (failures.load() > 0 && failures.fetch_sub(1) > 0) throw std::runtime_error("the disk does not answer");
    FeedStore::save(epoch, positions);
  }
  std::atomic<int> failures{0};
};

class KafkaRelay : public testing::Test {
 protected:
  void SetUp() override {
    spdlog::set_level(spdlog::level::info);   // the first use creates the logger: before there are threads, as in the program
  }
  RelayOptions options(const std::string& brokers) const {
    return {.kafka = {.brokers = brokers},
            .rules = {.topic_prefix = prefix},
            .holder = "only",
            .look_every = milliseconds(20),
            .back_off_max = milliseconds(200)};
  }
  RelayOptions options() const { return options(kafka); }
  std::vector<std::string> topics() const { return {prefix + "reservation-created", prefix + "reservation-released"}; }
  void run_until(const std::function<bool()>& condition, const RelayOptions& of, FeedStore& with, FeedSource& source) {
    Relay relay(of, with, source, board);
    relay.start();
    EXPECT_TRUE(eventually(condition, 3 * k_patience)) << name_of(board.status().relay) << ": " << board.status().relay_detail;
    relay.stop();
  }
  // The published position of each of `events`, as the store knows it.
  bool is_published(FeedStore& by, EventNumber events, Seq seq) {
    const auto positions = by.positions();
    return positions.size() == events && std::ranges::all_of(positions, [&](const FeedPosition& each) { return each.seq == seq; });
  }
  OnKafka read(std::size_t messages) {
    KafkaReader reader(kafka, topics());
    EXPECT_TRUE(reader.read_until([&] { return reader.messages().size() >= messages; }, 3 * k_patience))
        << reader.messages().size() << " of " << messages;
    reader.read_for(milliseconds(300));   // to see that no further message comes
    return OnKafka(reader.messages());
  }

  const std::string kafka = test::shared_kafka();
  const std::string prefix = new_prefix();
  test::TempFolder folder;
  FailingStore store{(folder / "feed.db").string()};
  FeedBoard board;
};

TEST_F(KafkaRelay, PublishesEveryMessageOnceInOrderBySeatFromAllEvents) {
  ScriptedFeed source(130, 100);   // more events than one transaction has
  run_until([&] { return is_published(store, 130, 100); }, options(), store, source);
  const OnKafka found = read(13'000);
  EXPECT_EQ(found.different(), 13'000u);
  EXPECT_EQ(found.repeated(), 0u);
  EXPECT_EQ(found.bodies.size(), 13'000u);
  EXPECT_TRUE(found.out_of_order.empty());
  EXPECT_EQ(board.counters.messages[0], 6'500u);
  EXPECT_EQ(board.counters.messages[3], 6'500u);
  EXPECT_EQ(board.counters.failures, 0u);
}

// Changes of many seats.
class WideFeed : public ScriptedFeed {
 public:
  WideFeed(Seq changes, std::size_t seats) : ScriptedFeed(1, changes), seats_(seats) {}
  FedChange change(EventNumber event, Seq seq) override {
    FedChange made = ScriptedFeed::change(event, seq);
    while (made.seats.size() < seats_) {
      FedSeat& more = made.seats.emplace_back(made.seats.front());
      more.id = to_string(scripted_uuid(event, 1'000'000 + made.seats.size()));
    }
    return made;
  }

 private:
  std::size_t seats_;
};

// Remembers the position and the number of events of each transaction.
class NotingStore : public FeedStore {
 public:
  explicit NotingStore(const std::string& path) : FeedStore(open_feed_file(path)) {}
  void save(Epoch epoch, std::span<const FeedPosition> positions) override {
    transactions.emplace_back(positions.size(), positions.back().seq);
    FeedStore::save(epoch, positions);
  }
  std::vector<std::pair<std::size_t, Seq>> transactions;   // the relay's, until it has ended
};

TEST_F(KafkaRelay, LimitsATransactionByEventsChangesAndMessages) {
  using Transactions = std::vector<std::pair<std::size_t, Seq>>;
  const auto transactions_of = [&](ScriptedFeed&& source, EventNumber events) {
    NotingStore noting((folder / ("feed-" + std::to_string(test::Clock::now().time_since_epoch().count()) + ".db")).string());
    run_until([&] { return is_published(noting, events, source.head); }, options(), noting, source);
    return noting.transactions;
  };
  EXPECT_EQ(transactions_of(ScriptedFeed(101, 1), 101), (Transactions{{100, 1}, {1, 1}}));
  EXPECT_EQ(transactions_of(ScriptedFeed(1, 1'001), 1), (Transactions{{1, 1'000}, {1, 1'001}}));
  EXPECT_EQ(transactions_of(WideFeed(5, 1'000), 1), (Transactions{{1, 4}, {1, 5}}));
  EXPECT_EQ(transactions_of(WideFeed(6, 999), 1), (Transactions{{1, 5}, {1, 6}})) << "of 4,995 messages, because the fourth had room";
  EXPECT_EQ(board.counters.failures, 0u);
}

TEST_F(KafkaRelay, ContinuesWhereItStoppedAndPublishesNewsWhenNotified) {
  ScriptedFeed source(3, 40);
  run_until([&] { return is_published(store, 3, 40); }, options(), store, source);
  source.head = 60;
  RelayOptions patient = options();
  patient.look_every = milliseconds(60'000);   // only notify() wakes it
  Relay relay(patient, store, source, board);
  relay.start();
  ASSERT_TRUE(eventually([&] { return is_published(store, 3, 60); }, 3 * k_patience));
  source.head = 80;
  ASSERT_TRUE(eventually([&] {
    relay.notify();
    return is_published(store, 3, 80);
  }));
  relay.stop();
  const OnKafka found = read(240);
  EXPECT_EQ(found.different(), 240u);
  EXPECT_EQ(found.repeated(), 0u);
  EXPECT_TRUE(found.out_of_order.empty());
}

TEST_F(KafkaRelay, LosesAndRepeatsNothingWhenReadsFailNowAndThen) {
  ScriptedFeed source(5, 300);
  source.failures = 3;
  Relay relay(options(), store, source, board);
  relay.start();
  for (const Seq head : {Seq{600}, Seq{900}, Seq{1'200}}) {
    ASSERT_TRUE(eventually([&] { return is_published(store, 5, source.head); }, 3 * k_patience));
    source.failures = 2;
    source.head = head;
  }
  ASSERT_TRUE(eventually([&] { return is_published(store, 5, 1'200); }, 3 * k_patience));
  relay.stop();
  const OnKafka found = read(6'000);
  EXPECT_EQ(found.different(), 6'000u);
  EXPECT_EQ(found.repeated(), 0u);
  EXPECT_GE(board.counters.failures, 4u);
}

// Committed in Kafka, and the position is only there.
TEST_F(KafkaRelay, RepeatsNothingWhenItsPositionCouldNotBeSavedAfterACommit) {
  if (!test::has_real_kafka()) GTEST_SKIP() << k_only_real;
  ScriptedFeed source(7, 300);
  store.failures = 3;
  run_until([&] { return is_published(store, 7, 300); }, options(), store, source);
  EXPECT_GE(board.counters.failures, 3u);
  const OnKafka found = read(2'100);
  EXPECT_EQ(found.different(), 2'100u);
  EXPECT_EQ(found.repeated(), 0u);
  EXPECT_TRUE(found.out_of_order.empty());
}

TEST_F(KafkaRelay, TakesPositionsFromKafkaOnlyIfTheyAreOfTheSameHistory) {
  if (!test::has_real_kafka()) GTEST_SKIP() << k_only_real;
  RelayOptions of = options();
  of.transactional_id = prefix + "relay";
  ScriptedFeed source(1, 100);
  run_until([&] { return is_published(store, 1, 100); }, of, store, source);
  {
    FeedStore anew(open_feed_file((folder / "second.db").string()));
    run_until([&] { return is_published(anew, 1, 100); }, of, anew, source);
    EXPECT_EQ(read(100).repeated(), 0u);
  }
  ScriptedFeed other(1, 100, 1);   // data restored from a backup, which then continued differently
  FeedStore third(open_feed_file((folder / "third.db").string()));
  run_until([&] { return is_published(third, 1, 100); }, of, third, other);
  const OnKafka found = read(200);
  EXPECT_EQ(found.bodies.size(), 200u) << "all of the other history is published, under ids of its own";
  EXPECT_EQ(found.ids_with_two_bodies(), 0u);
}

TEST_F(KafkaRelay, CountsChangesThatTheJournalNoLongerHasAndGoesOn) {
  ScriptedFeed source(1, 20);
  run_until([&] { return is_published(store, 1, 20); }, options(), store, source);
  source.oldest = 31;
  source.head = 40;
  run_until([&] { return is_published(store, 1, 40); }, options(), store, source);
  EXPECT_EQ(board.counters.lost_changes, 10u);
  const OnKafka found = read(30);
  EXPECT_EQ(found.different(), 30u);
}

// A message that is larger than Kafka accepts is neither lost nor skipped: the feed says what is wrong, and continues once that
// is repaired.
class ChattyFeed : public ScriptedFeed {
 public:
  using ScriptedFeed::ScriptedFeed;
  FedChange change(EventNumber event, Seq seq) override {
    FedChange made = ScriptedFeed::change(event, seq);
    if (seq == 7) made.customer = std::string(2'000, 'x');
    return made;
  }
};

TEST_F(KafkaRelay, WaitsAndSaysSoWhenKafkaRefusesAMessage) {
  ChattyFeed source(1, 20);
  RelayOptions narrow = options();
  narrow.kafka.more["message.max.bytes"] = "1500";
  run_until([&] { return board.status().relay == RelayState::refused; }, narrow, store, source);
  EXPECT_TRUE(store.positions().empty());
  run_until([&] { return is_published(store, 1, 20); }, options(), store, source);
  const OnKafka found = read(20);
  EXPECT_EQ(found.different(), 20u);
  EXPECT_EQ(found.repeated(), 0u);
}

TEST_F(KafkaRelay, SkipsAnUnreadableEventSaysSoAndPublishesItLater) {
  ScriptedFeed source(3, 40);
  source.unreadable = 2;
  const auto is_at = [&](EventNumber event, Seq seq) {
    const auto positions = store.positions();
    return std::ranges::any_of(positions, [&](const FeedPosition& each) { return each.event == event && each.seq == seq; });
  };
  Relay relay(options(), store, source, board);
  relay.start();
  ASSERT_TRUE(eventually([&] { return is_at(1, 40) && is_at(3, 40); }, 3 * k_patience)) << board.status().relay_detail;
  ASSERT_TRUE(eventually([&] { return board.status().events_held_back == 1; }, 3 * k_patience));
  EXPECT_NE(board.status().held_back.find("event 2: it is damaged"), std::string::npos) << board.status().held_back;
  EXPECT_TRUE(eventually([&] { return board.status().lag_changes == 40 && board.status().lag_seconds > 1; }, 3 * k_patience));
  EXPECT_FALSE(is_at(2, 40));
  source.head = 60;
  ASSERT_TRUE(eventually([&] { return is_at(1, 60) && is_at(3, 60); }, 3 * k_patience)) << "the others go on";
  source.unreadable = 0;
  ASSERT_TRUE(eventually([&] { return is_at(2, 60); }, 6 * k_patience));
  EXPECT_TRUE(eventually([&] { return board.status().events_held_back == 0 && board.status().lag_seconds == 0; }, 3 * k_patience));
  EXPECT_EQ(board.counters.takeovers, 1u) << "nobody began anew for it";
  relay.stop();
  const OnKafka found = read(180);
  EXPECT_EQ(found.different(), 180u);
  EXPECT_EQ(found.repeated(), 0u);
  EXPECT_TRUE(found.out_of_order.empty());
}

// A position that only Kafka knows stays there until its event can be read, whichever relay publishes meanwhile.
TEST_F(KafkaRelay, RepeatsNothingOfAnEventWithAnUnconfirmedPosition) {
  if (!test::has_real_kafka()) GTEST_SKIP() << k_only_real;
  ScriptedFeed source(2, 40);
  {
    store.failures = 1'000'000;   // committed to Kafka, never saved
    Relay relay(options(), store, source, board);
    relay.start();
    ASSERT_TRUE(eventually([&] { return board.counters.transactions >= 1; }, 3 * k_patience));
    relay.stop();
  }
  store.failures = 0;
  source.unreadable = 2;
  for (const Seq head : {Seq{60}, Seq{80}}) {   // each by a relay of its own
    source.head = head;
    Relay relay(options(), store, source, board);
    relay.start();
    ASSERT_TRUE(eventually([&] { return std::ranges::any_of(store.positions(), [&](const auto& each) { return each.seq == head; }); },
                           3 * k_patience));
    relay.stop();
  }
  source.unreadable = 0;
  run_until([&] { return is_published(store, 2, 80); }, options(), store, source);
  const OnKafka found = read(160);
  EXPECT_EQ(found.different(), 160u);
  EXPECT_EQ(found.repeated(), 0u);
  EXPECT_TRUE(found.out_of_order.empty());
}

TEST_F(KafkaRelay, GivesTheLeaseBackWhenItStops) {
  ScriptedFeed source(1, 2);
  RelayOptions slow = options();
  slow.lease_time = milliseconds(60'000);
  run_until([&] { return is_published(store, 1, 2); }, slow, store, source);
  EXPECT_TRUE(store.make_lease("next", milliseconds(1'000))->acquire());
  EXPECT_EQ(board.status().relay, RelayState::stopped);
}

TEST_F(KafkaRelay, StandsByWhileAnotherHasTheLeaseAndNamesIt) {
  const auto theirs = store.make_lease("the other", milliseconds(60'000));
  ASSERT_TRUE(theirs->acquire());
  ScriptedFeed source(1, 10);
  RelayOptions quick = options();
  quick.lease_time = milliseconds(500);
  Relay relay(quick, store, source, board);
  relay.start();
  ASSERT_TRUE(eventually([&] { return board.status().relay == RelayState::standby; }));
  EXPECT_EQ(board.status().relay_detail, "the other publishes");
  theirs->release();
  EXPECT_TRUE(eventually([&] { return is_published(store, 1, 10); }, 3 * k_patience));
}

// A private Kafka, which the test may stop.
TEST_F(KafkaRelay, WaitsForKafkaAndPublishesAllInOrderWhenItIsBack) {
  test::KafkaServer own;
  ScriptedFeed source(4, 200);
  Relay relay(options(own.bootstrap()), store, source, board);
  relay.start();
  ASSERT_TRUE(eventually([&] { return is_published(store, 4, 200); }, 3 * k_patience)) << board.status().relay_detail;
  own.stop();
  source.head = 600;
  ASSERT_TRUE(eventually([&] { return board.status().relay == RelayState::away && board.status().lag_changes > 0; }, 6 * k_patience));
  EXPECT_GT(board.status().lag_seconds, 0);
  source.head = 900;
  own.start();
  ASSERT_TRUE(eventually([&] { return is_published(store, 4, 900); }, 6 * k_patience)) << board.status().relay_detail;
  EXPECT_TRUE(eventually([&] { return board.status().relay == RelayState::publishing && board.status().lag_changes == 0; }));
  relay.stop();
  if (!own.is_real()) return;   // the mock cluster shows aborted messages to readers of committed ones
  KafkaReader reader(own.bootstrap(), topics());
  ASSERT_TRUE(reader.read_until([&] { return reader.messages().size() >= 3'600; }, 3 * k_patience));
  reader.read_for(milliseconds(300));
  const OnKafka found(reader.messages());
  EXPECT_EQ(found.different(), 3'600u);
  EXPECT_EQ(found.repeated(), 0u);
  EXPECT_TRUE(found.out_of_order.empty());
}

}   // namespace
}   // namespace holdfast::feed::kafka
