// How long tests wait: for a condition, never for a time. The patience is generous, because it is used up only if something is
// wrong.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace holdfast::test {

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool k_is_sanitized = true;
#else
inline constexpr bool k_is_sanitized = false;
#endif

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

inline constexpr int k_slowness = k_is_sanitized ? 5 : 1;         // the cost of sanitizers, for times that are measured
inline constexpr milliseconds k_patience{20'000 * k_slowness};    // for one answer, one start, one end

// Checks `condition` repeatedly until it holds. False if it does not within `patience`.
template <typename Condition>
bool eventually(Condition condition, milliseconds patience = k_patience) {
  const auto deadline = Clock::now() + patience;
  for (milliseconds pause{1};; pause = std::min(pause * 2, milliseconds{20})) {
    if (condition()) return true;
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace holdfast::test
