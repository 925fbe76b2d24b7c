#include "feed/kafka/marked_positions.h"

#include <array>
#include <charconv>

#include "core/check.h"

namespace holdfast::feed::kafka {
namespace {

constexpr char k_positions_version = '1';

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 17> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number, 16);
  out.append(text.data(), end);
}

template <typename Number>
bool read_number(std::string_view& text, char end, Number& number) {
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(at - text.data()));
  if (end == 0) return true;
  if (!text.starts_with(end)) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

// The format: 1 event:seq:mark,event:seq:mark in hexadecimal digits, at most 34 bytes an event.
std::string encode_positions(const std::vector<MarkedPosition>& positions) {
  HOLDFAST_CHECK(positions.size() <= k_positions_max);
  std::string text(1, k_positions_version);
  for (const MarkedPosition& each : positions) {
    text += text.size() == 1 ? ' ' : ',';
    append_number(text, each.position.event);
    text += ':';
    append_number(text, each.position.seq);
    text += ':';
    append_number(text, each.mark);
  }
  return text;
}

std::optional<std::vector<MarkedPosition>> decode_positions(std::string_view text) {
  std::vector<MarkedPosition> positions;
  if (!text.starts_with(k_positions_version)) return std::nullopt;
  text.remove_prefix(1);
  while (!text.empty()) {
    if (!text.starts_with(positions.empty() ? ' ' : ',') || positions.size() == k_positions_max) return std::nullopt;
    text.remove_prefix(1);
    MarkedPosition each;
    const bool is_read =
        read_number(text, ':', each.position.event) && read_number(text, ':', each.position.seq) && read_number(text, 0, each.mark);
    if (!is_read) return std::nullopt;
    positions.push_back(each);
  }
  return positions;
}

}  // namespace holdfast::feed::kafka
