// Sums of the rows of state.db, so that a row that another program or the disk has changed is not believed.
//
//   reservation_check (place, sum)                -- of each row of table reservation, all columns. Its place is event * 2^44 + created_seq
//   event_check       (event, sum)                -- of all that a start loads of an event: its row in table event, its rows in plan_part and
//                                                    seat_state, and its live rows in reservation. The sums of these rows, added modulo 2^64
//   meta              checks_as_of                -- the hash of the journal row that the sums are as of
//
// The sums are current while checks_as_of is the row that the tables are as of. A program that does not know them leaves checks_as_of behind
// when it writes. Then nothing is compared until a start makes the sums again from the tables as they are.
//
// A sum is a 64-bit XXH3 without a secret: it finds damage and changes by hand, not a forger who writes the sum too.
//
// Functions throw sqlite::Error. A StateChecks belongs to the thread of its database.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/embedded/stopped_events.h"
#include "ledger/journal_row.h"
#include "ledger/table_rows.h"
#include "sql/sqlite.h"

namespace holdfast {

using RowSum = std::uint64_t;

// Rows as the tables store them. Texts and blobs are views. Each from() reads the columns k_names, from column `first` on.
struct EventColumns {
  static constexpr const char* k_names =
      "number, id, name, venue, currency, starts_at, status, hold_seconds, max_hold_seconds, seats_per_reservation, "
      "held_seats_per_customer, seq, at, created_at, plan_header";
  static EventColumns from(const sqlite::Statement& row, int first = 0);

  std::int64_t number, starts_at, status, hold_seconds, max_hold_seconds, seats_per_reservation, held_seats_per_customer, seq, at,
      created_at;
  std::string_view id, name, venue, currency;
  RowSum plan_header;   // of the blob, which may be large
};
struct PlanPartColumns {
  std::int64_t event, first, count;
  std::string_view body;
};
struct SeatStateColumns {
  static constexpr const char* k_names = "event, seat, state, version, reservation";
  static SeatStateColumns from(const sqlite::Statement& row, int first = 0);

  std::int64_t event, seat, version;
  std::string_view state;
  std::optional<std::string_view> reservation;
};
struct ReservationColumns {
  // Of `reservation r`.
  static constexpr const char* k_names =
      "r.id, r.event, r.kind, r.customer, r.created_at, r.expires_at, r.status, r.order_id, r.seats, r.live, r.created_seq";
  static constexpr int k_count = 11;
  static ReservationColumns from(const sqlite::Statement& row, int first = 0);

  std::int64_t event, kind, created_at, expires_at, live, created_seq;
  std::string_view id, customer, status, order, seats;
};

RowSum sum_of_plan_header(std::string_view header);
RowSum sum_of(const EventColumns& row);
RowSum sum_of(const PlanPartColumns& row);
RowSum sum_of(const SeatStateColumns& row);
RowSum sum_of(const ReservationColumns& row);

class StateChecks {
 public:
  // `writes`: creates its tables if they are missing. `state` must outlive it.
  StateChecks(sqlite::Database& state, bool writes);
  ~StateChecks();

  // Whether the sums are those of the tables, as of the opening or the last look_again(). If not, no row can be compared, and what writes
  // sums does nothing.
  bool are_current() const { return are_current_; }
  void look_again();

  // A column for a SELECT from `reservation r`, or from `event`: the sum that was written with the row or the event, or NULL.
  std::string reservation_sum_column() const;
  std::string event_sum_column() const;

  // Makes all sums again from the tables as they are, in a transaction of its own. Returns of how many reservations and events.
  struct Made {
    std::size_t reservations = 0;
    std::size_t events = 0;
  };
  Made make_again(const JournalHead& as_of);

  // ---- writing, within the store's transaction
  void set_reservation(const ReservationColumns& row, RowSum sum);
  void set_event(EventNumber event, RowSum sum);
  // Drops the sum of an event that has no row in table event. Whether there was one.
  bool drop_sum_of_missing_event(EventNumber event);
  void advance(const ChainHash& as_of);

  // ---- comparing
  // The sum of the event's rows as they are, and the one that was written with them.
  RowSum sum_of_rows(EventNumber event) const;
  std::optional<RowSum> written_sum(EventNumber event) const;
  // Events that have a sum but no row in table event, as the table names them.
  std::vector<std::int64_t> missing_events() const;
  // Compares all sums but those of stopped events. What is wrong, as a sentence without its full stop; empty: nothing.
  std::string find_false(const StoppedEvents& but) const;

 private:
  struct Statements;
  std::map<EventNumber, RowSum> sums_of_events(std::optional<EventNumber> only) const;
  std::string find_false_reservation(const StoppedEvents& but) const;
  std::string find_false_event(const StoppedEvents& but) const;

  sqlite::Database& state_;
  bool has_tables_ = false;
  bool are_current_ = false;
  std::unique_ptr<Statements> statements_;
};

}   // namespace holdfast
