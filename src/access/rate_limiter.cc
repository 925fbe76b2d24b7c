#include "access/rate_limiter.h"

#include <algorithm>

#include "access/random.h"
#include "core/hash.h"

namespace holdfast {
namespace {

constexpr double k_nanos_per_second = 1e9;

std::uint64_t draw_seed() {
  std::array<std::uint8_t, sizeof(std::uint64_t)> bytes;
  fill_random(bytes);
  return std::bit_cast<std::uint64_t>(bytes);
}

}  // namespace

RateLimiter::RateLimiter(Rate rate) : seed_(draw_seed()) {
  if (rate.per_second <= 0) return;
  interval_ = std::max<std::int64_t>(1, static_cast<std::int64_t>(k_nanos_per_second / rate.per_second));
  tolerance_ = interval_ * static_cast<std::int64_t>(std::max<std::uint64_t>(rate.burst, 1) - 1);
  sets_ = std::make_unique<Set[]>(k_sets);
}

std::optional<RateLimiter::Nanos> RateLimiter::take(std::string_view caller, Nanos now) {
  if (is_off()) return std::nullopt;
  const std::uint64_t hash = std::max<std::uint64_t>(hash_bytes(caller, seed_), 1);
  const std::size_t set = hash % k_sets;
  const std::scoped_lock lock(mutexes_[set % k_shards]);
  Slot& slot = slot_of(sets_[set], hash);
  const std::int64_t full_at = std::max(slot.full_at, now.count());
  if (const std::int64_t early = full_at - now.count() - tolerance_; early > 0) return Nanos(early);
  slot.full_at = full_at + interval_;
  return std::nullopt;
}

RateLimiter::Slot& RateLimiter::slot_of(Set& set, std::uint64_t caller) {
  const auto own = std::ranges::find(set, caller, &Slot::caller);
  if (own != set.end()) return *own;
  Slot& fullest = *std::ranges::min_element(set, {}, &Slot::full_at);
  fullest = {.caller = caller, .full_at = 0};
  return fullest;
}

std::int64_t whole_seconds(std::chrono::nanoseconds wait) {
  return std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(wait).count());
}

}  // namespace holdfast
