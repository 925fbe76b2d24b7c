#include "ledger/cursors.h"

#include <charconv>

namespace holdfast {

std::optional<ChangePlace> parse_change_place(std::string_view text) {
  ChangePlace place;
  const char* end = text.data() + text.size();
  const auto position = std::from_chars(text.data(), end, place.position);
  if (position.ec != std::errc{} || place.position < 1) return std::nullopt;
  if (position.ptr == end) return place;
  if (*position.ptr != '-') return std::nullopt;
  const auto skip = std::from_chars(position.ptr + 1, end, place.skip);
  if (skip.ec != std::errc{} || skip.ptr != end || place.skip == 0) return std::nullopt;
  return place;
}

std::string text_of(const ChangePlace& place) {
  return std::to_string(place.position) + (place.skip == 0 ? "" : "-" + std::to_string(place.skip));
}

std::optional<ReservationPlace> parse_reservation_place(std::string_view text) {
  ReservationPlace place;
  const char* end = text.data() + text.size();
  const auto event = std::from_chars(text.data(), end, place.event);
  if (event.ec != std::errc{} || event.ptr == end || *event.ptr != '-') return std::nullopt;
  const auto seq = std::from_chars(event.ptr + 1, end, place.seq);
  const bool is_whole = seq.ec == std::errc{} && seq.ptr == end && place.event > 0 && place.seq <= INT64_MAX;
  return is_whole ? std::optional(place) : std::nullopt;
}

std::string text_of(const ReservationPlace& place) { return std::to_string(place.event) + "-" + std::to_string(place.seq); }

}  // namespace holdfast
