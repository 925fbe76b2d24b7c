// Reads numbers that callers write. Pure; any thread.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>

namespace holdfast {

// A text as a decimal number; nullopt if it has anything but digits (and a sign, if `Number` has one), or if `Number` cannot hold it.
template <std::integral Number>
std::optional<Number> parse_decimal(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace holdfast
