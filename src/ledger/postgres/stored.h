// Rows of the tables that follow the journal, as the projector writes them. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/submission.h"
#include "ledger/journal_row.h"
#include "ledger/table_rows.h"
#include "sql/postgres_connection.h"

namespace holdfast::pg {

// Reads columns first_seq, ordinal, changes, at, hash, body from column `first` on. A hash of another size is zero, which fits no row.
JournalRow read_row(const Result& result, int row, int first, EventNumber event);

// Reads the numbers of events in the first column.
std::vector<EventNumber> read_events(const Result& result);

inline constexpr int k_event_columns = 13;
#define HOLDFAST_EVENT_COLUMNS                                                                                        \
  "id, created_at, venue, currency, name, starts_at, status, hold_seconds, max_hold_seconds, seats_per_reservation, " \
  "held_seats_per_customer, seats, plan_header"
// Reads the first row of a result HOLDFAST_EVENT_COLUMNS. Does not check its numbers.
EventRow read_event(const Result& result);

// A value of the last step of an event, by which its tables are as of a journal row. NULL if there is none. One index lookup.
#define HOLDFAST_LAST_STEP(column, event) \
  "(SELECT " column " FROM holdfast.step WHERE step.event = " event " ORDER BY base_seq DESC, base_ordinal DESC LIMIT 1)"

// Joins the last change of a seat of event $1 as `c`. No row if the seat never changed. One index lookup.
#define HOLDFAST_LAST_CHANGE_OF(seat_expression)                                                                                 \
  "CROSS JOIN LATERAL (SELECT version, kind, reservation FROM holdfast.seat_change WHERE event = $1 AND seat = " seat_expression \
  " ORDER BY version DESC LIMIT 1) c "
// Reads a row "seat, c.version, c.kind, c.reservation". False if the kind sets no state of a seat, or a number is negative.
bool read_seat(const Result& result, int row, SeatRow& seat);

inline constexpr int k_reservation_columns = 10;
#define HOLDFAST_RESERVATION_COLUMNS "id, kind, status, owned, created_seq, created_at, expires_at, customer, order_id, seats"
// Reads a row HOLDFAST_RESERVATION_COLUMNS. False if it is damaged: a negative number, no seats or too many, an unknown kind or status.
bool read_reservation(const Result& result, int row, ReservationRow& reservation);

// The digest of a row; 0 for a seat that never changed. An event's digest (table step) is the sum over its seats and over its reservations
// that own seats.
std::uint64_t digest_of(EventNumber event, const SeatRow& seat);
std::uint64_t digest_of(EventNumber event, const ReservationRow& reservation);

// Appends a key in the format of kept_keys.body, which has one key after the other.
void pack_key(const KeptKey& kept, Millis at, std::string& out);
// Reads the next key; false if the bytes are damaged. Does not set `event`.
bool unpack_key(Reader& reader, KeptKey& kept, Millis& at);

}   // namespace holdfast::pg
