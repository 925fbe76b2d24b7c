// Members, route by route: the refusal names the member.
#include <algorithm>
#include <chrono>

#include "contract/bad_input/bad_input.h"

namespace holdfast::test {
namespace {

TEST_F(BadInput, MembersOfContract1) {
  const std::string seat = R"("seatId":")" + event[0] + '"';
  const std::string id = event[0];
  const Row rows[] = {
      {R"({"customerId":"c"})", "seatId"},
      {R"({"seatId":"nonsense","customerId":"c"})", "seatId"},
      {R"({"seatId":1e5,"customerId":"c"})", "seatId"},
      {R"({"seatId":")" + id + R"(\u0000","customerId":"c"})", "seatId"},
      {R"({"seatId":"urn:uuid:)" + id + R"(","customerId":"c"})", "seatId"},
      {R"({"seatId":")" + std::string(10'000, 'a') + R"(","customerId":"c"})", "seatId"},
      {"{" + seat + "}", "customerId"},
      {"{" + seat + R"(,"customerId":{}})", "customerId"},
      {"{" + seat + R"(,"customerId":1.5})", "customerId"},
      {"{" + seat + R"(,"customerId":" "})", "customerId"},
      {"{" + seat + R"(,"customerId":")" + std::string(60'000, 'c') + R"("})", "customerId"},
      {"{" + seat + ",\"customerId\":\"\x80\"}", "customerId"},
      {"{" + seat + ",\"customerId\":\"ab\xed\xa0\x80\"}", "customerId"},
      {"{" + seat + R"(,"customerId":"c","eventId":[]})", "eventId"},
      {"{" + seat + R"(,"customerId":"c","eventId":"00000000"})", "eventId"},
  };
  for (const Row& row : rows) expect_400(send("POST", "/reservations", row.body), "/reservations", row.member, row.body);
}

TEST_F(BadInput, MembersOfContract2) {
  const std::string id = json_of(event[0]);
  const std::string many = [&] {
    Ids ids;
    for (int i = 0; i < 1'001; ++i) ids.push_back("ticket-" + std::to_string(i));
    return json_of(ids);
  }();
  const Row locks[] = {
      {R"({"data":{"ticketd_reserved":)" + many + R"(,"reserved_time":600}})", "ticketd_reserved"},
      {R"({"data":{"ticketd_reserved":[)" + id + R"(,5],"reserved_time":600}})", "ticketd_reserved"},
      {R"({"data":{"ticketd_reserved":[)" + id + R"(,""],"reserved_time":600}})", "ticketd_reserved"},
      {R"({"data":{"ticketd_reserved":[)" + id + R"(],"reserved_time":6e2.5}})", ""},
      {R"({"data":{"ticketd_reserved":[)" + id + R"(],"reserved_time":1e30}})", "reserved_time"},
      {R"({"data":{"ticketd_reserved":[)" + id + R"(],"reserved_time":-600}})", "reserved_time"},
      {R"({"data":{"ticketd_reserved":[)" + id + R"(],"reserved_time":600.0001}})", "reserved_time"},
      {R"({"data":{"ticketd_reserved":[)" + id + R"(],"reserved_time":""}})", "reserved_time"},
      {R"({"data":{"ticketd_reserved":[)" + id + R"(]},"reserved_time":"x"})", "reserved_time"},
      {R"({"data":7})", "data"},
      {R"({"data":null})", "data"},
      {R"({"data":[{"ticketd_reserved":[)" + id + R"(],"reserved_time":1}]})", "data"},
  };
  for (const Row& row : locks) expect_400(send("POST", "/tickets_lock", row.body), "/tickets_lock", row.member, row.body);
  const Row unlocks[] = {{R"({"data":{"tickets":)" + many + "}}", "tickets"},
                         {R"({"data":{"tickets":[false]}})", "tickets"},
                         {R"({"data":{"tickets":[[]]}})", "tickets"},
                         {R"({"data":{"tickets":{}}})", "tickets"},
                         {R"({"data":{"tickets":[)" + id + R"(],"reservationIds":7}})", "reservationIds"},
                         {R"({"data":{"tickets":[)" + id + R"(],"reservationIds":[null]}})", "reservationIds"}};
  for (const Row& row : unlocks) expect_400(send("POST", "/tickets_unlock_param", row.body), "/tickets_unlock_param", row.member, row.body);
}

TEST_F(BadInput, MembersOfAHold) {
  const std::string seats = R"("seatIds":)" + json_of(Ids{event[0]});
  const std::string long_id(129, 'x');
  const Row rows[] = {
      {"{" + seats + "}", "customerId"},
      {"{" + seats + R"(,"customerId":null})", "customerId"},
      {"{" + seats + R"(,"customerId":7})", "customerId"},
      {"{" + seats + R"(,"customerId":""})", "customerId"},
      {"{" + seats + R"(,"customerId":" \t"})", "customerId"},
      {"{" + seats + R"(,"customerId":")" + std::string(257, 'c') + R"("})", "customerId"},
      {R"({"customerId":"c"})", "seatIds"},
      {R"({"customerId":"c","seatIds":null})", "seatIds"},
      {R"({"customerId":"c","seatIds":"x"})", "seatIds"},
      {R"({"customerId":"c","seatIds":{}})", "seatIds"},
      {R"({"customerId":"c","seatIds":[]})", "seatIds"},
      {R"({"customerId":"c","seatIds":[1]})", "seatIds"},
      {R"({"customerId":"c","seatIds":[null]})", "seatIds"},
      {R"({"customerId":"c","seatIds":[""]})", "seatIds"},
      {R"({"customerId":"c","seatIds":[[")" + event[0] + R"("]]})", "seatIds"},
      {R"({"customerId":"c","seatIds":[")" + long_id + R"("]})", "seatIds"},
      {"{" + seats + R"(,"customerId":"c","holdSeconds":0})", "holdSeconds"},
      {"{" + seats + R"(,"customerId":"c","holdSeconds":-1})", "holdSeconds"},
      {"{" + seats + R"(,"customerId":"c","holdSeconds":1.5})", "holdSeconds"},
      {"{" + seats + R"(,"customerId":"c","holdSeconds":"60"})", "holdSeconds"},
      {"{" + seats + R"(,"customerId":"c","holdSeconds":true})", "holdSeconds"},
      {"{" + seats + R"(,"customerId":"c","holdSeconds":[60]})", "holdSeconds"},
      {"{" + seats + R"(,"customerId":"c","holdSeconds":9223372036854775808})", "holdSeconds"},
      {"{" + seats + R"(,"customerId":"c","holdSeconds":-9223372036854775809})", "holdSeconds"},
      {"{" + seats + R"(,"customerId":"c","holdSeconds":18446744073709551676})", "holdSeconds"},
      {"{" + seats + R"(,"customerId":"c","holdSeconds":1e300})", "holdSeconds"},
  };
  for (const Row& row : rows) expect_400(send("POST", "/v1/reservations", row.body), "/v1/reservations", row.member, row.body);
}

TEST_F(BadInput, MembersOfACommandOnAReservation) {
  const std::string path = "/v1/reservations/" + a_reservation();
  struct Command {
    const char* name;
    std::vector<Row> rows;
  };
  const std::string long_order = R"({"orderId":")" + std::string(129, 'o') + R"("})";
  const Command commands[] = {
      {"/add",
       {{"{}", "seatIds"},
        {R"({"seatIds":null})", "seatIds"},
        {R"({"seatIds":[]})", "seatIds"},
        {R"({"seatIds":[7]})", "seatIds"},
        {R"({"seatIds":[""]})", "seatIds"},
        {R"({"seatIds":"x"})", "seatIds"}}},
      {"/extend",
       {{"{}", "holdSeconds"},
        {R"({"holdSeconds":0})", "holdSeconds"},
        {R"({"holdSeconds":-5})", "holdSeconds"},
        {R"({"holdSeconds":2.5})", "holdSeconds"},
        {R"({"holdSeconds":"60"})", "holdSeconds"},
        {R"({"holdSeconds":null})", "holdSeconds"},
        {R"({"holdSeconds":1e99})", "holdSeconds"},
        {R"({"holdSeconds":9223372036854775807})", "holdSeconds"},
        {R"({"holdSeconds":18446744073709551615})", "holdSeconds"}}},
      {"/consume",
       {{"{}", "orderId"},
        {R"({"orderId":""})", "orderId"},
        {R"({"orderId":7})", "orderId"},
        {R"({"orderId":null})", "orderId"},
        {R"({"orderId":["o"]})", "orderId"},
        {long_order, "orderId"},
        {R"({"orderId":"o","reinstate":"yes"})", "reinstate"},
        {R"({"orderId":"o","reinstate":1})", "reinstate"}}},
      {"/release",
       {{R"({"seatIds":"x"})", "seatIds"},
        {R"({"seatIds":[1]})", "seatIds"},
        {R"({"seatIds":{}})", "seatIds"},
        {R"({"seatIds":[""]})", "seatIds"}}},
      {"/return",
       {{"{}", "orderId"},
        {R"({"orderId":""})", "orderId"},
        {R"({"orderId":7})", "orderId"},
        {long_order, "orderId"},
        {R"({"orderId":"o","seatIds":"x"})", "seatIds"},
        {R"({"orderId":"o","seatIds":[null]})", "seatIds"}}},
  };
  for (const Command& command : commands) {
    for (const Row& row : command.rows) expect_400(send("POST", path + command.name, row.body), path + command.name, row.member, row.body);
  }
}

TEST_F(BadInput, MembersOfABlock) {
  const Row rows[] = {{"{}", "seatIds"},
                      {R"({"seatIds":[]})", "seatIds"},
                      {R"({"seatIds":null})", "seatIds"},
                      {R"({"seatIds":[1]})", "seatIds"},
                      {R"({"seatIds":"x"})", "seatIds"},
                      {R"({"seatIds":[""]})", "seatIds"}};
  for (const char* command : {"/block", "/unblock"}) {
    const std::string target = "/v1/events/" + event.id + command;
    for (const Row& row : rows) expect_400(send("POST", target, row.body), target, row.member, row.body);
  }
}

TEST_F(BadInput, MembersOfAnEventsChange) {
  const Row rows[] = {
      {R"({"name":""})", "name"},
      {R"({"name":7})", "name"},
      {R"({"name":")" + std::string(201, 'n') + R"("})", "name"},
      {R"({"startsAt":"tomorrow"})", "startsAt"},
      {R"({"startsAt":5})", "startsAt"},
      {R"({"startsAt":"2031-05-01"})", "startsAt"},
      {R"({"startsAt":"2031-13-01T00:00:00Z"})", "startsAt"},
      {R"({"startsAt":"2031-02-30T00:00:00Z"})", "startsAt"},
      {R"({"startsAt":"2031-05-01T25:00:00Z"})", "startsAt"},
      {R"({"holdSeconds":0})", "holdSeconds"},
      {R"({"holdSeconds":-1})", "holdSeconds"},
      {R"({"holdSeconds":"x"})", "holdSeconds"},
      {R"({"holdSeconds":86401})", "holdSeconds"},
      {R"({"holdSeconds":1.5})", "holdSeconds"},
      {R"({"maxHoldSeconds":0})", "maxHoldSeconds"},
      {R"({"maxHoldSeconds":86401})", "maxHoldSeconds"},
      {R"({"maxHoldSeconds":[]})", "maxHoldSeconds"},
      {R"({"limits":[]})", "limits"},
      {R"({"limits":5})", "limits"},
      {R"({"limits":{"seatsPerReservation":0}})", "seatsPerReservation"},
      {R"({"limits":{"seatsPerReservation":1001}})", "seatsPerReservation"},
      {R"({"limits":{"seatsPerReservation":"8"}})", "seatsPerReservation"},
      {R"({"limits":{"heldSeatsPerCustomer":-1}})", "heldSeatsPerCustomer"},
      {R"({"limits":{"heldSeatsPerCustomer":4294967296}})", "heldSeatsPerCustomer"},
      {R"({"limits":{"heldSeatsPerCustomer":2.5}})", "heldSeatsPerCustomer"},
      {R"({"status":"sold_out"})", "status"},
      {R"({"status":"importing"})", "status"},
      {R"({"status":"abandoned"})", "status"},
      {R"({"status":"ON_SALE"})", "status"},
      {R"({"status":2})", "status"},
  };
  const std::string target = "/v1/events/" + event.id;
  for (const Row& row : rows) expect_400(send("PATCH", target, row.body), target, row.member, row.body);
}

// A body of some 250 KB: 32,000 members with the shortest possible names.
std::string many_members(std::string_view last) {
  static constexpr std::string_view k_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::string body = "{";
  for (std::size_t i = 0; i < 32'000; ++i) {
    const char name[] = {k_letters[i / 52 / 52 % 52], k_letters[i / 52 % 52], k_letters[i % 52]};
    body.append("\"").append(name, 3).append("\":1,");
  }
  return body.append("\"").append(last).append("\":1}");
}

// A member that is ignored must not look as if it had been obeyed.
TEST_F(BadInput, MembersThatAChangeDoesNotKnowAreRefusedAndNamed) {
  const std::string seats = R"("seatIds":)" + json_of(Ids{event[0]});
  const std::string of_event = "/v1/events/" + event.id;
  const std::string of_reservation = "/v1/reservations/" + a_reservation();
  const std::string new_event = R"("name":"E","categories":[{"name":"S"}],"seats":[{"section":"A","row":"1","number":"1","category":"S"}])";
  const struct {
    const char* method;
    std::string target;
    std::string body;
    const char* named;
  } rows[] = {
      {"POST", "/v1/reservations", "{" + seats + R"(,"customerId":"c","holdSecond":60})", "`holdSecond`"},
      {"POST", "/v1/reservations", R"({"customerId":"c","bestAvailable":{"eventId":")" + event.id + R"(","quantity":1,"row":"1"}})",
       "`bestAvailable.row`"},
      {"POST", "/v1/reservations", R"({"customerId":"c","bestAvailable.eventId":")" + event.id + R"(",)" + seats + "}",
       "`bestAvailable.eventId`"},
      {"POST", of_reservation + "/add", "{" + seats + R"(,"quantity":2})", "`quantity`"},
      {"POST", of_reservation + "/extend", R"({"holdSeconds":60,"until":"tomorrow"})", "`until`"},
      {"POST", of_reservation + "/consume", R"({"orderId":"o","reinstated":true})", "`reinstated`"},
      {"POST", of_reservation + "/release", R"({"seats":[]})", "`seats`"},
      {"POST", of_reservation + "/return", R"({"orderId":"o","seatId":"x"})", "`seatId`"},
      {"POST", of_event + "/block", "{" + seats + R"(,"reason":"camera"})", "`reason`"},
      {"POST", of_event + "/unblock", "{" + seats + R"(,"":1})", "``"},
      {"POST", "/v1/sessions", R"({"customerId":"c"})", "`customerId`"},
      {"POST", "/v1/webhooks", R"({"url":"https://crm.example.org/","active":true})", "`active`"},
      {"PATCH", "/v1/webhooks/" + new_uuid(), R"({"events":["held"]})", "`events`"},
      {"PATCH", "/v1/webhooks/" + new_uuid(), R"({"secret":"whsec_x"})", "`secret` cannot be changed here"},
      {"POST", "/v1/webhooks/" + new_uuid() + "/test", R"({"type":"held"})", "`type`"},
      {"POST", "/v1/webhooks/" + new_uuid() + "/redeliver", R"({"id":"x"})", "`id`"},
      {"DELETE", "/v1/webhooks/" + new_uuid(), R"({"force":true})", "`force`"},
      {"PATCH", of_event, R"({"title":"x"})", "`title`"},
      {"PATCH", of_event, R"({"name":"x","limits":{"seatsPerOrder":1}})", "`limits.seatsPerOrder`"},
      {"PATCH", of_event, R"({"venue":"x"})", "`venue` cannot be changed here"},
      {"PATCH", of_event, R"({"id":"x","status":"closed"})", "`id` cannot be changed here"},
      {"PATCH", of_event, R"({"seats":[],"surprise":1})", "`surprise`"},
      {"POST", "/v1/events", "{" + new_event + R"(,"currencies":"EUR"})", "`currencies`"},
      {"POST", "/v1/events", "{" + new_event + R"(,"limits":{"seats":1}})", "`limits.seats`"},
      {"POST", "/v1/events",
       R"({"name":"E","categories":[{"name":"S","colour":"red"}],"seats":[{"section":"A","row":"1","number":"1","category":"S"}]})",
       "`categories[0].colour`"},
      {"POST", "/v1/events",
       R"({"name":"E","categories":[{"name":"S"}],"seats":[{"section":"A","row":"1","number":"1","category":"S"},
           {"section":"A","row":"1","number":"2","category":"S","status":{"is":["sold"]}}]})",
       "`seats[1].status`"},
  };
  for (const auto& row : rows) expect_400(send(row.method, row.target, row.body), row.target, row.named, row.body);
}

TEST_F(BadInput, ManyUnknownMembersAreCountedAndSomeAreNamed) {
  const Answer answer = send("PATCH", "/v1/events/" + event.id, many_members("none"));
  expect_400(answer, "/v1/events", "`aaa`, `aab`", "many members");
  EXPECT_THAT(detail_of(answer), testing::HasSubstr(" and 31981 more members"));
  EXPECT_LT(answer.body.size(), 2'000U);
}

TEST_F(BadInput, ChangesTakeNoQueryParameters) {
  const std::string of_reservation = "/v1/reservations/" + a_reservation();
  const std::string seats = R"({"seatIds":)" + json_of(Ids{event[0]}) + "}";
  expect_400(send("PATCH", "/v1/events/" + event.id + "?status=closed", R"({"name":"x"})"), "PATCH", "query parameters", "");
  expect_400(send("POST", "/v1/events/" + event.id + "/block?reason=x", seats), "block", "query parameters", "");
  expect_400(send("POST", of_reservation + "/release?seatIds=x", ""), "release", "query parameters", "");
  expect_400(send("POST", "/v1/events?dryRun=true", "{}"), "create", "query parameters", "");
  expect_400(send("DELETE", "/v1/webhooks/" + new_uuid() + "?force=1", ""), "delete", "query parameters", "");
}

// Two readers of such a body would use different ones of the two.
TEST_F(BadInput, ADuplicateMemberIsRefusedAndNamed) {
  const std::string seat = R"("seatId":")" + event[0] + '"';
  const std::string seats = R"("seatIds":)" + json_of(Ids{event[0]});
  const std::string of_reservation = "/v1/reservations/" + a_reservation();
  const std::string of_event = "/v1/events/" + event.id;
  const std::string list_of_categories = R"("categories":[{"name":"S"}])";
  const std::string list_of_seats = R"("seats":[{"section":"A","row":"1","number":"1","category":"S"}])";
  const std::string categories = list_of_categories + "," + list_of_seats;
  const struct {
    std::string target;
    std::string body;
    std::string member;
  } rows[] = {
      {"/reservations", "{" + seat + R"(,"customerId":"c","customerId":"d"})", "customerId"},
      {"/reservations", "{" + seat + "," + seat + R"(,"customerId":"c"})", "seatId"},
      {"/tickets_lock", R"({"data":{"ticketd_reserved":)" + json_of(Ids{event[0]}) + R"(,"reserved_time":1,"reserved_time":2}})",
       "reserved_time"},
      {"/v1/reservations", "{" + seats + R"(,"customerId":"c","customerId":"c"})", "customerId"},
      {"/v1/reservations", "{" + seats + "," + seats + R"(,"customerId":"c"})", "seatIds"},
      {of_reservation + "/consume", R"({"orderId":"o","orderId":"p"})", "orderId"},
      {"/v1/events", R"({"name":"E","name":"F",)" + categories + "}", "name"},
      // At any depth, in ignored members too, and however the name is escaped.
      {"/reservations", "{" + seat + R"(,"customerId":"c","more":[{"a":1,"b":{"a":2,"c":[],"\u0063":3}}]})", "c"},
      {"/tickets_lock", R"({"data":{},"\u0064ata":{}})", "data"},
      {"/tickets_unlock_param", R"({"data":{"tickets":["x"],"more":{"tickets":1,"tickets":2}}})", "tickets"},
      {"/v1/reservations", R"({"customerId":"c","bestAvailable":{"eventId":")" + event.id + R"(","quantity":1,"quantity":2}})", "quantity"},
      {of_reservation + "/return", R"({"orderId":"o","more":{"":1,"":2}})", ""},
      {of_event + "/block", "{" + seats + R"(,"more":{"a":{},"a":{}}})", "a"},
      {"/v1/sessions", R"({"a":{"b":1,"b":1}})", "b"},
      {"/v1/webhooks", R"({"url":"https://crm.example.org/","url":"https://evil.example.org/"})", "url"},
      {"/v1/events", R"({"name":"E","categories":[{"name":"S","price":10,"price":99}],)" + list_of_seats + "}", "price"},
      {"/v1/events", R"({"name":"E",)" + list_of_categories + R"(,"seats":[{"section":"A","row":"1","row":"2"}]})", "row"},
      {"/v1/events", R"({"name":"E","limits":{"heldSeatsPerCustomer":2,"held\u0053eatsPerCustomer":9},)" + categories + "}",
       "heldSeatsPerCustomer"},
      {"/v1/events",
       R"({"name":"E","plan":{"zones":[{"name":"Z","rows":[{"row_number":"1","seats":[{"seat_number":"1","position":{"x":1,"x":2}}]}]}]}})",
       "x"},
      {"/v1/events", R"({"name":"E","plan":{"size":{"width":1,"width":2},"zones":[]}})", "width"},
      {"/v1/events", R"({"name":"E","more":[{"a":[{"b":1,"b":1}]}],)" + categories + "}", "b"},
  };
  for (const auto& row : rows) {
    expect_400(send("POST", row.target, row.body), row.target, "Duplicate member `" + row.member + "`", row.body);
  }
  const std::string twice = R"({"limits":{"seatsPerReservation":1,"seatsPerReservation":1000}})";
  expect_400(send("PATCH", of_event, twice), of_event, "Duplicate member `seatsPerReservation`", twice);
}

TEST_F(BadInput, ALongNameOfADuplicateMemberIsCut) {
  const std::string name(60'000, 'n');
  const Answer answer = send("POST", "/reservations", "{\"" + name + "\":1,\"" + name + "\":2}");
  expect_400(answer, "/reservations", "Duplicate member `nnn", "a long name");
  EXPECT_LT(answer.body.size(), 1'000U);
}

TEST_F(BadInput, ADuplicateMemberAmongManyIsFoundInLinearTime) {
  // The fastest of several runs: another process may be using the processor.
  const auto fastest = [&](const std::string& target, const std::string& body, std::string_view part) {
    auto best = std::chrono::steady_clock::duration::max();
    for (int i = 0; i < 5; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      const Answer answer = send("POST", target, body);
      best = std::min(best, std::chrono::steady_clock::now() - begin);
      expect_400(answer, target, part, "many members");
    }
    return best;
  };
  for (const char* target : {"/tickets_unlock_param", "/v1/reservations", "/reservations", "/v1/events"}) {
    const auto without = fastest(target, many_members("none"), "");
    const auto with = fastest(target, many_members("aaa"), "Duplicate member `aaa`");
    EXPECT_LT(with, 20 * without + std::chrono::milliseconds(20)) << target << ": a quadratic search takes some hundred times as long";
  }
}

}   // namespace
}   // namespace holdfast::test
