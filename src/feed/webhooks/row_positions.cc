#include "feed/webhooks/row_positions.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "ledger/cursors.h"
#include "ledger/data_error.h"

namespace holdfast::feed {
namespace {

// Where reading continues behind a position that is not empty.
ChangePlace place_behind(const SourcePosition& position) {
  Position row = -1;
  ChangePlace place;
  const char* const end = position.data() + position.size();
  auto read = std::from_chars(position.data(), end, row);
  if (read.ec == std::errc{} && read.ptr != end && *read.ptr == '.') read = std::from_chars(read.ptr + 1, end, place.skip);
  const bool is_whole = read.ec == std::errc{} && read.ptr == end && row >= 0 && row < std::numeric_limits<Position>::max();
  if (!is_whole) throw DataError("`" + position + "` is not a position in the journal");
  place.position = row + 1;
  return place;
}

}  // namespace

std::string cursor_of_row_position(const SourcePosition& position) { return position.empty() ? position : text_of(place_behind(position)); }

SourcePosition row_position_of_cursor(const std::string& cursor) {
  if (cursor.empty()) return cursor;
  const auto place = parse_change_place(cursor);
  if (!place) throw DataError("`" + cursor + "` is not a place in the journal");
  return std::to_string(place->position - 1) + (place->skip == 0 ? "" : "." + std::to_string(place->skip));
}

Position needless_through(std::span<const EndpointReport> endpoints) {
  Position through = std::numeric_limits<Position>::max();
  for (const EndpointReport& each : endpoints) {
    const SourcePosition& position = each.endpoint.position;
    if (each.endpoint.enabled) through = std::min(through, position.empty() ? 0 : place_behind(position).position - 1);
  }
  return through;
}

}  // namespace holdfast::feed
