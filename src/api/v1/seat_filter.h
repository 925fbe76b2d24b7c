// A filter for the seats of an event, and a page of those that it matches: GET /v1/events/{eventId}/seats.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "ledger/published.h"

namespace holdfast::api {

inline constexpr std::size_t k_seats_examined_max = 1'000'000;   // for one page; the next page continues there

// A seat must match every member that is set.
struct SeatFilter {
  std::optional<SeatState> state{};
  std::optional<std::uint32_t> section{};    // into Plan::sections()
  std::optional<std::uint32_t> category{};   // into Plan::categories()
  std::optional<std::string> label{};        // section-row-number
};

// Calls `show` for at most `limit` seats from `first` on, in the plan's order and as they are at `now`. Returns where the next page begins, or
// the event's number of seats after the last page. Any thread. Blocks changes of the event for about 50 us at a time.
std::size_t show_seats(const PublishedEvent& event, const SeatFilter& filter, std::size_t first, std::size_t limit, Millis now,
                       const std::function<void(SeatIndex, const SeatReading&)>& show);

}   // namespace holdfast::api
