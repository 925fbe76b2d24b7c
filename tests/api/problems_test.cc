// Errors in the form of problem+json.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "api/call.h"
#include "http/answer.h"

namespace holdfast::api {
namespace {

TEST(Problems, HaveTheReasonPhraseOfTheirStatusAsTheirTitle) {
  for (const unsigned status : {400U, 401U, 403U, 404U, 405U, 409U, 410U, 415U, 422U, 429U, 500U, 503U}) {
    http::Response response;
    write_fault({status, k_invalid_request, "What was wrong."}, Group::v1, "/v1/changes", response);
    EXPECT_THAT(response.body, testing::HasSubstr("\"title\":\"" + std::string(http::reason_phrase(status)) + "\"")) << status;
  }
}

// The answer to what was refused for want of room, in the form of a group.
http::Response no_room_in(Group group, bool room_comes_soon) {
  Outcome outcome = refused(Reason::no_room);
  outcome.room_comes_soon = room_comes_soon;
  http::Response response;
  write_fault(fault_of(outcome), group, "/path", response);
  return response;
}

std::string retry_after(const http::Response& response) {
  for (const auto& [name, value] : response.headers) {
    if (name == "Retry-After") return value;
  }
  return {};
}

TEST(Problems, OfAFullDiskHaveACodeOfTheirOwnAndTheContractsTheOneThatTheyHave) {
  for (const bool soon : {false, true}) {
    for (const auto& [group, code] :
         {std::pair{Group::v1, "no_room"}, {Group::contract1, "unavailable"}, {Group::contract2, "unavailable"}}) {
      const http::Response response = no_room_in(group, soon);
      EXPECT_EQ(response.status, 503U);
      EXPECT_THAT(response.body, testing::HasSubstr("\"code\":\"" + std::string(code) + "\""));
      EXPECT_THAT(response.body, testing::HasSubstr("Nothing was done"));
      EXPECT_EQ(retry_after(response), soon ? "1" : "10");
    }
  }
}

}  // namespace
}  // namespace holdfast::api
