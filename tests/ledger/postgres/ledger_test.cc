// Several nodes over one PostgreSQL: each sees the others' changes, concurrent writes form one history, and the loss of a
// session, a node or a row of the journal costs no accepted hold and sells no seat twice.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "ledger/postgres/nodes.h"
#include "support/wire.h"

namespace holdfast::test {
namespace {

constexpr std::uint64_t k_ids_a_thread = 1'000'000;

// Holds seats at random, alone or several, until it is told to end. Remembers accepted holds.
class Holder {
 public:
  static constexpr std::size_t k_seats = 200;
  Holder(Ledger& ledger, EventNumber event, std::uint64_t number)
      : ledger_(ledger), event_(event), random_(number), next_id_(number * k_ids_a_thread) {}

  void hold_one() {
    Desk desk(ledger_);
    const Uuid id = reservation_id(event_, ++next_id_);
    const auto seat = static_cast<SeatIndex>(random_() % (k_seats - 1));
    const Outcome outcome = desk.hold(event_, id, {seat, seat + 1});
    if (outcome.accepted()) held_.emplace_back(id, seat);
    unavailable_ += outcome.reason == Reason::unavailable;
    // Releases half of them, so that there is always something to hold.
    if (outcome.accepted() && random_() % 2 == 0) {
      const Outcome released = desk.release(event_, id);
      // The outcome of a release without an answer is unknown: neither may be claimed.
      if (released.accepted() || released.reason == Reason::unavailable) held_.pop_back();
    }
  }

  // Every hold that was accepted and not released is there.
  void expect_all_in(const PublishedEvent& event, Millis now) const {
    for (const auto& [id, seat] : held_) {
      EXPECT_EQ(event.seat(seat, now).reservation, id) << "seat " << seat;
      EXPECT_EQ(event.seat(seat + 1, now).reservation, id) << "seat " << seat + 1;
    }
  }
  std::size_t held() const { return held_.size(); }
  std::size_t unavailable() const { return unavailable_; }

 private:
  Ledger& ledger_;
  EventNumber event_;
  std::mt19937_64 random_;
  std::uint64_t next_id_;
  std::vector<std::pair<Uuid, SeatIndex>> held_;
  std::size_t unavailable_ = 0;
};

TEST_F(PostgresNodes, ShowEachOthersChanges) {
  const EventNumber event = create_event();
  ASSERT_TRUE(bring(*second_, event));
  ASSERT_TRUE(Desk(*first_).hold(event, reservation_id(event, 1), {1, 2}).accepted());
  EXPECT_TRUE(eventually([&] { return shows(*second_, event, 1, SeatState::held) && shows(*second_, event, 2, SeatState::held); }));
  ASSERT_TRUE(Desk(*second_).consume(event, reservation_id(event, 1)).accepted());
  EXPECT_TRUE(eventually([&] { return shows(*first_, event, 1, SeatState::sold); }));
}

TEST_F(PostgresNodes, WriteAtMostSixteenEventsOfARoundInOneTransaction) {
  Round round;
  for (int i = 0; i < 17; ++i) {
    const EventNumber event = create_event(1);
    round.add(event, Hold{.reservation = reservation_id(event, 1), .customer = "anna", .seats = round.keep({0}), .duration = k_hour});
  }
  ASSERT_TRUE(round.run(*first_).durable);
  Sql sql(database_.url());
  const auto transactions = sql.query(
      "select count(*) from (select distinct on (event) xmin::text as id from holdfast.journal order by event, first_seq desc) last "
      "group by id order by 1 desc");
  ASSERT_EQ(transactions.size(), 2u);
  EXPECT_EQ(transactions[0].at(0), "16");
  EXPECT_EQ(transactions[1].at(0), "1");
}

TEST_F(PostgresNodes, ANodeWritesThroughSixtyFourLanesAtOnce) {
  constexpr unsigned k_lanes = Ledger::k_lanes_max;
  std::vector<EventNumber> events;
  for (unsigned i = 0; i < k_lanes; ++i) events.push_back(create_event(1));   // numbers in a row: each has its own lane
  first_ = node({.url = {}, .lanes = k_lanes, .connections_max = k_lanes + 12});
  for (const EventNumber event : events) ASSERT_TRUE(bring(*first_, event));
  Sql locker(database_.url());
  locker.run("begin; select 1 from holdfast.event for update");
  std::atomic<unsigned> accepted{0};
  std::vector<std::jthread> lanes;
  for (const EventNumber event : events) {
    lanes.emplace_back([&, event] { accepted += Desk(*first_).hold(event, reservation_id(event, 1), {0}).accepted() ? 1U : 0U; });
  }
  Sql sql(database_.url());
  EXPECT_TRUE(eventually([&] {
    return sql.value("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") ==
           std::to_string(k_lanes);
  }));
  locker.run("rollback");
  lanes.clear();
  EXPECT_EQ(accepted, k_lanes);
}

TEST_F(PostgresNodes, ANodesLedgerHasTwentyConnectionsUnlessItIsToldOtherwise) {
  constexpr std::size_t k_most = 20;
  const EventNumber event = create_event();
  {
    std::vector<pg::Pool::Borrowed> taken;
    ASSERT_TRUE(eventually([&] {
      if (first_->pool().stats().busy < k_most) taken.push_back(first_->pool().take());
      return first_->pool().stats().busy == k_most;
    }));
    EXPECT_THROW(static_cast<void>(first_->pool().take()), pg::Error);
    EXPECT_EQ(first_->pool().stats().open, k_most);
  }
  EXPECT_TRUE(Desk(*first_).hold(event, reservation_id(event, 1), {1}).accepted());
}

TEST_F(PostgresNodes, FindChangesWithoutANotificationByComparing) {
  const EventNumber event = create_event();
  ASSERT_TRUE(bring(*second_, event));
  ASSERT_TRUE(Desk(*first_).hold(event, reservation_id(event, 1), {4}).accepted());
  ASSERT_TRUE(eventually([&] { return shows(*second_, event, 4, SeatState::held); }));
  // The listening sessions end again and again, and lose their notifications.
  std::atomic<bool> ends{false};
  std::jthread deafens([&] {
    Sql sql(database_.url());
    while (!ends) {
      sql.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = "
          "'holdfast follower' and query ilike '%listen%'");
    }
  });
  EXPECT_TRUE(Desk(*first_).hold(event, reservation_id(event, 2), {5}).accepted());
  ends = true;
  deafens.join();
  EXPECT_TRUE(eventually([&] { return shows(*second_, event, 5, SeatState::held); }));
}

TEST_F(PostgresNodes, FindChangesByTheNextBatchOrByComparingIfTheListenerHangs) {
  Wire wire(port_in(database_.url()));
  second_ = node({.url = with_port(database_.url(), wire.port())});
  const EventNumber event = create_event();
  ASSERT_TRUE(bring(*second_, event));
  ASSERT_TRUE(Desk(*first_).hold(event, reservation_id(event, 1), {4}).accepted());
  ASSERT_TRUE(eventually([&] { return shows(*second_, event, 4, SeatState::held); }));
  wire.mute("holdfast follower");
  ASSERT_TRUE(Desk(*first_).hold(event, reservation_id(event, 2), {5}).accepted());
  EXPECT_EQ(told(Desk(*second_).hold(event, reservation_id(event, 3), {5})), "seat_unavailable 5");
  EXPECT_TRUE(shows(*second_, event, 5, SeatState::held));
  // Nothing more is asked of this node: after its deadline of 10 s it gives the connection up, and looks for itself over a new one.
  ASSERT_TRUE(Desk(*first_).hold(event, reservation_id(event, 4), {6}).accepted());
  EXPECT_TRUE(eventually([&] { return shows(*second_, event, 6, SeatState::held); }, 2 * k_patience));
}

TEST_F(PostgresNodes, RecallAReservationThoughTheTablesAreAhead) {
  Wire wire(port_in(database_.url()));
  PostgresOptions options{.url = with_port(database_.url(), wire.port())};
  options.ended_in_memory_max = 0;
  second_ = node(options);
  const EventNumber event = create_event();
  const Uuid ended = reservation_id(event, 1);
  ASSERT_TRUE(Desk(*second_).hold(event, ended, {1}).accepted());
  ASSERT_TRUE(Desk(*second_).release(event, ended).accepted());
  std::uint64_t id = 1;
  ASSERT_TRUE(eventually([&] {   // memory forgets it with the first change after the tables have it
    ++id;
    EXPECT_TRUE(Desk(*second_).hold(event, reservation_id(event, id), {static_cast<SeatIndex>(10 + id)}).accepted());
    return !second_->reservation(ended);
  }));
  wire.mute("holdfast follower");
  ASSERT_TRUE(Desk(*first_).hold(event, reservation_id(event, 1'000), {5}).accepted());
  ASSERT_TRUE(eventually([&] { return has_in_tables(event, head(event)); }));
  ASSERT_TRUE(shows(*second_, event, 5, SeatState::available)) << "it has not heard of it";
  EXPECT_EQ(told(Desk(*second_).consume(event, ended, "order-1", true)), "accepted") << "a late payment, and the seat is free";
  EXPECT_EQ(second_->reservation(ended)->status, ReservationStatus::consumed);
}

// Tests the moment at which a node opens an event: one thread looks all the time, another brings it.
TEST_F(PostgresNodes, ShowAnEventOnlyOnceItsSeatsAndItsIdAreFound) {
  constexpr std::size_t k_many = 50'000;   // entering them takes a while
  for (int turn = 0; turn < 3; ++turn) {
    const EventNumber event = create_event(k_many);
    const auto third = node();
    std::jthread bringing([&] { EXPECT_TRUE(bring(*third, event)); });
    std::shared_ptr<const PublishedEvent> here;
    const auto until = Clock::now() + k_patience;
    while (here == nullptr && Clock::now() < until) here = third->event(event);
    ASSERT_NE(here, nullptr);
    EXPECT_TRUE(third->event_by_id(here->card().id).has_value());
    EXPECT_TRUE(third->seats().find(here->plan()->seat_id(k_many - 1)).has_value()) << "404, for a seat that another node has sold from";
  }
}

TEST_F(PostgresNodes, WritingOneEventAtOnceSellsNoSeatTwiceAndLeavesNoGap) {
  const EventNumber event = create_event();
  std::vector<Holder> holders;
  for (std::uint64_t i = 1; i <= 4; ++i) holders.emplace_back(i % 2 == 0 ? *first_ : *second_, event, i);
  {
    std::vector<std::jthread> threads;
    for (Holder& holder : holders) {
      threads.emplace_back([&holder] {
        for (int i = 0; i < 100; ++i) holder.hold_one();
      });
    }
  }
  expect_no_gaps(event);
  for (PostgresLedger* ledger : {first_.get(), second_.get()}) {
    ASSERT_TRUE(bring(*ledger, event));
    for (const Holder& holder : holders) {
      EXPECT_EQ(holder.unavailable(), 0u);
      holder.expect_all_in(*ledger->event(event), ledger->now());
    }
  }
  EXPECT_EQ(first_->event(event)->seq(), second_->event(event)->seq());
}

TEST_F(PostgresNodes, LoseNoAcceptedHoldWhenSessionsAreTerminated) {
  const EventNumber event = create_event();
  std::vector<Holder> holders;
  for (std::uint64_t i = 1; i <= 4; ++i) holders.emplace_back(i % 2 == 0 ? *first_ : *second_, event, i);
  std::atomic<std::size_t> writing{holders.size()};
  std::size_t terminated = 0;
  {
    std::vector<std::jthread> threads;
    for (Holder& holder : holders) {
      threads.emplace_back([&] {
        for (int i = 0; i < 100; ++i) holder.hold_one();
        --writing;
      });
    }
    Sql sql(database_.url());
    while (writing > 0) {
      const std::string ended = sql.value(
          "select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity where datname = current_database() and "
          "application_name = 'holdfast ledger' order by random() limit 1) s");
      terminated += ended == "1";
      std::this_thread::sleep_for(milliseconds(15));   // the pace of the terminations, not a wait
    }
  }
  EXPECT_GT(terminated, 0u);
  expect_no_gaps(event);
  std::size_t held = 0;
  for (PostgresLedger* ledger : {first_.get(), second_.get()}) {
    ASSERT_TRUE(eventually([&] { return bring(*ledger, event); }));
    for (const Holder& holder : holders) {
      held += holder.held();
      holder.expect_all_in(*ledger->event(event), ledger->now());
    }
  }
  EXPECT_GT(held, 0u);
}

TEST_F(PostgresNodes, SetsInOppositeOrderOnTwoNodesDoNotDeadlock) {
  const EventNumber one = create_event(2'000);
  const EventNumber other = create_event(2'000);
  std::atomic<int> refused{0};
  const auto write = [&](PostgresLedger& ledger, EventNumber home, std::uint64_t number) {
    for (SeatIndex i = 0; i < 50; ++i) {
      const auto seat = static_cast<SeatIndex>(number * 100 + i);
      const SeatList seats{seat};
      // A batch of one event comes before the set, so that the two nodes have different first locks.
      Round round;
      round.add(home, Hold{.reservation = reservation_id(home, number * k_ids_a_thread + i * 3),
                           .customer = "anna",
                           .seats = round.keep({static_cast<SeatIndex>(seat + 1'000)}),
                           .duration = k_hour});
      Submission set;
      for (const EventNumber event : {one, other}) {
        set.parts.push_back({event, Hold{.reservation = reservation_id(event, number * k_ids_a_thread + i * 3 + 1),
                                         .kind = ReservationKind::ticket_lock,
                                         .seats = seats,
                                         .duration = k_hour}});
      }
      round.add(std::move(set));
      round.run(ledger);
      refused += !round.verdict(0).accepted() + !round.verdict(1).accepted();
    }
  };
  {
    std::jthread left([&] { write(*first_, one, 1); });
    std::jthread right([&] { write(*second_, other, 2); });
  }
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(first_->stats().batches_failed + second_->stats().batches_failed, 0u);
  expect_no_gaps(one);
  expect_no_gaps(other);
}

TEST_F(PostgresNodes, DoNotSellFromAJournalChangedByHandAndSellTheOthers) {
  const EventNumber damaged = create_event();
  const EventNumber whole = create_event();
  ASSERT_TRUE(Desk(*first_).hold(damaged, reservation_id(damaged, 1), {1}).accepted());
  ASSERT_TRUE(Desk(*first_).hold(damaged, reservation_id(damaged, 2), {2}).accepted());
  // Changes every row, so that it is found whatever the tables already have.
  by_hand("update holdfast.journal set body = body || '\\x00'::bytea where event = $1", damaged);
  by_hand("delete from holdfast.step where event = $1", damaged);
  by_hand("delete from holdfast.event_state where event = $1", damaged);
  const auto third = node();
  EXPECT_EQ(Desk(*third).hold(damaged, reservation_id(damaged, 3), {3}).reason, Reason::unavailable);
  EXPECT_NE(third->degradation().find("event " + std::to_string(damaged)), std::string::npos) << third->degradation();
  EXPECT_TRUE(Desk(*third).hold(whole, reservation_id(whole, 1), {1}).accepted());
}

TEST_F(PostgresNodes, DoNotSellFromTablesChangedByHandUntilTheyAreRepaired) {
  const EventNumber event = create_event();
  ASSERT_TRUE(Desk(*first_).hold(event, reservation_id(event, 1), {1}).accepted());
  ASSERT_TRUE(eventually([&] { return has_in_tables(event, head(event)); }));
  first_.reset();
  second_.reset();
  by_hand("update holdfast.seat_change set kind = 7 where event = $1 and seat = 1", event);
  const auto third = node({.url = {}, .damaged_for = milliseconds(1)});   // it tries again every second
  std::uint64_t id = 1;
  const auto can_be_held = [&] { return Desk(*third).hold(event, reservation_id(event, ++id), {1}).reason != Reason::unavailable; };
  EXPECT_FALSE(eventually(can_be_held, milliseconds(3'000)));
  EXPECT_NE(third->damage().find("event " + std::to_string(event)), std::string::npos) << third->damage();
  by_hand("update holdfast.seat_change set kind = 4 where event = $1 and seat = 1", event);
  EXPECT_TRUE(eventually(can_be_held));
  EXPECT_EQ(third->damage(), "");
  EXPECT_EQ(told(Desk(*third).hold(event, reservation_id(event, ++id), {1})), "seat_unavailable 1");
  EXPECT_TRUE(Desk(*third).consume(event, reservation_id(event, 1)).accepted());
  expect_no_gaps(event);
}

TEST_F(PostgresNodes, LoadAnEventAgainIfItsHistoryHasChanged) {
  const EventNumber event = create_event();
  ASSERT_TRUE(bring(*second_, event));
  ASSERT_TRUE(Desk(*first_).hold(event, reservation_id(event, 1), {1}).accepted());
  ASSERT_TRUE(eventually([&] { return shows(*second_, event, 1, SeatState::held); }));
  first_.reset();   // its node goes down, and the server that takes over never had the hold
  ASSERT_TRUE(eventually([&] { return has_in_tables(event, head(event)); }));
  take_back_last_row(event);
  first_ = node();
  ASSERT_TRUE(Desk(*first_).hold(event, reservation_id(event, 2), {7}).accepted());
  EXPECT_TRUE(eventually([&] { return shows(*second_, event, 7, SeatState::held) && shows(*second_, event, 1, SeatState::available); }));
  EXPECT_GT(second_->stats().histories_changed, 0u);
  EXPECT_TRUE(Desk(*second_).hold(event, reservation_id(event, 3), {1}).accepted());
}

TEST_F(PostgresNodes, NoticeAnotherHistoryOfTheSameLengthWithoutAWrite) {
  Wire wire(port_in(database_.url()));
  second_ = node({.url = with_port(database_.url(), wire.port())});
  const EventNumber event = create_event();
  ASSERT_TRUE(bring(*second_, event));
  ASSERT_TRUE(Desk(*first_).hold(event, reservation_id(event, 1), {1}).accepted());
  ASSERT_TRUE(eventually([&] { return shows(*second_, event, 1, SeatState::held); }));
  const std::string length = head(event);
  first_.reset();
  ASSERT_TRUE(eventually([&] { return has_in_tables(event, length); }));
  wire.cut_all();   // the second node receives nothing meanwhile
  take_back_last_row(event);
  first_ = node();
  ASSERT_TRUE(Desk(*first_).hold(event, reservation_id(event, 2), {7}).accepted());
  ASSERT_EQ(head(event), length);
  EXPECT_TRUE(shows(*second_, event, 1, SeatState::held));
  wire.mend();
  EXPECT_TRUE(eventually([&] { return shows(*second_, event, 7, SeatState::held) && shows(*second_, event, 1, SeatState::available); }));
  EXPECT_GT(second_->stats().histories_changed, 0u);
}

TEST_F(PostgresNodes, AnImportWhoseNodeWentAwayIsAbandonedAndItsIdsAreFree) {
  const Uuid id = uuid_of(500);
  const auto plan = plan_of(id, 100);
  const auto reserved = first_->reserve_event({.card = {.number = 0, .id = id}, .settings = {}, .plan = plan});
  ASSERT_TRUE(reserved);
  EXPECT_FALSE(second_->reserve_event({.card = {.number = 0, .id = id}, .settings = {}, .plan = plan}));
  first_.reset();
  of_event("with late as (update holdfast.import set until = 0 where event = $1 returning 1) select count(*) from late", *reserved);
  ASSERT_TRUE(eventually([&] { return of_event("select count(*) from holdfast.import where event = $1", *reserved) == "0"; }));
  const EventNumber again = Desk(*second_).create_event(id, plan);
  EXPECT_NE(again, 0u);
  EXPECT_NE(again, *reserved);
}

TEST_F(PostgresNodes, UseNumbersOfRefusedEventsOnceTheLastOneIsTaken) {
  create_event();
  const auto reserve = [&](std::uint64_t id, std::string_view seats) {
    return first_->reserve_event({.card = {.number = 0, .id = uuid_of(id)}, .settings = {}, .plan = plan_of(uuid_of(id), 3, seats)});
  };
  ASSERT_TRUE(reserve(901, "first-"));
  Sql sql(database_.url());
  const std::string last = sql.value("select last_value from holdfast.event_number");
  const auto refused = reserve(902, "first-");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, CreationProblem::Kind::seat_exists);
  const auto again = reserve(901, "second-");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, CreationProblem::Kind::event_exists);
  sql.value("select setval('holdfast.event_number', 100000)");
  const auto reused = reserve(903, "third-");
  ASSERT_TRUE(reused) << reused.error().what;
  EXPECT_EQ(*reused, std::stoul(last) + 1) << "the number that the refused one has left";
  const auto exists = reserve(903, "fourth-");
  ASSERT_FALSE(exists);
  EXPECT_EQ(exists.error().kind, CreationProblem::Kind::event_exists);
}

TEST_F(PostgresNodes, FindAnExpiryOfAnEventThatNoNodeServes) {
  const EventNumber event = create_event();
  ASSERT_TRUE(Desk(*first_).hold(event, reservation_id(event, 1), {1}, "anna", 1'000).accepted());
  first_.reset();
  const auto third = node();
  ASSERT_EQ(third->event(event), nullptr);
  ASSERT_TRUE(eventually([&] { return !third->events_to_sweep(10, {}).empty(); }));
  EXPECT_EQ(third->events_to_sweep(10, {}), std::vector<EventNumber>{event});
  EXPECT_EQ(Desk(*third).sweep(event).swept, 1u);
  EXPECT_TRUE(third->events_to_sweep(10, {}).empty());
}

TEST_F(PostgresNodes, FindAnExpiryBehindADamagedEvent) {
  const EventNumber damaged = create_event();
  const EventNumber whole = create_event();
  ASSERT_TRUE(Desk(*first_).hold(damaged, reservation_id(damaged, 1), {1}, "anna", 500).accepted());
  ASSERT_TRUE(Desk(*first_).hold(whole, reservation_id(whole, 1), {1}, "anna", 600).accepted());
  ASSERT_TRUE(eventually([&] { return has_in_tables(damaged, head(damaged)) && has_in_tables(whole, head(whole)); }));
  first_.reset();
  second_.reset();
  by_hand("update holdfast.seat_change set version = version + 1 where event = $1 and seat = 1", damaged);
  const auto third = node();
  ASSERT_TRUE(eventually([&] { return !third->events_to_sweep(10, {}).empty() && !third->damage().empty(); }));
  EXPECT_EQ(third->events_to_sweep(10, {}), std::vector<EventNumber>{whole});
  EXPECT_EQ(Desk(*third).sweep(whole).swept, 1u);
  EXPECT_NE(third->damage().find("event " + std::to_string(damaged)), std::string::npos) << third->damage();
}

// With one connection: the follower that waits for it would wait for a reader, and the reader for the event that the follower has
// locked.
TEST_F(PostgresNodes, FollowingWaitsForAConnectionBeforeItLocksAnEvent) {
  const EventNumber event = create_event();
  second_ = node({.url = {}, .connections_max = 1});
  ASSERT_TRUE(bring(*second_, event));
  std::atomic<bool> ends{false};
  std::thread writer([&] {
    Desk desk(*first_);
    for (std::uint64_t id = 1; !ends; ++id) {
      EXPECT_TRUE(desk.hold(event, reservation_id(event, id), {1}).accepted());
      EXPECT_TRUE(desk.release(event, reservation_id(event, id)).accepted());
    }
  });
  auto longest = Clock::duration::zero();
  for (int i = 0; i < 500; ++i) {
    const auto started = Clock::now();
    EXPECT_TRUE(bring(*second_, event));
    longest = std::max(longest, Clock::now() - started);
  }
  ends = true;
  writer.join();
  EXPECT_LT(longest, pg::PoolOptions().patience - milliseconds(500)) << "nobody has waited until the other gave up";
}

// A table is locked by another session, so that an event which must be loaded again cannot be; another event needs only its
// journal.
TEST_F(PostgresNodes, FollowOtherEventsThoughOneCannotBeLoaded) {
  const EventNumber stuck = create_event();
  const EventNumber other = create_event();
  const auto follows = node({.url = {}, .patience = std::chrono::milliseconds(200)});
  ASSERT_TRUE(bring(*follows, stuck) && bring(*follows, other));
  // A failed batch makes the node drop the event's inventory.
  run("create function holdfast.refuse() returns trigger language plpgsql as $$ begin if new.event = " + std::to_string(stuck) +
      " then raise exception 'no'; end if; return new; end $$; "
      "create trigger refuse before insert on holdfast.journal for each row execute function holdfast.refuse()");
  EXPECT_EQ(Desk(*follows).hold(stuck, reservation_id(stuck, 1), {1}).reason, Reason::unavailable);
  run("drop trigger refuse on holdfast.journal");
  Sql blocker(database_.url());
  blocker.run("begin; lock table holdfast.plan_part in access exclusive mode");
  ASSERT_TRUE(Desk(*first_).hold(stuck, reservation_id(stuck, 2), {2}).accepted());
  for (SeatIndex seat = 0; seat < 5; ++seat) {
    ASSERT_TRUE(Desk(*first_).hold(other, reservation_id(other, seat + 1), {seat}).accepted());
    EXPECT_TRUE(eventually([&] { return shows(*follows, other, seat, SeatState::held); }, 2 * k_patience)) << "seat " << seat;
  }
  EXPECT_TRUE(eventually([&] { return follows->stats().events_left_out > 0; }, 3 * k_patience));
  EXPECT_NE(follows->degradation().find("event " + std::to_string(stuck)), std::string::npos) << follows->degradation();
  EXPECT_FALSE(shows(*follows, stuck, 2, SeatState::held));
  blocker.run("rollback");
  EXPECT_TRUE(eventually([&] { return shows(*follows, stuck, 2, SeatState::held); }, 3 * k_patience));
  EXPECT_TRUE(eventually([&] { return follows->stats().events_left_out == 0; }, 3 * k_patience));
}

}  // namespace
}  // namespace holdfast::test
