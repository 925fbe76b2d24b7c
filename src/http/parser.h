// From bytes to the head of a request, and nothing that RFC 9110 and 9112 forbid gets through.
//
// Two steps. HeadScanner finds where the header ends, incrementally and once over each byte, and refuses there what can only be
// seen in the raw bytes: line ends other than CRLF and folded lines. parse_head() then takes the whole header in one go, by
// Beast's parser plus the checks that it leaves out. A header is a security boundary: whoever stands before us (a proxy, a cache) must
// see the same requests in the same bytes, so what is ambiguous is refused, never guessed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "http/problems.h"
#include "http/server.h"

namespace holdfast::http {

class HeadScanner {
 public:
  enum class Result : std::uint8_t { need_more, complete, refused };

  void reset() { scanned_ = 0; }

  // `bytes` begin with the request line and have only grown since the last call.
  Result scan(std::string_view bytes);

  std::size_t head_bytes() const { return scanned_; }   // with the empty line; after `complete`

 private:
  std::size_t scanned_ = 0;
};

// Views point into the bytes that were parsed.
struct Head {
  std::string_view method;
  std::string_view target;
  std::string_view path;
  std::string_view query;
  std::string_view request_id;   // empty: the caller sent none that is valid
  std::vector<Header> headers;
  std::uint64_t content_length = 0;
  bool has_content_length = false;
  bool chunked = false;
  bool keep_alive = false;
  bool http_1_1 = false;
  bool expects_continue = false;

  bool has_body() const { return chunked || content_length > 0; }
  void clear();
};

// `bytes`: a whole header as HeadScanner found it. When it refuses, `head` holds what was read so far, and is good for nothing.
Refusal parse_head(std::string_view bytes, const ServerOptions& options, Head& head);

// What to say of a header that is over its limit and not complete: 414 when it is the target's fault, else 431.
Refusal too_large(std::string_view bytes, const ServerOptions& options);

bool is_host(std::string_view value);                 // uri-host [ ":" port ], RFC 9110, 7.2; may be empty
bool is_field_value(std::string_view value);          // no CR, LF, NUL or other control character but HTAB
bool is_token(std::string_view value);
bool equals_ignoring_case(std::string_view a, std::string_view b);   // ASCII

}  // namespace holdfast::http
