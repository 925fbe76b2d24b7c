// Points in time are whole milliseconds since 1970 UTC. Core has no clock: times are arguments. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

using Millis = std::int64_t;

inline constexpr Millis k_millis_per_second = 1'000;
inline constexpr Millis k_never = std::numeric_limits<Millis>::max();

// RFC 3339 in UTC with `Z`, with milliseconds unless they are zero: 2026-02-24T16:15:00Z, 2026-02-24T16:15:00.250Z. `at` must be in the years
// 0 to 9999.
void append_rfc3339(std::string& out, Millis at);
std::string rfc3339(Millis at);

// Reads RFC 3339 with `Z` or an offset, and drops digits after milliseconds. nullopt for anything else.
std::optional<Millis> parse_rfc3339(std::string_view text);

}   // namespace holdfast
