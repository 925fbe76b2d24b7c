#include "lock/redis/breaker.h"

#include <algorithm>

namespace holdfast::lock {

void Breaker::succeeded() {
  if (state_ != State::closed) return;   // asked before the breaker opened, and answered after
  failures_ = 0;
  pause_ = options_.pause_first;
}

void Breaker::failed(Time now) {
  if (state_ == State::open) return;
  if (state_ == State::half_open || ++failures_ >= options_.failures_max) open(now);
}

void Breaker::open(Time now) {
  state_ = State::open;
  const auto least = pause_ / 2;
  const auto jitter = std::uniform_int_distribution<std::int64_t>(0, (pause_ - least).count())(random_);
  probe_at_ = now + least + std::chrono::milliseconds(jitter);
  pause_ = std::min(pause_ * 2, options_.pause_max);
}

bool Breaker::may_probe(Time now) {
  if (state_ != State::open || now < probe_at_) return false;
  state_ = State::half_open;
  return true;
}

void Breaker::probe_succeeded() {
  if (state_ != State::half_open) return;   // a request from before the breaker opened has failed meanwhile
  state_ = State::closed;
  failures_ = options_.failures_max - 1;
}

}  // namespace holdfast::lock
