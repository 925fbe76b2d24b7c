// The head of a request: HeadScanner and parse_head().
//
// Properties: bytes in two parts give the same result as bytes at once. An accepted head that is written again from its parsed
// fields is accepted again with the same fields, so nothing in it can be read in two ways.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/property.h"
#include "http/parser.h"

namespace holdfast::http {
namespace {

using fuzz::require;

std::string composed(const Head& head) {
  std::string bytes;
  bytes.append(head.method).append(" ").append(head.target).append(head.http_1_1 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
  for (const Header& header : head.headers) bytes.append(header.name).append(": ").append(header.value).append("\r\n");
  return bytes.append("\r\n");
}

void require_same(const Head& first, const Head& second) {
  require(first.method == second.method, "the method is the same");
  require(first.target == second.target, "the target is the same");
  require(first.path == second.path, "the path is the same");
  require(first.query == second.query, "the query is the same");
  require(first.request_id == second.request_id, "the request id is the same");
  require(first.content_length == second.content_length && first.has_content_length == second.has_content_length,
          "the body's length is the same");
  require(first.chunked == second.chunked, "the body's framing is the same");
  require(first.keep_alive == second.keep_alive, "the connection stays open, or does not, as before");
  require(first.http_1_1 == second.http_1_1, "the version is the same");
  require(first.expects_continue == second.expects_continue, "the expectation is the same");
  require(first.headers.size() == second.headers.size(), "there are as many headers");
  for (std::size_t i = 0; i < first.headers.size(); ++i) {
    require(first.headers[i].name == second.headers[i].name, "a header has the same name");
    require(first.headers[i].value == second.headers[i].value, "a header has the same value");
  }
}

// Reads the head at the beginning of `bytes`, which arrive in two parts. Returns its size; 0 if it is refused or incomplete. The
// scanner may refuse a part that cannot become a head, which parse_head() would refuse once it is complete.
std::size_t read(std::string_view bytes, std::size_t first_part, Head& head) {
  HeadScanner scanner;
  HeadScanner::Result result = scanner.scan(bytes.substr(0, first_part));
  if (result == HeadScanner::Result::need_more) result = scanner.scan(bytes);
  if (result != HeadScanner::Result::complete) return 0;
  const std::size_t size = scanner.head_bytes();
  return parse_head(bytes.substr(0, size), ServerOptions(), head) == nullptr ? size : 0;
}

// The first byte says where the bytes are split; the rest is what a client sends.
void check(std::string_view input) {
  if (input.empty()) return;
  const std::size_t split = static_cast<unsigned char>(input.front());
  const std::string_view bytes = input.substr(1);
  Head head;
  Head in_parts;
  const std::size_t size = read(bytes, bytes.size(), head);
  require(read(bytes, split, in_parts) == size, "a head in two parts is accepted, or refused, as one that comes at once");
  if (size == 0) return;
  require_same(head, in_parts);

  const std::string text = composed(head);
  Head again;
  require(read(text, text.size(), again) == text.size(), "the head that was written again is accepted");
  require_same(head, again);
}

}   // namespace
}   // namespace holdfast::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::http::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
