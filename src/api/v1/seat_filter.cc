#include "api/v1/seat_filter.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace holdfast::api {
namespace {

constexpr std::size_t k_seats_at_once = 4'096;   // about 50 us, during which the event's changes wait

// The number in a label that begins with the section and the row of a segment; nothing for any other label.
std::optional<std::string_view> number_in(std::string_view label, const Plan& plan, const RowSegment& segment) {
  for (const std::string_view part : {std::string_view(plan.sections()[segment.section]), std::string_view(plan.names()[segment.row])}) {
    if (!label.starts_with(part) || !label.substr(part.size()).starts_with('-')) return std::nullopt;
    label.remove_prefix(part.size() + 1);
  }
  return label;
}

}  // namespace

std::size_t show_seats(const PublishedEvent& event, const SeatFilter& filter, std::size_t first, std::size_t limit, Millis now,
                       const std::function<void(SeatIndex, const SeatReading&)>& show) {
  const Plan& plan = *event.plan();
  std::vector<SeatReading> readings;
  std::size_t shown = 0;
  std::size_t at = first;
  const std::size_t last = std::min(plan.size(), first + k_seats_examined_max);
  while (at < last) {
    const RowSegment& segment = plan.segment_of(static_cast<SeatIndex>(at));
    const std::size_t end = std::min({std::size_t{segment.first} + segment.count, at + k_seats_at_once, last});
    const bool is_of_section = !filter.section || *filter.section == segment.section;
    const auto number = filter.label ? number_in(*filter.label, plan, segment) : std::nullopt;
    const bool may_have_it = is_of_section && (!filter.label || number);
    if (may_have_it) event.seats(static_cast<SeatIndex>(at), end - at, now, readings);
    for (std::size_t begin = at; may_have_it && at < end; ++at) {
      const auto seat = static_cast<SeatIndex>(at);
      const SeatReading& reading = readings[at - begin];
      if ((filter.state && reading.state != *filter.state) || (filter.category && plan.category_of(seat) != *filter.category)) continue;
      if (number && plan.number_of(seat) != *number) continue;
      if (shown++ == limit) return at;
      show(seat, reading);
    }
    at = end;
  }
  return at;
}

}  // namespace holdfast::api
