// One connection to a Redis server. Every wait on it ends at a deadline.
//
//   auto opened = Connection::open(address, deadline);
//   connection.append({"SET", key, token, "NX", "PX", "30000"});
//   if (!connection.exchange(deadline, [&](std::size_t i, const redisReply& reply) { … })) …connection.error()…
//
// Drop a connection that has failed, or has not received all its answers in time: a late answer would be taken for that of the next request.
// One thread at a time. Arguments may be any bytes. The process must ignore SIGPIPE.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lock/redis/url.h"

struct redisContext;
struct redisReply;

namespace holdfast::lock {

using Deadline = std::chrono::steady_clock::time_point;

class Connection {
 public:
  // Connects, or returns what is wrong. `address` must not be a name, because a look-up may take longer than the deadline (see NameLookup).
  static std::expected<std::unique_ptr<Connection>, std::string> open(const Address& address, Deadline deadline);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Adds a command to those that the next exchange() sends.
  void append(std::span<const std::string_view> arguments);
  void append(std::initializer_list<std::string_view> arguments) { append(std::span(arguments.begin(), arguments.size())); }

  // Sends all commands, and calls `on_reply` with the number and the answer of each, in order. False if not all were answered by the deadline:
  // error() then says why, and the connection must be dropped.
  bool exchange(Deadline deadline, const std::function<void(std::size_t, const redisReply&)>& on_reply);
  const std::string& error() const { return error_; }

  // For its owner: when it was last used, and the set of connections that it belongs to.
  Deadline last_used{};
  std::uint64_t generation = 0;

 private:
  explicit Connection(redisContext* context) : context_(context) {}
  bool wait(Deadline deadline, bool to_write);
  bool fail(std::string what);

  redisContext* context_;
  std::size_t appended_ = 0;   // commands since the last exchange
  std::string error_;
};

}   // namespace holdfast::lock
