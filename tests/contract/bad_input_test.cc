// Bad bytes: a 4xx that says what is wrong; never a crash, never a hang; and nothing changes.
#include <gmock/gmock.h>
#include <chrono>
#include <sstream>

#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

using Ids = std::vector<std::string>;
using namespace std::string_literals;   // of strings with NUL in them

class BadInput : public OneServer {
 protected:
  void SetUp() override {
    ASSERT_EQ(hold(client, "owner", {event[1], event[2]}).status, 201);
    before_ = look(client, event);
    events_made = events();
  }

  void TearDown() override {
    Client after = server().connect();
    EXPECT_EQ(look(after, event), before_) << "a refused request has changed something";
    EXPECT_EQ(events(), events_made) << "a refused request has created an event";
    EXPECT_EQ(reserve(after, event[0], "afterwards").status, 201) << "it serves on";
  }

  static bool is_contract_2(std::string_view target) { return target.starts_with("/tickets_"); }

  // 400, in the form of the route's contract, saying `part` somewhere in its text.
  void expect_400(const Answer& answer, std::string_view target, std::string_view part, std::string_view row) {
    bool fits = answer.status == 400;
    if (fits && is_contract_2(target)) {
      expect_contract_2_refusal(answer, 400);
      fits = string_of(answer.json().at("message")).find(part) != std::string::npos;
    } else if (fits) {
      expect_problem(answer, 400, "invalid_request");
      fits = detail_of(answer).find(part) != std::string::npos;
    }
    EXPECT_TRUE(fits) << target << " " << testing::PrintToString(std::string(row.substr(0, 300))) << "\n  was to be 400 and name `" << part
                      << "`, and is " << answer;
  }

  // A refusal of what a client of any contract sends may close the connection.
  Answer send(std::string_view method, std::string_view target, std::string_view body, const Headers& headers = {}) {
    Client mine = server().connect();
    return mine.request(method, target, body, headers);
  }

  std::string a_reservation() {
    Client mine = server().connect();
    return string_of(seat(mine, event[1]).at("reservationId"));
  }

  TestEvent event = make_event(client, 4);
  std::size_t events_made = 0;

 private:
  std::size_t events() {
    Client mine = server().connect();
    std::size_t count = 0;
    std::string cursor;
    for (;;) {
      const Json body = mine.get("/v1/events?limit=1000" + (cursor.empty() ? "" : "&cursor=" + cursor)).json();
      count += body.at("items").as_array().size();
      if (!body.as_object().contains("nextCursor") || body.at("nextCursor").is_null()) return count;
      cursor = string_of(body.at("nextCursor"));
    }
  }

  std::vector<std::string> before_;
};

// --- bytes that are not HTTP/1.1, or that two servers could read in two ways ---

struct Bytes {
  const char* what;
  std::string bytes;
  int status;
};

const std::string k_post = "POST /reservations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
const std::string k_get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";

std::vector<Bytes> bad_bytes() {
  return {
      {"a TLS greeting", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on\r\n\r\n"s, 400},
      {"no target", "GET\r\n\r\n", 400},
      {"no version", "GET /healthz\r\n\r\n", 400},
      {"an empty target", "GET  HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"two spaces", "GET  /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"a space in the target", "GET /heal thz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"a space at the end of the line", "GET /healthz HTTP/1.1 \r\nHost: localhost\r\n\r\n", 400},
      {"a tab for a space", "GET\t/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"a target without a slash", "GET healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"a fragment", "GET /healthz#top HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"a control character in the target", "GET /heal\x01thz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"a NUL in the target", "GET /heal\0thz HTTP/1.1\r\nHost: localhost\r\n\r\n"s, 400},
      {"a byte over 127 in the target", "GET /heal\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"a foreign scheme", "GET ftp://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"another protocol", "GET /healthz HTTX/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"a version without a point", "GET /healthz HTTP/11\r\nHost: localhost\r\n\r\n", 400},
      {"a bad method", "G(T /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"HTTP/2.0", "GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n", 505},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"no Host", "GET /healthz HTTP/1.1\r\n\r\n", 400},
      {"two Hosts", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400},
      {"a bad Host", "GET /healthz HTTP/1.1\r\nHost: local host\r\n\r\n", 400},
      {"a Host with a path", "GET /healthz HTTP/1.1\r\nHost: localhost/x\r\n\r\n", 400},
      {"bare line feeds", "GET /healthz HTTP/1.1\nHost: localhost\n\n", 400},
      {"one bare line feed", "GET /healthz HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n", 400},
      {"a lone carriage return", k_get + "X-A: a\rb\r\n\r\n", 400},
      {"a folded line", k_get + "X-A: a\r\n b\r\n\r\n", 400},
      {"a space before the first field", "GET /healthz HTTP/1.1\r\n Host: localhost\r\n\r\n", 400},
      {"a space before the colon", k_get + "X-A : a\r\n\r\n", 400},
      {"a field without a name", k_get + ": a\r\n\r\n", 400},
      {"a field without a colon", k_get + "X-A\r\n\r\n", 400},
      {"a bad character in a name", k_get + "X(A: a\r\n\r\n", 400},
      {"a NUL in a value", k_get + "X-A: a\0b\r\n\r\n"s, 400},
      {"a control character in a value", k_get + "X-A: a\x07z\r\n\r\n", 400},
      {"an unknown expectation", k_post + "Content-Length: 2\r\nExpect: miracles\r\n\r\n{}", 417},
      {"CONNECT", "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n", 501},
      {"a header over the limit", k_get + "X-A: " + std::string(9'000, 'x') + "\r\n\r\n", 431},
      {"a hundred fields too many",
       k_get +
           [] {
             std::string fields;
             for (int i = 0; i < 200; ++i) fields += "X-" + std::to_string(i) + ": y\r\n";
             return fields + "\r\n";
           }(),
       431},
      {"a target over the limit", "GET /" + std::string(5'000, 'x') + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414},
      // How long is the body? Every doubt is refused.
      {"length and chunked", k_post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunked and length", k_post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
      {"two lengths", k_post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", 400},
      {"the same length twice", k_post + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400},
      {"a list of lengths", k_post + "Content-Length: 2, 2\r\n\r\n{}", 400},
      {"a length with a sign", k_post + "Content-Length: +2\r\n\r\n{}", 400},
      {"a negative length", k_post + "Content-Length: -1\r\n\r\n{}", 400},
      {"a hexadecimal length", k_post + "Content-Length: 0x2\r\n\r\n{}", 400},
      {"a length with a space", k_post + "Content-Length: 2 2\r\n\r\n{}", 400},
      {"a length with a fraction", k_post + "Content-Length: 2.0\r\n\r\n{}", 400},
      {"an empty length", k_post + "Content-Length:\r\n\r\n{}", 400},
      {"a length that no number holds", k_post + "Content-Length: 99999999999999999999999\r\n\r\n{}", 400},
      {"a length of a life", k_post + "Content-Length: 18446744073709551615\r\n\r\n{}", 413},
      {"a length over the limit", k_post + "Content-Length: 10000000\r\n\r\n{}", 413},
      {"gzip, chunked", k_post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunked, gzip", k_post + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400},
      {"identity", k_post + "Transfer-Encoding: identity\r\n\r\n", 501},
      {"gzip", k_post + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {"xchunked", k_post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
      {"chunked twice", k_post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunked, chunked", k_post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunked and identity", k_post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400},
      {"chunked with a vertical tab",
       k_post + "Transfer-Encoding: \x0b"
                "chunked\r\n\r\n0\r\n\r\n",
       400},
      {"a space before the colon of Transfer-Encoding", k_post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
      {"HTTP/1.0 with chunked", "POST /reservations HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"a chunk of zz", k_post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400},
      {"a chunk of -2", k_post + "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", 400},
      {"a chunk of 0x2", k_post + "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n", 400},
      {"a chunk size after a space", k_post + "Transfer-Encoding: chunked\r\n\r\n 2\r\n{}\r\n0\r\n\r\n", 400},
      {"a chunk without a size", k_post + "Transfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n", 400},
      {"a chunk size with a bare line feed", k_post + "Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n", 400},
      {"a chunk longer than it says", k_post + "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", 400},
      {"a chunk of 17 digits", k_post + "Transfer-Encoding: chunked\r\n\r\n00000000000000002\r\n{}\r\n0\r\n\r\n", 400},
      {"a chunk over the limit", k_post + "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n{}", 413},
      {"a chunk of all the bits", k_post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}", 413},
      {"a bad trailer", k_post + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nbad trailer\r\n\r\n", 400},
      {"a method in small letters", "get /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 405},
      {"a method that nobody knows", "BREW /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 405},
      {"TRACE", "TRACE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 405},
  };
}

TEST_F(BadInput, BytesThatAreNotOneRequestAreRefused) {
  for (const Bytes& row : bad_bytes()) {
    try {
      Client mine = server().connect();
      mine.write(row.bytes);
      const Answer answer = mine.read_answer();
      EXPECT_EQ(answer.status, row.status) << row.what << ": " << answer;
      EXPECT_EQ(answer.header("Content-Type"), "application/problem+json") << row.what << ": " << answer;
      EXPECT_EQ(answer.json().at("status").to_number<int>(), answer.status) << row.what << ": " << answer;
      EXPECT_FALSE(detail_of(answer).empty()) << row.what << ": " << answer;
    } catch (const std::exception& error) {
      ADD_FAILURE() << row.what << ": " << error.what();
    }
  }
}

TEST_F(BadInput, WhatFollowsAnUnreadableRequestIsNotARequest) {
  const std::string smuggled = request_bytes("POST", "/reservations", reserve_body(event[3], "smuggler"));
  for (const char* head : {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 2\r\nContent-Length: 400\r\n",
                           "Transfer-Encoding: chunked, gzip\r\n", "Transfer-Encoding : chunked\r\n", "Content-Length: 0x0\r\n"}) {
    Client mine = server().connect();
    mine.write(k_post + head + "\r\n0\r\n\r\n" + smuggled);
    const Answer answer = mine.read_answer();
    EXPECT_EQ(answer.status, 400) << head << answer;
    EXPECT_TRUE(mine.is_closed_by_server()) << head;
  }
  Client mine = server().connect();
  EXPECT_EQ(seat_state(mine, event[3]), "available");
}

TEST_F(BadInput, AConnectionThatEndsInTheMiddleChangesNothing) {
  const std::string whole = request_bytes("POST", "/reservations", reserve_body(event[3], "c"));
  for (std::size_t size = 1; size < whole.size(); size += 7) {
    Client mine = server().connect();
    mine.write(whole.substr(0, size));
    mine.end_writing();
    const auto answer = mine.try_read_answer();
    if (answer) EXPECT_EQ(answer->status, 400) << *answer;
  }
}

// --- bodies that are not JSON, over every route that takes a body ---

std::string nested(char open, char close, std::size_t depth) {
  const std::string one = open == '{' ? "{\"a\":" : "[";
  std::string text = "{\"a\":";
  for (std::size_t i = 0; i < depth; ++i) text += one;
  return text + "1" + std::string(depth, close) + "}";
}

std::vector<std::string> bodies_that_are_not_an_object() {
  return {"{",
          "}",
          "{\"a\"}",
          "{\"a\":}",
          "{\"a\":1,}",
          "{,}",
          "{a:1}",
          "{'a':1}",
          "[1,2",
          "[1 2]",
          "nul",
          "NaN",
          "-",
          "tru",
          "{\"a\":NaN}",
          "{\"a\":Infinity}",
          "{\"a\":01}",
          "{\"a\":1.}",
          "{\"a\":.5}",
          "{\"a\":+1}",
          "{\"a\":0x10}",
          "{\"a\":1e}",
          "{} {}",
          "{}x",
          "{}\0"s,
          "\0"s,
          "\xef\xbb\xbf{}",
          "{\"a\":\"line\nbreak\"}",
          "{\"a\":\"\0\"}"s,
          "{\"a\":\"\\x41\"}",
          "{\"a\":\"\\u12\"}",
          "{\"a\":\"open}",
          "{\"a\":1} // comment",
          "/* comment */{}",
          "{\"a\":\"\\ud800\"}",
          "{\"a\":\"\\udc00\\ud800\"}",
          "{\"a\":\"\\ud800x\"}",
          "{\"a\":\"\x80\"}",
          "{\"a\":\"\xc3\"}",
          "{\"a\":\"\xc0\x80\"}",
          "{\"a\":\"\xed\xa0\x80\"}",
          "{\"a\":\"\xf4\x90\x80\x80\"}",
          "{\"a\":\"\xff\xfe\"}",
          "{\"\xc3\":1}",
          "\xff\xfe{\0}\0"s,
          "[]",
          "[{}]",
          "null",
          "true",
          "0",
          "-1.5",
          "\"{}\"",
          " ",
          "\r\n\t",
          nested('[', ']', 200),
          nested('[', ']', 10'000),
          nested('{', '}', 200),
          nested('{', '}', 5'000),
          std::string(20'000, '[')};
}

TEST_F(BadInput, BodiesThatAreNotAJsonObjectAreRefusedOnEveryRoute) {
  const std::string of_event = "/v1/events/" + event.id;
  const std::string of_reservation = "/v1/reservations/" + a_reservation();
  const Ids targets = {"/reservations",
                       "/tickets_lock",
                       "/tickets_unlock_param",
                       "/v1/events",
                       "/v1/reservations",
                       of_event,
                       of_event + "/block",
                       of_event + "/unblock",
                       of_reservation + "/add",
                       of_reservation + "/extend",
                       of_reservation + "/consume",
                       of_reservation + "/release",
                       of_reservation + "/return"};
  for (const std::string& target : targets) {
    for (const std::string& body : bodies_that_are_not_an_object()) {
      expect_400(send(target == of_event ? "PATCH" : "POST", target, body), target, "", body);
    }
  }
}

TEST_F(BadInput, DepthWithinReasonIsRead) {
  Client mine = server().connect();
  const TestEvent other = make_event(mine, 1, R"("status":"closed")");
  const std::string body = R"({"seatId":")" + other[0] + R"(","customerId":"c","note":)" + nested('[', ']', 8) + "}";
  EXPECT_EQ(mine.post("/reservations", body).status, 409) << "read, and then refused because it is closed";
  ++events_made;   // this one was made on purpose
}

// --- members, route by route: the detail names the member ---

struct Row {
  std::string body;
  const char* member;
};

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

// A body of some 250 KB: 32,000 members with names as short as can be.
std::string many_members(std::string_view last) {
  static constexpr std::string_view k_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::string body = "{";
  for (std::size_t i = 0; i < 32'000; ++i) {
    const char name[] = {k_letters[i / 52 / 52 % 52], k_letters[i / 52 % 52], k_letters[i % 52]};
    body.append("\"").append(name, 3).append("\":1,");
  }
  return body.append("\"").append(last).append("\":1}");
}

// A wish that is not heard must not look granted.
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

// --- an event's text: every mistake, with its place ---

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

TEST_F(BadInput, MistakesBeyondTheBoundAreCounted) {
  std::string seats;
  for (int i = 0; i < 25; ++i) seats.append(i == 0 ? "" : ",\n").append(R"({"section":"A","row":"1","number":[],"category":"S"})");
  const Answer answer = send("POST", "/v1/events", R"({"name":"E","categories":[{"name":"S"}],"seats":[)" + seats + "]}");
  expect_problem(answer, 400, "invalid_request");
  EXPECT_EQ(answer.json().at("mistakes").as_array().size(), 20U);
  EXPECT_EQ(answer.json().at("moreMistakes").to_number<int>(), 5);
  EXPECT_THAT(detail_of(answer), testing::HasSubstr("There are 25 mistakes; `mistakes` lists the first 20."));
}

TEST_F(BadInput, WhatEndsTheReadingOfANewEventStandsBeforeItsOtherMistakes) {
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

TEST_F(BadInput, NamesOfANewEventsSeatsHaveAtMost200BytesWhereverTheyStand) {
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
  expect_400(answer, "/v1/events", "`categories[1000]` has the name `category 999` of a category before it. There are 10000 mistakes", "");
}

TEST_F(BadInput, WhatFollowsTheEndOfANewEventIsRefused) {
  const std::string first = event_body({new_uuid()});
  const std::string second = event_body({new_uuid()});
  for (const std::string& tail : {"x"s, " {}"s, "\nx"s, "\n{}"s, "\n" + second, "\nx\n" + second, "x\n\n" + second}) {
    expect_400(send("POST", "/v1/events", first + tail), "/v1/events", "the text goes on after its end", tail);
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
       {"seat `2` of row `1-1` in section `A` on line 2", "seat `1-2` of row `1` in section `A`", "must be one seat's"}) {
    EXPECT_THAT(detail_of(answer), testing::HasSubstr(part));
  }
}

TEST_F(BadInput, AChartOfSeatsIoIsCalledThat) {
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

// Two readers of such a body take different ones of the two.
TEST_F(BadInput, AMemberThatIsThereTwiceIsRefusedAndNamed) {
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
      // At any depth, in what is not looked at too, and in whatever way it is written.
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
  // The fastest of several: another process may have the processor meanwhile.
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

// --- paths and queries ---

TEST_F(BadInput, PathsThatMeanNothingAre404Or400) {
  for (const char* path : {"/v1/events/%zz",
                           "/v1/events/%",
                           "/v1/seats/%",
                           "/v1/seats/%4",
                           "/v1/seats/%00",
                           "/v1/seats/%ff%fe",
                           "/v1/seats/%ED%A0%80",
                           "/v1/seats/",
                           "/v1/seats//",
                           "/v1/reservations/%2e%2e",
                           "/reservations/%zz",
                           "/reservations/%00",
                           "/reservations/",
                           "/v1/../healthz",
                           "/v1/%2e%2e/healthz",
                           "/%2e/healthz",
                           "/./healthz",
                           "//healthz",
                           "/healthz/",
                           "/healthz%00",
                           "/healthz;x=y",
                           "/%68ealthz%2f",
                           "/v1%2fevents",
                           "/v1/events/%2f/states",
                           "/v1/events/..%2f..%2fmetrics",
                           "/\\healthz"}) {
    const Answer answer = send("GET", path, {});
    EXPECT_THAT(answer.status, testing::AnyOf(404, 400)) << path << ": " << answer;
    EXPECT_EQ(answer.header("Content-Type"), "application/problem+json") << path << ": " << answer;
  }
}

// What quotes a caller is JSON all the same: parse_json() takes valid UTF-8 only.
TEST_F(BadInput, AnswersToBytesThatAreNotUtf8AreUtf8) {
  const auto expect_json = [](const Answer& answer, const std::string& what) {
    EXPECT_GE(answer.status, 400) << what;
    EXPECT_LT(answer.status, 500) << what;
    EXPECT_NO_THROW(answer.json()) << what << ": " << answer;
  };
  const Ids bytes = {"%FF", "%C3", "a%80b", "%ED%A0%80", "%F4%90%80%80", "%C0%AF", "%F0%9F%8E"};
  for (const std::string& id : bytes) {
    for (const char* path : {"/v1/seats/", "/v1/events/", "/v1/reservations/", "/reservations/", "/v1/webhooks/", "/docs/", "/assets/"}) {
      expect_json(send("GET", path + id, {}), path + id);
    }
    for (const std::string& path : {"/v1/seats/" + id + "/history", "/v1/events/" + id + "/states", "/v1/events/" + id + "/live"}) {
      expect_json(send("GET", path, {}), path);
    }
    expect_json(send("POST", "/v1/reservations/" + id + "/release", "{}"), id);
    expect_json(send("POST", "/v1/events/" + id + "/block", R"({"seatIds":["x"]})"), id);
    for (const char* query :
         {"/v1/reservations?eventId=", "/v1/reservations?status=", "/v1/reservations?customerId=", "/v1/events?cursor=", "/v1/events?"}) {
      expect_json(send("GET", query + id, {}), query + id);
    }
  }
  const Ids bodies = {"{\"a\xff\":1}", "{\"a\xff\":\"\xff\"}", "{\"a\":{\"\xc3\":\"\x80\"}}", "{\"\xff\":1,\"\xff\":2}",
                      "{\"a\":[\"\xff\"]}"};
  for (const std::string& body : bodies) {
    for (const char* target :
         {"/reservations", "/tickets_lock", "/tickets_unlock_param", "/v1/reservations", "/v1/events", "/v1/sessions", "/v1/webhooks"}) {
      expect_json(send("POST", target, body), target + body);
    }
  }
  expect_json(send("POST", "/v1/reservations", "{}", {{"Idempotency-Key", "\xff"}}), "Idempotency-Key");
  expect_json(send("POST", "/v1/reservations", "{}", {{"Content-Type", "application/\xff"}}), "Content-Type");
  expect_json(send("POST", "/v1/reservations", "{}", {{"Holdfast-Note", "%FF"}}), "Holdfast-Note");
  expect_json(send("POST", "/v1/reservations", "{}", {{"Holdfast-Note", "\xff"}}), "Holdfast-Note");
  EXPECT_NO_THROW(send("GET", "/v1/operations/actions", {}).json());
  std::istringstream log(server().log());
  for (std::string line; std::getline(log, line);) EXPECT_NO_THROW(parse_json(line)) << line;
}

TEST_F(BadInput, ANoteThatCanChangeHowALineIsShownIsRefused) {
  Client mine = server().connect();
  const TestEvent other = make_event(mine, 1);
  ++events_made;   // this one was made on purpose
  const std::string seats = R"({"seatIds":)" + json_of(other.seats) + "}";
  const auto with_note = [&](const std::string& note) {
    return send("POST", "/v1/events/" + other.id + "/block", seats, {{"Holdfast-Note", note}});
  };
  // C0, DEL, C1, line and paragraph separator, marks, embeddings, overrides and isolates of direction.
  for (const char* note : {"%0A", "%7F", "%C2%80", "%C2%85", "%C2%9B31m", "%C2%9F", "%E2%80%A8", "%E2%80%A9", "%D8%9C", "%E2%80%8E",
                           "%E2%80%8F", "%E2%80%AA", "%E2%80%AE", "%E2%81%A6", "%E2%81%A9"}) {
    expect_problem(with_note(std::string("a") + note + "b"), 400, "invalid_request");
  }
  for (const char* note : {"%C2%A0", "%C3%A9", "%E2%80%90", "%D7%90", "%F0%9F%8E%AD"}) {
    EXPECT_EQ(with_note(note).status, 200) << note;
    EXPECT_EQ(send("POST", "/v1/events/" + other.id + "/unblock", seats).status, 200);
  }
}

TEST_F(BadInput, AnIdLongerThanAnyIsOneThatThereIsNot) {
  const std::string id(3'000, 'x');
  expect_problem(send("GET", "/v1/events/" + id, {}), 404, "event_not_found");
  expect_problem(send("GET", "/v1/seats/" + id, {}), 404, "seat_not_found");
  expect_problem(send("POST", "/v1/reservations/" + id + "/release", "{}"), 404, "reservation_not_found");
  expect_problem(send("GET", "/reservations/" + id, {}), 404, "reservation_not_found");
  expect_problem(send("GET", "/v1/webhooks/" + id, {}), 404, "webhook_not_found");
}

TEST_F(BadInput, QueriesThatCannotBeReadAre400) {
  const Row rows[] = {{"limit=x", "limit"},
                      {"limit=0", "limit"},
                      {"limit=-1", "limit"},
                      {"limit=1001", "limit"},
                      {"limit=1.5", "limit"},
                      {"limit=", "limit"},
                      {"limit=99999999999999999999", "limit"},
                      {"cursor=%zz", "cursor"},
                      {"cursor=nonsense", "cursor"}};
  for (const Row& row : rows) expect_400(send("GET", "/v1/events?" + row.body, {}), "/v1/events", row.member, row.body);
}

}  // namespace
}  // namespace holdfast::test
