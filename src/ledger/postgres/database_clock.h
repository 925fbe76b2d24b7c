// The database's time, known to this node between two answers of the database: for readers. Commands are judged at the time that
// comes with their transaction, not at this one.
//
// Each answer that carries the time bounds it: it is at least that time, plus what has passed since. The best bound of the last
// 10 to 20 seconds counts, so this clock is never ahead of the database's, and behind it by no more than the quickest answer took and a
// millisecond.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

#include "core/time.h"

namespace holdfast::pg {

class DatabaseClock {
 public:
  // A step of the database's clock, as this node sees it, that is said aloud; beyond k_jump_max nothing is judged any more.
  static constexpr Millis k_step_min = 1'000;
  static constexpr Millis k_jump_max = 60'000;

  // Time of this machine that counts suspend and never steps, in milliseconds.
  static std::int64_t boot_ms();

  // An answer to what was sent at `sent` has arrived and says that it was `at`. Returns how far the database's clock has stepped
  // (negative: back) when it has. Any thread.
  std::optional<Millis> observe(Millis at, std::int64_t sent, std::int64_t arrived);
  // 0 before the first answer. Never goes back. Any thread.
  Millis now() const;

 private:
  static constexpr std::int64_t k_window_ms = 10'000;

  Millis raise(Millis to) const;   // sees to it that now() is at least that; returns now()

  std::mutex mutex_;
  std::int64_t window_began_ = 0;
  std::int64_t best_before_ = INT64_MIN;   // of the window before
  std::int64_t best_ = INT64_MIN;   // of the window at hand
  std::atomic<std::int64_t> offset_{INT64_MIN};
  mutable std::atomic<Millis> latest_{0};
};

}   // namespace holdfast::pg
