// Signatures and secrets as the Standard Webhooks specification has them.
#include "feed/webhooks/signature.h"

#include <gtest/gtest.h>

#include "feed/webhooks/webhooks.h"

namespace holdfast::feed {
namespace {

// Computed with Python's hmac and base64, not with this code.
TEST(Signature, IsTheHmacOfIdTimestampAndBody) {
  const auto secret = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  ASSERT_TRUE(secret);
  EXPECT_EQ(sign(*secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1'614'265'330, R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(Signature, DependsOnEveryPart) {
  const std::string secret(32, 's');
  const std::string right = sign(secret, "a", 1, "b");
  EXPECT_NE(right, sign(std::string(32, 't'), "a", 1, "b"));
  EXPECT_NE(right, sign(secret, "b", 1, "b"));
  EXPECT_NE(right, sign(secret, "a", 2, "b"));
  EXPECT_NE(right, sign(secret, "a", 1, "c"));
}

TEST(Secret, OfEveryAllowedLengthIsReadAsItWasWritten) {
  for (std::size_t size = k_secret_bytes_min; size <= k_secret_bytes_max; ++size) {
    std::string secret(size, '\xFB');
    secret.back() = static_cast<char>(size);
    EXPECT_EQ(parse_secret(secret_text(secret)), secret) << size;
  }
}

TEST(Secret, OfAnotherFormIsRefused) {
  const std::string good = secret_text(std::string(24, 'x'));
  ASSERT_TRUE(parse_secret(good));
  for (const std::string& text :
       {std::string(), std::string("whsec_"), good.substr(6), "WHSEC_" + good.substr(6), good + "=", good + " ", " " + good, good + "\n",
        good.substr(0, good.size() - 1), good.substr(0, good.size() - 4), "whsec_" + std::string(32, '*'), "whsec_" + std::string(32, '='),
        secret_text(std::string(23, 'x')), secret_text(std::string(65, 'x')), "whsec_" + std::string(4'000, 'A')}) {
    EXPECT_FALSE(parse_secret(text)) << text;
  }
}

// The last character of base64 text has bits that belong to no byte: a secret has only one spelling.
TEST(Secret, HasOneWayToBeWritten) {
  std::string text = secret_text(std::string(25, 'x'));   // ends with two =
  ASSERT_TRUE(parse_secret(text));
  ++text[text.size() - 3];
  EXPECT_FALSE(parse_secret(text));
}

TEST(Delivery, IsAlsoSignedByTheFormerSecretUntilItsTimeIsOver) {
  Endpoint endpoint{
      .url = "https://example.org/", .secret = std::string(24, 'n'), .previous_secret = std::string(24, 'o'), .previous_until = 5'000};
  const auto signatures = [&](Millis now) { return sign_delivery(endpoint, "id", "{}", now).headers.at(2).second; };
  EXPECT_EQ(signatures(4'999), sign(endpoint.secret, "id", 4, "{}") + " " + sign(endpoint.previous_secret, "id", 4, "{}"));
  EXPECT_EQ(signatures(5'000), sign(endpoint.secret, "id", 5, "{}"));
}

}  // namespace
}  // namespace holdfast::feed
