// The rules of an active reservation: hold, add, extend, release, and its expiry.
#include "core/event_in_test.h"
#include "core/limits.h"

namespace holdfast {
namespace {

// ------------------------------------------------------------------------------------------------------------------- hold

TEST(Hold, MakesAReservationOfAllItsSeatsInTheOrderAsked) {
  EventInTest event(5);
  const Uuid r = event.new_id();
  const Outcome outcome = event.hold(r, {3, 0, 4}, "anna", 15 * k_minute);
  ASSERT_TRUE(outcome.accepted());
  const ReservationView& view = outcome.reservation.value();
  EXPECT_EQ(told(view), "active 3 0 4");
  EXPECT_EQ(view.id, r);
  EXPECT_EQ(view.kind, ReservationKind::customer);
  EXPECT_EQ(view.customer, "anna");
  EXPECT_EQ(view.order, "");
  EXPECT_EQ(view.created_at, k_start);
  EXPECT_EQ(view.expires_at, k_start + 15 * k_minute);
  EXPECT_EQ(event.states(), "haahh");
  EXPECT_EQ(event.versions(), "1 0 0 1 1");
  EXPECT_EQ(event.recorded(), "held");
  EXPECT_EQ(event.inventory.owner_of(3, event.now), r);
  EXPECT_EQ(event.inventory.owner_of(1, event.now), std::nullopt);
}

TEST(Hold, TakesNoneIfOneIsTakenAndNamesExactlyThoseInTheOrderAsked) {
  EventInTest event(6);
  event.hold(event.new_id(), {1});
  event.block({4});
  const Uuid sold = event.new_id();
  event.hold(sold, {2});
  event.consume(sold);
  EXPECT_EQ(told(event.hold(event.new_id(), {4, 0, 2, 5, 1}, "ben")), "seat_unavailable 4 2 1");
  EXPECT_EQ(event.states(), "ahsaba");
  EXPECT_EQ(event.versions(), "0 1 2 0 1 0");
}

TEST(Hold, NamesUnknownSeatsBeforeTakenOnes) {
  EventInTest event(3);
  event.hold(event.new_id(), {0});
  EXPECT_EQ(told(event.hold(event.new_id(), {3, 0, 99, 1})), "seat_not_found 3 99");
}

TEST(Hold, NeedsAnEventOnSale) {
  for (const EventStatus status : {EventStatus::importing, EventStatus::draft, EventStatus::closed, EventStatus::abandoned}) {
    EventInTest event(2, {.status = status});
    EXPECT_EQ(told(event.hold(event.new_id(), {0})), "event_not_on_sale");
  }
}

TEST(Hold, LastsAtMostTheEventsLongestHold) {
  EventInTest event(3, {.max_hold_seconds = 600});
  EXPECT_EQ(told(event.hold(event.new_id(), {0}, "anna", 600'000)), "accepted");
  EXPECT_EQ(told(event.hold(event.new_id(), {1}, "anna", 600'001)), "hold_too_long");
}

TEST(Hold, OfAContractsDurationMayExceedTheEventsMaximumButNotADay) {
  EventInTest event(3, {.max_hold_seconds = 600});
  const SeatList seat = {0};
  const Millis day = k_hold_seconds_max * 1'000;
  Hold hold{.reservation = event.new_id(), .customer = "anna", .seats = seat, .duration = day + 1, .duration_is_contracted = true};
  EXPECT_EQ(told(event.does(hold)), "hold_too_long");
  hold.duration = day;
  EXPECT_EQ(told(event.does(hold)), "accepted");
}

TEST(Hold, NeverLastsLongerThanADay) {
  EventInTest event(2, {.max_hold_seconds = 10 * k_hold_seconds_max});
  EXPECT_EQ(told(event.hold(event.new_id(), {0}, "anna", k_hold_seconds_max * 1'000 + 1)), "hold_too_long");
  EXPECT_EQ(told(event.hold(event.new_id(), {0}, "anna", k_hold_seconds_max * 1'000)), "accepted");
}

TEST(Hold, HasAtMostTheEventsSeatsAReservation) {
  EventInTest event(5, {.limits = {.seats_per_reservation = 2}});
  EXPECT_EQ(told(event.hold(event.new_id(), {0, 1, 2})), "limit_exceeded seats_per_reservation");
  EXPECT_EQ(told(event.hold(event.new_id(), {0, 1})), "accepted");
}

TEST(Hold, CanHaveAThousandSeats) {
  EventInTest event(k_seats_per_reservation_max + 1);
  SeatList all;
  for (SeatIndex seat = 0; seat < k_seats_per_reservation_max; ++seat) all.push_back(seat);
  const Uuid r = event.new_id();
  EXPECT_EQ(told(event.hold(r, all)), "accepted");
  EXPECT_EQ(event.inventory.counts(), (StateCounts{.available = 1, .held = 1'000}));
  EXPECT_EQ(told(event.add(r, {1'000})), "limit_exceeded seats_per_reservation");
  EXPECT_EQ(told(event.release(r, {500})), "accepted");
  EXPECT_EQ(told(event.add(r, {1'000})), "accepted");
  EXPECT_EQ(event.view(r).seats.size(), 1'000u);
  EXPECT_EQ(event.view(r).seats.back().seat, 1'000u);
}

TEST(Hold, IsRefusedBeyondTheEventsLimitForACustomer) {
  EventInTest event(8, {.limits = {.held_seats_per_customer = 3}});
  EXPECT_EQ(told(event.hold(event.new_id(), {0, 1}, "anna")), "accepted");
  EXPECT_EQ(told(event.hold(event.new_id(), {2, 3}, "anna")), "limit_exceeded held_seats_per_customer");
  EXPECT_EQ(told(event.hold(event.new_id(), {2, 3}, "ben")), "accepted");
  EXPECT_EQ(told(event.hold(event.new_id(), {4}, "anna")), "accepted");
  EXPECT_EQ(told(event.hold(event.new_id(), {5}, "anna")), "limit_exceeded held_seats_per_customer");
}

TEST(Hold, IsRefusedBeyondTheCommandsLimitForACustomer) {
  EventInTest event(9, {.limits = {.held_seats_per_customer = 5}});
  const auto visitor = [&](const SeatList& seats, std::uint32_t most) {
    return told(
        event.does(Hold{.reservation = event.new_id(), .customer = "anna", .seats = seats, .duration = 1'000, .held_seats_max = most}));
  };
  EXPECT_EQ(visitor({0, 1}, 3), "accepted");
  EXPECT_EQ(visitor({2, 3}, 3), "limit_exceeded held_seats_visitor");
  EXPECT_EQ(visitor({2, 3}, 0), "accepted");
  EXPECT_EQ(visitor({4, 5}, 9), "limit_exceeded held_seats_per_customer") << "the event's own limit holds as well";
  const SeatList one_seat = {5};
  const Uuid other = event.new_id();
  event.hold(other, {4}, "ben");
  EXPECT_EQ(told(event.does(Add{.reservation = other, .seats = one_seat, .held_seats_max = 1})), "limit_exceeded held_seats_visitor");
  EXPECT_EQ(told(event.does(Add{.reservation = other, .seats = one_seat, .held_seats_max = 2})), "accepted");
}

TEST(Hold, NamesATakenSeatRatherThanTheCustomersLimit) {
  EventInTest event(4, {.limits = {.held_seats_per_customer = 1}});
  event.hold(event.new_id(), {0}, "anna");
  event.hold(event.new_id(), {1}, "ben");
  EXPECT_EQ(told(event.hold(event.new_id(), {1, 2}, "anna")), "seat_unavailable 1");
}

TEST(Hold, DoesNotCountSeatsThatWereSoldReleasedOrExpired) {
  EventInTest event(8, {.limits = {.held_seats_per_customer = 2}});
  const Uuid bought = event.new_id(), released = event.new_id(), over = event.new_id();
  event.hold(bought, {0, 1}, "anna");
  event.consume(bought);
  event.hold(released, {2, 3}, "anna");
  event.release(released, {2});
  EXPECT_EQ(told(event.hold(event.new_id(), {4, 5}, "anna")), "limit_exceeded held_seats_per_customer");
  event.release(released);
  event.hold(over, {4}, "anna", 1'000);
  EXPECT_EQ(told(event.hold(event.new_id(), {6, 7}, "anna")), "limit_exceeded held_seats_per_customer");
  event.now += 1'000;   // expired, and not recorded
  EXPECT_EQ(event.inventory.held_by_customer("anna"), 1u);
  EXPECT_EQ(told(event.hold(event.new_id(), {6, 7}, "anna")), "accepted");
  EXPECT_EQ(event.states(), "ssaaaahh");
}

TEST(Hold, CanTakeTheCustomersOwnExpiredSeatAgain) {
  EventInTest event(2, {.limits = {.held_seats_per_customer = 1}});
  event.hold(event.new_id(), {0}, "anna", 1'000);
  event.now += 1'000;
  EXPECT_EQ(told(event.hold(event.new_id(), {0}, "anna")), "accepted");
  EXPECT_EQ(event.inventory.held_by_customer("anna"), 1u);
}

TEST(Hold, APreviewGivesTheSameAnswerAndChangesNothing) {
  EventInTest event(3);
  const SeatList one = {1};
  const Hold hold{.reservation = event.new_id(), .customer = "anna", .seats = one, .duration = 1'000};
  EXPECT_EQ(told(preview(event.inventory, hold, event.now)), "accepted");
  EXPECT_EQ(event.inventory.seq(), 0u);
  event.does(hold);
  EXPECT_EQ(told(preview(event.inventory, hold, event.now + 999)), "seat_unavailable 1");
  EXPECT_EQ(told(preview(event.inventory, hold, event.now + 1'000)), "accepted");
}

// -------------------------------------------------------------------------------------------------------------- end by itself

TEST(Expiry, HappensExactlyInItsMillisecond) {
  EventInTest event(2);
  const Uuid r = event.new_id();
  event.hold(r, {0}, "anna", 1'000);
  event.now = k_start + 999;
  EXPECT_EQ(event.states(), "ha");
  EXPECT_EQ(event.told_of(r), "active 0");
  EXPECT_EQ(event.inventory.owner_of(0, event.now), r);
  EXPECT_EQ(told(event.hold(event.new_id(), {0}, "ben")), "seat_unavailable 0");
  event.now = k_start + 1'000;
  EXPECT_EQ(event.states(), "aa");
  EXPECT_EQ(event.told_of(r), "expired (0)");
  EXPECT_EQ(event.inventory.owner_of(0, event.now), std::nullopt);
}

TEST(Expiry, NeedsNoSweepAndIsRecordedBeforeTheHoldThatNeedsIt) {
  EventInTest event(3);
  const Uuid first = event.new_id(), second = event.new_id();
  event.hold(first, {0, 1}, "anna", 1'000);
  event.recorded();
  event.now += 1'000;
  EXPECT_EQ(told(event.hold(second, {1, 2}, "ben")), "accepted");
  EXPECT_EQ(event.recorded(), "expired held");
  EXPECT_EQ(event.states(), "ahh");
  EXPECT_EQ(event.versions(), "2 3 1");
  EXPECT_EQ(event.told_of(first), "expired (0) (1)");
}

TEST(Expiry, IsRecordedOnceForSeveralSeats) {
  EventInTest event(4);
  event.hold(event.new_id(), {0, 1}, "anna", 1'000);
  event.hold(event.new_id(), {2}, "ben", 1'000);
  event.recorded();
  event.now += 1'000;
  event.hold(event.new_id(), {0, 2, 1}, "cleo");
  EXPECT_EQ(event.recorded(), "expired expired held");
}

TEST(Expiry, IsNotRecordedByAHoldThatIsRefused) {
  EventInTest event(3);
  event.hold(event.new_id(), {0}, "anna", 1'000);
  event.hold(event.new_id(), {1}, "ben", 2'000);
  event.recorded();
  event.now += 1'000;
  EXPECT_EQ(told(event.hold(event.new_id(), {0, 1}, "cleo")), "seat_unavailable 1");
  EXPECT_EQ(event.recorded(), "");
}

TEST(Expiry, EndsEveryCommandOnTheReservation) {
  EventInTest event(3);
  const Uuid r = event.new_id();
  event.hold(r, {0}, "anna", 1'000);
  for (const bool recorded : {false, true}) {
    event.now = k_start + 1'000;
    if (recorded) event.sweep();
    EXPECT_EQ(told(event.add(r, {1})), "reservation_expired");
    EXPECT_EQ(told(event.extend(r, 10'000)), "reservation_expired");
    EXPECT_EQ(told(event.release(r)), "reservation_expired");
    EXPECT_EQ(told(event.release(r, {0})), "reservation_expired");
    EXPECT_EQ(told(event.consume(r)), "reservation_expired");
  }
}

TEST(Sweep, RecordsDueExpiriesTheEarliestFirstUpToALimit) {
  EventInTest event(5);
  const Uuid late = event.new_id(), early = event.new_id(), middle = event.new_id(), not_due = event.new_id();
  event.hold(late, {0}, "a", 3'000);
  event.hold(early, {1}, "b", 1'000);
  event.hold(middle, {2}, "c", 2'000);
  event.hold(not_due, {3}, "d", 3'001);
  EXPECT_EQ(event.inventory.next_expiry(), k_start + 1'000);
  event.now += 3'000;
  EXPECT_EQ(event.sweep(2).swept, 2u);
  EXPECT_EQ(event.inventory.recorded_state_of(0), SeatState::held);
  EXPECT_EQ(event.inventory.recorded_state_of(1), SeatState::available);
  EXPECT_EQ(event.inventory.recorded_state_of(2), SeatState::available);
  EXPECT_EQ(event.sweep(2).swept, 1u);
  EXPECT_EQ(event.sweep(2).swept, 0u);
  EXPECT_EQ(event.inventory.recorded_state_of(3), SeatState::held);
  EXPECT_EQ(event.inventory.next_expiry(), k_start + 3'001);
}

TEST(Sweep, EndsWithTheExpiryThatReachesItsLimitOfSeats) {
  EventInTest event(10);
  event.hold(event.new_id(), {0, 1, 2, 3}, "a", 1'000);
  event.hold(event.new_id(), {4}, "b", 2'000);
  event.hold(event.new_id(), {5, 6}, "c", 3'000);
  event.hold(event.new_id(), {7}, "d", 4'000);
  event.now += 4'000;
  EXPECT_EQ(event.does(Sweep{.limit = 10, .seats_max = 1}).swept, 1u) << "one, however many seats it has";
  EXPECT_EQ(event.does(Sweep{.limit = 10, .seats_max = 2}).swept, 2u) << "the second is needed to reach two seats";
  EXPECT_EQ(event.does(Sweep{.limit = 10, .seats_max = 2}).swept, 1u);
  EXPECT_EQ(event.inventory.counts().held, 0u);
}

TEST(Sweep, WithALimitOfZeroRecordsNothing) {
  EventInTest event(1);
  event.hold(event.new_id(), {0}, "a", 1);
  event.now += 1;
  EXPECT_EQ(event.sweep(0).swept, 0u);
  EXPECT_EQ(event.sweep(1).swept, 1u);
}

TEST(Sweep, IgnoresReleasedConsumedAndExtendedHolds) {
  EventInTest event(4);
  const Uuid released = event.new_id(), consumed = event.new_id(), extended = event.new_id();
  event.hold(released, {0}, "a", 1'000);
  event.hold(consumed, {1}, "b", 1'000);
  event.hold(extended, {2}, "c", 1'000);
  event.release(released);
  event.consume(consumed);
  event.extend(extended, 2'000);
  event.now += 1'999;
  EXPECT_EQ(event.sweep().swept, 0u);
  EXPECT_EQ(event.states(), "asha");
  event.now += 1;
  EXPECT_EQ(event.sweep().swept, 1u);
  EXPECT_EQ(event.inventory.next_expiry(), k_never);
}

TEST(Sweep, UsesTheExtendedTime) {
  EventInTest event(3);
  const Uuid extended = event.new_id(), other = event.new_id();
  event.hold(extended, {0}, "a", 1'000);
  event.hold(other, {1}, "b", 2'000);
  event.extend(extended, 3'000);
  event.now += 3'000;
  EXPECT_EQ(event.sweep(1).swept, 1u);
  EXPECT_EQ(event.inventory.recorded_state_of(0), SeatState::held);
  EXPECT_EQ(event.inventory.recorded_state_of(1), SeatState::available);
  EXPECT_EQ(event.sweep(1).swept, 1u);
}

TEST(Time, NeverGoesBack) {
  EventInTest event(3);
  const Uuid r = event.new_id();
  event.hold(r, {0}, "anna", 1'000);
  event.now = k_start + 1'000;
  EXPECT_EQ(told(event.hold(event.new_id(), {0, 1}, "ben", 1'000)), "accepted");
  event.now = k_start + 500;   // the clock was set back: an expired hold stays expired
  EXPECT_EQ(told(event.consume(r)), "reservation_expired");
  const Outcome later = event.hold(event.new_id(), {2}, "cleo", 1'000);
  EXPECT_EQ(later.reservation.value().created_at, k_start + 1'000);
  EXPECT_EQ(later.reservation.value().expires_at, k_start + 2'000);
}

TEST(Time, OfARefusedCommandCountsToo) {
  EventInTest event(2);
  const Uuid r = event.new_id();
  event.hold(r, {0}, "anna", 1'000);
  event.now = k_start + 1'000;
  EXPECT_EQ(told(event.consume(r)), "reservation_expired");
  event.now = k_start + 999;
  EXPECT_EQ(told(event.consume(r)), "reservation_expired");
}

// -------------------------------------------------------------------------------------------------------------------- add

TEST(Add, HoldsMoreSeatsUntilTheSameTime) {
  EventInTest event(5);
  const Uuid r = event.new_id();
  event.hold(r, {4}, "anna", 10'000);
  event.recorded();
  event.now += 5'000;
  const Outcome outcome = event.add(r, {2, 0});
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(told(*outcome.reservation), "active 4 2 0");
  EXPECT_EQ(outcome.reservation->expires_at, k_start + 10'000);
  EXPECT_EQ(outcome.reservation->created_at, k_start);
  EXPECT_EQ(event.recorded(), "seats_added");
  EXPECT_EQ(event.inventory.held_by_customer("anna"), 3u);
  event.now = k_start + 10'000;
  EXPECT_EQ(event.states(), "aaaaa");
}

TEST(Add, TakesAllOrNone) {
  EventInTest event(5);
  const Uuid r = event.new_id();
  event.hold(r, {0});
  event.hold(event.new_id(), {3}, "ben");
  EXPECT_EQ(told(event.add(r, {1, 3, 0, 2})), "seat_unavailable 3 0");   // its own seat cannot be taken twice
  EXPECT_EQ(told(event.add(r, {1, 5})), "seat_not_found 5");
  EXPECT_EQ(event.states(), "haaha");
}

TEST(Add, TakesASeatWhoseHoldIsOverAndRecordsThatFirst) {
  EventInTest event(3);
  event.hold(event.new_id(), {1}, "ben", 1'000);
  const Uuid r = event.new_id();
  event.hold(r, {0});
  event.recorded();
  event.now += 1'000;
  EXPECT_EQ(told(event.add(r, {1})), "accepted");
  EXPECT_EQ(event.recorded(), "expired seats_added");
}

TEST(Add, OfNoSeatsChangesNothing) {
  EventInTest event(2);
  const Uuid r = event.new_id();
  event.hold(r, {0});
  event.recorded();
  EXPECT_EQ(told(event.add(r, {})), "accepted");
  EXPECT_EQ(event.recorded(), "");
}

TEST(Add, KeepsTheLimitsOfReservationAndCustomer) {
  EventInTest event(9, {.limits = {.seats_per_reservation = 3, .held_seats_per_customer = 4}});
  const Uuid first = event.new_id(), second = event.new_id();
  event.hold(first, {0, 1}, "anna");
  EXPECT_EQ(told(event.add(first, {2, 3})), "limit_exceeded seats_per_reservation");
  EXPECT_EQ(told(event.add(first, {2})), "accepted");
  event.hold(second, {4}, "anna");
  EXPECT_EQ(told(event.add(second, {5})), "limit_exceeded held_seats_per_customer");
  event.release(first, {0});
  EXPECT_EQ(told(event.add(second, {5})), "accepted");
}

TEST(Add, NeverMakesAReservationOfMoreThanAThousandSeats) {
  EventInTest event(1'001, {.limits = {.seats_per_reservation = 5'000}});
  SeatList all;
  for (SeatIndex seat = 0; seat < 1'000; ++seat) all.push_back(seat);
  const Uuid r = event.new_id();
  ASSERT_TRUE(event.hold(r, all).accepted());
  EXPECT_EQ(told(event.add(r, {1'000})), "limit_exceeded seats_per_reservation");
}

TEST(Add, NeedsAnActiveReservationOfAnEventOnSale) {
  EventInTest event(4);
  const Uuid released = event.new_id(), consumed = event.new_id(), active = event.new_id();
  event.hold(released, {0});
  event.release(released);
  event.hold(consumed, {0});
  event.consume(consumed);
  event.hold(active, {1});
  EXPECT_EQ(told(event.add(event.new_id(), {2})), "reservation_not_found");
  EXPECT_EQ(told(event.add(released, {2})), "reservation_not_active");
  EXPECT_EQ(told(event.add(consumed, {2})), "reservation_not_active");
  event.configure({.status = EventStatus::closed});
  EXPECT_EQ(told(event.add(active, {2})), "event_not_on_sale");
}

// ------------------------------------------------------------------------------------------------------------------ extend

TEST(Extend, CountsFromNow) {
  EventInTest event(1);
  const Uuid r = event.new_id();
  event.hold(r, {0}, "anna", 10'000);
  event.recorded();
  event.now += 9'999;
  const Outcome outcome = event.extend(r, 5'000);
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(outcome.reservation->expires_at, k_start + 14'999);
  EXPECT_EQ(event.recorded(), "extended");
  event.now = k_start + 14'998;
  EXPECT_EQ(event.states(), "h");
  event.now = k_start + 14'999;
  EXPECT_EQ(event.states(), "a");
}

TEST(Extend, NeverShortens) {
  EventInTest event(1);
  const Uuid r = event.new_id();
  event.hold(r, {0}, "anna", 10'000);
  event.recorded();
  for (const Millis duration : {Millis{0}, Millis{1}, Millis{10'000}, Millis{-5'000}}) {
    const Outcome outcome = event.extend(r, duration);
    ASSERT_TRUE(outcome.accepted());
    EXPECT_EQ(outcome.reservation->expires_at, k_start + 10'000);
  }
  EXPECT_EQ(event.recorded(), "");
}

TEST(Extend, IsCutAtTheLongestHoldCountedFromCreation) {
  EventInTest event(1, {.max_hold_seconds = 60});
  const Uuid r = event.new_id();
  event.hold(r, {0}, "anna", 30'000);
  event.now += 20'000;
  EXPECT_EQ(event.extend(r, 40'001).reservation.value().expires_at, k_start + 60'000);
  event.now += 39'999;
  event.recorded();
  EXPECT_EQ(event.extend(r, 60'000).reservation.value().expires_at, k_start + 60'000);
  EXPECT_EQ(event.recorded(), "");
}

TEST(Extend, ByAnAbsurdDurationIsCutLikeAnyOther) {
  EventInTest event(2, {.max_hold_seconds = std::numeric_limits<std::int64_t>::max()});
  const Uuid r = event.new_id();
  event.hold(r, {0}, "anna", 30'000);
  EXPECT_EQ(event.extend(r, std::numeric_limits<Millis>::max()).reservation.value().expires_at, k_start + k_hold_seconds_max * 1'000);
}

TEST(Extend, DoesNotShortenAContractsHoldThatExceedsTheEventsMaximum) {
  EventInTest event(1, {.max_hold_seconds = 60});
  const SeatList seats = {0};
  const Uuid r = event.new_id();
  event.does(Hold{.reservation = r, .customer = "anna", .seats = seats, .duration = 900'000, .duration_is_contracted = true});
  EXPECT_EQ(event.extend(r, 900'000).reservation.value().expires_at, k_start + 900'000);
}

TEST(Extend, NeedsAnActiveReservationOfAnEventOnSale) {
  EventInTest event(3);
  const Uuid released = event.new_id(), consumed = event.new_id(), active = event.new_id();
  event.hold(released, {0});
  event.release(released);
  event.hold(consumed, {0});
  event.consume(consumed);
  event.hold(active, {1});
  EXPECT_EQ(told(event.extend(event.new_id(), 1)), "reservation_not_found");
  EXPECT_EQ(told(event.extend(released, 1)), "reservation_not_active");
  EXPECT_EQ(told(event.extend(consumed, 1)), "reservation_not_active");
  event.configure({.status = EventStatus::draft});
  EXPECT_EQ(told(event.extend(active, 1)), "event_not_on_sale");
}

TEST(Extend, AgainAndAgainDoesNotFillTheMemory) {
  EventInTest event(1, {.max_hold_seconds = k_hold_seconds_max});
  const Uuid r = event.new_id();
  ASSERT_TRUE(event.hold(r, {0}).accepted());
  const std::size_t before = event.inventory.bytes();
  for (int i = 0; i < 100'000; ++i) judge(event.inventory, Extend{r, 15 * k_minute + i}, event.now, event.changes);
  EXPECT_EQ(event.view(r).expires_at, k_start + 15 * k_minute + 99'999);
  EXPECT_LT(event.inventory.bytes() - before, 400'000u);
}

// ----------------------------------------------------------------------------------------------------------------- release

TEST(Release, OfAllSeatsEndsTheReservation) {
  EventInTest event(4);
  const Uuid r = event.new_id();
  event.hold(r, {2, 1});
  event.recorded();
  const Outcome outcome = event.release(r);
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(told(*outcome.reservation), "released (2) (1)");
  EXPECT_EQ(event.recorded(), "released");
  EXPECT_EQ(event.states(), "aaaa");
  EXPECT_EQ(event.versions(), "0 2 2 0");
  EXPECT_EQ(event.inventory.held_by_customer("anna"), 0u);
}

TEST(Release, OfSomeSeatsLeavesTheOthersHeld) {
  EventInTest event(5);
  const Uuid r = event.new_id();
  event.hold(r, {3, 1, 4, 0});
  EXPECT_EQ(told(event.release(r, {1}).reservation.value()), "active 3 4 0");
  EXPECT_EQ(told(event.release(r, {0, 3}).reservation.value()), "active 4");
  EXPECT_EQ(event.states(), "aaaah");
  EXPECT_EQ(event.inventory.held_by_customer("anna"), 1u);
  EXPECT_EQ(told(event.release(r, {4}).reservation.value()), "released (4)");
}

TEST(Release, OfAReleasedReservationIsAcceptedAndMovesNothing) {
  EventInTest event(3);
  const Uuid r = event.new_id();
  event.hold(r, {0, 1});
  event.release(r);
  event.hold(event.new_id(), {0}, "ben");
  event.recorded();
  EXPECT_EQ(told(event.release(r)), "accepted");
  EXPECT_EQ(told(event.release(r, {0})), "accepted");
  EXPECT_EQ(told(event.release(r, {0, 1})), "accepted");
  EXPECT_EQ(event.recorded(), "");
  EXPECT_EQ(event.states(), "haa");
}

TEST(Release, CannotTouchWhatBelongsToAnotherReservation) {
  EventInTest event(4);
  const Uuid anna = event.new_id(), ben = event.new_id();
  event.hold(anna, {0, 1}, "anna");
  event.hold(ben, {2}, "ben");
  EXPECT_EQ(told(event.release(anna, {2, 0, 3})), "seat_unavailable 2 3");
  EXPECT_EQ(told(event.release(anna, {4})), "seat_not_found 4");
  event.release(anna, {1});
  EXPECT_EQ(told(event.release(anna, {1})), "seat_unavailable 1");
  EXPECT_EQ(event.states(), "haha");
}

TEST(Release, NeedsAnActiveReservation) {
  EventInTest event(2);
  const Uuid consumed = event.new_id();
  event.hold(consumed, {0});
  event.consume(consumed);
  EXPECT_EQ(told(event.release(event.new_id())), "reservation_not_found");
  EXPECT_EQ(told(event.release(consumed)), "reservation_not_active");
  EXPECT_EQ(event.states(), "sa");
}

TEST(Release, IsPossibleWhenTheEventIsNoLongerOnSale) {
  for (const EventStatus status : {EventStatus::draft, EventStatus::closed}) {
    EventInTest event(2);
    const Uuid r = event.new_id();
    event.hold(r, {0, 1});
    event.configure({.status = status});
    EXPECT_EQ(told(event.release(r, {0})), "accepted");
    EXPECT_EQ(told(event.release(r)), "accepted");
    EXPECT_EQ(event.states(), "aa");
  }
}

// ------------------------------------------------------------------------------------------------------------ ticket locks

TEST(TicketLock, IgnoresLimitsOfCustomersAndTheLongestHold) {
  EventInTest event(6, {.max_hold_seconds = 60, .limits = {.seats_per_reservation = 1, .held_seats_per_customer = 1}});
  const Uuid lock = event.new_id();
  EXPECT_EQ(told(event.lock(lock, {0, 1, 2}, k_hold_seconds_max * 1'000)), "accepted");
  EXPECT_EQ(told(event.lock(event.new_id(), {3, 4})), "accepted");
  EXPECT_EQ(told(event.add(lock, {5})), "accepted");
  EXPECT_EQ(event.view(lock).kind, ReservationKind::ticket_lock);
  EXPECT_EQ(event.view(lock).customer, "");
  EXPECT_EQ(event.view(lock).expires_at, k_start + k_hold_seconds_max * 1'000);
}

TEST(TicketLock, LastsAtMostADayAndCanBeExtendedUpToIt) {
  EventInTest event(2, {.max_hold_seconds = 60});
  const Millis day = k_hold_seconds_max * 1'000;
  EXPECT_EQ(told(event.lock(event.new_id(), {0}, day + 1)), "hold_too_long");
  const Uuid lock = event.new_id();
  event.lock(lock, {0}, 1'000);
  EXPECT_EQ(event.extend(lock, 2 * day).reservation.value().expires_at, k_start + day);
}

TEST(TicketLock, KeepsTheOtherRulesOfAHold) {
  EventInTest event(3);
  event.hold(event.new_id(), {1});
  EXPECT_EQ(told(event.lock(event.new_id(), {0, 1})), "seat_unavailable 1");
  EXPECT_EQ(told(event.lock(event.new_id(), {0, 3})), "seat_not_found 3");
  event.configure({.status = EventStatus::closed});
  EXPECT_EQ(told(event.lock(event.new_id(), {0})), "event_not_on_sale");
}

TEST(ReleaseLocks, FreesSingleTicketsOfTicketLocks) {
  EventInTest event(5);
  const Uuid one = event.new_id(), two = event.new_id();
  event.lock(one, {0, 1});
  event.lock(two, {2, 3});
  event.recorded();
  EXPECT_EQ(told(event.release_locks({3, 0, 2})), "accepted");
  EXPECT_EQ(event.recorded(), "released released");
  EXPECT_EQ(event.states(), "ahaaa");
  EXPECT_EQ(event.told_of(one), "active 1");
  EXPECT_EQ(event.told_of(two), "released (2) (3)");
}

TEST(ReleaseLocks, WithNamedReservationsFreesOnlyTheirTickets) {
  EventInTest event(4);
  const Uuid one = event.new_id(), two = event.new_id();
  event.lock(one, {0, 1});
  event.lock(two, {2, 3});
  EXPECT_EQ(told(event.release_locks({0, 1, 2, 3}, {two, event.new_id()})), "accepted");
  EXPECT_EQ(event.states(), "hhaa");
}

TEST(ReleaseLocks, LeavesEveryOtherSeatAlone) {
  EventInTest event(8);
  const Uuid customers = event.new_id(), sold = event.new_id(), over = event.new_id();
  event.hold(customers, {0});
  event.lock(sold, {1});
  event.consume(sold);
  event.lock(over, {2}, 1'000);
  event.block({3});
  event.now += 1'000;
  event.recorded();
  EXPECT_EQ(told(event.release_locks({0, 1, 2, 3, 4, 99})), "accepted");
  EXPECT_EQ(told(event.release_locks({0, 1, 2, 3, 4, 99}, {customers, sold, over})), "accepted");
  EXPECT_EQ(told(event.release_locks({})), "accepted");
  EXPECT_EQ(event.recorded(), "");
  EXPECT_EQ(event.states(), "hsabaaaa");
  EXPECT_EQ(event.told_of(over), "expired (2)");
}

TEST(ReleaseLocks, IsPossibleWhenTheEventIsNoLongerOnSale) {
  EventInTest event(1);
  event.lock(event.new_id(), {0});
  event.configure({.status = EventStatus::closed});
  event.release_locks({0});
  EXPECT_EQ(event.states(), "a");
}

}  // namespace
}  // namespace holdfast
