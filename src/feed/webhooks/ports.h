// The ports of webhooks: a source of changes, a store of endpoints and undelivered messages, and a sender. Implementations:
// ledger_source.h, sql_store.h, sender.h.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/change.h"
#include "core/ids.h"
#include "core/time.h"
#include "feed/lease.h"
#include "ledger/failing_events.h"

namespace holdfast::feed {

inline constexpr std::size_t k_endpoints_max = 100;
inline constexpr std::size_t k_description_bytes_max = 256;
inline constexpr std::size_t k_error_bytes_max = 300;   // of an error's text

// ---------------------------------------------------------------------------------------------------------------- changes

// A set of kinds of changes: bit `1 << kind`.
using KindSet = std::uint32_t;
constexpr KindSet kind_bit(ChangeKind kind) { return KindSet{1} << static_cast<unsigned>(kind); }
inline constexpr KindSet k_all_kinds = (kind_bit(ChangeKind::unblocked) << 1) - kind_bit(ChangeKind::event_created);

// A place in the order of all changes. Opaque, at most 64 bytes. Empty: before the first change that is kept.
using SourcePosition = std::string;

struct SourceChange {
  SourcePosition position;   // reading from here continues after this change
  Uuid event{};
  Seq seq = 0;
  ChangeKind kind{};
  std::optional<Uuid> reservation{};
  Millis at = 0;
  std::string json{};        // the change, as /changes shows it
  // The change cannot be read at the moment: `json` is empty, and `kind` may be none if it is unknown. tell() returns it later.
  bool is_unreadable = false;
};

struct SourcePage {
  std::vector<SourceChange> changes;   // in an order that keeps each event's
  SourcePosition end;                  // after the last change that was examined
  bool at_end = true;                  // there were no changes after `end`
  bool lost = false;                   // changes after the requested position are no longer kept
};

// Any thread, several at once. May block on the disk, but never waits for time to pass. Throws std::exception if it cannot read.
class ChangeSource {
 public:
  virtual ~ChangeSource() = default;

  // At most `limit` changes after `position` that are of these kinds, or of an unknown kind. Examines a limited number of
  // changes.
  virtual SourcePage next(const SourcePosition& position, std::size_t limit, KindSet kinds) = 0;
  // A change that was unreadable; nothing if it is no longer kept. Throws std::exception while it cannot be read. A source
  // without unreadable changes need not implement it.
  virtual std::optional<SourceChange> tell(const Uuid& event, Seq seq) {
    static_cast<void>(event);
    static_cast<void>(seq);
    return std::nullopt;
  }
  // Events that cannot be read at the moment.
  virtual FailingEvents::Summary unreadable() const { return {}; }
  // The position after the last change.
  virtual SourcePosition end() = 0;
  // The number of changes after `position`; estimated if there are many.
  virtual std::uint64_t behind(const SourcePosition& position) = 0;
};

// ---------------------------------------------------------------------------------------------------------------- store

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

// Any thread, several at once. What a call wrote is on disk when it returns. Throws std::exception if the disk fails.
//
// If several nodes share a store, the writes of relays name the epoch of their lease, and throw LeaseLost when it is over. A
// store for one process ignores the epoch.
class WebhookStore {
 public:
  virtual ~WebhookStore() = default;

  // ---- endpoints
  enum class Made { created, replayed, key_reused, too_many };
  // Keeps a new endpoint. If one was created with the same key, `endpoint` becomes that one instead.
  virtual Made create(Endpoint& endpoint, const CallKey& key) = 0;
  virtual std::vector<EndpointReport> list() = 0;   // the oldest first
  virtual std::optional<EndpointReport> find(const Uuid& id) = 0;
  // Lets `change` modify the endpoint, and keeps url, kinds, description, enabled and secrets. False: it does not exist.
  virtual bool change(const Uuid& id, const std::function<void(Endpoint&)>& change) = 0;
  // The same for a call that must not be carried out twice: does nothing if `key` is that of the last such call of this endpoint.
  enum class Changed { changed, replayed, key_reused, not_found };
  virtual Changed change_once(const Uuid& id, const CallKey& key, const std::function<void(Endpoint&)>& change) = 0;
  virtual bool remove(const Uuid& id) = 0;
  // A number that differs after each of the calls above, and after each revive(), that changed something on any node. Cheap.
  virtual std::int64_t revision() = 0;

  // ---- a relay's progress. All do nothing if the endpoint was removed.
  virtual void save(Epoch epoch, const Uuid& id, const Progress& progress) = 0;
  // Only while the endpoint has this URL. False: it has another one by now, or was removed.
  virtual bool disable(Epoch epoch, const Uuid& id, std::string_view url, std::string_view because) = 0;

  // ---- the queue
  // Skips messages whose id is in the queue, or dead. Returns those that it took. A message that is not the first of its group
  // waits for those before it, regardless of its `next_at`.
  virtual std::vector<bool> enqueue(Epoch epoch, const Uuid& id, std::span<const QueuedMessage> messages) = 0;
  virtual QueueSummary queue(const Uuid& id) = 0;
  // Groups whose first message is due, the longest due first.
  virtual std::vector<std::string> due_groups(const Uuid& id, Millis now, std::size_t limit) = 0;
  // The earliest due time after `now`; k_never if there is none.
  virtual Millis next_due(const Uuid& id, Millis now) = 0;
  virtual std::vector<QueuedMessage> of_group(const Uuid& id, std::string_view group, std::size_t limit) = 0;
  // The first message of its group was delivered; the next one is due at `now`.
  virtual void settle(Epoch epoch, const Uuid& id, std::int64_t number, Millis now) = 0;
  virtual void postpone(Epoch epoch, const Uuid& id, std::int64_t number, unsigned attempts, Millis next_at, std::string_view error) = 0;
  // Sets the body and the kind of a message that had none, and resets its attempts.
  virtual void complete(Epoch epoch, const Uuid& id, std::int64_t number, ChangeKind kind, std::string_view body) = 0;
  // Makes the message dead; the next one of its group is due. Drops the oldest dead ones beyond `dead_max`, and counts them.
  virtual void bury(Epoch epoch, const Uuid& id, std::int64_t number, unsigned attempts, Millis now, std::string_view error,
                    std::size_t dead_max) = 0;

  // ---- the dead
  virtual std::vector<QueuedMessage> dead(const Uuid& id, std::int64_t after, std::size_t limit) = 0;   // the oldest first
  // Returns dead messages with these ids (none named: all) to the queue, due at `now`. Returns their number.
  virtual std::uint64_t revive(const Uuid& id, std::span<const std::string> ids, Millis now) = 0;
};

// ---------------------------------------------------------------------------------------------------------------- sender

struct Delivery {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct Attempt {
  enum class Outcome : std::uint8_t { delivered, rejected, timed_out, unreachable, refused };
  Outcome outcome = Outcome::unreachable;
  unsigned status = 0;   // of the answer, if there was one
  std::string error{};   // for people; empty if it was delivered
  std::optional<std::chrono::seconds> retry_after{};   // as the endpoint asks
};

// Runs on the thread of the context that it was made for.
class Sender {
 public:
  virtual ~Sender() = default;
  virtual boost::asio::awaitable<Attempt> send(Delivery delivery) = 0;
  // Why nothing would be sent to this URL. Empty if messages would be sent.
  virtual boost::asio::awaitable<std::string> why_refused(std::string url) = 0;
};

}   // namespace holdfast::feed
