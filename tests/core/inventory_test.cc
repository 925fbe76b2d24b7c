// The inventory as a fold: copies, forgetting and recalling, building it from tables, replaying the journal's bytes.
#include "core/inventory.h"

#include <gmock/gmock.h>

#include "core/event_in_test.h"

namespace holdfast {
namespace {

// Applies the journal's bytes of a batch made at `at`.
void replay(Inventory& inventory, std::string_view bytes, Millis at) {
  Reader reader(bytes);
  ChangeDecoder decoder(at);
  Change change;
  while (!reader.at_end()) {
    ASSERT_TRUE(decoder.decode(reader, change));
    inventory.apply(change, at);
  }
}

// An event with a reservation in every status, some of several seats, some of one customer.
struct BusyEvent : EventInTest {
  BusyEvent() : EventInTest(16) {
    hold(active, {0, 1, 2}, "anna", 1'000);
    hold(second_of_anna, {3}, "anna");
    hold(released, {4, 5}, "ben");
    release(released);
    hold(consumed, {6, 7}, "ben");
    consume(consumed);
    hold(returned, {8, 9}, "cleo");
    consume(returned, "order-2");
    give_back(returned, {9}, "order-2");
    lock(lock_id, {10, 11});
    block({15});
  }
  Uuid active = new_id(), second_of_anna = new_id(), released = new_id(), consumed = new_id(), returned = new_id(), lock_id = new_id();
  std::vector<Uuid> all() const { return {active, second_of_anna, released, consumed, returned, lock_id}; }
};

void expect_same(const Inventory& a, const Inventory& b, const std::vector<Uuid>& ids, Millis now) {
  EXPECT_EQ(a.seq(), b.seq());
  EXPECT_EQ(a.counts(), b.counts());
  EXPECT_TRUE(std::ranges::equal(a.states(), b.states()));
  for (SeatIndex seat = 0; seat < a.seat_count(); ++seat) {
    EXPECT_EQ(a.version_of(seat), b.version_of(seat)) << seat;
    EXPECT_EQ(a.owner_of(seat, now), b.owner_of(seat, now)) << seat;
  }
  for (const Uuid& id : ids) {
    ASSERT_NE(a.find(id), Inventory::k_no_slot);
    ASSERT_NE(b.find(id), Inventory::k_no_slot);
    EXPECT_TRUE(a.view(a.find(id), now) == b.view(b.find(id), now));
  }
  EXPECT_EQ(a.next_expiry(), b.next_expiry());
  EXPECT_EQ(b.find_contradiction(), std::nullopt);
}

TEST(Inventory, OfNoChangesIsEmpty) {
  const EventInTest event(3);
  EXPECT_EQ(event.inventory.seq(), 0u);
  EXPECT_EQ(event.inventory.counts(), StateCounts{.available = 3});
  EXPECT_EQ(event.inventory.next_expiry(), k_never);
  EXPECT_EQ(event.inventory.find(test_reservation_id(1)), Inventory::k_no_slot);
  EXPECT_EQ(event.inventory.held_by_customer("anna"), 0u);
  EXPECT_EQ(event.inventory.first_of_customer("anna"), Inventory::k_no_slot);
  EXPECT_EQ(event.inventory.slot_of_owner(0), Inventory::k_no_slot);
}

TEST(Inventory, CountsSeatsByStateAndKnowsACustomersActiveReservations) {
  const BusyEvent event;
  EXPECT_EQ(event.states(), "hhhhaasssahhaaab");
  EXPECT_EQ(event.inventory.counts(), (StateCounts{.available = 6, .held = 6, .sold = 3, .blocked = 1}));
  EXPECT_EQ(event.inventory.held_by_customer("anna"), 4u);
  const Inventory::Slot first = event.inventory.first_of_customer("anna");
  EXPECT_EQ(event.inventory.reservation(first).id, event.second_of_anna);
  EXPECT_EQ(event.inventory.reservation(event.inventory.reservation(first).next_of_customer).id, event.active);
  EXPECT_EQ(event.inventory.first_of_customer("ben"), Inventory::k_no_slot);
}

TEST(Inventory, ReplayedFromTheJournalsBytesIsTheSame) {
  const BusyEvent event;
  EventInTest replica(16);
  replay(replica.inventory, event.changes.bytes, k_start);
  expect_same(event.inventory, replica.inventory, event.all(), k_start);
  EXPECT_EQ(replica.inventory.last_now(), k_start);
}

TEST(Inventory, AClonesAnswersAreTheSameAndItSharesNothing) {
  BusyEvent event;
  const auto copy = event.inventory.clone();
  expect_same(event.inventory, *copy, event.all(), k_start);
  ChangeBatch elsewhere;
  judge(*copy, Release{.reservation = event.active}, k_start, elsewhere);
  EXPECT_EQ(event.told_of(event.active), "active 0 1 2");
  EXPECT_EQ(event.inventory.held_by_customer("anna"), 4u);
  event.release(event.active);
  expect_same(event.inventory, *copy, event.all(), k_start);
}

TEST(Inventory, ForgetsTheOldestEndedReservationsAndKeepsThoseThatHaveSeats) {
  BusyEvent event;
  EXPECT_EQ(event.inventory.reservation_count(), 6u);
  EXPECT_EQ(event.inventory.forget_ended(event.inventory.seq(), 1), 0u);   // one has ended, one may stay
  EXPECT_EQ(event.inventory.forget_ended(event.inventory.seq(), 0), 1u);
  EXPECT_EQ(event.inventory.find(event.released), Inventory::k_no_slot);
  for (const Uuid& id : {event.active, event.second_of_anna, event.consumed, event.returned, event.lock_id}) {
    EXPECT_NE(event.inventory.find(id), Inventory::k_no_slot);
  }
  event.give_back(event.returned, {}, "order-2");
  EXPECT_EQ(event.inventory.forget_ended(event.inventory.seq(), 0), 1u);
  EXPECT_EQ(event.inventory.find(event.returned), Inventory::k_no_slot);
  EXPECT_EQ(event.inventory.find_contradiction(), std::nullopt);
}

TEST(Inventory, ForgetsOnlyWhatEndedUpToTheGivenChange) {
  EventInTest event(4);
  const Uuid first = event.new_id(), second = event.new_id();
  event.hold(first, {0});     // 1
  event.hold(second, {1});    // 2
  event.release(first);       // 3
  event.release(second);      // 4
  EXPECT_EQ(event.inventory.forget_ended(2, 0), 0u);
  EXPECT_EQ(event.inventory.forget_ended(3, 0), 1u);
  EXPECT_EQ(event.inventory.find(first), Inventory::k_no_slot);
  EXPECT_NE(event.inventory.find(second), Inventory::k_no_slot);
  EXPECT_EQ(event.inventory.forget_ended(4, 0), 1u);
}

TEST(Inventory, DoesNotForgetAReservationThatWasReinstated) {
  EventInTest event(2);
  const Uuid r = event.new_id();
  event.hold(r, {0, 1});
  event.release(r);
  event.reinstate(r);
  EXPECT_EQ(event.inventory.forget_ended(event.inventory.seq(), 0), 0u);
  EXPECT_EQ(event.told_of(r), "consumed 0 1");
  event.give_back(r);
  EXPECT_EQ(event.inventory.forget_ended(event.inventory.seq(), 0), 1u);
}

TEST(Inventory, KeepsTheGivenNumberOfEndedOnesEvenIfSomeWereReinstated) {
  EventInTest event(8);
  std::vector<Uuid> ids;
  for (SeatIndex seat = 0; seat < 8; ++seat) {
    ids.push_back(event.new_id());
    event.hold(ids.back(), {seat});
  }
  for (const Uuid& id : ids) event.release(id);
  for (int i = 4; i < 8; ++i) event.reinstate(ids[static_cast<std::size_t>(i)]);
  EXPECT_EQ(event.inventory.forget_ended(event.inventory.seq(), 4), 0u);
  EXPECT_EQ(event.inventory.forget_ended(event.inventory.seq(), 3), 1u);
  EXPECT_EQ(event.inventory.find(ids[0]), Inventory::k_no_slot);
  EXPECT_NE(event.inventory.find(ids[1]), Inventory::k_no_slot);
}

TEST(Inventory, ReusesThePlaceOfAForgottenReservation) {
  EventInTest event(3);
  const Uuid gone = event.new_id(), next = event.new_id();
  event.hold(gone, {0}, "anna", 1'000);
  event.release(gone);
  event.inventory.forget_ended(event.inventory.seq(), 0);
  event.hold(next, {1, 2}, "ben", 5'000);
  event.now += 1'000;   // the time of the forgotten one
  EXPECT_EQ(event.sweep().swept, 0u);
  EXPECT_EQ(event.told_of(next), "active 1 2");
  EXPECT_EQ(event.inventory.held_by_customer("anna"), 0u);
  event.now += 4'000;
  EXPECT_EQ(event.sweep().swept, 1u);
}

TEST(Inventory, JudgesARecalledReservationAsBefore) {
  EventInTest event(3);
  const Uuid released = event.new_id(), expired = event.new_id(), returned = event.new_id();
  event.hold(released, {0}, "anna");
  event.release(released);
  event.hold(expired, {1}, "anna", 1'000);
  event.now += 1'000;
  event.sweep();
  event.hold(returned, {2}, "ben");
  event.consume(returned, "order-7");
  event.give_back(returned, {}, "order-7");
  const ReservationView views[] = {event.view(released), event.view(expired), event.view(returned)};
  EXPECT_EQ(event.inventory.forget_ended(event.inventory.seq(), 0), 3u);
  EXPECT_EQ(event.inventory.reservation_count(), 0u);
  EXPECT_EQ(told(event.consume(expired)), "reservation_not_found");
  const Seq seq = event.inventory.seq();
  for (const ReservationView& view : views) {
    event.inventory.recall(view);
    EXPECT_TRUE(event.view(view.id) == view);
  }
  EXPECT_EQ(event.inventory.seq(), seq);
  EXPECT_EQ(event.inventory.find_contradiction(), std::nullopt);
  EXPECT_EQ(told(event.consume(released)), "reservation_not_active");
  EXPECT_EQ(told(event.release(released)), "accepted");
  EXPECT_EQ(told(event.give_back(returned, {}, "order-7")), "accepted");
  EXPECT_EQ(told(event.give_back(returned, {}, "order-8")), "order_mismatch");
  EXPECT_EQ(told(event.consume(expired)), "reservation_expired");
  EXPECT_EQ(told(event.reinstate(expired)), "accepted");
  EXPECT_EQ(event.states(), "asa");
  EXPECT_EQ(event.inventory.forget_ended(event.inventory.seq(), 0), 2u);   // after a recall it can be forgotten again
}

TEST(Inventory, BuiltFromTablesIsTheSame) {
  const BusyEvent event;
  EventInTest restored(0);
  restored.inventory.restore_seats(16);
  for (SeatIndex seat = 0; seat < 16; ++seat) {
    restored.inventory.restore_seat(seat, event.inventory.recorded_state_of(seat), event.inventory.version_of(seat));
  }
  for (const Uuid& id : event.all()) restored.inventory.restore_reservation(event.view(id));
  restored.inventory.restore_position(event.inventory.seq(), event.inventory.last_now());
  expect_same(event.inventory, restored.inventory, event.all(), k_start);
  EXPECT_EQ(restored.inventory.last_now(), k_start);
  EXPECT_EQ(restored.inventory.held_by_customer("anna"), 4u);
}

TEST(Inventory, BuiltFromTablesThatContradictEachOtherSaysSo) {
  EventInTest event(2);
  EXPECT_EQ(event.inventory.find_contradiction(), std::nullopt);
  event.inventory.restore_seat(0, SeatState::held, 1);
  EXPECT_EQ(event.inventory.find_contradiction(), "seat 0 is taken but has no reservation");
  ReservationView view{.id = event.new_id(),
                       .status = ReservationStatus::consumed,
                       .created_at = 1,
                       .expires_at = 2,
                       .customer = "anna",
                       .order = "o",
                       .seats = {{0, true}}};
  event.inventory.restore_reservation(view);
  EXPECT_EQ(event.inventory.find_contradiction(), "seat 0 belongs to a reservation that has ended");
}

TEST(Inventory, HoldsAndReleasesForEverInTheSameMemory) {
  EventInTest event(4);
  const auto cycle = [&](int times) {
    const SeatList seats = {0, 1, 2};
    for (int i = 0; i < times; ++i) {
      const Uuid id = event.new_id();
      const std::string customer = "customer-" + std::to_string(i);
      event.changes.clear();
      judge(event.inventory, Hold{.reservation = id, .customer = customer, .seats = seats, .duration = 900'000}, ++event.now,
            event.changes);
      judge(event.inventory, i % 2 == 0 ? Command(Release{.reservation = id}) : Command(Consume{.reservation = id, .order = "o"}),
            event.now, event.changes);
      if (i % 2 == 1) judge(event.inventory, Return{.reservation = id, .order = "o"}, event.now, event.changes);
      event.inventory.forget_ended(event.inventory.seq(), 100);
    }
  };
  cycle(20'000);
  const std::size_t before = event.inventory.bytes();
  cycle(100'000);
  EXPECT_LE(event.inventory.bytes(), before);
  EXPECT_EQ(event.inventory.find_contradiction(), std::nullopt);
}

TEST(Inventory, SellsAndTakesBackForEverInTheSameMemory) {
  EventInTest event(1);
  const auto cycle = [&](int times) {
    const SeatList seats = {0};
    for (int i = 0; i < times; ++i) {
      const Uuid id = event.new_id();
      event.changes.clear();
      judge(event.inventory, Hold{.reservation = id, .customer = "anna", .seats = seats, .duration = 900'000}, event.now, event.changes);
      judge(event.inventory, Consume{.reservation = id, .order = "o"}, event.now, event.changes);
      judge(event.inventory, Return{.reservation = id, .order = "o"}, event.now, event.changes);
      event.inventory.forget_ended(event.inventory.seq(), 10);
    }
  };
  cycle(20'000);
  const std::size_t before = event.inventory.bytes();
  cycle(100'000);
  EXPECT_LE(event.inventory.bytes(), before);
}

// ---------------------------------------------------------------------------------------------------------------- contradictions

TEST(Contradictions, AreSaidInOneSentence) {
  BusyEvent event;
  EventSettings settings;
  const auto said = [&](Change change, SeatList seats = {}) {
    change.seats = seats;
    change.settings = &settings;
    return event.inventory.contradicted_by(change).value_or("fits");
  };
  const auto of = [](ChangeKind kind, const Uuid& id, bool ends = false) { return Change{.kind = kind, .reservation = id, .ends = ends}; };
  const auto named = [](const Uuid& id) { return "is of reservation " + to_string(id) + ", which "; };
  const Uuid unknown = event.new_id();
  EXPECT_EQ(said(of(ChangeKind::event_created, {})), "creates an event that already exists");
  EXPECT_EQ(said({.kind = ChangeKind::seats_appended, .count = 1}), "appends seats to an event whose import has ended");
  EXPECT_EQ(said({.kind = ChangeKind::event_configured}), "fits");
  EXPECT_EQ(said(of(ChangeKind::held, unknown), {12, 13}), "fits");
  EXPECT_EQ(said(of(ChangeKind::held, unknown), {12, 16}), "names seat 16, which does not exist");
  EXPECT_EQ(said(of(ChangeKind::held, unknown), {12, 12}), "names seat 12 twice");
  EXPECT_EQ(said(of(ChangeKind::held, unknown), {12, 15}), "finds seat 15 blocked");
  EXPECT_EQ(said(of(ChangeKind::held, unknown), {12, 6}), "finds seat 6 sold for reservation " + to_string(event.consumed));
  EXPECT_EQ(said(of(ChangeKind::held, unknown)), named(unknown) + "cannot have so many seats");
  EXPECT_EQ(said(of(ChangeKind::held, event.active), {12}), named(event.active) + "exists already");
  EXPECT_EQ(said(of(ChangeKind::seats_added, event.active), {12}), "fits");
  EXPECT_EQ(said(of(ChangeKind::seats_added, event.consumed), {12}), named(event.consumed) + "has ended");
  EXPECT_EQ(said(of(ChangeKind::seats_added, unknown), {12}), named(unknown) + "does not exist");
  EXPECT_EQ(said(of(ChangeKind::extended, event.released)), named(event.released) + "has ended");
  EXPECT_EQ(said(of(ChangeKind::released, event.active), {1}), "fits");
  EXPECT_EQ(said(of(ChangeKind::released, event.active), {3}), "finds seat 3 held for reservation " + to_string(event.second_of_anna));
  EXPECT_EQ(said(of(ChangeKind::released, event.active, true), {1}), named(event.active) + "has another number of seats");
  EXPECT_EQ(said(of(ChangeKind::consumed, event.active)), "fits");
  EXPECT_EQ(said(of(ChangeKind::consumed, event.active, true)), named(event.active) + "cannot be sold in that state");
  EXPECT_EQ(said(of(ChangeKind::consumed, event.released, true)), "fits");
  EXPECT_EQ(said(of(ChangeKind::expired, event.consumed)), named(event.consumed) + "has ended");
  EXPECT_EQ(said(of(ChangeKind::returned, event.consumed), {6}), "fits");
  EXPECT_EQ(said(of(ChangeKind::returned, event.returned), {9}), "finds seat 9 available") << "it was returned before";
  EXPECT_EQ(said(of(ChangeKind::returned, event.active), {0}), named(event.active) + "is not sold");
  EXPECT_EQ(said({.kind = ChangeKind::blocked}, {15}), "finds seat 15 blocked");
  EXPECT_EQ(said({.kind = ChangeKind::unblocked}, {14}), "finds seat 14 available");
}

// Every kind of change of every reservation, with every pair of seats: what fits can be folded, and the inventory then is sound.
TEST(Contradictions, AreAllThatKeepsAChangeFromBeingFolded) {
  BusyEvent event;
  event.hold(event.new_id(), {13});
  std::vector<Uuid> ids = event.all();
  ids.push_back(event.new_id());
  std::vector<SeatList> lists;
  for (SeatIndex first = 0; first < 17; ++first) {
    lists.push_back({first});
    for (SeatIndex second = 0; second < 17; ++second) lists.push_back({first, second});
  }
  int folded = 0;
  int refused = 0;
  for (int kind = int{static_cast<int>(ChangeKind::held)}; kind <= static_cast<int>(ChangeKind::unblocked); ++kind) {
    for (const Uuid& id : ids) {
      for (const SeatList& seats : lists) {
        for (const bool ends : {false, true}) {
          const Change change{.kind = static_cast<ChangeKind>(kind),
                              .reservation = id,
                              .expires_at = k_start + 9,
                              .ends = ends,
                              .text = "t",
                              .seats = seats};
          const auto inventory = event.inventory.clone();
          if (inventory->contradicted_by(change)) {
            ++refused;
            continue;
          }
          inventory->apply(change, k_start);
          ++folded;
          ASSERT_EQ(inventory->find_contradiction(), std::nullopt) << name_of(change.kind) << " of " << to_string(id);
        }
      }
    }
  }
  EXPECT_GT(folded, 1'000);
  EXPECT_GT(refused, 10'000);
}

TEST(Contradictions, IncludeAReservationThatNamesASeatTwice) {
  EventInTest event(4);
  event.inventory.restore_seat(3, SeatState::held, 1);
  event.inventory.restore_reservation(
      {.id = event.new_id(), .status = ReservationStatus::active, .expires_at = k_start + 1, .seats = {{3, true}, {3, true}}});
  EXPECT_THAT(event.inventory.find_contradiction().value_or("none"), testing::HasSubstr("names a seat twice"));
}

// A change that nobody has checked must stop the process, not write past the seats.
using InventoryDeathTest = testing::Test;

TEST_F(InventoryDeathTest, StopsAtAChangeOfAnUnknownSeat) {
  EventInTest event(2);
  const SeatList beyond = {2};
  EXPECT_DEATH(event.inventory.apply({.kind = ChangeKind::blocked, .seats = beyond}, k_start), "a rule of its own does not hold");
  EXPECT_DEATH(event.inventory.apply({.kind = ChangeKind::unblocked, .seats = beyond}, k_start), "a rule of its own does not hold");
  EXPECT_DEATH(
      event.inventory.apply({.kind = ChangeKind::held, .reservation = event.new_id(), .expires_at = k_start + 1, .seats = beyond}, k_start),
      "a rule of its own does not hold");
  const Uuid r = event.new_id();
  event.hold(r, {0});
  for (const ChangeKind kind : {ChangeKind::seats_added, ChangeKind::released}) {
    EXPECT_DEATH(event.inventory.apply({.kind = kind, .reservation = r, .seats = beyond}, k_start), "a rule of its own does not hold");
  }
  event.consume(r);
  EXPECT_DEATH(event.inventory.apply({.kind = ChangeKind::returned, .reservation = r, .seats = beyond}, k_start),
               "a rule of its own does not hold");
}

TEST_F(InventoryDeathTest, StopsAtASeatThatIsNamedTwice) {
  EventInTest event(2);
  const SeatList twice = {1, 1};
  EXPECT_DEATH(event.inventory.apply({.kind = ChangeKind::blocked, .seats = twice}, k_start), "a rule of its own does not hold");
}

TEST_F(InventoryDeathTest, StopsAtASecondOwner) {
  EventInTest event(2);
  event.hold(event.new_id(), {0});
  const SeatList seats = {0};
  EXPECT_DEATH(
      event.inventory.apply({.kind = ChangeKind::held, .reservation = event.new_id(), .expires_at = k_start + 1, .seats = seats}, k_start),
      "a rule of its own does not hold");
  EXPECT_DEATH(event.inventory.apply({.kind = ChangeKind::expired, .reservation = test_reservation_id(99)}, k_start),
               "a rule of its own does not hold");
}

}  // namespace
}  // namespace holdfast
