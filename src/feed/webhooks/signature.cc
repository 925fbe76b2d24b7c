#include "feed/webhooks/signature.h"

#include "access/tokens.h"
#include "core/check.h"

namespace holdfast::feed {
namespace {

constexpr std::string_view k_prefix = "whsec_";

}  // namespace

std::string secret_text(std::string_view secret) {
  return std::string(k_prefix) + base64({reinterpret_cast<const std::uint8_t*>(secret.data()), secret.size()});
}

std::optional<std::string> parse_secret(std::string_view text) {
  if (!text.starts_with(k_prefix)) return std::nullopt;
  text.remove_prefix(k_prefix.size());
  if (text.size() > (k_secret_bytes_max + 2) / 3 * 4) return std::nullopt;
  const auto secret = decode_base64(text);
  if (!secret || secret->size() < k_secret_bytes_min || secret->size() > k_secret_bytes_max) return std::nullopt;
  return std::string(secret->begin(), secret->end());
}

std::string sign(std::string_view secret, std::string_view id, std::int64_t timestamp, std::string_view body) {
  HOLDFAST_CHECK(id.find('.') == std::string_view::npos);
  std::string content;
  content.reserve(id.size() + body.size() + 24);
  content.append(id).append(1, '.').append(std::to_string(timestamp)).append(1, '.').append(body);
  return "v1," + base64(hmac_sha256(secret, content));
}

}  // namespace holdfast::feed
