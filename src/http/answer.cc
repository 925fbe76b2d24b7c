#include "http/answer.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "core/ascii.h"
#include "core/decimal.h"
#include "http/parser.h"

namespace holdfast::http {
namespace {

// Only the server may set these: a second value would allow request smuggling.
bool is_servers_own(std::string_view name) {
  static constexpr std::array<std::string_view, 6> k_own = {"connection", "content-length",    "date",
                                                            "server",     "transfer-encoding", "x-request-id"};
  return std::ranges::any_of(k_own, [&](std::string_view own) { return equals_ignoring_case(own, name); });
}

}  // namespace

std::string_view reason_phrase(unsigned status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 207: return "Multi-Status";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 423: return "Locked";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
  }
}

std::string stamp_of(std::time_t now) {
  static constexpr std::array k_days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array k_months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm t{};
  ::gmtime_r(&now, &t);
  const char* const day = k_days.at(static_cast<std::size_t>(t.tm_wday));
  const char* const month = k_months.at(static_cast<std::size_t>(t.tm_mon));
  std::array<char, 128> text;   // not strftime(), whose names of days depend on the locale
  const int size =
      std::snprintf(text.data(), text.size(), "Server: holdfast\r\nDate: %s, %02d %s %04d %02d:%02d:%02d GMT\r\nX-Request-Id: ", day,
                    t.tm_mday, month, t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
  return {text.data(), static_cast<std::size_t>(size)};
}

bool has_body(unsigned status) { return status >= 200 && status != 204 && status != 304; }

std::string_view append_head(std::string& out, const Response& response, const AnswerFacts& facts) {
  std::string_view dropped;
  out += "HTTP/1.1 ";
  append_decimal(out, response.status);
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\n";
  out += facts.stamp;
  out += facts.request_id;
  if (!response.content_type.empty()) {
    if (is_field_value(response.content_type)) {
      out += "\r\nContent-Type: ";
      out += response.content_type;
    } else {
      dropped = "Content-Type";
    }
  }
  if (facts.framing == Framing::chunked) {
    out += "\r\nTransfer-Encoding: chunked";
  } else if (facts.framing == Framing::length && has_body(response.status)) {
    out += "\r\nContent-Length: ";
    append_decimal(out, response.body_bytes().size());
  }
  if (facts.close) out += "\r\nConnection: close";
  else if (facts.says_keep_alive) out += "\r\nConnection: keep-alive";
  for (const auto& [name, value] : response.headers) {
    if (!is_token(name) || !is_field_value(value) || is_servers_own(name)) {
      if (dropped.empty()) dropped = name;
      continue;
    }
    out += "\r\n";
    out += name;
    out += ": ";
    out += value;
  }
  out += "\r\n\r\n";
  return dropped;
}

}  // namespace holdfast::http
