// Reading the tables that follow the journal: an event for a replica, a reservation that ended long ago, events with due expiries.
//
// The projector (projector.h) writes the tables. They have each event as of one journal row, its place, and are never the truth. A
// replica is what the tables have at that place, and the journal rows after it.
//
//   auto loaded = pg::load_event(connection, 7, hash_seed);
//   if (!loaded) …                        // the tables do not have the event yet: fold the journal from its first row
//   for (each journal row with (first_seq, ordinal) >= (loaded->as_of.seq + 1, loaded->as_of.ordinal)) loaded->inventory->apply(…);
//
// These functions use one connection without an open transaction, unless a comment says otherwise. They throw Error, and DataError if the
// tables contradict themselves or the journal: then nothing may be sold from the event. what() names the event and says what to do.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/inventory.h"
#include "core/plan.h"
#include "core/submission.h"
#include "ledger/data_error.h"
#include "ledger/journal_row.h"
#include "ledger/table_rows.h"
#include "sql/postgres_connection.h"

namespace holdfast::pg {

// A place in an event's journal: after a row. The next row has first_seq = seq + 1 and this ordinal.
struct JournalPlace {
  Seq seq = 0;                // of the last change
  std::int16_t ordinal = 0;   // number of rows without changes after it
  ChainHash hash{};           // of the row; all zero before the first
  Millis at = 0;              // its time
  void advance(const JournalRow& row);   // to the place after the next row
  bool operator==(const JournalPlace&) const = default;
};

// The key of a journal row within its event.
struct RowKey {
  Seq first_seq = 0;   // 0: none
  std::int16_t ordinal = 0;
};

// An idempotency key, with the time at which it was accepted.
struct LoadedKey {
  KeptKey kept;
  Millis at = 0;
};

struct LoadedEvent {
  std::unique_ptr<Inventory> inventory;    // as of the place, with the reservations that own seats
  std::shared_ptr<const Plan> plan;        // nullptr during the import, and after it was abandoned
  std::unique_ptr<PlanBuilder> importing;  // the seats so far, during the import
  JournalPlace as_of;
  RowKey as_of_row;                        // the key of the row before as_of
  std::vector<LoadedKey> keys;             // less than 24 hours old at as_of.at, the oldest first
  Millis created_at = 0;                   // of the event: the time of its first journal row
};

// Loads an event in one snapshot. Nothing if the tables do not have it yet. Checks that the journal has a row with the place's hash, that
// seats and reservations are as the projector wrote them, and that they do not contradict each other. `keys_longer`: also keys that are older
// than 24 hours by this much, because the clock may be ahead; a key may then be there twice.
std::optional<LoadedEvent> load_event(Connection& connection, EventNumber event, std::uint64_t hash_seed, Millis keys_longer = 0);
// The same in an open transaction with one snapshot (k_begin_snapshot).
std::optional<LoadedEvent> load_event_within(Connection& connection, EventNumber event, std::uint64_t hash_seed);

// The place in a row of the table step that begins with seq, ordinal, hash and at. Nothing if its hash is damaged; then report
// k_unreadable_place.
std::optional<JournalPlace> read_place(const Result& step);
inline constexpr const char* k_unreadable_place = "the hash of its step cannot be read";

// The place of an event in the tables. Nothing if they do not have it yet. Also in a transaction.
std::optional<JournalPlace> place_of(Connection& connection, EventNumber event);

// The key of the journal row that ends at `place` with its hash. Nothing if the journal does not have it: it has another history, or
// retention has removed the row. Also in a transaction.
std::optional<RowKey> row_at(Connection& connection, EventNumber event, const JournalPlace& place);

// A reservation as of a change of its event, `owned` included. Later journal rows may have changed it.
struct FoundReservation {
  ReservationView view;   // as written: it may be `active` although its time is over
  Seq created_seq = 0;   // the change that created it
  Seq as_of = 0;
};
// Finds a reservation in the tables, active or ended; its id has its event. Nothing if the tables do not have it. Also in a transaction,
// which has failed after a DataError. Throws unreadable() also if the server cannot read its own files.
std::optional<FoundReservation> find_reservation(Connection& connection, const Uuid& id);
// Marks the seats of `view`, which was made of `row`, that the reservation owns. Also in a transaction.
void mark_owned(Connection& connection, EventNumber event, const ReservationRow& row, ReservationView& view);
// The error for a reservation whose row is damaged, because of `why`.
DataError unreadable(const Uuid& reservation, const std::string& why);

// Events in which a hold may be over at `now`, the earliest first, at most `limit`. Some no longer have such a hold: see
// raise_next_expiry().
std::vector<EventNumber> events_with_expiries(Connection& connection, Millis now, std::size_t limit);
// Sets the event's next expiry in the tables. The caller's inventory is at change `known`, and has no hold that ends before `next`
// (k_never: no hold). Does nothing and returns false if the tables have changes after `known`, which may contain such a hold.
bool raise_next_expiry(Connection& connection, EventNumber event, Seq known, Millis next);

}   // namespace holdfast::pg
