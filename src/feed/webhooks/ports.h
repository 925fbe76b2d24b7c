// The ports of webhooks: a source of changes, and a sender. Implementations: ledger_source.h, sender.h.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/change.h"
#include "core/ids.h"
#include "core/time.h"
#include "ledger/failing_events.h"

namespace holdfast::feed {

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
  // A change that was unreadable; nothing if it is no longer kept. Throws std::exception while it cannot be read.
  virtual std::optional<SourceChange> tell(const Uuid& event, Seq seq) = 0;
  // Events that cannot be read at the moment.
  virtual FailingEvents::Summary unreadable() const { return {}; }
  // The position after the last change.
  virtual SourcePosition end() = 0;
  // The number of changes after `position`; estimated if there are many.
  virtual std::uint64_t behind(const SourcePosition& position) = 0;
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
