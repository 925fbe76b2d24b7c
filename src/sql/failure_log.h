// Summarises failures of a database in the log. It logs the first failure, then every ten seconds how many of each kind there
// were, and at the end the totals. Each single failure is logged at level debug. Under load, a database that is down fails
// thousands of times a second: one line each would bury the rest of the log, and fill the disk.
//
//   failures.failed(Work::batch, error.what());    // logs the first failure
//   failures.worked();                             // logs the end, once nothing has failed for a moment
//
// Any thread; worked() costs one load while nothing is wrong.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace holdfast::pg {

// What the database was asked for.
enum class Work : std::uint8_t {
  batch,        // take a batch: one attempt
  settlement,   // find out the outcome of a commit whose answer was lost
  reading,      // read something for a caller
  upkeep,       // the work of every second
};
inline constexpr std::size_t k_works = 4;

class FailureLog {
 public:
  using Timer = std::chrono::steady_clock;

  static constexpr std::chrono::seconds k_between_reports{10};
  // A failure now and then, among calls that work, is one period of trouble and not many.
  static constexpr std::chrono::seconds k_over_after{2};

  FailureLog() = default;
  ~FailureLog();   // logs what has not been reported yet
  FailureLog(const FailureLog&) = delete;
  FailureLog& operator=(const FailureLog&) = delete;

  // `now` is for tests.
  void failed(Work work, std::string_view why, Timer::time_point now = Timer::now());
  void worked(Timer::time_point now = Timer::now());

 private:
  using Counts = std::array<std::uint64_t, k_works>;

  static std::string text_of(const Counts& counts);

  std::atomic<bool> is_failing_{false};
  std::mutex mutex_;
  Timer::time_point began_{};
  Timer::time_point last_failure_{};
  Timer::time_point reported_{};
  std::string last_;        // why
  Counts since_report_{};
  Counts since_began_{};
};

}   // namespace holdfast::pg
