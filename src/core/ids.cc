#include "core/ids.h"

#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <cstring>

namespace holdfast {
// Not Boost's string_generator, which accepts forms that no contract allows (braces, no dashes) and throws on errors.
std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != k_uuid_text_bytes) return std::nullopt;
  Uuid id;
  std::size_t byte = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return std::nullopt;
      ++i;
      continue;
    }
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id.data[byte++] = static_cast<std::uint8_t>(high << 4 | low);
    i += 2;
  }
  return id;
}

void append_uuid(std::string& out, const Uuid& id) {
  char text[k_uuid_text_bytes];
  boost::uuids::to_chars(id, text);
  out.append(text, sizeof text);
}

std::string to_string(const Uuid& id) {
  std::string text;
  append_uuid(text, id);
  return text;
}

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
