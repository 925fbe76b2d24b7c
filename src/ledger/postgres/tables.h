// The tables that follow the journal, as others read them: an event for a replica, a reservation that ended long ago, events
// whose holds are over.
//
// They are written by the projector (projector.h) and are never the truth: each event has them as of one journal row, its place.
// A replica is what they give at that place, and the journal rows after it.
//
//   auto loaded = pg::load_event(connection, 7, hash_seed);
//   if (!loaded) …                        // the tables do not know the event yet: fold the journal from its first row
//   for (each journal row with (first_seq, ordinal) >= (loaded->as_of.seq + 1, loaded->as_of.ordinal)) loaded->inventory->apply(…);
//
// Functions of one connection on which no transaction is open, unless a comment says otherwise. They throw Error, and DataError
// for what contradicts itself or the journal: then nothing may be sold from it. what() names the event and says what to do.
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
#include "ledger/reading.h"
#include "sql/postgres_connection.h"

namespace holdfast::pg {

// Where an event's journal is: after which row. The next row has first_seq = seq + 1 and this ordinal.
struct JournalPlace {
  Seq seq = 0;                // of the last change
  std::int16_t ordinal = 0;   // rows of keys only after it
  ChainHash hash{};           // of the row; zero before the first
  Millis at = 0;              // its time
  bool operator==(const JournalPlace&) const = default;
};

// The key of a journal row within its event.
struct RowKey {
  Seq first_seq = 0;   // 0: none
  std::int16_t ordinal = 0;
};

// An idempotency key with the time that it was accepted at.
struct LoadedKey {
  KeptKey kept;
  Millis at = 0;
};

struct LoadedEvent {
  std::unique_ptr<Inventory> inventory;    // as of the place; of reservations those that own seats
  std::shared_ptr<const Plan> plan;        // nullptr while it is importing, and when it was abandoned
  std::unique_ptr<PlanBuilder> importing;  // the seats so far, while it is importing
  JournalPlace as_of;
  RowKey as_of_row;                        // the journal row that as_of is after
  std::vector<LoadedKey> keys;             // those less than 24 hours old at as_of.at, the oldest first
  Millis created_at = 0;                   // of the event, by its first journal row
};

// An event in one snapshot; nothing when the tables do not know it yet. Checked: the place is a row of the journal with that
// hash, seats and reservations are what the projector left, and they do not contradict each other.
std::optional<LoadedEvent> load_event(Connection& connection, EventNumber event, std::uint64_t hash_seed);
// The same in an open transaction, which has one snapshot (k_begin_snapshot).
std::optional<LoadedEvent> load_event_within(Connection& connection, EventNumber event, std::uint64_t hash_seed);

// The place that the tables have an event as of; nothing when they do not know it yet. Also within a transaction.
std::optional<JournalPlace> place_of(Connection& connection, EventNumber event);

// The key of the journal row that ends at `place` with its hash; nothing when the journal does not have it: it has another history, or retention
// has removed the row. Also within a transaction.
std::optional<RowKey> row_at(Connection& connection, EventNumber event, const JournalPlace& place);

// A reservation with the place that it is as of: what the journal has after it may have changed it. `owned` is as of that place
// too.
struct FoundReservation {
  ReservationView view;   // not judged by a clock: `active` also when its time is over
  Seq created_seq = 0;   // the change that made it
  Seq as_of = 0;
};
// Any reservation that the tables have, whatever became of it; its event is in its id. Also within a transaction, which has
// failed after a DataError. Throws unreadable() also where the server cannot read what it has on disk.
std::optional<FoundReservation> find_reservation(Connection& connection, const Uuid& id);
// That what the tables have of a reservation is none that there can be.
DataError unreadable(const Uuid& reservation, const std::string& why);

// Events of which a hold may be over at `now`, the earliest first, at most `limit`: found by an index, whoever serves them. Some
// have none any more: raise_next_expiry.
std::vector<EventNumber> events_with_expiries(Connection& connection, Millis now, std::size_t limit);
// To be called with an inventory at change `known` that has no hold that ends before `next` (k_never: no hold). Does nothing, and
// says false, when the tables have changes after `known`, because those may have such a hold.
bool raise_next_expiry(Connection& connection, EventNumber event, Seq known, Millis next);

}   // namespace holdfast::pg
