// The store of the Kafka feed, in SQLite (feed.db, feed_file.h) or in PostgreSQL, where all nodes share it and one of them publishes.
//
//   SqlFeedStore store(std::make_unique<sql::PostgresDatabase>(pool));
//   SqlFeedStore store(open_feed_file(feed_file_in(folder)));
//
// Throws DataError and the database's error. In PostgreSQL the store's id is the ledger's.
#pragma once

#include <memory>

#include "feed/kafka/ports.h"
#include "sql/database.h"

namespace holdfast::feed::kafka {

class SqlFeedStore : public FeedStore {
 public:
  explicit SqlFeedStore(std::unique_ptr<sql::Database> database) : database_(std::move(database)) {}

  std::string id() override;
  std::unique_ptr<Lease> make_lease(std::string holder, std::chrono::milliseconds time) override;
  std::vector<FeedPosition> positions() override;
  void save(Epoch epoch, std::span<const FeedPosition> positions) override;
  std::string keep_rejection(const PaymentDigest& payment, std::string_view told, Millis at, Millis undoubted_now) override;
  std::vector<std::optional<std::string>> rejections(std::span<const PaymentDigest> payments) override;

 private:
  const std::unique_ptr<sql::Database> database_;
};

}  // namespace holdfast::feed::kafka
