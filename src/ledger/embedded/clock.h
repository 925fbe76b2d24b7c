// The embedded ledger's clock: wall time at start, advanced by the clock that counts suspend, never back.
//
// A step of the wall clock (an operator, a bad NTP server) must not end holds early or late. So the wall clock is looked at once,
// and from then on only followed slowly: at most k_slew_ppm, which is half a millisecond a second, and never beyond it, however long
// nobody compares. A step is reported.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "core/time.h"

namespace holdfast {

// Where time comes from; another one in tests.
class ClockSource {
 public:
  virtual ~ClockSource() = default;
  virtual std::int64_t wall_ns() const = 0;   // since 1970 UTC; may jump
  virtual std::int64_t boot_ns() const = 0;   // since boot, suspend included; never back
};

// Whether the kernel says that nothing keeps the wall clock right (adjtimex: STA_UNSYNC). Often so in containers and where a program steps
// the clock instead of disciplining it.
bool is_wall_clock_unsynchronised();

class SystemClockSource : public ClockSource {
 public:
  std::int64_t wall_ns() const override;   // CLOCK_REALTIME
  std::int64_t boot_ns() const override;   // CLOCK_BOOTTIME
};

class LedgerClock {
 public:
  static constexpr std::int64_t k_slew_ppm = 500;
  static constexpr std::int64_t k_step_ns = 500'000'000;   // a difference that is reported

  // Starts at the wall time, but not before `not_before`.
  LedgerClock(const ClockSource& source, Millis not_before);

  // Any thread. Never goes back.
  Millis now() const;

  // Looks at the wall clock and sets the slew; called about once a second by one thread. Returns how far the wall clock is ahead
  // of this clock (negative: behind), in milliseconds, when that has become a step: once for each step, not while the slew makes it
  // good.
  std::optional<Millis> compare();

 private:
  std::int64_t now_ns() const;

  const ClockSource& source_;
  // now = value + passed + what was slewed meanwhile, where passed = boot - base: three numbers that change together, read under a
  // sequence lock.
  std::atomic<std::uint32_t> sequence_{0};
  std::atomic<std::int64_t> base_ns_;
  std::atomic<std::int64_t> value_ns_;
  std::atomic<std::int64_t> ahead_ns_{0};       // how far the wall clock was ahead at base: what is to be slewed
  mutable std::atomic<Millis> latest_{0};       // what now() has returned: a thread that was late between two looks must not go back
  std::int64_t reported_ns_ = 0;                // of the difference, what has been reported and not been made good yet
};

}  // namespace holdfast
