// What a run of journal rows does to the tables of one event, computed in memory: each reservation and each seat is written once,
// however often it changed, and each change of a seat is added to its history.
//
//   NetEffect effect(event_row, lookup);                  // what the tables have
//   for (row) effect.fold(row, body);                     // asks `lookup` for the seats and reservations that the row changes
//   effect.seats(); effect.seat_changes(); …              // what to write
//
// Where each question to the tables costs a round trip, look at all rows first, and bring what they need at once:
//
//   for (row) effect.look_at(row, body);
//   effect.know(seat_row); effect.know(reservation_row);  // of seats_to_know(), and so on
//
// The caller has checked that each row is the next of its journal. No I/O of its own. Throws DamagedRow and Contradiction: then it is of no
// use any more. Not for several threads at once.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "ledger/contradiction.h"
#include "ledger/journal_row.h"
#include "ledger/table_rows.h"

namespace holdfast {

// A journal row that cannot be read. what() is the rest of a sentence about it: "cannot be read".
class DamagedRow : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What the tables have, for what was not given to NetEffect::know(). Nothing: the seat never changed; there is no such reservation. Both
// functions may be empty. What they throw passes through.
struct TableLookup {
  std::function<std::optional<SeatRow>(SeatIndex)> seat{};
  std::function<std::optional<ReservationRow>(const Uuid&)> reservation{};
};

class NetEffect {
 public:
  struct Seat {
    SeatRow before;
    SeatRow now;
    bool is_known = false;
  };
  struct Reservation {
    std::optional<ReservationRow> before;   // nothing: made by these rows
    ReservationRow now;
    bool is_changed = false;
  };
  struct UuidHash {
    using is_avalanching = void;
    std::size_t operator()(const Uuid& id) const { return hash_uuid(id, 0x686f6c64); }
  };

  // `event_row`: nothing if the tables do not know the event yet.
  explicit NetEffect(std::optional<EventRow> event_row, TableLookup lookup = {});

  // ---- bringing at once what rows need; before the first fold()
  void look_at(const JournalRow& row, const JournalBody& body);
  std::size_t seats_looked_at() const { return seats_looked_at_; }
  // Seats that never changed need not be given to know().
  std::vector<SeatIndex> seats_to_know() const;
  const std::vector<Uuid>& reservations_to_know() const { return to_know_; }
  const std::vector<Uuid>& reservations_with_all_seats() const { return with_all_seats_; }   // whose seats must be known as well
  void know(const SeatRow& seat);
  void know(ReservationRow reservation);

  // ---- folding the next row
  void fold(const JournalRow& row, const JournalBody& body);

  // ---- what to write
  const EventRow& event_row() const { return *event_row_; }
  bool event_is_new() const { return event_row_ && !known_event_row_; }
  bool event_has_changed() const { return known_event_row_ && *known_event_row_ != *event_row_; }
  bool import_has_ended() const {
    return event_row_->settings.status != EventStatus::importing &&
           (!known_event_row_ || known_event_row_->settings.status == EventStatus::importing);
  }
  // Views into the rows' bodies.
  const std::vector<PlanPart>& plan_parts() const { return plan_parts_; }
  std::vector<PlanPart> take_plan_parts() { return std::exchange(plan_parts_, {}); }
  const std::vector<SeatChangeRow>& seat_changes() const { return history_; }   // in order
  std::vector<const Reservation*> new_reservations() const { return find(made_); }   // in the order of their making
  std::vector<const Reservation*> changed_reservations() const { return find(changed_); }
  // Everything that rows looked at or folded name, changed or not.
  const boost::unordered_flat_map<SeatIndex, Seat>& seats() const { return seats_; }
  const boost::unordered_flat_map<Uuid, Reservation, UuidHash>& reservations() const { return reservations_; }

 private:
  void fold_created(const JournalRow& row, const Change& change);
  void fold_appended(const Change& change);
  void fold_reservation(const JournalRow& row, Seq seq, const Change& change);
  void fold(const JournalRow& row, Seq seq, const Change& change);
  void look_at(const Change& change);
  void set_seats(const JournalRow& row, Seq seq, const Change& change, Seats seats);
  Seat& seat(SeatIndex index);
  Reservation& reservation(const Change& change);
  std::vector<const Reservation*> find(const std::vector<Uuid>& ids) const;

  std::optional<EventRow> known_event_row_;
  std::optional<EventRow> event_row_;
  TableLookup lookup_;
  std::size_t seats_known_;   // of the plan, in the tables
  std::size_t seats_looked_at_ = 0;

  boost::unordered_flat_map<SeatIndex, Seat> seats_;
  boost::unordered_flat_map<Uuid, Reservation, UuidHash> reservations_;
  std::vector<Uuid> made_;
  std::vector<Uuid> changed_;   // known before, in the order of their first change
  std::vector<Uuid> to_know_;
  std::vector<Uuid> with_all_seats_;
  std::vector<PlanPart> plan_parts_;
  std::vector<SeatChangeRow> history_;
};

}   // namespace holdfast
