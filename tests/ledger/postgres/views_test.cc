// The views for other programs, as both contracts define them; and the migration that creates them.
#include <gtest/gtest.h>

#include <thread>

#include "ledger/postgres/journal_in_test.h"
#include "ledger/postgres/schema.h"
#include "ledger/postgres/schema_sql.h"
#include "ledger/wall_time.h"
#include "support/process.h"
#include "support/sql.h"
#include "support/waiting.h"

namespace holdfast::test {
namespace {

using Rows = std::vector<Sql::Row>;

class PostgresViews : public ::testing::Test {
 protected:
  Uuid hold(std::vector<SeatIndex> seats, std::string customer, Millis duration = 600'000,
            ReservationKind kind = ReservationKind::customer) {
    const Uuid id = journal.new_id();
    const Outcome outcome = journal.does(Hold{.reservation = id, .kind = kind, .customer = customer, .seats = seats, .duration = duration});
    EXPECT_TRUE(outcome.accepted());
    return id;
  }
  void project() { project_all(settings, 1); }
  std::string seat_id(SeatIndex seat) const { return journal.plan().seat_id(seat); }

  PostgresDatabase database;
  pg::Settings settings = migrated(database);
  Millis begin = wall_time() - 100'000;
  JournalInTest journal{settings, 1, 40, 1, begin};
  Sql sql{database.url()};
};

TEST_F(PostgresViews, ReservationsHasTheColumnsAndTypesOfTheContract) {
  const Rows types = sql.query(
      "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'reservations' "
      "ORDER BY ordinal_position");
  const Rows expected{{"id", "uuid"},
                      {"seatid", "uuid"},
                      {"customerid", "character varying"},
                      {"createdat", "timestamp without time zone"},
                      {"expiresat", "timestamp without time zone"},
                      {"status", "character varying"}};
  EXPECT_EQ(types, expected);
}

TEST_F(PostgresViews, ReservationsShowsAReservationOfOneSeatUnderItsOwnId) {
  const Uuid id = hold({3}, "customer-123");
  project();
  const Rows rows = sql.query(
      "SELECT Id, SeatId, CustomerId, (extract(epoch FROM CreatedAt) * 1000)::bigint, (extract(epoch FROM ExpiresAt) * 1000)::bigint, "
      "Status "
      "FROM Reservations");
  const Rows expected{{holdfast::to_string(id), seat_id(3), "customer-123", std::to_string(journal.now()),
                       std::to_string(journal.now() + 600'000), "active"}};
  EXPECT_EQ(rows, expected);
}

TEST_F(PostgresViews, ReservationsHasARowForEachSeatWithAnIdOfItsOwn) {
  const Uuid id = hold({3, 4, 5}, "anna");
  project();
  EXPECT_EQ(sql.value("SELECT count(*) FROM Reservations"), "3");
  EXPECT_EQ(sql.value("SELECT count(DISTINCT Id) FROM Reservations WHERE Id <> $1::uuid", {holdfast::to_string(id)}), "3");
  const Rows before = sql.query("SELECT Id, SeatId FROM Reservations ORDER BY SeatId");
  journal.does(Extend{.reservation = id, .duration = 900'000});
  project();
  EXPECT_EQ(sql.query("SELECT Id, SeatId FROM Reservations ORDER BY SeatId"), before) << "an id is the same each time";
}

TEST_F(PostgresViews, ReservationsShowsHowEachOneEnded) {
  const Uuid sold = hold({0}, "sold");
  journal.does(Consume{.reservation = sold, .order = "order-1"});
  const Uuid released = hold({1}, "released");
  journal.does(Release{.reservation = released});
  hold({2}, "expired", 1'000);
  journal.pass(1'000);
  journal.does(Sweep{.limit = 10});
  hold({3}, "over but not swept", 1'000);   // it ends long before the database's time
  hold({4}, "active");
  project();
  const Rows expected{
      {"active", "active"}, {"expired", "expired"}, {"over but not swept", "expired"}, {"released", "released"}, {"sold", "consumed"}};
  EXPECT_EQ(sql.query("SELECT CustomerId, Status FROM Reservations ORDER BY CustomerId COLLATE \"C\""), expected);
}

TEST_F(PostgresViews, ReservationsLeavesOutTicketLocksAndSeatsWithoutAUuid) {
  hold({3}, "", 600'000, ReservationKind::ticket_lock);
  hold({9, 10}, "anna");   // the id of seat 9 is not a UUID
  project();
  const Rows expected{{seat_id(10), "anna"}};
  EXPECT_EQ(sql.query("SELECT SeatId, CustomerId FROM Reservations"), expected);
}

TEST_F(PostgresViews, ReservationsShowsASeatOnceThatLeftAReservationAndCameBack) {
  const Uuid id = hold({3, 4}, "anna");
  const std::vector<SeatIndex> third{3};
  journal.does(Release{.reservation = id, .seats = third});
  journal.does(Add{.reservation = id, .seats = third});
  project();
  EXPECT_EQ(sql.value("SELECT count(*) FROM Reservations"), "2");
  EXPECT_EQ(sql.value("SELECT count(*) FROM Reservations WHERE SeatId = $1::uuid", {seat_id(3)}), "1");
}

TEST_F(PostgresViews, ReservationsFindsIdSeatAndCustomerByIndex) {
  journal.play(2'000);
  project();
  sql.run("ANALYZE");
  sql.run("SET enable_seqscan = off");   // the tables are small here: the question is whether an index can be used
  for (const char* where :
       {"Id = '00000001-19c5-84df-8f12-6ae831d26241'", "SeatId = '00000001-19c5-84df-8f12-6ae831d26241'", "CustomerId = 'customer-7'"}) {
    std::string plan;
    for (const Sql::Row& line : sql.query(std::string("EXPLAIN SELECT * FROM Reservations WHERE ") + where)) plan += *line[0] + "\n";
    EXPECT_EQ(plan.find("Seq Scan"), std::string::npos) << where << "\n" << plan;
  }
}

// 30,000 more seats of event 1, 10,000 reservations of three of them, every eighth active; the seats of the others are free
// again.
void fill_with_larger_reservations(Sql& sql) {
  sql.run(
      "INSERT INTO holdfast.seat (event, seat, uuid, x, y, id, section, \"row\", number, category) "
      "SELECT 1, g, md5('s' || g)::uuid, 0, 0, md5('s' || g)::uuid::text, 'Z', '1', g, 'c' FROM generate_series(1000, 30999) g;"
      "INSERT INTO holdfast.reservation (event, kind, status, owned, created_seq, created_at, expires_at, id, customer, order_id, seats) "
      "SELECT 1, 0, CASE WHEN g % 8 = 0 THEN 0 ELSE 2 END, CASE WHEN g % 8 = 0 THEN 3 ELSE 0 END, 1000000 + g, 1, "
      "(extract(epoch FROM now()) * 1000)::bigint + 600000, ('00000001' || substr(md5('r' || g), 9))::uuid, 'larger-' || g, '', "
      "ARRAY[1000 + 3 * g, 1001 + 3 * g, 1002 + 3 * g] FROM generate_series(0, 9999) g;"
      "INSERT INTO holdfast.seat_change SELECT event, s, 1, 4, created_seq, 1, id FROM holdfast.reservation, unnest(seats) s "
      "WHERE created_seq >= 1000000;"
      "INSERT INTO holdfast.seat_change SELECT event, s, 2, 7, created_seq + 1000000, 2, id FROM holdfast.reservation, unnest(seats) s "
      "WHERE created_seq >= 1000000 AND status = 2;"
      "ANALYZE");
}

// The pages that the server reads to answer a query: its cost, however busy the machine is.
std::int64_t pages_of(Sql& sql, const std::string& question) {
  const Rows plan = sql.query("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) " + question);
  std::string text;
  for (const Sql::Row& line : plan) text += *line[0];
  const auto number_after = [&](const std::string& name) {
    const std::size_t at = text.find("\"" + name + "\": ");   // of the topmost node, which includes all below it
    return at == std::string::npos ? 0 : std::stoll(text.substr(at + name.size() + 4));
  };
  return number_after("Shared Hit Blocks") + number_after("Shared Read Blocks");
}

TEST_F(PostgresViews, ReservationsFindsARowOfALargerReservationByItsIdAmongMany) {
  const Uuid id = hold({3, 4, 5}, "anna");
  const Uuid grown = hold({6}, "ben");
  project();
  journal.does(Add{.reservation = grown, .seats = std::vector<SeatIndex>{7}});   // two rows from now on, with ids of their own
  project();
  fill_with_larger_reservations(sql);
  for (const char* customer : {"anna", "ben", "larger-77"}) {
    const Rows rows = sql.query("SELECT Id, SeatId FROM Reservations WHERE CustomerId = $1 ORDER BY SeatId", {customer});
    EXPECT_EQ(rows.size(), std::string_view(customer) == "ben" ? 2u : 3u);
    for (const Sql::Row& row : rows) {
      const Rows found = sql.query("SELECT SeatId, CustomerId FROM Reservations WHERE Id = $1::uuid", {*row[0]});
      EXPECT_EQ(found, (Rows{{row[1], customer}}));
      EXPECT_LT(pages_of(sql, "SELECT * FROM Reservations WHERE Id = '" + *row[0] + "'"), 100);
    }
    EXPECT_LT(pages_of(sql, "SELECT * FROM Reservations WHERE CustomerId = '" + std::string(customer) + "'"), 100);
    EXPECT_LT(pages_of(sql, "SELECT * FROM Reservations WHERE SeatId = '" + *rows[0][1] + "'"), 100);
  }
  EXPECT_EQ(sql.value("SELECT count(*) FROM Reservations"), "30005");
  EXPECT_EQ(sql.value("SELECT count(*) FROM Reservations WHERE Id = $1::uuid", {holdfast::to_string(id)}), "0")
      << "it has no row of its own";
}

TEST_F(PostgresViews, AJoinOfTicketsAndTicketsBlockedReadsEachHistoryOnce) {
  project();
  fill_with_larger_reservations(sql);
  EXPECT_EQ(sql.value("SELECT count(*) FROM tickets_blocked"), "3750");
  const std::int64_t tickets = pages_of(sql, "SELECT count(*) FROM tickets WHERE status");
  const std::int64_t joined =
      pages_of(sql, "SELECT count(*) FROM tickets t LEFT JOIN tickets_blocked b USING (ticket_id) WHERE status OR b.ticket_id IS NULL");
  EXPECT_GT(tickets, 30'000) << "the question is none";
  EXPECT_LT(joined, tickets + tickets / 2);
  const std::string blocked = sql.value("SELECT ticket_id FROM tickets_blocked LIMIT 1");
  EXPECT_LT(pages_of(sql, "SELECT * FROM tickets_blocked WHERE ticket_id = '" + blocked + "'"), 100);
}

TEST_F(PostgresViews, TicketsAndTheirBlocksDrawTheSalesMap) {
  hold({9}, "", 600'000, ReservationKind::ticket_lock);   // a ticket with an id of its own
  hold({10}, "anna");
  const Uuid sold = hold({11}, "ben");
  journal.does(Consume{.reservation = sold, .order = "order-1"});
  hold({12}, "", 1'000, ReservationKind::ticket_lock);   // long over
  project();
  const Rows drawn = sql.query(
      "SELECT t.ticket_id, t.status, b.ticket_id IS NOT NULL FROM tickets t LEFT JOIN tickets_blocked b ON b.ticket_id = t.ticket_id "
      "WHERE t.event_id = $1::uuid AND t.seat_id IN ('B-1-10', 'A-1-11', 'B-1-12', 'A-1-13') ORDER BY t.number::integer",
      {holdfast::to_string(journal.id())});
  const Rows expected{{seat_id(9), "t", "t"}, {seat_id(10), "t", "t"}, {seat_id(11), "f", "f"}, {seat_id(12), "t", "f"}};
  EXPECT_EQ(drawn, expected);
  EXPECT_EQ(seat_id(9), "ticket-1-9");
  EXPECT_EQ(sql.value("SELECT count(*) FROM tickets"), "40");
  const Rows block{{std::to_string(journal.now()), std::to_string(journal.now() + 600'000)}};
  EXPECT_EQ(sql.query("SELECT (extract(epoch FROM date_created) * 1000)::bigint, (extract(epoch FROM locked_up) * 1000)::bigint FROM "
                      "tickets_blocked WHERE ticket_id = 'ticket-1-9'"),
            block);
  const Rows price{{"A", "45.0000000000000000"}};
  EXPECT_EQ(sql.query("SELECT zone, price FROM tickets WHERE ticket_id = $1", {seat_id(10)}), price);
}

TEST_F(PostgresViews, PeopleSeeEverySeatWithItsCurrentState) {
  hold({1}, "anna");
  hold({2}, "late", 1'000);
  project();
  const Rows expected{{"0", "available"}, {"1", "held"}, {"2", "available"}};
  EXPECT_EQ(sql.query("SELECT seat, state FROM holdfast.seats WHERE seat < 3 ORDER BY seat"), expected);
  EXPECT_EQ(sql.value("SELECT as_of_seq FROM holdfast.events"), std::to_string(journal.place().seq));
}

// ---------------------------------------------------------------------------------------------------------------- migrating

TEST(PostgresMigration, DoneTwiceAtOnceByTwoProcessesIsDoneOnce) {
  const PostgresDatabase database;
  Finished results[2];
  std::thread other([&] { results[1] = run_holdfast({"migrate", "--ledger", database.url()}); });
  results[0] = run_holdfast({"migrate", "--ledger", database.url()});
  other.join();
  for (const Finished& result : results) EXPECT_EQ(result.status, 0) << result.everything();
  EXPECT_EQ(Sql(database.url()).value("SELECT count(*) = max(version) FROM holdfast.schema_version"), "t");
  const Finished again = run_holdfast({"migrate", "--ledger", database.url()});
  EXPECT_EQ(again.status, 0);
  EXPECT_NE(again.out.find("already; nothing was changed"), std::string::npos) << again.out;
}

TEST(PostgresMigration, OfTheFirstVersionKeepsTheIdsOfEventsAndTheStatesOfSeats) {
  const PostgresDatabase database;
  Sql sql(database.url());
  for (const char* script : pg::schema_steps().front().scripts) sql.run(script);
  sql.run("INSERT INTO holdfast.schema_version (version) VALUES (1)");
  const std::string id = "550e8400-e29b-41d4-a716-446655440002";
  sql.run("INSERT INTO holdfast.event VALUES (7, '" + id + "', 1)");
  sql.run("INSERT INTO holdfast.event_state VALUES (7, '" + id + "', 1, 0, 900, 900, 6, 6, NULL, 2, 2, 'Concert', '', '', '')");
  for (const char* seat : {"0", "1"}) {
    sql.run(std::string("INSERT INTO holdfast.seat VALUES (7, ") + seat + ", NULL, NULL, 0, 0, 'id-" + seat + "', 'A', '1', '" + seat +
            "', 'c')");
  }
  sql.run("INSERT INTO holdfast.seat_state VALUES (7, 0, 1, 115, '" + id + "'), (7, 1, 0, 97, NULL)");
  sql.run("INSERT INTO holdfast.seat_change VALUES (7, 0, 1, 8, 3, 1, '" + id + "')");
  const Finished migrated = run_holdfast({"migrate", "--ledger", database.url()});
  ASSERT_EQ(migrated.status, 0) << migrated.everything();
  EXPECT_EQ(sql.value("SELECT event FROM holdfast.event_directory WHERE id = $1::uuid", {id}), "7");
  EXPECT_EQ(sql.value("SELECT string_agg(ticket_id || ' ' || state, ', ' ORDER BY ticket_id) FROM tickets"), "id-0 sold, id-1 available");
  EXPECT_EQ(sql.value("SELECT to_regclass('holdfast.seat_state') IS NULL"), "t");
}

TEST(PostgresMigration, OfTheFirstVersionKeepsGrantsOnTheViewsAndObjectsBuiltOnThem) {
  const PostgresDatabase database;
  Sql sql(database.url());
  for (const char* script : pg::schema_steps().front().scripts) sql.run(script);
  sql.run(
      "INSERT INTO holdfast.schema_version (version) VALUES (1);"
      "GRANT SELECT ON public.tickets, public.tickets_blocked, holdfast.seats TO pg_monitor;"
      "CREATE VIEW public.free_tickets AS SELECT ticket_id FROM public.tickets WHERE status");
  const Finished migrated = run_holdfast({"migrate", "--ledger", database.url()});
  ASSERT_EQ(migrated.status, 0) << migrated.everything();
  for (const char* view : {"public.tickets", "public.tickets_blocked", "holdfast.seats"}) {
    EXPECT_EQ(sql.value("SELECT has_table_privilege('pg_monitor', $1, 'SELECT')", {view}), "t") << view;
  }
  EXPECT_EQ(sql.value("SELECT count(*) FROM public.free_tickets"), "0");
}

// As 0.1.0 leaves a database: version 2, with older views.
void make_version_2(Sql& sql) {
  for (const pg::SchemaStep& step : pg::schema_steps()) {
    for (const char* script : step.scripts) sql.run(script);
  }
  sql.run("INSERT INTO holdfast.schema_version (version) VALUES (1), (2)");
}

TEST(PostgresMigration, ReplacesTheViewsOfVersion2AndKeepsIdsGrantsAndDependentObjects) {
  const PostgresDatabase database;
  Sql sql(database.url());
  make_version_2(sql);
  sql.run(
      "GRANT SELECT ON public.reservations, public.tickets, public.tickets_blocked TO pg_monitor;"
      "CREATE VIEW public.of_anna AS SELECT id FROM public.reservations WHERE customerid = 'anna'");
  fill_with_larger_reservations(sql);   // more than one piece of the migration's pass
  const std::string k_all =
      "SELECT md5(string_agg(r::text, ',' ORDER BY r.id)) FROM (SELECT id, seatid, customerid, createdat, expiresat FROM reservations) r";
  const std::string before = sql.value(k_all);
  const Finished migrated = run_holdfast({"migrate", "--ledger", database.url()});
  ASSERT_EQ(migrated.status, 0) << migrated.everything();
  EXPECT_NE(migrated.out.find("views for other programs were replaced"), std::string::npos) << migrated.out;
  EXPECT_EQ(sql.value(k_all), before);
  EXPECT_EQ(sql.value("SELECT count(*) FROM reservations"), "30000");
  EXPECT_EQ(sql.value("SELECT count(*) FROM tickets_blocked"), "3750");
  for (const char* view : {"public.reservations", "public.tickets", "public.tickets_blocked"}) {
    EXPECT_EQ(sql.value("SELECT has_table_privilege('pg_monitor', $1, 'SELECT')", {view}), "t") << view;
  }
  EXPECT_EQ(sql.value("SELECT count(*) FROM public.of_anna"), "0");
  EXPECT_EQ(sql.value("SELECT max(version) FROM holdfast.schema_version"), "2") << "nodes of 0.1.0 work on no other";
  const Finished again = run_holdfast({"migrate", "--ledger", database.url()});
  EXPECT_NE(again.out.find("already; nothing was changed"), std::string::npos) << again.out;

  // Reservations that a node of 0.1.0 adds now are shown too.
  sql.run(
      "INSERT INTO holdfast.reservation SELECT 1, 0, 0, 2, 2000000, 1, 1, '00000001-19c5-84df-8f12-6ae831d26241', 'anna', '', ARRAY[1000, "
      "1001];"
      "INSERT INTO holdfast.seat_change SELECT 1, s, 3, 4, 2000000, 1, '00000001-19c5-84df-8f12-6ae831d26241' FROM generate_series(1000, "
      "1001) s");
  EXPECT_EQ(sql.value("SELECT count(*) FROM public.of_anna"), "2");
}

TEST(PostgresMigration, CompletesAnInterruptedReplacementOfViews) {
  const PostgresDatabase database;
  Sql sql(database.url());
  make_version_2(sql);
  fill_with_larger_reservations(sql);
  sql.run(pg::k_reservation_rows);   // and stops there
  EXPECT_EQ(sql.value("SELECT count(*) FROM reservations"), "30000");
  ASSERT_EQ(run_holdfast({"migrate", "--ledger", database.url()}).status, 0);
  EXPECT_EQ(sql.value("SELECT count(*) FROM reservations"), "30000");
  EXPECT_EQ(sql.value("SELECT revision FROM holdfast.view_revision"), std::to_string(pg::k_views_revision));
}

// All writers of a table queue behind a session that waits for a lock on it.
TEST(PostgresMigration, OfViewsDoesNotBlockWritersWhileItWaits) {
  const PostgresDatabase database;
  Sql sql(database.url());
  make_version_2(sql);
  sql.run("SET statement_timeout = '20s'");
  const std::string write =
      "INSERT INTO holdfast.reservation SELECT 1, 0, 0, 1, 1, 1, 1, gen_random_uuid(), 'anna', '', ARRAY[1] FROM generate_series(1, 3)";
  Sql long_one(database.url());
  long_one.run("BEGIN; " + write);
  Finished migrated;
  std::thread migration([&] { migrated = run_holdfast({"migrate", "--ledger", database.url()}); });
  EXPECT_TRUE(eventually([&] {
    return sql.value(
               "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'holdfast.reservation'::regclass AND "
               "database = (SELECT oid FROM pg_database WHERE datname = current_database())") == "t";
  }));
  EXPECT_NO_THROW(sql.run(write));   // while the long transaction goes on
  long_one.run("COMMIT");
  migration.join();
  EXPECT_EQ(migrated.status, 0) << migrated.everything();
  EXPECT_EQ(sql.value("SELECT revision FROM holdfast.view_revision"), std::to_string(pg::k_views_revision));
}

// As if each start of a node migrated first, with the node's rights.
TEST(PostgresMigration, ByARoleThatMayNotReplaceTheViewsLeavesThemAndSaysSo) {
  const PostgresServer server;
  const PostgresDatabase database(server);
  Sql sql(database.url());
  make_version_2(sql);
  Sql(server.admin_url()).run("CREATE ROLE node LOGIN; CREATE ROLE reader");
  sql.run(
      "GRANT USAGE ON SCHEMA holdfast, public TO node; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA holdfast TO node; "
      "GRANT SELECT ON holdfast.reservation TO reader");
  std::string url = database.url();
  url.replace(url.find("//") + 2, url.find('@') - url.find("//") - 2, "node");
  const Finished left = run_holdfast({"migrate", "--ledger", url});
  EXPECT_EQ(left.status, 0) << left.everything();
  for (const char* text : {"warning: ", "role node", "does not own"}) EXPECT_NE(left.err.find(text), std::string::npos) << left.err;
  EXPECT_EQ(sql.value("SELECT to_regclass('holdfast.view_revision') IS NULL"), "t");
  ASSERT_EQ(run_holdfast({"migrate", "--ledger", database.url()}).status, 0);
  const Finished again = run_holdfast({"migrate", "--ledger", url});
  EXPECT_EQ(again.status, 0) << again.everything();
  EXPECT_EQ(again.err, "");

  // Roles that may read reservations may read their rows, and nobody may call the function that fills them.
  for (const char* role : {"node", "reader"}) {
    EXPECT_EQ(sql.value("SELECT has_table_privilege($1, 'holdfast.reservation_row', 'SELECT')", {role}), "t") << role;
  }
  EXPECT_EQ(sql.value("SELECT bool_or(has_function_privilege('node', oid, 'EXECUTE')) FROM pg_proc WHERE proname LIKE 'add_rows_of_%'"),
            "f");
  EXPECT_NO_THROW(
      Sql(url).run("INSERT INTO holdfast.reservation SELECT 1, 0, 0, 2, 2000000, 1, 1, gen_random_uuid(), 'anna', '', ARRAY[1000, 1001]"));
}

TEST(PostgresMigration, NamesObjectsThatDependOnATableToBeRemoved) {
  const PostgresDatabase database;
  Sql sql(database.url());
  for (const char* script : pg::schema_steps().front().scripts) sql.run(script);
  sql.run(
      "INSERT INTO holdfast.schema_version (version) VALUES (1);"
      "CREATE VIEW public.somebodys AS SELECT seat, state FROM holdfast.seat_state");
  const Finished refused = run_holdfast({"migrate", "--ledger", database.url()});
  EXPECT_EQ(refused.status, 1);
  for (const char* text : {"somebodys", "Nothing was changed", "migrate"})
    EXPECT_NE(refused.err.find(text), std::string::npos) << refused.err;
  EXPECT_EQ(sql.value("SELECT max(version) FROM holdfast.schema_version"), "1");
  sql.run("DROP VIEW public.somebodys");
  EXPECT_EQ(run_holdfast({"migrate", "--ledger", database.url()}).status, 0);
}

TEST(PostgresMigration, OfALaterVersionIsRefused) {
  const PostgresDatabase database;
  migrated(database);
  Sql sql(database.url());
  sql.run("INSERT INTO holdfast.schema_version (version) VALUES (1000)");
  const Finished refused = run_holdfast({"migrate", "--ledger", database.url()});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("version 1000"), std::string::npos) << refused.err;
  pg::Connection connection({.url = database.url()});
  EXPECT_THROW(pg::check_server(connection), DataError);
}

TEST(PostgresMigration, TouchesNothingWhereAPlatformHasATableOfThatName) {
  const PostgresDatabase database;
  Sql sql(database.url());
  sql.run("CREATE TABLE public.tickets (id integer); INSERT INTO public.tickets VALUES (7)");
  const Finished refused = run_holdfast({"migrate", "--ledger", database.url()});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("public.tickets"), std::string::npos) << refused.err;
  EXPECT_EQ(sql.value("SELECT id FROM public.tickets"), "7");
  EXPECT_EQ(sql.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'holdfast'"), "0");
}

TEST(PostgresMigration, IsRequestedByAServerOnAnUnmigratedDatabase) {
  const PostgresDatabase database;
  pg::Connection connection({.url = database.url()});
  try {
    pg::check_server(connection);
    FAIL() << "a database without a schema was accepted";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("holdfast migrate"), std::string::npos) << error.what();
  }
}

TEST(PostgresMigration, WantsAUrlAndShowsNoPassword) {
  const Finished no_url = run_holdfast({"migrate", "--ledger", "host=localhost password=secret"});
  EXPECT_EQ(no_url.status, 2);
  EXPECT_EQ(no_url.everything().find("secret"), std::string::npos);
  const Finished away = run_holdfast({"migrate", "--ledger", "postgresql://anna:secret@127.0.0.1:1/nowhere"});
  EXPECT_EQ(away.status, 1);
  EXPECT_EQ(away.everything().find("secret"), std::string::npos) << away.everything();
}

TEST(PostgresMigration, ShowsNoPartOfAPasswordThatIsNotEscaped) {
  for (const char* password : {"Xq7/Zw9", "Xq7@Zw9", "Xq7%Zw9", "Xq7%2", "Xq7?r/Zw9@"}) {
    for (const char* place : {"@127.0.0.1:1/nowhere", "@h1:1,h2:2/n?a=b"}) {
      const std::string url = "postgresql://anna:" + std::string(password) + place;
      const Finished away = run_holdfast({"migrate", "--ledger", url});
      EXPECT_EQ(away.status, 1);
      for (const char* part : {"Xq7", "Zw9"}) EXPECT_EQ(away.everything().find(part), std::string::npos) << away.everything();
      EXPECT_NE(away.everything().find("must be written as %"), std::string::npos) << away.everything();
    }
  }
  // A parameter's name and an @ in what follows a password that libpq takes for a port.
  for (const auto& [url, shown] :
       {std::pair("postgresql://anna:Xq7?port=1/Zw9@127.0.0.1:1/nowhere", "postgresql://anna:***@127.0.0.1:1/nowhere"),
        std::pair("postgresql://anna:Xq7/Zw9?user=Zw9@127.0.0.1:1", "postgresql://anna:***@127.0.0.1:1")}) {
    EXPECT_EQ(pg::without_password(url), shown);
    const Finished away = run_holdfast({"migrate", "--ledger", url});
    EXPECT_EQ(away.status, 1);
    for (const char* part : {"Xq7", "Zw9"}) EXPECT_EQ(away.everything().find(part), std::string::npos) << away.everything();
  }
  for (const char* url : {"postgresql://anna@127.0.0.1:1/nowhere?password=Xq7%zzZw9", "postgresql://anna:Xq7%2FZw9@127.0.0.1:1/nowhere"}) {
    const Finished away = run_holdfast({"migrate", "--ledger", url});
    EXPECT_EQ(away.status, 1);
    for (const char* part : {"Xq7", "Zw9"}) EXPECT_EQ(away.everything().find(part), std::string::npos) << away.everything();
  }
}

TEST(PostgresMigration, TakesNoParameterForAPassword) {
  // libpq looks for user and password before the first slash only: here it finds none.
  const std::string read = "postgresql://127.0.0.1:1?sslrootcert=/nowhere&user=anna@b";
  for (const std::string& url :
       {read, std::string("postgresql://h1:5432,h2:5433/n?user=anna@b"), std::string("postgresql://[::1]:5432/n?user=anna@b"),
        std::string("postgresql://h:/n?user=anna@b"), std::string("postgresql://[::1]/n?user=anna@b")}) {
    EXPECT_EQ(pg::without_password(url), url);
  }
  EXPECT_EQ(pg::without_password("postgresql://anna:Xq7@127.0.0.1:1?options=-c%20a&user=x@y"),
            "postgresql://anna:***@127.0.0.1:1?options=-c%20a&user=x@y");
  const Finished away = run_holdfast({"migrate", "--ledger", read});
  EXPECT_EQ(away.status, 1);
  EXPECT_EQ(away.everything().find("the password in the URL"), std::string::npos) << away.everything();
  EXPECT_NE(away.everything().find("refused"), std::string::npos) << away.everything();
  // Here it would find one, and call an unintended host.
  const Finished misread = run_holdfast({"migrate", "--ledger", "postgresql://127.0.0.1:1?user=anna@b"});
  EXPECT_EQ(misread.status, 1);
  EXPECT_NE(misread.everything().find("write an @ in a parameter as %40"), std::string::npos) << misread.everything();
}

TEST(PostgresConnection, HasItsOwnNameWhateverTheUrlSays) {
  const PostgresDatabase database;
  pg::Settings settings{.url = database.url() + "?application_name=boxoffice"};
  settings.application = "holdfast ledger";
  pg::Connection connection(settings);
  constexpr pg::Statement k_name{"name", "SELECT current_setting('application_name')"};
  EXPECT_EQ(connection.query(k_name).text(0, 0), "holdfast ledger");
}

TEST(PostgresMigration, RefusesServersThatAreUnfitForALedger) {
  const pg::ServerFacts good{.version_number = 150'012, .version = "15.12"};
  EXPECT_EQ(pg::unfitness_of(good), "");
  pg::ServerFacts facts = good;
  facts.fsync = false;
  EXPECT_NE(pg::unfitness_of(facts).find("fsync"), std::string::npos);
  facts = good;
  facts.version_number = 120'022;
  EXPECT_NE(pg::unfitness_of(facts), "");
  facts = good;
  facts.encoding = "SQL_ASCII";
  EXPECT_NE(pg::unfitness_of(facts), "");
  // YugabyteDB: by its report about a transaction, otherwise by its version.
  facts = {.version_number = 110'002, .version = "11.2-YB-2.20.1.0-b0"};
  EXPECT_NE(pg::unfitness_of(facts), "");
  facts = {.version_number = 150'002, .version = "15.2-YB-2024.2.1.0-b0"};
  EXPECT_NE(pg::unfitness_of(facts), "");
  facts.effective_isolation = "read committed";
  EXPECT_EQ(pg::unfitness_of(facts), "");
  facts = {.version_number = 150'002, .version = "15.2-YB-2025.2.0.0-b0", .effective_isolation = "repeatable read"};
  EXPECT_NE(pg::unfitness_of(facts), "");
  facts.effective_isolation = "";
  EXPECT_EQ(pg::unfitness_of(facts), "");
}

TEST(PostgresVerify, NamesDifferencesAndRebuildRepairsThem) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 60);
  journal.play(200);
  project_all(settings, 1);
  const Finished verified = run_holdfast({"verify", "--ledger", database.url()});
  EXPECT_EQ(verified.status, 0) << verified.everything();
  EXPECT_NE(verified.out.find("No seat has two owners."), std::string::npos) << verified.out;
  Sql sql(database.url());
  sql.run("UPDATE holdfast.reservation SET customer = 'eve' WHERE id = (SELECT id FROM holdfast.reservation WHERE owned > 0 LIMIT 1)");
  const Finished damaged = run_holdfast({"verify", "--ledger", database.url()});
  EXPECT_EQ(damaged.status, 1);
  EXPECT_NE(damaged.out.find("NOT VERIFIED: the tables of event 1"), std::string::npos) << damaged.everything();
  const Finished rebuilt = run_holdfast({"rebuild", "--ledger", database.url(), "--event", "1"});
  EXPECT_EQ(rebuilt.status, 0) << rebuilt.everything();
  EXPECT_EQ(run_holdfast({"verify", "--ledger", database.url(), "--event", "1"}).status, 0);
  sql.run("DELETE FROM holdfast.reservation_row");
  const Finished hidden = run_holdfast({"verify", "--ledger", database.url()});
  EXPECT_EQ(hidden.status, 1);
  EXPECT_NE(hidden.out.find("NOT VERIFIED: table reservation_row of event 1 lacks"), std::string::npos) << hidden.everything();
  EXPECT_EQ(run_holdfast({"rebuild", "--ledger", database.url(), "--event", "1"}).status, 0);
  EXPECT_EQ(run_holdfast({"verify", "--ledger", database.url(), "--event", "1"}).status, 0);
  sql.run(
      "UPDATE holdfast.view_revision SET revision = 2; CREATE TABLE away AS TABLE holdfast.reservation_row; DELETE FROM "
      "holdfast.reservation_row");
  EXPECT_EQ(run_holdfast({"verify", "--ledger", database.url()}).status, 0) << "it is being filled";
  sql.run("UPDATE holdfast.view_revision SET revision = 3; INSERT INTO holdfast.reservation_row TABLE away");
  EXPECT_EQ(run_holdfast({"verify", "--ledger", database.url()}).status, 0);
  sql.run("UPDATE holdfast.journal SET at = at + 1 WHERE first_seq = 4");
  const Finished changed = run_holdfast({"verify", "--ledger", database.url()});
  EXPECT_EQ(changed.status, 1);
  EXPECT_NE(changed.out.find("first_seq 4"), std::string::npos) << changed.everything();
}

}  // namespace
}  // namespace holdfast::test
