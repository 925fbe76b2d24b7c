// A range of addresses, as 10.0.0.0/8 or 2001:db8::/32; one address alone is a range of one.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <optional>
#include <string_view>

namespace holdfast::http {

struct Network {
  boost::asio::ip::address base;
  unsigned bits = 0;   // of the base that count
};

// Nothing for what is none.
std::optional<Network> read_network(std::string_view text);

}  // namespace holdfast::http
