// Makes the bytes of an answer's head from a Response. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "http/server.h"

namespace holdfast::http {

// How a client finds the end of a body.
enum class Framing : std::uint8_t { length, chunked, until_close };

// What the head contains besides the handler's Response.
struct AnswerFacts {
  std::string_view stamp;        // see stamp_of()
  std::string_view request_id;
  bool close = false;
  bool says_keep_alive = false;  // to an HTTP/1.0 client, which would not expect it
  Framing framing = Framing::length;
};

std::string_view reason_phrase(unsigned status);   // "Unknown" if there is none

// The header lines that stay the same for a second: Server, Date, and X-Request-Id up to its value.
std::string stamp_of(std::time_t now);

// Whether an answer of this status has a body, and therefore a length (RFC 9110, 6.4.1 and 8.6).
bool has_body(unsigned status);

// Appends the status line, the header and the empty line. Omits headers that could break the framing or that only the server may set, and
// returns the name of the first of them, or empty.
std::string_view append_head(std::string& out, const Response& response, const AnswerFacts& facts);

}  // namespace holdfast::http
