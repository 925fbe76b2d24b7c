// Support for tests of the rules: one event, its changes as the journal keeps them, and answers that read like a sentence.
//
//   EventInTest event(8);
//   const Uuid r = event.new_id();
//   EXPECT_EQ(told(event.hold(r, {1, 2})), "accepted");
//   EXPECT_EQ(event.states(), "ahhaaaaa");
//   EXPECT_EQ(event.recorded(), "held");
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/check.h"
#include "core/inventory.h"
#include "core/rules.h"

namespace holdfast {

using SeatList = std::vector<SeatIndex>;

inline constexpr Millis k_start = 1'771'949'700'000;   // 2026-02-24T16:15:00Z
inline constexpr Millis k_minute = 60'000;
inline constexpr EventNumber k_event = 7;

// "accepted"; else the reason, the limit and the seats that are the reason: "seat_unavailable 1 4".
inline std::string told(const Outcome& outcome) {
  std::string text = name_of(outcome.reason);
  if (outcome.limit != Limit::none) text.append(" ").append(name_of(outcome.limit));
  for (const SeatIndex seat : outcome.seats) text.append(" ").append(std::to_string(seat));
  return text;
}

// Status and seats. A seat that no longer belongs to the reservation is in brackets: "consumed 1 (4)".
inline std::string told(const ReservationView& view) {
  std::string text = name_of(view.status);
  for (const ReservedSeat& seat : view.seats) {
    text.append(seat.owned ? " " : " (").append(std::to_string(seat.seat)).append(seat.owned ? "" : ")");
  }
  return text;
}

inline bool operator==(const ReservedSeat& a, const ReservedSeat& b) { return a.seat == b.seat && a.owned == b.owned; }
inline bool operator==(const ReservationView& a, const ReservationView& b) {
  return a.id == b.id && a.kind == b.kind && a.status == b.status && a.created_at == b.created_at && a.expires_at == b.expires_at &&
         a.customer == b.customer && a.order == b.order && a.seats == b.seats;
}

inline Uuid test_reservation_id(std::uint64_t number, EventNumber event = k_event) {
  std::uint8_t random[10] = {};
  for (int i = 0; i < 8; ++i) random[2 + i] = static_cast<std::uint8_t>(number >> (56 - 8 * i));
  return make_reservation_id(event, k_start, random);
}

struct EventInTest {
  explicit EventInTest(std::size_t seats, EventSettings settings = {})
      : inventory({.number = k_event, .id = {}, .venue = "Royal", .currency = "EUR"}, std::move(settings), 42) {
    inventory.restore_seats(seats);
  }

  Uuid new_id() { return test_reservation_id(++last_id_); }

  // Judges, folds, and keeps the bytes of the changes. A refused command must have recorded nothing.
  Outcome does(const Command& command) {
    const Seq before = inventory.seq();
    const std::size_t bytes_before = changes.bytes.size();
    Outcome outcome = judge(inventory, command, now, changes, plan);
    const std::size_t added = inventory.seq() - before;
    if (!outcome.accepted()) {
      EXPECT_EQ(added, 0u);
      EXPECT_EQ(changes.bytes.size(), bytes_before);
    }
    EXPECT_EQ(inventory.find_contradiction(), std::nullopt);
    note_kinds(std::string_view(changes.bytes).substr(bytes_before), added);
    return outcome;
  }

  Outcome hold(const Uuid& id, const SeatList& seats, std::string_view customer = "anna", Millis duration = 15 * k_minute) {
    return does(Hold{.reservation = id, .customer = customer, .seats = seats, .duration = duration});
  }
  Outcome lock(const Uuid& id, const SeatList& seats, Millis duration = 15 * k_minute) {
    return does(Hold{.reservation = id, .kind = ReservationKind::ticket_lock, .seats = seats, .duration = duration});
  }
  Outcome add(const Uuid& id, const SeatList& seats) { return does(Add{id, seats}); }
  Outcome extend(const Uuid& id, Millis duration) { return does(Extend{id, duration}); }
  Outcome release(const Uuid& id, const SeatList& seats = {}) { return does(Release{id, seats}); }
  Outcome release_locks(const SeatList& seats, const std::vector<Uuid>& only = {}) { return does(ReleaseLocks{seats, only}); }
  Outcome consume(const Uuid& id, std::string_view order = "order-1") { return does(Consume{.reservation = id, .order = order}); }
  Outcome reinstate(const Uuid& id, std::string_view order = "order-1") { return does(Consume{id, order, true}); }
  Outcome give_back(const Uuid& id, const SeatList& seats = {}, std::string_view order = "order-1") {
    return does(Return{id, order, seats});
  }
  Outcome block(const SeatList& seats) { return does(Block{seats}); }
  Outcome unblock(const SeatList& seats) { return does(Unblock{seats}); }
  Outcome sweep(std::size_t limit = 1'000'000) { return does(Sweep{limit}); }
  Outcome configure(Configure configure) { return does(Command(std::move(configure))); }

  // One letter a seat, as it holds at `now`.
  std::string states() const {
    std::string letters;
    for (SeatIndex seat = 0; seat < inventory.seat_count(); ++seat) letters += static_cast<char>(inventory.state_of(seat, now));
    return letters;
  }
  std::string versions() const {
    std::string text;
    for (SeatIndex seat = 0; seat < inventory.seat_count(); ++seat) {
      text.append(seat == 0 ? "" : " ").append(std::to_string(inventory.version_of(seat)));
    }
    return text;
  }
  ReservationView view(const Uuid& id) const {
    const Inventory::Slot slot = inventory.find(id);
    HOLDFAST_CHECK(slot != Inventory::k_no_slot);
    return inventory.view(slot, now);
  }
  std::string told_of(const Uuid& id) const { return told(view(id)); }

  // The kinds of the changes recorded since the last call: "expired held".
  std::string recorded() { return std::exchange(kinds_, {}); }

  Inventory inventory;
  const Plan* plan = nullptr;   // for HoldBest
  Millis now = k_start;
  ChangeBatch changes;

 private:
  void note_kinds(std::string_view bytes, std::size_t count) {
    Reader reader(bytes);
    ChangeDecoder decoder(inventory.last_now());
    Change change;
    for (std::size_t i = 0; i < count; ++i) {
      if (!decoder.decode(reader, change)) {
        ADD_FAILURE() << "a recorded change cannot be read back";
        return;
      }
      kinds_.append(kinds_.empty() ? "" : " ").append(name_of(change.kind));
    }
    EXPECT_TRUE(reader.at_end());
  }

  std::uint64_t last_id_ = 0;
  std::string kinds_;
};

}  // namespace holdfast
