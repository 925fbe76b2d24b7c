// How long journal rows have been waiting for state.db, to decide which of them it must have by now.
//
//   RowAges ages(5s);
//   ages.wrote(120, now);                       // after each round: the journal's last row
//   ages.followed(100);                         // what state.db has
//   const Position due = ages.older_than(5s, now);   // → state.db must have rows up to here; 0: nothing is due
//
// It remembers some moments, not each row: an age may be too high by 1/256 of the longest, never too low. For one thread.
#pragma once

#include <chrono>
#include <deque>

#include "ledger/journal_row.h"

namespace holdfast {

class RowAges {
 public:
  using Timer = std::chrono::steady_clock;

  // `longest`: the longest age that will be asked about.
  explicit RowAges(std::chrono::nanoseconds longest) : longest_(longest), apart_(longest / k_moments) {}

  // The journal's last row is `through`.
  void wrote(Position through, Timer::time_point now) {
    if (through <= last_) return;
    last_ = through;
    if (!moments_.empty() && now - moments_.back().at < apart_) {
      moments_.back().through = through;
      return;
    }
    moments_.push_back({through, now});
    while (moments_.size() > 1 && now - moments_[1].at >= longest_) moments_.pop_front();   // the next one says as much
  }
  // Rows up to `through` no longer wait.
  void followed(Position through) {
    while (!moments_.empty() && moments_.front().through <= through) moments_.pop_front();
  }
  // The last waiting row that is at least `age` old; 0: none.
  Position older_than(std::chrono::nanoseconds age, Timer::time_point now) const {
    Position found = 0;
    for (const Moment& moment : moments_) {
      if (now - moment.at < age) break;
      found = moment.through;
    }
    return found;
  }

 private:
  static constexpr int k_moments = 256;
  struct Moment {
    Position through;
    Timer::time_point at;   // of the first row after the moment before
  };
  Position last_ = 0;
  const std::chrono::nanoseconds longest_;
  const std::chrono::nanoseconds apart_;
  std::deque<Moment> moments_;   // rising; at most some more than k_moments
};

}  // namespace holdfast
