// A histogram of latencies without a lock. One thread or several count; any thread reads.
//
// The ranges reach from a microsecond to half a minute, and each is at most a sixteenth of its beginning wide. So a quantile is right to about
// 6 %. record() is a plain load and store, for a histogram that only one thread writes. If several threads write, all must call record_shared().
//
//   LatencyHistogram took;                            // the owner's
//   took.record(std::chrono::microseconds(180));
//   LatencyCounts now = took.counts();                // a reader's; counts only grow
//   Quantiles second = quantiles_of(now - before);
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace holdfast::api {

// The range of a time. Times are in units of 1.024 us. Below 32 units each has its own range; above that, each doubling has 16 ranges.
constexpr std::size_t k_latency_halvings = 16;
constexpr std::size_t k_latency_doublings = 20;   // of 32 units: up to 34 s; longer times count as that
constexpr std::size_t k_latency_ranges = 2 * k_latency_halvings + k_latency_doublings * k_latency_halvings;

constexpr std::size_t latency_range_of(std::uint64_t nanoseconds) {
  const std::uint64_t units = nanoseconds >> 10U;
  if (units < 2 * k_latency_halvings) return static_cast<std::size_t>(units);
  const auto exponent = static_cast<std::size_t>(std::bit_width(units)) - 1;   // 5 or more
  const auto part = static_cast<std::size_t>(units >> (exponent - 4)) - k_latency_halvings;
  const std::size_t range = 2 * k_latency_halvings + (exponent - 5) * k_latency_halvings + part;
  return range < k_latency_ranges ? range : k_latency_ranges - 1;
}

// The beginning of a range, in milliseconds. For k_latency_ranges, the end of the last range.
constexpr double latency_begin_ms(std::size_t range) {
  constexpr double k_unit_ms = 1024 / 1e6;
  if (range < 2 * k_latency_halvings) return static_cast<double>(range) * k_unit_ms;
  const std::size_t above = range - 2 * k_latency_halvings;
  const std::size_t doubling = above / k_latency_halvings;
  const auto units = static_cast<double>((k_latency_halvings + above % k_latency_halvings) << (doubling + 1));
  return units * k_unit_ms;
}

struct LatencyCounts {
  std::array<std::uint64_t, k_latency_ranges> counts{};

  LatencyCounts& operator+=(const LatencyCounts& other) {
    for (std::size_t i = 0; i < k_latency_ranges; ++i) counts[i] += other.counts[i];
    return *this;
  }
  LatencyCounts operator-(const LatencyCounts& before) const {
    LatencyCounts difference;
    for (std::size_t i = 0; i < k_latency_ranges; ++i) difference.counts[i] = counts[i] - before.counts[i];
    return difference;
  }
};

// In milliseconds. All members are 0 if nothing was measured.
struct Quantiles {
  std::uint32_t count = 0;
  float p50 = 0;
  float p99 = 0;
  float max = 0;   // the end of the range of the longest time
};

inline Quantiles quantiles_of(const LatencyCounts& of) {
  std::uint64_t total = 0;
  for (const std::uint64_t count : of.counts) total += count;
  Quantiles result{.count = static_cast<std::uint32_t>(total)};
  if (total == 0) return result;
  // Assumes that times are spread evenly within a range.
  const auto quantile = [&](double share) {
    const double wanted = share * static_cast<double>(total);
    double below = 0;
    for (std::size_t i = 0; i < k_latency_ranges; ++i) {
      const auto here = static_cast<double>(of.counts[i]);
      if (here > 0 && below + here >= wanted) {
        return latency_begin_ms(i) + (latency_begin_ms(i + 1) - latency_begin_ms(i)) * (wanted - below) / here;
      }
      below += here;
    }
    return latency_begin_ms(k_latency_ranges);
  };
  result.p50 = static_cast<float>(quantile(0.5));
  result.p99 = static_cast<float>(quantile(0.99));
  for (std::size_t i = 0; i < k_latency_ranges; ++i) {
    if (of.counts[i] > 0) result.max = static_cast<float>(latency_begin_ms(i + 1));
  }
  return result;
}

class LatencyHistogram {
 public:
  void record(std::chrono::nanoseconds took) {
    auto& count = count_of(took);
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void record_shared(std::chrono::nanoseconds took) { count_of(took).fetch_add(1, std::memory_order_relaxed); }
  LatencyCounts counts() const {
    LatencyCounts copy;
    for (std::size_t i = 0; i < k_latency_ranges; ++i) copy.counts[i] = counts_[i].load(std::memory_order_relaxed);
    return copy;
  }

 private:
  std::atomic<std::uint64_t>& count_of(std::chrono::nanoseconds took) {
    return counts_[latency_range_of(took.count() < 0 ? 0 : static_cast<std::uint64_t>(took.count()))];
  }

  std::array<std::atomic<std::uint64_t>, k_latency_ranges> counts_{};
};

}   // namespace holdfast::api
