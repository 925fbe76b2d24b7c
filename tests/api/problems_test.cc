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

}  // namespace
}  // namespace holdfast::api
