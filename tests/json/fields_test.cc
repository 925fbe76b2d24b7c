// The reader of single members of a JSON object: accepted values, and the report about the first wrong member.
#include "json/fields.h"

#include <gtest/gtest.h>

#include "json/json.h"

namespace holdfast {
namespace {

constexpr std::string_view k_id = "550e8400-e29b-41d4-a716-446655440002";

// The problem after reading a member of `text`.
template <typename Read>
std::string problem_of(std::string_view text, Read read) {
  const JsonBody body(text);
  std::string problem = body.problem();
  FieldReader fields(body.object(), problem);
  read(fields);
  return problem;
}

TEST(FieldReader, ReadsMembersOfEveryType) {
  const JsonBody body(R"({"name":"A","id":"550E8400-e29b-41d4-a716-446655440002","count":600.0,"flag":true,"inner":{"count":3}})");
  std::string problem = body.problem();
  FieldReader fields(body.object(), problem);
  EXPECT_EQ(fields.text("name", 1, Required::yes), "A");
  EXPECT_EQ(fields.name("name", 1), "A");
  EXPECT_EQ(to_string(fields.uuid("id").value()), k_id);
  EXPECT_EQ(fields.whole("count", 1, 600), 600);
  EXPECT_EQ(fields.flag("flag"), true);
  EXPECT_EQ(fields.inside("inner").whole("count", 1, 3), 3);
  EXPECT_EQ(problem, "");
}

TEST(FieldReader, AnAbsentOrNullMemberIsAProblemOnlyIfItIsRequired) {
  for (const char* text : {"{}", R"({"a":null})"}) {
    EXPECT_EQ(problem_of(text,
                         [](FieldReader& fields) {
                           EXPECT_FALSE(fields.has("a"));
                           EXPECT_FALSE(fields.text("a", 9) || fields.name("a", 9) || fields.uuid("a") || fields.whole("a", 0, 9) ||
                                        fields.flag("a"));
                           EXPECT_FALSE(fields.inside("a").whole("b", 0, 9));
                         }),
              "")
        << text;
    EXPECT_EQ(problem_of(text, [](FieldReader& fields) { fields.text("a", 9, Required::yes); }), "`a` is missing.") << text;
    EXPECT_EQ(problem_of(text, [](FieldReader& fields) { fields.uuid("a", Required::yes); }), "`a` is missing.") << text;
    EXPECT_EQ(problem_of(text, [](FieldReader& fields) { fields.whole("a", 0, 9, Required::yes); }), "`a` is missing.") << text;
  }
}

TEST(FieldReader, NamesTheMemberAndTheRule) {
  const auto text = [](FieldReader& fields) { fields.text("a", 3); };
  const auto name = [](FieldReader& fields) { fields.name("a", 9); };
  const auto uuid = [](FieldReader& fields) { fields.uuid("a"); };
  const auto whole = [](FieldReader& fields) { fields.whole("a", -1, 9); };
  const auto flag = [](FieldReader& fields) { fields.flag("a"); };
  const auto inside = [](FieldReader& fields) { fields.inside("a"); };
  EXPECT_EQ(problem_of(R"({"a":7})", text), "`a` must be a string.");
  EXPECT_EQ(problem_of(R"({"a":""})", text), "`a` must have 1 to 3 bytes.");
  EXPECT_EQ(problem_of(R"({"a":"four"})", text), "`a` must have 1 to 3 bytes.");
  const std::string blank = "`a` must be more than white space, and must not have the character U+0000.";
  EXPECT_EQ(problem_of("{\"a\":\" \\t\u00A0\u3000\"}", name), blank);
  EXPECT_EQ(problem_of(R"({"a":"b\u0000"})", name), blank);
  EXPECT_EQ(problem_of(R"({"a":7})", uuid), "`a` must be a string.");
  for (const char* wrong : {R"({"a":""})", R"({"a":"550e8400"})", R"({"a":"550e8400-e29b-41d4-a716-4466554400021"})"}) {
    EXPECT_EQ(problem_of(wrong, uuid), "`a` must be a UUID.") << wrong;
  }
  for (const char* wrong : {R"({"a":"7"})", R"({"a":7.5})", R"({"a":-2})", R"({"a":10})", R"({"a":1e300})"}) {
    EXPECT_EQ(problem_of(wrong, whole), "`a` must be a whole number from -1 to 9.") << wrong;
  }
  EXPECT_EQ(problem_of(R"({"a":0})", flag), "`a` must be true or false.");
  EXPECT_EQ(problem_of(R"({"a":[]})", inside), "`a` must be an object.");
}

TEST(FieldReader, KeepsTheFirstProblemAndReadsNothingAfterIt) {
  EXPECT_EQ(problem_of(R"({"a":7,"b":"text"})",
                       [](FieldReader& fields) {
                         EXPECT_FALSE(fields.text("a", 9));
                         EXPECT_FALSE(fields.text("b", 9)) << "there is a problem already";
                         EXPECT_TRUE(fields.has("b"));
                         fields.reject("b", "must be something else");
                       }),
            "`a` must be a string.");
  EXPECT_EQ(problem_of("[]", [](FieldReader& fields) { EXPECT_FALSE(fields.text("a", 9, Required::yes) || fields.has("a")); }),
            "The body must be a JSON object.");
}

TEST(FieldReader, NamesAMemberInsideAnotherByItsPath) {
  const auto read = [](FieldReader& fields) { fields.inside("limits").whole("seats", 1, 9, Required::yes); };
  EXPECT_EQ(problem_of(R"({"limits":{"seats":0}})", read), "`limits.seats` must be a whole number from 1 to 9.");
  EXPECT_EQ(problem_of(R"({"limits":{}})", read), "`limits.seats` is missing.");
}

TEST(FieldReader, TakesProblemsThatTheCallerFinds) {
  EXPECT_EQ(problem_of("{}", [](FieldReader& fields) { fields.reject("url", "must have a host"); }), "`url` must have a host.");
}

}  // namespace
}  // namespace holdfast
