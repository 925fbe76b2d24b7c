// Failures of a batch on its way into PostgreSQL: a connection that ends at the commit, a standby that is away, locks and
// statements that take too long. What was accepted is there once; a repeat of an `unavailable` request sells nothing twice.
#include <gtest/gtest.h>

#include <future>

#include "ledger/postgres/nodes.h"
#include "ledger/postgres/verify.h"
#include "support/wire.h"

namespace holdfast::test {
namespace {

constexpr std::string_view k_says_write = "append";   // what a batch sends with its commit, in one piece

class PostgresCommit : public PostgresNodes {
 protected:
  // The first node writes through a wire; the second one sees the result.
  void SetUp() override {
    PostgresNodes::SetUp();
    first_ = node({.url = with_port(database_.url(), wire_.port())});
    event_ = create_event();
  }
  std::string rows_of(const char* condition) {
    return of_event(std::string("select count(*) from holdfast.journal where event = $1 and ") + condition, event_);
  }
  Submission hold_with_key(std::uint64_t id, SeatIndex seat) {
    seats_ = {seat};
    Submission submission;
    submission.parts.push_back(
        {event_, Hold{.reservation = reservation_id(event_, id), .customer = "anna", .seats = seats_, .duration = k_hour}});
    submission.key = key_of(1, 1);
    return submission;
  }

  Wire wire_{port_in(database_.url())};
  EventNumber event_ = 0;
  SeatList seats_;
};

TEST_F(PostgresCommit, WithALostAnswerIsFoundAndAnsweredOnce) {
  const std::string before = head(event_);
  wire_.cut_at(k_says_write, Wire::Cut::answer);
  ASSERT_TRUE(Desk(*first_).hold(event_, reservation_id(event_, 1), {1, 2}).accepted());
  EXPECT_EQ(wire_.cuts(), 1u);
  EXPECT_EQ(first_->stats().commits_settled, 1u);
  EXPECT_EQ(first_->stats().batches_again, 0u);
  EXPECT_EQ(head(event_), std::to_string(std::stoull(before) + 1));
  expect_no_gaps(event_);
  EXPECT_EQ(first_->event(event_)->seat(1, first_->now()).version, 1u);
  EXPECT_EQ(told(Desk(*second_).hold(event_, reservation_id(event_, 2), {2})), "seat_unavailable 2");
  EXPECT_TRUE(Desk(*first_).consume(event_, reservation_id(event_, 1)).accepted());
}

TEST_F(PostgresCommit, ThatNeverArrivedIsRepeatedAndHappensOnce) {
  const std::string before = head(event_);
  wire_.cut_at(k_says_write, Wire::Cut::request);
  ASSERT_TRUE(Desk(*first_).hold(event_, reservation_id(event_, 1), {1, 2}).accepted());
  EXPECT_EQ(wire_.cuts(), 1u);
  EXPECT_EQ(first_->stats().commits_settled, 0u);
  EXPECT_EQ(first_->stats().batches_again, 1u);
  EXPECT_EQ(head(event_), std::to_string(std::stoull(before) + 1));
  expect_no_gaps(event_);
  ASSERT_TRUE(bring(*second_, event_));
  EXPECT_EQ(second_->event(event_)->seat(1, second_->now()).version, 1u);
}

TEST_F(PostgresCommit, OfASetIsFoundAsAWhole) {
  const EventNumber other = create_event();
  for (const auto cut : {Wire::Cut::answer, Wire::Cut::request}) {
    const auto number = static_cast<std::uint64_t>(cut) + 1;
    const SeatList seats{static_cast<SeatIndex>(number)};
    Submission set;
    for (const EventNumber event : {event_, other}) {
      set.parts.push_back(
          {event,
           Hold{.reservation = reservation_id(event, number), .kind = ReservationKind::ticket_lock, .seats = seats, .duration = k_hour}});
    }
    wire_.cut_at(k_says_write, cut);
    ASSERT_TRUE(Desk(*first_).asks(std::move(set)).accepted());
    for (const EventNumber event : {event_, other}) {
      ASSERT_TRUE(bring(*second_, event));
      EXPECT_EQ(second_->event(event)->seat(seats.front(), second_->now()).reservation, reservation_id(event, number));
      expect_no_gaps(event);
    }
  }
  EXPECT_EQ(wire_.cuts(), 2u);
  EXPECT_EQ(first_->stats().commits_settled, 1u);
}

TEST_F(PostgresCommit, WithAnUnknownOutcomeIsAnsweredLaterToTheSameKey) {
  wire_.cut_at(k_says_write, Wire::Cut::answer, true);
  EXPECT_EQ(Desk(*first_).asks(hold_with_key(1, 1)).outcomes.front().reason, Reason::unavailable);   // after it has looked for 10 s
  EXPECT_EQ(rows_of("changes = 1 and first_seq = (select max(first_seq) from holdfast.journal where event = $1)"), "1") << "it is there";
  wire_.mend();
  Verdict again;
  ASSERT_TRUE(eventually([&] {
    again = Desk(*first_).asks(hold_with_key(2, 1));
    return again.outcomes.front().reason != Reason::unavailable;
  }));
  EXPECT_TRUE(again.replayed);
  EXPECT_TRUE(again.accepted());
  EXPECT_EQ(again.outcomes.front().reservation->id, reservation_id(event_, 1));
  EXPECT_EQ(told(Desk(*first_).hold(event_, reservation_id(event_, 3), {1})), "seat_unavailable 1");
  expect_no_gaps(event_);
}

TEST_F(PostgresCommit, WithAnyWarningIsVerifiedBeforeItIsAnswered) {
  run("create function public.warn() returns trigger language plpgsql as $$ begin raise warning 'das Warten wird abgebrochen'; return "
      "null; end $$;"
      "create constraint trigger warns after insert on holdfast.journal deferrable initially deferred for each row execute function "
      "public.warn()");
  EXPECT_TRUE(Desk(*first_).hold(event_, reservation_id(event_, 1), {1}).accepted());
  EXPECT_EQ(first_->stats().commits_settled, 1u);
  EXPECT_EQ(rows_of("first_seq = (select max(first_seq) from holdfast.journal where event = $1)"), "1");
  expect_no_gaps(event_);
}

// A repeated batch begins with a replica that was loaded again. Readers must have the same reservations in memory as that one, or
// the two forget different ones.
TEST_F(PostgresCommit, ThatIsRepeatedKeepsReadersReservationsInMemory) {
  first_ = node({.url = with_port(database_.url(), wire_.port()), .ended_in_memory_max = 2});
  Desk desk(*first_);
  const auto end = [&](std::uint64_t number, SeatIndex seat) {
    ASSERT_TRUE(desk.hold(event_, reservation_id(event_, number), {seat}).accepted());
    ASSERT_TRUE(desk.release(event_, reservation_id(event_, number)).accepted());
  };
  end(1, 1);
  end(2, 2);
  ASSERT_TRUE(eventually([&] { return has_in_tables(event_, head(event_)); }));
  wire_.cut_at(k_says_write, Wire::Cut::request);
  ASSERT_TRUE(desk.hold(event_, reservation_id(event_, 3), {3}).accepted());
  ASSERT_EQ(first_->stats().batches_again, 1u);
  for (const std::uint64_t number : {2U, 1U}) {   // recalled in another order than they ended in
    EXPECT_EQ(desk.does(event_, Extend{reservation_id(event_, number), k_minute}).outcomes[0].reason, Reason::reservation_not_active);
  }
  ASSERT_TRUE(desk.release(event_, reservation_id(event_, 3)).accepted());   // one too many: the oldest is forgotten
  for (const std::uint64_t number : {1U, 2U}) {
    ASSERT_TRUE(desk.consume(event_, reservation_id(event_, number), "order-1", true).accepted());
    EXPECT_EQ(first_->reservation(reservation_id(event_, number))->status, ReservationStatus::consumed);
  }
  EXPECT_EQ(first_->damage(), "");
}

// ---- a synchronous standby

TEST(PostgresStandby, ACommitIsNotAnsweredBeforeTheStandbyHasIt) {
  const PostgresServer server;
  const PostgresDatabase database(server);
  pg::migrate({.url = database.url()});
  PostgresLedger ledger({.url = database.url()});
  const EventNumber event = Desk(ledger).create_event(uuid_of(1), plan_of(uuid_of(1), 10));
  ASSERT_NE(event, 0u);
  Sql admin(server.admin_url("postgres"));
  const auto set_standby = [&](const std::string& name) {
    admin.run("ALTER SYSTEM SET synchronous_standby_names = '" + name + "'");
    admin.run("SELECT pg_reload_conf()");
    ASSERT_TRUE(eventually([&] { return Sql(server.admin_url("postgres")).value("SHOW synchronous_standby_names") == name; }));
  };
  const auto waiting = [&] {
    return admin.value(
        "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'holdfast ledger'");
  };
  set_standby("away");
  auto answer = std::async(std::launch::async, [&] { return Desk(ledger).hold(event, reservation_id(event, 1), {1}); });
  std::string first;
  ASSERT_TRUE(eventually([&] { return (first = waiting()) != "0"; }));
  // By that it is committed here, and visible; only the wait is over.
  ASSERT_EQ(admin.value("SELECT pg_terminate_backend($1)", {first}), "t");
  EXPECT_TRUE(eventually([&] {
    const std::string next = waiting();
    return next != "0" && next != first;
  })) << "whoever looks for the commit must wait for the standby too";
  EXPECT_EQ(answer.wait_for(milliseconds(0)), std::future_status::timeout) << "it was answered, and a failover would take it back";
  set_standby("");
  EXPECT_TRUE(answer.get().accepted());
  EXPECT_EQ(ledger.stats().commits_settled, 1u);
}

// ---- what takes too long

class PostgresTimeouts : public PostgresNodes {};

TEST_F(PostgresTimeouts, OnlyTheEventThatAnotherProgramHasLockedIsUnavailable) {
  const EventNumber locked = create_event();
  const EventNumber open = create_event();
  const std::string before = head(locked);
  Sql locker(database_.url());
  locker.run("begin");
  locker.query("select 1 from holdfast.event where number = $1 for update", {std::to_string(locked)});
  Round round;
  for (const EventNumber event : {locked, open}) {
    round.add(event, Hold{.reservation = reservation_id(event, 1), .customer = "anna", .seats = round.keep({1}), .duration = k_hour});
  }
  const auto began = Clock::now();
  EXPECT_FALSE(round.run(*first_).durable);
  EXPECT_GE(Clock::now() - began, milliseconds(4'000)) << "it is tried for so long";
  EXPECT_EQ(round.verdict(0).outcomes.front().reason, Reason::unavailable);
  EXPECT_TRUE(round.verdict(1).accepted());
  EXPECT_EQ(head(locked), before);
  locker.run("rollback");
  EXPECT_TRUE(Desk(*first_).hold(locked, reservation_id(locked, 2), {1}).accepted());
  EXPECT_EQ(told(Desk(*second_).hold(locked, reservation_id(locked, 3), {1})), "seat_unavailable 1");
  expect_no_gaps(locked);
}

TEST_F(PostgresTimeouts, AStatementThatTimesOutUndoesItsWholeBatch) {
  const EventNumber quick = create_event();
  const EventNumber slow = create_event();
  const std::string before = head(quick);
  run("create function public.wait_for_ever() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return new; end $$;"
      "create trigger slow before insert on holdfast.journal for each row when (new.event = " +
      std::to_string(slow) + ") execute function public.wait_for_ever()");
  const auto hold_both = [&](std::uint64_t number) {
    const SeatList seats{1};
    Submission set;
    for (const EventNumber event : {quick, slow}) {
      set.parts.push_back(
          {event,
           Hold{.reservation = reservation_id(event, number), .kind = ReservationKind::ticket_lock, .seats = seats, .duration = k_hour}});
    }
    return Desk(*first_).asks(std::move(set));
  };
  EXPECT_EQ(hold_both(1).outcomes.front().reason, Reason::unavailable);   // after statement_timeout, 5 s
  EXPECT_EQ(head(quick), before) << "the row of the first event must go with that of the second";
  ASSERT_TRUE(bring(*first_, quick));
  EXPECT_TRUE(shows(*first_, quick, 1, SeatState::available));
  run("drop trigger slow on holdfast.journal");
  EXPECT_TRUE(hold_both(2).accepted());
  for (const EventNumber event : {quick, slow}) {
    expect_no_gaps(event);
    ASSERT_TRUE(bring(*second_, event));
    EXPECT_EQ(second_->event(event)->seat(1, second_->now()).reservation, reservation_id(event, 2));
  }
}

// ---- tables that cannot be read

class PostgresUnreadable : public PostgresNodes {};

TEST_F(PostgresUnreadable, AReservationRefusesOnlyItsOwnCommand) {
  const EventNumber event = create_event();
  for (std::uint64_t number = 1; number <= 2; ++number) {
    ASSERT_TRUE(Desk(*first_).hold(event, reservation_id(event, number), {static_cast<SeatIndex>(number)}).accepted());
    ASSERT_TRUE(Desk(*first_).release(event, reservation_id(event, number)).accepted());
  }
  ASSERT_TRUE(eventually([&] { return has_in_tables(event, head(event)); }));
  const auto third = node();   // it never had the ended reservation in memory
  const auto write = [&](const std::string& what) {
    run("update holdfast.reservation set " + what + " where id = '" + holdfast::to_string(reservation_id(event, 1)) + "'");
  };
  SeatIndex seat = 10;
  for (const char* wrong : {"owned = 3", "seats = '{70000}', owned = 0", "seats = '{1, 1}'"}) {
    write(wrong);
    Round round;
    round.add(event, Consume{.reservation = reservation_id(event, 1), .order = "order-1", .reinstate = true});
    round.add(event,
              Hold{.reservation = reservation_id(event, 100 + seat), .customer = "b", .seats = round.keep({seat}), .duration = k_hour});
    round.add(event, Extend{.reservation = reservation_id(event, 2), .duration = k_minute});
    round.run(*third);
    EXPECT_EQ(told(round.verdict(0).outcomes.front()), "reservation_unreadable") << wrong;
    EXPECT_TRUE(round.verdict(1).accepted()) << wrong;
    EXPECT_EQ(told(round.verdict(2).outcomes.front()), "reservation_not_active") << wrong;
    ++seat;
  }
  EXPECT_EQ(third->damage(), "");
  write("seats = '{1}'");
  EXPECT_EQ(told(Desk(*third).consume(event, reservation_id(event, 1), "order-1", true)), "accepted");
}

// ---- tables in the batch's own transaction

class PostgresSync : public PostgresNodes {
 protected:
  void SetUp() override {
    PostgresNodes::SetUp();
    first_ = node({.url = {}, .sync_projection = true, .patience = milliseconds(300)});
    second_ = node({.url = {}, .sync_projection = true, .patience = milliseconds(300)});
  }
  // No waiting here.
  std::string seat_in_tables(EventNumber event, SeatIndex seat) {
    return Sql(database_.url())
        .value(
            "select case when kind in (4, 5) then 'h' when kind = 8 then 's' when kind = 11 then 'b' else 'a' end || coalesce(version, 0) "
            "from holdfast.seat s left join lateral (select version, kind from holdfast.seat_change c where c.event = s.event and "
            "c.seat = s.seat order by version desc limit 1) c on true where s.event = $1 and s.seat = $2",
            {std::to_string(event), std::to_string(seat)});
  }
  pg::EventVerified verified(EventNumber event) {
    pg::Connection connection(pg::for_verifying({.url = database_.url()}));
    return pg::verify_event(connection, event);
  }
};

TEST_F(PostgresSync, TablesAgreeWithTheJournalAtEachAnswer) {
  const EventNumber event = create_event();
  for (SeatIndex seat = 0; seat < 60; ++seat) {
    const Uuid id = reservation_id(event, seat + 1);
    PostgresLedger& ledger = seat % 2 == 0 ? *first_ : *second_;
    ASSERT_TRUE(Desk(ledger).hold(event, id, {seat}).accepted());
    ASSERT_EQ(seat_in_tables(event, seat), "h1");
    ASSERT_TRUE(has_in_tables(event, head(event)));
    if (seat % 3 == 0) {
      ASSERT_TRUE(Desk(ledger).consume(event, id).accepted());
      ASSERT_EQ(seat_in_tables(event, seat), "s2");
    } else if (seat % 3 == 1) {
      ASSERT_TRUE(Desk(ledger).release(event, id).accepted());
      ASSERT_EQ(seat_in_tables(event, seat), "a2");
    }
    if (seat % 20 != 0) continue;
    const pg::EventVerified now = verified(event);
    EXPECT_EQ(now.problems, std::vector<std::string>{});
    EXPECT_EQ(now.changes_behind, 0u);
  }
}

TEST_F(PostgresSync, ADamagedTableIsNamedAndStopsOnlyItsEvent) {
  const EventNumber damaged = create_event();
  const EventNumber whole = create_event();
  ASSERT_TRUE(Desk(*first_).hold(damaged, reservation_id(damaged, 1), {1}).accepted());
  const std::string before = head(damaged);
  by_hand("update holdfast.reservation set status = 2 where event = $1", damaged);
  for (const SeatIndex seat : {1U, 2U}) {
    Round round;
    round.add(damaged, Consume{.reservation = reservation_id(damaged, 1), .order = "order-1"});
    round.add(whole, Hold{.reservation = reservation_id(whole, seat), .customer = "ben", .seats = round.keep({seat}), .duration = k_hour});
    round.run(*first_);
    EXPECT_EQ(round.verdict(0).outcomes.front().reason, Reason::unavailable);
    EXPECT_TRUE(round.verdict(1).accepted());
    EXPECT_NE(first_->damage().find("event " + std::to_string(damaged)), std::string::npos) << first_->damage();
  }
  EXPECT_EQ(head(damaged), before);
}

TEST_F(PostgresSync, WritesJournalAndTablesOrNeither) {
  const EventNumber event = create_event();
  ASSERT_TRUE(Desk(*first_).hold(event, reservation_id(event, 1), {1}).accepted());
  const std::string before = head(event);
  run("create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'not this one'; end $$;"
      "create trigger refuses before insert on holdfast.reservation for each row execute function public.refuse()");
  EXPECT_EQ(Desk(*first_).hold(event, reservation_id(event, 2), {2}).reason, Reason::unavailable);
  EXPECT_GT(first_->stats().batches_again, 0u);
  EXPECT_EQ(head(event), before);
  EXPECT_EQ(seat_in_tables(event, 2), "a0");
  ASSERT_TRUE(bring(*first_, event));
  EXPECT_TRUE(shows(*first_, event, 2, SeatState::available));
  run("drop trigger refuses on holdfast.reservation");
  EXPECT_TRUE(Desk(*second_).hold(event, reservation_id(event, 3), {2}).accepted());
  EXPECT_EQ(told(Desk(*first_).hold(event, reservation_id(event, 4), {2})), "seat_unavailable 2");
  EXPECT_TRUE(Desk(*first_).hold(event, reservation_id(event, 5), {3}).accepted());
  EXPECT_EQ(seat_in_tables(event, 2) + seat_in_tables(event, 3), "h1h1");
  const pg::EventVerified now = verified(event);
  EXPECT_EQ(now.problems, std::vector<std::string>{});
  EXPECT_EQ(now.changes_behind, 0u);
}

}  // namespace
}  // namespace holdfast::test
