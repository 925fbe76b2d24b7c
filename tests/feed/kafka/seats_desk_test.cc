// What a message of seats may contain, and the order of rows of events from Kafka.
#include "feed/kafka/seats_desk.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "ledger/ledger_in_test.h"

namespace holdfast::feed::kafka {
namespace {

// The first message of an event that is too large says so, not the last one that does not fit.
TEST(SeatMessages, AreOfEventsOfAtMost500000Seats) {
  const test::LedgerFolder folder;
  const test::TestTime time;
  test::LedgerInTest it{folder, time};
  EngineSeatsDesk desk(it.ledger());
  const auto read = [&](std::uint64_t total) {
    return desk.read(R"({"eventId":"0e000000-0000-4000-8000-000000000007","totalSeats":)" + std::to_string(total) +
                     R"(,"seats":[{"seatId":"550e8400-e29b-41d4-a716-446655440071","section":"A","row":"1","number":12}]})");
  };
  const auto taken = read(k_generated_seats_max);
  ASSERT_TRUE(taken.has_value()) << taken.error();
  EXPECT_EQ(taken->total, 500'000u);
  const auto refused = read(k_generated_seats_max + 1);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error(), testing::HasSubstr("`totalSeats` is 500001. An event from Kafka has at most 500000 seats"));
  EXPECT_THAT(refused.error(), testing::HasSubstr("POST /v1/events"));
}

TEST(Rows, StandInTheOrderInWhichPeopleReadThem) {
  const std::vector<std::string> in_order = {"",   "01", "1",  "2",   "9",    "10", "10A", "10B", "100", "A",
                                             "A1", "A2", "A9", "A10", "A10B", "AA", "B",   "a",   "ä"};
  for (std::size_t i = 0; i < in_order.size(); ++i) {
    for (std::size_t j = 0; j < in_order.size(); ++j)
      EXPECT_EQ(compare_rows(in_order[i], in_order[j]), i <=> j) << in_order[i] << " and " << in_order[j];
  }
}

}  // namespace
}  // namespace holdfast::feed::kafka
