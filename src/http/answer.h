// From a Response to the bytes of its head.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "http/server.h"

namespace holdfast::http {

// How the end of a body is known.
enum class Framing : std::uint8_t { length, chunked, until_close };

// What the head says beside the handler's Response.
struct AnswerFacts {
  std::string_view stamp;        // see stamp_of()
  std::string_view request_id;
  bool close = false;
  bool says_keep_alive = false;  // to an HTTP/1.0 client, which would not expect it
  Framing framing = Framing::length;
};

std::string_view reason_phrase(unsigned status);   // "Unknown" for what has none

// The header lines that are the same for a second: Server, Date, and the beginning of X-Request-Id, up to its value.
std::string stamp_of(std::time_t now);

// Whether an answer of this status has a body, and says how long it is (RFC 9110, 6.4.1 and 8.6).
bool has_body(unsigned status);

// Appends status line and header, with the empty line. Headers of the response that could break the framing, or are not
// for a handler to set, are left out: returns the name of the first of them, or empty.
std::string_view append_head(std::string& out, const Response& response, const AnswerFacts& facts);

}  // namespace holdfast::http
