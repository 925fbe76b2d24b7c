// Imports and their leases: nobody abandons a running import or an event that has opened. The ids of a dead import are given back
// in pieces, for which nothing else waits.
#include <gtest/gtest.h>

#include "ledger/postgres/nodes.h"
#include "support/wire.h"

namespace holdfast::test {
namespace {

class PostgresImports : public PostgresNodes {
 protected:
  EventNumber reserve(PostgresLedger& ledger, const std::shared_ptr<const Plan>& plan) {
    return ledger.reserve_event({.card = {.number = 0, .id = id_}, .settings = {}, .plan = plan}).value_or(0);
  }
  static void bring_seats(PostgresLedger& ledger, EventNumber event, const Plan& plan) {
    std::string bytes;
    Writer writer(bytes);
    plan.encode_header(writer);
    ASSERT_TRUE(Desk(ledger).does(event, Create{.plan_header = bytes}).accepted());
    bytes.clear();
    plan.encode_seats(0, plan.size(), writer);
    ASSERT_TRUE(Desk(ledger).does(event, AppendSeats{.encoded = bytes, .count = plan.size()}).accepted());
  }
  std::string rows_of_import(EventNumber event) { return of_event("select count(*) from holdfast.import where event = $1", event); }
  std::string ids_of(EventNumber event) { return of_event("select count(*) from holdfast.seat_directory where event = $1", event); }

  Uuid id_ = uuid_of(500);
};

TEST_F(PostgresImports, ALeaseBeginsWhenAllIdsAreTaken) {
  run("create table public.seen (ids bigint); grant all on public.seen to public;"
      "create function public.look() returns trigger language plpgsql as $$ begin "
      "insert into public.seen select count(*) from holdfast.seat_directory where event = new.event; return new; end $$;"
      "create trigger look after insert on holdfast.import for each row execute function public.look()");
  ASSERT_NE(reserve(*first_, plan_of(id_, 12'000)), 0u);
  EXPECT_EQ(Sql(database_.url()).value("select ids from public.seen"), "12000");
}

// At 3 ms a seat these ids take longer than one statement of a ledger's session may.
TEST_F(PostgresImports, TakesIdsInSmallerPiecesWhileTheDatabaseIsSlow) {
  run("create table public.pieces (n serial, ids bigint); grant all on public.pieces, public.pieces_n_seq to public;"
      "create function public.slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.003); return new; end $$;"
      "create function public.count_piece() returns trigger language plpgsql as $$ begin "
      "insert into public.pieces (ids) select count(*) from added; return null; end $$;"
      "create trigger slow before insert on holdfast.seat_directory for each row execute function public.slow();"
      "create trigger pieces after insert on holdfast.seat_directory referencing new table as added for each statement execute function "
      "public.count_piece()");
  ASSERT_NE(reserve(*first_, plan_of(id_, 2'000)), 0u);
  Sql sql(database_.url());
  EXPECT_EQ(sql.value("select sum(ids) from public.pieces"), "2000");
  EXPECT_EQ(sql.value("select ids < 250 from public.pieces order by n offset 1 limit 1"), "t") << "after the first";
}

TEST_F(PostgresImports, OneThatTimesOutLeavesNothing) {
  run("create function public.too_slow() returns trigger language plpgsql as $$ begin "
      "if (select count(*) from holdfast.seat_directory) > 1500 then raise exception 'too slow' using errcode = '57014'; end if; "
      "return null; end $$;"
      "create trigger too_slow after insert on holdfast.seat_directory for each statement execute function public.too_slow()");
  const auto plan = plan_of(id_, 3'000);
  const auto refused = first_->reserve_event({.card = {.number = 0, .id = id_}, .settings = {}, .plan = plan});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, CreationProblem::Kind::unavailable);
  Sql sql(database_.url());
  for (const char* table : {"seat_directory", "event_directory", "event", "import"}) {
    EXPECT_EQ(sql.value("select count(*) from holdfast." + std::string(table)), "0") << table;
  }
  run("drop trigger too_slow on holdfast.seat_directory");
  EXPECT_NE(Desk(*first_).create_event(id_, plan), 0u);
}

// Otherwise each id would go to another page of the directory's index.
TEST_F(PostgresImports, IdsAreTakenInTheirOrderAndEachForItsSeat) {
  const EventNumber event = Desk(*first_).create_event(id_, plan_of(id_, 7'000));
  ASSERT_NE(event, 0u);
  ASSERT_TRUE(eventually([&] { return has_in_tables(event, head(event)); }));
  Sql sql(database_.url());
  EXPECT_EQ(sql.value("select count(*) from (select left(id, 4) as id, lag(left(id, 4)) over (order by ctid) as before "
                      "from holdfast.seat_directory) d where id < before"),
            "0");
  EXPECT_EQ(sql.value("select count(*) from holdfast.seat_directory d join holdfast.seat s using (id, event, seat)"), "7000");
}

TEST_F(PostgresImports, OneThatAnotherNodeHasTakenOverDoesNotOpen) {
  first_ = node({.url = {}, .patience = milliseconds(300)});
  const auto plan = plan_of(id_, 100);
  const EventNumber event = reserve(*first_, plan);
  bring_seats(*first_, event, *plan);
  by_hand("update holdfast.import set node = '00000000-0000-0000-0000-000000000000', until = 0 where event = $1", event);
  EXPECT_EQ(Desk(*first_).does(event, Configure{.status = EventStatus::on_sale}).outcomes.front().reason, Reason::unavailable);
  first_->abandon_event(event);
  EXPECT_TRUE(eventually([&] { return rows_of_import(event) == "0"; }));
  EXPECT_EQ(ids_of(event), "0");
  EXPECT_FALSE(bring(*second_, event) && second_->event(event) != nullptr);
  EXPECT_NE(Desk(*second_).create_event(id_, plan), 0u);
}

TEST_F(PostgresImports, AnOpenEventKeepsItsIdsWhateverItsNodeBelieves) {
  Wire wire(port_in(database_.url()));
  first_ = node({.url = with_port(database_.url(), wire.port())});
  const auto plan = plan_of(id_, 100);
  const EventNumber event = reserve(*first_, plan);
  bring_seats(*first_, event, *plan);
  wire.cut_at("append", Wire::Cut::answer, true);
  EXPECT_EQ(Desk(*first_).does(event, Configure{.status = EventStatus::on_sale}).outcomes.front().reason, Reason::unavailable);
  wire.mend();
  // As the engine does when the outcome of the last step is unknown.
  ASSERT_TRUE(eventually([&] {
    return Desk(*first_).does(event, Configure{.status = EventStatus::abandoned}).outcomes.front().reason != Reason::unavailable;
  }));
  first_->abandon_event(event);
  EXPECT_NE(first_->event(event), nullptr);
  EXPECT_EQ(ids_of(event), "100");
  EXPECT_EQ(rows_of_import(event), "0");
  EXPECT_TRUE(Desk(*second_).hold(event, reservation_id(event, 1), {1}).accepted());
}

TEST_F(PostgresImports, TheIdsOfADeadOneAreGivenBackInPieces) {
  run("create table public.pieces (ids bigint); grant all on public.pieces to public;"
      "create function public.count_piece() returns trigger language plpgsql as $$ begin "
      "insert into public.pieces select count(*) from gone; return null; end $$;"
      "create trigger pieces after delete on holdfast.seat_directory referencing old table as gone for each statement execute function "
      "public.count_piece()");
  const auto plan = plan_of(id_, 25'000);
  const EventNumber event = reserve(*first_, plan);
  ASSERT_NE(event, 0u);
  first_.reset();
  by_hand("update holdfast.import set until = 0 where event = $1", event);
  ASSERT_TRUE(eventually([&] { return rows_of_import(event) == "0"; }));
  EXPECT_EQ(ids_of(event), "0");
  Sql sql(database_.url());
  EXPECT_EQ(sql.value("select sum(ids) from public.pieces"), "25000");
  EXPECT_EQ(sql.value("select max(ids) <= 10000 from public.pieces"), "t");
  EXPECT_NE(Desk(*second_).create_event(id_, plan_of(id_, 10)), 0u);
}

// Events with ended holds are brought one by one, and each may wait for the lock timeout.
TEST_F(PostgresImports, ARunningOneKeepsItsLeaseThoughHousekeepingIsStuck) {
  second_.reset();
  for (int i = 0; i < 10; ++i) {
    const EventNumber held = create_event();
    ASSERT_TRUE(Desk(*first_).hold(held, reservation_id(held, 1), {1}, "anna", 1'000).accepted());
    ASSERT_TRUE(eventually([&] { return has_in_tables(held, head(held)); }));
  }
  first_.reset();   // then no node serves them
  Sql locker(database_.url());
  locker.run("begin; lock table holdfast.plan_part in access exclusive mode");
  first_ = node();
  const EventNumber event = reserve(*first_, plan_of(id_, 100));
  ASSERT_NE(event, 0u);
  Sql sql(database_.url());
  const auto waits_for_the_table = [&] {
    return sql.value(
               "select count(*) > 0 from pg_locks l join pg_database d on d.oid = l.database where not l.granted and "
               "d.datname = current_database() and l.relation = 'holdfast.plan_part'::regclass") == "t";
  };
  ASSERT_TRUE(eventually(waits_for_the_table)) << "the housekeeping";
  by_hand("update holdfast.import set until = floor(extract(epoch from clock_timestamp()) * 1000)::bigint + 2000 where event = $1", event);
  second_ = node();   // would abandon it when the two seconds are over
  EXPECT_TRUE(eventually([&] {
    return sql.value("select count(*) from holdfast.import where until > extract(epoch from clock_timestamp()) * 1000 + 20000") == "1";
  })) << "its lease was renewed";
  EXPECT_TRUE(waits_for_the_table());
  locker.run("rollback");
}

TEST_F(PostgresImports, OneThatFailedDuringAnOutageLosesItsLease) {
  Wire wire(port_in(database_.url()));
  first_ = node({.url = with_port(database_.url(), wire.port())});
  second_.reset();
  const auto plan = plan_of(id_, 100);
  const EventNumber event = reserve(*first_, plan);
  bring_seats(*first_, event, *plan);
  wire.cut_all();
  first_->abandon_event(event);
  by_hand("update holdfast.import set until = 0 where event = $1", event);   // its 30 s are over
  wire.mend();
  EXPECT_TRUE(eventually([&] { return rows_of_import(event) == "0"; }));
  EXPECT_EQ(ids_of(event), "0");
  EXPECT_NE(Desk(*first_).create_event(id_, plan), 0u);
}

}   // namespace
}   // namespace holdfast::test
