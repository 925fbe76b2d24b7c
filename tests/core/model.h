// The rules once more, in the simplest form: maps, and every expiry recorded as soon as it is due.
//
// Written from the table of rules, not from the code. So a rule on which both agree is a rule that was meant.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/command.h"
#include "support/best_by_the_book.h"

namespace holdfast {

class Model {
 public:
  struct Seat {
    SeatState state = SeatState::available;
    std::uint32_t version = 0;
    std::optional<Uuid> owner{};   // of a held or sold seat
    bool operator==(const Seat&) const = default;
  };
  struct Reservation {
    ReservationKind kind{};
    ReservationStatus status = ReservationStatus::active;
    Millis created_at = 0;
    Millis expires_at = 0;
    std::string customer{};
    std::string order{};
    std::vector<SeatIndex> seats{};
  };

  // `book`: the positions of the seats, for HoldBest; a category is named by its number.
  Model(std::size_t seats, EventSettings settings, std::vector<test::BookSeat> book = {})
      : seats_(seats), settings_(std::move(settings)), book_(std::move(book)) {}

  // The expected outcome of the command. Not for Sweep, which does not change any state that counts.
  Outcome does(const Command& command, Millis now);
  // Whether this hold would be accepted, without making it.
  Outcome would(const Hold& hold, Millis now) const;

  Millis now() const { return now_; }
  const std::vector<Seat>& seats() const { return seats_; }
  const std::map<Uuid, Reservation>& reservations() const { return reservations_; }
  const EventSettings& settings() const { return settings_; }
  ReservationView view(const Uuid& id) const;

 private:
  void pass_time(Millis now);
  void set(SeatIndex seat, SeatState state, std::optional<Uuid> owner);
  void free_seats_of(const Uuid& id);

  Outcome hold(const Hold& hold);
  Outcome hold_best(const HoldBest& best);
  Outcome add(const Add& add);
  Outcome extend(const Extend& extend);
  Outcome release(const Release& release);
  Outcome release_locks(const ReleaseLocks& release);
  Outcome consume(const Consume& consume);
  Outcome give_back(const Return& give_back);
  Outcome block(const Block& block);
  Outcome unblock(const Unblock& unblock);
  Outcome configure(const Configure& configure);

  Outcome accepted(const Uuid& id) const;
  Reason why_not_active(const Uuid& id) const;
  std::vector<SeatIndex> unknown_of(Seats seats) const;
  std::vector<SeatIndex> not_of(Seats seats, SeatState state) const;
  std::size_t held_by(const std::string& customer) const;
  bool is_owned_by(SeatIndex seat, const Uuid& id) const { return seats_.at(seat).owner == id; }

  std::vector<Seat> seats_;
  std::map<Uuid, Reservation> reservations_;
  EventSettings settings_;
  std::vector<test::BookSeat> book_;
  Millis now_ = 0;
};

}  // namespace holdfast
