// Holdfast's own API: events, seats and the whole life of a reservation.
#include <gmock/gmock.h>

#include <thread>

#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsSubsetOf;

using Ids = std::vector<std::string>;

class ApiV1 : public OneServer {
 protected:
  std::string letters(const TestEvent& event) { return test::letters(client, event); }

  std::string held_id(const Ids& seats, std::string_view more = {}) {
    const Answer answer = hold(client, "customer-123", seats, more);
    EXPECT_EQ(answer.status, 201) << answer;
    return string_of(answer.json().at("id"));
  }

  Answer act(const std::string& reservation, std::string_view action, std::string_view body) {
    return client.post("/v1/reservations/" + reservation + "/" + std::string(action), body);
  }
  Answer on_event(const TestEvent& event, std::string_view action, const Ids& seats) {
    return client.post("/v1/events/" + event.id + "/" + std::string(action), seats_body(seats));
  }
  Answer configure(const TestEvent& event, std::string_view body) { return client.request("PATCH", "/v1/events/" + event.id, body); }

  // The ids of a plan's seats, in its order.
  static Ids ids_of(const Answer& plan) { return strings_of(plan.json().at("seats").at("id")); }

  static std::string seats_body(const Ids& seats) { return R"({"seatIds":)" + json_of(seats) + "}"; }

  static void expect_refusal(const Answer& answer, int status, std::string_view code, const Ids& seats) {
    expect_v1_problem(answer, status, code);
    ASSERT_TRUE(answer.json().as_object().contains("seatIds")) << answer;
    EXPECT_EQ(strings_of(answer.json().at("seatIds")), seats) << answer;
  }
};

// --- events ---

TEST_F(ApiV1, AnEventIsCreatedWithItsSeatsAndCanBeRead) {
  const std::string id = new_uuid();
  const Answer made = client.post("/v1/events", R"({"id":")" + id + R"(","name":"An Evening","startsAt":"2031-05-01T19:30:00Z",
    "venue":"Theatre","currency":"EUR","categories":[{"name":"Stalls","price":45.00,"color":"#4176A5"},{"name":"Box","price":80.5}],
    "seats":[{"section":"A","row":"1","number":"1","category":"Stalls","x":1.5,"y":-2},{"section":"A","row":"1","number":"2","category":"Box"}],
    "holdSeconds":600,"maxHoldSeconds":1200,"limits":{"seatsPerReservation":8,"heldSeatsPerCustomer":16}})");
  ASSERT_EQ(made.status, 201) << made;
  EXPECT_EQ(made.header("Content-Type"), "application/json");
  const Answer read = client.get("/v1/events/" + id);
  ASSERT_EQ(read.status, 200) << read;
  for (const Json& event : {made.json(), read.json()}) {
    EXPECT_EQ(string_of(event.at("id")), id);
    EXPECT_EQ(string_of(event.at("name")), "An Evening");
    EXPECT_EQ(millis_of(event.at("startsAt")), millis_of(Json("2031-05-01T19:30:00Z")));
    EXPECT_EQ(string_of(event.at("venue")), "Theatre");
    EXPECT_EQ(string_of(event.at("currency")), "EUR");
    EXPECT_EQ(event.at("holdSeconds"), Json(600));
    EXPECT_EQ(event.at("maxHoldSeconds"), Json(1200));
    EXPECT_EQ(event.at("limits"), parse_json(R"({"seatsPerReservation":8,"heldSeatsPerCustomer":16})"));
    EXPECT_EQ(string_of(event.at("status")), "on_sale");
  }
}

// A plan as an editor writes it, with members that Holdfast ignores.
std::string plan_with_more(std::string_view seats) {
  return R"({"name":"Hall","size":{"width":100,"height":100},
"categories":[{"name":"S","price":45,"vat":19}],
"legend":"Ask at the bar",
"zones":[{"name":"A","zone_id":"z1","position":{"x":1,"y":1},
 "areas":[{"shape":"text","text":{"text":"Stage"}},{"shape":"circle"}],
 "rows":[{"row_number":"1","uuid":"r","position":{"x":0,"y":0},"seats":[)" +
         std::string(seats) + R"(]}]},
 {"name":"B","areas":[],"rows":[]}]})";
}

Json not_taken_of(const Answer& answer) { return answer.json().at("notTaken").at("members"); }

TEST_F(ApiV1, IgnoredMembersOfAPlanAreListed) {
  const std::string seats = R"({"seat_number":"1","category":"S","colour":"red","radius":null},
 {"seat_number":"2","category":"S","colour":{"r":1}})";
  const Answer made = client.post("/v1/events", R"({"name":"E","plan":)" + plan_with_more(seats) + "}");
  ASSERT_EQ(made.status, 201) << made;
  const Json expected = parse_json(R"([
    {"member":"categories[].vat","count":1,"line":2},
    {"member":"legend","count":1,"line":3},
    {"member":"zones[].areas","count":2,"line":5},
    {"member":"zones[].rows[].seats[].colour","count":2,"line":6}])");
  EXPECT_EQ(not_taken_of(made), expected) << made;
  EXPECT_EQ(made.json().at("notTaken").at("others").to_number<int>(), 0);
  const Answer read = client.get("/v1/events/" + string_of(made.json().at("id")));
  EXPECT_FALSE(read.json().as_object().contains("notTaken")) << "it is the import's, not the event's";
  EXPECT_EQ(read.json().at("counts").at("available").to_number<int>(), 2);
}

TEST_F(ApiV1, IgnoredMembersBeyondTheLimitAreCounted) {
  std::string members;
  for (int i = 0; i < 30; ++i) members.append(R"(,"m)").append(std::to_string(i)).append("\":[1,2]");
  const Answer made =
      client.post("/v1/events", R"({"name":"E","plan":{"categories":[{"name":"S"}],"zones":[{"name":"A","rows":[{"row_number":1,"seats":[
    {"seat_number":1,"category":"S"}]}]}])" +
                                    members + "}}");
  ASSERT_EQ(made.status, 201) << made;
  EXPECT_EQ(not_taken_of(made).as_array().size(), 20U);
  EXPECT_EQ(made.json().at("notTaken").at("others").to_number<int>(), 20) << "ten members with two items each";
}

TEST_F(ApiV1, ASeatThatIsTakenInItsPlanIsBlocked) {
  const std::string seats = R"({"seat_number":"1","category":"S","status":"sold"},{"seat_number":"2","category":"S","status":"Available"},
    {"seat_number":"3","category":"S","status":"free"},{"seat_number":"4","category":"S","status":"reserved"},{"seat_number":"5","category":"S"},
    {"seat_number":"6","category":"S","status":null})";
  for (const std::string status : {"on_sale", "draft", "closed"}) {
    const std::string body = R"({"name":"E","status":")" + status + R"(","plan":)" + plan_with_more(seats) + "}";
    const Headers key = {{"Idempotency-Key", "taken-" + new_uuid()}};
    const Answer made = client.post("/v1/events", body, key);
    ASSERT_EQ(made.status, 201) << made;
    EXPECT_EQ(string_of(made.json().at("status")), status);
    EXPECT_EQ(made.json().at("counts").at("blocked").to_number<int>(), 2);
    const std::string id = string_of(made.json().at("id"));
    const TestEvent event{.id = id, .seats = ids_of(client.get("/v1/events/" + id + "/plan"))};
    EXPECT_EQ(letters(event), "baabaa") << status;
    if (status == "on_sale") expect_refusal(hold(client, "c", event.first(3)), 409, "seat_unavailable", {event[0]});
    const Answer again = client.post("/v1/events", body, key);
    EXPECT_EQ(again.status, 201) << again;
    EXPECT_EQ(again.header("Idempotency-Replayed"), "true") << status;
    EXPECT_EQ(not_taken_of(again), not_taken_of(made)) << status;
    ASSERT_EQ(on_event(event, "unblock", {event[0]}).status, 200) << "the organiser may sell it all the same";
  }
}

TEST_F(ApiV1, MoreTakenSeatsThanFitIntoOneCommandAreAllBlocked) {
  std::string seats;
  for (int i = 0; i < 2'500; ++i) {
    seats.append(i == 0 ? "" : ",").append(R"({"category":"S","status":"sold","seat_number":)").append(std::to_string(i)).append("}");
  }
  const Answer made = client.post("/v1/events", R"({"name":"E","status":"draft","plan":)" + plan_with_more(seats) + "}");
  ASSERT_EQ(made.status, 201) << made;
  EXPECT_EQ(made.json().at("counts").at("blocked").to_number<int>(), 2'500);
}

TEST_F(ApiV1, AByteOrderMarkBeforeAnEventIsSkipped) {
  const Answer made = client.post("/v1/events", "\xEF\xBB\xBF" + event_body({new_uuid()}));
  EXPECT_EQ(made.status, 201) << made;
}

TEST_F(ApiV1, AnEventsDefaultsAreThoseOfTheSpecification) {
  const TestEvent event = make_event(client, 1);
  const Json read = client.get("/v1/events/" + event.id).json();
  EXPECT_EQ(string_of(read.at("status")), "on_sale");
  EXPECT_EQ(read.at("holdSeconds"), Json(900));
  EXPECT_EQ(read.at("maxHoldSeconds"), Json(3600));
}

TEST_F(ApiV1, AnEventShowsItsCountsByState) {
  const TestEvent event = make_event(client, 5);
  held_id({event[0]});
  ASSERT_EQ(act(held_id({event[1]}), "consume", R"({"orderId":"o"})").status, 200);
  ASSERT_EQ(on_event(event, "block", {event[2]}).status, 200);
  const auto counts = [&] {
    std::vector<int> seen;
    const Json found = client.get("/v1/events/" + event.id).json().at("counts");
    for (const char* state : {"available", "held", "sold", "blocked"}) seen.push_back(found.at(state).to_number<int>());
    return seen;
  };
  EXPECT_TRUE(eventually([&] { return counts() == std::vector{2, 1, 1, 1}; })) << testing::PrintToString(counts());
}

TEST_F(ApiV1, EventsAreListedInPages) {
  std::set<std::string> made;
  for (int i = 0; i < 5; ++i) made.insert(make_event(client, 1).id);
  std::set<std::string> listed;
  std::string cursor;
  for (int pages = 0; pages < 1'000; ++pages) {
    const Answer answer = client.get("/v1/events?limit=2" + (cursor.empty() ? "" : "&cursor=" + cursor));
    ASSERT_EQ(answer.status, 200) << answer;
    const Json body = answer.json();
    EXPECT_LE(body.at("items").as_array().size(), 2U);
    for (const Json& event : body.at("items").as_array()) EXPECT_TRUE(listed.insert(string_of(event.at("id"))).second) << "listed twice";
    if (!body.as_object().contains("nextCursor") || body.at("nextCursor").is_null()) break;
    cursor = string_of(body.at("nextCursor"));
  }
  EXPECT_THAT(made, IsSubsetOf(listed));
}

TEST_F(ApiV1, AnUnknownEventIs404) {
  expect_v1_problem(client.get("/v1/events/" + new_uuid()), 404, "event_not_found");
  expect_v1_problem(client.get("/v1/events/" + new_uuid() + "/states"), 404, "event_not_found");
  expect_v1_problem(client.get("/v1/events/" + new_uuid() + "/plan"), 404, "event_not_found");
  expect_v1_problem(client.post("/v1/events/" + new_uuid() + "/block", seats_body({new_uuid()})), 404, "event_not_found");
  expect_v1_problem(client.request("PATCH", "/v1/events/" + new_uuid(), R"({"name":"x"})"), 404, "event_not_found");
}

// Of concurrent changes, no answered change is lost, and changes that were sent together are made together.
TEST_F(ApiV1, ChangesOfAnEventAtTheSameTimeAreJudgedOneAfterTheOther) {
  const TestEvent event = make_event(client, 1);
  Client other = server().connect();
  constexpr int k_rounds = 25;
  for (int i = 0; i < k_rounds; ++i) {
    ASSERT_EQ(
        configure(event, R"({"limits":{"seatsPerReservation":1000,"heldSeatsPerCustomer":0},"holdSeconds":900,"maxHoldSeconds":3600})")
            .status,
        200);
    Answer limits;
    Answer length;
    std::thread first([&] { limits = configure(event, R"({"limits":{"seatsPerReservation":4},"holdSeconds":3000})"); });
    length = other.request("PATCH", "/v1/events/" + event.id, R"({"limits":{"heldSeatsPerCustomer":2},"maxHoldSeconds":1000})");
    first.join();
    EXPECT_EQ(limits.status + length.status, 200 + 400)
        << limits << length << "one of them finds the other's change, and does not go with it";
    expect_v1_problem(limits.status == 400 ? limits : length, 400, "settings_conflict");
    const Json read = client.get("/v1/events/" + event.id).json();
    EXPECT_LE(read.at("holdSeconds").as_int64(), read.at("maxHoldSeconds").as_int64());
    ASSERT_EQ(configure(event, R"({"holdSeconds":900,"maxHoldSeconds":3600})").status, 200);
    std::thread again([&] { limits = configure(event, R"({"limits":{"seatsPerReservation":5}})"); });
    length = other.request("PATCH", "/v1/events/" + event.id, R"({"limits":{"heldSeatsPerCustomer":3}})");
    again.join();
    ASSERT_EQ(limits.status, 200) << limits;
    ASSERT_EQ(length.status, 200) << length;
    ASSERT_EQ(client.get("/v1/events/" + event.id).json().at("limits"),
              parse_json(R"({"seatsPerReservation":5,"heldSeatsPerCustomer":3})"));
  }
}

TEST_F(ApiV1, AChangeToConflictingSettingsIsRefusedAndNamesThem) {
  const TestEvent event = make_event(client, 1);
  const Answer refused = configure(event, R"({"name":"Other","holdSeconds":3700})");
  expect_v1_problem(refused, 400, "settings_conflict");
  EXPECT_THAT(string_of(refused.json().at("detail")), AllOf(HasSubstr("3700"), HasSubstr("3600")));
  EXPECT_NE(string_of(client.get("/v1/events/" + event.id).json().at("name")), "Other");
  EXPECT_EQ(configure(event, R"({"holdSeconds":3700,"maxHoldSeconds":3700})").status, 200);
}

TEST_F(ApiV1, SeatsWithoutAnIdGetAUuidThatCanBeHeld) {
  const Answer made = client.post("/v1/events", R"({"name":"E","categories":[{"name":"S"}],"seats":[
    {"section":"A","row":"1","number":"1","category":"S"},{"section":"A","row":"1","number":"2","category":"S"}]})");
  ASSERT_EQ(made.status, 201) << made;
  const std::string id = string_of(made.json().at("id"));
  const Answer plan = client.get("/v1/events/" + id + "/plan");
  ASSERT_EQ(plan.status, 200) << plan;
  const Ids seats = ids_of(plan);
  ASSERT_EQ(seats.size(), 2U) << plan;
  EXPECT_NE(seats[0], seats[1]);
  EXPECT_EQ(reserve(client, seats[1], "c").status, 201);
  EXPECT_EQ(letters({id, seats}), "ah");
}

TEST_F(ApiV1, SeatsOfOnePlanInOneEventIdGetTheSameIdsEachTime) {
  const std::string body = R"("name":"E","categories":[{"name":"S"}],"seats":[{"section":"A","row":"1","number":"1","category":"S"}]})";
  const std::string event_id = new_uuid();
  Server other;
  Client elsewhere = other.connect();
  Ids ids;
  for (Client* where : {&client, &elsewhere}) {
    const Answer made = where->post("/v1/events", R"({"id":")" + event_id + "\"," + body);
    ASSERT_EQ(made.status, 201) << made;
    ids.push_back(ids_of(where->get("/v1/events/" + event_id + "/plan")).at(0));
  }
  EXPECT_EQ(ids[0], ids[1]);
}

TEST_F(ApiV1, AnExistingIdIs409AndNothingIsCreated) {
  const TestEvent event = make_event(client, 2);
  const std::string id = new_uuid();
  const std::string fresh = new_uuid();
  const Answer refused = client.post("/v1/events", event_body({fresh, event[1]}, R"("id":")" + id + '"'));
  expect_refusal(refused, 409, "seat_exists", {event[1]});
  EXPECT_EQ(client.get("/v1/events/" + id).status, 404);
  EXPECT_EQ(client.get("/v1/seats/" + fresh).status, 404);
  EXPECT_EQ(client.post("/v1/events", event_body({fresh}, R"("id":")" + id + '"')).status, 201) << "the ids are still free";
  expect_v1_problem(client.post("/v1/events", event_body({new_uuid()}, R"("id":")" + id + '"')), 409, "event_exists");
}

TEST_F(ApiV1, AnEventIsCreatedFromASeatingPlanAndKeepsItsSeatIds) {
  const std::string plan = read_file(std::string(HOLDFAST_VENUES) + "/theatre.seating-plan.json");
  const Answer made = client.post("/v1/events", R"({"name":"Theatre","keepIds":true,"plan":)" + plan + "}");
  ASSERT_EQ(made.status, 201) << made;
  const std::string id = string_of(made.json().at("id"));
  const std::string known = "550e8400-e29b-41d4-a716-446655440002";
  EXPECT_EQ(string_of(seat(client, known).at("eventId")), id);
  const std::string all = states(client, {id, {}}).letters;
  EXPECT_EQ(all, std::string(all.size(), 'a'));
  EXPECT_GT(all.size(), 500U);
  EXPECT_EQ(reserve(client, known, "customer-123").status, 201);
  const Ids seats = ids_of(client.get("/v1/events/" + id + "/plan"));
  ASSERT_EQ(seats.size(), all.size());
  const auto place = static_cast<std::size_t>(std::find(seats.begin(), seats.end(), known) - seats.begin());
  EXPECT_TRUE(eventually([&] { return states(client, {id, {}}).letters.at(place) == 'h'; })) << "states are in the plan's order";
}

TEST_F(ApiV1, AnEventsSettingsCanBeChangedAndTheRestStays) {
  const TestEvent event = make_event(client, 4, R"("holdSeconds":600)");
  const Answer changed = configure(event, R"({"name":"Renamed","limits":{"seatsPerReservation":2},"maxHoldSeconds":1200})");
  ASSERT_EQ(changed.status, 200) << changed;
  const Json read = client.get("/v1/events/" + event.id).json();
  EXPECT_EQ(string_of(read.at("name")), "Renamed");
  EXPECT_EQ(read.at("maxHoldSeconds"), Json(1200));
  EXPECT_EQ(read.at("holdSeconds"), Json(600));
  EXPECT_EQ(string_of(read.at("status")), "on_sale");
  expect_v1_problem(hold(client, "c", event.first(3)), 409, "limit_exceeded");
  EXPECT_EQ(hold(client, "c", event.first(2)).status, 201);
}

// --- states and plan ---

TEST_F(ApiV1, StatesAreOneLetterASeatInPlanOrderAsOfASeq) {
  const TestEvent event = make_event(client, 5);
  const Answer before = client.get("/v1/events/" + event.id + "/states");
  ASSERT_EQ(before.status, 200) << before;
  EXPECT_EQ(string_of(before.json().at("states")), "aaaaa");
  EXPECT_TRUE(before.json().as_object().contains("planVersion")) << before;
  EXPECT_TRUE(before.has("ETag")) << before;
  held_id({event[1]});
  ASSERT_EQ(act(held_id({event[2]}), "consume", R"({"orderId":"o"})").status, 200);
  ASSERT_EQ(on_event(event, "block", {event[4]}).status, 200);
  EXPECT_TRUE(eventually([&] { return states(client, event).letters == "ahsab"; }));
  const Answer after = client.get("/v1/events/" + event.id + "/states");
  EXPECT_EQ(string_of(after.json().at("states")), "ahsab");
  EXPECT_EQ(after.json().at("seq").to_number<int>(), before.json().at("seq").to_number<int>() + 4) << "two holds, a sale, a block";
  EXPECT_NE(after.header("ETag"), before.header("ETag"));
  EXPECT_EQ(client.get("/v1/events/" + event.id + "/states", {{"If-None-Match", after.header("ETag")}}).status, 304);
  EXPECT_EQ(client.get("/v1/events/" + event.id + "/states", {{"If-None-Match", before.header("ETag")}}).status, 200);
}

TEST_F(ApiV1, StatesHaveEachChangeThatWasAnsweredBefore) {
  for (const std::size_t seats : {50U, 16'384U, 100'000U}) {   // each with its own copy, with one for all, and with a wait for it
    const TestEvent event = make_event(client, seats);
    const std::string path = "/v1/events/" + event.id + "/states";
    for (std::size_t i = 0; i < 20; ++i) {
      const std::string tag = client.get(path).header("ETag");
      EXPECT_EQ(client.get(path, {{"If-None-Match", tag}}).status, 304);
      ASSERT_EQ(hold(client, "anna", {event[i]}).status, 201);
      const Answer after = client.get(path, {{"If-None-Match", tag}});
      ASSERT_EQ(after.status, 200) << "change " << i << " of " << seats << " seats";
      ASSERT_EQ(string_of(after.json().at("states")), std::string(i + 1, 'h') + std::string(seats - i - 1, 'a'));
    }
  }
}

TEST_F(ApiV1, ThePlanHasAColumnAnAttributeAndCanBeCached) {
  const TestEvent event = make_event(client, 25);
  const Answer plan = client.get("/v1/events/" + event.id + "/plan");
  ASSERT_EQ(plan.status, 200) << plan;
  EXPECT_EQ(ids_of(plan), event.seats);
  EXPECT_TRUE(plan.json().as_object().contains("planVersion")) << plan;
  EXPECT_TRUE(plan.has("ETag"));
  EXPECT_TRUE(plan.has("Cache-Control"));
  EXPECT_EQ(client.get("/v1/events/" + event.id + "/plan", {{"If-None-Match", plan.header("ETag")}}).status, 304);
}

// --- seats ---

TEST_F(ApiV1, ASeatShowsItsStateItsVersionAndItsOwnersReservation) {
  const TestEvent event = make_event(client, 2);
  const Json idle = seat(client, event[0]);
  EXPECT_EQ(string_of(idle.at("id")), event[0]);
  EXPECT_EQ(string_of(idle.at("eventId")), event.id);
  EXPECT_EQ(string_of(idle.at("state")), "available");
  const std::string id = held_id({event[0]});
  const Json held = seat(client, event[0]);
  EXPECT_EQ(string_of(held.at("state")), "held");
  EXPECT_EQ(string_of(held.at("reservationId")), id);
  EXPECT_EQ(held.at("version").to_number<int>(), idle.at("version").to_number<int>() + 1);
  ASSERT_EQ(act(id, "consume", R"({"orderId":"o"})").status, 200);
  EXPECT_EQ(string_of(seat(client, event[0]).at("state")), "sold");
  EXPECT_EQ(string_of(seat(client, event[0]).at("reservationId")), id);
  EXPECT_EQ(seat(client, event[0]).at("version").to_number<int>(), idle.at("version").to_number<int>() + 2);
  EXPECT_EQ(seat(client, event[1]).at("version"), idle.at("version")) << "another seat's version stays";
}

TEST_F(ApiV1, ASeatIsFoundByAnyLetterCaseOfAUuidAndByAnEscapedOpaqueId) {
  const std::string odd = "A/1 é?&#%\" " + new_uuid();
  const std::string plain = new_uuid();
  const TestEvent event = make_event(client, Ids{plain, odd});
  EXPECT_EQ(string_of(seat(client, upper_case(plain)).at("id")), plain);
  EXPECT_EQ(string_of(seat(client, odd).at("id")), odd);
}

TEST_F(ApiV1, AnUnknownSeatIs404) {
  for (const std::string& id : {new_uuid(), std::string("no-such-seat")}) {
    expect_v1_problem(client.get("/v1/seats/" + id), 404, "seat_not_found");
  }
}

// --- hold ---

TEST_F(ApiV1, AHoldIsAnsweredWithTheReservation) {
  const TestEvent event = make_event(client, 3, R"("holdSeconds":600)");
  const Answer made = hold(client, "customer-123", {event[2], event[0]});
  ASSERT_EQ(made.status, 201) << made;
  EXPECT_EQ(made.header("Content-Type"), "application/json");
  const Json body = made.json();
  EXPECT_EQ(made.header("Location"), "/v1/reservations/" + string_of(body.at("id")));
  EXPECT_EQ(string_of(body.at("customerId")), "customer-123");
  EXPECT_EQ(string_of(body.at("eventId")), event.id);
  EXPECT_EQ(string_of(body.at("status")), "active");
  EXPECT_EQ(millis_of(body.at("expiresAt")) - millis_of(body.at("createdAt")), 600'000);
  EXPECT_EQ(body.at("total").to_number<double>(), 90.0);
  EXPECT_EQ(string_of(body.at("currency")), "EUR");
  ASSERT_EQ(body.at("seats").as_array().size(), 2U);
  const Json& first = body.at("seats").at(0);
  EXPECT_EQ(string_of(first.at("id")), event[2]);
  EXPECT_EQ(string_of(first.at("label")), "A-1-3");
  EXPECT_EQ(string_of(first.at("category")), "Standard");
  EXPECT_EQ(first.at("price").to_number<double>(), 45.0);
  EXPECT_EQ(string_of(first.at("state")), "held");
  EXPECT_EQ(string_of(body.at("seats").at(1).at("id")), event[0]);
  EXPECT_EQ(reservation(client, string_of(body.at("id"))), body);
}

TEST_F(ApiV1, AReservationHasExactlyTheMembersOfTheSpecification) {
  const TestEvent event = make_event(client, 1);
  const std::string id = held_id({event[0]});
  const std::set<std::string> expected = {"id",        "customerId", "eventId", "seats", "createdAt",
                                          "expiresAt", "status",     "orderId", "total", "currency"};
  EXPECT_EQ(members_of(reservation(client, id)), expected);
  EXPECT_TRUE(reservation(client, id).at("orderId").is_null());
  EXPECT_EQ(members_of(reservation(client, id).at("seats").at(0)), (std::set<std::string>{"id", "label", "category", "price", "state"}));
  ASSERT_EQ(act(id, "consume", R"({"orderId":"order-1"})").status, 200);
  EXPECT_EQ(members_of(reservation(client, id)), expected);
  EXPECT_EQ(string_of(reservation(client, id).at("orderId")), "order-1");
}

TEST_F(ApiV1, AHoldIsRefusedWithExactlyTheUnavailableSeats) {
  const TestEvent event = make_event(client, 6);
  held_id({event[1]});
  ASSERT_EQ(act(held_id({event[2]}), "consume", R"({"orderId":"o"})").status, 200);
  ASSERT_EQ(on_event(event, "block", {event[4]}).status, 200);
  const auto before = look(client, event);
  expect_refusal(hold(client, "d", {event[4], event[0], event[2], event[3], event[1]}), 409, "seat_unavailable",
                 {event[4], event[2], event[1]});
  EXPECT_EQ(look(client, event), before);
}

TEST_F(ApiV1, AHoldOfUnknownSeatsIs404AndNamesThem) {
  const TestEvent event = make_event(client, 2);
  const Ids unknown = {new_uuid(), "no-such-seat"};
  expect_refusal(hold(client, "c", {event[0], unknown[0], unknown[1], event[1]}), 404, "seat_not_found", unknown);
  EXPECT_EQ(letters(event), "aa");
}

TEST_F(ApiV1, AHoldOverTwoEventsIs422) {
  const TestEvent one = make_event(client, 1);
  const TestEvent two = make_event(client, 1);
  const Answer answer = hold(client, "c", {one[0], two[0]});
  EXPECT_EQ(answer.status, 422) << answer;
  EXPECT_EQ(letters(one) + letters(two), "aa");
}

TEST_F(ApiV1, AHoldLastsAsLongAsAskedWithinTheEventsLongest) {
  const TestEvent event = make_event(client, 3, R"("holdSeconds":60,"maxHoldSeconds":120)");
  for (const int seconds : {1, 120}) {
    const Json made = reservation(client, held_id({event[seconds == 1 ? 0 : 1]}, "\"holdSeconds\":" + std::to_string(seconds)));
    EXPECT_EQ(millis_of(made.at("expiresAt")) - millis_of(made.at("createdAt")), seconds * 1'000);
  }
  expect_v1_problem(hold(client, "c", {event[2]}, R"("holdSeconds":121)"), 409, "hold_too_long");
  EXPECT_EQ(letters(event), "hha");
}

TEST_F(ApiV1, AHoldMeetsTheEventsLimits) {
  const TestEvent event = make_event(client, 10, R"("limits":{"seatsPerReservation":3,"heldSeatsPerCustomer":5})");
  expect_v1_problem(hold(client, "c", event.first(4)), 409, "limit_exceeded");
  ASSERT_EQ(hold(client, "c", event.first(3)).status, 201);
  expect_v1_problem(hold(client, "c", {event[3], event[4], event[5]}), 409, "limit_exceeded");
  const Answer two = hold(client, "c", {event[3], event[4]});
  ASSERT_EQ(two.status, 201);
  expect_v1_problem(hold(client, "c", {event[5]}), 409, "limit_exceeded");
  EXPECT_EQ(hold(client, "d", {event[5]}).status, 201);
  ASSERT_EQ(act(string_of(two.json().at("id")), "release", "{}").status, 200);
  EXPECT_EQ(hold(client, "c", {event[3]}).status, 201) << "what was given back does not count";
}

TEST_F(ApiV1, ARepeatedSeatCountsOnce) {
  const TestEvent event = make_event(client, 2);
  const Answer answer = hold(client, "c", {event[1], event[0], event[1]});
  ASSERT_EQ(answer.status, 201) << answer;
  EXPECT_EQ(answer.json().at("seats").as_array().size(), 2U);
}

TEST_F(ApiV1, OnlyAnEventOnSaleCanBeHeldAddedToOrExtendedAndTheRestGoesOn) {
  for (const char* status : {"draft", "closed"}) {
    const TestEvent event = make_event(client, 8);
    const std::string to_sell = held_id({event[0]});
    const std::string to_release = held_id({event[1]});
    ASSERT_EQ(configure(event, std::string(R"({"status":")") + status + "\"}").status, 200);
    expect_v1_problem(hold(client, "c", {event[2]}), 409, "event_not_on_sale");
    expect_v1_problem(act(to_sell, "add", seats_body({event[2]})), 409, "event_not_on_sale");
    expect_v1_problem(act(to_sell, "extend", R"({"holdSeconds":1000})"), 409, "event_not_on_sale");
    EXPECT_EQ(act(to_sell, "consume", R"({"orderId":"o"})").status, 200);
    EXPECT_EQ(act(to_release, "release", "{}").status, 200);
    EXPECT_EQ(act(to_sell, "return", R"({"orderId":"o"})").status, 200);
    EXPECT_EQ(on_event(event, "block", {event[3]}).status, 200);
    EXPECT_EQ(letters(event), "aaabaaaa");
    ASSERT_EQ(configure(event, R"({"status":"on_sale"})").status, 200);
    EXPECT_EQ(hold(client, "c", {event[2]}).status, 201);
  }
}

// --- add, extend, release ---

TEST_F(ApiV1, AddPutsMoreSeatsIntoTheSameReservationWithTheSameExpiry) {
  const TestEvent event = make_event(client, 4);
  const std::string id = held_id({event[0]});
  const Json before = reservation(client, id);
  const Answer added = act(id, "add", seats_body({event[2], event[1]}));
  ASSERT_EQ(added.status, 200) << added;
  EXPECT_EQ(added.json().at("seats").as_array().size(), 3U);
  EXPECT_EQ(added.json().at("expiresAt"), before.at("expiresAt"));
  EXPECT_EQ(added.json().at("total").to_number<double>(), 135.0);
  EXPECT_EQ(letters(event), "hhha");
}

TEST_F(ApiV1, AddIsAllOrNone) {
  const TestEvent event = make_event(client, 4);
  held_id({event[3]});
  const std::string id = held_id({event[0]});
  expect_refusal(act(id, "add", seats_body({event[1], event[3]})), 409, "seat_unavailable", {event[3]});
  EXPECT_EQ(letters(event), "haah");
  const std::string unknown = new_uuid();
  expect_refusal(act(id, "add", seats_body({event[1], unknown})), 404, "seat_not_found", {unknown});
  EXPECT_EQ(letters(event), "haah");
}

TEST_F(ApiV1, ExtendCountsFromNowAndAtMostToTheLongestHoldFromCreation) {
  const TestEvent event = make_event(client, 1, R"("holdSeconds":10,"maxHoldSeconds":100)");
  const std::string id = held_id({event[0]});
  const Json made = reservation(client, id);
  const Answer extended = act(id, "extend", R"({"holdSeconds":50})");
  ASSERT_EQ(extended.status, 200) << extended;
  const auto lasts = [&](const Answer& answer) { return millis_of(answer.json().at("expiresAt")) - millis_of(made.at("createdAt")); };
  EXPECT_GE(lasts(extended), 50'000);
  EXPECT_LE(lasts(extended), 100'000);
  EXPECT_GE(lasts(act(id, "extend", R"({"holdSeconds":1})")), lasts(extended)) << "never shortens";
  EXPECT_EQ(lasts(act(id, "extend", R"({"holdSeconds":5000})")), 100'000);
}

TEST_F(ApiV1, ReleaseGivesBackAllOrTheNamedSeats) {
  const TestEvent event = make_event(client, 4);
  const std::string id = held_id(event.first(3));
  const Answer some = act(id, "release", seats_body({event[1]}));
  ASSERT_EQ(some.status, 200) << some;
  EXPECT_EQ(string_of(some.json().at("status")), "active");
  EXPECT_EQ(letters(event), "haha");
  EXPECT_EQ(hold(client, "d", {event[1]}).status, 201);
  const Answer all = act(id, "release", "{}");
  ASSERT_EQ(all.status, 200) << all;
  EXPECT_EQ(string_of(all.json().at("status")), "released");
  EXPECT_EQ(letters(event), "ahaa");
  EXPECT_EQ(act(id, "release", "{}").status, 200) << "giving back again what was given back";
  EXPECT_EQ(letters(event), "ahaa");
}

TEST_F(ApiV1, ReleaseOfAnothersSeatIsRefusedAndReleasesNothing) {
  const TestEvent event = make_event(client, 3);
  const std::string mine = held_id({event[0]});
  held_id({event[1]});
  const Answer refused = act(mine, "release", seats_body({event[0], event[1]}));
  EXPECT_EQ(refused.status, 409) << refused;
  EXPECT_EQ(letters(event), "hha");
}

// --- consume, return, reinstate ---

TEST_F(ApiV1, ConsumeSellsTheSeatsAndIsIdempotentForTheSameOrder) {
  const TestEvent event = make_event(client, 2);
  const std::string id = held_id(event.seats);
  const Answer sold = act(id, "consume", R"({"orderId":"order-1"})");
  ASSERT_EQ(sold.status, 200) << sold;
  EXPECT_EQ(string_of(sold.json().at("status")), "consumed");
  EXPECT_EQ(string_of(sold.json().at("orderId")), "order-1");
  EXPECT_EQ(string_of(sold.json().at("seats").at(0).at("state")), "sold");
  EXPECT_EQ(letters(event), "ss");
  const auto before = look(client, event);
  EXPECT_EQ(act(id, "consume", R"({"orderId":"order-1"})").status, 200);
  expect_v1_problem(act(id, "consume", R"({"orderId":"order-2"})"), 409, "reservation_not_active");
  EXPECT_EQ(look(client, event), before);
}

TEST_F(ApiV1, AConsumedReservationCanBeNeitherReleasedAddedToNorExtended) {
  const TestEvent event = make_event(client, 2);
  const std::string id = held_id({event[0]});
  ASSERT_EQ(act(id, "consume", R"({"orderId":"order-1"})").status, 200);
  expect_v1_problem(act(id, "release", "{}"), 409, "reservation_not_active");
  expect_v1_problem(act(id, "add", seats_body({event[1]})), 409, "reservation_not_active");
  expect_v1_problem(act(id, "extend", R"({"holdSeconds":60})"), 409, "reservation_not_active");
  EXPECT_EQ(letters(event), "sa");
}

TEST_F(ApiV1, ReturnFreesOnlySeatsStillSoldToThisReservationForThisOrder) {
  const TestEvent event = make_event(client, 3);
  const std::string id = held_id({event[0], event[1]});
  expect_v1_problem(act(id, "return", R"({"orderId":"order-1"})"), 409, "seat_not_sold");
  ASSERT_EQ(act(id, "consume", R"({"orderId":"order-1"})").status, 200);
  expect_v1_problem(act(id, "return", R"({"orderId":"order-2"})"), 409, "order_mismatch");
  expect_refusal(act(id, "return", R"({"orderId":"order-1","seatIds":)" + json_of(Ids{event[0], event[2]}) + "}"), 409, "seat_not_sold",
                 {event[2]});
  EXPECT_EQ(letters(event), "ssa");
  ASSERT_EQ(act(id, "return", R"({"orderId":"order-1","seatIds":)" + json_of(Ids{event[1]}) + "}").status, 200);
  EXPECT_EQ(letters(event), "saa");
  ASSERT_EQ(hold(client, "d", {event[1]}).status, 201);
  ASSERT_EQ(act(id, "return", R"({"orderId":"order-1","seatIds":)" + json_of(Ids{event[1]}) + "}").status, 200) << "a repeated refund";
  EXPECT_EQ(letters(event), "sha") << "does not touch what somebody else has";
  ASSERT_EQ(act(id, "return", R"({"orderId":"order-1"})").status, 200);
  EXPECT_EQ(letters(event), "aha");
}

TEST_F(ApiV1, LatePaymentGetsTheSeatsOnlyWithReinstateAndOnlyIfAllAreFree) {
  const TestEvent event = make_event(client, 2);
  const std::string id = held_id(event.seats);
  ASSERT_EQ(act(id, "release", "{}").status, 200);
  expect_v1_problem(act(id, "consume", R"({"orderId":"o"})"), 409, "reservation_not_active");
  const std::string other = held_id({event[1]});
  expect_refusal(act(id, "consume", R"({"orderId":"o","reinstate":true})"), 409, "seat_unavailable", {event[1]});
  EXPECT_EQ(letters(event), "ah");
  ASSERT_EQ(act(other, "release", "{}").status, 200);
  const Answer sold = act(id, "consume", R"({"orderId":"o","reinstate":true})");
  ASSERT_EQ(sold.status, 200) << sold;
  EXPECT_EQ(string_of(sold.json().at("status")), "consumed");
  EXPECT_EQ(letters(event), "ss");
}

TEST_F(ApiV1, AnUnknownReservationIs404ForEveryCommand) {
  const std::string id = new_uuid();
  expect_v1_problem(client.get("/v1/reservations/" + id), 404, "reservation_not_found");
  expect_v1_problem(client.get("/v1/reservations/not-a-uuid"), 404, "reservation_not_found");
  expect_v1_problem(act(id, "add", seats_body({new_uuid()})), 404, "reservation_not_found");
  expect_v1_problem(act(id, "extend", R"({"holdSeconds":60})"), 404, "reservation_not_found");
  expect_v1_problem(act(id, "release", "{}"), 404, "reservation_not_found");
  expect_v1_problem(act(id, "consume", R"({"orderId":"o"})"), 404, "reservation_not_found");
  expect_v1_problem(act(id, "return", R"({"orderId":"o"})"), 404, "reservation_not_found");
}

TEST_F(ApiV1, EndedReservationsStayReadable) {
  const TestEvent event = make_event(client, 2);
  const std::string id = held_id(event.seats);
  ASSERT_EQ(act(id, "release", "{}").status, 200);
  ASSERT_EQ(hold(client, "d", event.seats).status, 201);
  const Json ended = reservation(client, id);
  EXPECT_EQ(string_of(ended.at("status")), "released");
  ASSERT_EQ(ended.at("seats").as_array().size(), 2U);
  EXPECT_EQ(string_of(ended.at("seats").at(0).at("id")), event[0]);
}

// --- block ---

TEST_F(ApiV1, BlockAndUnblockAreAllOrNone) {
  const TestEvent event = make_event(client, 4);
  held_id({event[1]});
  expect_refusal(on_event(event, "block", {event[0], event[1]}), 409, "seat_unavailable", {event[1]});
  EXPECT_EQ(letters(event), "ahaa");
  ASSERT_EQ(on_event(event, "block", {event[2], event[3]}).status, 200);
  EXPECT_EQ(letters(event), "ahbb");
  expect_refusal(on_event(event, "unblock", {event[2], event[0]}), 409, "seat_unavailable", {event[0]});
  EXPECT_EQ(letters(event), "ahbb");
  ASSERT_EQ(on_event(event, "unblock", {event[2]}).status, 200);
  EXPECT_EQ(letters(event), "ahab");
}

TEST_F(ApiV1, BlockOfAnotherEventsSeatsIs422AndNamesThem) {
  const TestEvent event = make_event(client, 1);
  const TestEvent other = make_event(client, 1);
  expect_refusal(on_event(event, "block", {event[0], other[0]}), 422, "invalid_request", {other[0]});
  EXPECT_EQ(letters(event) + letters(other), "aa");
}

// --- the same for all ---

TEST_F(ApiV1, WrongMethodsAre405WithAllow) {
  struct Row {
    const char* method;
    std::string target;
    std::vector<std::string> allowed;
  };
  const std::string id = new_uuid();
  const Row rows[] = {{"DELETE", "/v1/events", {"GET", "POST"}},
                      {"PUT", "/v1/events/" + id, {"GET", "PATCH"}},
                      {"POST", "/v1/events/" + id + "/states", {"GET"}},
                      {"POST", "/v1/events/" + id + "/plan", {"GET"}},
                      {"GET", "/v1/events/" + id + "/block", {"POST"}},
                      {"GET", "/v1/events/" + id + "/unblock", {"POST"}},
                      {"DELETE", "/v1/seats/" + id, {"GET"}},
                      {"DELETE", "/v1/reservations", {"POST"}},
                      {"DELETE", "/v1/reservations/" + id, {"GET"}},
                      {"GET", "/v1/reservations/" + id + "/consume", {"POST"}},
                      {"POST", "/healthz", {"GET"}},
                      {"POST", "/metrics", {"GET"}}};
  for (const Row& row : rows) {
    const Answer answer = client.request(row.method, row.target);
    expect_v1_problem(answer, 405, "method_not_allowed");
    EXPECT_THAT(allowed_methods(answer), testing::IsSupersetOf(row.allowed)) << row.method << ' ' << row.target << ": " << answer;
    EXPECT_EQ(allowed_methods(answer).count(row.method), 0U) << answer;
  }
}

TEST_F(ApiV1, UnknownPathsAre404) {
  for (const char* path : {"/nothing", "/consoles", "/console/", "/assets", "/v1", "/v1/", "/v1/nothing", "/reservation",
                           "/v1/events/a/b/c/d", "/V1/EVENTS", "/reservations/a/b"}) {
    const Answer answer = client.get(path);
    EXPECT_EQ(answer.status, 404) << path << ": " << answer;
    EXPECT_EQ(string_of(answer.json().at("code")), "not_found") << path;
  }
}

TEST_F(ApiV1, OtherContentTypesAre415) {
  const TestEvent event = make_event(client, 1);
  const std::string id = held_id(event.seats);
  const Headers text = {{"Content-Type", "text/plain"}};
  expect_v1_problem(client.post("/v1/events", event_body({new_uuid()}), text), 415, "unsupported_media_type");
  expect_v1_problem(client.post("/v1/reservations", hold_body("c", event.seats), text), 415, "unsupported_media_type");
  expect_v1_problem(client.post("/v1/reservations/" + id + "/consume", R"({"orderId":"o"})", text), 415, "unsupported_media_type");
  expect_v1_problem(client.request("PATCH", "/v1/events/" + event.id, R"({"name":"x"})", text), 415, "unsupported_media_type");
  EXPECT_EQ(letters(event), "h");
}

}  // namespace
}  // namespace holdfast::test
