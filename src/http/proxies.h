// Finds a client's address behind trusted proxies.
//
//   TrustedProxies proxies({*read_network("10.0.0.0/8")});
//   proxies.client_of(peer, request);       // the peer, or the client in X-Forwarded-For if the peer is a trusted proxy
//
// Headers of other peers are ignored, because anybody can send them.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "http/server.h"

namespace holdfast::http {

// Turns an IPv4-mapped IPv6 address (::ffff:192.0.2.1) into the IPv4 address, and returns any other unchanged.
boost::asio::ip::address plain(const boost::asio::ip::address& address);

// The address that stands for a client: an IPv4 address, or the /64 of an IPv6 address.
boost::asio::ip::address one_client(const boost::asio::ip::address& address);

class TrustedProxies {
 public:
  explicit TrustedProxies(std::vector<Network> networks) : networks_(std::move(networks)) {}

  bool empty() const { return networks_.empty(); }
  bool trusts(const boost::asio::ip::address& address) const;
  // If `peer` is a trusted proxy, the rightmost address in X-Forwarded-For that is not one; otherwise the peer. If the header cannot be
  // read, the last proxy before the unreadable part counts as the client.
  boost::asio::ip::address client_of(const boost::asio::ip::address& peer, const Request& request) const;

 private:
  std::vector<Network> networks_;
};

// The header of the PROXY protocol at the beginning of a connection, version 1 or 2 (https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt).
inline constexpr std::size_t k_proxy_header_bytes_max = 2'048;   // including what version 2 may append to the addresses

struct ProxyHeader {
  enum class State { needs_more, malformed, complete };
  State state = State::needs_more;
  std::size_t bytes = 0;   // complete: the header's length
  std::optional<boost::asio::ip::address> client{};   // complete: nullopt if the connection is the proxy's own
};
ProxyHeader read_proxy_header(std::string_view bytes);

}   // namespace holdfast::http
