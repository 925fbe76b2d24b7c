// Ids, hashes and digests as the bytes that databases and files keep, and back. Pure functions; any thread.
//
//   row.bytes(as_bytes(hash));
//   if (!read_bytes(row.bytes(0, 2), hash)) …   // not a hash
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/ids.h"

namespace holdfast {

// Valid as long as what it is given.
template <std::size_t Size>
std::string_view as_bytes(const std::array<std::uint8_t, Size>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::string_view as_bytes(const Uuid& id) { return {reinterpret_cast<const char*>(id.data), sizeof id.data}; }

// False if `bytes` has another size; `to` is then as it was.
template <std::size_t Size>
bool read_bytes(std::string_view bytes, std::array<std::uint8_t, Size>& to) {
  if (bytes.size() != Size) return false;
  std::ranges::copy(bytes, reinterpret_cast<char*>(to.data()));
  return true;
}

// Two digits for each byte, in lower case.
inline void append_hex(std::string& out, std::span<const std::uint8_t> bytes) {
  constexpr std::string_view k_digits = "0123456789abcdef";
  for (const std::uint8_t byte : bytes) out.append(1, k_digits[byte >> 4]).append(1, k_digits[byte & 15]);
}

}  // namespace holdfast
