// Readers in other threads: everything they see was durable before any answer, and they see everything that was answered.
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

TEST(Readers, SeeEachCommandAsSoonAsItIsAnswered) {
  LedgerFolder folder;
  TestTime time;
  LedgerInTest it(folder, time);
  const EventNumber event = it.create_event(10);
  const auto published = it.ledger().event(event);
  ASSERT_NE(published, nullptr);
  const auto state = [&](SeatIndex seat) { return published->seat(seat, it.ledger().now()); };
  const Uuid id = it.new_id(event);
  const Seq seq = published->seq();
  const Outcome held = it.hold(event, id, {1, 2});
  EXPECT_EQ(told(*it.ledger().reservation(id)), told(*held.reservation));
  EXPECT_EQ(state(1).state, SeatState::held);
  EXPECT_EQ(state(1).reservation, id);
  EXPECT_EQ(state(1).version, 1u);
  EXPECT_EQ(published->seq(), seq + 1);
  EXPECT_EQ(published->counts(), (StateCounts{.available = 8, .held = 2}));
  const Outcome released = it.release(event, id, {2});
  EXPECT_EQ(told(*it.ledger().reservation(id)), told(*released.reservation));
  EXPECT_EQ(state(2).state, SeatState::available);
  const Outcome sold = it.consume(event, id);
  EXPECT_EQ(told(*it.ledger().reservation(id)), told(*sold.reservation));
  EXPECT_EQ(state(1).state, SeatState::sold);
  ASSERT_TRUE(it.block(event, {9}).accepted());
  time.pass(100);   // copies of the states are shared for so long
  EXPECT_EQ(published->states(it.ledger().now())->states, "asaaaaaaab");
  EXPECT_EQ(published->states(it.ledger().now())->seq, published->seq());
  it.does(event, Configure{.name = "renamed", .status = EventStatus::closed});
  EXPECT_EQ(published->settings().name, "renamed");
  EXPECT_EQ(published->status(), EventStatus::closed);
}

TEST(Readers, StatesAreAtMost100MillisecondsBehindAndSharedMeanwhile) {
  LedgerFolder folder;
  TestTime time;
  LedgerInTest it(folder, time);
  const EventNumber event = it.create_event(3);
  const auto published = it.ledger().event(event);
  const auto first = published->states(it.ledger().now());
  ASSERT_TRUE(it.hold(event, it.new_id(event), {0}).accepted());
  time.pass(99);
  EXPECT_EQ(published->states(it.ledger().now()), first);
  time.pass(1);
  EXPECT_EQ(published->states(it.ledger().now())->states, "haa");
}

// By this an operator sees that the sweep does not work, whatever it reports itself.
TEST(Readers, SeeHowLongTheOldestExpiryHasWaitedWhenNobodySweeps) {
  LedgerFolder folder;
  TestTime time;
  LedgerInTest it(folder, time);
  const EventNumber first = it.create_event(10);
  const EventNumber second = it.create_event(10);
  const auto due = [&] {
    it.ledger().look_at_expiries();
    return it.ledger().expiries_due().count();
  };
  EXPECT_EQ(due(), 0);
  ASSERT_TRUE(it.hold(first, it.new_id(first), {1}, "anna", k_minute).accepted());
  ASSERT_TRUE(it.hold(second, it.new_id(second), {1}, "anna", 2 * k_minute).accepted());
  time.pass(k_minute);
  EXPECT_EQ(due(), 0);
  time.pass(40'000);
  EXPECT_EQ(due(), 40'000);
  time.pass(k_minute);
  EXPECT_EQ(due(), 100'000);
  it.reopen();
  EXPECT_EQ(due(), 100'000) << "a restart records nothing";
  ASSERT_TRUE(it.sweep(first).accepted());
  EXPECT_EQ(due(), 40'000) << "the second event's waits yet";
  ASSERT_TRUE(it.sweep(second).accepted());
  EXPECT_EQ(due(), 0);
}

// /readyz and /metrics may be asked for as often as anybody likes, and there may be 100,000 events.
TEST(Readers, AreToldOfTheOldestExpiryWithoutAnotherLookAtEveryEvent) {
  LedgerFolder folder;
  TestTime time;
  LedgerInTest it(folder, time);
  const EventNumber event = it.create_event(10);
  ASSERT_TRUE(it.hold(event, it.new_id(event), {1}, "anna", k_minute).accepted());
  it.ledger().look_at_expiries();
  time.pass(2 * k_minute);
  EXPECT_EQ(it.ledger().expiries_due().count(), 0) << "as of the last look";
  it.ledger().look_at_expiries();
  EXPECT_EQ(it.ledger().expiries_due().count(), k_minute);
}

TEST(Readers, SeeAnExpiryFromItsMillisecondOnRecordedOrNot) {
  LedgerFolder folder;
  TestTime time;
  LedgerInTest it(folder, time);
  const EventNumber event = it.create_event(3);
  const Uuid id = it.new_id(event);
  ASSERT_TRUE(it.hold(event, id, {0}, "anna", 500).accepted());
  EXPECT_EQ(it.ledger().until_next_expiry({}), milliseconds(500));
  EXPECT_TRUE(it.ledger().events_to_sweep(10, {}).empty());
  time.pass(500);
  EXPECT_EQ(it.ledger().reservation(id)->status, ReservationStatus::expired);
  EXPECT_EQ(it.ledger().event(event)->seat(0, it.ledger().now()).state, SeatState::available);
  EXPECT_TRUE(it.ledger().event(event)->has_expiries(it.ledger().now()));
  EXPECT_EQ(it.ledger().events_to_sweep(10, {}), std::vector<EventNumber>{event});
  EXPECT_EQ(it.sweep(event).swept, 1u);
  EXPECT_FALSE(it.ledger().event(event)->has_expiries(it.ledger().now()));
  EXPECT_EQ(it.ledger().until_next_expiry({}), std::nullopt);
}

TEST(Readers, FindAllEventsToSweepInParts) {
  LedgerFolder folder;
  TestTime time;
  LedgerInTest it(folder, time);
  std::vector<EventNumber> events;
  for (int i = 0; i < 5; ++i) {
    events.push_back(it.create_event(4));
    for (SeatIndex seat = 0; seat < 4; ++seat)
      ASSERT_TRUE(it.hold(events.back(), it.new_id(events.back()), {seat}, "anna", 1'000).accepted());
  }
  time.pass(1'000);
  std::size_t swept = 0;
  for (int round = 0; round < 100 && it.ledger().until_next_expiry({}) == milliseconds(0); ++round) {
    for (const EventNumber event : it.ledger().events_to_sweep(2, {})) swept += it.sweep(event, 3).swept;
  }
  EXPECT_EQ(swept, 20u);
  EXPECT_EQ(it.ledger().until_next_expiry({}), std::nullopt);
}

// Sales, imports and abandoned imports in one thread; readers in two others.
TEST(Readers, InOtherThreadsSeeEverythingAnswered) {
  LedgerFolder folder;
  TestTime time;
  LedgerInTest it(folder, time, {.data = {}, .ended_in_memory_max = 50});
  const EventNumber event = it.create_event(100);
  std::atomic<std::uint64_t> answered{0};
  std::atomic<bool> done{false};
  std::atomic<int> missing{0};
  std::atomic<std::uint64_t> reads{0};
  std::vector<std::jthread> readers;
  for (unsigned reader = 0; reader < 2; ++reader) {
    readers.emplace_back([&, reader] {
      std::mt19937 random(reader);
      const auto published = it.ledger().event(event);
      Seq last_seq = 0;
      while (!done) {
        const std::uint64_t known = answered;
        if (known > 0 && !it.ledger().reservation(reservation_id(event, 1 + random() % known))) ++missing;
        if (known > 0 && !it.ledger().reservation(reservation_id(event, known))) ++missing;
        const Seq seq = published->seq();
        if (seq < last_seq) ++missing;
        last_seq = seq;
        const StateCounts counts = published->counts();
        if (counts.available + counts.held + counts.sold + counts.blocked != 100) ++missing;
        published->seat(static_cast<SeatIndex>(random() % 100), it.ledger().now());
        published->states(it.ledger().now());
        for (const EventNumber number : it.ledger().events()) {
          const auto other = it.ledger().event(number);
          if (other == nullptr || !it.ledger().event_by_id(other->card().id) || !it.ledger().seats().find(other->plan()->seat_id(0)))
            ++missing;
        }
        ++reads;
      }
    });
  }
  const auto until = Clock::now() + milliseconds(k_is_sanitized ? 3'000 : 1'000);
  std::uint64_t imports = 0;
  // On a busy machine longer, until there was something to see.
  while (Clock::now() < until || answered <= 100 || reads <= 10) {
    const std::uint64_t number = answered + 1;
    const Uuid id = reservation_id(event, number);
    ASSERT_TRUE(it.hold(event, id, {static_cast<SeatIndex>(number % 100)}, "anna", 1 + static_cast<Millis>(number % 50)).accepted());
    if (number % 3 == 0) ASSERT_TRUE(it.release(event, id).accepted());
    answered = number;
    if (number % 3 != 0) time.pass(50);
    if (number % 100 == 0 && imports < 40) {
      const Uuid made = uuid_of(++imports);
      ASSERT_NE(it.create_event(made, plan_of(made, 20)), 0u);
    }
    if (number % 150 == 0) {
      const Uuid gone = uuid_of(50'000 + number);
      const auto reserved = it.ledger().reserve_event(
          {.card = {.number = 0, .id = gone, .venue = {}, .currency = {}}, .settings = {}, .plan = plan_of(gone, 20)});
      ASSERT_TRUE(reserved);
      it.ledger().abandon_event(*reserved);
    }
    it.ledger().compare_clocks();
  }
  done = true;
  readers.clear();
  EXPECT_EQ(missing, 0);
}

}  // namespace
}  // namespace holdfast::test
