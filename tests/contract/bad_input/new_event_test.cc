// The body of a new event: every mistake is reported, with its place.
#include "contract/bad_input/bad_input.h"

namespace holdfast::test {
namespace {

using namespace std::string_literals;

TEST_F(BadInput, EveryMistakeOfANewEventHasItsPlace) {
  const Answer answer = send("POST", "/v1/events", R"({
"name": "E", "currency": "euro",
"categories": [{"name": "S", "price": "45"}, 7],
"seats": [
 {"id": "T-1", "section": "A", "row": "1", "number": "1", "category": "S", "x": "left"},
 {"id": "T-2", "section": "A", "row": "1", "number": "2", "category": "T"},
 {"id": "T-3", "section": "A", "row": [1], "number": "3", "category": "S"},
 {"id": "T-4", "section": "A", "row": "1", "number": "4", "category": "S"},
 {"id": "t-4", "section": "A", "row": "1", "number": "4", "category": "S"},
 {"id": "T-4", "section": "A", "row": "1", "number": "6", "category": "S"}
]})");
  expect_problem(answer, 400, "invalid_request");
  const Json body = answer.json();
  struct Expected {
    int line;
    std::string member, seat, id, what;
  };
  const Expected expected[] = {
      {2, "currency", "", "", "`currency` must be three letters"},
      {3, "categories[0].price", "", "", "must be a number from 0 to 1e9"},
      {3, "categories[1]", "", "", "`categories[1]` must be an object"},
      {5, "seats[0].x", "A-1-1", "T-1", "`seats[0].x` must be a number"},
      {6, "", "A-1-2", "T-2", "the category `T`, which `categories` does not list"},
      {7, "seats[2].row", "A-?-3", "T-3", "`seats[2].row` must be a string or a whole number"},
      {9, "", "A-1-4", "t-4", "the same section, row and number as the seat on line 8"},
      {10, "", "A-1-6", "T-4", "the same id as seat A-1-4 on line 8"},
  };
  const auto& mistakes = body.at("mistakes").as_array();
  ASSERT_EQ(mistakes.size(), std::size(expected)) << answer;
  const auto text = [](const Json& of, const char* member) {
    const auto* value = of.as_object().if_contains(member);
    return value == nullptr ? std::string{} : string_of(*value);
  };
  for (std::size_t i = 0; i < mistakes.size(); ++i) {
    EXPECT_EQ(mistakes[i].at("line").to_number<int>(), expected[i].line) << mistakes[i];
    EXPECT_EQ(text(mistakes[i], "member"), expected[i].member) << mistakes[i];
    EXPECT_EQ(text(mistakes[i], "seat"), expected[i].seat) << mistakes[i];
    EXPECT_EQ(text(mistakes[i], "seatId"), expected[i].id) << mistakes[i];
    EXPECT_THAT(text(mistakes[i], "what"), testing::HasSubstr(expected[i].what));
  }
  EXPECT_EQ(body.at("moreMistakes").to_number<int>(), 0);
  EXPECT_THAT(detail_of(answer),
              testing::AllOf(testing::HasSubstr("Line 2: `currency` must be"), testing::HasSubstr("There are 8 mistakes")));
}

TEST_F(BadInput, MistakesBeyondTheLimitAreCounted) {
  std::string seats;
  for (int i = 0; i < 25; ++i) seats.append(i == 0 ? "" : ",\n").append(R"({"section":"A","row":"1","number":[],"category":"S"})");
  const Answer answer = send("POST", "/v1/events", R"({"name":"E","categories":[{"name":"S"}],"seats":[)" + seats + "]}");
  expect_problem(answer, 400, "invalid_request");
  EXPECT_EQ(answer.json().at("mistakes").as_array().size(), 20U);
  EXPECT_EQ(answer.json().at("moreMistakes").to_number<int>(), 5);
  EXPECT_THAT(detail_of(answer), testing::HasSubstr("There are 25 mistakes; `mistakes` lists the first 20."));
}

TEST_F(BadInput, TheMistakeThatEndsTheReadingOfANewEventComesFirst) {
  const Answer answer = send("POST", "/v1/events", "{\"name\": 7,\n\"seats\": [{\"section\": \"A\"\n\"row\": 1}]}");
  expect_problem(answer, 400, "invalid_request");
  EXPECT_THAT(detail_of(answer), testing::HasSubstr("Line 3: the text is not JSON"));
  EXPECT_EQ(string_of(answer.json().at("mistakes").at(1).at("member")), "name");
}

// A number ends only where the text does.
TEST_F(BadInput, ANumberInPlaceOfANewEventIsOneMistake) {
  for (const std::string& body : {"12"s, "12 "s, "1.5"s, "-7"s}) {
    const Answer answer = send("POST", "/v1/events", body);
    expect_400(answer, "/v1/events", "must be a JSON object", body);
    EXPECT_EQ(answer.json().at("mistakes").as_array().size(), 1U) << answer;
  }
}

TEST_F(BadInput, NamesOfANewEventsSeatsHaveAtMost200BytesEverywhere) {
  const auto body = [](std::size_t bytes, std::string_view which) {
    const auto name = [&](std::string_view of, const char* otherwise) {
      return of == which ? std::string(bytes, 'n') : std::string(otherwise);
    };
    return R"({"name":"E","plan":{"categories":[{"name":")" + name("category", "S") + R"("}],"zones":[{"name":")" + name("zone", "A") +
           R"(","rows":[{"row_number":")" + name("row_number", "1") + R"(","seats":[{"seat_number":")" + name("seat_number", "1") +
           R"(","category":")" + name("category", "S") + R"("}]}]}]}})";
  };
  for (const char* which : {"zone", "row_number", "seat_number", "category"}) {
    expect_400(send("POST", "/v1/events", body(201, which)), "/v1/events", which == "zone"s ? "name` has more than 200 bytes" : "200 bytes",
               which);
    EXPECT_EQ(send("POST", "/v1/events", body(200, which)).status, 201) << which;
    ++events_made;   // this one was made on purpose
  }
}

TEST_F(BadInput, EachCategoryWithTheNameOfAnotherIsCounted) {
  std::string list;
  for (int i = 0; i < 1'000; ++i) list.append(R"({"name":"category )").append(std::to_string(i)).append("\"},");
  const std::string last = R"({"name":"category 999"})";
  for (int i = 0; i < 9'999; ++i) list.append(last).append(",");
  const Answer answer = send("POST", "/v1/events", R"({"name":"E","categories":[)" + list + last + R"(],"seats":[]})");
  expect_400(answer, "/v1/events", "`categories[1000]` has the name `category 999` of an earlier category. There are 10000 mistakes", "");
}

TEST_F(BadInput, TextAfterTheEndOfANewEventIsRefused) {
  const std::string first = event_body({new_uuid()});
  const std::string second = event_body({new_uuid()});
  for (const std::string& tail : {"x"s, " {}"s, "\nx"s, "\n{}"s, "\n" + second, "\nx\n" + second, "x\n\n" + second}) {
    expect_400(send("POST", "/v1/events", first + tail), "/v1/events", "there is more text after the end of the JSON value", tail);
  }
  EXPECT_EQ(send("POST", "/v1/events", first + "\r\n\t \n").status, 201);
  ++events_made;   // this one was made on purpose
}

// Their labels are made of the same letters, and nobody could tell them apart.
TEST_F(BadInput, SeatsThatPrintTheSameLabelAreBothNamed) {
  const Answer answer = send("POST", "/v1/events", R"({"name":"E","categories":[{"name":"S"}],"seats":[
    {"section":"A","row":"1-1","number":"2","category":"S"},
    {"section":"A","row":"1","number":"1-2","category":"S"}]})");
  expect_400(answer, "/v1/events", "print the same label A-1-1-2", "");
  for (const char* part :
       {"seat `2` of row `1-1` in section `A` on line 2", "seat `1-2` of row `1` in section `A`", "Labels must be unique"}) {
    EXPECT_THAT(detail_of(answer), testing::HasSubstr(part));
  }
}

TEST_F(BadInput, AChartOfSeatsIoIsRecognised) {
  const std::string chart = R"({"name":"Sample","categories":{"list":[{"label":"Balcony","key":1}]},"version":42,"venueType":"MIXED",
    "subChart":{"height":1,"rows":[{"label":"A","seats":[{"x":1,"y":2,"label":"1"}]}],"tables":[]}})";
  for (const std::string& body : {chart, R"({"name":"E","plan":)" + chart + "}"}) {
    const Answer answer = send("POST", "/v1/events", body);
    expect_400(answer, "/v1/events", "looks like a chart of seats.io", body);
    EXPECT_EQ(answer.json().at("mistakes").as_array().size(), 1U) << answer;
  }
}

TEST_F(BadInput, MembersOfANewEvent) {
  const std::string categories = R"("categories":[{"name":"S","price":45}])";
  const std::string good_seat = R"({"section":"A","row":"1","number":"1","category":"S"})";
  const std::string seats = R"("seats":[)" + good_seat + "]";
  const std::string rest = R"("name":"E",)" + categories + "," + seats;
  const auto with = [&](std::string_view more) { return "{" + rest + "," + std::string(more) + "}"; };
  const auto with_seats = [&](std::string_view list) { return R"({"name":"E",)" + categories + R"(,"seats":)" + std::string(list) + "}"; };
  const auto with_categories = [&](std::string_view list) {
    return R"({"name":"E",)" + seats + R"(,"categories":)" + std::string(list) + "}";
  };
  const std::string long_name(201, 'n');
  const Row rows[] = {
      {"{" + categories + "," + seats + "}", "name"},
      {R"({"name":"",)" + categories + "," + seats + "}", "name"},
      {R"({"name":5,)" + categories + "," + seats + "}", "name"},
      {R"({"name":")" + long_name + "\"," + categories + "," + seats + "}", "name"},
      {with(R"("id":"x")"), "id"},
      {with(R"("id":7)"), "id"},
      {with(R"("id":"00000000-0000-0000-0000-000000000000")"), "id"},
      {with(R"("startsAt":"soon")"), "startsAt"},
      {with(R"("startsAt":1900000000)"), "startsAt"},
      {with(R"("venue":[])"), "venue"},
      {with(R"("venue":")" + long_name + '"'), "venue"},
      {with(R"("currency":"Euro")"), "currency"},
      {with(R"("currency":978)"), "currency"},
      {with(R"("holdSeconds":0)"), "holdSeconds"},
      {with(R"("holdSeconds":"900")"), "holdSeconds"},
      {with(R"("holdSeconds":86401)"), "holdSeconds"},
      {with(R"("maxHoldSeconds":-1)"), "maxHoldSeconds"},
      {with(R"("maxHoldSeconds":86401)"), "maxHoldSeconds"},
      {with(R"("limits":"none")"), "limits"},
      {with(R"("limits":{"seatsPerReservation":0})"), "seatsPerReservation"},
      {with(R"("limits":{"heldSeatsPerCustomer":"2"})"), "heldSeatsPerCustomer"},
      {with(R"("status":"open")"), "status"},
      {with(R"("status":"importing")"), "status"},
      {with(R"("keepIds":"yes")"), "keepIds"},
      {R"({"name":"E",)" + categories + "}", "seats"},
      {with_seats("{}"), "seats"},
      {with_seats("[]"), "seat"},
      {with_seats("null"), "seats"},
      {with_seats("[5]"), "seat"},
      {with_seats("[[]]"), "seat"},
      {with_seats(R"([{"row":"1","number":"1","category":"S"}])"), "section"},
      {with_seats(R"([{"section":"A","number":"1","category":"S"}])"), "row"},
      {with_seats(R"([{"section":"A","row":"1","category":"S"}])"), "number"},
      {with_seats(R"([{"section":"A","row":"1","number":"1"}])"), "category"},
      {with_seats(R"([{"section":[5],"row":"1","number":"1","category":"S"}])"), "section"},
      {with_seats(R"([{"section":"A","row":1.5,"number":"1","category":"S"}])"), "row"},
      {with_seats(R"([{"section":"","row":"1","number":"1","category":"S"}])"), "section"},
      {with_seats(R"([{"section":"A","row":"","number":"1","category":"S"}])"), "row"},
      {with_seats(R"([{"section":"A","row":"1","number":null,"category":"S"}])"), "number"},
      {with_seats(R"([{"section":"A","row":"1","number":")" + long_name + R"(","category":"S"}])"), "number"},
      {with_seats(R"([{"section":"A","row":"1","number":"1","category":"none"}])"), "category"},
      {with_seats(R"([{"section":"A","row":"1","number":"1","category":0}])"), "category"},
      {with_seats(R"([{"id":7,"section":"A","row":"1","number":"1","category":"S"}])"), "id"},
      {with_seats(R"([{"id":")" + std::string(129, 'x') + R"(","section":"A","row":"1","number":"1","category":"S"}])"), "id"},
      {with_seats(R"([{"id":"00000000-0000-0000-0000-000000000000","section":"A","row":"1","number":"1","category":"S"}])"), "id"},
      {with_seats(R"([{"section":"A","row":"1","number":"1","category":"S","x":"left"}])"), "x"},
      {with_seats(R"([{"section":"A","row":"1","number":"1","category":"S","y":[1]}])"), "y"},
      {with_seats(R"([{"section":"A","row":"1","number":"1","category":"S","x":1e400}])"), ""},
      {with_seats("[" + good_seat + "," + good_seat + "]"), "A-1-1"},
      {with_seats(R"([{"id":"one","section":"A","row":"1","number":"1","category":"S"},
                      {"id":"one","section":"A","row":"1","number":"2","category":"S"}])"),
       "A-1-2"},
      {with_categories("{}"), "categories"},
      {with_categories("[5]"), "categor"},
      {with_categories(R"([{"price":5}])"), "name"},
      {with_categories(R"([{"name":""}])"), "name"},
      {with_categories(R"([{"name":"S","price":"45"}])"), "price"},
      {with_categories(R"([{"name":"S","price":1e300}])"), "price"},
      {with_categories(R"([{"name":"S","color":5}])"), "color"},
      {with_categories(R"([{"name":"S","price":45},{"name":"S","price":50}])"), "S"},
      {R"({"name":"E","plan":5})", "plan"},
      {R"({"name":"E","plan":{}})", "plan"},
      {R"({"name":"E","plan":{"zones":[]}})", ""},
      {R"({"name":"E","plan":{"zones":{}}})", "`plan.zones` must be an array of zones"},
      {R"({"name":"E","plan":{"zones":[7]}})", "`plan.zones[0]` must be an object"},
      {R"({"name":"E","plan":{"zones":[{"position":5}]}})", "`plan.zones[0].position` must be an object"},
      {R"({"name":"E","plan":{"zones":[{"name":"Z","rows":[{"row_number":"1","seats":[{"status":1}]}]}]}})",
       "seats[0].status` must be a string"},
      {R"({"name":"E","plan":{"zones":[{"name":"Z","rows":5}]}})", "rows"},
      {R"({"name":"E","plan":{"zones":[{"name":"Z","rows":[{"row_number":"1","seats":7}]}]}})", "seats"},
  };
  for (const Row& row : rows) expect_400(send("POST", "/v1/events", row.body), "/v1/events", row.member, row.body);
}

}   // namespace
}   // namespace holdfast::test
