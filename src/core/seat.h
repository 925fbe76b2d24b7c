#pragma once

#include <cstdint>

namespace holdfast {

// The states of a seat. The values are the letters that `/states` shows.
enum class SeatState : char {
  available = 'a',
  held = 'h',
  sold = 's',
  blocked = 'b',   // kept from sale by the organiser
};

enum class ReservationStatus : std::uint8_t { active = 0, consumed = 1, released = 2, expired = 3 };

// The owner of a reservation: a customer, or a caller of contract 2's tickets_lock, which has no customers.
enum class ReservationKind : std::uint8_t { customer = 0, ticket_lock = 1 };

constexpr const char* name_of(SeatState state) {
  switch (state) {
    case SeatState::available: return "available";
    case SeatState::held: return "held";
    case SeatState::sold: return "sold";
    case SeatState::blocked: return "blocked";
  }
  return "unknown";
}

constexpr const char* name_of(ReservationStatus status) {
  switch (status) {
    case ReservationStatus::active: return "active";
    case ReservationStatus::consumed: return "consumed";
    case ReservationStatus::released: return "released";
    case ReservationStatus::expired: return "expired";
  }
  return "unknown";
}

}  // namespace holdfast
