// So many requests a second, and a burst, for each of many callers.
//
// A token bucket in one number: the time at which it will be full again (the generic cell rate algorithm). What belongs to a caller is a
// slot in a table of fixed size: a set of eight slots is found by the caller's hash, and when it is full, the bucket that is nearest to full
// makes room, because forgetting that one gives least away. So memory is bounded, nothing is allocated by request, and a bucket that is full
// costs nothing.
//
//   RateLimiter limiter({.per_second = 20, .burst = 40});
//   if (const auto wait = limiter.take("visitor-…", now)) …   // refused: try again in *wait
//
// Any thread: a mutex guards one 64th of the table, for some 20 ns.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

namespace holdfast {

inline constexpr std::size_t k_rate_buckets_max = 65'536;   // callers that a limiter tells apart: 1 MiB

class RateLimiter {
 public:
  struct Rate {
    double per_second = 0;   // 0: no limit
    std::uint64_t burst = 1;   // taken at once by who was quiet
  };
  using Nanos = std::chrono::nanoseconds;

  explicit RateLimiter(Rate rate);

  // Takes one token of the caller's bucket at `now`, a time of a clock that never goes back. Nothing when there was one; else how long until
  // there is.
  std::optional<Nanos> take(std::string_view caller, Nanos now);

  bool is_off() const { return interval_ == 0; }

 private:
  static constexpr std::size_t k_ways = 8;
  static constexpr std::size_t k_shards = 64;
  static constexpr std::size_t k_sets = k_rate_buckets_max / k_ways;

  struct Slot {
    std::uint64_t caller = 0;   // a hash; 0 is nobody
    std::int64_t full_at = 0;
  };
  using Set = std::array<Slot, k_ways>;

  static Slot& slot_of(Set& set, std::uint64_t caller);

  std::int64_t interval_ = 0;   // nanoseconds a token
  std::int64_t tolerance_ = 0;   // how far ahead of now full_at may be for one more
  std::uint64_t seed_;
  std::unique_ptr<Set[]> sets_;
  std::array<std::mutex, k_shards> mutexes_;
};

// For Retry-After: whole seconds, at least one.
std::int64_t whole_seconds(std::chrono::nanoseconds wait);

}   // namespace holdfast
