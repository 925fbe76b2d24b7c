// Whether the ledger can trust its time enough for what cannot be undone.
//
// A wall clock far ahead of the last recorded time may be right (the machine was off) or wrong (a dead battery, a bad NTP server). The ledger
// cannot tell. So it starts and says so. For an hour it removes no old journal rows, and keeps idempotency keys that would still count if the
// clock were wrong. A ledger whose time is far ahead of the wall clock once trusted a wrong clock. It keeps its time, because time never goes
// back, and keeps idempotency keys longer by the difference.
//
//   const ClockDoubt doubt(last_recorded, clock.now(), journal's doubt of the start before);
//   if (!doubt.is_fresh(now)) …   // remove old rows
//
// Immutable; any thread.
#pragma once

#include <algorithm>
#include <optional>

#include "core/keys.h"

namespace holdfast {

inline constexpr Millis k_clock_doubtful_ahead = k_keys_kept;
// How far a clock may be ahead while nothing is known of it: farther than any key is old.
inline constexpr Millis k_clock_ahead_unknown = 100 * 365 * k_keys_kept;
inline constexpr Millis k_clock_doubt_time = 3'600 * k_millis_per_second;

// The journal's note of it, for a start within the hour.
struct DoubtfulStart {
  Millis until = 0;   // by the ledger's time
  Millis ahead = 0;   // how far the start was ahead of what was recorded before it
};

class ClockDoubt {
 public:
  // `recorded`: the last recorded time, 0 if none.
  ClockDoubt(Millis recorded, Millis now, const std::optional<DoubtfulStart>& before) {
    if (recorded > 0 && now - recorded >= k_clock_doubtful_ahead) start_ = {now + k_clock_doubt_time, now - recorded};
    // The same gap as then, as long as nothing is recorded: within the hour there is no room for another one.
    if (before && now < before->until) start_ = {std::max(start_.until, before->until), std::max(start_.ahead, before->ahead)};
  }

  const DoubtfulStart& start() const { return start_; }
  // Within the hour after a start that was far ahead.
  bool is_fresh(Millis now) const { return now < start_.until; }
  // How far the ledger may be ahead of the right time; 0 if nothing suggests it.
  Millis ahead(Millis now, Millis wall) const { return std::max(is_fresh(now) ? start_.ahead : 0, ahead_of_wall(now, wall)); }
  // How far it is ahead of the wall clock, if that is far.
  static Millis ahead_of_wall(Millis now, Millis wall) { return now - wall >= k_clock_doubtful_ahead ? now - wall : 0; }

 private:
  DoubtfulStart start_;
};

}   // namespace holdfast
