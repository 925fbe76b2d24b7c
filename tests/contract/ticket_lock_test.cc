// Contract 2: /tickets_lock, /tickets_unlock and /tickets_unlock_param, row by row.
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

using Ids = std::vector<std::string>;

// Ids as the second platform has them: opaque, 41 characters, unique.
Ids opaque_ids(std::size_t count) {
  Ids ids(count);
  for (std::string& id : ids) id = "JAOTIiQrtU1fMWZZY2IZ-" + upper_case(new_uuid()).substr(0, 13) + "PphEwlYb";
  return ids;
}

class TicketLock : public OneServer {
 protected:
  TestEvent event = make_event(client, opaque_ids(10));

  // The states of the event's seats, in plan order.
  std::string letters() { return test::letters(client, event); }

  Answer unlock(const Ids& tickets, std::string_view more = {}) {
    std::string body = R"({"data":{"tickets":)" + json_of(tickets);
    if (!more.empty()) body.append(",").append(more);
    return client.post("/tickets_unlock_param", body + "}}");
  }

  static Ids reservations_of(const Answer& locked) { return strings_of(locked.json().at("data").at("reservationIds")); }

  void expect_not_available(const Answer& answer, const Ids& tickets) {
    EXPECT_EQ(answer.status, 400) << answer;
    EXPECT_EQ(answer.header("Content-Type"), "application/json");
    const Json expected =
        parse_json(R"({"message":"Tickets not available","status":400,"data":{"valido":false,"nodisponible":)" + json_of(tickets) + "}}");
    EXPECT_EQ(answer.json(), expected) << answer;
  }

  void expect_unlocked(const Answer& answer) {
    EXPECT_EQ(answer.status, 200) << answer;
    EXPECT_EQ(answer.header("Content-Type"), "application/json");
    EXPECT_EQ(answer.json(), parse_json(R"({"message":"Tickets unlocked","status":200,"data":{"valido":true}})")) << answer;
  }
};

TEST_F(TicketLock, IsAnsweredWithExactlyTheContractsBodyInTheOrderAsked) {
  const Ids asked = {event[3], event[0], event[7]};
  const Answer answer = lock_tickets(client, asked);
  ASSERT_EQ(answer.status, 200) << answer;
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  const Json body = answer.json();
  EXPECT_EQ(members_of(body), (std::set<std::string>{"message", "status", "data"}));
  EXPECT_EQ(string_of(body.at("message")), "Tickets blocked");
  EXPECT_EQ(body.at("status"), Json(200));
  const Json& data = body.at("data");
  EXPECT_EQ(members_of(data), (std::set<std::string>{"valido", "tickets", "reservationIds"}));
  EXPECT_EQ(data.at("valido"), Json(true));
  EXPECT_EQ(strings_of(data.at("tickets")), asked);
  EXPECT_EQ(strings_of(data.at("reservationIds")).size(), 1U);
  EXPECT_EQ(letters(), "haahaaahaa");
}

TEST_F(TicketLock, TakesItsMembersAtTheTopLevelToo) {
  const Answer answer = client.post("/tickets_lock", R"({"ticketd_reserved":)" + json_of(Ids{event[0]}) + R"(,"reserved_time":600})");
  EXPECT_EQ(answer.status, 200) << answer;
  EXPECT_EQ(letters(), "haaaaaaaaa");
  expect_unlocked(client.post("/tickets_unlock_param", R"({"tickets":)" + json_of(Ids{event[0]}) + "}"));
  EXPECT_EQ(letters(), "aaaaaaaaaa");
}

TEST_F(TicketLock, TakesTheOtherNamesOfItsMembers) {
  const char* names[] = {"ticketd_reserved", "tickets", "ticket_ids"};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string tickets = std::string(R"({"data":{")") + names[i] + R"(":)" + json_of(Ids{event[i]});
    EXPECT_EQ(client.post("/tickets_lock", tickets + R"(,"reserved_time":600}})").status, 200) << names[i];
    EXPECT_EQ(letters()[i], 'h') << names[i];
    expect_unlocked(client.post("/tickets_unlock_param", tickets + "}}"));
    EXPECT_EQ(letters()[i], 'a') << names[i];
  }
}

TEST_F(TicketLock, IgnoresUnknownMembers) {
  const Answer answer = client.post(
      "/tickets_lock", R"({"app":"x","data":{"user":{"id":1},"ticketd_reserved":)" + json_of(Ids{event[0]}) + R"(,"reserved_time":600}})");
  EXPECT_EQ(answer.status, 200) << answer;
}

TEST_F(TicketLock, CountsARepeatedIdOnce) {
  const Answer answer = lock_tickets(client, {event[1], event[0], event[1], event[1], event[0]});
  ASSERT_EQ(answer.status, 200) << answer;
  EXPECT_EQ(strings_of(answer.json().at("data").at("tickets")), (Ids{event[1], event[0]}));
  EXPECT_EQ(letters(), "hhaaaaaaaa");
}

TEST_F(TicketLock, CountsARepeatedIdOnceAgainstTheLimitToo) {
  const TestEvent large = make_event(client, opaque_ids(1'000));
  Ids asked = large.seats;
  asked.push_back(large[0]);
  const Answer answer = lock_tickets(client, asked);
  ASSERT_EQ(answer.status, 200) << answer;
  EXPECT_EQ(strings_of(answer.json().at("data").at("tickets")), large.seats);
}

TEST_F(TicketLock, RefusedNamesARepeatedIdOnce) {
  ASSERT_EQ(lock_tickets(client, {event[1]}).status, 200);
  expect_not_available(lock_tickets(client, {event[1], event[0], event[1]}), {event[1]});
}

TEST_F(TicketLock, IsRefusedWithExactlyTheUnavailableTicketsInTheOrderAsked) {
  const std::string unknown = "no-such-ticket-" + new_uuid();
  ASSERT_EQ(lock_tickets(client, {event[1]}).status, 200);                                        // held
  const Answer sold = hold(client, "c", {event[2]});                                      // sold
  ASSERT_EQ(client.post("/v1/reservations/" + string_of(sold.json().at("id")) + "/consume", R"({"orderId":"o"})").status, 200);
  ASSERT_EQ(client.post("/v1/events/" + event.id + "/block", R"({"seatIds":)" + json_of(Ids{event[3]}) + "}").status, 200);   // blocked
  ASSERT_EQ(hold(client, "c", {event[4]}).status, 201);                                   // held by a customer
  const auto before = look(client, event);

  expect_not_available(lock_tickets(client, {event[0], event[4], unknown, event[3], event[9], event[2], event[1]}),
                       {event[4], unknown, event[3], event[2], event[1]});
  expect_not_available(lock_tickets(client, {event[1], event[2]}), {event[1], event[2]});
  expect_not_available(lock_tickets(client, {unknown}), {unknown});
  EXPECT_EQ(look(client, event), before);
}

TEST_F(TicketLock, OfAnEventThatIsNotOnSaleIsNotAvailable) {
  for (const char* status : {"draft", "closed"}) {
    const TestEvent shut = make_event(client, opaque_ids(2), std::string(R"("status":")") + status + '"');
    expect_not_available(lock_tickets(client, {event[0], shut[1], event[1], shut[0]}), {shut[1], shut[0]});
  }
  EXPECT_EQ(letters(), "aaaaaaaaaa");
}

TEST_F(TicketLock, IgnoresTheEventsLimitsForCustomersAndItsLongestHold) {
  const TestEvent limited = make_event(
      client, opaque_ids(6), R"("holdSeconds":5,"maxHoldSeconds":10,"limits":{"seatsPerReservation":2,"heldSeatsPerCustomer":2})");
  const Answer answer = lock_tickets(client, limited.seats, 86'400);
  ASSERT_EQ(answer.status, 200) << answer;
  const Json made = reservation(client, reservations_of(answer).at(0));
  EXPECT_EQ(millis_of(made.at("expiresAt")) - millis_of(made.at("createdAt")), 86'400'000);
}

TEST_F(TicketLock, IsAReservationWithoutACustomer) {
  const Answer answer = lock_tickets(client, {event[2], event[1]}, 600);
  const Json made = reservation(client, reservations_of(answer).at(0));
  EXPECT_TRUE(made.at("customerId").is_null());
  EXPECT_EQ(string_of(made.at("eventId")), event.id);
  EXPECT_EQ(string_of(made.at("status")), "active");
  EXPECT_EQ(millis_of(made.at("expiresAt")) - millis_of(made.at("createdAt")), 600'000);
  ASSERT_EQ(made.at("seats").as_array().size(), 2U);
  EXPECT_EQ(string_of(made.at("seats").at(0).at("id")), event[2]);
}

TEST_F(TicketLock, OverSeveralEventsIsOneReservationEach) {
  const TestEvent second = make_event(client, opaque_ids(3));
  const TestEvent third = make_event(client, opaque_ids(3));
  const Answer answer = lock_tickets(client, {third[0], event[0], second[1], event[1], third[2]});
  ASSERT_EQ(answer.status, 200) << answer;
  EXPECT_EQ(strings_of(answer.json().at("data").at("tickets")), (Ids{third[0], event[0], second[1], event[1], third[2]}));
  const Ids reservations = reservations_of(answer);
  ASSERT_EQ(reservations.size(), 3U);
  std::map<std::string, std::size_t> seats_by_event;
  for (const std::string& id : reservations) {
    const Json made = reservation(client, id);
    seats_by_event[string_of(made.at("eventId"))] = made.at("seats").as_array().size();
  }
  EXPECT_EQ(seats_by_event, (std::map<std::string, std::size_t>{{event.id, 2}, {second.id, 1}, {third.id, 2}}));
}

TEST_F(TicketLock, OverSeveralEventsIsAllOrNone) {
  const TestEvent second = make_event(client, opaque_ids(3));
  ASSERT_EQ(lock_tickets(client, {second[1]}).status, 200);
  const auto first_before = look(client, event);
  const auto second_before = look(client, second);
  expect_not_available(lock_tickets(client, {event[0], second[0], second[1], event[1]}), {second[1]});
  EXPECT_EQ(look(client, event), first_before);
  EXPECT_EQ(look(client, second), second_before);
}

TEST_F(TicketLock, TakesAtMostAThousandTickets) {
  const TestEvent large = make_event(client, opaque_ids(1'001));
  expect_contract_2_refusal(lock_tickets(client, large.seats), 400);
  EXPECT_EQ(test::letters(client, large), std::string(1'001, 'a'));
  const Answer answer = lock_tickets(client, large.first(1'000));
  ASSERT_EQ(answer.status, 200);
  EXPECT_EQ(strings_of(answer.json().at("data").at("tickets")), large.first(1'000));
  EXPECT_EQ(test::letters(client, large), std::string(1'000, 'h') + 'a');
  ASSERT_EQ(client.post("/tickets_unlock_param", unlock_body(large.first(1'000))).status, 200);
  EXPECT_EQ(test::letters(client, large), std::string(1'001, 'a'));
}

TEST_F(TicketLock, TakesWholeSecondsFromOneToADay) {
  struct Row {
    const char* time;
    int status;
  };
  const Row rows[] = {{"0", 400},
                      {"-1", 400},
                      {"86401", 400},
                      {"1.5", 400},
                      {"\"600\"", 400},
                      {"null", 400},
                      {"true", 400},
                      {"[600]", 400},
                      {"{}", 400},
                      {"1e400", 400},
                      {"0.5", 400},
                      {"9223372036854775808", 400},
                      {"-9223372036854775809", 400},
                      {"18446744073709552216", 400},
                      {"4294967896", 400},
                      {"1", 200},
                      {"86400", 200},
                      {"600", 200}};
  std::size_t seat = 0;
  for (const Row& row : rows) {
    const std::string ticket = event[row.status == 200 ? seat++ : 9];
    const Answer answer =
        client.post("/tickets_lock", R"({"data":{"ticketd_reserved":)" + json_of(Ids{ticket}) + R"(,"reserved_time":)" + row.time + "}}");
    if (row.status == 200) {
      EXPECT_EQ(answer.status, 200) << row.time << ": " << answer;
    } else {
      expect_contract_2_refusal(answer, 400);
      EXPECT_THAT(answer.body, HasSubstr("reserved_time")) << row.time;
    }
  }
  const Answer without = client.post("/tickets_lock", R"({"data":{"ticketd_reserved":)" + json_of(Ids{event[9]}) + "}}");
  expect_contract_2_refusal(without, 400);
  EXPECT_THAT(string_of(without.json().at("message")), HasSubstr("reserved_time"));
  EXPECT_EQ(letters().back(), 'a');
}

TEST_F(TicketLock, ReportsWhatIsMalformed) {
  const std::string long_id(129, 'x');
  const std::string bodies[] = {R"({"data":{"reserved_time":600}})",
                                R"({"data":{"ticketd_reserved":[],"reserved_time":600}})",
                                R"({"data":{"ticketd_reserved":"x","reserved_time":600}})",
                                R"({"data":{"ticketd_reserved":null,"reserved_time":600}})",
                                R"({"data":{"ticketd_reserved":{"0":"x"},"reserved_time":600}})",
                                R"({"data":{"ticketd_reserved":[1],"reserved_time":600}})",
                                R"({"data":{"ticketd_reserved":["x",null],"reserved_time":600}})",
                                R"({"data":{"ticketd_reserved":[["x"]],"reserved_time":600}})",
                                R"({"data":{"ticketd_reserved":[""],"reserved_time":600}})",
                                R"({"data":{"ticketd_reserved":[")" + long_id + R"("],"reserved_time":600}})"};
  for (const std::string& body : bodies) {
    const Answer answer = client.post("/tickets_lock", body);
    expect_contract_2_refusal(answer, 400);
    EXPECT_THAT(string_of(answer.json().at("message")), HasSubstr("ticketd_reserved")) << body;
  }
  for (const char* body : {"", "{", "[]", "null", "17", R"({"data":[]})", R"({"data":"x"})", R"({"data":{}})", "{}"}) {
    expect_contract_2_refusal(client.post("/tickets_lock", body, {{"Content-Type", "application/json"}}), 400);
  }
}

TEST_F(TicketLock, UnlockAnswersTheSameByPostAndGetWithAnyBodyOrNone) {
  expect_unlocked(client.post("/tickets_unlock", ""));
  expect_unlocked(client.get("/tickets_unlock"));
  expect_unlocked(client.post("/tickets_unlock", R"({"data":{}})"));
  expect_unlocked(client.post("/tickets_unlock", "anything { at all", {{"Content-Type", "text/plain"}}));
}

TEST_F(TicketLock, UnlockLeavesRunningHoldsAlone) {
  ASSERT_EQ(lock_tickets(client, {event[0]}).status, 200);
  ASSERT_EQ(hold(client, "c", {event[1]}).status, 201);
  expect_unlocked(client.get("/tickets_unlock"));
  EXPECT_EQ(letters(), "hhaaaaaaaa");
}

TEST_F(TicketLock, UnlockParamReleasesTicketByTicketOutOfAHoldOfSeveral) {
  const Answer locked = lock_tickets(client, {event[0], event[1], event[2]});
  expect_unlocked(unlock({event[1]}));
  EXPECT_EQ(letters(), "hahaaaaaaa");
  EXPECT_EQ(string_of(reservation(client, reservations_of(locked).at(0)).at("status")), "active");
  expect_unlocked(unlock({event[2], event[0]}));
  EXPECT_EQ(letters(), "aaaaaaaaaa");
  EXPECT_EQ(string_of(reservation(client, reservations_of(locked).at(0)).at("status")), "released");
}

TEST_F(TicketLock, UnlockParamReleasesTicketsOfSeveralLocksAndEvents) {
  const TestEvent second = make_event(client, opaque_ids(2));
  ASSERT_EQ(lock_tickets(client, {event[0], event[1]}).status, 200);
  ASSERT_EQ(lock_tickets(client, {event[2], second[0]}).status, 200);
  expect_unlocked(unlock({second[0], event[0], event[2], second[1]}));
  EXPECT_EQ(letters(), "ahaaaaaaaa");
  EXPECT_EQ(test::letters(client, second), "aa");
}

TEST_F(TicketLock, UnlockParamOfTicketsThatAreNotHeldIsANoOp) {
  const auto before = look(client, event);
  expect_unlocked(unlock({event[0], "no-such-ticket", event[5]}));
  expect_unlocked(unlock({"no-such-ticket"}));
  EXPECT_EQ(look(client, event), before);
}

TEST_F(TicketLock, UnlockParamNeverTouchesACustomersSeat) {
  ASSERT_EQ(hold(client, "c", {event[0], event[1]}).status, 201);
  const Answer locked = lock_tickets(client, {event[2], event[3]});
  ASSERT_EQ(client.post("/v1/reservations/" + reservations_of(locked).at(0) + "/consume", R"({"orderId":"o"})").status, 200);
  ASSERT_EQ(client.post("/v1/events/" + event.id + "/block", R"({"seatIds":)" + json_of(Ids{event[4]}) + "}").status, 200);
  ASSERT_EQ(letters(), "hhssbaaaaa");
  const auto before = look(client, event);
  expect_unlocked(unlock(event.seats));
  EXPECT_EQ(look(client, event), before);
}

TEST_F(TicketLock, UnlockParamWithReservationIdsReleasesOnlyTheirSeats) {
  const Answer mine = lock_tickets(client, {event[0], event[1]});
  ASSERT_EQ(lock_tickets(client, {event[2]}).status, 200);
  const std::string my_ids = R"("reservationIds":)" + json_of(reservations_of(mine));
  expect_unlocked(unlock({event[2]}, my_ids));
  EXPECT_EQ(letters(), "hhhaaaaaaa");
  expect_unlocked(unlock({event[0], event[2]}, my_ids));
  EXPECT_EQ(letters(), "ahhaaaaaaa");
  expect_unlocked(unlock({event[1], event[2]}, R"("reservationIds":[")" + new_uuid() + R"("])"));
  EXPECT_EQ(letters(), "ahhaaaaaaa");
}

TEST_F(TicketLock, UnlockParamReportsWhatIsMalformed) {
  for (const char* body :
       {"", "{", "[]", "{}", R"({"data":{}})", R"({"data":{"tickets":[]}})", R"({"data":{"tickets":"x"}})", R"({"data":{"tickets":[1]}})",
        R"({"data":{"tickets":["x"],"reservationIds":"y"}})", R"({"data":{"tickets":["x"],"reservationIds":[1]}})"}) {
    expect_contract_2_refusal(client.post("/tickets_unlock_param", body, {{"Content-Type", "application/json"}}), 400);
  }
}

TEST_F(TicketLock, CanBeExtendedSoldAndReleasedByItsReservation) {
  const std::string id = reservations_of(lock_tickets(client, {event[0], event[1]}, 60)).at(0);
  const Answer extended = client.post("/v1/reservations/" + id + "/extend", R"({"holdSeconds":3600})");
  ASSERT_EQ(extended.status, 200) << extended;
  const Json made = reservation(client, id);
  EXPECT_GE(millis_of(made.at("expiresAt")) - millis_of(made.at("createdAt")), 3'600'000);
  EXPECT_EQ(client.post("/v1/reservations/" + id + "/consume", R"({"orderId":"o"})").status, 200);
  EXPECT_EQ(letters(), "ssaaaaaaaa");

  const std::string other = reservations_of(lock_tickets(client, {event[2]}, 60)).at(0);
  EXPECT_EQ(client.post("/v1/reservations/" + other + "/release", "{}").status, 200);
  EXPECT_EQ(letters(), "ssaaaaaaaa");
}

TEST_F(TicketLock, TakesIdsOfOneToAHundredAndTwentyEightBytesOfAnyText) {
  const std::string tail = new_uuid();
  const TestEvent odd = make_event(client, Ids{"x" + tail, std::string(92, 'y') + tail, "with space " + tail, "slash/and?query&" + tail,
                                               "Zoë 座席 " + tail, "quote\" back\\slash " + tail});
  ASSERT_EQ(odd[1].size(), 128U);
  const Answer answer = lock_tickets(client, odd.seats);
  ASSERT_EQ(answer.status, 200) << answer;
  EXPECT_EQ(strings_of(answer.json().at("data").at("tickets")), odd.seats);
  expect_not_available(lock_tickets(client, {odd[4], odd[5]}), {odd[4], odd[5]});
  expect_unlocked(unlock(odd.seats));
  EXPECT_EQ(test::letters(client, odd), "aaaaaa");
}

TEST_F(TicketLock, ComparesOpaqueIdsWithLetterCaseAndUuidsWithout) {
  const TestEvent by_uuid = make_event(client, 2);
  const Answer answer = lock_tickets(client, {upper_case(by_uuid[0])});
  ASSERT_EQ(answer.status, 200) << answer;
  EXPECT_EQ(test::letters(client, by_uuid), "ha");
  std::string other_case = event[0];
  other_case[0] = 'j';
  expect_not_available(lock_tickets(client, {other_case}), {other_case});
}

TEST_F(TicketLock, ByAWrongMethodIs405WithAllow) {
  for (const char* path : {"/tickets_lock", "/tickets_unlock_param"}) {
    for (const char* method : {"GET", "PUT", "DELETE"}) {
      const Answer answer = client.request(method, path);
      expect_contract_2_refusal(answer, 405);
      EXPECT_THAT(allowed_methods(answer), AllOf(Contains("POST"), Not(Contains(method)))) << answer;
    }
  }
  const Answer answer = client.request("DELETE", "/tickets_unlock");
  expect_contract_2_refusal(answer, 405);
  EXPECT_THAT(allowed_methods(answer), AllOf(Contains("POST"), Contains("GET")));
}

}  // namespace
}  // namespace holdfast::test
