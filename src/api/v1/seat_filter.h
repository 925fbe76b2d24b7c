// Which of an event's seats a list has, and a page of them: GET /v1/events/{eventId}/seats.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "ledger/published.h"

namespace holdfast::api {

inline constexpr std::size_t k_seats_examined_max = 1'000'000;   // for one page; then it ends, and the next goes on

// A member that is not set does not matter.
struct SeatFilter {
  std::optional<SeatState> state{};
  std::optional<std::uint32_t> section{};    // into Plan::sections()
  std::optional<std::uint32_t> category{};   // into Plan::categories()
  std::optional<std::string> label{};        // section-row-number
};

// Calls `show` for at most `limit` seats from `first` on, in the plan's order and as they are at `now`. Returns where the next page begins;
// the event's number of seats: this is the last page. Any thread; blocks changes of the event for some 50 us at a time.
std::size_t show_seats(const PublishedEvent& event, const SeatFilter& filter, std::size_t first, std::size_t limit, Millis now,
                       const std::function<void(SeatIndex, const SeatReading&)>& show);

}   // namespace holdfast::api
