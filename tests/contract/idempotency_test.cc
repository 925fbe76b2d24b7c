// Rule 5: the same caller, key and request get the first outcome again, even after the seat has changed or the server has
// restarted. The same key with another request is refused. Refusals are judged again.
#include <gmock/gmock.h>

#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"
#include "support/waiting.h"

namespace holdfast::test {
namespace {

using Ids = std::vector<std::string>;

Headers key(const std::string& value) { return {{"Idempotency-Key", value}}; }

void expect_first(const Answer& answer, int status) {
  EXPECT_EQ(answer.status, status) << answer;
  EXPECT_FALSE(answer.has("Idempotency-Replayed")) << answer;
}

// The same status, body and Location, and the mark of a repeat.
void expect_replay(const Answer& answer, const Answer& first) {
  EXPECT_EQ(answer.status, first.status) << answer;
  EXPECT_EQ(answer.body, first.body);
  EXPECT_EQ(answer.header("Content-Type"), first.header("Content-Type"));
  EXPECT_EQ(answer.header("Location"), first.header("Location"));
  EXPECT_EQ(answer.header("Idempotency-Replayed"), "true") << answer;
}

class Idempotency : public OneServer {
 protected:
  TestEvent event = make_event(client, 6);
  std::string unique = new_uuid();

  void release(const std::string& id) { ASSERT_EQ(client.post("/v1/reservations/" + id + "/release", "{}").status, 200); }
  std::string letters() { return test::letters(client, event); }
};

TEST_F(Idempotency, RepeatedReservationOfContract1GetsTheFirstAnswer) {
  const Answer first = reserve(client, event[0], "c", key(unique));
  expect_first(first, 201);
  const auto after_first = look(client, event);
  for (int i = 0; i < 3; ++i) expect_replay(reserve(client, event[0], "c", key(unique)), first);
  EXPECT_EQ(look(client, event), after_first);
}

TEST_F(Idempotency, RepeatedTicketLockGetsTheFirstAnswer) {
  const Answer first = lock_tickets(client, {event[1], event[0]}, 600, key(unique));
  expect_first(first, 200);
  for (int i = 0; i < 3; ++i) expect_replay(lock_tickets(client, {event[1], event[0]}, 600, key(unique)), first);
}

TEST_F(Idempotency, RepeatedTicketLockOverSeveralEventsGetsTheFirstAnswer) {
  const TestEvent other = make_event(client, 2);
  const Answer first = lock_tickets(client, {other[0], event[0]}, 600, key(unique));
  expect_first(first, 200);
  expect_replay(lock_tickets(client, {other[0], event[0]}, 600, key(unique)), first);
}

TEST_F(Idempotency, HoldsAfterTheSeatWasGivenBackAndTakenBySomebodyElse) {
  const Answer first = reserve(client, event[0], "c", key(unique));
  expect_first(first, 201);
  release(string_of(first.json().at("reservationId")));
  expect_replay(reserve(client, event[0], "c", key(unique)), first);
  EXPECT_EQ(letters(), "aaaaaa") << "a replay takes nothing";
  ASSERT_EQ(reserve(client, event[0], "d").status, 201);
  expect_replay(reserve(client, event[0], "c", key(unique)), first);

  const Answer locked = lock_tickets(client, {event[1]}, 600, key("lock-" + unique));
  expect_first(locked, 200);
  ASSERT_EQ(client.post("/tickets_unlock_param", unlock_body({event[1]})).status, 200);
  expect_replay(lock_tickets(client, {event[1]}, 600, key("lock-" + unique)), locked);
  EXPECT_EQ(letters(), "haaaaa");
}

TEST_F(Idempotency, HoldsForEveryCommandOfV1) {
  const Answer held = hold(client, "c", {event[0], event[1]}, R"("holdSeconds":60)", key("hold-" + unique));
  expect_first(held, 201);
  expect_replay(hold(client, "c", {event[0], event[1]}, R"("holdSeconds":60)", key("hold-" + unique)), held);
  const std::string path = "/v1/reservations/" + string_of(held.json().at("id"));
  struct Row {
    std::string target;
    std::string body;
  };
  const Row rows[] = {{path + "/add", R"({"seatIds":)" + json_of(Ids{event[2]}) + "}"},
                      {path + "/extend", R"({"holdSeconds":120})"},
                      {path + "/release", R"({"seatIds":)" + json_of(Ids{event[2]}) + "}"},
                      {path + "/consume", R"({"orderId":"order-1"})"},
                      {path + "/return", R"({"orderId":"order-1","seatIds":)" + json_of(Ids{event[1]}) + "}"},
                      {"/v1/events/" + event.id + "/block", R"({"seatIds":)" + json_of(Ids{event[5]}) + "}"},
                      {"/v1/events/" + event.id + "/unblock", R"({"seatIds":)" + json_of(Ids{event[5]}) + "}"}};
  for (std::size_t i = 0; i < std::size(rows); ++i) {
    const Headers headers = key(std::to_string(i) + "-" + unique);
    const Answer first = client.post(rows[i].target, rows[i].body, headers);
    expect_first(first, 200);
    const auto after_first = look(client, event);
    expect_replay(client.post(rows[i].target, rows[i].body, headers), first);
    EXPECT_EQ(look(client, event), after_first) << rows[i].target;
  }
  EXPECT_EQ(letters(), "saaaaa");
}

TEST_F(Idempotency, SameKeyWithAnotherRequestOfContract1IsRefused) {
  ASSERT_EQ(reserve(client, event[0], "c", key(unique)).status, 201);
  expect_contract_1_problem(reserve(client, event[1], "c", key(unique)), 422, "idempotency_key_reused");
  expect_contract_1_problem(reserve(client, event[0], "d", key(unique)), 422, "idempotency_key_reused");
  EXPECT_EQ(letters(), "haaaaa");
}

TEST_F(Idempotency, SameKeyWithAnotherRequestOfContract2IsRefusedInItsOwnForm) {
  ASSERT_EQ(lock_tickets(client, {event[0]}, 600, key(unique)).status, 200);
  expect_contract_2_refusal(lock_tickets(client, {event[1]}, 600, key(unique)), 422);
  expect_contract_2_refusal(lock_tickets(client, {event[0]}, 601, key(unique)), 422);
  EXPECT_EQ(letters(), "haaaaa");
}

TEST_F(Idempotency, SameKeyWithAnotherRequestOfV1IsRefused) {
  const Answer held = hold(client, "c", {event[0]}, {}, key(unique));
  ASSERT_EQ(held.status, 201);
  expect_v1_problem(hold(client, "c", {event[1]}, {}, key(unique)), 422, "idempotency_key_reused");
  expect_v1_problem(hold(client, "c", {event[0]}, R"("holdSeconds":60)", key(unique)), 422, "idempotency_key_reused");
  const std::string path = "/v1/reservations/" + string_of(held.json().at("id"));
  expect_v1_problem(client.post(path + "/consume", R"({"orderId":"o"})", key(unique)), 422, "idempotency_key_reused");
  EXPECT_EQ(letters(), "haaaaa");
}

TEST_F(Idempotency, RefusalsAreJudgedAfresh) {
  const Answer other = hold(client, "other", {event[0]});
  expect_contract_1_problem(reserve(client, event[0], "c", key(unique)), 409, "seat_unavailable");
  EXPECT_EQ(lock_tickets(client, {event[0]}, 600, key("lock-" + unique)).status, 400);
  release(string_of(other.json().at("id")));
  const Answer first = reserve(client, event[0], "c", key(unique));
  expect_first(first, 201);
  expect_replay(reserve(client, event[0], "c", key(unique)), first);
}

TEST_F(Idempotency, ARequestWithoutAKeyOrWithAnotherKeyIsJudgedByItself) {
  ASSERT_EQ(reserve(client, event[0], "c", key(unique)).status, 201);
  EXPECT_EQ(reserve(client, event[0], "c").status, 409);
  EXPECT_EQ(reserve(client, event[0], "c", key("another-" + unique)).status, 409);
  EXPECT_EQ(reserve(client, event[0], "c", key(upper_case("x" + unique))).status, 409);
}

TEST_F(Idempotency, KeysHaveOneTo128PrintableCharacters) {
  EXPECT_EQ(reserve(client, event[0], "c", key(std::string(92, 'k') + unique)).status, 201);
  EXPECT_EQ(reserve(client, event[1], "c", key("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ a" + unique)).status, 201);
  for (const std::string& bad : {std::string(129, 'k'), std::string("é"), std::string("a\tb")}) {
    expect_contract_1_problem(reserve(client, event[2], "c", key(bad)), 400, "invalid_request");
    expect_v1_problem(hold(client, "c", {event[2]}, {}, key(bad)), 400, "invalid_request");
    expect_contract_2_refusal(lock_tickets(client, {event[2]}, 600, key(bad)), 400);
  }
  EXPECT_EQ(letters(), "hhaaaa");
}

// ---- creating events

std::string new_event_body(const std::string& id, const std::string& seat_id) {
  return R"({"id":")" + id + R"(","name":"E","categories":[{"name":"S"}],"seats":[{"id":")" + seat_id +
         R"(","section":"A","row":"1","number":"1","category":"S"}]})";
}

// Events are numbered from 1, and a reservation's id begins with its event's number.
unsigned long number_of_new_event(Client& client) {
  const TestEvent event = make_event(client, 1);
  return std::stoul(string_of(hold(client, "c", {event[0]}).json().at("id")).substr(0, 8), nullptr, 16);
}

TEST_F(Idempotency, ARefusedCreationIsRefusedAgainWithItsKey) {
  const std::string other_plan = new_event_body(event.id, new_uuid());
  for (int i = 0; i < 3; ++i) {
    const Answer refused = client.post("/v1/events", other_plan, key(unique));
    expect_v1_problem(refused, 409, "event_exists");
    EXPECT_FALSE(refused.has("Idempotency-Replayed")) << refused;
  }
  const std::string mine = new_event_body(new_uuid(), new_uuid());
  const Answer made = client.post("/v1/events", mine, key(unique));
  expect_first(made, 201);   // the refusals have not used up the key
  EXPECT_EQ(client.post("/v1/events", mine, key(unique)).header("Idempotency-Replayed"), "true");
  expect_v1_problem(client.post("/v1/events", other_plan, key(unique)), 422, "idempotency_key_reused");
}

TEST_F(Idempotency, RefusedCreationsUseUpNoEventNumbers) {
  ASSERT_EQ(client.post("/v1/events", new_event_body(new_uuid(), new_uuid()), key(unique)).status, 201);
  const unsigned long before = number_of_new_event(client);
  for (int i = 0; i < 3; ++i) {
    expect_v1_problem(client.post("/v1/events", new_event_body(new_uuid(), new_uuid()), key(unique)), 422, "idempotency_key_reused");
    expect_v1_problem(client.post("/v1/events", new_event_body(event.id, new_uuid())), 409, "event_exists");
  }
  EXPECT_EQ(number_of_new_event(client), before + 1);
}

TEST(IdempotencyAndRestart, KeysAreKeptByAStopAndByAKill) {
  Server server;
  TestEvent event;
  Answer reserved, locked, held;
  {
    Client client = server.connect();
    event = make_event(client, 6);
    reserved = reserve(client, event[0], "c", key("reserve"));
    locked = lock_tickets(client, {event[2], event[1]}, 600, key("lock"));
    held = hold(client, "c", {event[3], event[4]}, {}, key("hold"));
    ASSERT_EQ(reserved.status, 201);
    ASSERT_EQ(locked.status, 200);
    ASSERT_EQ(held.status, 201);
    ASSERT_EQ(client.post("/v1/reservations/" + string_of(held.json().at("id")) + "/release", "{}").status, 200);
  }
  for (const bool is_killed : {false, true}) {
    is_killed ? server.kill() : server.stop();
    server.start();
    Client client = server.connect();
    expect_replay(reserve(client, event[0], "c", key("reserve")), reserved);
    expect_replay(lock_tickets(client, {event[2], event[1]}, 600, key("lock")), locked);
    expect_replay(hold(client, "c", {event[3], event[4]}, {}, key("hold")), held);
    expect_contract_1_problem(reserve(client, event[1], "c", key("reserve")), 422, "idempotency_key_reused");
    EXPECT_EQ(letters(client, event), "hhhaaa");
  }
}

// The event opens as a draft, its taken seats are blocked by the thousand, then it gets its status.
TEST(IdempotencyAndRestart, ACreationThatIsKilledBetweenItsTakenSeatsIsFinishedByItsRepeat) {
  constexpr int k_taken = 60'000;
  std::string seats = R"({"seat_number":"free","category":"S"})";
  for (int i = 0; i < k_taken; ++i) {
    seats.append(R"(,{"category":"S","status":"sold","seat_number":)").append(std::to_string(i)).append("}");
  }
  const std::string plan =
      R"(,"plan":{"categories":[{"name":"S"}],"zones":[{"name":"A","rows":[{"row_number":"1","seats":[)" + seats + "]}]}]}}";
  Server server;
  std::string id, body;
  // The kill may come after the last step: then repeat with another event.
  const auto is_cut_off = [&] {
    id = new_uuid();
    body = R"({"name":"E","id":")" + id + '"' + plan;
    Client creating = server.connect();
    creating.write(request_bytes("POST", "/v1/events", body, key("create " + id)));
    {
      Client reading = server.connect();
      if (!eventually([&] { return reading.get("/v1/events/" + id).status == 200; })) return false;
    }
    server.kill();
    server.start();
    return string_of(server.connect().get("/v1/events/" + id).json().at("status")) == "draft";
  };
  bool found = false;
  for (int attempt = 0; attempt < 10 && !found; ++attempt) found = is_cut_off();
  ASSERT_TRUE(found);
  Client client = server.connect();
  const auto send = [&](const std::string& what) { return client.post("/v1/events", what, key("create " + id)); };
  expect_v1_problem(send(R"({"name":"F","id":")" + id + '"' + plan), 422, "idempotency_key_reused");
  const Answer repeat = send(body);
  expect_first(repeat, 201);
  EXPECT_EQ(string_of(repeat.json().at("status")), "on_sale");
  const std::string counts = "/v1/events/" + id;
  EXPECT_TRUE(eventually([&] { return client.get(counts).json().at("counts").at("blocked").to_number<int>() == k_taken; }));
  EXPECT_EQ(client.get(counts).json().at("counts").at("available").to_number<int>(), 1);
  // What happens to the event from here on does not concern its creation.
  ASSERT_EQ(client.request("PATCH", counts, R"({"status":"draft"})").status, 200);
  const Answer again = send(body);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.header("Idempotency-Replayed"), "true");
  EXPECT_EQ(string_of(again.json().at("status")), "draft");
}

TEST(IdempotencyLimit, KeysBeyondTheLimitAreRefused) {
  Server server({.flags = {"--ledger-idempotency-keys-max", "2"}});
  Client client = server.connect();
  const TestEvent event = make_event(client, 4);
  const Answer first = reserve(client, event[0], "c", key("1"));
  expect_first(first, 201);
  expect_first(reserve(client, event[1], "c", key("2")), 201);
  expect_contract_1_problem(reserve(client, event[2], "c", key("3")), 503, "unavailable");
  expect_replay(reserve(client, event[0], "c", key("1")), first);
  EXPECT_EQ(reserve(client, event[2], "c").status, 201) << "without a key it goes on";
}

}  // namespace
}  // namespace holdfast::test
