// How far the Kafka feed has come, and payments that were refused, in PostgreSQL: shared by all nodes, of which one publishes.
//
// The lease is the row pg::k_lease_kafka of holdfast.lease (feed/postgres_lease.h), its time the database's. Positions are saved in one transaction that
// begins with a look at the epoch, and nobody can take the lease between that look and the commit. The store's id is the ledger's.
//
// Throws pg::Error. `pool` must outlive it; a pool that the ledger's batches do not wait for.
#pragma once

#include "feed/kafka/ports.h"
#include "sql/postgres_pool.h"

namespace holdfast::feed::kafka {

class PostgresFeedStore final : public FeedStore {
 public:
  explicit PostgresFeedStore(pg::Pool& pool) : pool_(pool) {}

  std::string id() override;
  Lease take_lease(std::string_view holder, std::chrono::milliseconds time) override;
  void give_up_lease(std::uint64_t epoch) override;
  std::vector<FeedPosition> positions() override;
  bool save(std::uint64_t epoch, std::span<const FeedPosition> positions) override;
  std::string keep_rejection(const PaymentDigest& payment, std::string_view told, Millis at, Millis undoubted_now) override;
  std::optional<std::string> rejection(const PaymentDigest& payment) override;

 private:
  pg::Pool& pool_;
};

}   // namespace holdfast::feed::kafka
