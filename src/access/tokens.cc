#include "access/tokens.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <charconv>

#include "access/random.h"
#include "core/bytes.h"
#include "core/check.h"
#include "core/limits.h"

namespace holdfast {
namespace {

constexpr std::string_view k_key_prefix = "hf_";
constexpr std::size_t k_key_digits = 43;   // of 256 bits
constexpr std::size_t k_session_token_bytes_max = 512;
constexpr std::string_view k_session_version = "1";
constexpr std::string_view k_visitor_prefix = "visitor-";
constexpr std::size_t k_visitor_bytes = 16;
constexpr std::size_t k_minute_bytes = 4;
constexpr Millis k_millis_per_minute = 60 * k_millis_per_second;

bool is_base64url(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

// Base64 with the alphabet for URLs, without padding.
std::string base64url(std::span<const std::uint8_t> bytes) {
  std::string text = base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

// Accepts only what base64url() writes: a token must not have two spellings.
std::optional<std::vector<std::uint8_t>> decode_base64url(std::string_view text) {
  if (text.size() % 4 == 1 || !std::ranges::all_of(text, is_base64url)) return std::nullopt;
  std::string padded(text);
  std::ranges::replace(padded, '-', '+');
  std::ranges::replace(padded, '_', '/');
  padded.append((4 - padded.size() % 4) % 4, '=');
  return decode_base64(padded);
}

template <std::size_t Size>
std::string random_text() {
  std::array<std::uint8_t, Size> bytes;
  fill_random(bytes);
  return base64url(bytes);
}

}  // namespace

std::string base64(std::span<const std::uint8_t> bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');   // plus the NUL that EVP_EncodeBlock() writes
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::optional<std::vector<std::uint8_t>> decode_base64(std::string_view text) {
  std::vector<std::uint8_t> bytes(text.size());
  const int size = EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  const auto padding = static_cast<std::size_t>(std::ranges::count(text, '='));
  bytes.resize(static_cast<std::size_t>(size) - std::min<std::size_t>(padding, 2));
  if (base64(bytes) != text) return std::nullopt;   // EVP_DecodeBlock accepts white space and spare bits
  return bytes;
}

std::array<std::uint8_t, 32> sha256(std::string_view text) {
  std::array<std::uint8_t, 32> digest;
  const bool hashed = EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1;
  HOLDFAST_CHECK(hashed);
  return digest;
}

std::array<std::uint8_t, 32> hmac_sha256(std::string_view key, std::string_view text) {
  std::array<std::uint8_t, 32> mac;
  unsigned size = 0;
  const auto* made = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
                          text.size(), mac.data(), &size);
  HOLDFAST_CHECK(made != nullptr && size == mac.size());
  return mac;
}

std::string new_api_token() { return std::string(k_key_prefix) + random_text<32>(); }

std::string new_api_key_id() {
  std::array<std::uint8_t, 6> bytes;
  fill_random(bytes);
  std::string id = "k";
  append_hex(id, bytes);
  return id;
}

std::string new_visitor(Millis now) {
  std::array<std::uint8_t, k_visitor_bytes> bytes;
  fill_random(bytes);
  const auto minute = static_cast<std::uint32_t>(now / k_millis_per_minute);
  for (std::size_t i = 0; i < k_minute_bytes; ++i) bytes[i] = static_cast<std::uint8_t>(minute >> (24 - 8 * i));
  return std::string(k_visitor_prefix) + base64url(bytes);
}

std::optional<Millis> beginning_of(std::string_view visitor) {
  if (!visitor.starts_with(k_visitor_prefix)) return std::nullopt;
  const auto bytes = decode_base64url(visitor.substr(k_visitor_prefix.size()));
  if (!bytes || bytes->size() != k_visitor_bytes) return std::nullopt;
  std::uint32_t minute = 0;
  for (std::size_t i = 0; i < k_minute_bytes; ++i) minute = minute << 8 | (*bytes)[i];
  return Millis{minute} * k_millis_per_minute;
}

std::optional<TokenHash> hash_of_api_token(std::string_view token) {
  if (!token.starts_with(k_key_prefix) || token.size() != k_key_prefix.size() + k_key_digits) return std::nullopt;
  if (!std::ranges::all_of(token.substr(k_key_prefix.size()), is_base64url)) return std::nullopt;
  return sha256(token);
}

bool are_equal(const TokenHash& a, const TokenHash& b) { return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

std::string sign(const Session& session, const SessionSecret& secret) {
  const std::string payload = std::string(k_session_version) + " " + session.customer + " " + std::to_string(session.expires_at);
  const std::string encoded = base64url({reinterpret_cast<const std::uint8_t*>(payload.data()), payload.size()});
  return encoded + "." + base64url(hmac_sha256(as_bytes(secret), encoded));
}

std::optional<Session> read_session(std::string_view token, const SessionSecret& secret, Millis now) {
  if (token.size() > k_session_token_bytes_max) return std::nullopt;
  const std::size_t dot = token.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto signature = decode_base64url(token.substr(dot + 1));
  const auto expected = hmac_sha256(as_bytes(secret), token.substr(0, dot));
  if (!signature || signature->size() != expected.size()) return std::nullopt;
  if (CRYPTO_memcmp(signature->data(), expected.data(), expected.size()) != 0) return std::nullopt;
  // The signature is right, so Holdfast wrote the payload, but perhaps another version of it.
  const auto payload = decode_base64url(token.substr(0, dot));
  if (!payload) return std::nullopt;
  const std::string_view text(reinterpret_cast<const char*>(payload->data()), payload->size());
  const std::size_t first = text.find(' ');
  const std::size_t last = text.rfind(' ');
  if (first == std::string_view::npos || first == last || text.substr(0, first) != k_session_version) return std::nullopt;
  Session session{.customer = std::string(text.substr(first + 1, last - first - 1))};
  const auto [end, error] = std::from_chars(text.data() + last + 1, text.data() + text.size(), session.expires_at);
  if (error != std::errc{} || end != text.data() + text.size() || session.expires_at <= now) return std::nullopt;
  if (session.customer.empty() || session.customer.size() > k_customer_bytes_max) return std::nullopt;
  return session;
}

}  // namespace holdfast
