// The decision about payments that were taken together, with a store and a desk that only count and agree.
#include "feed/kafka/payment_batch.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace holdfast::feed::kafka {
namespace {

constexpr std::string_view k_succeeded = "payment-succeeded";

class CountingStore final : public FeedStore {
 public:
  CountingStore() : FeedStore(nullptr) {}   // no call gets to a database
  std::string keep_rejection(const PaymentDigest&, std::string_view told, Millis, Millis) override { return std::string(told); }
  std::vector<std::optional<std::string>> rejections(std::span<const PaymentDigest> payments) override {
    ++looks;
    std::vector<std::optional<std::string>> told(payments.size());
    for (std::size_t i = 0; i < payments.size(); ++i) {
      if (std::ranges::find(rejected, payments[i]) != rejected.end()) told[i] = encode_rejection({"seat_unavailable", 5, {"A-1-1"}});
    }
    return told;
  }

  std::vector<PaymentDigest> rejected;
  int looks = 0;
};

// A message is the order that it pays, all of one reservation.
class AgreeingDesk final : public PaymentDesk {
 public:
  std::expected<Payment, std::string> read(bool succeeded, std::string_view text) override { return payment(std::string(text), succeeded); }
  std::vector<std::optional<Uuid>> find_orders(std::span<const std::string> orders) override {
    return std::vector<std::optional<Uuid>>(orders.size());
  }
  std::vector<Effect> settle(std::span<const Payment> payments) override {
    return std::vector<Effect>(payments.size(), Effect{.kind = Effect::Kind::settled});
  }
  std::string trouble() override { return {}; }
  Millis undoubted_now() override { return 0; }

  static Payment payment(const std::string& order, bool succeeded = true) {
    const std::uint8_t random[10] = {};
    return {.succeeded = succeeded, .reservation = make_reservation_id(7, 1'771'949'700'000, random), .order = order, .payment = "p"};
  }
};

std::vector<Received> messages_of(std::size_t count) {
  std::vector<Received> messages;
  for (std::size_t i = 0; i < count; ++i) {
    messages.push_back({.topic = std::string(k_succeeded),
                        .partition = 0,
                        .offset = static_cast<std::int64_t>(i),
                        .key = {},
                        .value = "order-" + std::to_string(i),
                        .headers = {}});
  }
  return messages;
}

TEST(PaymentBatch, FindsEarlierRejectionsOfAllItsPaymentsInOneLook) {
  CountingStore store;
  AgreeingDesk desk;
  const HeldPayments held("test");
  std::vector<Received> messages = messages_of(1'000);
  messages.push_back(messages[3]);
  store.rejected = {digest_of(AgreeingDesk::payment("order-3")), digest_of(AgreeingDesk::payment("order-999"))};
  PaymentBatch batch(desk, store, held, messages, k_succeeded);
  batch.decide();
  EXPECT_EQ(store.looks, 1);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    EXPECT_EQ(batch.ruling(i).rejection.has_value(), i == 3 || i == 999 || i == 1'000) << i;
  }
  EXPECT_EQ(batch[1'000].repeats, 3U);
  batch.settle();
  EXPECT_TRUE(batch[4].is_settled);
  EXPECT_FALSE(batch[3].is_settled);
}

TEST(PaymentBatch, DoesNotLookForRejectionsWithoutAPaymentThatSucceeded) {
  CountingStore store;
  AgreeingDesk desk;
  const HeldPayments held("test");
  std::vector<Received> messages = messages_of(2);
  for (Received& each : messages) each.topic = "payment-failed";
  PaymentBatch batch(desk, store, held, messages, k_succeeded);
  batch.decide();
  EXPECT_EQ(store.looks, 0);
}

}  // namespace
}  // namespace holdfast::feed::kafka
