// A range of addresses, such as 10.0.0.0/8 or 2001:db8::/32. A single address is a range of one.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <optional>
#include <string_view>

namespace holdfast::http {

struct Network {
  boost::asio::ip::address base;
  unsigned bits = 0;   // length of the prefix
};

// nullopt if `text` is not an address or a range.
std::optional<Network> read_network(std::string_view text);

}  // namespace holdfast::http
