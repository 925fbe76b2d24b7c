// Contract 1: POST /reservations, GET /reservations/{reservationId} and PUT /api/v1/seats/{seatId}/release, row by row.
#include <gmock/gmock.h>

#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

using Members = std::set<std::string>;

constexpr const char* k_uuid_pattern = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
constexpr const char* k_time_pattern = "20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9](\\.[0-9]+)?Z";

class SeatReservation : public OneServer {
 protected:
  TestEvent event = make_event(client, 10);

  std::string id_of(const Answer& answer) const { return string_of(answer.json().at("reservationId")); }
  Answer get_reservation(std::string_view id) { return client.get("/reservations/" + std::string(id)); }
};

TEST_F(SeatReservation, IsAnsweredWith201LocationAndExactlyTheContractsMembers) {
  const Answer answer = client.post("/reservations", reserve_body(event[0], "customer-123"), {{"Accept", "application/json"}});
  ASSERT_EQ(answer.status, 201) << answer;
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  const Json body = answer.json();
  EXPECT_EQ(members_of(body), (Members{"reservationId", "seatId", "customerId", "expiresAt", "status"})) << answer;
  EXPECT_EQ(string_of(body.at("seatId")), event[0]);
  EXPECT_EQ(string_of(body.at("customerId")), "customer-123");
  EXPECT_EQ(string_of(body.at("status")), "active");
  EXPECT_THAT(string_of(body.at("reservationId")), testing::ContainsRegex(std::string("^") + k_uuid_pattern + "$"));
  EXPECT_THAT(string_of(body.at("expiresAt")), testing::ContainsRegex(std::string("^") + k_time_pattern + "$"));
  EXPECT_EQ(answer.header("Location"), "/reservations/" + id_of(answer));
}

TEST_F(SeatReservation, LastsFifteenMinutesWhateverTheEventsOwnHoldTimeIs) {
  const TestEvent brief = make_event(client, 2, R"("holdSeconds":5,"maxHoldSeconds":10)");
  for (const std::string& seat : {event[0], brief[0]}) {
    const Answer answer = reserve(client, seat, "customer-123");
    ASSERT_EQ(answer.status, 201) << answer;
    const Json body = get_reservation(id_of(answer)).json();
    EXPECT_EQ(millis_of(body.at("expiresAt")) - millis_of(body.at("createdAt")), 900'000);
    EXPECT_EQ(body.at("expiresAt"), answer.json().at("expiresAt"));
  }
}

TEST_F(SeatReservation, CanBeReadWithTheAdditionalMembers) {
  const Answer made = reserve(client, event[0], "jose@example.com");
  const Answer answer = client.get(made.header("Location"));
  ASSERT_EQ(answer.status, 200) << answer;
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  const Json body = answer.json();
  EXPECT_EQ(members_of(body), (Members{"reservationId", "seatId", "customerId", "expiresAt", "status", "createdAt", "seatIds"})) << answer;
  for (const char* member : {"reservationId", "seatId", "customerId", "expiresAt", "status"}) {
    EXPECT_EQ(body.at(member), made.json().at(member)) << member;
  }
  EXPECT_EQ(strings_of(body.at("seatIds")), std::vector<std::string>{event[0]});
}

TEST_F(SeatReservation, OfSeveralSeatsShowsThemAllAndTheFirstAsSeatId) {
  const Answer made = hold(client, "customer-123", {event[3], event[1], event[2]});
  ASSERT_EQ(made.status, 201) << made;
  const Json body = get_reservation(string_of(made.json().at("id"))).json();
  EXPECT_EQ(string_of(body.at("seatId")), event[3]);
  EXPECT_EQ(strings_of(body.at("seatIds")), (std::vector<std::string>{event[3], event[1], event[2]}));
}

TEST_F(SeatReservation, TakesUuidsOfAnyLetterCaseAndPrintsLowerCase) {
  const Answer made = client.post(
      "/reservations", R"({"seatId":")" + upper_case(event[0]) + R"(","customerId":"c","eventId":")" + upper_case(event.id) + R"("})");
  ASSERT_EQ(made.status, 201) << made;
  EXPECT_EQ(string_of(made.json().at("seatId")), event[0]);
  EXPECT_EQ(reserve(client, event[0], "c").status, 409);
  const Answer read = get_reservation(upper_case(id_of(made)));
  ASSERT_EQ(read.status, 200) << read;
  EXPECT_EQ(id_of(read), id_of(made));
}

TEST_F(SeatReservation, IgnoresUnknownMembers) {
  const Answer answer =
      client.post("/reservations", R"({"price":{"deep":[1,2,{"x":null}]},"seatId":")" + event[0] + R"(","customerId":"c","quantity":2})");
  ASSERT_EQ(answer.status, 201) << answer;
  EXPECT_EQ(members_of(answer.json()), (Members{"reservationId", "seatId", "customerId", "expiresAt", "status"}));
}

TEST_F(SeatReservation, KeepsTheCustomersTextAsItWasSent) {
  const std::string longest(256, 'c');
  const std::vector<std::string> customers = {"c",           longest,     "jose@example.com", " padded ", "quote\" back\\slash /",
                                              "Zoë 🎟 座席", "tab\there", "line\nbreak"};
  for (std::size_t i = 0; i < customers.size(); ++i) {
    const Answer made = reserve(client, event[i], customers[i]);
    ASSERT_EQ(made.status, 201) << customers[i] << ": " << made;
    EXPECT_EQ(string_of(made.json().at("customerId")), customers[i]);
    EXPECT_EQ(string_of(get_reservation(id_of(made)).json().at("customerId")), customers[i]);
  }
}

TEST_F(SeatReservation, TakesEscapesInItsMembers) {
  const Answer answer = client.post("/reservations", "{\"seat\\u0049d\": \"" + event[0] + R"(","customerId":"\u00e9\ud83c\udf9f"})");
  ASSERT_EQ(answer.status, 201) << answer;
  EXPECT_EQ(string_of(answer.json().at("customerId")), "é🎟");
}

TEST_F(SeatReservation, WithTheSeatsOwnEventIdIsAccepted) {
  const Answer answer =
      client.post("/reservations", R"({"seatId":")" + event[0] + R"(","customerId":"c","eventId":")" + event.id + R"("})");
  EXPECT_EQ(answer.status, 201) << answer;
}

TEST_F(SeatReservation, WithAnotherEventsIdIs404) {
  const TestEvent other = make_event(client, 1);
  for (const std::string& id : {other.id, new_uuid()}) {
    const Answer answer = client.post("/reservations", R"({"seatId":")" + event[0] + R"(","customerId":"c","eventId":")" + id + R"("})");
    expect_contract_1_problem(answer, 404, "seat_not_found");
    EXPECT_EQ(detail_of(answer), "Seat " + event[0] + " not found");
  }
  EXPECT_EQ(seat_state(client, event[0]), "available");
}

TEST_F(SeatReservation, OfAnUnknownSeatIs404AndNamesIt) {
  const std::string unknown = new_uuid();
  const Answer answer = reserve(client, unknown, "c");
  expect_contract_1_problem(answer, 404, "seat_not_found");
  EXPECT_EQ(detail_of(answer), "Seat " + unknown + " not found");
}

TEST_F(SeatReservation, OfAReservedSeatIs409AlsoForTheSameCustomer) {
  ASSERT_EQ(reserve(client, event[0], "first").status, 201);
  for (const char* customer : {"second", "first"}) {
    expect_contract_1_problem(reserve(client, event[0], customer), 409, "seat_unavailable");
  }
}

TEST_F(SeatReservation, OfASoldSeatIs409) {
  const Answer made = reserve(client, event[0], "first");
  ASSERT_EQ(client.post("/v1/reservations/" + id_of(made) + "/consume", R"({"orderId":"order-1"})").status, 200);
  expect_contract_1_problem(reserve(client, event[0], "second"), 409, "seat_unavailable");
}

TEST_F(SeatReservation, OfABlockedSeatIs409) {
  ASSERT_EQ(client.post("/v1/events/" + event.id + "/block", R"({"seatIds":[")" + event[0] + R"("]})").status, 200);
  expect_contract_1_problem(reserve(client, event[0], "c"), 409, "seat_unavailable");
}

TEST_F(SeatReservation, InAnEventThatIsNotOnSaleIs409) {
  for (const char* status : {"draft", "closed"}) {
    const TestEvent shut = make_event(client, 1, std::string(R"("status":")") + status + '"');
    expect_contract_1_problem(reserve(client, shut[0], "c"), 409, "event_not_on_sale");
  }
}

TEST_F(SeatReservation, OfATicketLockedSeatIs409) {
  ASSERT_EQ(lock_tickets(client, {event[0]}).status, 200);
  expect_contract_1_problem(reserve(client, event[0], "c"), 409, "seat_unavailable");
}

TEST_F(SeatReservation, MeetsTheEventsLimitForCustomers) {
  const TestEvent limited = make_event(client, 4, R"("limits":{"heldSeatsPerCustomer":2})");
  EXPECT_EQ(reserve(client, limited[0], "c").status, 201);
  EXPECT_EQ(reserve(client, limited[1], "c").status, 201);
  expect_contract_1_problem(reserve(client, limited[2], "c"), 409, "limit_exceeded");
  EXPECT_EQ(reserve(client, limited[2], "d").status, 201);
}

TEST_F(SeatReservation, ShowsItsCurrentStatus) {
  const std::string active = id_of(reserve(client, event[0], "c"));
  const std::string consumed = id_of(reserve(client, event[1], "c"));
  const std::string released = id_of(reserve(client, event[2], "c"));
  ASSERT_EQ(client.post("/v1/reservations/" + consumed + "/consume", R"({"orderId":"order-1"})").status, 200);
  ASSERT_EQ(client.post("/v1/reservations/" + released + "/release", "{}").status, 200);
  EXPECT_EQ(string_of(get_reservation(active).json().at("status")), "active");
  EXPECT_EQ(string_of(get_reservation(consumed).json().at("status")), "consumed");
  EXPECT_EQ(string_of(get_reservation(released).json().at("status")), "released");
}

TEST_F(SeatReservation, ThatDoesNotExistIs404) { expect_contract_1_problem(get_reservation(new_uuid()), 404, "reservation_not_found"); }

TEST_F(SeatReservation, WhoseIdIsNotAUuidIs404) {
  for (const char* id : {"1", "customer-123", "8bf7fffc-9ff5-401c-9d2d-86f525f42e4", "8bf7fffc9ff5401c9d2d86f525f42e40",
                         "%7B8bf7fffc-9ff5-401c-9d2d-86f525f42e40%7D", "00000000-0000-0000-0000-000000000000"}) {
    expect_contract_1_problem(get_reservation(id), 404, "reservation_not_found");
  }
}

TEST_F(SeatReservation, MadeAsATicketLockIs404Here) {
  const Answer locked = lock_tickets(client, {event[0]});
  const std::string id = strings_of(locked.json().at("data").at("reservationIds")).at(0);
  EXPECT_EQ(client.get("/v1/reservations/" + id).status, 200);
  expect_contract_1_problem(get_reservation(id), 404, "reservation_not_found");
}

struct BadField {
  const char* body;
  const char* field;   // that the detail must name
};

TEST_F(SeatReservation, WithABadFieldIs400AndNamesIt) {
  const std::string too_long = R"({"seatId":"550e8400-e29b-41d4-a716-446655440002","customerId":")" + std::string(257, 'c') + R"("})";
  const std::string too_long_in_bytes = R"({"seatId":"550e8400-e29b-41d4-a716-446655440002","customerId":")" + [] {
    std::string text;
    for (int i = 0; i < 129; ++i) text += "é";   // 129 characters, 258 bytes
    return text;
  }() + R"("})";
  const BadField rows[] = {
      {R"({"customerId":"c"})", "seatId"},
      {R"({"seatId":null,"customerId":"c"})", "seatId"},
      {R"({"seatId":17,"customerId":"c"})", "seatId"},
      {R"({"seatId":["550e8400-e29b-41d4-a716-446655440002"],"customerId":"c"})", "seatId"},
      {R"({"seatId":{"id":"550e8400-e29b-41d4-a716-446655440002"},"customerId":"c"})", "seatId"},
      {R"({"seatId":"","customerId":"c"})", "seatId"},
      {R"({"seatId":"seat-1","customerId":"c"})", "seatId"},
      {R"({"seatId":"550e8400e29b41d4a716446655440002","customerId":"c"})", "seatId"},
      {R"({"seatId":"{550e8400-e29b-41d4-a716-446655440002}","customerId":"c"})", "seatId"},
      {R"({"seatId":"550e8400-e29b-41d4-a716-44665544000","customerId":"c"})", "seatId"},
      {R"({"seatId":"550e8400-e29b-41d4-a716-4466554400022","customerId":"c"})", "seatId"},
      {R"({"seatId":"550e8400-e29b-41d4-a716-44665544000g","customerId":"c"})", "seatId"},
      {R"({"seatId":"550e8400-e29b-41d4-a716-446655440002 ","customerId":"c"})", "seatId"},
      {R"({"seatId":"00000000-0000-0000-0000-000000000000","customerId":"c"})", "seatId"},
      {R"({"seatId":"550e8400-e29b-41d4-a716-446655440002"})", "customerId"},
      {R"({"seatId":"550e8400-e29b-41d4-a716-446655440002","customerId":null})", "customerId"},
      {R"({"seatId":"550e8400-e29b-41d4-a716-446655440002","customerId":123})", "customerId"},
      {R"({"seatId":"550e8400-e29b-41d4-a716-446655440002","customerId":true})", "customerId"},
      {R"({"seatId":"550e8400-e29b-41d4-a716-446655440002","customerId":["c"]})", "customerId"},
      {R"({"seatId":"550e8400-e29b-41d4-a716-446655440002","customerId":""})", "customerId"},
      {R"({"seatId":"550e8400-e29b-41d4-a716-446655440002","customerId":"   "})", "customerId"},
      {R"({"seatId":"550e8400-e29b-41d4-a716-446655440002","customerId":"\t\n\r "})", "customerId"},
      {too_long.c_str(), "customerId"},
      {too_long_in_bytes.c_str(), "customerId"},
      {R"({"seatId":"550e8400-e29b-41d4-a716-446655440002","customerId":"c","eventId":5})", "eventId"},
      {R"({"seatId":"550e8400-e29b-41d4-a716-446655440002","customerId":"c","eventId":"e"})", "eventId"},
  };
  for (const BadField& row : rows) {
    const Answer answer = client.post("/reservations", row.body);
    expect_contract_1_problem(answer, 400, "invalid_request");
    EXPECT_THAT(detail_of(answer), HasSubstr(row.field)) << row.body;
  }
}

TEST_F(SeatReservation, WhoseBodyIsNotAnObjectIs400) {
  for (const char* body : {"{", "seat", "[]", "null", "1", "\"x\"", R"({"seatId":"a","customerId":"b"} trailing)", " "}) {
    expect_contract_1_problem(client.post("/reservations", body), 400, "invalid_request");
  }
  expect_contract_1_problem(client.post("/reservations", "", {{"Content-Type", "application/json"}}), 400, "invalid_request");
}

TEST_F(SeatReservation, ByAWrongMethodIs405WithAllow) {
  for (const char* method : {"GET", "PUT", "DELETE", "PATCH"}) {
    const Answer answer = client.request(method, "/reservations");
    expect_contract_1_problem(answer, 405, "method_not_allowed");
    EXPECT_THAT(allowed_methods(answer), AllOf(Contains("POST"), Not(Contains(method)))) << answer;
  }
  const std::string one = "/reservations/" + new_uuid();
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH"}) {
    const Answer answer = client.request(method, one);
    expect_contract_1_problem(answer, 405, "method_not_allowed");
    EXPECT_THAT(allowed_methods(answer), AllOf(Contains("GET"), Not(Contains(method)))) << answer;
  }
}

TEST_F(SeatReservation, WithABodyOverTheLimitIs413) {
  const std::string body = R"({"seatId":")" + event[0] + R"(","customerId":"c","padding":")" + std::string(2'000'000, 'x') + R"("})";
  const Answer answer = client.post("/reservations", body);
  expect_problem(answer, 413, "body_too_large");
  EXPECT_EQ(answer.json().at("error"), answer.json().at("detail")) << answer;
  Client again = server().connect();
  EXPECT_EQ(seat_state(again, event[0]), "available");
}

TEST_F(SeatReservation, OfAnotherContentTypeIs415) {
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded", "application/xml", "application/jsonp", "json"}) {
    const Answer answer = client.post("/reservations", reserve_body(event[0], "c"), {{"Content-Type", type}});
    expect_contract_1_problem(answer, 415, "unsupported_media_type");
  }
  EXPECT_EQ(seat_state(client, event[0]), "available");
}

TEST_F(SeatReservation, TakesJsonWithParametersAndAnyLetterCase) {
  const char* types[] = {"application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"};
  for (std::size_t i = 0; i < std::size(types); ++i) {
    EXPECT_EQ(reserve(client, event[i], "c", {{"Content-Type", types[i]}}).status, 201) << types[i];
  }
}

TEST_F(SeatReservation, RefusedChangesNothing) {
  ASSERT_EQ(reserve(client, event[0], "c").status, 201);
  const auto before = look(client, event);
  reserve(client, event[0], "d");
  reserve(client, new_uuid(), "d");
  client.post("/reservations", "{}");
  EXPECT_EQ(look(client, event), before);
}

// --- releasing a seat ---

class SeatRelease : public SeatReservation {
 protected:
  Answer release(std::string_view seat, std::string_view body = {}, const Headers& headers = {}) {
    return client.request("PUT", "/api/v1/seats/" + escaped(seat) + "/release", body, headers);
  }
  void expect_released(const Answer& answer, std::string_view seat) {
    ASSERT_EQ(answer.status, 200) << answer;
    EXPECT_EQ(answer.header("Content-Type"), "application/json");
    EXPECT_EQ(answer.json(), parse_json(R"({"seatId":")" + std::string(seat) + R"(","status":"available"})"));
    EXPECT_EQ(seat_state(client, seat), "available");
  }
};

TEST_F(SeatRelease, OfATicketLockFreesThatSeatAndTheOthersStayLocked) {
  ASSERT_EQ(lock_tickets(client, {event[0], event[1]}).status, 200);
  expect_released(release(event[0]), event[0]);
  EXPECT_EQ(seat_state(client, event[1]), "held");
  expect_released(release(event[0]), event[0]);
}

TEST_F(SeatRelease, OfAnEndedHoldAndOfAFreeSeatIs200) {
  expect_released(release(event[0]), event[0]);
  ASSERT_EQ(hold(client, "anna", {event[0]}, R"("holdSeconds":1)").status, 201);
  EXPECT_EQ(release(event[0]).status, 409) << "it goes on";
  ASSERT_TRUE(eventually([&] { return release(event[0]).status == 200; }));
  EXPECT_EQ(seat_state(client, event[0]), "available");
}

TEST_F(SeatRelease, OfACustomersHoldASaleOrABlockedSeatIs409AndChangesNothing) {
  ASSERT_EQ(reserve(client, event[0], "anna").status, 201);
  const std::string sold = string_of(hold(client, "berta", {event[1]}).json().at("id"));
  ASSERT_EQ(client.post("/v1/reservations/" + sold + "/consume", R"({"orderId":"order-1"})").status, 200);
  ASSERT_EQ(client.post("/v1/events/" + event.id + "/block", R"({"seatIds":)" + json_of(std::vector{event[2]}) + "}").status, 200);
  const Answer locked = lock_tickets(client, {event[3]});
  const std::string lock = strings_of(locked.json().at("data").at("reservationIds")).at(0);
  ASSERT_EQ(client.post("/v1/reservations/" + lock + "/consume", R"({"orderId":"order-2"})").status, 200);
  const auto before = look(client, event);
  for (std::size_t i = 0; i < 4; ++i) expect_contract_1_problem(release(event[i]), 409, "seat_unavailable");
  EXPECT_EQ(look(client, event), before);
}

TEST_F(SeatRelease, IgnoresItsBody) {
  for (const char* body : {"", "{}", "not JSON", R"({"reason":1})"}) {
    ASSERT_EQ(lock_tickets(client, {event[0]}).status, 200);
    expect_released(release(event[0], body, {{"Content-Type", "text/plain"}}), event[0]);
  }
}

TEST_F(SeatRelease, TakesUuidsOfAnyLetterCaseAndIdsOfThePlatformsOwn) {
  const TestEvent other = make_event(client, {"JAOTIiQrtU1f MWZZ/2"});
  ASSERT_EQ(lock_tickets(client, {event[0]}).status, 200);
  ASSERT_EQ(lock_tickets(client, {other[0]}).status, 200);
  EXPECT_EQ(release(upper_case(event[0])).status, 200);
  EXPECT_EQ(seat_state(client, event[0]), "available");
  expect_released(release(other[0]), other[0]);
}

TEST_F(SeatRelease, OfAnUnknownSeatIs404) {
  for (const std::string& id : {new_uuid(), std::string("no-seat"), std::string("00000000-0000-0000-0000-000000000000")}) {
    const Answer answer = release(id);
    expect_contract_1_problem(answer, 404, "seat_not_found");
    EXPECT_EQ(detail_of(answer), "Seat " + id + " not found");
  }
}

TEST_F(SeatRelease, ByAWrongMethodIs405WithAllow) {
  for (const char* method : {"GET", "POST", "DELETE", "PATCH"}) {
    const Answer answer = client.request(method, "/api/v1/seats/" + event[0] + "/release");
    expect_contract_1_problem(answer, 405, "method_not_allowed");
    EXPECT_EQ(allowed_methods(answer), std::set<std::string>{"PUT"}) << answer;
  }
}

}  // namespace
}  // namespace holdfast::test
