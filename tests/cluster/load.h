// Customers who never stop: threads that reserve seats of one event through all nodes, release some, and remember every answer. A
// request without an answer, or with a 503, is repeated with the same Idempotency-Key at another node until it is answered.
//
//   Load load(cluster, event);
//   cluster.postgres().restart_immediately();
//   load.stop();                         // returns when all are answered
//   load.expect_kept(client);            // all that was answered is there
//
// A table of owners checks all the time that no seat ever has two: a winner enters itself after its answer has come, and removes
// itself before it asks to release the seat.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/nodes.h"

namespace holdfast::test {

class Load {
 public:
  // `which`: only through these nodes; empty: through all.
  Load(Nodes& nodes, const TestEvent& event, std::vector<std::size_t> which = {}, std::size_t threads = 6);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  void stop();
  // Asks about all reservations that were answered and not released, and about all seats. Call after stop().
  void expect_kept(Client& client);

  std::vector<std::string> reservations() const;   // answered and not released; after stop()

  std::size_t accepted() const { return accepted_; }
  std::size_t refused() const { return refused_; }
  std::size_t unavailable() const { return unavailable_; }   // answered 503
  std::size_t lost() const { return lost_; }   // connections
  std::size_t without_retry_after() const { return without_retry_after_; }   // answered 503 without it
  milliseconds slowest() const { return milliseconds{slowest_ms_.load()}; }
  // Waits until so many more than now are accepted. False if that takes too long.
  bool goes_on(std::size_t more = 50, milliseconds patience = 3 * k_patience);

 private:
  struct Owned {
    std::string reservation;
    std::string customer;
  };

  void work(std::size_t number);
  // Sends until the answer is not a 503, through the nodes in turn.
  Answer insist(std::size_t& node, std::string_view target, const std::string& body, const std::string& key);
  void reserve_one(std::size_t number, std::size_t& node, std::size_t seat, const std::string& key);
  void give_back(std::size_t& node, std::size_t seat, const std::string& key);
  void complain(const std::string& what);

  Nodes& nodes_;
  const TestEvent event_;
  const std::string name_ = new_uuid();   // the beginning of its keys, so that another load of the same event has other keys
  std::vector<std::size_t> which_;
  std::atomic<bool> is_over_{false};
  std::atomic<std::size_t> accepted_{0}, refused_{0}, unavailable_{0}, lost_{0}, without_retry_after_{0};
  std::atomic<std::int64_t> slowest_ms_{0};
  std::mutex mutex_;
  std::map<std::size_t, Owned> owned_;   // by seat
  std::vector<std::string> complaints_;
  std::vector<std::thread> threads_;
};

}   // namespace holdfast::test
