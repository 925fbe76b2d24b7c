// The embedded ledger's clock: wall time at start, advanced by the clock that counts suspend, never back.
//
// A step of the wall clock (an operator, a bad NTP server) must not end holds early or late. So the wall clock is read once, and then followed
// slowly: by at most k_slew_ppm, half a millisecond per second, however long nobody compares. A step is reported.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "core/time.h"

namespace holdfast {

// The source of time; tests have their own.
class ClockSource {
 public:
  virtual ~ClockSource() = default;
  virtual std::int64_t wall_ns() const = 0;   // since 1970 UTC; may jump
  virtual std::int64_t boot_ns() const = 0;   // since boot, suspend included; never back
};

// Whether the kernel reports the wall clock as not synchronised (adjtimex: STA_UNSYNC). Common in containers, and if a program steps the clock
// instead of disciplining it.
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

  // Starts at the wall time, or at `not_before` if that is later.
  LedgerClock(const ClockSource& source, Millis not_before);

  // Any thread. Never goes back.
  Millis now() const;

  // Compares with the wall clock and sets the slew; one thread calls it about once a second. Returns a step of the wall clock once, in
  // milliseconds ahead of this clock (negative: behind); nothing while the slew corrects it.
  std::optional<Millis> compare();

 private:
  std::int64_t now_ns() const;

  const ClockSource& source_;
  // now = value + passed + what was slewed meanwhile, where passed = boot - base: three numbers that change together, read under a
  // sequence lock.
  std::atomic<std::uint32_t> sequence_{0};
  std::atomic<std::int64_t> base_ns_;
  std::atomic<std::int64_t> value_ns_;
  std::atomic<std::int64_t> ahead_ns_{0};   // how far the wall clock was ahead at base: what is to be slewed
  mutable std::atomic<Millis> latest_{0};   // what now() has returned: a thread that was late between two looks must not go back
  std::int64_t reported_ns_ = 0;   // of the difference, what has been reported and not been made good yet
};

}   // namespace holdfast
