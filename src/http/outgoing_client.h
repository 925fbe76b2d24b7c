// Requests to servers that other people name: webhooks. This client decides where such a request may go.
//
//   OutgoingClient client(context, {.allow_hosts = {"crm.internal:8080"}});
//   const auto url = parse_outgoing_url("https://example.org/hooks");            // or what is wrong with it
//   const OutgoingAnswer answer = co_await client.post({.url = *url, .headers = …, .body = …});
//
// The client resolves a name once, checks every address that it has, and connects to a checked address. A name server that changes its answer
// in between (DNS rebinding) therefore gains nothing. It does not follow redirects. It verifies certificates and host names. A connection
// serves one request.
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
inline constexpr std::size_t k_outgoing_body_bytes_max = 4 * 1024;   // of an answer; the rest is not read
inline constexpr std::chrono::seconds k_outgoing_resolve_time{5};   // to resolve a name in why_refused()
inline constexpr std::chrono::seconds k_outgoing_body_time{1};   // for an answer's body, once its status is known

struct OutgoingUrl {
  bool tls = true;
  std::string host;   // lower case; an IPv6 address without its brackets
  std::uint16_t port = 443;
  std::string target;   // path and query, at least "/"
};

// Reads an absolute http or https URL of printable ASCII without user, password or fragment. The error names the broken rule.
std::expected<OutgoingUrl, std::string> parse_outgoing_url(std::string_view text);

// Whether an address is one of the public internet: not loopback, private, link-local, unique-local, shared (100.64/10), multicast,
// unspecified, reserved or for documentation, nor an IPv6 form that carries such an IPv4 address.
bool is_public_address(const boost::asio::ip::address& address);

struct OutgoingOptions {
  std::chrono::milliseconds timeout{10'000};   // of a whole request: resolving, connecting, sending, the answer's header
  std::string ca_file{};   // certificates (PEM) to trust in addition to the system's
  std::vector<std::string> allow_hosts{};   // `host` or `host:port`, lower case; allowed even if their addresses are not public
};

struct OutgoingRequest {
  OutgoingUrl url;
  std::vector<std::pair<std::string, std::string>> headers;   // in addition to Host, User-Agent, Content-Type and Content-Length
  std::string body;   // JSON
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();   // applies if it comes before the timeout
};

struct OutgoingAnswer {
  enum class Kind : std::uint8_t { answered, refused, unreachable, timed_out };
  Kind kind = Kind::unreachable;
  unsigned status = 0;   // if answered
  std::string error{};   // otherwise: what went wrong, in words
  std::optional<std::chrono::seconds> retry_after{};   // of an answer, if it is a number of seconds
};

// All members must be called on the context's only thread. Before the client is destroyed, its coroutines must have ended, or have been
// destroyed with the context.
class OutgoingClient {
 public:
  // Throws boost::system::system_error if `ca_file` cannot be read.
  OutgoingClient(boost::asio::io_context& context, OutgoingOptions options);
  ~OutgoingClient();

  // Never throws for a fault of a network or a server.
  boost::asio::awaitable<OutgoingAnswer> post(OutgoingRequest request);

  // Why a request to this URL would not be sent at the moment, as a sentence; empty if it would be sent.
  boost::asio::awaitable<std::string> why_refused(OutgoingUrl url);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}   // namespace holdfast::http
