// Since when the oldest thing that is not done has waited, of work that is done in its order and counted: rows of a journal, offsets of a
// partition. A state like "running" says what somebody means to do; this says what has been done.
//
//   Backlog backlog;
//   backlog.wanted(120, now);      // there is work up to 120, as of now
//   backlog.done(100);
//   backlog.oldest();              // → now: 101 waits since then at the latest. Nothing: all is done
//
// Looks once in a while are enough: the age that oldest() gives is at most one look too low, never too high. Not for several threads at
// once.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

namespace holdfast::feed {

class Backlog {
 public:
  using Timer = std::chrono::steady_clock;
  static constexpr std::size_t k_looks_max = 1'000;   // further ones are not remembered: the oldest is what counts

  void wanted(std::uint64_t through, Timer::time_point now) {
    const std::uint64_t known = looks_.empty() ? done_ : looks_.back().through;
    if (through > known && looks_.size() < k_looks_max) looks_.push_back({through, now});
  }
  void done(std::uint64_t through) {
    done_ = std::max(done_, through);
    while (!looks_.empty() && looks_.front().through <= done_) looks_.pop_front();
  }
  std::optional<Timer::time_point> oldest() const { return looks_.empty() ? std::nullopt : std::optional(looks_.front().at); }

 private:
  struct Look {
    std::uint64_t through;
    Timer::time_point at;
  };
  std::uint64_t done_ = 0;
  std::deque<Look> looks_;   // rising
};

// The earlier of two beginnings; nothing is none.
inline std::optional<Backlog::Timer::time_point> earlier(std::optional<Backlog::Timer::time_point> a,
                                                         std::optional<Backlog::Timer::time_point> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

// How long something has waited; 0 when nothing does.
inline std::chrono::duration<double> age_of(std::optional<Backlog::Timer::time_point> since,
                                            Backlog::Timer::time_point now = Backlog::Timer::now()) {
  return since && *since < now ? now - *since : std::chrono::duration<double>(0);
}

}  // namespace holdfast::feed
