// The store of the Kafka feed, in SQLite (feed.db, feed_file.h) or in PostgreSQL, where all nodes share it and one of them publishes.
//
//   FeedStore store(std::make_unique<sql::PostgresDatabase>(pool));
//   FeedStore store(open_feed_file(feed_file_in(folder)));
//
// Any thread, several at once. What a call wrote is durable when it returns. Throws DataError and the database's error. In PostgreSQL the
// store's id is the ledger's. The conformance suite is tests/feed/kafka/store_test.cc.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "feed/kafka/ports.h"
#include "feed/lease.h"
#include "sql/database.h"

namespace holdfast::feed::kafka {

inline constexpr std::int64_t k_rejection_days = 90;

// Tests have the virtual calls fail, or count them.
class FeedStore {
 public:
  explicit FeedStore(std::unique_ptr<sql::Database> database) : database_(std::move(database)) {}
  virtual ~FeedStore() = default;

  // The permanent name of this store, 1 to 64 letters, digits and dashes. By this name the relays of one store fence each other
  // in Kafka.
  std::string id();

  // The right to publish, for `holder` (feed/lease.h). The store must outlive it.
  std::unique_ptr<Lease> make_lease(std::string holder, std::chrono::milliseconds time);

  std::vector<FeedPosition> positions();   // of every event that has one
  // Sets all of these positions, or none. Throws LeaseLost if another relay has taken the lease since this epoch; then nothing is
  // saved.
  virtual void save(Epoch epoch, std::span<const FeedPosition> positions);

  // Keeps that a payment was refused, and with which words (`told`). Returns the words of the first call for this digest. So a
  // payment that comes again is refused in the same words, and is never carried out once its money was sent back. Forgets
  // rejections that are more than k_rejection_days old at `undoubted_now`. `at` may be later than that, because the clock may be
  // wrong.
  virtual std::string keep_rejection(const PaymentDigest& payment, std::string_view told, Millis at, Millis undoubted_now);
  // What is kept of each of these payments; nothing where none was refused. One look at the store, however many they are.
  virtual std::vector<std::optional<std::string>> rejections(std::span<const PaymentDigest> payments);
  std::optional<std::string> rejection(const PaymentDigest& payment) { return rejections({&payment, 1}).front(); }

 private:
  const std::unique_ptr<sql::Database> database_;
};

}  // namespace holdfast::feed::kafka
