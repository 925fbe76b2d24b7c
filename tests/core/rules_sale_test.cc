// The rules of a sale: consume, reinstate, return. Late payments, repeated messages and repeated refunds.
#include "core/event_in_test.h"

namespace holdfast {
namespace {

// ----------------------------------------------------------------------------------------------------------------- consume

TEST(Consume, SellsAllSeatsOfTheReservationForTheOrder) {
  EventInTest event(4);
  const Uuid r = event.new_id();
  event.hold(r, {3, 1});
  event.recorded();
  const Outcome outcome = event.consume(r, "order-9");
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(told(*outcome.reservation), "consumed 3 1");
  EXPECT_EQ(outcome.reservation->order, "order-9");
  EXPECT_EQ(event.recorded(), "consumed");
  EXPECT_EQ(event.states(), "asas");
  EXPECT_EQ(event.versions(), "0 2 0 2");
  EXPECT_EQ(event.inventory.held_by_customer("anna"), 0u);
}

TEST(Consume, SellsOnlyWhatWasNotReleasedBefore) {
  EventInTest event(3);
  const Uuid r = event.new_id();
  event.hold(r, {0, 1, 2});
  event.release(r, {1});
  EXPECT_EQ(told(event.consume(r).reservation.value()), "consumed 0 2");
  EXPECT_EQ(event.states(), "sas");
}

TEST(Consume, IsPossibleUntilTheLastMillisecond) {
  EventInTest event(2);
  const Uuid in_time = event.new_id(), late = event.new_id();
  event.hold(in_time, {0}, "anna", 1'000);
  event.hold(late, {1}, "ben", 1'000);
  event.now += 999;
  EXPECT_EQ(told(event.consume(in_time)), "accepted");
  event.now += 1;
  EXPECT_EQ(told(event.consume(late)), "reservation_expired");
}

TEST(Consume, AgainForTheSameOrderIsAcceptedAndMovesNothing) {
  EventInTest event(1);
  const Uuid r = event.new_id();
  event.hold(r, {0});
  event.consume(r, "order-1");
  event.recorded();
  event.now += 365 * 24 * 60 * k_minute;
  EXPECT_EQ(told(event.consume(r, "order-1")), "accepted");
  EXPECT_EQ(told(event.reinstate(r, "order-1")), "accepted");
  EXPECT_EQ(event.recorded(), "");
  EXPECT_EQ(event.versions(), "2");
}

TEST(Consume, AgainForAnotherOrderIsRefused) {
  EventInTest event(1);
  const Uuid r = event.new_id();
  event.hold(r, {0});
  event.consume(r, "order-1");
  EXPECT_EQ(told(event.consume(r, "order-2")), "reservation_not_active");
  EXPECT_EQ(told(event.reinstate(r, "order-2")), "reservation_not_active");
  EXPECT_EQ(event.view(r).order, "order-1");
}

TEST(Consume, AgainAfterTheSeatsWereReturnedDoesNotSellThemAgain) {
  EventInTest event(1);
  const Uuid r = event.new_id();
  event.hold(r, {0});
  event.consume(r);
  event.give_back(r);
  EXPECT_EQ(told(event.consume(r).reservation.value()), "consumed (0)");
  EXPECT_EQ(told(event.reinstate(r).reservation.value()), "consumed (0)");
  EXPECT_EQ(event.states(), "a");
}

TEST(Consume, NeedsAnActiveReservationAndDoesNotAskWhetherTheEventIsOnSale) {
  EventInTest event(2);
  const Uuid released = event.new_id(), active = event.new_id();
  event.hold(released, {0});
  event.release(released);
  event.hold(active, {1});
  EXPECT_EQ(told(event.consume(event.new_id())), "reservation_not_found");
  EXPECT_EQ(told(event.reinstate(event.new_id())), "reservation_not_found");
  EXPECT_EQ(told(event.consume(released)), "reservation_not_active");
  event.configure({.status = EventStatus::closed});
  EXPECT_EQ(told(event.consume(active)), "accepted");
}

TEST(Consume, SellsATicketLockToo) {
  EventInTest event(2);
  const Uuid lock = event.new_id();
  event.lock(lock, {0, 1});
  EXPECT_EQ(told(event.consume(lock)), "accepted");
  EXPECT_EQ(event.states(), "ss");
}

// --------------------------------------------------------------------------------------------------------------- reinstate

TEST(Reinstate, OfAnActiveReservationIsAConsume) {
  EventInTest event(1);
  const Uuid r = event.new_id();
  event.hold(r, {0});
  event.recorded();
  EXPECT_EQ(told(event.reinstate(r)), "accepted");
  EXPECT_EQ(event.recorded(), "consumed");
}

TEST(Reinstate, SellsWhatExpiredWhenEverySeatIsStillAvailable) {
  EventInTest event(3);
  const Uuid r = event.new_id();
  event.hold(r, {2, 0}, "anna", 1'000);
  event.now += 5'000;
  event.sweep();
  event.recorded();
  EXPECT_EQ(told(event.reinstate(r, "order-1").reservation.value()), "consumed 2 0");
  EXPECT_EQ(event.recorded(), "consumed");
  EXPECT_EQ(event.states(), "sas");
  EXPECT_EQ(event.versions(), "3 0 3");
  EXPECT_EQ(event.inventory.held_by_customer("anna"), 0u);
}

TEST(Reinstate, RecordsTheExpiryFirstWhenNothingHasRecordedIt) {
  EventInTest event(3);
  const Uuid r = event.new_id();
  event.hold(r, {0, 1}, "anna", 1'000);
  event.recorded();
  event.now += 1'000;
  EXPECT_EQ(told(event.reinstate(r)), "accepted");
  EXPECT_EQ(event.recorded(), "expired consumed");
  EXPECT_EQ(event.versions(), "3 3 0");
}

TEST(Reinstate, SellsWhatWasReleased) {
  EventInTest event(2);
  const Uuid r = event.new_id();
  event.hold(r, {0, 1});
  event.release(r);
  EXPECT_EQ(told(event.reinstate(r).reservation.value()), "consumed 0 1");
}

TEST(Reinstate, OfAPartlyReleasedReservationSellsItsLastSeats) {
  EventInTest event(3);
  const Uuid r = event.new_id();
  event.hold(r, {0, 1, 2});
  event.release(r, {1});
  event.release(r);
  EXPECT_EQ(told(event.reinstate(r).reservation.value()), "consumed 0 2");
  EXPECT_EQ(event.states(), "sas");
}

TEST(Reinstate, SellsNoneIfOneIsTakenAndSaysWhich) {
  EventInTest event(4);
  const Uuid late = event.new_id();
  event.hold(late, {0, 1, 2, 3}, "anna", 1'000);
  event.now += 1'000;
  const Uuid ben = event.new_id();
  event.hold(ben, {1}, "ben");
  event.block({3});
  event.recorded();
  EXPECT_EQ(told(event.reinstate(late)), "seat_unavailable 1 3");
  EXPECT_EQ(event.recorded(), "");
  EXPECT_EQ(event.states(), "ahab");
  event.release(ben);
  event.unblock({3});
  EXPECT_EQ(told(event.reinstate(late)), "accepted");
}

TEST(Reinstate, TakesASeatFromAnotherHoldThatIsOverToo) {
  EventInTest event(2);
  const Uuid late = event.new_id(), other = event.new_id();
  event.hold(late, {0, 1}, "anna", 1'000);
  event.now += 1'000;
  event.hold(other, {1}, "ben", 1'000);
  event.now += 999;
  EXPECT_EQ(told(event.reinstate(late)), "seat_unavailable 1");
  event.now += 1;
  event.recorded();
  EXPECT_EQ(told(event.reinstate(late)), "accepted");
  EXPECT_EQ(event.recorded(), "expired consumed");
  EXPECT_EQ(event.told_of(other), "expired (1)");
}

TEST(Reinstate, DoesNotAskWhetherTheEventIsOnSale) {
  EventInTest event(1);
  const Uuid r = event.new_id();
  event.hold(r, {0}, "anna", 1'000);
  event.now += 1'000;
  event.configure({.status = EventStatus::closed});
  EXPECT_EQ(told(event.reinstate(r)), "accepted");
}

// ------------------------------------------------------------------------------------------------------------------ return

TEST(Return, OfAllSeatsMakesThemAvailableAgain) {
  EventInTest event(3);
  const Uuid r = event.new_id();
  event.hold(r, {0, 2});
  event.consume(r, "order-1");
  event.recorded();
  const Outcome outcome = event.give_back(r);
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(told(*outcome.reservation), "consumed (0) (2)");
  EXPECT_EQ(outcome.reservation->order, "order-1");
  EXPECT_EQ(event.recorded(), "returned");
  EXPECT_EQ(event.states(), "aaa");
  EXPECT_EQ(event.versions(), "3 0 3");
}

TEST(Return, OfSomeSeatsLeavesTheOthersSold) {
  EventInTest event(4);
  const Uuid r = event.new_id();
  event.hold(r, {0, 1, 2});
  event.consume(r);
  EXPECT_EQ(told(event.give_back(r, {1}).reservation.value()), "consumed 0 (1) 2");
  EXPECT_EQ(event.states(), "sasa");
  EXPECT_EQ(told(event.give_back(r).reservation.value()), "consumed (0) (1) (2)");
  EXPECT_EQ(event.states(), "aaaa");
}

TEST(Return, RepeatedIsAcceptedAndMovesNothing) {
  EventInTest event(3);
  const Uuid r = event.new_id();
  event.hold(r, {0, 1});
  event.consume(r);
  event.give_back(r, {0});
  event.recorded();
  EXPECT_EQ(told(event.give_back(r, {0})), "accepted");
  EXPECT_EQ(event.recorded(), "");
  EXPECT_EQ(told(event.give_back(r, {0, 1})), "accepted");
  EXPECT_EQ(event.recorded(), "returned");
  EXPECT_EQ(told(event.give_back(r)), "accepted");
  EXPECT_EQ(event.recorded(), "");
}

TEST(Return, RepeatedAfterTheSeatWasSoldToSomebodyElseDoesNotTouchIt) {
  EventInTest event(2);
  const Uuid anna = event.new_id(), ben = event.new_id();
  event.hold(anna, {0}, "anna");
  event.consume(anna, "order-1");
  event.give_back(anna, {0}, "order-1");
  event.hold(ben, {0}, "ben");
  event.consume(ben, "order-2");
  event.recorded();
  EXPECT_EQ(told(event.give_back(anna, {0}, "order-1")), "accepted");
  EXPECT_EQ(told(event.give_back(anna, {}, "order-1")), "accepted");
  EXPECT_EQ(event.recorded(), "");
  EXPECT_EQ(event.states(), "sa");
  EXPECT_EQ(event.inventory.owner_of(0, event.now), ben);
}

TEST(Return, ForAnotherOrderIsRefused) {
  EventInTest event(1);
  const Uuid r = event.new_id();
  event.hold(r, {0});
  event.consume(r, "order-1");
  EXPECT_EQ(told(event.give_back(r, {0}, "order-2")), "order_mismatch");
  EXPECT_EQ(event.states(), "s");
}

TEST(Return, OfSeatsThatWereNeverSoldToItIsRefusedAndSaysWhich) {
  EventInTest event(5);
  const Uuid anna = event.new_id(), ben = event.new_id();
  event.hold(anna, {0, 1}, "anna");
  event.consume(anna, "order-1");
  event.hold(ben, {2}, "ben");
  event.consume(ben, "order-2");
  EXPECT_EQ(told(event.give_back(anna, {0, 2, 3}, "order-1")), "seat_not_sold 2 3");
  EXPECT_EQ(told(event.give_back(anna, {0, 5}, "order-1")), "seat_not_found 5");
  EXPECT_EQ(event.states(), "sssaa");
}

TEST(Return, NeedsAReservationThatWasConsumed) {
  EventInTest event(3);
  const Uuid active = event.new_id(), released = event.new_id(), expired = event.new_id();
  event.hold(active, {0});
  event.hold(released, {1});
  event.release(released);
  event.hold(expired, {2}, "anna", 1'000);
  event.now += 1'000;
  EXPECT_EQ(told(event.give_back(event.new_id(), {0})), "reservation_not_found");
  EXPECT_EQ(told(event.give_back(active, {0})), "seat_not_sold 0");
  EXPECT_EQ(told(event.give_back(released, {1})), "seat_not_sold 1");
  EXPECT_EQ(told(event.give_back(expired, {2})), "seat_not_sold 2");
  EXPECT_EQ(told(event.give_back(active)), "seat_not_sold");
}

TEST(Return, OfAReinstatedReservationWorksLikeAnyOther) {
  EventInTest event(2);
  const Uuid r = event.new_id();
  event.hold(r, {0, 1}, "anna", 1'000);
  event.now += 1'000;
  event.reinstate(r, "order-1");
  EXPECT_EQ(told(event.give_back(r, {1}, "order-1").reservation.value()), "consumed 0 (1)");
  EXPECT_EQ(told(event.give_back(r, {}, "order-1").reservation.value()), "consumed (0) (1)");
}

TEST(Return, MakesTheSeatFreeForTheNextCustomer) {
  EventInTest event(1);
  const Uuid r = event.new_id();
  event.hold(r, {0});
  event.consume(r);
  EXPECT_EQ(told(event.hold(event.new_id(), {0}, "ben")), "seat_unavailable 0");
  event.give_back(r);
  EXPECT_EQ(told(event.hold(event.new_id(), {0}, "ben")), "accepted");
}

}  // namespace
}  // namespace holdfast
