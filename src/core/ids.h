// Identities: UUIDs as the contracts write them, and the layout of a reservation's id. Pure functions; any thread.
#pragma once

#include <boost/uuid/uuid.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

using Uuid = boost::uuids::uuid;      // 16 bytes, compared byte by byte
using EventNumber = std::uint32_t;    // 1, 2, 3, … in the order of creation; never reused; 0: none
using SeatIndex = std::uint32_t;      // index of a seat in its event's plan, from 0
using Seq = std::uint64_t;            // number of a change in its event, from 1 without gaps; 0 is before the first

inline constexpr std::size_t k_uuid_text_bytes = 36;

// The value of a hex digit in any letter case; -1 if it is none.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Reads a UUID of 8-4-4-4-12 hex digits in any letter case. nullopt for any other form (braces, no dashes, …).
std::optional<Uuid> parse_uuid(std::string_view text);

// 36 characters, lower case.
std::string to_string(const Uuid& id);
void append_uuid(std::string& out, const Uuid& id);

// A UUID (version 5) for a seat without an id in its plan. Always the same for the same event and label.
Uuid derived_seat_id(const Uuid& event_id, std::string_view label);

// A reservation's id is a UUID of version 8:
//
//   bits   0..31  the event's number, so that any node finds the reservation without a directory
//   bits  32..41  time in steps of 2^16 ms, modulo 2^10: ids from about the same time are close together in an index
//   the rest      80 random bits (between version and variant), which make the id unguessable
//
// `random` must come from a cryptographic source.
Uuid make_reservation_id(EventNumber event, std::int64_t now_ms, const std::uint8_t (&random)[10]);

// The event's number in a reservation's id; nullopt if `id` does not have that form.
std::optional<EventNumber> event_of_reservation(const Uuid& id);

}  // namespace holdfast
