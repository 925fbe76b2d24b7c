#include "ledger/embedded/clock.h"

#include <sys/timex.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>

namespace holdfast {
namespace {

constexpr std::int64_t k_ns_per_ms = 1'000'000;
constexpr Millis k_latest = 9'000'000'000'000;   // the year 2255: nanoseconds fit into 64 bits, even if a damaged file has a later time

std::int64_t read_clock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

// How much of the difference `ahead` is made good while `passed` goes by; never more than the difference.
std::int64_t slewed(std::int64_t passed, std::int64_t ahead) {
  const std::int64_t most = passed / 1'000'000 * LedgerClock::k_slew_ppm;
  return std::clamp(ahead, -most, most);
}

}  // namespace

bool is_wall_clock_unsynchronised() {
  timex clock{};
  const int state = ::adjtimex(&clock);   // only reads; returns -1 where even that is not allowed
  return state == TIME_ERROR || (state >= 0 && (clock.status & STA_UNSYNC) != 0);
}

std::int64_t SystemClockSource::wall_ns() const { return read_clock(CLOCK_REALTIME); }
std::int64_t SystemClockSource::boot_ns() const { return read_clock(CLOCK_BOOTTIME); }

LedgerClock::LedgerClock(const ClockSource& source, Millis not_before)
    : source_(source),
      base_ns_(source.boot_ns()),
      value_ns_(std::max(source.wall_ns(), std::clamp<Millis>(not_before, 0, k_latest) * k_ns_per_ms)) {}

std::int64_t LedgerClock::now_ns() const {
  for (;;) {
    const std::uint32_t before = sequence_.load(std::memory_order_acquire);
    if ((before & 1) != 0) continue;
    const std::int64_t base = base_ns_.load(std::memory_order_acquire);
    const std::int64_t value = value_ns_.load(std::memory_order_acquire);
    const std::int64_t ahead = ahead_ns_.load(std::memory_order_acquire);
    if (sequence_.load(std::memory_order_acquire) != before) continue;
    // Read the boot clock last, so that it is not before a base that another thread has just set.
    const std::int64_t passed = std::max<std::int64_t>(0, source_.boot_ns() - base);
    return value + passed + slewed(passed, ahead);
  }
}

Millis LedgerClock::now() const {
  const Millis now = now_ns() / k_ns_per_ms;
  Millis latest = latest_.load(std::memory_order_relaxed);
  while (latest < now && !latest_.compare_exchange_weak(latest, now, std::memory_order_relaxed)) {}
  return std::max(now, latest);
}

std::optional<Millis> LedgerClock::compare() {
  const std::int64_t boot = source_.boot_ns();
  const std::int64_t passed = std::max<std::int64_t>(0, boot - base_ns_.load(std::memory_order_relaxed));
  const std::int64_t value = value_ns_.load(std::memory_order_relaxed) + passed + slewed(passed, ahead_ns_.load(std::memory_order_relaxed));
  const std::int64_t ahead = source_.wall_ns() - value;
  sequence_.fetch_add(1, std::memory_order_acq_rel);
  base_ns_.store(boot, std::memory_order_release);
  value_ns_.store(value, std::memory_order_release);
  // No slew below a millisecond: the two clocks are never exactly equal.
  ahead_ns_.store(std::abs(ahead) < k_ns_per_ms ? 0 : ahead, std::memory_order_release);
  sequence_.fetch_add(1, std::memory_order_acq_rel);
  if (std::abs(ahead - reported_ns_) >= k_step_ns) {
    reported_ns_ = ahead;
    return ahead / k_ns_per_ms;
  }
  // A difference that the slew has reduced is not a step back.
  if (std::abs(ahead) < std::abs(reported_ns_)) reported_ns_ = ahead;
  return std::nullopt;
}

}  // namespace holdfast
