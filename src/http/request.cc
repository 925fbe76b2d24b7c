// The parts of the contract in server.h that need no connection.
#include <string>

#include "http/answer.h"
#include "http/parser.h"
#include "http/server.h"

namespace holdfast::http {
namespace {

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char k_hex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += k_hex[byte >> 4U];
      out += k_hex[byte & 15U];
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace

const std::string_view* Request::header(std::string_view name) const {
  for (const Header& h : headers) {
    if (equals_ignoring_case(h.name, name)) return &h.value;
  }
  return nullptr;
}

boost::asio::awaitable<std::string_view> Request::read_body() { return read_body_part(); }

void Handler::refuse(const Problem& problem, std::string_view path, Response& response) {
  (void)path;
  response.content_type = "application/problem+json";
  response.body = R"({"type":"about:blank","title":)";
  append_json_string(response.body, reason_phrase(problem.status));
  response.body += R"(,"status":)";
  response.body += std::to_string(problem.status);
  response.body += R"(,"detail":)";
  append_json_string(response.body, problem.detail);
  response.body += R"(,"code":)";
  append_json_string(response.body, problem.code);
  response.body += "}\n";
}

}  // namespace holdfast::http
