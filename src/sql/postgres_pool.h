// A bounded number of connections to one database, opened when needed. Any thread.
//
//   pg::Pool pool(settings, {.connections_max = 8});
//   auto connection = pool.take();   // waits for a free one; throws Error if none is free in time, or the server is away
//   connection->query(…);            // goes back when `connection` is destroyed: as new, or thrown away
//
// While the server is down, only one caller at a time tries to connect, after growing, random pauses. The other callers get the error at
// once.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "sql/failure_log.h"
#include "sql/postgres_connection.h"

namespace holdfast::pg {

struct PoolOptions {
  std::size_t connections_max = 8;
  std::chrono::milliseconds patience{5'000};   // for a free connection
  std::chrono::milliseconds pause_first{50};   // after a failed attempt to connect; doubles up to pause_max
  std::chrono::milliseconds pause_max{2'000};
};

struct PoolStats {
  std::size_t open = 0;
  std::size_t busy = 0;
  std::uint64_t connected = 0;   // connections opened since the start
  std::uint64_t failures = 0;   // failed attempts to connect
};

class Pool {
 public:
  // A connection that goes back to the pool when this is destroyed: after a reset(), or not at all if it is no longer usable. So callers
  // need no reset() after an Error unless they go on with the connection. It must not outlive the pool. One thread at a time.
  class Borrowed {
   public:
    Borrowed(Pool& pool, std::unique_ptr<Connection> connection) : pool_(&pool), connection_(std::move(connection)) {}
    ~Borrowed() { give_back(); }
    Borrowed(Borrowed&& other) noexcept = default;
    Borrowed& operator=(Borrowed&&) = delete;
    Connection* operator->() const { return connection_.get(); }
    Connection& operator*() const { return *connection_; }
    // Gives the connection back early. It must not be used afterwards.
    void give_back();

   private:
    Pool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  Pool(Settings settings, PoolOptions options);

  // Waits up to `patience` for a free connection. Throws Error if none became free, or the server cannot be reached.
  Borrowed take();
  // Why the last attempt to connect failed; empty if it succeeded.
  std::string trouble() const;
  PoolStats stats() const;
  const Settings& settings() const { return settings_; }
  // Callers report here when the server fails to do something, and when it works again.
  FailureLog& failures() { return failures_; }

 private:
  using Timer = std::chrono::steady_clock;

  std::unique_ptr<Connection> connect();
  void put(std::unique_ptr<Connection> connection);

  const Settings settings_;
  const PoolOptions options_;
  FailureLog failures_;
  mutable std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<Connection>> free_;
  std::size_t open_ = 0;   // free, borrowed, or connecting
  std::string trouble_;
  bool trying_ = false;   // a caller is trying to reach the server again
  Timer::time_point next_attempt_{};
  std::chrono::milliseconds pause_{0};
  std::minstd_rand jitter_{std::random_device{}()};
  PoolStats stats_;
};

}   // namespace holdfast::pg
