// Best available: POST /v1/reservations with `bestAvailable` in place of `seatIds`, over HTTP.
#include <gmock/gmock.h>

#include <algorithm>
#include <iostream>
#include <random>

#include "support/best_by_the_book.h"
#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;

using Ids = std::vector<std::string>;

std::string best_body(const TestEvent& event, std::string_view wish, std::string_view customer = "customer-123",
                      std::string_view more = {}) {
  std::string body = R"({"customerId":)" + json_of(customer) + R"(,"bestAvailable":{"eventId":")" + event.id + R"(")";
  if (!wish.empty()) body.append(",").append(wish);
  body += "}";
  if (!more.empty()) body.append(",").append(more);
  return body + "}";
}

Ids seats_of(const Answer& answer) {
  Ids ids;
  for (const Json& seat : answer.json().at("seats").as_array()) ids.push_back(string_of(seat.at("id")));
  return ids;
}

// Rows of seats with positions, one row per line: section and row, a colon, then one character per seat: category `Red` for an
// `r`, otherwise `Blue`. A blank is a gap.
TestEvent make_rows(Client& client, const std::vector<std::string>& rows, std::string_view more = {}) {
  TestEvent event{new_uuid(), {}};
  std::string seats;
  for (std::size_t y = 0; y < rows.size(); ++y) {
    const std::size_t colon = rows[y].find(':');
    int x = 0;
    for (const char c : rows[y].substr(colon + 1)) {
      x += 10;
      if (c == ' ') continue;
      event.seats.push_back(new_uuid());
      seats += (seats.empty() ? "" : ",") + std::string(R"({"id":")") + event.seats.back() + R"(","section":")" + rows[y][0] +
               R"(","row":")" + rows[y].substr(1, colon - 1) + R"(","number":")" + std::to_string(event.seats.size()) +
               R"(","category":")" + (c == 'r' ? "Red" : "Blue") + R"(","x":)" + std::to_string(x) + R"(,"y":)" + std::to_string(10 * y) +
               "}";
    }
  }
  const std::string body = R"({"id":")" + event.id + R"(","name":"E","currency":"EUR","categories":[{"name":"Red","price":30},
    {"name":"Blue","price":20}],"seats":[)" +
                           seats + "]" + (more.empty() ? "" : ",") + std::string(more) + "}";
  const Answer made = client.post("/v1/events", body);
  EXPECT_EQ(made.status, 201) << made;
  return event;
}

class BestAvailable : public OneServer {
 protected:
  Answer ask(const TestEvent& event, std::string_view wish, std::string_view customer = "customer-123", std::string_view more = {},
             const Headers& headers = {}) {
    return client.post("/v1/reservations", best_body(event, wish, customer, more), headers);
  }
  // The indexes in the event of the seats that were held: "3 4"; or status and code.
  std::string told(const TestEvent& event, const Answer& answer) {
    if (answer.status != 201) return std::to_string(answer.status) + " " + string_of(answer.json().at("code"));
    std::string places;
    for (const std::string& id : seats_of(answer)) {
      places += (places.empty() ? "" : " ") + std::to_string(std::ranges::find(event.seats, id) - event.seats.begin());
    }
    return places;
  }
  std::string got(const TestEvent& event, std::string_view wish, std::string_view customer = "customer-123") {
    return told(event, ask(event, wish, customer));
  }
  std::string letters(const TestEvent& event) { return test::letters(client, event); }
};

TEST_F(BestAvailable, IsAnsweredAsAnyHoldIsAndBehavesAsOne) {
  const TestEvent event = make_rows(client, {"A1:bbrrbb"}, R"("holdSeconds":600)");
  const Answer made = ask(event, R"("quantity":3)");
  ASSERT_EQ(made.status, 201) << made;
  const Json body = made.json();
  const std::string path = "/v1/reservations/" + string_of(body.at("id"));
  EXPECT_EQ(made.header("Location"), path);
  EXPECT_EQ(made.header("Content-Type"), "application/json");
  EXPECT_EQ(seats_of(made), (Ids{event[1], event[2], event[3]}));
  EXPECT_EQ(string_of(body.at("customerId")), "customer-123");
  EXPECT_EQ(string_of(body.at("eventId")), event.id);
  EXPECT_EQ(string_of(body.at("status")), "active");
  EXPECT_EQ(millis_of(body.at("expiresAt")) - millis_of(body.at("createdAt")), 600'000);
  EXPECT_EQ(body.at("total").to_number<double>(), 80.0);
  EXPECT_EQ(client.get(path).json(), body);
  const Answer named = hold(client, "c", {event[0]});
  EXPECT_EQ(members_of(named.json()), members_of(body)) << "the same members as of a hold of named seats";

  EXPECT_EQ(client.post(path + "/extend", R"({"holdSeconds":900})").status, 200);
  EXPECT_EQ(client.post(path + "/add", R"({"seatIds":[")" + event[4] + R"("]})").status, 200);
  EXPECT_EQ(client.post(path + "/consume", R"({"orderId":"o"})").status, 200);
  EXPECT_EQ(letters(event), "hssssa");
}

TEST_F(BestAvailable, HoldSecondsCountAsForNamedSeats) {
  const TestEvent event = make_rows(client, {"A1:bbbb"}, R"("holdSeconds":60,"maxHoldSeconds":120)");
  const Json body = ask(event, R"("quantity":1)", "c", R"("holdSeconds":90)").json();
  EXPECT_EQ(millis_of(body.at("expiresAt")) - millis_of(body.at("createdAt")), 90'000);
  expect_v1_problem(ask(event, R"("quantity":1)", "c", R"("holdSeconds":121)"), 409, "hold_too_long");
}

TEST_F(BestAvailable, TakesTheSeatsOfTheSpecification) {
  EXPECT_EQ(got(make_rows(client, {"A1:bbbbbbbb"}), R"("quantity":2)"), "3 4") << "the row's middle";
  EXPECT_EQ(got(make_rows(client, {"A1:bbbbbbbb"}), R"("quantity":3)"), "2 3 4") << "the lower index on a tie";
  EXPECT_EQ(got(make_rows(client, {"A1:bbb bbb"}), R"("quantity":2)"), "1 2") << "not across a gap";
  EXPECT_EQ(got(make_rows(client, {"A1:bb", "B1:bbb"}), R"("quantity":3)"), "2 3 4") << "one row";
  TestEvent event = make_rows(client, {"A1:bbbbbb"});
  ASSERT_EQ(hold(client, "c", {event[0], event[5]}).status, 201);
  EXPECT_EQ(got(event, R"("quantity":2)"), "1 2") << "2 3 is the middle, and would leave two seats alone";
}

TEST_F(BestAvailable, NoSeatsSideBySideIs409AndNotAdjacentTakesTheFirst) {
  const TestEvent event = make_rows(client, {"A1:bbb", "A2:bbb"});
  ASSERT_EQ(hold(client, "c", {event[1], event[4]}).status, 201);
  const Answer refused = ask(event, R"("quantity":2)");
  expect_v1_problem(refused, 409, "no_adjacent_seats");
  EXPECT_FALSE(refused.json().as_object().contains("seatIds")) << refused;
  EXPECT_EQ(got(event, R"("quantity":2,"adjacent":true)"), "409 no_adjacent_seats");
  EXPECT_EQ(got(event, R"("quantity":3,"adjacent":false)"), "0 2 3");
  const Answer too_few = ask(event, R"("quantity":2,"adjacent":false)");
  expect_v1_problem(too_few, 409, "seat_unavailable");
  EXPECT_FALSE(too_few.json().as_object().contains("seatIds")) << too_few;
  EXPECT_EQ(letters(event), "hhhhha");
  EXPECT_EQ(got(event, R"("quantity":1)"), "5");
  EXPECT_EQ(got(event, R"("quantity":1)"), "409 no_adjacent_seats");
}

TEST_F(BestAvailable, StaysInSectionAndCategory) {
  const TestEvent event = make_rows(client, {"A1:rrbb", "B1:bbrr", "A2:rrrr"});
  EXPECT_EQ(got(event, R"("quantity":2,"section":"B")"), "5 6");
  EXPECT_EQ(got(event, R"("quantity":2,"category":"Blue")"), "2 3");
  EXPECT_EQ(got(event, R"("quantity":2,"section":"B","category":"Red")"), "409 no_adjacent_seats");
  EXPECT_EQ(got(event, R"("quantity":3,"section":"A","category":"Red","adjacent":null)"), "8 9 10");
  EXPECT_EQ(got(event, R"("quantity":2,"section":null,"category":null,"adjacent":false)"), "0 1");
}

TEST_F(BestAvailable, AnUnknownSectionOrCategoryIs422AndNamed) {
  const TestEvent event = make_rows(client, {"A1:bb"});
  for (const char* member : {"section", "category"}) {
    const Answer answer = ask(event, R"("quantity":1,")" + std::string(member) + R"(":"Red \"Z\"")");
    expect_v1_problem(answer, 422, "invalid_request");
    EXPECT_THAT(detail_of(answer), HasSubstr("bestAvailable." + std::string(member)));
    EXPECT_THAT(detail_of(answer), HasSubstr(R"(Red "Z")"));
  }
  EXPECT_EQ(letters(event), "aa");
}

TEST_F(BestAvailable, ExcludesSeatIds) {
  const TestEvent event = make_rows(client, {"A1:bb"});
  const Answer both = ask(event, R"("quantity":1)", "c", R"("seatIds":[")" + event[0] + R"("])");
  expect_v1_problem(both, 422, "invalid_request");
  EXPECT_THAT(detail_of(both), HasSubstr("bestAvailable"));
  EXPECT_EQ(ask(event, R"("quantity":1)", "c", R"("seatIds":null)").status, 201) << "null is not there, as everywhere";
}

TEST_F(BestAvailable, AnUnknownEventIs404AndOneThatIsNotOnSale409) {
  expect_v1_problem(ask({new_uuid(), {}}, R"("quantity":1)"), 404, "event_not_found");
  for (const char* status : {"draft", "closed"}) {
    const TestEvent event = make_rows(client, {"A1:bb"}, R"("status":")" + std::string(status) + R"(")");
    expect_v1_problem(ask(event, R"("quantity":5)"), 409, "event_not_on_sale");
  }
}

TEST_F(BestAvailable, TheEventsLimitsHold) {
  const TestEvent event = make_rows(client, {"A1:bbbbbbbb"}, R"("limits":{"seatsPerReservation":3,"heldSeatsPerCustomer":4})");
  expect_v1_problem(ask(event, R"("quantity":4)", "c"), 409, "limit_exceeded");
  EXPECT_EQ(ask(event, R"("quantity":3)", "c").status, 201);
  expect_v1_problem(ask(event, R"("quantity":2)", "c"), 409, "limit_exceeded");
  expect_v1_problem(ask(event, R"("quantity":2,"adjacent":false)", "c"), 409, "limit_exceeded");
  EXPECT_EQ(ask(event, R"("quantity":1)", "c").status, 201);
  EXPECT_EQ(ask(event, R"("quantity":2)", "d").status, 201);
}

TEST_F(BestAvailable, BadInputIs400NamesTheMemberAndChangesNothing) {
  const TestEvent event = make_rows(client, {"A1:bbbb"});
  const std::string id = R"("eventId":")" + event.id + R"(")";
  struct Row {
    std::string best;
    std::string member;
  };
  const Row rows[] = {
      {"7", "bestAvailable"},
      {"[]", "bestAvailable"},
      {R"("x")", "bestAvailable"},
      {"true", "bestAvailable"},
      {"{}", "bestAvailable.eventId"},
      {R"({"quantity":1})", "bestAvailable.eventId"},
      {R"({"eventId":null,"quantity":1})", "bestAvailable.eventId"},
      {R"({"eventId":7,"quantity":1})", "bestAvailable.eventId"},
      {R"({"eventId":"","quantity":1})", "bestAvailable.eventId"},
      {R"({"eventId":"not-a-uuid","quantity":1})", "bestAvailable.eventId"},
      {R"({"eventId":")" + std::string(500, 'a') + R"(","quantity":1})", "bestAvailable.eventId"},
      {"{" + id + "}", "bestAvailable.quantity"},
      {"{" + id + R"(,"quantity":null})", "bestAvailable.quantity"},
      {"{" + id + R"(,"quantity":0})", "bestAvailable.quantity"},
      {"{" + id + R"(,"quantity":-1})", "bestAvailable.quantity"},
      {"{" + id + R"(,"quantity":1001})", "bestAvailable.quantity"},
      {"{" + id + R"(,"quantity":1.5})", "bestAvailable.quantity"},
      {"{" + id + R"(,"quantity":"1"})", "bestAvailable.quantity"},
      {"{" + id + R"(,"quantity":[1]})", "bestAvailable.quantity"},
      {"{" + id + R"(,"quantity":true})", "bestAvailable.quantity"},
      {"{" + id + R"(,"quantity":4294967297})", "bestAvailable.quantity"},
      {"{" + id + R"(,"quantity":18446744073709551617})", "bestAvailable.quantity"},
      {"{" + id + R"(,"quantity":1e300})", "bestAvailable.quantity"},
      {"{" + id + R"(,"quantity":1,"section":7})", "bestAvailable.section"},
      {"{" + id + R"(,"quantity":1,"section":""})", "bestAvailable.section"},
      {"{" + id + R"(,"quantity":1,"section":["A"]})", "bestAvailable.section"},
      {"{" + id + R"(,"quantity":1,"section":")" + std::string(201, 's') + R"("})", "bestAvailable.section"},
      {"{" + id + R"(,"quantity":1,"category":false})", "bestAvailable.category"},
      {"{" + id + R"(,"quantity":1,"category":""})", "bestAvailable.category"},
      {"{" + id + R"(,"quantity":1,"category":")" + std::string(201, 's') + R"("})", "bestAvailable.category"},
      {"{" + id + R"(,"quantity":1,"adjacent":"true"})", "bestAvailable.adjacent"},
      {"{" + id + R"(,"quantity":1,"adjacent":0})", "bestAvailable.adjacent"},
      {"{" + id + R"(,"quantity":1,"adjcent":false})", "bestAvailable.adjcent"},
      {"{" + id + R"(,"quantity":1,")" + std::string(201, 'm') + R"(":false})", "bestAvailable." + std::string(128, 'm') + "…"},
      {"{" + id + R"(,"quantity":1,"quantity":1})", "quantity"},
  };
  for (const Row& row : rows) {
    const Answer answer = client.post("/v1/reservations", R"({"customerId":"c","bestAvailable":)" + row.best + "}");
    expect_v1_problem(answer, 400, "invalid_request");
    if (answer.status == 400) EXPECT_THAT(detail_of(answer), HasSubstr("`" + row.member + "`")) << row.best;
  }
  const std::string good = R"("bestAvailable":{)" + id + R"(,"quantity":1})";
  for (const std::string& body : {"{" + good + "}", "{" + good + R"(,"customerId":" "})", "{" + good + R"(,"customerId":7})"}) {
    const Answer answer = client.post("/v1/reservations", body);
    expect_v1_problem(answer, 400, "invalid_request");
    EXPECT_THAT(detail_of(answer), HasSubstr("customerId"));
  }
  expect_v1_problem(ask(event, R"("quantity":1)", "c", R"("holdSeconds":0)"), 400, "invalid_request");
  const Answer neither = client.post("/v1/reservations", R"({"customerId":"c","bestAvailable":null})");
  expect_v1_problem(neither, 400, "invalid_request");
  EXPECT_THAT(detail_of(neither), HasSubstr("bestAvailable"));
  EXPECT_EQ(letters(event), "aaaa");
}

// --- idempotency ---

TEST_F(BestAvailable, ARepeatedRequestGetsTheFirstSeatsAgain) {
  const TestEvent event = make_rows(client, {"A1:bbbbbbbb"});
  const Headers key = {{"Idempotency-Key", new_uuid()}};
  const Answer first = ask(event, R"("quantity":2)", "c", {}, key);
  ASSERT_EQ(told(event, first), "3 4");
  EXPECT_FALSE(first.has("Idempotency-Replayed"));
  for (const char* same : {R"("quantity":2)", R"("quantity":2,"adjacent":true,"section":null)"}) {
    const Answer again = ask(event, same, "c", {}, key);
    EXPECT_EQ(again.status, 201) << again;
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(again.header("Idempotency-Replayed"), "true");
  }
  for (const char* other :
       {R"("quantity":3)", R"("quantity":2,"adjacent":false)", R"("quantity":2,"section":"A")", R"("quantity":2,"category":"Blue")"}) {
    expect_v1_problem(ask(event, other, "c", {}, key), 422, "idempotency_key_reused");
  }
  expect_v1_problem(ask(event, R"("quantity":2)", "d", {}, key), 422, "idempotency_key_reused");
  expect_v1_problem(ask(event, R"("quantity":2)", "c", R"("holdSeconds":60)", key), 422, "idempotency_key_reused");
  expect_v1_problem(hold(client, "c", {event[3], event[4]}, {}, key), 422, "idempotency_key_reused");
  EXPECT_EQ(letters(event), "aaahhaaa");
}

TEST_F(BestAvailable, ARefusalIsJudgedAfreshWithTheSameKey) {
  const TestEvent event = make_rows(client, {"A1:bb"});
  const Answer held = hold(client, "c", {event[0]});
  const Headers key = {{"Idempotency-Key", new_uuid()}};
  EXPECT_EQ(told(event, ask(event, R"("quantity":2)", "c", {}, key)), "409 no_adjacent_seats");
  ASSERT_EQ(client.post("/v1/reservations/" + string_of(held.json().at("id")) + "/release", "{}").status, 200);
  EXPECT_EQ(told(event, ask(event, R"("quantity":2)", "c", {}, key)), "0 1");
}

TEST(BestAvailableAfterRestart, KeysSeatsAndGapsAreWhatTheyWere) {
  Server server;
  auto client = std::make_unique<Client>(server.connect());
  const TestEvent event = make_rows(*client, {"A1:bbb bbb"});
  const Headers key = {{"Idempotency-Key", "k"}};
  const Answer first = client->post("/v1/reservations", best_body(event, R"("quantity":2)"), key);
  EXPECT_EQ(seats_of(first), (Ids{event[1], event[2]}));
  server.kill();
  server.start();
  client = std::make_unique<Client>(server.connect());
  const Answer again = client->post("/v1/reservations", best_body(event, R"("quantity":2)"), key);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.header("Idempotency-Replayed"), "true");
  EXPECT_EQ(seats_of(client->post("/v1/reservations", best_body(event, R"("quantity":2)"))), (Ids{event[3], event[4]}));
  expect_v1_problem(client->post("/v1/reservations", best_body(event, R"("quantity":2)")), 409, "no_adjacent_seats");
}

// --- time ---

TEST_F(BestAvailable, ASeatWhoseHoldIsOverIsAvailableAgain) {
  const TestEvent event = make_rows(client, {"A1:bb"});
  const Answer held = hold(client, "c", {event[0]}, R"("holdSeconds":1)");
  ASSERT_EQ(held.status, 201) << held;
  Answer best;
  ASSERT_TRUE(eventually([&] {
    best = ask(event, R"("quantity":2)", "d");
    return best.status == 201;
  })) << best;
  EXPECT_GE(millis_of(best.json().at("createdAt")), millis_of(held.json().at("expiresAt")));
  EXPECT_EQ(string_of(reservation(client, string_of(held.json().at("id"))).at("status")), "expired");
}

// --- many at once ---

TEST_F(BestAvailable, TwoHundredConcurrentRequestsGetDifferentSeatsUntilNoneIsLeft) {
  constexpr std::size_t k_askers = 200;
  const TestEvent event = make_event(client, 3 * k_askers);
  std::vector<Client> askers;
  for (std::size_t i = 0; i < k_askers; ++i) askers.push_back(server().connect());
  std::map<std::string, std::size_t> owner;
  const auto all_ask = [&](std::string_view wish, std::size_t seats_each) {
    for (std::size_t i = 0; i < k_askers; ++i) {
      askers[i].write(request_bytes("POST", "/v1/reservations", best_body(event, wish, "customer-" + std::to_string(i))));
    }
    for (std::size_t i = 0; i < k_askers; ++i) {
      const Answer answer = askers[i].read_answer();
      ASSERT_EQ(answer.status, 201) << answer;
      const Ids seats = seats_of(answer);
      ASSERT_EQ(seats.size(), seats_each);
      for (const std::string& seat : seats) {
        EXPECT_TRUE(owner.emplace(seat, i).second) << "seat " << seat << " was given to " << owner[seat] << " and to " << i;
      }
    }
  };
  all_ask(R"("quantity":2)", 2);
  all_ask(R"("quantity":1,"adjacent":false)", 1);
  EXPECT_EQ(owner.size(), event.seats.size());
  EXPECT_EQ(letters(event), std::string(event.seats.size(), 'h'));
  EXPECT_EQ(got(event, R"("quantity":1,"adjacent":false)"), "409 seat_unavailable");
}

// --- whole venues ---

std::vector<BookSeat> book_of(const Json& plan) {
  const auto texts = [&](const char* name) { return strings_of(plan.at(name)); };
  const Ids sections = texts("sections"), names = texts("names");
  Ids categories;
  for (const Json& category : plan.at("categories").as_array()) categories.push_back(string_of(category.at("name")));
  const Json& seats = plan.at("seats");
  const auto number = [&](const char* column, std::size_t i) { return seats.at(column).at(i).to_number<std::size_t>(); };
  std::vector<BookSeat> book;
  for (std::size_t i = 0; i < seats.at("id").as_array().size(); ++i) {
    book.push_back({.section = sections.at(number("section", i)),
                    .row = names.at(number("row", i)),
                    .category = categories.at(number("category", i)),
                    .x = seats.at("x").at(i).to_number<double>(),
                    .y = seats.at("y").at(i).to_number<double>()});
  }
  return book;
}

// Sells the venue by best available, with some blocked seats and some releases in between, and compares each pick.
void sell_by_the_book(Client& client, const char* venue, std::size_t requests) {
  const std::string plan_file = read_file(std::string(HOLDFAST_VENUES) + "/" + venue + ".seating-plan.json");
  const Answer made = client.post("/v1/events", R"({"name":"V","plan":)" + plan_file + "}");
  ASSERT_EQ(made.status, 201) << made;
  const std::string id = string_of(made.json().at("id"));
  const Json plan = client.get("/v1/events/" + id + "/plan").json();
  const TestEvent event{id, strings_of(plan.at("seats").at("id"))};
  std::vector<BookSeat> book = book_of(plan);
  std::mt19937 random(7);
  Ids blocked;
  for (std::size_t i = 0; i < event.seats.size(); ++i) {
    if (random() % 3 != 0 || blocked.size() == 1'000) continue;
    blocked.push_back(event.seats[i]);
    book[i].free = false;
  }
  ASSERT_EQ(client.post("/v1/events/" + id + "/block", R"({"seatIds":)" + json_of(blocked) + "}").status, 200);
  std::vector<std::pair<std::string, std::vector<std::size_t>>> held;   // in the order of the holds, so that each run is the same
  std::size_t refused = 0;
  for (std::size_t i = 0; i < requests; ++i) {
    BookWish wish{.quantity = 1 + random() % 8, .adjacent = random() % 8 != 0};
    std::string text = R"("quantity":)" + std::to_string(wish.quantity) + R"(,"adjacent":)" + (wish.adjacent ? "true" : "false");
    const BookSeat& any = book[random() % book.size()];
    if (random() % 2 == 0) text += R"(,"section":)" + json_of(wish.section.emplace(any.section));
    if (random() % 4 == 0) text += R"(,"category":)" + json_of(wish.category.emplace(any.category));
    const auto expected = best_by_the_book(book, wish);
    const Answer answer = client.post("/v1/reservations", best_body(event, text));
    if (expected.empty()) {
      ++refused;
      ASSERT_EQ(answer.status, 409) << text << answer;
      continue;
    }
    ASSERT_EQ(answer.status, 201) << text << answer;
    Ids expected_ids;
    for (const std::size_t seat : expected) {
      expected_ids.push_back(event[seat]);
      book[seat].free = false;
    }
    ASSERT_EQ(seats_of(answer), expected_ids) << text << answer;
    held.emplace_back(string_of(answer.json().at("id")), expected);
    if (random() % 6 != 0) continue;
    const auto back = held.begin() + static_cast<std::ptrdiff_t>(random() % held.size());
    ASSERT_EQ(client.post("/v1/reservations/" + back->first + "/release", "{}").status, 200);
    for (const std::size_t seat : back->second) book[seat].free = true;
    held.erase(back);
  }
  std::cout << venue << ": " << requests - refused << " held, " << refused << " refused\n";
  EXPECT_GT(requests - refused, requests / 10);
  EXPECT_TRUE(best_by_the_book(book, {.quantity = 1'000}).empty());
  EXPECT_EQ(client.post("/v1/reservations", best_body(event, R"("quantity":1000)")).status, 409) << "no row is that long";
}

TEST_F(BestAvailable, SellsTheTheatreByTheBook) { sell_by_the_book(client, "theatre", 400); }
TEST_F(BestAvailable, SellsTheRaceTrackByTheBook) { sell_by_the_book(client, "race-track", k_is_sanitized ? 50 : 2'500); }

}   // namespace
}   // namespace holdfast::test
