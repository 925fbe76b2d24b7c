// Error bodies in the forms of the contracts.
#pragma once

#include <gmock/gmock.h>

#include <set>
#include <string>
#include <string_view>

#include "support/client.h"

namespace holdfast::test {

// RFC 9457 with our `code`: its members and their types; the status in the body is that of the answer.
inline void expect_problem(const Answer& answer, int status, std::string_view code) {
  if (answer.status != status) {
    ADD_FAILURE() << "was to be " << status << " " << code << ", and is " << answer;
    return;
  }
  EXPECT_EQ(answer.header("Content-Type"), "application/problem+json") << answer;
  try {
    const Json body = answer.json();
    EXPECT_EQ(body.at("status").to_number<int>(), status) << answer;
    EXPECT_EQ(string_of(body.at("code")), code) << answer;
    for (const char* member : {"type", "title", "detail"}) EXPECT_FALSE(string_of(body.at(member)).empty()) << member << " of " << answer;
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what() << " in " << answer;
  }
}

inline std::string detail_of(const Answer& answer) { return string_of(answer.json().at("detail")); }

// A problem of /v1: exactly these members, and seatIds if seats are the reason.
inline void expect_v1_problem(const Answer& answer, int status, std::string_view code) {
  expect_problem(answer, status, code);
  if (answer.status != status) return;
  std::set<std::string> expected = {"type", "title", "status", "detail", "instance", "code"};
  std::set<std::string> found = members_of(answer.json());
  found.erase("seatIds");
  EXPECT_EQ(found, expected) << answer;
}

// A problem of contract 1, whose clients read `error`.
inline void expect_contract_1_problem(const Answer& answer, int status, std::string_view code) {
  expect_problem(answer, status, code);
  if (answer.status != status) return;
  const Json body = answer.json();
  const std::set<std::string> expected = {"type", "title", "status", "detail", "instance", "code", "error"};
  EXPECT_EQ(members_of(body), expected) << answer;
  EXPECT_EQ(body.at("error"), body.at("detail")) << answer;
}

// A refusal of contract 2: its own form, `valido` false, and a message.
inline void expect_contract_2_refusal(const Answer& answer, int status) {
  if (answer.status != status) {
    ADD_FAILURE() << "was to be " << status << " in the form of contract 2, and is " << answer;
    return;
  }
  EXPECT_EQ(answer.header("Content-Type"), "application/json") << answer;
  const Json body = answer.json();
  EXPECT_EQ(members_of(body), (std::set<std::string>{"message", "status", "data"})) << answer;
  EXPECT_EQ(body.at("status").to_number<int>(), status) << answer;
  EXPECT_EQ(body.at("data").at("valido"), Json(false)) << answer;
  EXPECT_FALSE(string_of(body.at("message")).empty()) << answer;
}

// The methods that `Allow` names.
inline std::set<std::string> allowed_methods(const Answer& answer) {
  std::set<std::string> methods;
  std::string method;
  for (const char c : answer.header("Allow") + ",") {
    if (c == ',') {
      methods.insert(method);
      method.clear();
    } else if (c != ' ') {
      method += c;
    }
  }
  return methods;
}

}  // namespace holdfast::test
