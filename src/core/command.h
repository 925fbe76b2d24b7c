// Commands and outcomes: the requests that an event understands, and their results. The types of the table in docs/internals/rules.md.
//
// A command does not own its texts and seats: its creator must keep them until the outcome exists.
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "core/event.h"
#include "core/ids.h"
#include "core/seat.h"
#include "core/time.h"

namespace holdfast {

// Seats are named by their index in the event's plan, at most k_seats_per_reservation_max in a command, none of them twice.
using Seats = std::span<const SeatIndex>;

// Reserves all the seats, or none.
struct Hold {
  Uuid reservation{};                 // chosen by the caller, new (make_reservation_id)
  ReservationKind kind = ReservationKind::customer;
  std::string_view customer{};       // 1 to k_customer_bytes_max bytes; empty for a ticket lock
  Seats seats{};
  Millis duration = 0;              // 1 ms to k_hold_seconds_max
  bool duration_is_contracted = false;   // the event's longest hold does not apply (contract 1)
  std::uint32_t held_seats_max = 0;      // seats that the customer may hold in the event, besides the event's own limit; 0: no limit
};

struct Add {
  Uuid reservation{};
  Seats seats{};
  std::uint32_t held_seats_max = 0;      // as in Hold
};

struct Extend {
  Uuid reservation{};
  Millis duration = 0;   // from now; never shortens the hold; limited by the longest hold, counted from creation
};

struct Release {
  Uuid reservation{};
  Seats seats{};           // empty: all
};

// Releases, seat by seat, the seats of these that ticket locks hold. Leaves all others alone. Never refused.
struct ReleaseLocks {
  Seats seats{};
  std::span<const Uuid> only{};  // not empty: only what these reservations hold
};

struct Consume {
  Uuid reservation{};
  std::string_view order{};  // 1 to k_order_bytes_max bytes
  bool reinstate = false;   // also after it has expired or was released, if every seat is available
};

struct Return {
  Uuid reservation{};
  std::string_view order;
  Seats seats{};              // empty: all seats that are still sold to it
};

struct Block {
  Seats seats{};
};

struct Unblock {
  Seats seats{};
};

// Records expiries that are due, the earliest first: at most `limit`, and none after the one that reaches `seats_max` freed seats.
// So one is always recorded, however many seats it has.
struct Sweep {
  std::size_t limit = 0;
  std::size_t seats_max = SIZE_MAX;
};

// Changes single settings of an event. Settings that are not set keep the value that they have when the command is judged.
// Refused as settings_conflict if it sets one of the two lengths of holds, and hold_seconds would exceed max_hold_seconds.
struct Configure {
  std::optional<std::string> name{};
  std::optional<Millis> starts_at{};
  std::optional<EventStatus> status{};
  std::optional<std::int64_t> hold_seconds{};
  std::optional<std::int64_t> max_hold_seconds{};
  std::optional<std::uint32_t> seats_per_reservation{};     // of EventLimits
  std::optional<std::uint32_t> held_seats_per_customer{};
};

// Creates an event, without seats and importing: the first change of an empty inventory (seq 0).
struct Create {
  std::string_view plan_header{};   // what Plan::encode_header wrote
};

// Appends seats that Plan::encode_seats wrote. Only while the event is importing.
struct AppendSeats {
  std::string_view encoded{};
  std::size_t count = 0;
};

// A wish for seats that the ledger chooses (core/best_available.h).
struct BestAvailable {
  std::uint32_t quantity = 1;                // 1 to k_seats_per_reservation_max
  std::optional<std::uint32_t> section{};    // an index into Plan::sections(): only seats in it
  std::optional<std::uint32_t> category{};   // an index into Plan::categories(): only seats of it
  bool adjacent = true;                      // in one row, side by side
};

// A customer's Hold of the best seats available when it is judged.
struct HoldBest {
  Uuid reservation{};             // as in Hold
  std::string_view customer{};    // 1 to k_customer_bytes_max bytes
  BestAvailable wish{};
  Millis duration = 0;            // 1 ms to k_hold_seconds_max
  std::uint32_t held_seats_max = 0;   // as in Hold
};

using Command = std::variant<Hold, Add, Extend, Release, ReleaseLocks, Consume, Return, Block, Unblock, Sweep, Configure, Create,
                             AppendSeats, HoldBest>;

// The reservation that a command names; nullptr: it creates one, or names only seats.
const Uuid* reservation_of(const Command& command);

enum class Reason : std::uint8_t {
  none = 0,   // accepted
  seat_unavailable,
  seat_not_found,
  event_not_on_sale,
  limit_exceeded,
  hold_too_long,
  reservation_not_found,
  reservation_expired,
  reservation_not_active,
  seat_not_sold,
  order_mismatch,
  idempotency_key_reused,
  lock_held,
  event_not_found,
  another_part_refused,   // of a set over several events: this part would have been accepted alone
  unavailable,            // the ledger could not make it durable; whether it happened is unknown
  no_adjacent_seats,      // best available: no row has enough seats side by side
  settings_conflict,      // each setting is valid, but they contradict each other
  reservation_unreadable, // it ended long ago, and its record cannot be read; nothing happened
  no_room,                // the journal has no room for it at the moment; nothing happened
};

// The stable word for a reason: `seat_unavailable`, …
const char* name_of(Reason reason);

enum class Limit : std::uint8_t {
  none = 0,
  seats_per_reservation,
  held_seats_per_customer,
  seats_per_event,
  idempotency_keys,
  reservations_in_memory,
  held_seats_visitor   // the command's own limit, held_seats_max
};
const char* name_of(Limit limit);

// Lists that are mostly short: the first elements need no heap memory.
template <typename T>
using FewOf = boost::container::small_vector<T, 2>;
template <typename T>
using UsuallyOne = boost::container::small_vector<T, 1>;

struct ReservedSeat {
  SeatIndex seat;
  bool owned;   // held by or sold to this reservation at that moment
};

// A reservation at one moment.
struct ReservationView {
  Uuid id{};
  ReservationKind kind = ReservationKind::customer;
  ReservationStatus status = ReservationStatus::active;
  Millis created_at = 0;
  Millis expires_at = 0;
  std::string customer{};
  std::string order{};           // empty unless consumed
  FewOf<ReservedSeat> seats{};   // in the requested order; if it has ended, the seats that it had at its end
};

// The result of one command.
struct Outcome {
  Reason reason = Reason::none;
  Limit limit = Limit::none;                       // which one, if reason is limit_exceeded
  bool room_comes_soon = false;                    // reason is no_room: room is being made, so ask again in a moment
  std::uint32_t hold_seconds = 0;                  // the conflicting values, if reason is settings_conflict
  std::uint32_t max_hold_seconds = 0;
  std::optional<ReservationView> reservation;      // as the command left it; for commands on one reservation
  FewOf<SeatIndex> seats;                          // refused: exactly the seats that are the reason, in the requested order
  std::size_t swept = 0;                           // Sweep: number of recorded expiries

  bool accepted() const { return reason == Reason::none; }
};

inline Outcome refused(Reason reason) {
  Outcome outcome;
  outcome.reason = reason;
  return outcome;
}

}  // namespace holdfast
