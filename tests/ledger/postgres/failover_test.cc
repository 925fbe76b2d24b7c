// A failover or a restore that loses commits which nodes have shown: nothing is written after the gap, lost changes are no longer
// shown, and everything that remembers an event's progress goes back.
#include <gtest/gtest.h>

#include <functional>
#include <future>

#include "ledger/postgres/nodes.h"
#include "support/wire.h"

namespace holdfast::test {
namespace {

class PostgresFailover : public PostgresNodes {
 protected:
  // The event has one hold, of seat 1, in journal and tables.
  EventNumber event_with_hold(PostgresLedger& ledger) {
    const EventNumber event = create_event();
    EXPECT_TRUE(Desk(ledger).hold(event, reservation_id(event, 1), {1}).accepted());
    EXPECT_TRUE(eventually([&] { return has_in_tables(event, head(event)); }));
    return event;
  }
  // The lost hold has left no trace, and the seat is available.
  void expect_goes_on_without_it(PostgresLedger& ledger, EventNumber event) {
    EXPECT_TRUE(eventually([&] { return bring(ledger, event) && shows(ledger, event, 1, SeatState::available); }));
    EXPECT_TRUE(Desk(ledger).hold(event, reservation_id(event, 100), {1}).accepted());
    EXPECT_EQ(told(Desk(ledger).hold(event, reservation_id(event, 101), {1})), "seat_unavailable 1");
    EXPECT_GT(ledger.stats().histories_changed, 0u);
    EXPECT_EQ(ledger.damage(), "");
    expect_no_gaps(event);
  }
};

TEST_F(PostgresFailover, ANodeThatLoadedFromTablesWritesNothingAfterAGap) {
  const EventNumber event = event_with_hold(*first_);
  first_.reset();
  second_.reset();
  const auto third = node();
  ASSERT_TRUE(bring(*third, event));
  ASSERT_TRUE(shows(*third, event, 1, SeatState::held));
  take_back_last_row(event);
  EXPECT_TRUE(Desk(*third).hold(event, reservation_id(event, 2), {5}).accepted());
  expect_no_gaps(event);
  EXPECT_TRUE(shows(*third, event, 5, SeatState::held));
  expect_goes_on_without_it(*third, event);
}

TEST_F(PostgresFailover, ANodeWithABatchInFlightDoesNotShowLostChanges) {
  Wire wire(port_in(database_.url()));
  first_ = node({.url = with_port(database_.url(), wire.port())});
  const EventNumber event = event_with_hold(*first_);
  wire.cut_at("append", Wire::Cut::request, true);
  auto answer = std::async(std::launch::async, [&] { return Desk(*first_).hold(event, reservation_id(event, 2), {2}); });
  ASSERT_TRUE(eventually([&] { return wire.cuts() == 1; }));
  take_back_last_row(event);
  wire.mend();
  answer.get();   // accepted, or not in time
  expect_goes_on_without_it(*first_, event);
}

// Deletes the last row of the journal in the middle of a batch, after it has read.
class LosesARow final : public lock::SeatLock {
 public:
  explicit LosesARow(std::function<void()> lose) : lose_(std::move(lose)) {}
  void acquire(std::span<lock::KeyLock> key_locks) override {
    lock::draw_tokens(key_locks);
    for (lock::KeyLock& key_lock : key_locks) key_lock.grant = lock::Grant::granted;
    if (lose_) std::exchange(lose_, {})();
  }
  void release(std::span<const lock::KeyLock>) override {}
  lock::Health health() const override { return {}; }
  lock::Stats stats() const override { return {}; }

 private:
  std::function<void()> lose_;
};

TEST_F(PostgresFailover, ARowThatVanishesAfterItWasReadIsMissedByTheNextRow) {
  const EventNumber event = event_with_hold(*first_);
  first_.reset();
  second_.reset();
  LosesARow loses([&] { take_back_last_row(event); });
  const auto third = node({.url = {}, .judging = {.lock = &loses}});
  ASSERT_TRUE(bring(*third, event));
  EXPECT_TRUE(Desk(*third).hold(event, reservation_id(event, 2), {5}).accepted());
  expect_goes_on_without_it(*third, event);
}

TEST_F(PostgresFailover, TheFeedIsToldOfFewerChanges) {
  const EventNumber event = event_with_hold(*first_);
  first_.reset();
  const auto head_of = [&](PostgresLedger& ledger) {
    for (const EventHead& each : ledger.heads()) {
      if (each.event == event) return std::to_string(each.seq);
    }
    return std::string("none");
  };
  ASSERT_TRUE(eventually([&] { return head_of(*second_) == head(event); }));   // it does not have the event
  const std::string before = head(event);
  take_back_last_row(event);
  ASSERT_NE(head(event), before);
  EXPECT_TRUE(eventually([&] { return head_of(*second_) == head(event); }));
}

// At the start, and after a failed look: reading millions of rows takes more than one statement's time.
TEST_F(PostgresFailover, TheHeadsOfAllEventsAreFoundWithoutReadingTheOrderOfAllChanges) {
  constexpr int k_rows = 20'000;
  const EventNumber event = event_with_hold(*first_);
  first_.reset();
  second_.reset();
  run("insert into holdfast.change_order select -i, " + std::to_string(event) + ", -i, -i from generate_series(1, " +
      std::to_string(k_rows) + ") i; analyze holdfast.change_order");
  const auto rows_read = [&] {
    return std::stoll(
        Sql(database_.url()).value("select seq_tup_read + idx_tup_fetch from pg_stat_user_tables where relname = 'change_order'"));
  };
  const auto before = rows_read();
  auto third = node();
  ASSERT_TRUE(eventually([&] { return third->heads().size() == 1; }));
  EXPECT_EQ(std::to_string(third->heads().front().seq), head(event));
  third.reset();   // a session's counters are visible once it has ended
  EXPECT_TRUE(eventually([&] { return rows_read() > before; }));
  EXPECT_LT(rows_read() - before, k_rows);
}

TEST_F(PostgresFailover, AllChangesCanBeReadAtOnceAfterTheLoss) {
  const EventNumber event = event_with_hold(*first_);
  ASSERT_TRUE(first_->read_all_changes(k_cursor_oldest, 1'000, ReadFrom::anywhere));
  take_back_last_row(event);
  EXPECT_TRUE(eventually([&] { return bring(*first_, event) && shows(*first_, event, 1, SeatState::available); }));
  const auto page =
      first_->read_all_changes(k_cursor_oldest, 1'000, ReadFrom::anywhere);   // it waits 10 s for rows that it believes to exist
  ASSERT_TRUE(page);
  ASSERT_FALSE(page->changes.empty());
  EXPECT_EQ(std::to_string(page->changes.back().seq), head(event));
  expect_goes_on_without_it(*first_, event);
  const auto list = first_->list_reservations({.event = event}, "", 10);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->items.size(), 1u);
  EXPECT_EQ(list->items[0].view.id, reservation_id(event, 100));
}

TEST_F(PostgresFailover, AnEventLostAsAWholeIsGoneAndItsNumberCanBeUsedAgain) {
  const EventNumber event = event_with_hold(*first_);
  ASSERT_TRUE(bring(*second_, event));
  const Uuid id = first_->event(event)->card().id;
  take_back_event(event);
  for (PostgresLedger* ledger : {first_.get(), second_.get()}) {
    EXPECT_FALSE(Desk(*ledger).hold(event, reservation_id(event, 2), {2}).accepted());
    EXPECT_TRUE(eventually([&] { return ledger->event(event) == nullptr && ledger->event_by_id(id) == std::nullopt; }));
    EXPECT_TRUE(ledger->events().empty());
  }
  run("select setval('holdfast.event_number', " + std::to_string(event) + ", false)");
  const Uuid other = uuid_of(900);
  ASSERT_EQ(Desk(*first_).create_event(other, plan_of(other, 7)), event);
  for (PostgresLedger* ledger : {first_.get(), second_.get()}) {
    ASSERT_TRUE(eventually([&] { return bring(*ledger, event) && ledger->event(event) != nullptr; }));
    EXPECT_EQ(ledger->event(event)->card().id, other);
    EXPECT_EQ(ledger->event(event)->seat_count(), 7u);
  }
  EXPECT_TRUE(Desk(*second_).hold(event, reservation_id(event, 3), {6}).accepted());
  expect_no_gaps(event);
}

}   // namespace
}   // namespace holdfast::test
