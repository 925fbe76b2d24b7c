// Bodies that are not JSON, over every route that takes a body.
#include "contract/bad_input/bad_input.h"

namespace holdfast::test {
namespace {

using namespace std::string_literals;   // of strings with NUL in them

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

}   // namespace
}   // namespace holdfast::test
