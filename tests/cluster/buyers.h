// Customers who insist: threads that hold, lock, extend, buy, return and release a few seats at random through several nodes, and read seats.
// Each command has an Idempotency-Key, and is sent with it again, to the next node, until the answer says what happened.
//
//   Buyers buyers(nodes, events, seed);
//   …                                    // the database goes away, and comes back
//   buyers.stop();                       // returns when every command has such an answer
//   EXPECT_THAT(buyers.complaints(), IsEmpty());
//   EXPECT_THAT(buyers.differences(database.url()), IsEmpty());
//
// So after stop() the buyers know all that happened to the seats: what they were answered must be in the database, and nothing else.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/events.h"
#include "support/server.h"

namespace holdfast::test {

class Sql;

class Buyers {
 public:
  // `events` are new, and nobody else uses them.
  Buyers(const std::vector<std::unique_ptr<Server>>& nodes, std::vector<TestEvent> events, std::uint64_t seed);
  ~Buyers() { stop(); }
  Buyers(const Buyers&) = delete;
  Buyers& operator=(const Buyers&) = delete;

  void stop();

  // Answers that no rule allows, such as a refused release of a hold. At most 20; after stop().
  const std::vector<std::string>& complaints() const { return complaints_; }
  // Waits until the database's tables have all of its journal, and compares reservations and seats with the answers. Each difference is a
  // sentence. After stop().
  std::vector<std::string> differences(const std::string& ledger_url) const;

  std::size_t accepted() const { return accepted_; }
  std::size_t refused() const { return refused_; }
  std::size_t unavailable() const { return unavailable_; }   // answers 503, and requests without an answer
  std::size_t replayed() const { return replayed_; }   // accepted, by an attempt whose answer was lost
  milliseconds slowest() const { return milliseconds{slowest_ms_.load()}; }   // answer, including 503
  // Waits until so many more than now are accepted. False if that takes too long.
  bool goes_on(std::size_t more = 50);

 private:
  // What one hold has come to, for all that its buyer was answered.
  struct Purchase {
    std::string customer;   // of ticket locks: empty
    std::vector<std::string> ids;   // of its reservations, one an event
    std::vector<std::string> seats;   // that it owns now
    std::string status = "active";
    std::string order;
  };
  class Buyer;

  void complain(const std::string& what);
  std::vector<std::string> missing_and_doubled(Sql& sql) const;
  std::vector<std::string> seats_of_others(Sql& sql) const;

  const std::vector<std::unique_ptr<Server>>& nodes_;
  const std::vector<TestEvent> events_;
  const std::string name_ = new_uuid();   // the beginning of keys and customers
  std::atomic<bool> is_over_{false};
  std::atomic<std::size_t> accepted_{0}, refused_{0}, unavailable_{0}, replayed_{0};
  std::atomic<std::int64_t> slowest_ms_{0};
  std::mutex mutex_;
  std::vector<Purchase> purchases_;   // of buyers that have ended
  std::vector<std::string> complaints_;
  std::vector<std::thread> threads_;
};

}   // namespace holdfast::test
