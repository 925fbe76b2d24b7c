// Payments that wait for their event: kept in order, counted, and returned by event.
#include "feed/kafka/held_payments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/waiting.h"

namespace holdfast::feed::kafka {
namespace {

using test::eventually;
using testing::ElementsAre;
using testing::Pair;

const Uuid k_reservation = parse_uuid("0e000000-0000-4000-8000-000000000001").value();

Received message(std::int64_t offset, std::int32_t partition = 0) {
  return {.topic = "payments", .partition = partition, .offset = offset, .key = {}, .value = "0123456789", .headers = {}};
}

std::vector<std::int64_t> offsets(const std::vector<Received>& messages) {
  std::vector<std::int64_t> offsets;
  for (const Received& each : messages) offsets.push_back(each.offset);
  return offsets;
}

TEST(HeldPayments, AreReturnedByEventInOrderAfterItsPause) {
  HeldPayments held("test");
  EXPECT_TRUE(held.add(7, {.message = message(1)}, "it is damaged"));
  EXPECT_FALSE(held.add(7, {.message = message(3)}, "it is damaged")) << "not the first of its event";
  EXPECT_TRUE(held.add(9, {.message = message(2)}, "it is damaged"));
  EXPECT_TRUE(held.take_due().empty()) << "the pause is not over";
  std::vector<Received> due;
  ASSERT_TRUE(eventually([&] { return !(due = held.take_due()).empty(); }));
  EXPECT_THAT(offsets(due), ElementsAre(1, 3));
  EXPECT_FALSE(held.has(7));
  ASSERT_TRUE(eventually([&] { return !(due = held.take_due()).empty(); }));
  EXPECT_THAT(offsets(due), ElementsAre(2));
  EXPECT_TRUE(held.take_due().empty());
}

TEST(HeldPayments, AreCountedWithTheirBytes) {
  HeldPayments held("test");
  held.add(7, {.message = message(1)}, "it is damaged");
  held.add(7, {.message = message(2)}, "it is damaged");
  held.add(9, {.message = message(3)}, "it is damaged");
  EXPECT_EQ(held.count(), 3u);
  EXPECT_EQ(held.bytes(), 30u);
  EXPECT_THAT(held.events(), ElementsAre(7, 9));
  ASSERT_TRUE(eventually([&] { return held.take_due().size() == 2; }));
  EXPECT_EQ(held.count(), 1u);
  EXPECT_EQ(held.bytes(), 10u);
  held.clear();
  EXPECT_EQ(held.count(), 0u);
  EXPECT_EQ(held.bytes(), 0u);
}

TEST(HeldPayments, HaveAFirstOffsetInEachPartition) {
  HeldPayments held("test");
  held.add(7, {.message = message(5, 0)}, "it is damaged");
  held.add(9, {.message = message(4, 0)}, "it is damaged");
  held.add(7, {.message = message(8, 1)}, "it is damaged");
  EXPECT_THAT(held.first_offsets(), ElementsAre(Pair(Partition("payments", 0), 4), Pair(Partition("payments", 1), 8)));
}

TEST(HeldPayments, NameTheReservationsOfTheirOrders) {
  HeldPayments held("test");
  held.add(7, {.message = message(1), .order = "order-1", .reservation = k_reservation}, "it is damaged");
  held.add(7, {.message = message(2)}, "it is damaged");
  EXPECT_THAT(held.reservations_by_order(), ElementsAre(Pair("order-1", k_reservation)));
}

TEST(HeldPayments, CountAsFailingUntilTheirEventHasWorked) {
  HeldPayments held("test");
  const auto retry = [&] {
    EXPECT_TRUE(eventually([&] { return !held.take_due().empty(); }));
    held.add(7, {.message = message(1)}, "it is damaged");
  };
  held.add(7, {.message = message(1)}, "it is damaged");
  EXPECT_EQ(held.summary().events, 0u) << "a first failure is not reported";
  retry();
  held.worked(7);
  EXPECT_EQ(held.summary().events, 1u) << "some of its payments are still held";
  held.clear();
  EXPECT_EQ(held.summary().events, 0u);
}

}   // namespace
}   // namespace holdfast::feed::kafka
