// Finds the characters that JSON has as they are, eight at a time. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace holdfast {

// ASCII that stands for itself between quotes: no control character below U+0020, no quote and no backslash.
constexpr bool is_plain(char c) { return c != '"' && c != '\\' && static_cast<signed char>(c) >= 0x20; }

// How many characters at the beginning of `text` are plain.
inline std::size_t plain_bytes(std::string_view text) {
  constexpr std::uint64_t k_ones = 0x0101'0101'0101'0101;
  constexpr std::uint64_t k_tops = 0x8080'8080'8080'8080;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, text.data() + at, 8);
    const std::uint64_t quotes = eight ^ (k_ones * '"');
    const std::uint64_t backslashes = eight ^ (k_ones * '\\');
    // A byte's top bit is set if it is below 0x20, a quote, a backslash, or at least 0x80; perhaps also above such a byte.
    const std::uint64_t found = ((eight - k_ones * 0x20) | (quotes - k_ones) | (backslashes - k_ones) | eight) & k_tops;
    if (found != 0) break;
  }
  while (at < text.size() && is_plain(text[at])) ++at;
  return at;
}

}  // namespace holdfast
