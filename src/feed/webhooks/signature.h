// Signatures of deliveries by the Standard Webhooks specification (1.0.0): HMAC-SHA256 over `id.timestamp.body`, with a secret that endpoint and
// sender share. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::feed {

// Bytes of a secret, decoded. The specification allows 24 to 64.
inline constexpr std::size_t k_secret_bytes_min = 24;
inline constexpr std::size_t k_secret_bytes_max = 64;
inline constexpr std::size_t k_new_secret_bytes = 32;

// `whsec_`, followed by the secret in base64.
std::string secret_text(std::string_view secret);

// The secret in such a text; nothing if it is not of that form, or of a length that is not allowed.
std::optional<std::string> parse_secret(std::string_view text);

// `v1,`, followed by the signature in base64. `timestamp`: seconds since 1970 UTC. `id` must not contain a full stop.
std::string sign(std::string_view secret, std::string_view id, std::int64_t timestamp, std::string_view body);

}   // namespace holdfast::feed
