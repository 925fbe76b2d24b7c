// The organiser's rules: block, unblock, settings, appended seats; and that versions and counts reflect every change.
#include "core/event_in_test.h"
#include "core/limits.h"

namespace holdfast {
namespace {

TEST(Block, TakesAvailableSeatsOffSale) {
  EventInTest event(4);
  EXPECT_EQ(told(event.block({1, 3})), "accepted");
  EXPECT_EQ(event.recorded(), "blocked");
  EXPECT_EQ(event.states(), "abab");
  EXPECT_EQ(event.versions(), "0 1 0 1");
  EXPECT_EQ(told(event.hold(event.new_id(), {0, 1})), "seat_unavailable 1");
}

TEST(Block, TakesAllOrNoneAndSaysWhichAreNotAvailable) {
  EventInTest event(6);
  const Uuid sold = event.new_id();
  event.hold(sold, {1});
  event.consume(sold);
  event.hold(event.new_id(), {2});
  event.block({3});
  EXPECT_EQ(told(event.block({0, 1, 2, 3})), "seat_unavailable 1 2 3");
  EXPECT_EQ(told(event.block({0, 6})), "seat_not_found 6");
  EXPECT_EQ(event.states(), "ashbaa");
}

TEST(Block, TakesASeatWhoseHoldIsOverAndRecordsThatFirst) {
  EventInTest event(2);
  event.hold(event.new_id(), {0}, "anna", 1'000);
  event.recorded();
  event.now += 999;
  EXPECT_EQ(told(event.block({0})), "seat_unavailable 0");
  event.now += 1;
  EXPECT_EQ(told(event.block({0})), "accepted");
  EXPECT_EQ(event.recorded(), "expired blocked");
}

TEST(Unblock, MakesBlockedSeatsAvailable) {
  EventInTest event(3);
  event.block({0, 1});
  event.recorded();
  EXPECT_EQ(told(event.unblock({1})), "accepted");
  EXPECT_EQ(event.recorded(), "unblocked");
  EXPECT_EQ(event.states(), "baa");
  EXPECT_EQ(event.versions(), "1 2 0");
  EXPECT_EQ(told(event.hold(event.new_id(), {1})), "accepted");
}

TEST(Unblock, TakesAllOrNoneAndSaysWhichAreNotBlocked) {
  EventInTest event(4);
  event.block({0});
  event.hold(event.new_id(), {1});
  EXPECT_EQ(told(event.unblock({0, 1, 2})), "seat_unavailable 1 2");
  EXPECT_EQ(told(event.unblock({0, 4})), "seat_not_found 4");
  EXPECT_EQ(event.states(), "bhaa");
}

TEST(Block, OfNoSeatsRecordsNothing) {
  EventInTest event(1);
  EXPECT_EQ(told(event.block({})), "accepted");
  EXPECT_EQ(told(event.unblock({})), "accepted");
  EXPECT_EQ(event.recorded(), "");
}

TEST(Block, IsPossibleWhateverTheStatusOfTheEvent) {
  for (const EventStatus status : {EventStatus::importing, EventStatus::draft, EventStatus::closed}) {
    EventInTest event(1, {.status = status});
    EXPECT_EQ(told(event.block({0})), "accepted");
    EXPECT_EQ(told(event.unblock({0})), "accepted");
  }
}

TEST(Configure, ChangesOnlyTheGivenSettings) {
  EventInTest event(1, {.name = "Hamlet", .starts_at = 5, .hold_seconds = 600});
  EventSettings expected = event.inventory.settings();
  EXPECT_EQ(told(event.configure({.name = "Macbeth", .held_seats_per_customer = 6})), "accepted");
  expected.name = "Macbeth";
  expected.limits = {.seats_per_reservation = 1'000, .held_seats_per_customer = 6};
  EXPECT_EQ(event.inventory.settings(), expected);
  event.configure({.starts_at = 9, .status = EventStatus::closed, .hold_seconds = 60, .max_hold_seconds = 120});
  expected.starts_at = 9;
  expected.status = EventStatus::closed;
  expected.hold_seconds = 60;
  expected.max_hold_seconds = 120;
  EXPECT_EQ(event.inventory.settings(), expected);
  EXPECT_EQ(event.recorded(), "event_configured event_configured");
}

TEST(Configure, OfOneLimitKeepsAConcurrentChangeOfTheOther) {
  EventInTest event(1);
  EXPECT_EQ(told(event.configure({.seats_per_reservation = 4})), "accepted");
  EXPECT_EQ(told(event.configure({.held_seats_per_customer = 2})), "accepted");
  EXPECT_EQ(event.inventory.settings().limits, (EventLimits{.seats_per_reservation = 4, .held_seats_per_customer = 2}));
}

TEST(Configure, ToConflictingSettingsIsRefusedAndNamesThem) {
  EventInTest event(1, {.hold_seconds = 900, .max_hold_seconds = 3'600});
  EXPECT_EQ(told(event.configure({.hold_seconds = 3'000})), "accepted");
  const Outcome refused = event.configure({.name = "Macbeth", .max_hold_seconds = 1'000});
  EXPECT_EQ(told(refused), "settings_conflict");
  EXPECT_EQ(refused.hold_seconds, 3'000u);
  EXPECT_EQ(refused.max_hold_seconds, 1'000u);
  EXPECT_EQ(event.inventory.settings().name, "");
  EXPECT_EQ(told(event.configure({.hold_seconds = 1'000, .max_hold_seconds = 1'000})), "accepted");
}

// Versions before 0.2.0 allowed such settings.
TEST(Configure, OfOtherSettingsIsAcceptedDespiteAConflict) {
  EventInTest event(1, {.hold_seconds = 3'000, .max_hold_seconds = 1'000});
  EXPECT_EQ(told(event.configure({.status = EventStatus::closed})), "accepted");
  EXPECT_EQ(event.inventory.settings().status, EventStatus::closed);
}

TEST(Configure, ToTheCurrentSettingsRecordsNothing) {
  EventInTest event(1, {.name = "Hamlet"});
  EXPECT_EQ(told(event.configure({.name = "Hamlet"})), "accepted");
  EXPECT_EQ(told(event.configure({})), "accepted");
  EXPECT_EQ(event.recorded(), "");
}

TEST(Configure, AbandonsOnlyImports) {
  for (const EventStatus status : {EventStatus::draft, EventStatus::on_sale, EventStatus::closed}) {
    EventInTest event(1, {.status = status});
    EXPECT_EQ(told(event.configure({.status = EventStatus::abandoned})), "event_not_found");
    EXPECT_EQ(event.inventory.settings().status, status);
  }
  EventInTest event(1, {.status = EventStatus::importing});
  EXPECT_EQ(told(event.configure({.status = EventStatus::abandoned})), "accepted");
  EXPECT_EQ(told(event.configure({.status = EventStatus::abandoned})), "accepted");
  EXPECT_EQ(told(event.configure({.status = EventStatus::on_sale})), "event_not_found");
  EXPECT_EQ(event.inventory.settings().status, EventStatus::abandoned);
  EXPECT_EQ(event.recorded(), "event_configured");
}

TEST(AppendSeats, MakesMoreSeatsAvailableWhileTheEventIsImporting) {
  EventInTest event(0, {.status = EventStatus::importing});
  EXPECT_EQ(told(event.does(AppendSeats{"seats as the plan wrote them", 3})), "accepted");
  EXPECT_EQ(told(event.does(AppendSeats{"more", 2})), "accepted");
  EXPECT_EQ(event.recorded(), "seats_appended seats_appended");
  EXPECT_EQ(event.states(), "aaaaa");
  EXPECT_EQ(told(event.does(AppendSeats{"", k_seats_per_event_max - 4})), "limit_exceeded seats_per_event");
  EXPECT_EQ(event.inventory.counts(), StateCounts{.available = 5});
}

TEST(Creation, RecordsCardSettingsAndThePlansHeader) {
  Inventory inventory({.number = 3, .id = Uuid{{1, 2, 3}}, .venue = "Royal", .currency = "CHF"}, {.name = "Hamlet"}, 1);
  ChangeBatch changes;
  EXPECT_TRUE(judge(inventory, Create{"header"}, k_start, changes).accepted());
  EXPECT_EQ(inventory.seq(), 1u);
  EXPECT_EQ(inventory.last_now(), k_start);
  EXPECT_EQ(changes.count, 1u);
  Reader reader(changes.bytes);
  ChangeDecoder decoder(k_start);
  Change change;
  ASSERT_TRUE(decoder.decode(reader, change));
  EXPECT_EQ(change.kind, ChangeKind::event_created);
  EXPECT_EQ(change.text, "header");
  EXPECT_EQ(change.card->id, inventory.card().id);
  EXPECT_EQ(change.card->venue, "Royal");
  EXPECT_EQ(change.card->currency, "CHF");
  EXPECT_EQ(*change.settings, inventory.settings());
}

TEST(Version, RisesByOneWithEachChangeOfTheSeatOnly) {
  EventInTest event(1);
  std::uint32_t expected = 0;
  const auto changes = [&](const Outcome& outcome) {
    EXPECT_TRUE(outcome.accepted());
    EXPECT_EQ(event.inventory.version_of(0), ++expected);
  };
  const auto changes_not = [&](const Outcome&) { EXPECT_EQ(event.inventory.version_of(0), expected); };
  const Uuid first = event.new_id(), second = event.new_id(), third = event.new_id();
  changes(event.hold(first, {0}));
  changes_not(event.hold(second, {0}));
  changes_not(event.extend(first, 20 * k_minute));
  changes(event.release(first));
  changes_not(event.release(first));
  changes(event.hold(second, {0}, "anna", 1'000));
  event.now += 1'000;
  changes_not(event.consume(second));
  changes(event.sweep());
  changes(event.reinstate(second));
  changes_not(event.consume(second));
  changes(event.give_back(second));
  changes_not(event.give_back(second));
  changes(event.block({0}));
  changes(event.unblock({0}));
  changes(event.hold(third, {0}));
  changes(event.consume(third));
}

TEST(Seq, NumbersTheChangesWithoutGaps) {
  EventInTest event(3);
  const Uuid r = event.new_id();
  event.hold(r, {0}, "anna", 1'000);
  EXPECT_EQ(event.inventory.seq(), 1u);
  event.hold(event.new_id(), {0});   // refused
  EXPECT_EQ(event.inventory.seq(), 1u);
  event.now += 1'000;
  event.hold(event.new_id(), {0, 1});   // expiry and hold
  EXPECT_EQ(event.inventory.seq(), 3u);
  EXPECT_EQ(event.changes.count, 3u);
}

}  // namespace
}  // namespace holdfast
