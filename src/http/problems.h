// The refusals of the server itself. A Refusal points to one of them; nullptr: not refused.
#pragma once

#include "http/server.h"

namespace holdfast::http {

using Refusal = const Problem*;

namespace problems {

// clang-format off
inline constexpr Problem k_request_line{400, "invalid_request", "The request line is not valid in HTTP/1.1."};
inline constexpr Problem k_target{400, "invalid_request", "The target must be a path or an http URI, without a fragment."};
inline constexpr Problem k_header{400, "invalid_request", "A header line is malformed: its line end, its name or its characters."};
inline constexpr Problem k_proxy_header{400, "invalid_request", "A trusted proxy must begin the connection with the PROXY protocol."};
inline constexpr Problem k_host{400, "invalid_request", "The request needs exactly one valid Host header."};
inline constexpr Problem k_content_length{400, "invalid_request", "Content-Length must be one decimal number, given once."};
inline constexpr Problem k_transfer_encoding{400, "invalid_request", "Transfer-Encoding must be `chunked`, alone, in HTTP/1.1."};
inline constexpr Problem k_chunk{400, "invalid_request", "The chunked body is malformed."};
inline constexpr Problem k_header_timeout{408, "request_timeout", "The header of the request did not arrive in time."};
inline constexpr Problem k_body_timeout{408, "request_timeout", "The body of the request did not arrive in time."};
inline constexpr Problem k_body_too_large{413, "body_too_large", "The body is larger than this resource accepts."};
inline constexpr Problem k_target_too_long{414, "target_too_long", "The request target is too long."};
inline constexpr Problem k_expectation{417, "expectation_failed", "The only supported expectation is 100-continue."};
inline constexpr Problem k_header_too_large{431, "header_too_large", "The header of the request is too large."};
inline constexpr Problem k_internal{500, "internal_error", "The request failed because of an internal error."};
inline constexpr Problem k_coding{501, "not_implemented", "The only supported transfer coding is `chunked`."};
inline constexpr Problem k_connect{501, "not_implemented", "CONNECT is not supported."};
inline constexpr Problem k_too_many_connections{503, "unavailable", "Too many connections are open. Try again in a moment."};
inline constexpr Problem k_too_many_of_address{503, "unavailable", "Too many connections are open from this address. Try again in a moment."};
inline constexpr Problem k_version{505, "version_not_supported", "Only HTTP/1.1 and HTTP/1.0 are supported."};
// clang-format on

}  // namespace problems
}  // namespace holdfast::http
