// Signatures of deliveries as the Standard Webhooks specification (1.0.0) has them: HMAC-SHA256 with a secret that endpoint and sender
// share, over `id.timestamp.body`. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::feed {

// Bytes of a secret, decoded. The specification allows 24 to 64.
inline constexpr std::size_t k_secret_bytes_min = 24;
inline constexpr std::size_t k_secret_bytes_max = 64;
inline constexpr std::size_t k_new_secret_bytes = 32;

std::string base64(std::span<const std::uint8_t> bytes);

// `whsec_` and the secret in base64.
std::string secret_text(std::string_view secret);

// The secret that such a text writes; nothing when it is not of that form or not of an allowed length.
std::optional<std::string> parse_secret(std::string_view text);

// `v1,` and the signature in base64. `timestamp`: seconds since 1970 UTC. `id` must not have a full stop.
std::string sign(std::string_view secret, std::string_view id, std::int64_t timestamp, std::string_view body);

}  // namespace holdfast::feed
