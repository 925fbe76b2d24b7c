// Requests that this program makes of servers that somebody else named: webhooks. Where such a request may go is decided here.
//
//   OutgoingClient client(context, {.allow_hosts = {"crm.internal:8080"}});
//   const auto url = parse_outgoing_url("https://example.org/hooks");            // or why not
//   const OutgoingAnswer answer = co_await client.post({.url = *url, .headers = …, .body = …});
//
// A name is resolved once, every address that it has is checked, and the connection is made to a checked address: an answer of the
// name server that changes in between (DNS rebinding) gains nothing. Redirects are not followed. Certificates and host names are
// verified. A connection serves one request.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::http {

inline constexpr std::size_t k_outgoing_url_bytes_max = 2'048;
inline constexpr std::size_t k_outgoing_header_bytes_max = 16 * 1024;   // of an answer
inline constexpr std::size_t k_outgoing_body_bytes_max = 4 * 1024;      // of an answer; the rest is not read
inline constexpr std::chrono::seconds k_outgoing_resolve_time{5};       // for resolving a name when it is only looked at
inline constexpr std::chrono::seconds k_outgoing_body_time{1};          // for the body of an answer whose status is known

struct OutgoingUrl {
  bool tls = true;
  std::string host;       // lower case; an IPv6 address without its brackets
  std::uint16_t port = 443;
  std::string target;     // path and query, at least "/"
};

// An absolute http or https URL of printable ASCII, with no user, password or fragment; otherwise one sentence that names the rule.
std::expected<OutgoingUrl, std::string> parse_outgoing_url(std::string_view text);

// Whether an address is one of the public internet: not loopback, private, link-local, unique-local, shared (100.64/10), multicast,
// unspecified, reserved or for documentation, nor an IPv6 form that carries such an IPv4 address.
bool is_public_address(const boost::asio::ip::address& address);

struct OutgoingOptions {
  std::chrono::milliseconds timeout{10'000};   // of a whole request: resolving, connecting, sending, the answer's header
  std::string ca_file{};                       // certificates (PEM) to trust beside the system's
  std::vector<std::string> allow_hosts{};      // `host` or `host:port`, lower case: may be called whatever their addresses are
};

struct OutgoingRequest {
  OutgoingUrl url;
  std::vector<std::pair<std::string, std::string>> headers;   // beside Host, User-Agent, Content-Type and Content-Length
  std::string body;                                           // JSON
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();   // if it is before the timeout
};

struct OutgoingAnswer {
  enum class Kind : std::uint8_t { answered, refused, unreachable, timed_out };
  Kind kind = Kind::unreachable;
  unsigned status = 0;                                // when it is answered
  std::string error{};                                // otherwise: what went wrong, for people
  std::optional<std::chrono::seconds> retry_after{};  // of an answer, when it is a number of seconds
};

// All members on the context's thread, which must be one. Coroutines must have ended, or have been destroyed with the context, before
// the client is.
class OutgoingClient {
 public:
  // Throws boost::system::system_error when `ca_file` cannot be read.
  OutgoingClient(boost::asio::io_context& context, OutgoingOptions options);
  ~OutgoingClient();

  // Never throws for what a network or a server can cause.
  boost::asio::awaitable<OutgoingAnswer> post(OutgoingRequest request);

  // Why a request to this URL would not be made, as of now: one sentence. Empty when it would be.
  boost::asio::awaitable<std::string> why_refused(OutgoingUrl url);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast::http
