// Events from seats-generated that cannot be read or created, while others can. One event must not keep the others waiting for ever: it is retried
// for `patience`, once. After that each attempt is given up at once, until the event works again.
//
//   if (failing.must_wait(event, can_be_read, now)) …retry…; else …give its parts up…
//
// One event more than `events_max` clears the list: each is then retried for `patience` again. Pure. For one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>

#include "core/ids.h"

namespace holdfast::feed::kafka {

class FailingImports {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::size_t k_events_max = 10'000;

  explicit FailingImports(std::chrono::milliseconds patience, std::size_t events_max = k_events_max)
      : patience_(patience), events_max_(events_max) {}

  // The event has failed. Whether to retry it.
  bool must_wait(const Uuid& event, bool can_be_read, Time now) {
    if (failing_.size() >= events_max_ && !failing_.contains(event)) failing_.clear();
    Failing& failing = failing_.try_emplace(event, Failing{.since = now}).first->second;
    failing.can_be_read = can_be_read;
    failing.is_given_up = failing.is_given_up || now - failing.since >= patience_;
    return !failing.is_given_up;
  }
  // The event was read. Whether one that could not be created can be created now shows when all of its parts have come again.
  void note_read(const Uuid& event) {
    const auto at = failing_.find(event);
    if (at != failing_.end() && !(at->second.is_given_up && at->second.can_be_read)) failing_.erase(at);
  }
  void forget(const Uuid& event) { failing_.erase(event); }
  void clear() { failing_.clear(); }

 private:
  struct Failing {
    Time since{};
    bool is_given_up = false;   // no further retries
    bool can_be_read = false;   // it can be read, but not created
  };

  const std::chrono::milliseconds patience_;
  const std::size_t events_max_;
  std::map<Uuid, Failing> failing_;
};

}   // namespace holdfast::feed::kafka
