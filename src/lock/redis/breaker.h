// A circuit breaker: after some failures in a row nobody waits for a server any more, until a probe has found it well again.
//
//   if (!breaker.admits()) …go without…
//   …ask…   breaker.succeeded() or breaker.failed(now)
//   if (breaker.may_probe(now)) { …probe…   breaker.probe_succeeded() or breaker.failed(now) }
//
// closed: everybody may ask. open: nobody, until a pause is over. half_open: one probe is on its way. The pause doubles from one
// failed probe to the next, and each is cut by up to a half at random, so that many nodes do not come back in one moment. It
// begins anew only after a request, not a probe, has succeeded; and after a probe a single failure opens it again.
//
// Not for several threads at once.
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
    unsigned failures_max = 3;   // in a row: then it opens; 1 or more
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

  // True once when the pause is over: then it is half open, and whoever asked must probe and tell.
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
