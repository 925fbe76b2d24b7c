// Parses the head of a request, and refuses everything that RFC 9110 and 9112 forbid.
//
// Two steps. HeadScanner finds the end of the header incrementally, looking at each byte once, and refuses what only the raw bytes show: line
// ends other than CRLF, and folded lines. parse_head() then parses the whole header, with Beast's parser and the checks that Beast omits. A
// header is a security boundary: a proxy or cache in front of us must see the same requests in the same bytes. Ambiguous input is
// therefore refused, never guessed.
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

  // `bytes` begins with the request line, and has only grown since the last call.
  Result scan(std::string_view bytes);

  std::size_t head_bytes() const { return scanned_; }   // with the empty line; valid after `complete`

 private:
  std::size_t scanned_ = 0;
};

// Views point into the bytes that were parsed.
struct Head {
  std::string_view method;
  std::string_view target;
  std::string_view path;
  std::string_view query;
  std::string_view request_id;   // empty: the caller sent no valid one
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

// `bytes`: a whole header as HeadScanner found it. After a refusal the content of `head` is unspecified.
Refusal parse_head(std::string_view bytes, const ServerOptions& options, Head& head);

// The refusal of an incomplete header that exceeds its limit: 414 if the target is too long, otherwise 431.
Refusal too_large(std::string_view bytes, const ServerOptions& options);

bool is_host(std::string_view value);   // uri-host [ ":" port ], RFC 9110, 7.2; may be empty
bool is_field_value(std::string_view value);   // no CR, LF, NUL or other control character except HTAB
bool is_token(std::string_view value);

}   // namespace holdfast::http
