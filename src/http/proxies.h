// Who asks, when there are proxies in between: addresses that trusted proxies tell of their clients.
//
//   TrustedProxies proxies({*read_network("10.0.0.0/8")});
//   proxies.client_of(peer, request);       // the peer, or whom X-Forwarded-For names if the peer is a proxy of ours
//
// What a peer says that is not on the list is ignored: anybody can send a header.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "http/server.h"

namespace holdfast::http {

// An IPv4 address in the form of IPv6 (::ffff:192.0.2.1) as the IPv4 address that it is; any other as it stands.
boost::asio::ip::address plain(const boost::asio::ip::address& address);

// What counts as one client: an IPv4 address, or the /64 that an IPv6 host has for itself.
boost::asio::ip::address one_client(const boost::asio::ip::address& address);

class TrustedProxies {
 public:
  explicit TrustedProxies(std::vector<Network> networks) : networks_(std::move(networks)) {}

  bool empty() const { return networks_.empty(); }
  bool trusts(const boost::asio::ip::address& address) const;
  // The rightmost address of X-Forwarded-For that is not a trusted proxy's, if `peer` is one; else the peer. Where the header cannot be
  // read, the proxy that sent it on counts as the client.
  boost::asio::ip::address client_of(const boost::asio::ip::address& peer, const Request& request) const;

 private:
  std::vector<Network> networks_;
};

// The beginning of a connection by the PROXY protocol, version 1 or 2 (https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt).
inline constexpr std::size_t k_proxy_header_bytes_max = 2'048;   // with what version 2 may append to the addresses

struct ProxyHeader {
  enum class State { needs_more, malformed, complete };
  State state = State::needs_more;
  std::size_t bytes = 0;   // complete: how many of them it was
  std::optional<boost::asio::ip::address> client{};   // complete: nothing when the proxy speaks for itself
};
ProxyHeader read_proxy_header(std::string_view bytes);

}   // namespace holdfast::http
