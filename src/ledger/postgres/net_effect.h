// What a run of journal rows does to the tables of one event, computed in memory: each reservation is written once, however often it
// changed, and each change of a seat is added to its history, whose last is the seat's state.
//
//   NetEffect effect(7, place, digest, event_row);        // what the tables have
//   for (row) if (!effect.look_at(row)) break;            // checks the chain; says what must be known of the tables
//   effect.know(seat_row); effect.know(reservation_row);  // of seats_to_know(), and so on
//   effect.fold();                                        // then it can be asked what to write
//
// No I/O. A row that cannot be read, is not the one after the last, or does not fit what the tables have throws DataError: either
// is damaged.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/event.h"
#include "core/hash.h"
#include "core/plan.h"
#include "ledger/journal_row.h"
#include "ledger/postgres/stored.h"
#include "ledger/postgres/tables.h"

namespace holdfast::pg {

// A row of event_state.
struct EventRow {
  Uuid id{};
  Millis created_at = 0;
  std::string venue{};
  std::string currency{};
  EventSettings settings{};
  std::size_t seats = 0;
  std::string plan_header{};
  Millis next_expiry = k_never;
  bool operator==(const EventRow&) const = default;
};

struct SeatChangeRow {
  SeatIndex seat;
  std::uint32_t version;
  ChangeKind kind;
  Seq seq;
  Millis at;
  Uuid reservation;   // k_no_reservation: none
};

struct PlanPart {
  SeatIndex first;
  std::shared_ptr<const Plan> seats;   // its seats, numbered from 0
  std::string_view body;
};

class NetEffect {
 public:
  // So many seats at once are enough for one step.
  static constexpr std::size_t k_seats_max = 50'000;

  // `event_row`: nothing when the tables do not know the event yet; then `from` and `digest` are zero.
  NetEffect(EventNumber event, const JournalPlace& from, std::uint64_t digest, std::optional<EventRow> event_row);

  // Takes the next row of the journal; its body must outlive this. False, without taking it, when the step is large enough.
  bool look_at(const JournalRow& row);
  std::size_t rows() const { return rows_.size(); }

  // What of the tables must be known before fold(): seats (those that never changed need not be told), reservations, and of these the
  // ones whose seats must be known as well.
  std::vector<SeatIndex> seats_to_know() const;
  std::vector<Uuid> reservations_to_know() const;
  const std::vector<Uuid>& reservations_with_all_seats() const { return with_all_seats_; }
  void know(const SeatRow& seat);
  void know(ReservationRow reservation);

  void fold();

  // ---- what to write; after fold()
  const JournalPlace& place() const { return place_; }
  std::uint64_t digest() const { return digest_; }
  std::uint64_t changes() const { return place_.seq - from_.seq; }
  const EventRow& event_row() const { return *event_row_; }
  bool event_is_new() const { return !known_event_row_; }
  bool event_has_changed() const { return known_event_row_ && *known_event_row_ != *event_row_; }
  bool import_has_ended() const {
    return event_row_->settings.status != EventStatus::importing &&
           (!known_event_row_ || known_event_row_->settings.status == EventStatus::importing);
  }
  const std::vector<PlanPart>& plan_parts() const { return plan_parts_; }
  const std::vector<SeatChangeRow>& seat_changes() const { return history_; }   // in order
  std::vector<const ReservationRow*> new_reservations() const;                  // in the order of their making
  std::vector<const ReservationRow*> changed_reservations() const;
  const std::string& kept_keys() const { return keys_; }                        // packed; empty: none
  Millis keys_at() const { return keys_at_; }                                   // of the last

 private:
  struct Seat {
    SeatRow before;
    SeatRow now;
    bool is_known = false;
  };
  struct Reservation {
    std::optional<ReservationRow> before;   // nothing: made in this step
    ReservationRow now;
    bool is_changed = false;
  };
  struct UuidHash {
    using is_avalanching = void;
    std::size_t operator()(const Uuid& id) const { return hash_uuid(id, 0x686f6c64); }
  };

  [[noreturn]] void fail(const JournalRow& row, const std::string& what) const;
  [[noreturn]] void contradict(const JournalRow& row, Seq seq, const Change& change, const std::string& what) const;
  void look_at(const Change& change);
  void fold(const JournalRow& row);
  void fold(const JournalRow& row, Seq seq, const Change& change);
  void fold_created(const JournalRow& row, const Change& change);
  void fold_appended(const JournalRow& row, const Change& change);
  void fold_reservation(const JournalRow& row, Seq seq, const Change& change);
  void set_seats(const JournalRow& row, Seq seq, const Change& change, Seats seats);
  void sum_up();

  EventNumber event_;
  JournalPlace from_;
  JournalPlace place_;
  std::uint64_t digest_;
  std::optional<EventRow> known_event_row_;
  std::optional<EventRow> event_row_;
  std::size_t seats_known_;   // of the plan, in the tables
  std::vector<JournalRow> rows_;
  JournalBody body_;
  std::size_t seats_touched_ = 0;

  boost::unordered_flat_map<SeatIndex, Seat> seats_;
  boost::unordered_flat_map<Uuid, Reservation, UuidHash> reservations_;
  std::vector<Uuid> made_;
  std::vector<Uuid> to_know_;
  std::vector<Uuid> with_all_seats_;
  std::vector<PlanPart> plan_parts_;
  std::vector<SeatChangeRow> history_;
  std::string keys_;
  Millis keys_at_ = 0;
};

}  // namespace holdfast::pg
