// The ledger's own threads: they tell other nodes of what was written here, follow what was written there, and keep house.
//
//   teller     gathers the numbers of events that this node has written, and sends them by NOTIFY, at most every few milliseconds, on a
//              connection that does not wait for the disk: a NOTIFY in the batches' own transactions would hold a lock of the whole cluster
//   follower   LISTENs, and brings replicas up to date; every second it compares all heads, so that a lost notification costs a second. It
//              compares on a connection of the pool, also while LISTEN fails
//   keeper     expiries of events that nobody serves, eviction
//   renewer    leases of this node's imports, by itself: the keeper may be busy for longer than a lease
//   abandoner  imports of nodes that went away: they may have millions of seats, for which nothing else waits
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "ledger/postgres/postgres_ledger.h"

namespace holdfast {

class PostgresLedger::Follower {
 public:
  explicit Follower(PostgresLedger& ledger);
  ~Follower();
  // Ends its threads, which use the ledger's pointer to this. No more than once at a time.
  void stop();

  void announce(EventNumber event);
  // Waits for a call of the one before.
  void on_news(std::function<void()> call);

 private:
  using Milliseconds = std::chrono::milliseconds;

  void tell();
  void follow();
  // Does this every second in which there is work.
  void keep(void (PostgresLedger::*work)(pg::Connection&), bool (PostgresLedger::*has_work)() = nullptr);
  void follow_events(const std::set<EventNumber>& events);
  std::set<EventNumber> heard(const std::vector<std::string>& notifications) const;
  bool listen(std::unique_ptr<pg::Connection>& connection, std::set<EventNumber>& events);
  std::set<EventNumber> behind();
  // False when the ledger ends.
  bool pause(Milliseconds time);
  bool ended();

  PostgresLedger& ledger_;
  const std::string sender_;   // what this node's own notifications begin with

  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<EventNumber> to_tell_;
  bool ended_ = false;
  bool is_deaf_ = false;   // the follower's: it has said that notifications are not heard

  std::mutex news_mutex_;   // held through a call of it
  std::function<void()> on_news_;

  std::thread teller_;
  std::thread follower_;
  std::thread keeper_;
  std::thread renewer_;
  std::thread abandoner_;
};

}   // namespace holdfast
