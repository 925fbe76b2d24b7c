// The consumer of payments, with a desk and a store that fail: no payment is skipped or carried out out of order, and of two
// nodes one carries out each.
#include <gmock/gmock.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "feed/kafka/feed_file.h"
#include "feed/kafka/payments.h"
#include "feed/kafka/store.h"
#include "support/kafka.h"
#include "support/process.h"
#include "support/services.h"

namespace holdfast::feed::kafka {
namespace {

using std::chrono::milliseconds;
using test::eventually;
using test::k_patience;
using testing::ElementsAre;

// A message is an order. `N:` before it makes it one of event N, and is part of its name; `N=` is not part of it. The order is
// settled; refused if it begins with `no`; unavailable while the desk is closed or its event is stuck. Orders that begin with
// `new` are known once they were settled.
class ScriptedDesk final : public PaymentDesk {
 public:
  std::expected<Payment, std::string> read(bool succeeded, std::string_view text) override {
    if (text == "nonsense") return std::unexpected("It is nonsense.");
    Payment payment{.succeeded = succeeded, .order = std::string(text), .payment = "p"};
    if (const std::size_t sign = text.find_first_of(":="); sign != std::string_view::npos) {
      const std::uint8_t random[10]{};
      payment.reservation = make_reservation_id(static_cast<EventNumber>(std::stoul(payment.order)), 0, random);
      if (text[sign] == '=') payment.order = text.substr(sign + 1);
    }
    return payment;
  }
  std::vector<std::optional<Uuid>> find_orders(std::span<const std::string> orders) override {
    ++asked_for_orders;
    if (orders_away) throw std::runtime_error("the tables do not follow");
    const std::scoped_lock lock(mutex_);
    std::vector<std::optional<Uuid>> found;
    for (const std::string& order : orders) {
      const bool is_new = order.starts_with("new") && std::ranges::find(settled_, order) == settled_.end();
      found.push_back(is_new ? std::nullopt : parse_uuid("0e000000-0000-4000-8000-000000000001"));   // of no event
    }
    return found;
  }
  std::string trouble() override { return closed ? "it is closed" : ""; }
  Millis undoubted_now() override { return undoubted; }
  std::vector<Effect> settle(std::span<const Payment> payments) override {
    std::vector<Effect> effects;
    std::this_thread::sleep_for(takes.load());
    const std::scoped_lock lock(mutex_);
    most_at_once_ = std::max(most_at_once_, payments.size());
    const std::size_t settled_before = settled_.size();
    for (const Payment& payment : payments) {
      ++asked;
      if (closed || (stuck != 0 && event_of_reservation(payment.reservation) == stuck)) {
        effects.push_back({});
        continue;
      }
      const bool is_refused = payment.order.starts_with("no");
      if (!is_refused) settled_.push_back(payment.order);
      effects.push_back(
          {.kind = is_refused ? Effect::Kind::refused : Effect::Kind::settled, .reason = "because", .seat_ids = {"s"}, .at = at});
    }
    most_settled_at_once_ = std::max(most_settled_at_once_, settled_.size() - settled_before);
    return effects;
  }
  std::vector<std::string> settled() {
    const std::scoped_lock lock(mutex_);
    return settled_;
  }
  std::size_t most_at_once() {
    const std::scoped_lock lock(mutex_);
    return most_at_once_;
  }
  std::size_t most_settled_at_once() {
    const std::scoped_lock lock(mutex_);
    return most_settled_at_once_;
  }
  std::atomic<bool> closed{false};
  std::atomic<Millis> at{1'000};   // of effects
  std::atomic<Millis> undoubted{1'000};
  std::atomic<EventNumber> stuck{0};
  std::atomic<int> asked{0};
  std::atomic<milliseconds> takes{};   // to settle payments
  std::atomic<bool> orders_away{false};
  std::atomic<int> asked_for_orders{0};

 private:
  std::mutex mutex_;
  std::vector<std::string> settled_;
  std::size_t most_at_once_ = 0;   // asked for
  std::size_t most_settled_at_once_ = 0;
};

class FailingStore : public FeedStore {
 public:
  explicit FailingStore(const std::string& path) : FeedStore(open_feed_file(path)) {}
  std::string keep_rejection(const PaymentDigest& payment, std::string_view told, Millis at, Millis undoubted_now) override {
    if (failures.load() > 0 && failures.fetch_sub(1) > 0) throw std::runtime_error("the disk does not answer");
    return FeedStore::keep_rejection(payment, told, at, undoubted_now);
  }
  std::atomic<int> failures{0};
};

class KafkaConsumer : public testing::Test {
 protected:
  void SetUp() override {
    spdlog::set_level(spdlog::level::info);   // the first use creates the logger: before there are threads, as in the program
  }
  PaymentOptions options() const {
    return {.kafka = {.brokers = kafka, .more = {{"session.timeout.ms", "6000"}}},
            .topic_prefix = prefix,
            .group = prefix + "payments",
            .back_off_max = milliseconds(200)};
  }
  void write(const std::string& order) { writer.write(prefix + "payment-succeeded", "key", order); }
  // So many of an event, each with so many bytes including its key, or as few as possible.
  void write_many(EventNumber event, std::size_t count, std::size_t bytes = 0) {
    std::vector<std::string> orders;
    for (std::size_t i = 0; i < count; ++i) {
      std::string order = std::to_string(event) + ":" + std::to_string(i) + " ";
      if (bytes > order.size() + 3) order.resize(bytes - 3, 'x');
      orders.push_back(std::move(order));
    }
    writer.write_all(prefix + "payment-succeeded", "key", orders);
  }
  std::vector<test::KafkaMessage> read(const char* topic, std::size_t least) {
    test::KafkaReader reader(kafka, {prefix + topic});
    EXPECT_TRUE(reader.read_until([&] { return reader.messages().size() >= least; }, 4 * k_patience));
    reader.read_for(milliseconds(200));
    return reader.messages();
  }

  // Until it holds `most` payments of event 7, it reads those of other events; then none. `bytes`: of each, as of write_many(). `fills`: the
  // last of them.
  void expect_it_reads_no_more_while_it_holds(std::size_t most, std::size_t bytes, const std::string& fills) {
    desk.stuck = 7;
    write_many(7, most - 1, bytes);
    write("1:fits");
    Payments payments(options(), desk, store, board);
    payments.start();
    ASSERT_TRUE(eventually([&] { return desk.settled().size() == 1; }, 4 * k_patience));
    ASSERT_TRUE(eventually([&] { return board.status().payments_held == most - 1; }, 4 * k_patience));
    write(fills);
    ASSERT_TRUE(eventually([&] { return board.status().payments_held == most; }, 4 * k_patience));
    write("1:waits");
    const int before = desk.asked;
    ASSERT_TRUE(eventually([&] { return desk.asked >= before + static_cast<int>(most); }, 4 * k_patience)) << "they are tried again";
    EXPECT_THAT(desk.settled(), ElementsAre("1:fits"));
    desk.stuck = 0;
    ASSERT_TRUE(eventually([&] { return desk.settled().size() == most + 2; }, 4 * k_patience)) << desk.settled().size();
    EXPECT_EQ(desk.settled().back(), "1:waits");
  }

  const std::string kafka = test::shared_kafka();
  const std::string prefix = "t" + std::to_string(test::Clock::now().time_since_epoch().count()) + "-";
  test::KafkaWriter writer{kafka};
  test::TempFolder folder;
  FailingStore store{(folder / "feed.db").string()};
  ScriptedDesk desk;
  FeedBoard board;
};

TEST_F(KafkaConsumer, WaitsForTheLedgerAndThenContinuesInOrder) {
  desk.closed = true;
  Payments payments(options(), desk, store, board);
  payments.start();
  for (const char* order : {"a", "b", "nonsense", "c"}) write(order);
  ASSERT_TRUE(eventually([&] { return desk.asked >= 6; }, 4 * k_patience)) << "asked again and again";
  EXPECT_EQ(board.status().payments, ConsumerState::away);
  EXPECT_GT(board.counters.payments_retried, 0u);
  EXPECT_TRUE(desk.settled().empty());
  desk.closed = false;
  ASSERT_TRUE(eventually([&] { return desk.settled().size() == 3; }, 4 * k_patience));
  EXPECT_THAT(desk.settled(), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(eventually([&] { return board.status().payments == ConsumerState::consuming; }, 4 * k_patience));
  write("d");
  EXPECT_TRUE(eventually([&] { return desk.settled().size() == 4; }, 4 * k_patience)) << "it is not paused any more";
  payments.stop();
  EXPECT_EQ(read("payment-succeeded.dead-letter", 1).size(), 1u);
}

TEST_F(KafkaConsumer, CarriesOutOnlyTheRestAfterARestart) {
  desk.closed = true;
  {
    Payments payments(options(), desk, store, board);
    payments.start();
    for (const char* order : {"a", "b"}) write(order);
    ASSERT_TRUE(eventually([&] { return desk.asked >= 2; }, 4 * k_patience));
    payments.stop();
    EXPECT_EQ(board.status().payments, ConsumerState::stopped) << "at once, though the messages at hand were not done";
  }
  desk.closed = false;
  Payments payments(options(), desk, store, board);
  payments.start();
  ASSERT_TRUE(eventually([&] { return desk.settled().size() == 2; }, 4 * k_patience));
  payments.stop();
  Payments last(options(), desk, store, board);
  last.start();
  write("c");
  ASSERT_TRUE(eventually([&] { return desk.settled().size() == 3; }, 4 * k_patience));
  EXPECT_THAT(desk.settled(), ElementsAre("a", "b", "c"));
}

TEST_F(KafkaConsumer, SendsARefusalOnlyOnceItIsStored) {
  store.failures = 2;
  Payments payments(options(), desk, store, board);
  payments.start();
  write("no money for this");
  const auto told = read("reservation-payment-rejected", 1);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(board.counters.payments_retried, 2u);
  write("no money for this");
  const auto both = read("reservation-payment-rejected", 2);
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].value, both[1].value);
  EXPECT_TRUE(desk.settled().empty());
}

TEST_F(KafkaConsumer, ForgetsNoRefusalByATimeThatIsInDoubt) {
  constexpr Millis k_year = 365 * 86'400'000LL;
  const PaymentDigest remembered{1};
  store.keep_rejection(remembered, "told", 1'000, 1'000);
  desk.at = k_year;
  desk.undoubted = 2'000;
  Payments payments(options(), desk, store, board);
  payments.start();
  write("no-1");
  ASSERT_TRUE(eventually([&] { return board.counters.payments_rejected == 1; }, 2 * k_patience));
  EXPECT_EQ(store.rejection(remembered), "told");
  desk.undoubted = k_year;
  write("no-2");
  ASSERT_TRUE(eventually([&] { return board.counters.payments_rejected == 2; }, 2 * k_patience));
  EXPECT_FALSE(store.rejection(remembered).has_value());
}

TEST_F(KafkaConsumer, RefusesARepeatedPaymentInTheSameWords) {
  for (const char* order : {"no", "no", "yes", "no"}) write(order);
  Payments payments(options(), desk, store, board);
  payments.start();
  const auto told = read("reservation-payment-rejected", 3);
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[0].value, told[2].value);
  EXPECT_THAT(desk.settled(), ElementsAre("yes"));
}

TEST_F(KafkaConsumer, HoldsPaymentsOfAStuckEventAndCarriesOutOthers) {
  desk.stuck = 7;
  {
    Payments payments(options(), desk, store, board);
    payments.start();
    for (const char* order : {"1:a", "7:x", "7:y", "2:b"}) write(order);
    ASSERT_TRUE(eventually([&] { return desk.settled().size() == 2; }, 4 * k_patience));
    EXPECT_THAT(desk.settled(), ElementsAre("1:a", "2:b"));
    write("1:c");
    ASSERT_TRUE(eventually([&] { return desk.settled().size() == 3; }, 4 * k_patience)) << "and it goes on";
    ASSERT_TRUE(eventually([&] { return board.status().payments_held == 2; }));
    EXPECT_EQ(board.status().payments, ConsumerState::consuming);
    ASSERT_TRUE(eventually([&] { return !board.status().payments_held_because.empty(); }, 4 * k_patience)) << "it was tried again";
    EXPECT_GT(board.status().payments_pending_seconds, 0);
    payments.stop();
  }
  // The next consumer gets them again, because they were never committed.
  Payments payments(options(), desk, store, board);
  payments.start();
  ASSERT_TRUE(eventually([&] { return board.status().payments_held == 2; }, 4 * k_patience));
  desk.stuck = 0;
  const auto of_stuck = [&] {
    auto settled = desk.settled();
    std::erase_if(settled, [](const std::string& order) { return !order.starts_with("7:"); });
    return settled;
  };
  ASSERT_TRUE(eventually([&] { return of_stuck().size() == 2; }, 4 * k_patience));
  EXPECT_THAT(of_stuck(), ElementsAre("7:x", "7:y")) << "in their order";
  EXPECT_TRUE(eventually([&] { return board.status().payments_held == 0; }, 4 * k_patience));
  EXPECT_TRUE(eventually([&] { return board.status().payments_pending_seconds == 0; }, 4 * k_patience));
}

TEST_F(KafkaConsumer, TakesAtMostFiveHundredPaymentsAtOnce) {
  write_many(1, 1'100);
  desk.takes = milliseconds(500);   // meanwhile librdkafka has fetched the others
  Payments payments(options(), desk, store, board);
  payments.start();
  ASSERT_TRUE(eventually([&] { return desk.settled().size() == 1'100; }, 4 * k_patience));
  EXPECT_EQ(desk.most_at_once(), 500u);
}

TEST_F(KafkaConsumer, TakesPaymentsOfAtMost64KiB) {
  const std::string largest = "1:" + std::string(64 * 1'024 - 2, 'x');
  write(largest + "x");
  write(largest);
  Payments payments(options(), desk, store, board);
  payments.start();
  ASSERT_TRUE(eventually([&] { return !desk.settled().empty(); }, 4 * k_patience));
  EXPECT_THAT(desk.settled(), ElementsAre(largest));
  const auto letters = read("payment-succeeded.dead-letter", 1);
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].headers.at("dead_letter_reason"), "The message has more than 65536 bytes.");
}

TEST_F(KafkaConsumer, TakesNoMorePaymentsAtOnceWhenOneHasFilledTheBytes) {
  PaymentOptions small = options();
  small.limits.bytes_at_once_max = 1'000;
  write_many(1, 50, 101);   // nine have less
  Payments payments(small, desk, store, board);
  payments.start();
  ASSERT_TRUE(eventually([&] { return desk.settled().size() == 50; }, 4 * k_patience));
  EXPECT_EQ(desk.most_at_once(), 10u);
}

constexpr std::size_t k_largest = 64 * 1'024;   // with its key

TEST_F(KafkaConsumer, TakesAtMostEightMebibytesOfPaymentsAtOnce) {
  constexpr std::size_t k_most = 8 * 1'024 * 1'024 / k_largest;
  write_many(1, 4 * k_most, k_largest);
  desk.takes = milliseconds(1'000);   // meanwhile librdkafka has fetched as many more
  Payments payments(options(), desk, store, board);
  payments.start();
  ASSERT_TRUE(eventually([&] { return desk.settled().size() == 4 * k_most; }, 4 * k_patience));
  EXPECT_EQ(desk.most_at_once(), k_most);
}

TEST_F(KafkaConsumer, StopsReadingWhileItHoldsSixteenMebibytesOfPayments) {
  std::string fills = "7:fills ";
  fills.resize(k_largest - 3, 'x');   // without its key
  expect_it_reads_no_more_while_it_holds(16 * 1'024 * 1'024 / k_largest, k_largest, fills);
}

TEST_F(KafkaConsumer, StopsReadingWhileItHoldsTenThousandPayments) { expect_it_reads_no_more_while_it_holds(10'000, 0, "7:fits"); }

// One payment at a time would cost each of them a round of the ledger and a commit of its offset.
TEST_F(KafkaConsumer, TakesPaymentsOfOtherEventsTogetherHoweverManyOfOneEventAreHeld) {
  PaymentOptions small = options();
  small.limits.held_max = 100;
  desk.stuck = 7;
  write_many(7, small.limits.held_max - 1);
  Payments payments(small, desk, store, board);
  payments.start();
  ASSERT_TRUE(eventually([&] { return board.status().payments_held == small.limits.held_max - 1; }, 4 * k_patience));
  desk.takes = milliseconds(500);   // meanwhile librdkafka fetches the others
  write_many(1, 20);
  ASSERT_TRUE(eventually([&] { return desk.settled().size() == 20; }, 4 * k_patience));
  EXPECT_GE(desk.most_settled_at_once(), 10u);
}

TEST_F(KafkaConsumer, HoldsNoMorePaymentsWhenOneHasFilledTheBytes) {
  PaymentOptions small = options();
  small.limits.held_bytes_max = 1'000;
  desk.stuck = 7;
  write_many(7, 10, 101);   // nine have less
  write("1:waits");
  Payments payments(small, desk, store, board);
  payments.start();
  ASSERT_TRUE(eventually([&] { return board.status().payments_held == 10; }, 4 * k_patience));
  ASSERT_TRUE(eventually([&] { return desk.asked >= 20; }, 4 * k_patience)) << "they are tried again";
  EXPECT_TRUE(desk.settled().empty());
  desk.stuck = 0;
  ASSERT_TRUE(eventually([&] { return desk.settled().size() == 11; }, 4 * k_patience));
  EXPECT_EQ(desk.settled().back(), "1:waits");
}

// If tables do not follow, payments that name their reservation must not wait.
TEST_F(KafkaConsumer, HoldsOnlyPaymentsWhoseOrderCannotBeLookedUp) {
  desk.orders_away = true;
  Payments payments(options(), desk, store, board);
  payments.start();
  for (const char* order : {"x", "1:a", "y", "2:b"}) write(order);
  ASSERT_TRUE(eventually([&] { return desk.settled().size() == 2; }, 4 * k_patience));
  EXPECT_THAT(desk.settled(), ElementsAre("1:a", "2:b"));
  ASSERT_TRUE(eventually([&] { return board.status().payments_held == 2; }, 4 * k_patience));
  EXPECT_EQ(board.status().payments, ConsumerState::consuming);
  ASSERT_TRUE(eventually([&] { return desk.asked_for_orders >= 2; }, 4 * k_patience)) << "it is tried again";
  ASSERT_TRUE(eventually([&] { return !board.status().payments_held_because.empty(); }, 4 * k_patience));
  EXPECT_THAT(board.status().payments_held_because, testing::HasSubstr("event not known yet: what was sold for their orders"));
  write("z");
  write("3:c");
  ASSERT_TRUE(eventually([&] { return desk.settled().size() == 3; }, 4 * k_patience)) << "and it goes on";
  desk.orders_away = false;
  ASSERT_TRUE(eventually([&] { return desk.settled().size() == 6; }, 4 * k_patience));
  EXPECT_THAT(desk.settled(), ElementsAre("1:a", "2:b", "3:c", "x", "y", "z")) << "in their order";
  EXPECT_TRUE(eventually([&] { return board.status().payments_held_because.empty(); }, 4 * k_patience));
  EXPECT_TRUE(eventually([&] { return board.status().payments_pending_seconds == 0; }, 4 * k_patience));
}

TEST_F(KafkaConsumer, FindsAnOrderThatAnEarlierPaymentIsAboutToSell) {
  desk.stuck = 7;
  for (const char* order : {"1=new-1", "new-1", "7=new-7", "new-7", "new-2"}) write(order);
  Payments payments(options(), desk, store, board);
  payments.start();
  ASSERT_TRUE(eventually([&] { return board.counters.payments_settled == 2 && board.status().payments_held == 2; }, 4 * k_patience));
  write("new-7");
  ASSERT_TRUE(eventually([&] { return board.status().payments_held == 3; }, 4 * k_patience)) << "also behind one that waits";
  desk.stuck = 0;
  ASSERT_TRUE(eventually([&] { return board.counters.payments_settled == 5; }, 4 * k_patience));
  const auto dead = read("payment-succeeded.dead-letter", 1);
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0].value, "new-2") << "the only one of an order that nothing is sold for";
}

// While the ledger is away the partitions are paused, and another node joins and leaves.
TEST_F(KafkaConsumer, ContinuesAfterARebalanceDuringAWait) {
  desk.closed = true;
  Payments payments(options(), desk, store, board);
  payments.start();
  write("a");
  ASSERT_TRUE(eventually([&] { return desk.asked >= 3; }, 4 * k_patience)) << "it waits";
  EXPECT_TRUE(eventually([&] { return board.status().payments_pending_seconds > 0; })) << "and says so";
  {
    FeedBoard other_board;
    Payments other(options(), desk, store, other_board);
    other.start();
    ASSERT_TRUE(eventually(
        [&] { return other_board.status().payments == ConsumerState::consuming || other_board.status().payments == ConsumerState::away; },
        4 * k_patience));
  }
  desk.closed = false;
  ASSERT_TRUE(eventually([&] { return !desk.settled().empty(); }, 6 * k_patience));
  write("b");
  ASSERT_TRUE(eventually([&] { return desk.settled().back() == "b"; }, 6 * k_patience));
  EXPECT_TRUE(eventually([&] { return board.status().payments_pending_seconds == 0; }, 6 * k_patience));
}

// Messages that were fetched and not yet taken go back to the group.
TEST_F(KafkaConsumer, StopsAmongManyPaymentsAndTheNextOneContinues) {
  constexpr std::size_t k_payments = 3 * PaymentLimits{}.at_once_max;
  for (std::size_t i = 0; i < k_payments; ++i) write("order-" + std::to_string(i));
  desk.takes = milliseconds(500);
  {
    Payments payments(options(), desk, store, board);
    payments.start();
    ASSERT_TRUE(eventually([&] { return !desk.settled().empty(); }, 4 * k_patience));
    payments.stop();
  }
  EXPECT_EQ(board.status().payments, ConsumerState::stopped);
  EXPECT_LT(desk.settled().size(), k_payments) << "or nothing was left to go on with";
  desk.takes = milliseconds(0);
  Payments next(options(), desk, store, board);
  next.start();
  ASSERT_TRUE(eventually([&] { return desk.settled().size() >= k_payments; }, 6 * k_patience)) << desk.settled().size();
  const auto settled = desk.settled();
  EXPECT_EQ(std::set<std::string>(settled.begin(), settled.end()).size(), k_payments);
}

TEST_F(KafkaConsumer, TwoNodesShareMessagesAndLoseNoneWhenOneLeaves) {
  FeedBoard other_board;
  auto first = std::make_unique<Payments>(options(), desk, store, board);
  first->start();
  Payments second(options(), desk, store, other_board);
  second.start();
  std::set<std::string> all;
  for (int i = 0; i < 40; ++i) {
    all.insert("order-" + std::to_string(i));
    write("order-" + std::to_string(i));
    if (i == 20) first.reset();
  }
  ASSERT_TRUE(eventually([&] { return desk.settled().size() >= all.size(); }, 6 * k_patience)) << desk.settled().size();
  const auto settled = desk.settled();
  EXPECT_EQ(std::set<std::string>(settled.begin(), settled.end()), all);
}

}   // namespace
}   // namespace holdfast::feed::kafka
