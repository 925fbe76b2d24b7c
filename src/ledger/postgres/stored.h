// Rows of the tables that follow the journal, as the projector writes them and others read them. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/change.h"
#include "core/submission.h"
#include "sql/postgres_connection.h"

namespace holdfast::pg {

inline constexpr Uuid k_no_reservation{};   // is NULL in the tables

// A seat as the last of its changes left it. One that never changed is available with version 0 and has no part in a digest.
struct SeatRow {
  SeatIndex seat = 0;
  std::uint32_t version = 0;
  SeatState state = SeatState::available;
  Uuid reservation = k_no_reservation;
  bool operator==(const SeatRow&) const = default;
};
// The last change of the seat that an expression names, of event $1, as `c`; no row when it never changed. One look at an index.
#define HOLDFAST_LAST_CHANGE_OF(seat_expression)                                                                                 \
  "CROSS JOIN LATERAL (SELECT version, kind, reservation FROM holdfast.seat_change WHERE event = $1 AND seat = " seat_expression \
  " ORDER BY version DESC LIMIT 1) c "
// Of a row "seat, c.version, c.kind, c.reservation". False when it is of a kind that sets no seat's state, or has a number below zero.
bool read_seat(const Result& result, int row, SeatRow& seat);
// Those of the seats $2 of event $1 that reservation $3 owns: a row "seat" each.
#define HOLDFAST_OWNED_SEATS \
  "SELECT u.seat FROM unnest($2::int4[]) u(seat) " HOLDFAST_LAST_CHANGE_OF("u.seat") "WHERE c.reservation = $3 AND c.kind IN (4, 5, 8)"

// A row of reservation.
struct ReservationRow {
  Uuid id{};
  ReservationKind kind{};
  ReservationStatus status{};
  std::uint16_t owned = 0;   // seats that are held by it or sold to it
  Seq created_seq = 0;
  Millis created_at = 0;
  Millis expires_at = 0;
  std::string customer{};
  std::string order{};
  std::vector<SeatIndex> seats{};
  bool operator==(const ReservationRow&) const = default;
};
inline constexpr int k_reservation_columns = 10;
#define HOLDFAST_RESERVATION_COLUMNS "id, kind, status, owned, created_seq, created_at, expires_at, customer, order_id, seats"
// False when it is none that there can be: a number below zero, no seats or too many, a kind or status that there is not.
bool read_reservation(const Result& result, int row, ReservationRow& reservation);

// What stands for a row; the sum of those of an event's seats and of its reservations that own seats is its digest (table step).
std::uint64_t digest_of(EventNumber event, const SeatRow& seat);
std::uint64_t digest_of(EventNumber event, const ReservationRow& reservation);

// A key as the body of a row of kept_keys has it, one after the other.
void pack_key(const KeptKey& kept, Millis at, std::string& out);
// The next of them; false when the bytes are damaged. `event` is left alone.
bool unpack_key(Reader& reader, KeptKey& kept, Millis& at);

}  // namespace holdfast::pg
