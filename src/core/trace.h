// The place of a request in its caller's trace, from the W3C header `traceparent`. Pure functions; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

// 16 bytes of the trace's id, 8 of the caller's span, 1 of flags.
struct TraceParent {
  std::array<std::uint8_t, 25> packed;
  bool operator==(const TraceParent&) const = default;
};

inline constexpr std::size_t k_traceparent_text_bytes = 55;

// Reads "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": lower case, neither id all zeros. Of a later version of the header, only the
// part that version 00 has. nullopt for anything else.
std::optional<TraceParent> parse_traceparent(std::string_view text);

// In the form of version 00.
std::string to_string(const TraceParent& trace);

}   // namespace holdfast
