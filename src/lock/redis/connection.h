// One connection to a Redis server. Every wait on it ends at a deadline.
//
//   auto opened = Connection::open(address, deadline);
//   connection.append({"SET", key, token, "NX", "PX", "30000"});
//   if (!connection.exchange(deadline, [&](std::size_t i, const redisReply& reply) { … })) …connection.error()…
//
// A connection that has failed, or that has not had all its answers in time, is of no further use: what comes late would be taken
// for the next request's answer. Drop it. For one thread at a time. Bytes go through as they are. The process must ignore
// SIGPIPE.
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
  // Connects; `address` has no name (see NameLookup), for looking one up may take longer than the deadline. Or what is wrong.
  static std::expected<std::unique_ptr<Connection>, std::string> open(const Address& address, Deadline deadline);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Adds a command to those that the next exchange() sends.
  void append(std::span<const std::string_view> arguments);
  void append(std::initializer_list<std::string_view> arguments) { append(std::span(arguments.begin(), arguments.size())); }

  // Sends them all, and calls `on_reply` with the number and the answer of each, in order. False when not all were answered by
  // the deadline: then error() says why, and the connection must be dropped.
  bool exchange(Deadline deadline, const std::function<void(std::size_t, const redisReply&)>& on_reply);
  const std::string& error() const { return error_; }

  // For its owner: when it was last of use, and of which set of connections it is.
  Deadline last_used{};
  std::uint64_t generation = 0;

 private:
  explicit Connection(redisContext* context) : context_(context) {}
  bool take_replies(const std::function<void(std::size_t, const redisReply&)>& on_reply, std::size_t& taken);
  bool wait(Deadline deadline, bool to_write);
  bool fail(std::string what);

  redisContext* context_;
  std::size_t appended_ = 0;   // commands since the last exchange
  std::string error_;
};

}   // namespace holdfast::lock
