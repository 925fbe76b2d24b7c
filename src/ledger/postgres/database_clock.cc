#include "ledger/postgres/database_clock.h"

#include <algorithm>
#include <ctime>

namespace holdfast::pg {

std::int64_t DatabaseClock::boot_ms() {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return std::int64_t{time.tv_sec} * 1'000 + time.tv_nsec / 1'000'000;
}

std::optional<Millis> DatabaseClock::observe(Millis at, std::int64_t sent, std::int64_t arrived) {
  const std::int64_t least = at - arrived - 1;   // lower bound of the offset; -1 because `arrived` is rounded down
  const std::int64_t most = at - sent;   // upper bound
  const std::scoped_lock lock(mutex_);
  const std::int64_t known = offset_.load(std::memory_order_relaxed);
  std::optional<Millis> step;
  if (known != INT64_MIN && least - known >= k_step_min) step = least - known;
  if (known != INT64_MIN && known - most >= k_step_min) step = most - known;
  if (step || known == INT64_MIN) {
    best_before_ = best_ = least;
    window_began_ = arrived;
  } else if (arrived - window_began_ > k_window_ms) {
    best_before_ = std::max(best_, least);
    best_ = least;
    window_began_ = arrived;
  } else {
    best_ = std::max(best_, least);
  }
  offset_.store(std::max(best_, best_before_), std::memory_order_relaxed);
  if (!step) raise(at);
  return step;
}

Millis DatabaseClock::now() const {
  const std::int64_t offset = offset_.load(std::memory_order_relaxed);
  return offset == INT64_MIN ? latest_.load(std::memory_order_relaxed) : raise(boot_ms() + offset);
}

Millis DatabaseClock::raise(Millis to) const {
  Millis latest = latest_.load(std::memory_order_relaxed);
  while (to > latest && !latest_.compare_exchange_weak(latest, to, std::memory_order_relaxed)) {}
  return std::max(to, latest);
}

}   // namespace holdfast::pg
