// One event's seats and reservations in memory: the fold of its changes.
//
// The inventory only folds changes (`apply`) and answers questions; rules.h decides what may happen. Everything is in dense arrays: 9 bytes
// per seat, and about 135 bytes per reservation of one seat with its own customer. Not thread-safe.
//
//   Inventory inventory(card, settings, hash_seed);
//   inventory.apply(change, at);                       // in the order of the journal, without gaps
//   inventory.state_of(seat, now);                     // what holds at `now`, expiry included
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/block_pool.h"
#include "core/change.h"
#include "core/command.h"
#include "core/event.h"
#include "core/expiry_queue.h"
#include "core/growing_array.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/place_table.h"
#include "core/seat.h"

namespace holdfast {

struct StateCounts {
  std::size_t available = 0;
  std::size_t held = 0;
  std::size_t sold = 0;
  std::size_t blocked = 0;
  bool operator==(const StateCounts&) const = default;
};

class Inventory {
 public:
  using Slot = std::uint32_t;   // a reservation's place in memory; reused after it was forgotten
  static constexpr Slot k_no_slot = 0xFFFF'FFFF;

  // One cache line.
  struct Reservation {
    Uuid id;
    Millis created_at;
    Millis expires_at;
    std::uint32_t customer;   // place in the table of customers, or k_no_customer
    std::uint32_t seats;   // the seat itself if there is one, otherwise a list in the pool
    std::uint16_t seat_count;
    std::uint16_t owned_count;   // how many of them are held by or sold to it
    std::uint32_t order;   // a text in the pool
    std::uint32_t next_of_customer;   // next active reservation of the same customer
    std::uint32_t previous_of_customer;
    std::uint16_t generation;   // raised when its entry in the queue of ended ones is no longer true
    ReservationKind kind;
    ReservationStatus status;
  };

  Inventory(EventCard card, EventSettings settings, std::uint64_t hash_seed);
  Inventory(const Inventory&) = delete;
  Inventory& operator=(const Inventory&) = delete;

  // A copy that gives the same answers and shares nothing with this one. O(seats + reservations).
  std::unique_ptr<Inventory> clone() const;
  // A copy for reading: apply() updates it. It has no queue of expiries, so commands cannot be judged in it.
  std::unique_ptr<Inventory> replica() const;

  const EventCard& card() const { return card_; }
  const EventSettings& settings() const { return settings_; }
  Seq seq() const { return seq_; }   // of the last change
  Millis last_now() const { return last_now_; }   // the latest time of a judgement or a change
  std::size_t seat_count() const { return cells_.size(); }
  // Whether no reservation can be added until ended ones are forgotten.
  bool is_full() const { return free_slots_.empty() && reservations_.size() >= k_reservations_in_memory_max; }
  std::size_t reservation_count() const { return by_id_.size(); }
  const StateCounts& counts() const { return counts_; }   // as recorded

  // As recorded: one letter per seat, in plan order.
  std::span<const SeatState> states() const { return states_; }
  SeatState recorded_state_of(SeatIndex seat) const { return states_[seat]; }
  // The state at `now`: a seat whose hold is over is available, whether or not its expiry has been recorded.
  SeatState state_of(SeatIndex seat, Millis now) const { return is_over(seat, now) ? SeatState::available : states_[seat]; }
  std::uint32_t version_of(SeatIndex seat) const { return cells_[seat].version; }
  // The reservation that holds the seat at `now` or that it is sold to.
  std::optional<Uuid> owner_of(SeatIndex seat, Millis now) const;

  Slot find(const Uuid& id) const;
  const Reservation& reservation(Slot slot) const { return reservations_[slot]; }
  Slot slot_of_owner(SeatIndex seat) const { return cells_[seat].owner == 0 ? k_no_slot : cells_[seat].owner - 1; }
  std::span<const SeatIndex> seats_of(Slot slot) const;
  // The seats whose state a change has set; call after apply(). A change names them, except two kinds that mean all seats of a reservation.
  Seats seats_set_by(const Change& change) const;
  bool owns(Slot slot, SeatIndex seat) const { return cells_[seat].owner == slot + 1; }
  std::string_view customer_of(Slot slot) const;
  std::string_view order_of(Slot slot) const { return pool_.text(reservations_[slot].order); }
  // A reservation at `now`.
  ReservationView view(Slot slot, Millis now) const;
  bool is_over(const Reservation& reservation, Millis now) const {
    return reservation.status == ReservationStatus::active && reservation.expires_at <= now;
  }
  bool is_over(SeatIndex seat, Millis now) const {
    return states_[seat] == SeatState::held && is_over(reservations_[cells_[seat].owner - 1], now);
  }

  // The number of seats that this customer's active reservations hold, as recorded; and these reservations, the latest first.
  std::size_t held_by_customer(std::string_view customer) const;
  Slot first_of_customer(std::string_view customer) const;

  // No expiry is due before this time, which may belong to a reservation that ended early. k_never if there is none.
  Millis next_expiry() const { return expiries_.earliest(); }
  // Removes a reservation whose time is over at `now` from the queue; k_no_slot if there is none. The caller must record its expiry.
  Slot take_expired(Millis now);

  // Prefetch memory for a command, some commands before it is judged. An id is followed in steps, each some commands after the last: first
  // the place of its reservation, then the reservation, then its seats and customer, then its texts.
  void prefetch_seat(SeatIndex seat) const;
  void prefetch_customer(std::string_view customer) const { by_customer_.prefetch(hash_bytes(customer, hash_seed_)); }
  void prefetch_id(const Uuid& id) const { by_id_.prefetch(hash_uuid(id, hash_seed_)); }
  void prefetch_reservation(const Uuid& id) const;
  void prefetch_belongings(const Uuid& id) const;
  void prefetch_texts(const Uuid& id) const;

  // `now`, but never earlier than any previous result.
  Millis observe(Millis now) {
    last_now_ = std::max(last_now_, now);
    return last_now_;
  }

  // Folds one change, made at `at`. A change that contradicts the inventory fails a HOLDFAST_CHECK: ask contradicted_by() first about a change
  // that comes from a file or a database.
  void apply(const Change& change, Millis at);
  // What apply() would fail on, as the rest of a sentence about the change: "finds seat 3 sold". nullopt if the change fits.
  std::optional<std::string> contradicted_by(const Change& change) const;

  // Forgets the oldest reservations that ended at or before change `through`, until at most `keep` are left. Reservations with sold seats stay.
  // Returns how many it forgot. Ended reservations stay in memory until then.
  std::size_t forget_ended(Seq through, std::size_t keep);
  std::size_t ended_count() const { return ended_.size(); }   // in memory; an upper bound
  // Whether recall() accepts it: it has ended, owns nothing, names existing seats, each once, is not in memory, and there is room for it. A row
  // of a damaged table may fail any of these.
  bool can_recall(const ReservationView& ended) const;
  // Restores an ended reservation that was forgotten, so that commands on it can be judged. Not a change.
  void recall(const ReservationView& ended);

  // A cheap summary of the content. Copies that went through the same changes, recalls and forgettings have the same one. O(1).
  struct Digest {
    Seq seq = 0;
    StateCounts counts{};
    std::size_t reservations = 0;
    std::size_t ended = 0;
    std::optional<Uuid> ended_first{};   // the next to be forgotten
    std::optional<Uuid> ended_last{};
    bool operator==(const Digest&) const = default;
  };
  Digest digest() const;

  // Build an inventory from tables: first the number of seats, then states and versions, then reservations, then the position.
  void restore_seats(std::size_t count);
  void restore_seat(SeatIndex seat, SeatState state, std::uint32_t version);
  void restore_reservation(const ReservationView& view);
  void restore_position(Seq seq, Millis now);

  // What contradicts itself, for tests and after loading from tables; nullopt if nothing does. O(seats + reservations).
  std::optional<std::string> find_contradiction() const;

  // Bytes of memory that the arrays use.
  std::size_t bytes() const;

 private:
  struct Cell {
    std::uint32_t owner = 0;   // slot + 1; 0: none
    std::uint32_t version = 0;
  };
  struct Customer {
    std::uint32_t name;   // a text in the pool
    std::uint32_t held;   // seats
    Slot first;   // of its active reservations
    std::uint32_t known;   // number of reservations in memory that name it; 0: the place is free
  };
  static constexpr std::uint32_t k_no_customer = 0xFFFF'FFFF;

  // Why a change does not fit, without the words: apply() asks for it on each change.
  struct Misfit {
    enum class About : std::uint8_t { none, change, reservation, missing_seat, seat };
    About about = About::none;
    const char* what = nullptr;   // of `change` and `reservation`: the rest of a sentence
    SeatIndex seat = 0;
  };
  // Everything that a change needs of the inventory, except that it names each seat once. `slot`: find() of its reservation.
  Misfit misfit_of(const Change& change, Slot slot) const;
  Misfit misfit_of_reservation(const Change& change, Slot slot) const;
  Misfit misfit_of_held(const Change& change, Slot slot) const;
  Misfit misfit_of_seats(Seats seats, SeatState state, Slot owner) const;
  std::string told(const Misfit& misfit, const Uuid& reservation) const;

  std::uint64_t hash_of(Slot slot) const { return hash_uuid(reservations_[slot].id, hash_seed_); }
  std::uint64_t hash_of_customer(std::uint32_t customer) const { return hash_bytes(pool_.text(customers_[customer].name), hash_seed_); }
  Slot find(const Uuid& id, std::uint64_t hash) const;
  std::uint32_t find_customer(std::string_view name) const { return find_customer(name, hash_bytes(name, hash_seed_)); }
  std::uint32_t find_customer(std::string_view name, std::uint64_t hash) const;

  void fold_held(const Change& change, Millis at);
  void fold_added(Slot slot, Seats seats);
  void fold_released(Slot slot, Seats seats, bool ends);
  void fold_consumed(Slot slot, std::string_view order, bool reinstated);
  void fold_expired(Slot slot);
  void fold_returned(Slot slot, Seats seats);

  // `before`: the state that the seat must have.
  void set_state(SeatIndex seat, SeatState before, SeatState state, std::uint32_t owner);
  // The only place that frees a seat. A waiting list would decide here who gets it next.
  void free_seat(SeatIndex seat, SeatState before);
  std::size_t& count_of(SeatState state);

  Slot new_slot(const Uuid& id);
  void put_seats(Reservation& reservation, Seats seats);
  void remove_from_seats(Slot slot, Seats gone);
  std::uint32_t enter_customer(std::string_view name);
  void leave_customer(std::uint32_t customer);
  void link_to_customer(Slot slot);
  void unlink_from_customer(Slot slot);
  void end(Slot slot, ReservationStatus status);
  void await_expiry(Slot slot);
  void forget(Slot slot);

  EventCard card_;
  EventSettings settings_;
  std::uint64_t hash_seed_;
  bool is_replica_ = false;
  Seq seq_ = 0;
  Millis last_now_ = 0;
  StateCounts counts_;

  std::vector<Cell> cells_;
  std::vector<SeatState> states_;
  GrowingArray<Reservation> reservations_;
  std::vector<Slot> free_slots_;
  GrowingArray<Customer> customers_;
  std::vector<std::uint32_t> free_customers_;
  BlockPool pool_;
  PlaceTable by_id_;   // slots
  PlaceTable by_customer_;   // places in customers_
  ExpiryQueue expiries_;

  struct Ended {
    Slot slot;
    std::uint16_t generation;
    Seq seq;
  };
  std::deque<Ended> ended_;
  std::size_t ended_untrue_ = 0;   // entries of reservations that have been reinstated since
};

static_assert(sizeof(Inventory::Reservation) == 64);

}   // namespace holdfast
