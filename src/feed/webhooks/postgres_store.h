// Webhook endpoints, their queues and their dead messages in PostgreSQL, shared by all nodes.
//
//   holdfast.webhook_endpoint   an endpoint and its position
//   holdfast.webhook_message    died_at NULL: in the queue, and of a group only the first has a next_at; the others have k_never
//
// What writes messages of an endpoint has its row locked, so a relay that settles one and somebody who revives others do not
// cross. What a relay writes is done only while the lease k_lease_webhooks is in the relay's epoch: one transaction, one
// round trip, and nobody can take the lease between the look and the commit.
//
// Throws pg::Error. `pool` must outlive it; a pool that the ledger's batches do not wait for.
#pragma once

#include "feed/webhooks/ports.h"
#include "sql/postgres_pool.h"

namespace holdfast::feed {

class PostgresWebhookStore final : public WebhookStore {
 public:
  explicit PostgresWebhookStore(pg::Pool& pool) : pool_(pool) {}

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
  pg::Pool& pool_;
};

}  // namespace holdfast::feed
