// The URL of a Redis lock.
//
//   redis://[user[:password]@]host[:6379][/database]
//   redis-sentinel://[user[:password]@]host[:26379][,host[:26379]…]/master[/database]
//
// User and password are percent-encoded where necessary. IPv6 addresses are in brackets.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::lock {

struct Address {
  std::string host;
  std::uint16_t port = 0;
  bool operator==(const Address&) const = default;
};
std::string to_string(const Address& address);

struct RedisUrl {
  std::vector<Address> servers;   // one server; with Sentinel, the servers to ask for the master, in this order
  std::string master{};           // Sentinel's name for the master; empty: a single server
  std::string user{};             // empty: Redis' default user
  std::string password{};         // for the Redis servers, not for Sentinel; empty: none
  std::uint32_t database = 0;

  bool is_sentinel() const { return !master.empty(); }
  // The URL without user and password, for logs.
  std::string shown() const;
};

// The error says what is wrong without repeating the text, which may contain a password.
std::expected<RedisUrl, std::string> parse_redis_url(std::string_view text);

}  // namespace holdfast::lock
