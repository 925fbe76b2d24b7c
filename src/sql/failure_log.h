// What the log says while a database does not do what it is asked: that it began, every ten seconds how often what was not done, and that
// it is over, with all that was not done meanwhile. Each failure alone is at level debug. Under load a database that is away fails
// thousands of times a second, and a line for each would bury what else there is to read, and fill the disk.
//
//   failures.failed(Work::batch, error.what());    // says so when it is the first
//   failures.worked();                             // says that it is over, when nothing has failed for a moment
//
// Any thread; worked() costs one load where nothing is wrong.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace holdfast::pg {

// What the database was asked to do.
enum class Work : std::uint8_t {
  batch,        // to take a batch: one attempt
  settlement,   // to say what became of a commit whose answer was lost
  reading,      // to tell a caller what is there
  upkeep,       // to let itself be looked after
};
inline constexpr std::size_t k_works = 4;

class FailureLog {
 public:
  using Timer = std::chrono::steady_clock;

  static constexpr std::chrono::seconds k_between_reports{10};
  // One that fails now and then, between others that do not, is one trouble and not many.
  static constexpr std::chrono::seconds k_over_after{2};

  FailureLog() = default;
  ~FailureLog();   // says what it has not said yet
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
