// The store of webhooks: endpoints, their queues and their dead messages, in SQLite (registry.db, webhook_file.h) or in PostgreSQL, where
// all nodes share them.
//
//   webhook_endpoint   an endpoint and its position
//   webhook_message    died_at NULL: in the queue. Of a group only the first has a next_at; the others have k_never until it is their turn
//
// In PostgreSQL a write of an endpoint's messages locks its row first, so a relay that settles one and a call that revives others do not
// cross. A relay's write names the epoch of its lease k_lease_webhooks, and throws LeaseLost when it is over: one transaction, one round trip.
// In a file there is no lease, and the epoch is ignored.
//
//   WebhookStore store(std::make_unique<sql::PostgresDatabase>(pool));
//   WebhookStore store(open_webhook_file(DataFolder::registry_in(folder)));
//
// Any thread, several at once. What a call wrote is on disk when it returns. Throws the database's error.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "feed/lease.h"
#include "feed/webhooks/ports.h"
#include "sql/database.h"

namespace holdfast::feed {

inline constexpr std::size_t k_endpoints_max = 100;
inline constexpr std::size_t k_description_bytes_max = 256;
inline constexpr std::size_t k_error_bytes_max = 300;   // of an error's text

struct Endpoint {
  Uuid id{};
  std::string url{};
  KindSet kinds = k_all_kinds;
  std::string secret{};   // bytes, not text
  std::string previous_secret{};   // also signs until …
  Millis previous_until = 0;
  std::string description{};
  bool enabled = true;
  std::string disabled_because{};   // if its owner did not do it
  Millis created_at = 0;
  SourcePosition position{};   // every change before it is delivered, in the queue, or dead
};

struct EndpointReport {
  Endpoint endpoint;
  Millis last_success_at = 0;   // 0: never
  Millis last_failure_at = 0;
  std::string last_error{};
  std::uint64_t pending = 0;   // in the queue
  std::uint64_t dead = 0;
  std::uint64_t dead_dropped = 0;
};

// A message that could not be delivered at once.
struct QueuedMessage {
  std::int64_t number = 0;   // the store's; rises in the order of queueing
  std::string id{};   // webhook-id
  ChangeKind kind{};   // none: the change could not be read when it was queued
  std::string group{};   // messages of a group are delivered in the order of their numbers
  unsigned attempts = 0;
  Millis next_at = 0;   // k_never: not before the earlier ones of its group
  std::string body{};   // empty: the change could not be read when it was queued
  std::string last_error{};
  Millis died_at = 0;   // of a dead one
};

// A relay's progress. Members that are not set stay as they are.
struct Progress {
  std::optional<SourcePosition> position{};
  Millis last_success_at = 0;   // 0: not set
  Millis last_failure_at = 0;   // 0: not set, and neither is the error
  std::string last_error{};
};

struct QueueSummary {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  std::map<std::string, std::uint64_t> groups{};   // messages by group
};

// Remembers that a call with an Idempotency-Key was made: two digests.
struct CallKey {
  std::string key{};   // empty: the call had none
  std::string request{};
};

// Tests have the virtual calls fail.
class WebhookStore {
 public:
  explicit WebhookStore(std::unique_ptr<sql::Database> database) : database_(std::move(database)) {}
  virtual ~WebhookStore() = default;

  // ---- endpoints
  enum class Made { created, replayed, key_reused, too_many };
  // Keeps a new endpoint. If one was created with the same key, `endpoint` becomes that one instead.
  Made create(Endpoint& endpoint, const CallKey& key);
  std::vector<EndpointReport> list();   // the oldest first
  std::optional<EndpointReport> find(const Uuid& id);
  // Lets `change` modify the endpoint, and keeps url, kinds, description, enabled and secrets. False: it does not exist.
  bool change(const Uuid& id, const std::function<void(Endpoint&)>& change);
  // The same for a call that must not be carried out twice: does nothing if `key` is that of the last such call of this endpoint.
  enum class Changed { changed, replayed, key_reused, not_found };
  Changed change_once(const Uuid& id, const CallKey& key, const std::function<void(Endpoint&)>& change);
  bool remove(const Uuid& id);
  // A number that differs after each of the calls above, and after each revive(), that changed something on any node. Cheap.
  std::int64_t revision();

  // ---- a relay's progress. All do nothing if the endpoint was removed.
  virtual void save(Epoch epoch, const Uuid& id, const Progress& progress);
  // Only while the endpoint has this URL. False: it has another one by now, or was removed.
  bool disable(Epoch epoch, const Uuid& id, std::string_view url, std::string_view because);

  // ---- the queue
  // Skips messages whose id is in the queue, or dead. Returns those that it took. A message that is not the first of its group
  // waits for those before it, regardless of its `next_at`.
  virtual std::vector<bool> enqueue(Epoch epoch, const Uuid& id, std::span<const QueuedMessage> messages);
  QueueSummary queue(const Uuid& id);
  // Groups whose first message is due, the longest due first.
  std::vector<std::string> due_groups(const Uuid& id, Millis now, std::size_t limit);
  // The earliest due time after `now`; k_never if there is none.
  Millis next_due(const Uuid& id, Millis now);
  std::vector<QueuedMessage> of_group(const Uuid& id, std::string_view group, std::size_t limit);
  // The first message of its group was delivered; the next one is due at `now`.
  virtual void settle(Epoch epoch, const Uuid& id, std::int64_t number, Millis now);
  void postpone(Epoch epoch, const Uuid& id, std::int64_t number, unsigned attempts, Millis next_at, std::string_view error);
  // Sets the body and the kind of a message that had none, and resets its attempts.
  void complete(Epoch epoch, const Uuid& id, std::int64_t number, ChangeKind kind, std::string_view body);
  // Makes the message dead; the next one of its group is due. Drops the oldest dead ones beyond `dead_max`, and counts them.
  void bury(Epoch epoch, const Uuid& id, std::int64_t number, unsigned attempts, Millis now, std::string_view error, std::size_t dead_max);

  // ---- the dead
  std::vector<QueuedMessage> dead(const Uuid& id, std::int64_t after, std::size_t limit);   // the oldest first
  // Returns dead messages with these ids (none named: all) to the queue, due at `now`. Returns their number.
  std::uint64_t revive(const Uuid& id, std::span<const std::string> ids, Millis now);

 private:
  FencedTransaction begin(Epoch epoch);
  void commit_change(sql::Transaction& transaction);

  const std::unique_ptr<sql::Database> database_;
  std::atomic<std::int64_t> revision_{0};   // in a file: changes since the opening, because no other process makes any
};

}   // namespace holdfast::feed
