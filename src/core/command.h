// Commands and outcomes: what may be wished of one event, and what became of it. The table in docs/internals/rules.md, in types.
//
// A command does not own its texts and seats: whoever makes one keeps them until its outcome is there.
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

// Makes a reservation of all the seats, or of none.
struct Hold {
  Uuid reservation{};                 // chosen by the caller, new (make_reservation_id)
  ReservationKind kind = ReservationKind::customer;
  std::string_view customer{};       // 1 to k_customer_bytes_max bytes; empty for a ticket lock
  Seats seats{};
  Millis duration = 0;              // 1 ms to k_hold_seconds_max
  bool duration_is_contracted = false;   // the event's longest hold does not apply (contract 1)
  std::uint32_t held_seats_max = 0;      // that the customer may hold in the event at once, beside the event's own limit; 0: no limit
};

struct Add {
  Uuid reservation{};
  Seats seats{};
  std::uint32_t held_seats_max = 0;      // as in Hold
};

struct Extend {
  Uuid reservation{};
  Millis duration = 0;   // from now; never shortens; cut at the longest hold counted from creation
};

struct Release {
  Uuid reservation{};
  Seats seats{};           // empty: all
};

// Releases, ticket by ticket, what ticket locks hold of these seats; every other seat is left alone. Never refused.
struct ReleaseLocks {
  Seats seats{};
  std::span<const Uuid> only{};  // not empty: only what these reservations hold
};

struct Consume {
  Uuid reservation{};
  std::string_view order{};  // 1 to k_order_bytes_max bytes
  bool reinstate = false;   // also when it has expired or was released, if every seat is available
};

struct Return {
  Uuid reservation{};
  std::string_view order;
  Seats seats{};              // empty: all that are still sold to it
};

struct Block {
  Seats seats{};
};

struct Unblock {
  Seats seats{};
};

// Records expiries whose time has come, at most `limit`, the earliest first.
struct Sweep {
  std::size_t limit = 0;
};

// Changes an event's settings, one by one: what is not set stays as it is when the command is judged, whoever else is changing the others.
// Refused as settings_conflict when it sets one of the two lengths of holds, and hold_seconds would be more than max_hold_seconds.
struct Configure {
  std::optional<std::string> name{};
  std::optional<Millis> starts_at{};
  std::optional<EventStatus> status{};
  std::optional<std::int64_t> hold_seconds{};
  std::optional<std::int64_t> max_hold_seconds{};
  std::optional<std::uint32_t> seats_per_reservation{};     // of EventLimits
  std::optional<std::uint32_t> held_seats_per_customer{};
};

// Makes a new event, without seats yet and importing: the first change of an empty inventory (seq 0).
struct Create {
  std::string_view plan_header{};   // what Plan::encode_header wrote
};

// Appends the seats that Plan::encode_seats wrote. Only while the event is importing.
struct AppendSeats {
  std::string_view encoded{};
  std::size_t count = 0;
};

// A wish for seats that the ledger chooses: core/best_available.h says which.
struct BestAvailable {
  std::uint32_t quantity = 1;                // 1 to k_seats_per_reservation_max
  std::optional<std::uint32_t> section{};    // into Plan::sections(): only there
  std::optional<std::uint32_t> category{};   // into Plan::categories(): only of it
  bool adjacent = true;                      // in one row, side by side
};

// A customer's Hold of the best seats that are available when it is judged.
struct HoldBest {
  Uuid reservation{};             // as in Hold
  std::string_view customer{};    // 1 to k_customer_bytes_max bytes
  BestAvailable wish{};
  Millis duration = 0;            // 1 ms to k_hold_seconds_max
  std::uint32_t held_seats_max = 0;   // as in Hold
};

using Command = std::variant<Hold, Add, Extend, Release, ReleaseLocks, Consume, Return, Block, Unblock, Sweep, Configure, Create,
                             AppendSeats, HoldBest>;

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
  another_part_refused,   // of a set over several events: this part alone would have been accepted
  unavailable,            // the ledger could not make it durable; nothing is known to have happened
  no_adjacent_seats,      // best available: no row has as many seats side by side
  settings_conflict,      // settings that are each in order and do not go together
  reservation_unreadable, // it ended long ago, and what the ledger has of it cannot be read; nothing happened
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
  held_seats_visitor   // what the command itself allows: held_seats_max
};
const char* name_of(Limit limit);

// Lists that are mostly short: their first elements take no memory of their own.
template <typename T>
using FewOf = boost::container::small_vector<T, 2>;
template <typename T>
using UsuallyOne = boost::container::small_vector<T, 1>;

struct ReservedSeat {
  SeatIndex seat;
  bool owned;   // held by or sold to this reservation at the moment of the view
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
  FewOf<ReservedSeat> seats{};   // in the order they were asked for; of an ended one those it had at its end
};

// What became of one command.
struct Outcome {
  Reason reason = Reason::none;
  Limit limit = Limit::none;                       // which one, when reason is limit_exceeded
  std::uint32_t hold_seconds = 0;                  // what the two would be, when reason is settings_conflict
  std::uint32_t max_hold_seconds = 0;
  std::optional<ReservationView> reservation;      // as the command left it; for commands on one reservation
  FewOf<SeatIndex> seats;                          // refused: exactly the seats that are the reason, in the order asked
  std::size_t swept = 0;                           // Sweep: how many expiries it recorded

  bool accepted() const { return reason == Reason::none; }
};

}  // namespace holdfast
