// The age of the oldest work that is not done, where work is numbered and done in order: rows of a journal, offsets of a partition. A state such as
// "running" shows what a thread intends; this shows what it has done.
//
//   Backlog backlog;
//   backlog.wanted(120, now);      // there is work up to 120
//   backlog.done(100);
//   backlog.oldest();              // → now: 101 has waited since then, or longer. Nothing: all is done
//
// It may be called at long intervals: the age by oldest() is at most one interval too low, and never too high. For one thread.
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
  static constexpr std::size_t k_looks_max = 1'000;   // later ones are not remembered, because only the oldest counts

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
  std::deque<Look> looks_;   // in rising order
};

// The earlier of two times, either of which may be missing.
inline std::optional<Backlog::Timer::time_point> earlier(std::optional<Backlog::Timer::time_point> a,
                                                         std::optional<Backlog::Timer::time_point> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

// How long something has waited; 0 if nothing does.
inline std::chrono::duration<double> age_of(std::optional<Backlog::Timer::time_point> since,
                                            Backlog::Timer::time_point now = Backlog::Timer::now()) {
  return since && *since < now ? now - *since : std::chrono::duration<double>(0);
}

}   // namespace holdfast::feed
