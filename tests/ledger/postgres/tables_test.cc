// The tables that follow the journal in PostgreSQL. For any commands, any steps, any nodes and any kill, they are what the
// journal says, and an event loaded from them equals the written one.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "ledger/ledger_in_test.h"
#include "ledger/logged_lines.h"
#include "ledger/postgres/journal_in_test.h"
#include "ledger/postgres/postgres_ledger.h"
#include "ledger/postgres/projection.h"
#include "ledger/postgres/projector.h"
#include "ledger/postgres/retention.h"
#include "ledger/postgres/verify.h"
#include "ledger/wall_time.h"
#include "support/postgres_proxy.h"
#include "support/sql.h"
#include "support/waiting.h"
#include "support/wire.h"

namespace holdfast::test {
namespace {

using pg::StepReport;

constexpr pg::Statement k_all_seats{"all_seats", "SELECT count(x) FROM holdfast.seat"};

TEST(PostgresTables, AreWhatTheJournalSaysAfterEveryStep) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 150);
  project_all(settings, 1);
  EXPECT_EQ(differences(settings, journal), "");
  for (int round = 0; round < 30; ++round) {
    journal.play(40);
    project_all(settings, 1);
    ASSERT_EQ(differences(settings, journal), "") << "in round " << round;
  }
}

TEST(PostgresTables, AreTheSameForStepsOfAnySize) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 200);
  journal.play(1'500);
  project_all(settings, 1, 7);
  EXPECT_EQ(differences(settings, journal), "");
}

TEST(PostgresTables, AreWrittenOnceByManyProjectorsOfWhichSomeAreKilled) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest first(settings, 1, 300, 1);
  JournalInTest second(settings, 2, 300, 2);
  std::atomic<bool> ends{false};
  std::atomic<std::uint64_t> steps{0};
  std::vector<std::thread> projectors;
  for (int i = 0; i < 4; ++i) {
    projectors.emplace_back([&] {
      std::unique_ptr<pg::Connection> connection;
      while (!ends) {
        try {
          if (connection == nullptr || !connection->is_usable()) connection = std::make_unique<pg::Connection>(settings);
          for (const EventNumber event : {1u, 2u}) steps += pg::project(*connection, event, 50).result == StepReport::Result::done;
          pg::order_changes(*connection, std::vector<EventNumber>{1, 2});
        } catch (const pg::Error&) {
          connection.reset();   // it was killed: the next one goes on
        }
      }
    });
  }
  Sql killer(database.url());
  for (int round = 0; round < 40; ++round) {
    first.play(30);
    second.play(30);
    killer.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND "
        "query LIKE '%holdfast.step%' AND xact_start IS NOT NULL ORDER BY random() LIMIT 1");
  }
  ends = true;
  for (std::thread& thread : projectors) thread.join();
  EXPECT_GT(steps, 10u);
  project_all(settings, 1);
  project_all(settings, 2);
  EXPECT_EQ(differences(settings, first), "");
  EXPECT_EQ(differences(settings, second), "");
}

TEST(PostgresTables, HaveABatchsChangesIfItProjectsInItsOwnTransaction) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 100);
  journal.play(200);
  pg::Connection connection(settings);
  connection.query(pg::k_begin);
  const StepReport report = pg::project_within(connection, 1);
  EXPECT_EQ(report.place, journal.place());
  EXPECT_TRUE(report.import_has_ended);
  Sql other(database.url());
  EXPECT_EQ(other.value("SELECT count(*) FROM holdfast.event_state"), "0");   // nobody sees it before the commit
  connection.query(pg::k_commit);
  pg::order_changes(connection, std::vector<EventNumber>{1});
  EXPECT_EQ(differences(settings, journal), "");
}

TEST(PostgresTables, ReturnNothingForAnUnknownEvent) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 100);
  pg::Connection connection(settings);
  EXPECT_FALSE(pg::load_event(connection, 1, 1).has_value());
  EXPECT_FALSE(pg::place_of(connection, 1).has_value());
}

TEST(PostgresTables, ReturnTheSeatsSoFarOfARunningImport) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 1'000);
  pg::Connection connection(settings);
  pg::project(connection, 1);   // a few rows: the import has many
  const auto loaded = pg::load_event(connection, 1, 1);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->plan, nullptr);
  ASSERT_NE(loaded->importing, nullptr);
  EXPECT_GT(loaded->importing->size(), 0u);
  EXPECT_LT(loaded->importing->size(), 1'000u);
  EXPECT_EQ(loaded->inventory->seat_count(), loaded->importing->size());
}

// A node that reads millions of seats works for seconds between two statements; the server ends idle sessions in a transaction.
TEST(PostgresTables, CanBeLoadedWithLongPausesBetweenStatements) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, k_is_sanitized ? 20'000 : 100'000);
  project_all(settings, 1);
  pg::Settings impatient = settings;
  impatient.idle_in_transaction = std::chrono::milliseconds(1);
  pg::Connection connection(impatient);
  const auto loaded = pg::load_event(connection, 1, 1);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->inventory->seat_count(), journal.inventory().seat_count());
}

// A statement visits a fraction of the seats. However long that takes here, it stays within its time for any number of seats.
TEST(PostgresTables, OfSeatsThatNeverChangedAreLoadedInPieces) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 50'000);
  project_all(settings, 1);
  Sql(database.url())
      .run(
          "ALTER TABLE holdfast.seat RENAME TO seat_table;"
          "CREATE FUNCTION holdfast.look() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN "
          "IF current_setting('test.statement', true) IS DISTINCT FROM statement_timestamp()::text THEN "
          "PERFORM set_config('test.statement', statement_timestamp()::text, false), set_config('test.looks', '0', false); END IF; "
          "IF set_config('test.looks', (current_setting('test.looks')::integer + 1)::text, false)::integer > 20000 THEN "
          "RAISE 'a statement looked at too many seats'; END IF; RETURN true; END $$;"
          "CREATE VIEW holdfast.seat AS SELECT * FROM holdfast.seat_table WHERE holdfast.look()");
  EXPECT_THROW(pg::Connection(settings).query(k_all_seats), pg::Error) << "nothing is counted";
  pg::Connection connection(settings);
  const auto loaded = pg::load_event(connection, 1, 1);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->inventory->seat_count(), 50'000U);
}

TEST(PostgresTables, KeysOfManyStepsAreLoadedInPieces) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 10);
  for (int i = 0; i < 210; ++i) {   // a step each, and more than one reading returns
    journal.keep_key();
    project_all(settings, 1);
  }
  pg::Connection connection(settings);
  const auto loaded = pg::load_event(connection, 1, 1);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->keys.size(), journal.keys());
}

TEST(PostgresTables, FindEveryReservationInAnyStatus) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 100);
  const std::vector<SeatIndex> seats{3, 4};
  const Uuid sold = journal.new_id();
  journal.does(Hold{.reservation = sold, .customer = "anna", .seats = seats, .duration = 60'000});
  journal.does(Consume{.reservation = sold, .order = "order-1"});
  journal.does(Return{.reservation = sold, .order = "order-1", .seats = std::span(seats).first(1)});
  const Uuid released = journal.new_id();
  const std::vector<SeatIndex> fifth{5};
  journal.does(Hold{.reservation = released, .customer = "ben", .seats = fifth, .duration = 60'000});
  journal.does(Release{.reservation = released});
  project_all(settings, 1);
  pg::Connection connection(settings);
  const auto first = pg::find_reservation(connection, sold);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->view.status, ReservationStatus::consumed);
  EXPECT_EQ(first->view.order, "order-1");
  ASSERT_EQ(first->view.seats.size(), 2u);
  EXPECT_FALSE(first->view.seats[0].owned);
  EXPECT_TRUE(first->view.seats[1].owned);
  EXPECT_EQ(first->as_of, journal.place().seq);
  const auto second = pg::find_reservation(connection, released);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->view.status, ReservationStatus::released);
  EXPECT_FALSE(pg::find_reservation(connection, journal.new_id()).has_value());
  EXPECT_FALSE(pg::find_reservation(connection, Uuid{}).has_value());
}

TEST(PostgresTables, KeepIdempotencyKeysForADay) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 20);
  pg::Connection connection(settings);
  journal.keep_key();
  journal.pass(k_idempotency_hours * 3'600'000 - 1);
  journal.keep_key();
  project_all(settings, 1);
  EXPECT_EQ(pg::load_event(connection, 1, 1)->keys.size(), 2u);
  journal.pass(10'000);
  const std::vector<SeatIndex> seats{1};
  journal.does(Hold{.reservation = journal.new_id(), .customer = "anna", .seats = seats, .duration = 60'000});
  journal.keep_key();
  project_all(settings, 1);
  EXPECT_EQ(pg::load_event(connection, 1, 1)->keys.size(), 2u);   // the first one has expired
  pg::drop_old_keys(connection, 1);
  EXPECT_EQ(differences(settings, journal), "");
}

TEST(PostgresTables, NameEventsThatMayHaveExpiredHolds) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 20);
  const std::vector<SeatIndex> seats{1};
  const std::vector<SeatIndex> others{2};
  journal.does(Hold{.reservation = journal.new_id(), .customer = "anna", .seats = seats, .duration = 60'000});
  journal.does(Hold{.reservation = journal.new_id(), .customer = "anna", .seats = others, .duration = 5'000});
  project_all(settings, 1);
  pg::Connection connection(settings);
  EXPECT_TRUE(pg::events_with_expiries(connection, journal.now() + 4'999, 10).empty());
  EXPECT_EQ(pg::events_with_expiries(connection, journal.now() + 5'000, 10), std::vector<EventNumber>{1});
  // Without knowing the last change, nobody may say that no hold ends before a later time.
  EXPECT_FALSE(pg::raise_next_expiry(connection, 1, journal.place().seq - 1, k_never));
  EXPECT_TRUE(pg::raise_next_expiry(connection, 1, journal.place().seq, journal.now() + 60'000));
  EXPECT_TRUE(pg::events_with_expiries(connection, journal.now() + 5'000, 10).empty());
  EXPECT_TRUE(pg::raise_next_expiry(connection, 1, journal.place().seq, k_never));
  EXPECT_TRUE(pg::events_with_expiries(connection, k_never, 10).empty());
}

TEST(PostgresTables, AreReadAndWrittenByIndexes) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  pg::Connection connection(settings);
  EXPECT_TRUE(pg::find_bad_plans(connection).empty()) << "of empty tables nothing can be said";
  JournalInTest journal(settings, 1, 5'000);
  journal.play(3'000);
  project_all(settings, 1);
  Sql(database.url()).run("ANALYZE");
  pg::Connection later(settings);
  for (const std::string& bad : pg::find_bad_plans(later)) ADD_FAILURE() << bad;
}

// ---------------------------------------------------------------------------------------------------------------- damage

// The error of a projection or a load; empty if there is none.
std::string complaint(const pg::Settings& settings, EventNumber event) {
  pg::Connection connection(settings);
  try {
    while (pg::project(connection, event).result == StepReport::Result::done) {}
    pg::load_event(connection, event, 1);
  } catch (const DataError& error) {
    return error.what();
  }
  return {};
}

TEST(PostgresTables, StopAtAJournalRowThatWasChangedByHand) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 50);
  project_all(settings, 1);
  const Seq before = journal.place().seq;
  journal.play(100);
  Sql sql(database.url());
  sql.run("UPDATE holdfast.journal SET body = set_byte(body, 3, get_byte(body, 3) # 1) WHERE event = 1 AND first_seq = " +
          std::to_string(before + 1));
  EXPECT_NE(complaint(settings, 1).find("first_seq " + std::to_string(before + 1)), std::string::npos) << complaint(settings, 1);
  pg::Connection connection(settings);
  EXPECT_EQ(pg::place_of(connection, 1)->seq, before);
  EXPECT_FALSE(pg::verify_event(connection, 1).problems.empty());
}

struct Damage {
  const char* what;
  const char* sql;
  bool is_found_at_load;
};

#define LAST_OF_ITS_SEAT \
  "NOT EXISTS (SELECT FROM holdfast.seat_change d WHERE d.event = c.event AND d.seat = c.seat AND d.version > c.version)"

TEST(PostgresTables, AreNotLoadedIfARowWasChangedByHandAndVerifyNamesIt) {
  const Damage damages[] = {
      {"a held seat made free", "UPDATE holdfast.seat_change c SET kind = 7 WHERE kind IN (4, 5) AND " LAST_OF_ITS_SEAT, true},
      {"a free seat made held", "UPDATE holdfast.seat_change c SET kind = 4 WHERE kind IN (7, 9, 10) AND " LAST_OF_ITS_SEAT, true},
      {"a free seat that never changed made held",
       "INSERT INTO holdfast.seat_change SELECT 1, (SELECT min(seat) FROM holdfast.seat s WHERE NOT EXISTS (SELECT FROM "
       "holdfast.seat_change "
       "c WHERE c.event = s.event AND c.seat = s.seat)), 1, 4, seq, at, reservation FROM holdfast.seat_change WHERE kind = 4 LIMIT 1",
       true},
      {"another version", "UPDATE holdfast.seat_change c SET version = version + 1 WHERE " LAST_OF_ITS_SEAT, true},
      {"a change of a kind that there is not", "UPDATE holdfast.seat_change c SET kind = 99 WHERE " LAST_OF_ITS_SEAT, true},
      {"a held seat of nobody", "UPDATE holdfast.seat_change c SET reservation = NULL WHERE kind = 4 AND " LAST_OF_ITS_SEAT, true},
      {"another owner",
       "UPDATE holdfast.reservation SET customer = 'eve' WHERE id = (SELECT reservation FROM holdfast.seat_change c WHERE kind IN (4, 5) "
       "AND " LAST_OF_ITS_SEAT " LIMIT 1)",
       true},
      {"a later end",
       "UPDATE holdfast.reservation SET expires_at = expires_at + 1 WHERE id = (SELECT reservation FROM holdfast.seat_change c WHERE kind "
       "IN "
       "(4, 5) AND " LAST_OF_ITS_SEAT " LIMIT 1)",
       true},
      {"a reservation removed",
       "DELETE FROM holdfast.reservation WHERE id = (SELECT reservation FROM holdfast.seat_change c WHERE kind = 8 AND " LAST_OF_ITS_SEAT
       " LIMIT 1)",
       true},
      {"another place", "UPDATE holdfast.step SET seq = seq - 1", true},
      {"a part of the plan removed", "DELETE FROM holdfast.plan_part WHERE first = 64", true},
      {"the journal cut short", "DELETE FROM holdfast.journal WHERE first_seq = (SELECT max(first_seq) FROM holdfast.journal)", true},
      {"an ended reservation changed",
       "UPDATE holdfast.reservation SET customer = 'eve' WHERE id = (SELECT id FROM holdfast.reservation WHERE owned = 0 LIMIT 1)", false},
      {"a history changed", "UPDATE holdfast.seat_change SET at = at + 1 WHERE ctid = (SELECT ctid FROM holdfast.seat_change LIMIT 1)",
       false},
      {"a seat's id changed", "UPDATE holdfast.seat SET id = 'other' WHERE seat = 3", false},
      {"a price changed", "UPDATE holdfast.seat SET price_ten_thousandths = 1 WHERE seat = 3", false},
      {"a seat's last change removed", "DELETE FROM holdfast.seat_change c WHERE " LAST_OF_ITS_SEAT, true},
      {"a seat removed", "DELETE FROM holdfast.seat WHERE seat = 3", false},
      {"keys changed", "DELETE FROM holdfast.kept_keys", false},
      {"the order of all changes cut", "DELETE FROM holdfast.change_order WHERE position = 1", false},
      {"a journal row removed", "DELETE FROM holdfast.journal WHERE first_seq = 5", false},
      {"a journal row's time changed", "UPDATE holdfast.journal SET at = at + 1 WHERE first_seq = 5", false},
  };
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 200);
  project_all(settings, 1);
  journal.play(300);
  const std::vector<SeatIndex> block{199};
  journal.does(Block{.seats = block});
  project_all(settings, 1, 400);
  ASSERT_EQ(differences(settings, journal), "");
  pg::Connection connection(settings);
  for (const Damage& damage : damages) {
    // Damage and repair are transactions of their own, with a copy of each table.
    Sql sql(database.url());
    const std::vector<std::string> tables{"reservation", "step", "plan_part", "journal",
                                          "seat_change", "seat", "kept_keys", "change_order"};
    for (const std::string& table : tables) sql.run("CREATE TABLE public.copy_" + table + " AS SELECT * FROM holdfast." + table);
    sql.run(damage.sql);
    const auto verified = pg::verify_event(connection, 1);
    EXPECT_FALSE(verified.problems.empty()) << damage.what;
    if (!verified.problems.empty()) {
      EXPECT_NE(verified.problems.front().find("event 1"), std::string::npos) << verified.problems.front();
    }
    if (damage.is_found_at_load) {
      EXPECT_THROW(pg::load_event(connection, 1, 1), DataError) << damage.what;
    }
    for (const std::string& table : tables) {
      sql.run("DELETE FROM holdfast." + table + "; INSERT INTO holdfast." + table + " SELECT * FROM public.copy_" + table +
              "; DROP TABLE public.copy_" + table);
    }
    ASSERT_EQ(differences(settings, journal), "") << "after " << damage.what;
  }
}

TEST(PostgresTables, AreMadeAgainFromTheJournalWhenTheyAreForgotten) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 100);
  journal.play(200);
  project_all(settings, 1);
  Sql sql(database.url());
  sql.run("UPDATE holdfast.reservation SET customer = 'eve'");
  pg::Connection connection(settings);
  pg::forget_tables(connection, 1);
  project_all(settings, 1);
  EXPECT_EQ(differences(settings, journal), "");
}

// ---------------------------------------------------------------------------------------------------------------- retention

TEST(PostgresTables, OldJournalRowsAreRemovedOnceProjectedAndDelivered) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 100);   // in 2026-02: older than a day by any database's clock from then on
  journal.play(100);
  project_all(settings, 1);
  const Seq projected = journal.place().seq;
  journal.play(50);
  pg::Connection connection(settings);
  EXPECT_EQ(pg::clear_journal(connection, 1, [](EventNumber) { return Seq{0}; }), 0u);
  const auto first = pg::clear_journal(connection, 1, [&](EventNumber) { return projected / 2; });
  EXPECT_GT(first, 0u);
  Sql sql(database.url());
  EXPECT_LE(std::stoull(sql.value("SELECT min(first_seq) FROM holdfast.journal")), projected / 2 + 1);
  EXPECT_GT(pg::clear_journal(connection, 1, [](EventNumber) { return ~Seq{0}; }), 0u);
  EXPECT_LE(std::stoull(sql.value("SELECT min(first_seq) FROM holdfast.journal")), projected);
  EXPECT_TRUE(pg::load_event(connection, 1, 1).has_value());
  project_all(settings, 1);
  const auto verified = pg::verify_event(connection, 1);
  EXPECT_FALSE(verified.journal_is_whole);
  for (const std::string& problem : verified.problems) ADD_FAILURE() << problem;
  EXPECT_THROW(pg::forget_tables(connection, 1), DataError);   // they could not be made again
  EXPECT_EQ(pg::place_of(connection, 1)->seq, journal.place().seq);
}

// Else all rows that stay would not fit what stood before them.
TEST(PostgresTables, AJournalRowWhoseHashIsDamagedIsNotRemovedAsTheLast) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 100);
  journal.play(100);
  project_all(settings, 1);
  const Seq delivered = journal.place().seq / 2;
  Sql sql(database.url());
  sql.run(
      "UPDATE holdfast.journal SET hash = decode(repeat('00', 32), 'hex') WHERE (first_seq, ordinal) = (SELECT first_seq, ordinal FROM "
      "holdfast.journal WHERE first_seq + changes - 1 <= " +
      std::to_string(delivered) + " ORDER BY first_seq DESC, ordinal DESC LIMIT 1)");
  constexpr const char* k_damaged = " WHERE hash = decode(repeat('00', 32), 'hex')";
  pg::Connection connection(settings);
  EXPECT_GT(pg::clear_journal(connection, 1, [&](EventNumber) { return delivered; }), 0u);
  EXPECT_EQ(sql.value(std::string("SELECT count(*) FROM holdfast.journal_anchor") + k_damaged), "0");
  EXPECT_EQ(sql.value(std::string("SELECT count(*) FROM holdfast.journal") + k_damaged), "1");
}

// A journal whose rows are months old by the database's clock, as after a start with a clock that is far ahead, and with expired
// keys.
struct OldJournal : testing::Test {
  OldJournal() {
    journal.keep_key();
    project_all(settings, 1);
    journal.pass(25 * 3'600'000);
    journal.play(20);
    journal.keep_key();
  }
  std::string oldest_row() const { return Sql(database.url()).value("SELECT min(first_seq) FROM holdfast.journal"); }
  std::string oldest_keys() const { return Sql(database.url()).value("SELECT min(at) FROM holdfast.kept_keys"); }

  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal{settings, 1, 100};
  const std::chrono::milliseconds quickly{10};
};

TEST_F(OldJournal, MakesAStartDoubtTheClock) {
  pg::Projector projector({.settings = settings});
  ASSERT_TRUE(eventually([&] { return !projector.clock_doubt().empty(); }));
  EXPECT_TRUE(projector.is_clock_in_doubt());
  EXPECT_NE(projector.clock_doubt().find("hours ahead of the last recorded time"), std::string::npos) << projector.clock_doubt();
}

TEST_F(OldJournal, LosesNothingUntilTheDoubtIsOver) {
  const std::string row = oldest_row();
  const std::string keys = oldest_keys();
  pg::Projector projector({.settings = settings,
                           .look_around = quickly,
                           .journal_retention_days = 1,
                           .tidy = quickly,
                           .clock_doubt_time = std::chrono::seconds(2)});
  EXPECT_TRUE(eventually([&] {
    const bool is_row_gone = oldest_row() != row;
    const bool are_keys_gone = oldest_keys() != keys;
    const bool is_in_doubt = projector.is_clock_in_doubt();   // asked last: rows removed by then were removed during the doubt
    EXPECT_FALSE((is_row_gone || are_keys_gone) && is_in_doubt);
    return (is_row_gone && are_keys_gone) || HasFailure();
  }));
  EXPECT_EQ(projector.clock_doubt(), "");
  EXPECT_GT(projector.stats().rows_removed, 0u);
}

// Another node, or an earlier start, has worked with the doubtful clock.
TEST_F(OldJournal, LosesNothingIfChangesWereRecordedBeforeTheDoubt) {
  Sql sql(database.url());
  const Millis now = std::stoll(sql.value("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"));
  const JournalInTest just_now(settings, 2, 100, 2, now - 60'000);
  pg::Connection connection(settings);
  EXPECT_GE(pg::clock_ahead_of_journal(connection, 3'600'000), now - journal.now());
  EXPECT_LT(pg::clock_ahead_of_journal(connection, 0), 3'600'000);
}

// A busy hour has millions of rows, and each start looks.
TEST_F(OldJournal, IsFoundBehindABusyHourWithoutReadingThatHour) {
  const Millis now = std::stoll(Sql(database.url()).value("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"));
  JournalInTest busy(settings, 2, 100, 2, now - 3 * k_hour);
  busy.keep_key();
  busy.keep_key();
  const Seq last = busy.place().seq;
  Sql(database.url())
      .run("INSERT INTO holdfast.journal SELECT 2, " + std::to_string(last) + " + i * 3, i % 2, 3, " + std::to_string(now) +
           " - 20000 + i, gen_random_uuid(), ''::bytea, ''::bytea FROM generate_series(1, 20000) i");
  constexpr pg::Statement k_fetched{"fetched_of_journal",
                                    "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'journal'"};
  pg::Connection connection(settings);
  connection.query(pg::k_begin);
  const Millis ahead = pg::clock_ahead_of_journal(connection, k_hour);
  EXPECT_GE(ahead, now - busy.now());
  EXPECT_LT(ahead, now - busy.now() + k_hour);
  EXPECT_LT(connection.query(k_fetched).int8(0, 0), 200);
}

// Months old by the clock that is in doubt; if that is wrong, a client may be about to repeat its request.
TEST_F(OldJournal, HasKeysThatCountWhileTheClockIsInDoubt) {
  IdempotencyKey last{.key = {}, .request = {0xFF}};   // as JournalInTest makes them, with another request
  const std::uint64_t number = journal.keys();
  std::memcpy(last.key.data(), &number, sizeof number);
  last.key[15] = 1;
  const auto repeat = [&](PostgresLedger& node) {
    Submission again;
    again.parts.push_back({1, Sweep{1}});
    again.key = last;
    return told(Desk(node).asks(std::move(again)));
  };
  {
    PostgresLedger node({.url = database.url()});
    EXPECT_EQ(repeat(node), "idempotency_key_reused") << "before the clock has been looked at";
    ASSERT_TRUE(eventually([&] { return !node.clock_doubt().empty(); }));
    EXPECT_EQ(repeat(node), "idempotency_key_reused");
    Submission newer;   // is recorded by that clock, with a key
    newer.parts.push_back({1, Configure{.name = "Renamed"}});
    newer.key = key_of(77, 1);
    ASSERT_EQ(told(Desk(node).asks(std::move(newer))), "accepted");
    EXPECT_EQ(repeat(node), "idempotency_key_reused");
  }
  project_all(settings, 1);   // so that the next start loads the tables as of that clock
  PostgresLedger node({.url = database.url()});
  EXPECT_EQ(repeat(node), "idempotency_key_reused");
  ASSERT_TRUE(eventually([&] { return !node.clock_doubt().empty(); }));
  EXPECT_EQ(repeat(node), "idempotency_key_reused");
}

// Otherwise a node whose lookup always fails would keep every key for as long as it lives.
TEST_F(OldJournal, HasKeysThatStayInMemoryForTheTimeOfADoubtIfTheClockCannotBeLookedAt) {
  Sql(database.url()).run("ALTER TABLE holdfast.journal RENAME TO away");
  {
    const pg::Projector within({.settings = settings, .look_around = quickly});
    EXPECT_EQ(within.clock_may_be_ahead(), k_clock_ahead_unknown);
  }
  const LoggedLines log(spdlog::level::debug);
  const pg::Projector over({.settings = settings, .look_around = quickly, .clock_doubt_time = std::chrono::milliseconds(0)});
  EXPECT_EQ(over.clock_may_be_ahead(), 0);
  EXPECT_TRUE(over.is_clock_in_doubt()) << "so that nothing is removed from the database";
  ASSERT_TRUE(eventually([&] { return log.with("the upkeep of the tables fails").size() >= 5; }));
  EXPECT_EQ(log.with("could not be compared with the journal").size(), 1u) << "once";
}

TEST_F(OldJournal, LosesNothingWhileTheClockIsWrong) {
  std::atomic<int> asked{0};
  std::atomic<bool> is_wrong{true};
  const auto trouble = [&] {
    ++asked;
    return is_wrong ? "It has jumped." : "";
  };
  pg::Projector projector({.settings = settings,
                           .look_around = quickly,
                           .journal_retention_days = 1,
                           .clock_trouble = trouble,
                           .tidy = quickly,
                           .clock_doubt_time = std::chrono::milliseconds(0)});
  ASSERT_TRUE(projector.await(1, journal.place().seq, pg::Projector::Timer::now() + std::chrono::seconds(30)));
  const int asked_before = asked;
  ASSERT_TRUE(eventually([&] { return asked >= asked_before + 3; }));
  EXPECT_EQ(projector.stats().rows_removed, 0u);
  is_wrong = false;
  EXPECT_TRUE(eventually([&] { return projector.stats().rows_removed > 0; }));
}

TEST(PostgresTables, ChangesWithinADayMakeTheClockTrusted) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  const Millis now = std::stoll(Sql(database.url()).value("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"));
  const JournalInTest old(settings, 1, 100);
  const JournalInTest yesterday(settings, 2, 100, 2, now - 23 * 3'600'000);
  const pg::Projector projector({.settings = settings});
  EXPECT_TRUE(eventually([&] { return !projector.is_clock_in_doubt(); }));
}

// ---------------------------------------------------------------------------------------------------------------- the projector

TEST(PostgresProjector, FollowsEventsItIsToldOfAndFindsTheOthers) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest told(settings, 1, 100, 1);
  JournalInTest untold(settings, 2, 100, 2);
  pg::Projector projector({.settings = settings});
  const auto until = [] { return pg::Projector::Timer::now() + std::chrono::seconds(30); };
  for (int round = 0; round < 10; ++round) {
    told.play(100);
    ASSERT_TRUE(projector.await(1, told.place().seq, until()));
  }
  ASSERT_TRUE(projector.await_order(until()));
  EXPECT_EQ(projector.trouble(), "");
  untold.play(100);
  EXPECT_TRUE(eventually([&] { return projector.projected(2) == untold.place().seq; }));
  EXPECT_GT(projector.stats().steps, 0u);
  EXPECT_TRUE(eventually([&] {
    return Sql(database.url()).value("SELECT sum(last_seq - first_seq + 1) FROM holdfast.change_order") ==
           std::to_string(told.place().seq + untold.place().seq);
  }));
  EXPECT_EQ(differences(settings, told), "");
  EXPECT_EQ(differences(settings, untold), "");
}

TEST(PostgresProjector, RenewsTheStatisticsOfTablesThatHaveGrownSoThatPlansFitWithoutAutovacuum) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  Sql sql(database.url());
  for (const char* table : {"reservation", "seat_change"}) {
    sql.run("ALTER TABLE holdfast." + std::string(table) + " SET (autovacuum_enabled = off)");
  }
  const auto rows_known = [&](const char* table) {
    return std::stod(sql.value("SELECT reltuples FROM pg_class WHERE oid = $1::regclass", {std::string("holdfast.") + table}));
  };
  JournalInTest journal(settings, 1, 5'000, 1, wall_time() - 100'000);
  constexpr std::chrono::milliseconds k_quickly{50};
  pg::Projector projector({.settings = settings, .look_around = k_quickly, .look_at_statistics = k_quickly});
  projector.tell(1, journal.place().seq);
  // ANALYZE goes from table to table, so the reservations' statistics come a moment after the seats'.
  ASSERT_TRUE(eventually([&] { return rows_known("seat") == 5'000 && rows_known("reservation") == 0; })) << "the import has ended";
  for (SeatIndex seat = 0; seat < 1'500; ++seat) {
    const std::vector<SeatIndex> seats{seat};
    const Uuid id = journal.new_id();
    ASSERT_TRUE(journal.does(Hold{.reservation = id, .customer = "c", .seats = seats, .duration = 600'000}).accepted());
  }
  projector.tell(1, journal.place().seq);
  for (const char* table : {"reservation", "seat_change"})
    EXPECT_TRUE(eventually([&] { return rows_known(table) >= 1'000; }, 2 * k_patience)) << table;
  std::string plan;
  for (const auto& line :
       sql.query("EXPLAIN SELECT ticket_id, status, locked_up FROM tickets LEFT JOIN tickets_blocked USING (ticket_id)")) {
    plan += line.at(0).value_or("") + "\n";
  }
  EXPECT_EQ(plan.find("Materialize"), std::string::npos) << "every ticket would be compared with every reservation\n" << plan;
}

// An answer may take 35 s, and systemd waits 30 s for a node.
constexpr std::chrono::seconds k_at_once{20};

TEST(PostgresProjector, EndsAtOnceAlthoughItsHousekeepingWaitsForADatabaseThatIsSilent) {
  const PostgresDatabase database;
  pg::Settings settings = migrated(database);
  PostgresProxy network(port_in(database.url()), 1);
  settings.url = with_port(database.url(), network.port());
  constexpr std::chrono::milliseconds k_quickly{1};
  std::optional<pg::Projector> projector(std::in_place, pg::ProjectorOptions{.settings = settings, .look_around = k_quickly});
  // There is no event, so only the second thread has a connection.
  network.meet(Trip::other, Way::to_client, 0, {.kind = FaultKind::swallow, .lasts = 100 * k_patience});
  ASSERT_TRUE(eventually([&] { return network.faults() == 1; }));
  const auto began = Clock::now();
  projector.reset();
  EXPECT_LT(Clock::now() - began, k_at_once);
}

TEST(PostgresProjector, EndsAtOnceAlthoughAStepWaitsForADatabaseThatIsSilent) {
  const PostgresDatabase database;
  pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 100, 1);
  PostgresProxy network(port_in(database.url()), 1);
  settings.url = with_port(database.url(), network.port());
  constexpr std::chrono::milliseconds k_quickly{1};
  // A connection that is silent stays so, and the database is not silent on others. So the second fault is the other thread's.
  for (int thread = 0; thread < 2; ++thread) {
    network.meet(Trip::other, Way::to_client, 0, {.kind = FaultKind::swallow, .lasts = 100 * k_patience});
  }
  std::optional<pg::Projector> projector(std::in_place, pg::ProjectorOptions{.settings = settings, .look_around = k_quickly});
  projector->tell(1, journal.place().seq);
  ASSERT_TRUE(eventually([&] { return network.faults() == 2; }));
  const auto began = Clock::now();
  projector.reset();
  EXPECT_LT(Clock::now() - began, k_at_once);
}

TEST(PostgresProjector, NamesADamagedEventAndGoesOnWithTheOthers) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest damaged(settings, 1, 100, 1);
  JournalInTest whole(settings, 2, 100, 2);
  damaged.play(100);
  Sql(database.url()).run("UPDATE holdfast.journal SET at = at + 1 WHERE event = 1 AND first_seq = 4");
  pg::Projector projector({.settings = settings});
  whole.play(100);
  EXPECT_TRUE(projector.await(2, whole.place().seq, pg::Projector::Timer::now() + std::chrono::seconds(30)));
  EXPECT_FALSE(projector.await(1, damaged.place().seq, pg::Projector::Timer::now() + std::chrono::seconds(30)));
  EXPECT_NE(projector.trouble().find("event 1"), std::string::npos) << projector.trouble();
  EXPECT_EQ(projector.stats().events_damaged, 1u);
}

TEST(PostgresProjector, TakesSmallerStepsAfterATimeout) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  Sql(database.url())
      .run(
          "create function public.too_slow() returns trigger language plpgsql as $$ begin "
          "if (select count(*) from added) > 1000 then raise exception 'too slow' using errcode = '57014'; end if; return null; end $$;"
          "create trigger too_slow after insert on holdfast.seat_change referencing new table as added for each statement "
          "execute function public.too_slow()");
  JournalInTest journal(settings, 1, 500);
  journal.play(3'000);
  pg::Projector projector({.settings = settings});
  projector.tell(1, journal.place().seq);
  EXPECT_TRUE(projector.await(1, journal.place().seq, pg::Projector::Timer::now() + std::chrono::seconds(60)));
  EXPECT_GT(projector.stats().failures, 0u) << "a step was too large";
  EXPECT_EQ(differences(settings, journal), "");
}

TEST(PostgresProjector, GoesOnWhenItsConnectionsAreKilled) {
  const PostgresDatabase database;
  const pg::Settings settings = migrated(database);
  JournalInTest journal(settings, 1, 100, 1);
  pg::Projector projector({.settings = settings});
  Sql killer(database.url());
  for (int round = 0; round < 5; ++round) {
    journal.play(60);
    projector.tell(1, journal.place().seq);
    killer.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name IN "
        "('holdfast projector', 'holdfast housekeeping')");
  }
  EXPECT_TRUE(projector.await(1, journal.place().seq, pg::Projector::Timer::now() + std::chrono::seconds(30)));
  EXPECT_EQ(differences(settings, journal), "");
}

}   // namespace
}   // namespace holdfast::test
