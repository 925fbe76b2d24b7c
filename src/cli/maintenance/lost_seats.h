// What seats became in journal rows that are given up, as far as the rows can be read: for the operator who compares it with orders and payments.
//
//   LostSeats lost;
//   lost.begin_with(state);                              // or keep() of each row from the first one on
//   lost.keep(row); …
//   lost.lose(row); …
//   for (const LostEvent& event : lost.events()) …
//
// Belongs to one thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/inventory.h"
#include "core/plan.h"
#include "ledger/embedded/state_store.h"
#include "ledger/journal_row.h"

namespace holdfast::cli {

// A seat, or a reservation of which nobody knows the seats, after the last change of it that is given up.
struct LostSeat {
  std::string name;   // "A-1-12 (id)", "seat 11" if its plan cannot be read, or "seats that cannot be read"
  std::string became;   // "held by customer-1 until 2026-02-24T16:30:00Z (reservation …)", "sold, order …", "free", "blocked"
  std::string is;   // its recorded state in what is kept: "available", "held", …; empty: nobody knows
  Seq seq = 0;   // of that change
  Millis at = 0;
};

struct LostEvent {
  EventNumber number = 0;
  std::optional<Uuid> id{};   // nothing: neither a row nor the tables have it
  std::string name{};
  std::vector<LostSeat> seats{};   // in plan order
};

class LostSeats {
 public:
  // Begins with the events as the tables have them, whatever row they are as of. Throws as StateStore::load_events does.
  void begin_with(StateStore& state);
  // A row that is kept, in order. One that does not fit is no error here: less is known then.
  void keep(const JournalRow& row);
  // A row that is given up and can be read, in order, after all that are kept.
  void lose(const JournalRow& row);

  // Those with rows that were given up, by number. Call it last.
  std::vector<LostEvent> events();

 private:
  struct Claim {   // a reservation in the rows that are given up
    std::string customer;
    Millis expires_at = 0;
    std::set<SeatIndex> seats;
    bool has_all_seats = false;   // `seats` are all that it has
  };
  struct Last {
    std::string became;
    Seq seq = 0;
    Millis at = 0;
  };
  struct Event {
    std::unique_ptr<Inventory> inventory;   // of the rows that are kept; nullptr: unknown
    std::shared_ptr<const Plan> plan;   // of the tables
    std::unique_ptr<PlanBuilder> builder;   // of the rows
    std::optional<Uuid> id;
    std::string name;
    std::map<Uuid, Claim> claims;
    std::map<SeatIndex, Last> seats;
    std::map<Uuid, Last> unknown;   // reservations whose seats are not known
    bool is_touched = false;   // it has rows that are given up
  };

  static void begin_event(const JournalRow& row, const JournalBody& body, Event& event);
  static void learn_seats(Seq seq, const Change& change, Event& event);
  static Claim& claim_of(const Change& change, Event& event);
  static void lose_change(const JournalRow& row, Seq seq, const Change& change, Event& event);

  std::map<EventNumber, Event> events_;
};

}   // namespace holdfast::cli
