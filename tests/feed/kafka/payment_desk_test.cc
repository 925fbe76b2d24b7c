// Payment messages that are accepted, and the time by which refusals are forgotten.
#include "feed/kafka/payment_desk.h"

#include <gmock/gmock.h>

#include "feed/kafka/feed_file.h"
#include "feed/kafka/store.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;

TEST(PaymentMessages, HaveOrdersOfAtMost128AndPaymentsOfAtMost256Bytes) {
  const LedgerFolder folder;
  const TestTime time;
  LedgerInTest it{folder, time};
  feed::kafka::EnginePaymentDesk desk(it.ledger());
  const auto read = [&](std::size_t order, std::size_t payment) {
    return desk.read(true, R"({"orderId":")" + std::string(order, 'o') + R"(","paymentId":")" + std::string(payment, 'p') + "\"}");
  };
  const auto taken = read(128, 256);
  ASSERT_TRUE(taken.has_value()) << taken.error();
  EXPECT_EQ(taken->order.size(), 128u);
  EXPECT_EQ(taken->payment.size(), 256u);
  const auto long_payment = read(128, 257);
  ASSERT_FALSE(long_payment.has_value());
  EXPECT_THAT(long_payment.error(), HasSubstr("`paymentId` must have 1 to 256 bytes"));
  const auto long_order = read(129, 256);
  ASSERT_FALSE(long_order.has_value());
  EXPECT_THAT(long_order.error(), HasSubstr("`orderId` must have 1 to 128 bytes"));
}

// The clock may be wrong. If the refusal were forgotten, the same payment could buy the seat although its money was sent back.
TEST(RefusedPayments, AreKeptForAnHourMoreIfTheClockIsFarAheadAtTheStart) {
  constexpr Millis k_years = 2 * 365 * k_day;
  const LedgerFolder folder;
  TestTime time;
  LedgerInTest it{folder / "data", time};
  ASSERT_NE(it.create_event(20), 0u);
  feed::kafka::FeedStore store(feed::kafka::open_feed_file(folder / "feed.db"));
  const feed::kafka::PaymentDigest first{1};
  const auto refuse_another = [&](std::uint8_t number) {
    feed::kafka::EnginePaymentDesk desk(it.ledger());
    store.keep_rejection(feed::kafka::PaymentDigest{number}, "refused", it.ledger().now(), desk.undoubted_now());
  };
  store.keep_rejection(first, "refused", it.ledger().now(), it.ledger().now());
  it.close();
  time.pass(k_years);
  it.reopen();
  ASSERT_NE(it.ledger().clock_doubt(), "");
  refuse_another(2);
  EXPECT_TRUE(store.rejection(first).has_value());
  time.pass(k_hour);
  ASSERT_EQ(it.ledger().clock_doubt(), "");
  refuse_another(3);
  EXPECT_FALSE(store.rejection(first).has_value());
}

TEST(RefusedPayments, AreNotForgottenByALedgerThatIsFarAheadOfTheWallClock) {
  const LedgerFolder folder;
  TestTime time;
  LedgerInTest it{folder / "data", time};
  time.step_wall(365 * k_day);   // wrong, and recorded
  it.close();
  it.reopen();
  ASSERT_NE(it.create_event(20), 0u);
  it.close();
  time.step_wall(-365 * k_day);
  it.reopen();
  feed::kafka::EnginePaymentDesk desk(it.ledger());
  EXPECT_EQ(it.ledger().now() - 365 * k_day, desk.undoubted_now());
  EXPECT_EQ(desk.undoubted_now(), k_begin);
}

}  // namespace
}  // namespace holdfast::test
