#include "core/command.h"

namespace holdfast {

const Uuid* reservation_of(const Command& command) {
  if (const auto* add = std::get_if<Add>(&command)) return &add->reservation;
  if (const auto* extend = std::get_if<Extend>(&command)) return &extend->reservation;
  if (const auto* release = std::get_if<Release>(&command)) return &release->reservation;
  if (const auto* consume = std::get_if<Consume>(&command)) return &consume->reservation;
  if (const auto* give_back = std::get_if<Return>(&command)) return &give_back->reservation;
  return nullptr;
}

const char* name_of(Reason reason) {
  switch (reason) {
    case Reason::none: return "accepted";
    case Reason::seat_unavailable: return "seat_unavailable";
    case Reason::seat_not_found: return "seat_not_found";
    case Reason::event_not_on_sale: return "event_not_on_sale";
    case Reason::limit_exceeded: return "limit_exceeded";
    case Reason::hold_too_long: return "hold_too_long";
    case Reason::reservation_not_found: return "reservation_not_found";
    case Reason::reservation_expired: return "reservation_expired";
    case Reason::reservation_not_active: return "reservation_not_active";
    case Reason::seat_not_sold: return "seat_not_sold";
    case Reason::order_mismatch: return "order_mismatch";
    case Reason::idempotency_key_reused: return "idempotency_key_reused";
    case Reason::lock_held: return "lock_held";
    case Reason::event_not_found: return "event_not_found";
    case Reason::another_part_refused: return "another_part_refused";
    case Reason::unavailable: return "unavailable";
    case Reason::no_adjacent_seats: return "no_adjacent_seats";
    case Reason::settings_conflict: return "settings_conflict";
    case Reason::reservation_unreadable: return "reservation_unreadable";
    case Reason::no_room: return "no_room";
  }
  return "unknown";
}

const char* name_of(Limit limit) {
  switch (limit) {
    case Limit::none: return "none";
    case Limit::seats_per_reservation: return "seats_per_reservation";
    case Limit::held_seats_per_customer: return "held_seats_per_customer";
    case Limit::seats_per_event: return "seats_per_event";
    case Limit::idempotency_keys: return "idempotency_keys";
    case Limit::reservations_in_memory: return "reservations_in_memory";
    case Limit::held_seats_visitor: return "held_seats_visitor";
  }
  return "unknown";
}

}  // namespace holdfast
