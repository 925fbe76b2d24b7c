// A circuit breaker: after several failures in a row, callers stop waiting for a server until a probe has succeeded.
//
//   if (!breaker.admits()) …do without the server…
//   …ask…   breaker.succeeded() or breaker.failed(now)
//   if (breaker.may_probe(now)) { …probe…   breaker.probe_succeeded() or breaker.failed(now) }
//
// closed: every caller may ask. open: none, until a pause is over. half_open: one probe is under way. The pause doubles with each failed probe.
// Each pause is shortened by up to a half at random, so that many nodes do not return at once. Its length starts anew only after a request
// has succeeded, not a probe; after a probe, a single failure opens the breaker again.
//
// Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace holdfast::lock {

class Breaker {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class State : std::uint8_t { closed, open, half_open };

  struct Options {
    unsigned failures_max = 3;   // in a row, until it opens; at least 1
    std::chrono::milliseconds pause_first{200};
    std::chrono::milliseconds pause_max{5'000};
  };

  Breaker(const Options& options, std::uint64_t seed)
      : options_(options), pause_(options.pause_first), random_(static_cast<std::mt19937::result_type>(seed)) {}

  State state() const { return state_; }
  bool admits() const { return state_ == State::closed; }
  Time probe_at() const { return probe_at_; }   // while it is open

  void succeeded();
  void failed(Time now);

  // True once after the pause: the breaker is then half open, and the caller must probe and report the result.
  bool may_probe(Time now);
  void probe_succeeded();

 private:
  void open(Time now);

  Options options_;
  State state_ = State::closed;
  unsigned failures_ = 0;
  std::chrono::milliseconds pause_;
  Time probe_at_{};
  std::mt19937 random_;
};

}   // namespace holdfast::lock
