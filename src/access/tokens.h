// Secrets that callers show: API keys, and the signed tokens of visitors' sessions.
//
// An API key is `hf_` and 256 random bits. Only its SHA-256 is kept: with 256 bits there is nothing to guess, so no slow hash is needed.
//
// A session's token is `payload.signature`, both base64url: the payload is "1 customer expiry" (version, expiry in milliseconds since 1970),
// the signature its HMAC-SHA256. There is one algorithm, named by the version and not by the token. Nothing is stored for a visitor.
//
// Any thread.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "access/registry.h"
#include "core/time.h"

namespace holdfast {

// With the common alphabet, and padding.
std::string base64(std::span<const std::uint8_t> bytes);
// The bytes of a text that base64() wrote; nothing for any other, so that they have only one spelling.
std::optional<std::vector<std::uint8_t>> decode_base64(std::string_view text);
std::array<std::uint8_t, 32> sha256(std::string_view text);
std::array<std::uint8_t, 32> hmac_sha256(std::string_view key, std::string_view text);

std::string new_api_token();   // hf_…, 46 characters
std::string new_api_key_id();   // k and 12 hexadecimal digits: public
// A customer: visitor-, and in base64url the minute since 1970 in which it began (32 bits) and 96 random bits.
std::string new_visitor(Millis now);
// When a visitor began, to the minute. Nothing for what is no visitor's name. Those of 0.1.0 are all random: they began at any time.
std::optional<Millis> beginning_of(std::string_view visitor);

// The hash of a text that has the form of an API key; nothing for any other.
std::optional<TokenHash> hash_of_api_token(std::string_view token);
// In constant time.
bool are_equal(const TokenHash& a, const TokenHash& b);

struct Session {
  std::string customer;
  Millis expires_at = 0;   // by the wall clock
};

std::string sign(const Session& session, const SessionSecret& secret);
// Nothing when it is malformed, was not signed with this secret, or is over at `now`.
std::optional<Session> read_session(std::string_view token, const SessionSecret& secret, Millis now);

}   // namespace holdfast
