// Reads and writes decimal numbers. Pure; any thread.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
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

inline void append_decimal(std::string& out, std::uint64_t number) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

}  // namespace holdfast
