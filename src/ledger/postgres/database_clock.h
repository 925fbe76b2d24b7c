// The database's time between two answers of the database, for readers. Commands are judged at the time that their own transaction reads,
// not at this one.
//
//   clock.observe(at, sent, DatabaseClock::boot_ms());   // for each answer with a time
//   clock.now();
//
// The time in an answer, plus the time that has passed since it arrived, is a lower bound. The best bound of the last 10 to 20 s counts.
// So this clock is never ahead of the database's, and behind it by at most the fastest answer's duration and 1 ms. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

#include "core/time.h"

// The database's time in a statement, in milliseconds since 1970.
#define HOLDFAST_DATABASE_NOW "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

namespace holdfast::pg {

class DatabaseClock {
 public:
  // In milliseconds. observe() reports a step of the database's clock of at least k_step_min. Beyond k_jump_max in all, the ledger judges
  // nothing.
  static constexpr Millis k_step_min = 1'000;
  static constexpr Millis k_jump_max = 60'000;

  // Milliseconds since this machine booted, with suspends; never steps.
  static std::int64_t boot_ms();

  // An answer to a statement sent at `sent` has arrived at `arrived` (both boot_ms()), with the database's time `at`. Returns the step of
  // the database's clock in milliseconds (negative: back), if there was one.
  std::optional<Millis> observe(Millis at, std::int64_t sent, std::int64_t arrived);
  // 0 before the first answer. Never goes back.
  Millis now() const;

 private:
  static constexpr std::int64_t k_window_ms = 10'000;

  Millis raise(Millis to) const;   // makes now() at least `to`; returns now()

  std::mutex mutex_;
  std::int64_t window_began_ = 0;
  std::int64_t best_before_ = INT64_MIN;   // of the previous window
  std::int64_t best_ = INT64_MIN;   // of the current window
  std::atomic<std::int64_t> offset_{INT64_MIN};
  mutable std::atomic<Millis> latest_{0};
};

}   // namespace holdfast::pg
