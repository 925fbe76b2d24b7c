// A full disk as callers see it: the API over a ledger whose journal has room as the test plans it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/embedded/planned_journal.h"
#include "ledger/ledger_in_test.h"
#include "linearizability/serving_node.h"
#include "support/client.h"
#include "support/events.h"
#include "support/problems.h"

namespace holdfast::test {
namespace {

struct NoRoom : testing::Test {
  NoRoom()
      : it(folder / "data", time, EmbeddedOptions{.data = {}, .around_journal = room.around()}),
        node(it.ledger(), folder),
        client(node.port()),
        event(make_event(client, 10)) {}

  Answer consume(const std::string& reservation) {
    return client.post("/v1/reservations/" + reservation + "/consume", R"({"orderId":"order-1"})");
  }

  LedgerFolder folder;
  TestTime time;
  PlannedRoom room;
  LedgerInTest it;
  ServingNode node;
  Client client;
  TestEvent event;
};

TEST_F(NoRoom, Is503ForWhatGrowsAndPaymentsGoOn) {
  const Answer held = hold(client, "anna", {event[0]});
  ASSERT_EQ(held.status, 201) << held;
  const std::string reservation = string_of(held.json().at("id"));
  room.refuse(Work::growing, NotTaken::Reason::no_room);

  const Answer refused = hold(client, "bert", {event[1]});
  expect_v1_problem(refused, 503, "no_room");
  EXPECT_EQ(refused.header("Retry-After"), "10");
  EXPECT_THAT(detail_of(refused), testing::HasSubstr("Nothing was done"));
  const Answer of_contract_1 = reserve(client, event[1], "bert");
  expect_contract_1_problem(of_contract_1, 503, "unavailable");
  EXPECT_EQ(of_contract_1.header("Retry-After"), "10");
  const Answer of_contract_2 = lock_tickets(client, {event[1], event[2]});
  expect_contract_2_refusal(of_contract_2, 503);
  EXPECT_EQ(of_contract_2.header("Retry-After"), "10");
  expect_v1_problem(client.request("PATCH", "/v1/events/" + event.id, R"({"name":"Another"})"), 503, "no_room");

  EXPECT_EQ(consume(reservation).status, 200);
  EXPECT_EQ(client.request("PATCH", "/v1/events/" + event.id, R"({"status":"closed"})").status, 200);

  room.take_all();
  EXPECT_EQ(client.request("PATCH", "/v1/events/" + event.id, R"({"status":"on_sale"})").status, 200);
  EXPECT_EQ(reserve(client, event[1], "bert").status, 201);
}

TEST_F(NoRoom, UsesUpNoIdempotencyKeyAndAnswersOneThatIsKnown) {
  const Headers first = {{"Idempotency-Key", "first"}}, second = {{"Idempotency-Key", "second"}};
  const Answer held = hold(client, "anna", {event[0]}, {}, first);
  ASSERT_EQ(held.status, 201) << held;
  room.refuse(Work::growing, NotTaken::Reason::no_room);
  const Answer again = hold(client, "anna", {event[0]}, {}, first);
  EXPECT_EQ(again.status, 201) << again;
  EXPECT_EQ(again.header("Idempotency-Replayed"), "true");
  expect_v1_problem(hold(client, "bert", {event[1]}, {}, second), 503, "no_room");

  room.take_all();
  const Answer anew = hold(client, "bert", {event[1]}, {}, second);
  EXPECT_EQ(anew.status, 201) << anew;
  EXPECT_FALSE(anew.has("Idempotency-Replayed"));
}

TEST_F(NoRoom, CreatesNoEventAndLeavesItsIdsFree) {
  const std::string body = event_body({"A-1", "A-2"});
  room.refuse(Work::growing, NotTaken::Reason::no_room);
  expect_v1_problem(client.post("/v1/events", body), 503, "no_room");
  room.take_all();
  room.refuse(Work::growing, NotTaken::Reason::preparing, 3);
  EXPECT_EQ(client.post("/v1/events", body).status, 201) << "it waits for room that is being made";
}

}  // namespace
}  // namespace holdfast::test
