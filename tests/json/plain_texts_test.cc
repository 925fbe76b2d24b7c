// The short way through a body of plain texts: it takes what it should take, and nothing that the reader of every form would read otherwise.
#include "json/plain_texts.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

#include "json/fields.h"
#include "json/json.h"

namespace holdfast {
namespace {

constexpr std::array<std::string_view, 3> k_names{"seatId", "customerId", "eventId"};
using Values = std::array<std::optional<std::string_view>, 3>;

bool takes(std::string_view json) {
  Values values;
  return read_plain_texts(json, k_names, values);
}

TEST(PlainTexts, AreReadFromAnObjectWithWhiteSpaceAnywhere) {
  Values values;
  ASSERT_TRUE(read_plain_texts(" \t{ \"customerId\"\r\n:\t\"a b\" ,\"seatId\":\"\"}\n ", k_names, values));
  EXPECT_EQ(values[0], "");
  EXPECT_EQ(values[1], "a b");
  EXPECT_EQ(values[2], std::nullopt);
  EXPECT_TRUE(takes("{\"seatId\":\"\x7f\"}"));   // which JSON allows
}

TEST(PlainTexts, LeaveEveryOtherFormToTheReaderOfTrees) {
  EXPECT_TRUE(takes(R"({"seatId":"a","customerId":"b","eventId":"c"})"));
  for (const char* other : {"",
                            "{",
                            "{}",
                            "[]",
                            "null",
                            R"({"seatId":"a")",
                            R"({"seatId":"a"}x)",
                            R"({"seatId":"a"}})",
                            R"({"seatId":"a",})",
                            R"({,"seatId":"a"})",
                            R"({"seatId" "a"})",
                            R"({"seatId":"a" "customerId":"b"})",
                            R"({"seatId":"a","seatId":"a"})",
                            R"({"seatId":"a","seatid":"a"})",
                            R"({"seatId":null})",
                            R"({"seatId":1})",
                            R"({"seatId":{"a":"b"}})",
                            R"({"seatId":"\u0041"})",
                            R"({"seat\u0049d":"a"})",
                            "{\"seatId\":\"\t\"}",
                            "{\"seatId\":\"\u00e9\"}",
                            "{\"seatId\":\"\xff\"}",
                            R"({"seatId":"a)",
                            R"({"seatId)",
                            R"(﻿{"seatId":"a"})",
                            "\v{\"seatId\":\"a\"}"}) {
    EXPECT_FALSE(takes(other)) << other;
  }
  EXPECT_FALSE(takes(std::string_view("{\"seatId\":\"\0\"}", 14)));
}

// Bodies that are nearly right: a few bytes of a good one are changed, dropped or repeated.
TEST(PlainTexts, AreWhatTheReaderOfTreesReadsInAnyTextThatIsTaken) {
  const std::string good = R"({"seatId": "550e8400-e29b-41d4-a716-446655440002", "customerId": "customer-7", "eventId":"x"})";
  constexpr std::string_view k_bytes = "{}[]\":,\\ \t\nasI0u\x7f\x80";
  std::mt19937 random(7);
  int taken = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text = good;
    for (unsigned change = random() % 4; change > 0; --change) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0: text[at] = k_bytes[random() % k_bytes.size()]; break;
        case 1: text.erase(at, 1 + random() % 3); break;
        case 2: text.insert(at, 1, k_bytes[random() % k_bytes.size()]); break;
        default: text.insert(at, text.substr(random() % text.size(), random() % 40));
      }
      if (text.empty()) break;
    }
    Values values;
    if (!read_plain_texts(text, k_names, values)) continue;
    ++taken;
    const JsonBody body(text);
    std::string problem = body.problem();
    ASSERT_EQ(problem, "") << text;
    FieldReader fields(body.object(), problem);
    std::size_t members = 0;
    for (std::size_t name = 0; name < k_names.size(); ++name) {
      ASSERT_EQ(values[name].has_value(), fields.has(k_names[name])) << text;
      if (!values[name]) continue;
      ++members;
      ASSERT_EQ(std::string_view(body.object()->at(k_names[name]).get_string()), *values[name]) << text;
    }
    ASSERT_EQ(members, body.object()->size()) << text;
  }
  EXPECT_GT(taken, 20'000);   // otherwise this test has compared next to nothing
}

}   // namespace
}   // namespace holdfast
