#include "feed/webhooks/signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <vector>

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
  std::vector<unsigned char> decoded(text.size() + 1);
  const int length = EVP_DecodeBlock(decoded.data(), reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  const std::size_t padding = text.size() - std::min(text.size(), text.find_last_not_of('=') + 1);
  std::string secret(reinterpret_cast<const char*>(decoded.data()), static_cast<std::size_t>(length) - std::min<std::size_t>(padding, 2));
  // EVP_DecodeBlock accepts white space and spare bits. Only the canonical form is accepted here.
  if (secret.size() < k_secret_bytes_min || secret.size() > k_secret_bytes_max || secret_text(secret).substr(k_prefix.size()) != text) {
    return std::nullopt;
  }
  return secret;
}

std::string sign(std::string_view secret, std::string_view id, std::int64_t timestamp, std::string_view body) {
  HOLDFAST_CHECK(id.find('.') == std::string_view::npos);
  std::string content;
  content.reserve(id.size() + body.size() + 24);
  content.append(id).append(1, '.').append(std::to_string(timestamp)).append(1, '.').append(body);
  std::uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  const auto* signed_with = HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                                 reinterpret_cast<const unsigned char*>(content.data()), content.size(), digest, &length);
  HOLDFAST_CHECK(signed_with != nullptr);
  return "v1," + base64({digest, length});
}

}  // namespace holdfast::feed
