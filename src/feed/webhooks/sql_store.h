// The store of webhooks: endpoints, their queues and their dead messages, in SQLite (registry.db, webhook_file.h) or in PostgreSQL, where
// all nodes share them.
//
//   webhook_endpoint   an endpoint and its position
//   webhook_message    died_at NULL: in the queue. Of a group only the first has a next_at; the others have k_never until it is their turn
//
// In PostgreSQL a write of an endpoint's messages locks its row first, so a relay that settles one and a call that revives others do not
// cross. A relay's write is done only while the lease k_lease_webhooks is in the relay's epoch: one transaction, one round trip. In a file
// there is no lease, and the epoch is ignored.
//
//   SqlWebhookStore store(std::make_unique<sql::PostgresDatabase>(pool));
//   SqlWebhookStore store(open_webhook_file(webhook_file_in(folder)));
//
// Throws the database's error.
#pragma once

#include <atomic>
#include <memory>

#include "feed/webhooks/ports.h"
#include "sql/database.h"

namespace holdfast::feed {

class SqlWebhookStore : public WebhookStore {
 public:
  explicit SqlWebhookStore(std::unique_ptr<sql::Database> database) : database_(std::move(database)) {}

  Made create(Endpoint& endpoint, const CallKey& key) override;
  std::vector<EndpointReport> list() override;
  std::optional<EndpointReport> find(const Uuid& id) override;
  bool change(const Uuid& id, const std::function<void(Endpoint&)>& change) override;
  Changed change_once(const Uuid& id, const CallKey& key, const std::function<void(Endpoint&)>& change) override;
  bool remove(const Uuid& id) override;
  std::int64_t revision() override;

  void save(Epoch epoch, const Uuid& id, const Progress& progress) override;
  bool disable(Epoch epoch, const Uuid& id, std::string_view url, std::string_view because) override;

  std::vector<bool> enqueue(Epoch epoch, const Uuid& id, std::span<const QueuedMessage> messages) override;
  QueueSummary queue(const Uuid& id) override;
  std::vector<std::string> due_groups(const Uuid& id, Millis now, std::size_t limit) override;
  Millis next_due(const Uuid& id, Millis now) override;
  std::vector<QueuedMessage> of_group(const Uuid& id, std::string_view group, std::size_t limit) override;
  void settle(Epoch epoch, const Uuid& id, std::int64_t number, Millis now) override;
  void postpone(Epoch epoch, const Uuid& id, std::int64_t number, unsigned attempts, Millis next_at, std::string_view error) override;
  void complete(Epoch epoch, const Uuid& id, std::int64_t number, ChangeKind kind, std::string_view body) override;
  void bury(Epoch epoch, const Uuid& id, std::int64_t number, unsigned attempts, Millis now, std::string_view error,
            std::size_t dead_max) override;

  std::vector<QueuedMessage> dead(const Uuid& id, std::int64_t after, std::size_t limit) override;
  std::uint64_t revive(const Uuid& id, std::span<const std::string> ids, Millis now) override;

 private:
  FencedTransaction begin(Epoch epoch);
  void commit_change(sql::Transaction& transaction);

  const std::unique_ptr<sql::Database> database_;
  std::atomic<std::int64_t> revision_{0};   // in a file: changes since the opening, because no other process makes any
};

}  // namespace holdfast::feed
