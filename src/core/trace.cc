#include "core/trace.h"

#include <algorithm>

#include "core/bytes.h"

namespace holdfast {
namespace {

constexpr std::size_t k_trace_bytes = 16;
constexpr std::size_t k_span_bytes = 8;
constexpr std::string_view k_digits = "0123456789abcdef";

// The header must be in lower case, so it can be compared without conversion.
bool read_hex(std::string_view text, std::uint8_t* out) {
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const std::size_t high = k_digits.find(text[i]);
    const std::size_t low = k_digits.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return false;
    *out++ = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

}  // namespace

std::optional<TraceParent> parse_traceparent(std::string_view text) {
  if (text.size() < k_traceparent_text_bytes || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  std::uint8_t version = 0;
  if (!read_hex(text.substr(0, 2), &version) || version == 0xFF) return std::nullopt;
  const bool is_longer = text.size() > k_traceparent_text_bytes;
  if (is_longer && (version == 0 || text[k_traceparent_text_bytes] != '-')) return std::nullopt;
  TraceParent trace;
  std::uint8_t* const at = trace.packed.data();
  const bool is_read = read_hex(text.substr(3, 32), at) && read_hex(text.substr(36, 16), at + k_trace_bytes) &&
                       read_hex(text.substr(53, 2), at + k_trace_bytes + k_span_bytes);
  const auto is_zero = [](std::uint8_t byte) { return byte == 0; };
  if (!is_read || std::all_of(at, at + k_trace_bytes, is_zero)) return std::nullopt;
  if (std::all_of(at + k_trace_bytes, at + k_trace_bytes + k_span_bytes, is_zero)) return std::nullopt;
  return trace;
}

std::string to_string(const TraceParent& trace) {
  const std::uint8_t* const at = trace.packed.data();
  std::string text = "00-";
  text.reserve(k_traceparent_text_bytes);
  append_hex(text, {at, k_trace_bytes});
  text += '-';
  append_hex(text, {at + k_trace_bytes, k_span_bytes});
  text += '-';
  append_hex(text, {at + k_trace_bytes + k_span_bytes, 1});
  return text;
}

}  // namespace holdfast
