// Webhook endpoints, their queues and their dead messages in registry.db, beside the journal: what an operator has registered,
// and what follows from it, but nothing that sales rest on.
//
//   webhook_endpoint (id, url, kinds, secret, …, position, …)
//   webhook_message  (number, endpoint, id, kind, grp, attempts, next_at, body, last_error, died_at)   -- died_at NULL: in the queue
//
// In a queue only the first message of a group has a next_at; the others have k_never until it is their turn.
//
// The file is made with mode 0600, because secrets have to stand in it as they are: signing needs them. Other tables may stand in
// it. Any thread: one connection behind a mutex.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>

#include "feed/webhooks/ports.h"
#include "ledger/journal_row.h"
#include "sql/sqlite.h"

namespace holdfast::feed {

class EmbeddedWebhookStore : public WebhookStore {
 public:
  static std::string file_in(const std::filesystem::path& folder) { return (folder / "registry.db").string(); }

  // Opens the file, or makes it. Throws sqlite::Error, or DataError when it cannot be made.
  explicit EmbeddedWebhookStore(const std::string& path);
  ~EmbeddedWebhookStore() override;

  Made create(Endpoint& endpoint, const CallKey& key) override;
  std::vector<EndpointReport> list() override;
  std::optional<EndpointReport> find(const Uuid& id) override;
  bool change(const Uuid& id, const std::function<void(Endpoint&)>& change) override;
  Changed change_once(const Uuid& id, const CallKey& key, const std::function<void(Endpoint&)>& change) override;
  bool remove(const Uuid& id) override;
  std::int64_t revision() override;

  // The journal ends at row `last` now: endpoints that were further go on from there. How many there were. Nobody else works with the file.
  std::size_t go_back_to(Position last);

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
  struct Statements;

  std::optional<EndpointReport> look_up(const Uuid& id);
  void write(const Endpoint& endpoint);
  void commit_change(sqlite::Transaction& transaction);
  void promote_after(const std::string& id, std::int64_t number, Millis now);

  std::mutex mutex_;
  std::int64_t revision_ = 0;   // since the opening: no other process changes what stands here
  std::unique_ptr<sqlite::Database> database_;
  std::unique_ptr<Statements> statements_;
};

}   // namespace holdfast::feed
