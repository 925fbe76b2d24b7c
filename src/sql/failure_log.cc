#include "sql/failure_log.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace holdfast::pg {
namespace {

constexpr std::array<const char*, k_works> k_alone = {"a batch failed", "the outcome of a commit is not known yet",
                                                      "a reading for a caller failed", "the work of every second failed"};
constexpr std::array<const char*, k_works> k_counted = {"attempts at a batch", "checks for a lost commit", "readings for callers",
                                                        "rounds of upkeep"};

std::int64_t seconds(FailureLog::Timer::duration time) { return std::chrono::duration_cast<std::chrono::seconds>(time).count(); }

}   // namespace

FailureLog::~FailureLog() {
  if (std::ranges::any_of(since_report_, [](std::uint64_t count) { return count > 0; })) {
    spdlog::warn("postgresql: still failing at the end: {} since the last report; the last: {}", text_of(since_report_), last_);
  }
}

// "12 attempts at a batch, 3 readings for callers"
std::string FailureLog::text_of(const Counts& counts) {
  std::string text;
  for (std::size_t work = 0; work < k_works; ++work) {
    if (counts[work] == 0) continue;
    if (!text.empty()) text += ", ";
    text += std::to_string(counts[work]) + " " + k_counted[work];
  }
  return text;
}

void FailureLog::failed(Work work, std::string_view why, Timer::time_point now) {
  const auto kind = static_cast<std::size_t>(work);
  spdlog::debug("postgresql: {}: {}", k_alone[kind], why);
  const std::scoped_lock lock(mutex_);
  last_failure_ = now;
  last_ = why;
  ++since_began_[kind];
  if (!is_failing_) {
    is_failing_ = true;
    began_ = reported_ = now;
    spdlog::warn("postgresql: {}: {}", k_alone[kind], why);   // logs the first failure; the next ones are only counted
    return;
  }
  ++since_report_[kind];
  if (now < reported_ + k_between_reports) return;
  spdlog::warn("postgresql: has been failing for {} s: {} in the last {} s; the last: {}", seconds(now - began_), text_of(since_report_),
               seconds(now - reported_), why);
  reported_ = now;
  since_report_ = {};
}

void FailureLog::worked(Timer::time_point now) {
  if (!is_failing_.load(std::memory_order_relaxed)) return;
  const std::scoped_lock lock(mutex_);
  if (!is_failing_ || now < last_failure_ + k_over_after) return;
  spdlog::warn("postgresql: works again; these failed within {} s: {}", seconds(last_failure_ - began_), text_of(since_began_));
  is_failing_ = false;
  since_report_ = since_began_ = {};
}

}   // namespace holdfast::pg
