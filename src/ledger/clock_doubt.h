// Whether the ledger's time can be trusted enough for what cannot be undone.
//
// A wall clock that is far ahead of the last recorded time may be right (the machine was off) or wrong (a dead battery, a bad NTP server),
// and the ledger cannot tell. So it starts, says so, and for an hour it neither removes old journal rows nor forgets idempotency keys that
// would still count if the clock were wrong. A ledger whose time is far ahead of the wall clock has once believed a wrong one; it keeps its
// time, because time never goes back, and keeps the keys of that difference too.
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
inline constexpr Millis k_clock_doubt_time = 3'600 * k_millis_per_second;

// What the journal remembers of it, for a start within the hour.
struct DoubtfulStart {
  Millis until = 0;   // by the ledger's time
  Millis ahead = 0;   // how far the start was ahead of what was recorded before it
};

class ClockDoubt {
 public:
  // `recorded`: the last recorded time, 0 when nothing is.
  ClockDoubt(Millis recorded, Millis now, const std::optional<DoubtfulStart>& before) {
    if (recorded > 0 && now - recorded >= k_clock_doubtful_ahead) start_ = {now + k_clock_doubt_time, now - recorded};
    // The same gap as then, as long as nothing is recorded: within the hour there is no room for another one.
    if (before && now < before->until) start_ = {std::max(start_.until, before->until), std::max(start_.ahead, before->ahead)};
  }

  const DoubtfulStart& start() const { return start_; }
  // Within the hour after a start that was far ahead.
  bool is_fresh(Millis now) const { return now < start_.until; }
  // How far the ledger may be ahead of the right time; 0 when there is no reason to think so.
  Millis ahead(Millis now, Millis wall) const { return std::max(is_fresh(now) ? start_.ahead : 0, ahead_of_wall(now, wall)); }
  // How far it is ahead of the wall clock, when that is far.
  static Millis ahead_of_wall(Millis now, Millis wall) { return now - wall >= k_clock_doubtful_ahead ? now - wall : 0; }

 private:
  DoubtfulStart start_;
};

}   // namespace holdfast
