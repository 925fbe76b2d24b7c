// Where a Redis lock's server is, as its URL says.
//
//   redis://[user[:password]@]host[:6379][/database]
//   redis-sentinel://[user[:password]@]host[:26379][,host[:26379]…]/master[/database]
//
// User and password are percent-encoded where they must be. IPv6 addresses stand in brackets.
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
  std::vector<Address> servers;   // one; of Sentinel, those that are asked for the master, in this order
  std::string master{};           // Sentinel's name of it; empty: a single server
  std::string user{};             // empty: Redis' default user
  std::string password{};         // empty: none. Of the Redis servers, not of Sentinel
  std::uint32_t database = 0;

  bool is_sentinel() const { return !master.empty(); }
  // The URL without user and password, for logs.
  std::string shown() const;
};

// Or what is wrong with the text, without repeating it: it may hold a password.
std::expected<RedisUrl, std::string> parse_redis_url(std::string_view text);

}  // namespace holdfast::lock
