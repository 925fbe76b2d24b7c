#include "http/outgoing_client.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <span>

#include "core/decimal.h"
#include "http/address_lookup.h"
#include "http/beast.h"

namespace holdfast::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using Deadline = std::chrono::steady_clock::time_point;

constexpr auto k_tuple = asio::as_tuple(asio::use_awaitable);

struct Network {
  std::uint32_t prefix;
  unsigned bits;
};

// IPv4 networks that are not the public internet (IANA's registry of special-purpose addresses).
constexpr std::array<Network, 15> k_special_networks{{
    {0x00000000, 8},    // this network
    {0x0A000000, 8},    // private
    {0x64400000, 10},   // shared by carriers
    {0x7F000000, 8},    // loopback
    {0xA9FE0000, 16},   // link-local
    {0xAC100000, 12},   // private
    {0xC0000000, 24},   // protocol assignments
    {0xC0000200, 24},   // documentation
    {0xC0586300, 24},   // 6to4 relays
    {0xC0A80000, 16},   // private
    {0xC6120000, 15},   // benchmarks
    {0xC6336400, 24},   // documentation
    {0xCB007100, 24},   // documentation
    {0xE0000000, 4},    // multicast
    {0xF0000000, 4},    // reserved, and broadcast
}};

bool is_public_v4(std::uint32_t address) {
  return std::ranges::none_of(k_special_networks, [&](const Network& each) { return (address ^ each.prefix) >> (32 - each.bits) == 0; });
}

std::uint32_t v4_at(const asio::ip::address_v6::bytes_type& bytes, std::size_t at) {
  return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 | std::uint32_t{bytes[at + 2]} << 8 | bytes[at + 3];
}

bool begins(const asio::ip::address_v6::bytes_type& bytes, std::initializer_list<std::uint8_t> prefix) {
  return std::equal(prefix.begin(), prefix.end(), bytes.begin());
}

bool is_public_v6(const asio::ip::address_v6::bytes_type& bytes) {
  if (begins(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF})) return is_public_v4(v4_at(bytes, 12));   // ::ffff:0:0/96, IPv4-mapped
  if (begins(bytes, {0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) return is_public_v4(v4_at(bytes, 12));   // 64:ff9b::/96, NAT64
  if ((bytes[0] & 0xE0) != 0x20) return false;   // only 2000::/3 is assigned
  if (begins(bytes, {0x20, 0x02})) return is_public_v4(v4_at(bytes, 2));   // 2002::/16, 6to4
  if (begins(bytes, {0x20, 0x01}) && bytes[2] < 0x02) return false;   // 2001::/23, Teredo and other protocols
  if (begins(bytes, {0x20, 0x01, 0x0D, 0xB8})) return false;   // documentation
  return !(begins(bytes, {0x3F, 0xFF}) && bytes[2] < 0x10);   // 3fff::/20, documentation
}

OutgoingAnswer failed(OutgoingAnswer::Kind kind, std::string error) { return {.kind = kind, .error = std::move(error)}; }

OutgoingAnswer failed_at(const char* doing, const boost::system::error_code& error) {
  if (error == beast::error::timeout) return failed(OutgoingAnswer::Kind::timed_out, std::string("it took too long to ") + doing);
  return failed(OutgoingAnswer::Kind::unreachable, std::string("could not ") + doing + ": " + error.message());
}

std::string authority_of(const OutgoingUrl& url) {
  const std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  return url.port == (url.tls ? 443 : 80) ? host : host + ":" + std::to_string(url.port);
}

using Request = beast::http::request<beast::http::string_body>;

Request request_of(OutgoingRequest& request) {
  Request message(beast::http::verb::post, request.url.target, 11);
  message.set(beast::http::field::host, authority_of(request.url));
  message.set(beast::http::field::user_agent, "holdfast");
  message.set(beast::http::field::content_type, "application/json");
  message.set(beast::http::field::connection, "close");
  for (const auto& [name, value] : request.headers) message.set(name, value);
  message.body() = std::move(request.body);
  message.prepare_payload();
  return message;
}

std::optional<std::chrono::seconds> seconds_of(std::string_view text) {
  const auto seconds = parse_decimal<std::uint32_t>(text);
  return seconds ? std::optional(std::chrono::seconds(*seconds)) : std::nullopt;
}

using Parser = beast::http::response_parser<beast::http::buffer_body>;

// Reads an answer's header, of k_outgoing_header_bytes_max bytes at most. Beast's own async_read_some returns only when the header is complete,
// and its limit holds for what the parser has not taken yet: a header whose pieces it takes could be as long as the time allows.
template <typename Stream>
asio::awaitable<boost::system::error_code> read_header(Stream& stream, beast::flat_buffer& buffer, Parser& parser) {
  for (std::size_t taken = 0; !parser.is_header_done();) {
    const std::size_t room = k_outgoing_header_bytes_max - taken - buffer.size();
    auto [error, read] = co_await stream.async_read_some(buffer.prepare(room), k_tuple);
    buffer.commit(read);
    if (error == asio::error::eof) {
      if (!parser.got_some()) co_return beast::http::error::end_of_stream;
      error = {};
      parser.put_eof(error);
    } else if (!error) {
      const std::size_t used = parser.put(buffer.data(), error);
      buffer.consume(used);
      taken += used;
    }
    if (error && error != beast::http::error::need_more) co_return error;
    // Without its end the header has one more byte at least.
    if (!parser.is_header_done() && taken + buffer.size() >= k_outgoing_header_bytes_max) co_return beast::http::error::header_limit;
  }
  co_return boost::system::error_code();
}

// Sends on a connected stream and reads the answer. Once the header has arrived, the status counts even if the body fails.
template <typename Stream>
asio::awaitable<OutgoingAnswer> exchange(Stream& stream, beast::tcp_stream& wire, const Request& message) {
  auto [not_sent, sent] = co_await beast::http::async_write(stream, message, k_tuple);
  if (not_sent) co_return failed_at("send the request", not_sent);
  beast::flat_buffer buffer(k_outgoing_header_bytes_max);
  Parser parser;
  parser.header_limit(static_cast<std::uint32_t>(k_outgoing_header_bytes_max));
  parser.body_limit(boost::none);
  if (const boost::system::error_code not_read = co_await read_header(stream, buffer, parser); not_read) {
    co_return failed_at("read the answer", not_read);
  }
  OutgoingAnswer answer{.kind = OutgoingAnswer::Kind::answered, .status = parser.get().result_int()};
  answer.retry_after = seconds_of(parser.get()[beast::http::field::retry_after]);
  if (parser.is_done()) co_return answer;
  // Closing at once would reset the connection of a server that is still writing.
  std::array<char, k_outgoing_body_bytes_max> body;
  parser.get().body().data = body.data();
  parser.get().body().size = body.size();
  wire.expires_after(k_outgoing_body_time);
  co_await beast::http::async_read(stream, buffer, parser, k_tuple);
  co_return answer;
}

}   // namespace

std::expected<OutgoingUrl, std::string> parse_outgoing_url(std::string_view text) {
  if (text.empty() || text.size() > k_outgoing_url_bytes_max) {
    return std::unexpected("must be a URL of 1 to " + std::to_string(k_outgoing_url_bytes_max) + " bytes");
  }
  if (!std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F && c != '\\' && c != '"' && c != '<' && c != '>'; })) {
    return std::unexpected("must be a URL of printable ASCII characters; percent-encode all others");
  }
  OutgoingUrl url;
  if (text.starts_with("http://")) {
    url.tls = false;
    url.port = 80;
  } else if (!text.starts_with("https://")) {
    return std::unexpected("must begin with https:// or http://");
  }
  text.remove_prefix(url.tls ? 8 : 7);
  if (text.find('#') != std::string_view::npos) return std::unexpected("must not have a fragment (#)");
  const std::string_view authority = text.substr(0, text.find_first_of("/?"));
  url.target = text.substr(authority.size());
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  if (authority.find('@') != std::string_view::npos) return std::unexpected("must not have a user or a password; use the signature");
  const std::size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
  if (bracket == std::string_view::npos) return std::unexpected("has an IPv6 address without its closing bracket");
  const std::size_t colon = authority.find(':', bracket);
  std::string_view host = authority.substr(0, colon);
  if (colon != std::string_view::npos) {
    url.port = parse_decimal<std::uint16_t>(authority.substr(colon + 1)).value_or(0);
    if (url.port == 0) return std::unexpected("must have a port from 1 to 65535, or none");
  }
  if (bracket != 0) {
    boost::system::error_code error;
    if (bracket + 1 != host.size()) return std::unexpected("must have nothing between its IPv6 address and its port");
    host = host.substr(1, host.size() - 2);
    asio::ip::make_address_v6(host, error);
    if (error || host.find('%') != std::string_view::npos) return std::unexpected("has an invalid IPv6 address");
  } else if (host.empty() || host.size() > 253 ||
             !std::ranges::all_of(host, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_'; })) {
    return std::unexpected("must have a host of letters, digits, dots and hyphens");
  }
  url.host = host;
  std::ranges::transform(url.host, url.host.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return url;
}

bool is_public_address(const asio::ip::address& address) {
  return address.is_v4() ? is_public_v4(address.to_v4().to_uint()) : is_public_v6(address.to_v6().to_bytes());
}

struct OutgoingClient::Impl {
  // The addresses of a host that may be connected to, or why there are none.
  struct Found {
    std::vector<tcp::endpoint> addresses;
    std::optional<OutgoingAnswer> failure;
  };

  Impl(asio::io_context& io, OutgoingOptions given)
      : context(io), lookup(io), options(std::move(given)), tls(asio::ssl::context::tls_client) {
    tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
    tls.set_default_verify_paths();
    if (!options.ca_file.empty()) tls.load_verify_file(options.ca_file);
    tls.set_verify_mode(asio::ssl::verify_peer);
  }

  bool is_allowed_by_name(const OutgoingUrl& url) const {
    const std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
    const std::string with_port = host + ":" + std::to_string(url.port);
    return std::ranges::any_of(options.allow_hosts,
                               [&](const std::string& each) { return each == with_port || each == host || each == url.host; });
  }

  asio::awaitable<Found> find(const OutgoingUrl& url, Deadline deadline) {
    using Kind = OutgoingAnswer::Kind;
    FoundAddresses found = co_await lookup.find(url.host, url.port, deadline);
    if (found.kind == FoundAddresses::Kind::timed_out) {
      co_return Found{{}, failed(Kind::timed_out, "it took too long to find the address of " + url.host)};
    }
    if (found.kind == FoundAddresses::Kind::failed) {
      co_return Found{{}, failed(Kind::unreachable, "could not find the address of " + url.host + ": " + found.error.message())};
    }
    if (!is_allowed_by_name(url)) {
      for (const tcp::endpoint& each : found.endpoints) {
        if (is_public_address(each.address())) continue;
        co_return Found{{},
                        failed(Kind::refused, url.host + " has the address " + each.address().to_string() +
                                                  ", which is not public, and webhooks.allow_hosts does not name it")};
      }
    }
    co_return Found{std::move(found.endpoints), std::nullopt};
  }

  asio::awaitable<OutgoingAnswer> send(OutgoingRequest request) {
    const Deadline deadline = std::min(std::chrono::steady_clock::now() + options.timeout, request.deadline);
    Found found = co_await find(request.url, deadline);
    if (found.failure) co_return std::move(*found.failure);
    const OutgoingUrl url = request.url;
    const Request message = request_of(request);
    beast::tcp_stream wire(context);
    wire.expires_at(deadline);
    auto [not_connected, peer] = co_await wire.async_connect(found.addresses, k_tuple);
    if (not_connected) co_return failed_at("connect", not_connected);
    if (!url.tls) co_return co_await exchange(wire, wire, message);
    asio::ssl::stream<beast::tcp_stream> stream(std::move(wire), tls);
    boost::system::error_code literal;
    asio::ip::make_address(url.host, literal);
    if (literal && SSL_set_tlsext_host_name(stream.native_handle(), url.host.c_str()) != 1) {
      co_return failed(OutgoingAnswer::Kind::unreachable, "the host's name cannot be sent in TLS");
    }
    stream.set_verify_callback(asio::ssl::host_name_verification(url.host));
    auto [no_handshake] = co_await stream.async_handshake(asio::ssl::stream_base::client, k_tuple);
    if (no_handshake) co_return failed_at("agree on TLS", no_handshake);
    co_return co_await exchange(stream, stream.next_layer(), message);
  }

  asio::io_context& context;
  AddressLookup lookup;
  OutgoingOptions options;
  asio::ssl::context tls;
};

OutgoingClient::OutgoingClient(asio::io_context& context, OutgoingOptions options)
    : impl_(std::make_unique<Impl>(context, std::move(options))) {}

OutgoingClient::~OutgoingClient() = default;

asio::awaitable<OutgoingAnswer> OutgoingClient::post(OutgoingRequest request) { return impl_->send(std::move(request)); }

asio::awaitable<std::string> OutgoingClient::why_refused(OutgoingUrl url) {
  const Impl::Found found = co_await impl_->find(url, std::chrono::steady_clock::now() + k_outgoing_resolve_time);
  co_return found.failure ? found.failure->error : std::string();
}

}   // namespace holdfast::http
