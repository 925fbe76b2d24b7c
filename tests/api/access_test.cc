// Tokens, rates and origins, with a made-up clock.
#include <gtest/gtest.h>

#include <string>

#include "access/rate_limiter.h"
#include "access/tokens.h"
#include "api/access.h"
#include "api/cors.h"
#include "api/router.h"

namespace holdfast::api {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// --- routes ---

TEST(Routes, EachNeedsAnExistingScopeOfItsCaller) {
  Metrics metrics;
  const Router router(metrics, true);
  ASSERT_FALSE(router.routes().empty());
  for (const Route& route : router.routes()) {
    EXPECT_LE(route.need, Need::admin) << route.method << " " << route.path;
    const bool changes = route.method != "GET";
    const bool is_session = route.path == "/v1/sessions";
    if (changes && !is_session) EXPECT_NE(route.need, Need::everybody) << route.method << " " << route.path;
    if (changes) EXPECT_NE(route.need, Need::read) << route.method << " " << route.path;
    const bool is_contract = route.group == Group::contract1 || route.group == Group::contract2;
    EXPECT_EQ(route.need == Need::contract, is_contract) << route.method << " " << route.path;
  }
}

TEST(Routes, DeclareWhatTheyChangeAndWhatTheirPathNames) {
  Metrics metrics;
  const Router router(metrics, true);
  for (const Route& route : router.routes()) {
    EXPECT_EQ(route.changes(), route.method != "GET" || route.path == "/tickets_unlock") << route.method << " " << route.path;
    const std::size_t id = route.path.find("s/{}");
    const std::string_view folder = route.path.substr(0, id == std::string_view::npos ? 0 : id + 1);
    const Subject subject = folder.ends_with("/events")         ? Subject::event
                            : folder.ends_with("/reservations") ? Subject::reservation
                            : folder.ends_with("/seats")        ? Subject::seat
                                                                : Subject::none;
    EXPECT_EQ(route.subject, subject) << route.method << " " << route.path;
    if (route.details.shows_body) EXPECT_TRUE(route.changes()) << route.method << " " << route.path;
  }
}

// --- scopes ---

TEST(Scopes, AreReadAsTheyAreWritten) {
  for (const char* text : {"read", "hold", "read,hold", "read,hold,sell,admin"}) EXPECT_EQ(to_string(*parse_scopes(text)), text);
  EXPECT_EQ(to_string(*parse_scopes("sell,read")), "read,sell");
  for (const char* text : {"", ",", "read,", "reads", "Read", "read, hold", "read hold"}) EXPECT_FALSE(parse_scopes(text)) << text;
}

TEST(Scopes, OnlyAdminImpliesOthers) {
  for (const Scope has : k_scopes) {
    Scopes scopes;
    scopes.add(has);
    for (const Scope wants : k_scopes) EXPECT_EQ(scopes.allow(wants), has == wants || has == Scope::admin);
  }
}

// --- tokens ---

TEST(ApiTokens, HaveTheirFormAndNeverRepeat) {
  const std::string token = new_api_token();
  EXPECT_EQ(token.size(), 46U);
  EXPECT_TRUE(token.starts_with("hf_"));
  EXPECT_NE(token, new_api_token());
  ASSERT_TRUE(hash_of_api_token(token));
  EXPECT_EQ(*hash_of_api_token(token), *hash_of_api_token(token));
  std::string other = token;
  other[10] = other[10] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(are_equal(*hash_of_api_token(token), *hash_of_api_token(other)));
}

TEST(ApiTokens, OfAnotherFormHaveNoHash) {
  const std::string token = new_api_token();
  for (const std::string& text : {std::string(), std::string("hf_"), token + "A", token.substr(1), token.substr(0, 45),
                                  "HF_" + token.substr(3), token.substr(0, 45) + " ", token.substr(0, 45) + "+"}) {
    EXPECT_FALSE(hash_of_api_token(text)) << text;
  }
}

class SessionTokens : public ::testing::Test {
 protected:
  static constexpr Millis k_now = 1'000'000;
  SessionSecret secret{1, 2, 3};
  Session session{.customer = new_visitor(k_now), .expires_at = k_now + 1};
  std::string token = sign(session, secret);
};

TEST_F(SessionTokens, HoldUntilTheirMillisecond) {
  const auto read = read_session(token, secret, k_now);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->customer, session.customer);
  EXPECT_EQ(read->expires_at, session.expires_at);
  EXPECT_FALSE(read_session(token, secret, k_now + 1));
}

TEST_F(SessionTokens, HaveTheTimeWhenTheVisitorBegan) {
  constexpr Millis k_2026 = 1'771'949'700'123;
  EXPECT_EQ(beginning_of(new_visitor(k_2026)), k_2026 / 60'000 * 60'000);
  EXPECT_NE(new_visitor(k_2026), new_visitor(k_2026));
  for (const char* other : {"", "customer-123", "visitor-", "visitor-0yFaSt2iKGSnD3kCY705b", "visitor-0yFaSt2iKGSnD3kCY705bAA"}) {
    EXPECT_FALSE(beginning_of(other)) << other;
  }
}

TEST_F(SessionTokens, AreRenewedUntilTheMillisecondThatEndsTheirLongestLife) {
  using std::chrono::hours;
  constexpr Millis k_hour = 3'600'000;
  constexpr Millis k_began = 60'000;
  for (const auto& [session_time, life] :
       {std::pair(hours(24), hours(30 * 24)), {hours(30 * 24), hours(30 * 24)}, {hours(800), hours(800)}}) {
    const AccessControl access({.session_time = session_time}, secret);
    const Session begun{.customer = new_visitor(k_began), .expires_at = k_began + k_hour};
    const Millis over = k_began + life.count() * k_hour;
    const Millis last_full = over - session_time.count() * k_hour;
    EXPECT_EQ(access.renewed(begun, last_full)->expires_at, over);
    EXPECT_EQ(access.renewed(begun, last_full + 1)->expires_at, over) << "cut";
    EXPECT_EQ(access.renewed(begun, over - 1)->expires_at, over);
    EXPECT_EQ(access.renewed(begun, over - 1)->customer, begun.customer);
    EXPECT_FALSE(access.renewed(begun, over));
  }
}

TEST_F(SessionTokens, NoBitOfThemCanBeChanged) {
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string forged = token;
      forged[i] = static_cast<char>(forged[i] ^ (1 << bit));
      EXPECT_FALSE(read_session(forged, secret, k_now)) << i << " " << bit;
    }
  }
}

TEST_F(SessionTokens, CannotBeCutLengthenedOrSignedByAnother) {
  for (std::size_t size = 0; size < token.size(); ++size) EXPECT_FALSE(read_session(token.substr(0, size), secret, k_now)) << size;
  for (const char* more : {"A", "=", ".", ".AAAA", " "}) EXPECT_FALSE(read_session(token + more, secret, k_now)) << more;
  EXPECT_FALSE(read_session(sign(session, SessionSecret{3, 2, 1}), secret, k_now));
  const std::string payload = token.substr(0, token.find('.'));
  EXPECT_FALSE(read_session(payload, secret, k_now));
  EXPECT_FALSE(read_session(payload + ".", secret, k_now));
  EXPECT_FALSE(read_session("eyJhbGciOiJub25lIn0." + payload + ".", secret, k_now)) << "there is no other algorithm";
  EXPECT_FALSE(read_session(std::string(10'000, 'A') + "." + std::string(43, 'A'), secret, k_now));
}

// --- rates ---

TEST(Rates, AllowABurstThenExactlyTheRate) {
  RateLimiter limiter({.per_second = 20, .burst = 40});
  const seconds start(1'000);
  for (int i = 0; i < 40; ++i) EXPECT_FALSE(limiter.take("a", start)) << i;
  EXPECT_EQ(limiter.take("a", start), milliseconds(50));
  EXPECT_EQ(limiter.take("a", start + milliseconds(50) - nanoseconds(1)), nanoseconds(1)) << "a refusal costs nothing";
  EXPECT_FALSE(limiter.take("a", start + milliseconds(50)));
  EXPECT_TRUE(limiter.take("a", start + milliseconds(50)));
  int taken = 0;
  for (int ms = 51; ms <= 1'050; ++ms) taken += limiter.take("a", start + milliseconds(ms)) ? 0 : 1;
  EXPECT_EQ(taken, 20);
  for (int i = 0; i < 40; ++i) EXPECT_FALSE(limiter.take("a", start + seconds(60))) << "full again, and no fuller";
  EXPECT_TRUE(limiter.take("a", start + seconds(60)));
}

TEST(Rates, EachCallerHasABucketOfItsOwn) {
  RateLimiter limiter({.per_second = 1, .burst = 1});
  EXPECT_FALSE(limiter.take("a", seconds(5)));
  EXPECT_TRUE(limiter.take("a", seconds(5)));
  EXPECT_FALSE(limiter.take("b", seconds(5)));
}

TEST(Rates, ZeroIsNoLimit) {
  RateLimiter limiter({.per_second = 0, .burst = 0});
  EXPECT_TRUE(limiter.is_off());
  for (int i = 0; i < 1'000; ++i) EXPECT_FALSE(limiter.take("a", seconds(5)));
}

// More callers than there are buckets: the newest are still limited, and nobody is refused who was quiet.
TEST(Rates, MoreCallersThanBucketsAreStillServedAndLimited) {
  RateLimiter limiter({.per_second = 1, .burst = 1});
  for (std::size_t i = 0; i < 3 * k_rate_buckets_max; ++i) {
    const std::string caller = std::to_string(i);
    const nanoseconds now = seconds(5) + nanoseconds(i);
    ASSERT_FALSE(limiter.take(caller, now)) << i;
    ASSERT_TRUE(limiter.take(caller, now)) << i;
  }
}

TEST(Rates, RetryAfterIsWholeSecondsAndAtLeastOne) {
  EXPECT_EQ(whole_seconds(nanoseconds(1)), 1);
  EXPECT_EQ(whole_seconds(seconds(1)), 1);
  EXPECT_EQ(whole_seconds(seconds(1) + nanoseconds(1)), 2);
}

// --- origins ---

TEST(Origins, AreWrittenAsBrowsersSendThem) {
  for (const char* text : {"https://shop.example", "http://localhost:5173", "https://[::1]:8443"}) EXPECT_TRUE(is_origin(text)) << text;
  for (const char* text : {"", "*", "null", "shop.example", "https://", "https://shop.example/", "https://Shop.example",
                           "https://*.example", "ftp://shop.example", "https://a@b"}) {
    EXPECT_FALSE(is_origin(text)) << text;
  }
}

}  // namespace
}  // namespace holdfast::api
