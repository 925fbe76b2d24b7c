// Seat locks in Redis: one server, or a master that Sentinel names. No cluster, no TLS.
//
//   RedisLock seat_lock({.url = parse_redis_url("redis://127.0.0.1:6379").value(), .connections = 1});
//   seat_lock.wait_until_up(std::chrono::seconds(1));   // optional
//
// acquire() is one pipeline of `SET key token NX PX 30000`. release() is one pipeline of scripts that compare and delete, at most 1,000 keys
// each.
//
// A background thread opens, probes and closes connections. A caller takes an idle one, waits for one no longer than its deadline, and drops
// it if it fails. A circuit breaker (breaker.h) keeps callers from waiting for a server that is away.
//
// The background thread retries locks that may have been granted and could not be released in time (leftovers): once there is a connection,
// and again a second later, because the server may have read our request late. It keeps at most 100,000 of them.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "lock/redis/breaker.h"
#include "lock/redis/connection.h"
#include "lock/redis/name_lookup.h"
#include "lock/redis/url.h"
#include "lock/seat_lock.h"

namespace holdfast::lock {

struct RedisOptions {
  RedisUrl url;
  // For a whole round trip of up to 10,000 locks, with the wait for a connection. Each further 10,000 locks add as much again.
  std::chrono::milliseconds deadline{50};
  std::chrono::milliseconds ttl{30'000};   // the contract's
  std::size_t connections = 1;   // one for each thread that locks
  Breaker::Options breaker{};
};

class RedisLock final : public SeatLock {
 public:
  explicit RedisLock(RedisOptions options);
  // Ends the background thread, which may take one deadline if it waits for a server. Leaves look-ups of names behind.
  ~RedisLock() override;

  void acquire(std::span<KeyLock> key_locks) override;
  void release(std::span<const KeyLock> key_locks) override;
  Health health() const override;
  Stats stats() const override;

  // False if no connection was up in time; the background thread keeps trying.
  bool wait_until_up(std::chrono::milliseconds patience);

 private:
  using Timer = std::chrono::steady_clock;
  using ConnectionPtr = std::unique_ptr<Connection>;
  struct Leftover {
    KeyLock key_lock;
    bool tried = false;   // a server has answered on it
  };

  // Callers.
  Deadline deadline_for(std::size_t key_locks) const;
  ConnectionPtr take(Deadline deadline);
  void give_back(ConnectionPtr connection, const std::string& problem);
  std::string ask_to_release(Connection& connection, std::span<const KeyLock* const> key_locks, Deadline deadline,
                             std::vector<bool>& answered, std::uint64_t& deleted) const;
  void keep_leftovers(std::span<const KeyLock* const> key_locks, const std::vector<bool>& answered);

  // The background thread.
  void run();
  void connect(std::unique_lock<std::mutex>& lock, bool is_probe);
  void check_idle(std::unique_lock<std::mutex>& lock);
  void release_leftovers(std::unique_lock<std::mutex>& lock);
  std::expected<ConnectionPtr, std::string> open();
  std::expected<ConnectionPtr, std::string> open_server(const Address& address, Deadline deadline);
  std::expected<Address, std::string> ask_sentinel(const Address& sentinel, Deadline deadline);
  std::expected<ConnectionPtr, std::string> reach(const Address& address, Deadline deadline);
  std::string check(Connection& connection, Deadline deadline) const;
  void note_failure(const std::string& problem);
  void note_recovery();
  void drop_idle();

  const RedisOptions options_;
  const std::string ttl_text_;
  const std::string script_sha_;

  mutable std::mutex mutex_;
  std::condition_variable idle_wake_;   // callers wait for a connection
  std::condition_variable background_wake_;
  std::vector<ConnectionPtr> idle_;
  std::size_t open_ = 0;   // idle and in use, of this generation
  std::uint64_t generation_ = 1;   // raised when all earlier connections must not be used again
  Breaker breaker_;
  std::deque<Leftover> leftovers_;
  Deadline leftovers_due_{};
  std::string problem_;   // the last problem; empty if there is none
  bool is_away_ = false;   // and the log says so
  bool stopping_ = false;
  Stats stats_;

  std::stop_source stop_;   // interrupts waits of the background thread outside the mutex
  NameLookup names_;   // used by the background thread only
  std::thread background_;
};

}   // namespace holdfast::lock
