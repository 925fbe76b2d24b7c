// A bounded number of connections to one database, made when they are needed. Any thread.
//
//   pg::Pool pool(settings, {.connections_max = 8});
//   auto lease = pool.take();          // waits for a free one; throws Error when there is none in time, or the server is away
//   lease->query(…);                   // goes back when the lease ends: as new, or thrown away
//
// While the server is away only one caller tries it now and then, after pauses that grow and differ from node to node; the others are told at once.
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
  std::chrono::milliseconds pause_first{50};   // after a failed attempt to connect; doubles, up to …
  std::chrono::milliseconds pause_max{2'000};
};

struct PoolStats {
  std::size_t open = 0;
  std::size_t busy = 0;
  std::uint64_t connected = 0;   // connections made since the start
  std::uint64_t failures = 0;   // attempts that failed
};

class Pool {
 public:
  class Lease {
   public:
    Lease(Pool& pool, std::unique_ptr<Connection> connection) : pool_(&pool), connection_(std::move(connection)) {}
    ~Lease() { give_back(); }
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    Connection* operator->() const { return connection_.get(); }
    Connection& operator*() const { return *connection_; }
    void give_back();

   private:
    Pool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  Pool(Settings settings, PoolOptions options);

  Lease take();
  // Why the server could not be reached at the last attempt; empty when it was.
  std::string trouble() const;
  PoolStats stats() const;
  const Settings& settings() const { return settings_; }
  // Where those who use its connections say what the server did not do, and that it does.
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
  std::size_t open_ = 0;   // free, leased, or being made
  std::string trouble_;
  bool trying_ = false;   // somebody tries a server that was away
  Timer::time_point next_attempt_{};
  std::chrono::milliseconds pause_{0};
  std::minstd_rand jitter_{std::random_device{}()};
  PoolStats stats_;
};

}   // namespace holdfast::pg
