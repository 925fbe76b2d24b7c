// The three APIs work on the same seats: what one takes, the others refuse; what one gives back, the others can have.
#include <gmock/gmock.h>

#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

using Ids = std::vector<std::string>;

class OneInventory : public OneServer {
 protected:
  TestEvent event = make_event(client, 3);

  bool reserves() { return reserve(client, event[0], "c").status == 201; }
  bool locks() { return lock_tickets(client, {event[0]}).status == 200; }
  bool holds() { return hold(client, "c", {event[0]}).status == 201; }
  bool anybody_takes_it() { return reserves() || locks() || holds(); }
  std::string state() { return seat_state(client, event[0]); }
};

TEST_F(OneInventory, ASeatReservedByContract1IsTakenForAll) {
  const Answer made = reserve(client, event[0], "c");
  ASSERT_EQ(made.status, 201);
  EXPECT_EQ(state(), "held");
  EXPECT_FALSE(anybody_takes_it());
  const std::string id = string_of(made.json().at("reservationId"));
  const Json seen = reservation(client, id);
  EXPECT_EQ(string_of(seen.at("id")), id);
  EXPECT_EQ(string_of(seen.at("customerId")), "c");
  EXPECT_EQ(seen.at("expiresAt"), made.json().at("expiresAt"));
}

TEST_F(OneInventory, ATicketLockedByContract2IsTakenForAll) {
  ASSERT_TRUE(locks());
  EXPECT_EQ(state(), "held");
  EXPECT_FALSE(anybody_takes_it());
}

TEST_F(OneInventory, ASeatHeldByV1IsTakenForAll) {
  const Answer made = hold(client, "c", {event[0]});
  ASSERT_EQ(made.status, 201);
  EXPECT_FALSE(anybody_takes_it());
  EXPECT_EQ(client.get("/reservations/" + string_of(made.json().at("id"))).status, 200);
}

TEST_F(OneInventory, SeatsReleasedByV1OrUnlockedByContract2AreFreeForTheOthers) {
  const std::string id = string_of(reserve(client, event[0], "c").json().at("reservationId"));
  ASSERT_EQ(client.post("/v1/reservations/" + id + "/release", "{}").status, 200);
  ASSERT_TRUE(locks());
  ASSERT_EQ(client.post("/tickets_unlock_param", unlock_body({event[0]})).status, 200);
  ASSERT_TRUE(holds());
}

TEST_F(OneInventory, AReservationOfContract1CanBeSoldAndReturned) {
  const std::string id = string_of(reserve(client, event[0], "c").json().at("reservationId"));
  ASSERT_EQ(client.post("/v1/reservations/" + id + "/consume", R"({"orderId":"order-1"})").status, 200);
  EXPECT_EQ(state(), "sold");
  EXPECT_FALSE(anybody_takes_it());
  ASSERT_EQ(client.post("/v1/reservations/" + id + "/return", R"({"orderId":"order-1"})").status, 200);
  EXPECT_TRUE(reserves());
}

TEST_F(OneInventory, ABlockedSeatIsTakenForAll) {
  ASSERT_EQ(client.post("/v1/events/" + event.id + "/block", R"({"seatIds":)" + json_of(Ids{event[0]}) + "}").status, 200);
  EXPECT_EQ(state(), "blocked");
  EXPECT_FALSE(anybody_takes_it());
}

}  // namespace
}  // namespace holdfast::test
