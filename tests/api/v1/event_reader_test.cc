// The server and the desk judge a seating plan alike: both run the cases of tests/shared/plan_cases.json.
#include "api/v1/event_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <expected>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace holdfast::api {
namespace {

std::string content_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Repeats `part`, with its number for each `#`.
void append_repeated(std::string& out, std::string_view part, int count) {
  for (int i = 1; i <= count; ++i) {
    for (const char c : part) c == '#' ? out.append(std::to_string(i)) : out.append(1, c);
  }
}

// The case's plan as text, with its repetitions expanded: <<part*count>>.
std::string plan_of(const boost::json::object& each) {
  const auto* given = each.if_contains("text");
  const std::string text = given != nullptr ? std::string(given->get_string()) : boost::json::serialize(each.at("plan"));
  std::string plan;
  std::size_t at = 0;
  for (std::size_t begin; (begin = text.find("<<", at)) != std::string::npos;) {
    const std::size_t end = text.find(">>", begin);
    const std::string_view inside = std::string_view(text).substr(begin + 2, end - begin - 2);
    const std::size_t star = inside.rfind('*');
    plan.append(text, at, begin - at);
    append_repeated(plan, inside.substr(0, star), std::stoi(std::string(inside.substr(star + 1))));
    at = end + 2;
  }
  return plan.append(text, at);
}

// In the form that the desk sends.
std::expected<ReadEvent, Mistakes> read(const std::string& plan, bool keep_ids) {
  EventReader reader(EventReader::Root::event, {});
  reader.feed(R"({"name":"An event","plan":)" + plan + R"(,"keepIds":)" + (keep_ids ? "true" : "false") + "}");
  return reader.finish();
}

bool has_sentence(const Mistakes& mistakes, std::string_view part) {
  return std::ranges::any_of(mistakes.kept(), [&](const Mistake& mistake) { return mistake.what.contains(part); });
}

TEST(SharedPlanCases, AreAcceptedOrRefusedAsTheDeskChecksThem) {
  const boost::json::value file = boost::json::parse(content_of(HOLDFAST_PLAN_CASES));
  const boost::json::array& cases = file.at("cases").as_array();
  ASSERT_GE(cases.size(), 40U);
  for (const boost::json::value& item : cases) {
    const boost::json::object& each = item.as_object();
    SCOPED_TRACE(std::string(each.at("name").as_string()));
    const auto* keep_ids = each.if_contains("keepIds");
    const auto made = read(plan_of(each), keep_ids != nullptr && keep_ids->as_bool());
    const boost::json::value& refusal = each.at("server");
    if (refusal.is_null()) {
      EXPECT_TRUE(made.has_value()) << made.error().summary();
      continue;
    }
    ASSERT_FALSE(made.has_value());
    EXPECT_TRUE(has_sentence(made.error(), std::string_view(refusal.as_string()))) << made.error().summary();
  }
}

}  // namespace
}  // namespace holdfast::api
