// The ledger's own threads, which tell other nodes what was written here, follow what they have written, and keep house.
//
//   teller     collects the numbers of events that this node has written, and sends them by NOTIFY, at most every few milliseconds. It has
//              its own connection, which does not wait for the disk: NOTIFY in a batch's transaction would hold a server-wide lock
//              through the flush
//   follower   LISTENs, and brings replicas up to date. Every second it compares all heads, so a lost notification costs a second. It
//              compares on a connection of the pool, also while LISTEN fails
//   keeper     records expiries of events that no node has loaded, evicts replicas
//   renewer    renews the leases of this node's imports. It is a thread of its own because the keeper may be busy for longer than a lease
//   abandoner  abandons imports of nodes that went away. They may have millions of seats, and nothing else waits for that
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
  // Ends the threads, which use the ledger's pointer to this object. One caller at a time.
  void stop();

  // Tells other nodes that this node has written the event. Any thread; returns at once.
  void announce(EventNumber event);
  // As PostgresLedger::on_news(). Waits until the previous function is no longer being called.
  void on_news(std::function<void()> call);

 private:
  using Milliseconds = std::chrono::milliseconds;

  void tell();
  void follow();
  // Calls `work` once a second, if there is work.
  void keep(void (PostgresLedger::*work)(pg::Connection&), bool (PostgresLedger::*has_work)() = nullptr);
  void follow_events(const std::set<EventNumber>& events);
  std::set<EventNumber> heard(const std::vector<std::string>& notifications) const;
  bool listen(std::unique_ptr<pg::Connection>& connection, std::set<EventNumber>& events);
  std::set<EventNumber> behind();
  // False once the ledger ends.
  bool pause(Milliseconds time);
  bool ended();

  PostgresLedger& ledger_;
  const std::string sender_;   // begins this node's own notifications

  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<EventNumber> to_tell_;
  bool ended_ = false;
  bool is_deaf_ = false;   // of the follower: it has logged that the server refuses LISTEN

  std::mutex news_mutex_;   // held while on_news_ is called
  std::function<void()> on_news_;

  std::thread teller_;
  std::thread follower_;
  std::thread keeper_;
  std::thread renewer_;
  std::thread abandoner_;
};

}   // namespace holdfast
