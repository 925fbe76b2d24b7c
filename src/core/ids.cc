#include "core/ids.h"

#include <array>
#include <boost/uuid/name_generator_sha1.hpp>
#include <cstring>

#include "core/uuid_text.h"

namespace holdfast {
namespace {

// Where a UUID's bytes are in its text.
constexpr std::array<std::size_t, 16> k_places{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
constexpr std::array<std::size_t, 4> k_dashes{8, 13, 18, 23};

// The two hex digits of each byte.
constexpr auto k_digits = [] {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<char, 512> pairs{};
  for (std::size_t i = 0; i < 256; ++i) {
    pairs[2 * i] = digits[i >> 4U];
    pairs[2 * i + 1] = digits[i & 15U];
  }
  return pairs;
}();

// The value of each character as a hex digit; -1 if it is none.
constexpr auto k_values = [] {
  std::array<std::int8_t, 256> values{};
  for (std::size_t i = 0; i < 256; ++i) values[i] = static_cast<std::int8_t>(hex_value(static_cast<char>(i)));
  return values;
}();

constexpr int value_of(char c) { return k_values[static_cast<unsigned char>(c)]; }

}  // namespace

// Not Boost's string_generator, which accepts forms that no contract allows (braces, no dashes) and throws on errors.
std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != k_uuid_text_bytes) return std::nullopt;
  Uuid id;
  int all = 0;   // negative as soon as a value is
  for (std::size_t i = 0; i < k_places.size(); ++i) {
    const int high = value_of(text[k_places[i]]);
    const int low = value_of(text[k_places[i] + 1]);
    all |= high | low;
    id.data[i] = static_cast<std::uint8_t>(static_cast<unsigned>(high) << 4U | static_cast<unsigned>(low));
  }
  for (const std::size_t dash : k_dashes) {
    if (text[dash] != '-') return std::nullopt;
  }
  return all < 0 ? std::nullopt : std::optional(id);
}

UuidText uuid_text(const Uuid& id) {
  UuidText text;
  for (std::size_t i = 0; i < k_places.size(); ++i) std::memcpy(&text.chars[k_places[i]], &k_digits[2 * std::size_t{id.data[i]}], 2);
  for (const std::size_t dash : k_dashes) text.chars[dash] = '-';
  return text;
}

void append_uuid(std::string& out, const Uuid& id) { out += uuid_text(id).view(); }

std::string to_string(const Uuid& id) { return std::string(uuid_text(id).view()); }

Uuid derived_seat_id(const Uuid& event_id, std::string_view label) {
  return boost::uuids::name_generator_sha1(event_id)(label.data(), label.size());
}

Uuid make_reservation_id(EventNumber event, std::int64_t now_ms, const std::uint8_t (&random)[10]) {
  const auto time = static_cast<std::uint32_t>(static_cast<std::uint64_t>(now_ms) >> 16) & 0x3FF;
  Uuid id;
  for (int i = 0; i < 4; ++i) id.data[i] = static_cast<std::uint8_t>(event >> (24 - 8 * i));
  id.data[4] = static_cast<std::uint8_t>(time >> 2);
  id.data[5] = static_cast<std::uint8_t>((time & 3) << 6 | (random[0] & 0x3F));
  id.data[6] = static_cast<std::uint8_t>(0x80 | (random[1] & 0x0F));
  id.data[7] = random[2];
  // The byte of the variant also takes six random bits that version and variant have displaced in random[0] and random[1].
  id.data[8] = static_cast<std::uint8_t>(0x80 | (random[0] >> 6) << 4 | random[1] >> 4);
  std::memcpy(id.data + 9, random + 3, 7);
  return id;
}

std::optional<EventNumber> event_of_reservation(const Uuid& id) {
  if ((id.data[6] & 0xF0) != 0x80 || (id.data[8] & 0xC0) != 0x80) return std::nullopt;
  EventNumber event = 0;
  for (int i = 0; i < 4; ++i) event = event << 8 | id.data[i];
  if (event == 0) return std::nullopt;
  return event;
}

}  // namespace holdfast
