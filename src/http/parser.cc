#include "http/parser.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <cstring>
#include <limits>

#include "core/ascii.h"
#include "core/decimal.h"
#include "http/limits.h"

namespace holdfast::http {
namespace {

namespace beast_http = boost::beast::http;
using boost::beast::string_view;
using boost::system::error_code;

std::string_view to_std(string_view s) { return {s.data(), s.size()}; }

constexpr bool is_number(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_hex(char c) { return is_number(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

template <class Predicate>
constexpr std::array<bool, 256> table_of(Predicate predicate) {
  std::array<bool, 256> table{};
  for (unsigned i = 0; i < 256; ++i) table[i] = predicate(static_cast<char>(i));
  return table;
}

constexpr auto k_token_chars =
    table_of([](char c) { return is_number(c) || is_alpha(c) || (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").contains(c)); });
constexpr auto k_reg_name_chars = table_of([](char c) {   // unreserved and sub-delims
  return is_number(c) || is_alpha(c) || (c != '\0' && std::string_view("-._~!$&'()*+,;=").contains(c));
});
// RFC 3986 allows fewer, but browsers send some of the rest (`|`, `{`, `^`) in a query as they are. None of them can be misread.
constexpr auto k_target_chars = table_of([](char c) { return c > ' ' && c < '\x7f' && c != '#'; });
constexpr auto k_value_chars = table_of([](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f'); });

bool all_of(std::string_view s, const std::array<bool, 256>& table) {
  return std::all_of(s.begin(), s.end(), [&](char c) { return table[static_cast<unsigned char>(c)]; });
}

// An incomplete header can only be checked for being text at all: a client may speak another protocol.
bool looks_like_text(std::string_view bytes) {
  return std::none_of(bytes.begin(), bytes.end(),
                      [](char c) { return (static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\r' && c != '\n') || c == '\x7f'; });
}

}  // namespace

bool is_field_value(std::string_view value) { return all_of(value, k_value_chars); }
bool is_token(std::string_view value) { return !value.empty() && all_of(value, k_token_chars); }

bool is_host(std::string_view value) {
  std::size_t end = 0;
  if (value.starts_with('[')) {
    const std::size_t close = value.find(']');
    if (close == std::string_view::npos || close < 3) return false;
    const auto address = value.substr(1, close - 1);
    if (!std::all_of(address.begin(), address.end(), [](char c) { return is_hex(c) || c == ':' || c == '.'; })) return false;
    end = close + 1;
  } else {
    for (; end < value.size() && value[end] != ':'; ++end) {
      if (value[end] == '%') {
        if (end + 2 >= value.size() || !is_hex(value[end + 1]) || !is_hex(value[end + 2])) return false;
        end += 2;
      } else if (!k_reg_name_chars[static_cast<unsigned char>(value[end])]) {
        return false;
      }
    }
  }
  if (end == value.size()) return true;
  const auto port = value.substr(end + 1);
  return value[end] == ':' && port.size() <= 5 && std::all_of(port.begin(), port.end(), is_number);
}

HeadScanner::Result HeadScanner::scan(std::string_view bytes) {
  const char* const first = bytes.data();
  const char* const last = first + bytes.size();
  const char* p = first + scanned_;
  while (p < last) {
    const char* const lf = static_cast<const char*>(std::memchr(p, '\n', static_cast<std::size_t>(last - p)));
    if (lf == nullptr) {
      if (!looks_like_text({p, last})) return Result::refused;
      p = last;
      break;
    }
    if (lf == first || lf[-1] != '\r') return Result::refused;
    if (lf + 1 == last) {   // looked at again once the next byte has arrived
      p = lf;
      break;
    }
    if (lf[1] == ' ' || lf[1] == '\t') return Result::refused;   // a folded line (RFC 9112, 5.2)
    if (lf[1] == '\r') {
      if (lf + 2 == last) {
        p = lf;
        break;
      }
      if (lf[2] != '\n') return Result::refused;
      scanned_ = static_cast<std::size_t>(lf + 3 - first);
      return Result::complete;
    }
    p = lf + 1;
  }
  scanned_ = static_cast<std::size_t>(p - first);
  return Result::need_more;
}

void Head::clear() {
  headers.clear();
  method = target = path = query = request_id = {};
  content_length = 0;
  has_content_length = chunked = keep_alive = http_1_1 = expects_continue = false;
}

namespace {

// Checks scheme and authority of an absolute-form target, and leaves the path, which may be empty, in `rest`.
bool read_absolute_form(std::string_view target, std::string_view& rest) {
  constexpr std::string_view scheme = "http://";
  if (target.size() <= scheme.size() || !equals_ignoring_case(target.substr(0, scheme.size()), scheme)) return false;
  const auto after = target.substr(scheme.size());
  const auto authority = after.substr(0, after.find_first_of("/?"));
  rest = after.substr(authority.size());
  return !authority.empty() && authority.front() != ':' && is_host(authority);
}

Refusal read_target(Head& head) {
  if (head.method == "CONNECT") return &problems::k_connect;
  if (!all_of(head.target, k_target_chars)) return &problems::k_target;
  std::string_view rest = head.target;
  if (!rest.starts_with('/')) {
    if (rest == "*" && head.method == "OPTIONS") {
      head.path = rest;
      return nullptr;
    }
    if (!read_absolute_form(head.target, rest)) return &problems::k_target;
  }
  const std::size_t mark = rest.find('?');
  head.path = rest.substr(0, mark);
  if (mark != std::string_view::npos) head.query = rest.substr(mark + 1);
  if (head.path.empty()) head.path = "/";
  return nullptr;
}

// Beast splits the header into fields and checks their characters and lengths. This class checks the rest.
class HeadParser final : public beast_http::basic_parser<true> {
 public:
  HeadParser(Head& head, const ServerOptions& options) : head_(head), options_(options) {
    header_limit(std::numeric_limits<std::uint32_t>::max());   // the caller enforces the limit
    body_limit(boost::none);
  }

  Refusal parse(std::string_view bytes) {
    error_code ec;
    const std::size_t parsed = put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec);
    if (refusal_ != nullptr) return refusal_;
    if (ec) return refusal_of(ec, bytes);
    if (parsed != bytes.size() || !is_header_done()) return &problems::k_header;
    head_.keep_alive = keep_alive();
    return whole_head();
  }

 private:
  void on_request_impl(beast_http::verb, string_view method, string_view target, int version, error_code& ec) override {
    head_.method = to_std(method);
    head_.target = to_std(target);
    head_.http_1_1 = version == 11;
    if (target.size() > options_.target_bytes_max) return refuse(&problems::k_target_too_long, ec);
    if (const Refusal refusal = read_target(head_)) refuse(refusal, ec);
  }

  void on_field_impl(beast_http::field field, string_view name, string_view value, error_code& ec) override {
    if (head_.headers.size() == k_headers_max) return refuse(&problems::k_header_too_large, ec);
    head_.headers.push_back({to_std(name), to_std(value)});
    const std::string_view text = to_std(value);
    switch (field) {
      case beast_http::field::host:
        if (++hosts_ > 1 || !is_host(text)) refuse(&problems::k_host, ec);
        break;
      case beast_http::field::content_length: read_content_length(text, ec); break;
      case beast_http::field::transfer_encoding: read_transfer_encoding(text, ec); break;
      case beast_http::field::expect:
        if (!equals_ignoring_case(text, "100-continue")) return refuse(&problems::k_expectation, ec);
        head_.expects_continue = true;
        break;
      case beast_http::field::unknown:
        if (equals_ignoring_case(head_.headers.back().name, "x-request-id")) read_request_id(text);
        break;
      default: break;
    }
  }

  // Beast accepts a list of equal numbers, and the header twice. A proxy in front of us might use the first, or the last.
  void read_content_length(std::string_view text, error_code& ec) {
    const auto length = parse_decimal<std::uint64_t>(text);
    if (head_.has_content_length || !length) return refuse(&problems::k_content_length, ec);
    head_.has_content_length = true;
    head_.content_length = *length;
  }

  void read_transfer_encoding(std::string_view text, error_code& ec) {
    if (head_.chunked) return refuse(&problems::k_transfer_encoding, ec);
    if (!equals_ignoring_case(text, "chunked")) {
      return refuse(is_token(text) ? &problems::k_coding : &problems::k_transfer_encoding, ec);
    }
    head_.chunked = true;
  }

  void read_request_id(std::string_view text) {
    const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < '\x7f'; });
    if (head_.request_id.empty() && text.size() <= k_request_id_bytes_max && printable) head_.request_id = text;
  }

  Refusal whole_head() const {
    if (head_.http_1_1 && hosts_ == 0) return &problems::k_host;
    if (head_.chunked && (!head_.http_1_1 || head_.has_content_length)) return &problems::k_transfer_encoding;
    return nullptr;
  }

  static Refusal refusal_of(const error_code& ec, std::string_view bytes) {
    using beast_http::error;
    if (ec == error::bad_version) return names_another_version(bytes) ? &problems::k_version : &problems::k_request_line;
    if (ec == error::bad_method) return &problems::k_request_line;
    if (ec == error::bad_target) return &problems::k_target;
    if (ec == error::bad_content_length || ec == error::multiple_content_length) return &problems::k_content_length;
    if (ec == error::bad_transfer_encoding) return &problems::k_transfer_encoding;
    return &problems::k_header;
  }

  // Whether the request line is well formed apart from the version number.
  static bool names_another_version(std::string_view bytes) {
    const auto line = bytes.substr(0, bytes.find("\r\n"));
    if (line.size() < 9 || std::count(line.begin(), line.end(), ' ') != 2) return false;
    const auto version = line.substr(line.size() - 9);
    return version.starts_with(" HTTP/") && is_number(version[6]) && version[7] == '.' && is_number(version[8]);
  }

  void refuse(Refusal refusal, error_code& ec) {
    refusal_ = refusal;
    ec = beast_http::error::bad_value;
  }

  // Never called: put() is called once, for the header alone. Bodies are read without Beast.
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view, error_code&) override { return 0; }
  void on_finish_impl(error_code&) override {}

  Head& head_;
  const ServerOptions& options_;
  Refusal refusal_ = nullptr;
  unsigned hosts_ = 0;
};

}  // namespace

Refusal parse_head(std::string_view bytes, const ServerOptions& options, Head& head) {
  head.clear();
  return HeadParser(head, options).parse(bytes);
}

Refusal too_large(std::string_view bytes, const ServerOptions& options) {
  const auto line = bytes.substr(0, bytes.find('\r'));
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return &problems::k_header_too_large;
  const auto rest = line.substr(space + 1);
  return rest.substr(0, rest.find(' ')).size() > options.target_bytes_max ? &problems::k_target_too_long : &problems::k_header_too_large;
}

}  // namespace holdfast::http
