// What a message of a payment service may say.
#include "feed/kafka/payment_desk.h"

#include <gmock/gmock.h>

#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;

TEST(PaymentMessages, HaveOrdersOf128AndPaymentsOf256BytesAndNoMore) {
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

}  // namespace
}  // namespace holdfast::test
