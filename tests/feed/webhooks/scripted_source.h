// Scripted changes for tests of relays, in any number.
#pragma once

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>

#include "feed/webhooks/webhooks.h"

namespace holdfast::feed {

inline Uuid id_of(std::uint8_t number) {
  Uuid id{};
  id.data[15] = number;
  return id;
}

// Changes 1 to `count` of one event, of reservations 1 to `reservations` in turn. A position is the number of changes before it.
// Any thread.
class ScriptedSource : public ChangeSource {
 public:
  ScriptedSource(std::uint64_t count, std::uint8_t reservations) : count_(count), reservations_(reservations) {}

  SourcePage next(const SourcePosition& position, std::size_t limit, KindSet) override {
    if (failures.fetch_sub(1) > 0) throw std::runtime_error("the disk does not answer");
    const std::uint64_t count = count_;
    std::uint64_t at = position.empty() ? 0 : std::stoull(position);
    SourcePage page{.changes = {}, .end = {}, .at_end = true, .lost = at < kept_from};
    at = std::max(at, kept_from.load());
    for (; at < count && page.changes.size() < limit; ++at) {
      page.changes.push_back({.position = std::to_string(at + 1),
                              .event = id_of(200),
                              .seq = at + 1,
                              .kind = is_unreadable(at + 1) && !tells_kind ? ChangeKind{} : ChangeKind::held,
                              .reservation = id_of(static_cast<std::uint8_t>(1 + at % reservations_)),
                              .at = 0,
                              .json = is_unreadable(at + 1) ? "" : json,
                              .is_unreadable = is_unreadable(at + 1)});
    }
    page.end = std::to_string(at);
    page.at_end = at == count;
    furthest = std::max(furthest.load(), at);
    return page;
  }
  std::optional<SourceChange> tell(const Uuid& event, Seq seq) override {
    if (is_gone) return std::nullopt;
    if (is_unreadable(seq)) throw std::runtime_error("the event is damaged");
    return SourceChange{.position = {}, .event = event, .seq = seq, .kind = ChangeKind::held, .json = "{}"};
  }
  SourcePosition end() override { return std::to_string(count_); }
  std::uint64_t behind(const SourcePosition& position) override { return count_ - std::stoull(position); }

  void grow_to(std::uint64_t count) { count_ = count; }

  std::string json = "{}";   // of every change; before it is read from
  std::atomic<std::uint64_t> furthest{0};   // the last change that was read
  std::atomic<int> failures{0};
  std::atomic<std::uint64_t> kept_from{0};
  std::atomic<bool> is_gone{false};   // what could not be read will never be read
  std::atomic<bool> tells_kind{true};   // also for unreadable changes
  std::atomic<std::uint64_t> unreadable_reservation{0};   // number of a reservation; 0: all can be read
  std::atomic<std::uint64_t> unreadable_from{0};   // the first change of it that cannot be read

 private:
  bool is_unreadable(std::uint64_t seq) const { return 1 + (seq - 1) % reservations_ == unreadable_reservation && seq >= unreadable_from; }

  std::atomic<std::uint64_t> count_;
  std::uint8_t reservations_;
};

// The seq in a message's id: event_seq_endpoint.
inline std::uint64_t seq_of(const Delivery& delivery) { return std::stoull(delivery.headers.at(0).second.substr(37)); }

}   // namespace holdfast::feed
