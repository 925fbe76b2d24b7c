// The right of one node at a time to do a job: to relay webhooks, or to publish to Kafka.
//
// Each holder has an epoch, which rises with each new holder. A relay's writes name their epoch, and fail with LeaseLost when it is over.
// So a node that was paused, and does not know yet that another has taken its place, changes nothing. Time is the store's: no node's wall
// clock decides.
//
//   Lease lease(database, k_lease_webhooks);
//   if (const auto epoch = lease.acquire()) {                             // then renew() well within time()
//     FencedTransaction writing(database, k_lease_webhooks, *epoch);
//     writing.send(k_write, …).commit();
//   }
//   lease.release();                                                      // the next node need not wait
//
// It is a row: name, holder, epoch, until. PostgreSQL has holdfast.lease for all leases, by the database's clock. In a folder only feed.db
// has one, by the machine's clock since boot; webhooks need none, because one process has the folder.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "sql/database.h"

namespace holdfast::feed {

inline constexpr const char* k_lease_webhooks = "webhooks";
inline constexpr const char* k_lease_kafka = "kafka";

inline constexpr std::chrono::milliseconds k_lease_time{3'000};
inline constexpr std::chrono::milliseconds k_lease_time_max{300'000};

using Epoch = std::int64_t;

// A write named an epoch that is over.
class LeaseLost : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One thread at a time. Blocks on the database. Throws std::exception if the database does not answer: the outcome is then
// unknown, and a lease that was held stays held until its time is over.
class Lease {
 public:
  // `time`: up to k_lease_time_max. `holder`: 1 to 64 bytes, a name that no other living process has; a process that starts again under it
  // gets the lease back at once. Empty: a random name for each acquire(). `database` must outlive it.
  Lease(sql::Database& database, const char* name, std::chrono::milliseconds time = k_lease_time, std::string holder = {});

  // Takes the lease for time() if nobody has it, its time is over, or a holder of this name has it. Nothing if another holder has
  // it. The same holder's name keeps the epoch; a new one gets the next epoch.
  std::optional<Epoch> acquire();
  // Extends the lease to time() from now, even if its time was over, as long as nobody has taken it. False: another holder has
  // taken it.
  bool renew();
  // Gives the lease back if it is held.
  void release();

  std::chrono::milliseconds time() const { return time_; }
  // The holder after the last acquire().
  const std::string& last_holder() const { return last_holder_; }

 private:
  sql::Database& database_;
  const char* const name_;
  const std::chrono::milliseconds time_;
  const bool has_name_;
  std::string holder_;
  std::string last_holder_;
  std::optional<Epoch> held_;
};

// A transaction that writes only while a lease is in an epoch. Nobody can take the lease before the commit. PostgreSQL needs one
// round trip for all of it.
class FencedTransaction {
 public:
  // Throws LeaseLost, here or in commit(); nothing is written then.
  FencedTransaction(sql::Database& database, const char* lease, Epoch epoch);
  // For a store that needs no lease, because only one process uses it.
  explicit FencedTransaction(sql::Database& database) : transaction_(database.begin()) {}

  FencedTransaction& send(const sql::Statement& statement, const sql::Values& values = {}) {
    transaction_->send(statement, values);
    return *this;
  }
  // The results of the last `wanted` statements.
  std::vector<sql::Result> commit(std::size_t wanted = 0);

 private:
  std::unique_ptr<sql::Transaction> transaction_;
};

}   // namespace holdfast::feed
