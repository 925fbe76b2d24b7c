// How far the Kafka feed has come, and payments that were refused, in feed.db beside the journal.
//
//   feed_lease       (store, epoch, holder, until)   -- one row; `until` by the machine's clock that does not jump
//   feed_position    (event, seq)
//   payment_rejected (digest, told, at)
//
// Several processes may have the file open: tests do. Any thread: one connection behind a mutex.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "feed/kafka/ports.h"
#include "sql/sqlite.h"

namespace holdfast::feed::kafka {

class EmbeddedFeedStore : public FeedStore {
 public:
  static std::string file_in(const std::filesystem::path& folder) { return (folder / "feed.db").string(); }
  // What a backup takes along.
  static constexpr const char* k_tables[] = {"feed_lease", "feed_position", "payment_rejected"};

  // Opens the file, or makes it. Throws sqlite::Error, or DataError when it cannot be made.
  explicit EmbeddedFeedStore(const std::string& path);
  ~EmbeddedFeedStore() override;

  std::string id() override;
  Lease take_lease(std::string_view holder, std::chrono::milliseconds time) override;
  void give_up_lease(std::uint64_t epoch) override;
  std::vector<FeedPosition> positions() override;
  bool save(std::uint64_t epoch, std::span<const FeedPosition> positions) override;
  std::string keep_rejection(const PaymentDigest& payment, std::string_view told, Millis at, Millis undoubted_now) override;
  std::optional<std::string> rejection(const PaymentDigest& payment) override;

  // Takes over what a backup has, which is attached as `source`: how far was published by then, and rejections beside those that are known.
  // A file that was made for it also gets the name of the store that the backup is of.
  void restore(bool was_made);
  // These are all the events that there are now, with their last changes: what was published beyond them is forgotten, so that what
  // comes in its place is published. How many events there were. Nobody else works with the file.
  std::size_t go_back_to(const std::map<EventNumber, Seq>& heads);
  sqlite::Database& database() { return *database_; }

 private:
  struct Statements;

  std::mutex mutex_;
  std::unique_ptr<sqlite::Database> database_;
  std::unique_ptr<Statements> statements_;
};

}   // namespace holdfast::feed::kafka
