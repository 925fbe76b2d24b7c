// Rows of state.db that another program or the disk has changed: their sums tell, wherever a row is believed that the journal does not prove.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "cli/maintenance.h"
#include "ledger/embedded/journal.h"
#include "ledger/ledger_in_test.h"
#include "ledger/logged_lines.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// ---------------------------------------------------------------------------------------------------------------- a start

// Two events with rows of all kinds, stopped in order, with a journal that is too long to be verified at a start.
class StateChecksAtAStart : public testing::Test {
 protected:
  StateChecksAtAStart() {
    LedgerInTest it(folder / "good", time);
    event = it.create_event(20);
    sold = it.new_id(event);
    held = it.new_id(event);
    ended = it.new_id(event);
    EXPECT_TRUE(it.hold(event, sold, {1, 2}, "anna").accepted());
    EXPECT_TRUE(it.consume(event, sold).accepted());
    EXPECT_TRUE(it.hold(event, held, {3}, "ben").accepted());
    EXPECT_TRUE(it.hold(event, ended, {5}, "cleo").accepted());
    EXPECT_TRUE(it.release(event, ended).accepted());
    EXPECT_TRUE(it.block(event, {9}).accepted());
    other = it.create_event(20);
    EXPECT_TRUE(it.hold(other, it.new_id(other), {1}, "dora").accepted());
    it.wait_for_tables();
    good = it.picture();
    it.close();
    lengthen(folder / "good");
  }

  static void lengthen(const fs::path& data) {
    change_by_hand(data / "journal.db", ("CREATE TABLE room AS SELECT zeroblob(" + std::to_string(k_journal_bytes_verified_at_start) +
                                         ") AS room; PRAGMA wal_checkpoint(TRUNCATE)")
                                            .c_str());
  }
  fs::path copy() {
    const fs::path to = folder.path() / ("copy" + std::to_string(++copies));
    fs::copy(folder / "good", to, fs::copy_options::recursive);
    return to;
  }
  // As retention does.
  static void remove_rows(const fs::path& data) { remove_old_rows(data, 5); }
  fs::path changed_by(const std::string& sql) {
    const fs::path data = copy();
    change_by_hand(data / "state.db", sql.c_str());
    return data;
  }
  // As another program leaves the file that does not know sums: a rebuild, or a restore.
  static void drop_sums(const fs::path& data) { change_by_hand(data / "state.db", "DROP TABLE reservation_check; DROP TABLE event_check"); }
  // With the four reservations.
  std::string picture_of(LedgerInTest& it) const {
    for (int i = 0; i < 4; ++i) it.new_id(event);
    return it.picture();
  }
  // Whether a start is refused, or sells the event from the journal.
  void expect_not_believed(const fs::path& data) {
    try {
      LedgerInTest it(data, time);
      EXPECT_THAT(it.ledger().stopped_events(), testing::Contains(testing::Key(event)));
      EXPECT_EQ(picture_of(it), good);
    } catch (const DataError& error) {
      EXPECT_TRUE(names_the_way_out(error.what(), "state.db"));
    }
  }

  LedgerFolder folder;
  TestTime time;
  EventNumber event = 0;
  EventNumber other = 0;
  Uuid sold{};
  Uuid held{};
  Uuid ended{};
  std::string good;
  int copies = 0;
};

TEST_F(StateChecksAtAStart, GoodTablesAreBelieved) {
  const fs::path data = copy();
  const LoggedLines log;
  EXPECT_EQ(refusal_at_start(data, time), "");
  EXPECT_THAT(log.with("sums"), IsEmpty());
  EXPECT_EQ(verify_folder(data).problem, "");
}

TEST_F(StateChecksAtAStart, AFalseRowIsNotBelievedAndFoundByVerify) {
  const std::string the_sold = " WHERE id = '" + to_string(sold) + "'";
  const std::string the_held = " WHERE id = '" + to_string(held) + "'";
  const std::vector<std::string> changes = {
      "UPDATE event SET seq = seq - 1 WHERE number = 1",
      "UPDATE event SET seq = seq + 1 WHERE number = 1",
      "UPDATE event SET at = at - 1 WHERE number = 1",
      "UPDATE event SET created_at = created_at + 1 WHERE number = 1",
      "UPDATE event SET name = 'another' WHERE number = 1",
      "UPDATE event SET venue = 'elsewhere' WHERE number = 1",
      "UPDATE event SET currency = 'XTS' WHERE number = 1",
      "UPDATE event SET id = '00000000-0000-4000-8000-000000000001' WHERE number = 1",
      "UPDATE event SET starts_at = 5 WHERE number = 1",
      "UPDATE event SET status = 3 WHERE number = 1",
      "UPDATE event SET hold_seconds = 1 WHERE number = 1",
      "UPDATE event SET max_hold_seconds = 1 WHERE number = 1",
      "UPDATE event SET seats_per_reservation = 1 WHERE number = 1",
      "UPDATE event SET held_seats_per_customer = 1 WHERE number = 1",
      "DELETE FROM event WHERE number = 1",
      "UPDATE plan_part SET first = 1 WHERE event = 1",
      "UPDATE plan_part SET count = 19 WHERE event = 1",
      "DELETE FROM plan_part WHERE event = 1",
      "UPDATE seat_state SET version = version + 5 WHERE event = 1 AND seat = 1",
      "UPDATE seat_state SET version = version + 4294967296 WHERE event = 1 AND seat = 1",
      "UPDATE seat_state SET state = 'a', reservation = NULL WHERE event = 1 AND seat = 9",
      "UPDATE seat_state SET state = 'b' WHERE event = 1 AND seat = 5",
      "UPDATE seat_state SET seat = 10 WHERE event = 1 AND seat = 9",
      "DELETE FROM seat_state WHERE event = 1 AND seat = 9",
      "DELETE FROM seat_state WHERE event = 1 AND seat = 3; DELETE FROM reservation" + the_held,
      "DELETE FROM seat_state WHERE event = 1 AND seat IN (1, 2); DELETE FROM reservation" + the_sold,
      "UPDATE seat_state SET state = 'a', reservation = NULL WHERE event = 1 AND seat = 3; DELETE FROM reservation" + the_held,
      "UPDATE reservation SET customer = 'mallory'" + the_held,
      "UPDATE reservation SET customer = 'mallory'" + the_sold,
      "UPDATE reservation SET order_id = 'order-2'" + the_sold,
      "UPDATE reservation SET kind = 1" + the_held,
      "UPDATE reservation SET kind = kind + 2" + the_held,
      "UPDATE reservation SET created_at = created_at - 1" + the_held,
      "UPDATE reservation SET expires_at = expires_at + 1" + the_held,
      "UPDATE reservation SET seats = '[2,1]'" + the_sold,
      "UPDATE reservation SET created_seq = created_seq + 100" + the_held,
      "UPDATE seat_state SET seat = 4 WHERE event = 1 AND seat = 3; UPDATE reservation SET seats = '[4]'" + the_held,
      "UPDATE event_check SET sum = sum + 1 WHERE event = 1",
      "DELETE FROM event_check WHERE event = 1",
  };
  for (const std::string& change : changes) {
    SCOPED_TRACE(change);
    const fs::path data = changed_by(change);
    EXPECT_TRUE(names_the_way_out(verify_folder(data).problem, "state.db"));
    expect_not_believed(data);
    fs::remove_all(data);
  }
}

TEST_F(StateChecksAtAStart, ASumOfAnEventThatThereNeverWasIsRemoved) {
  const fs::path data = changed_by("INSERT INTO event_check VALUES (77, 1)");
  EXPECT_THAT(verify_folder(data).problem, HasSubstr("event 77 is missing in table event"));
  {
    const LoggedLines log;
    LedgerInTest it(data, time);
    EXPECT_THAT(it.ledger().stopped_events(), IsEmpty()) << "or no backup would be written any more";
    EXPECT_THAT(log.with("is of event 77, which there never was"), SizeIs(1));
    EXPECT_EQ(picture_of(it), good);
    EXPECT_EQ(it.create_event(uuid_of(9), plan_of(uuid_of(9), 5)), other + 1);
    it.wait_for_tables();
  }
  EXPECT_EQ(verify_folder(data).problem, "");
  cli::backup(data, folder / "backup");
}

TEST_F(StateChecksAtAStart, ASumThatNobodyCanExplainWithoutOldRowsRefusesTheStart) {
  for (const char* number : {"77", "-1", "9999999999"}) {
    const fs::path data = changed_by(std::string("INSERT INTO event_check VALUES (") + number + ", 1)");
    remove_rows(data);
    const std::string refusal = refusal_at_start(data, time);
    EXPECT_TRUE(names_the_way_out(refusal, "state.db"));
    EXPECT_THAT(refusal, HasSubstr(number));
  }
}

TEST_F(StateChecksAtAStart, SeveralMissingEventsAreSoldFromTheJournalAndKeepTheirNumbers) {
  const fs::path data = changed_by("DELETE FROM event");
  LedgerInTest it(data, time);
  EXPECT_THAT(it.ledger().stopped_events(), testing::UnorderedElementsAre(testing::Key(event), testing::Key(other)));
  EXPECT_EQ(picture_of(it), good);
  EXPECT_EQ(it.create_event(uuid_of(9), plan_of(uuid_of(9), 5)), other + 1);
}

TEST_F(StateChecksAtAStart, TheNumberOfAnEventThatTheTablesHaveLostIsNotUsedAgain) {
  const fs::path data = copy();
  drop_sums(data);   // so nothing tells that it is missing, but the index of the journal
  change_by_hand(data / "state.db", ("DELETE FROM event WHERE number = " + std::to_string(other)).c_str());
  LedgerInTest it(data, time);
  EXPECT_EQ(it.ledger().event(other), nullptr);
  EXPECT_EQ(it.create_event(uuid_of(9), plan_of(uuid_of(9), 5)), other + 1);
}

TEST_F(StateChecksAtAStart, AMissingEventThatIsStoppedIsNotFoundAgain) {
  const fs::path data = changed_by("DELETE FROM event WHERE number = 1");
  EXPECT_THAT(StateStore(DataFolder::state_in(data), StateStore::Mode::read).find_false_row(), HasSubstr("event 1 is missing"));
  EXPECT_EQ(refusal_at_start(data, time), "");
  const StateStore state(DataFolder::state_in(data), StateStore::Mode::read);
  ASSERT_THAT(state.stopped(), SizeIs(1));
  EXPECT_EQ(state.find_false_row(), "");
}

TEST_F(StateChecksAtAStart, DamageOfOneEventIsSaidToBeOfThatEvent) {
  for (const char* change : {"UPDATE seat_state SET version = version + 5 WHERE event = 1 AND seat = 1",
                             "UPDATE seat_state SET state = 'z' WHERE event = 1 AND seat = 1",
                             "UPDATE event SET plan_header = x'' WHERE number = 1", "DELETE FROM event WHERE number = 1"}) {
    SCOPED_TRACE(change);
    StateStore state(DataFolder::state_in(changed_by(change)), StateStore::Mode::read);
    try {
      state.load_events(0, [](const StoredEvent&) {});
      FAIL() << "it was believed";
    } catch (const EventDamage& damage) {
      EXPECT_EQ(damage.event(), event);
    }
  }
}

TEST_F(StateChecksAtAStart, VerifyComparesSumsThatAJournalWithoutOldRowsDoesNotProve) {
  const std::string the_ended = " WHERE id = '" + to_string(ended) + "'";
  for (const std::string& change : {"UPDATE reservation SET customer = 'mallory'" + the_ended, "DELETE FROM reservation" + the_ended,
                                    std::string("UPDATE reservation_check SET sum = sum - 1 WHERE place >> 44 = 1"),
                                    std::string("DELETE FROM reservation_check WHERE place >> 44 = 1"),
                                    std::string("UPDATE seat_state SET version = version + 5 WHERE event = 1 AND seat = 1")}) {
    SCOPED_TRACE(change);
    const fs::path data = copy();
    remove_rows(data);
    ASSERT_EQ(verify_folder(data).problem, "");
    change_by_hand(data / "state.db", change.c_str());
    const VerifyReport report = verify_folder(data);
    EXPECT_FALSE(report.journal_is_whole);
    EXPECT_TRUE(names_the_way_out(report.problem, "state.db"));
    EXPECT_THROW(cli::backup(data, folder / "backup"), DataError);
    fs::remove_all(data);
  }
}

// ---- sums that are missing or old

TEST_F(StateChecksAtAStart, SumsThatAnotherProgramLeftBehindAreMadeAgain) {
  const std::vector<std::function<void(const fs::path&)>> ways = {
      drop_sums,
      [](const fs::path& data) { change_by_hand(data / "state.db", "DROP TABLE event_check"); },
      [](const fs::path& data) {   // it wrote rows, and left the sums as they were
        change_by_hand(data / "state.db",
                       "UPDATE meta SET value = zeroblob(32) WHERE name = 'checks_as_of'; UPDATE reservation_check SET sum = 1; "
                       "DELETE FROM event_check");
      },
      [](const fs::path& data) { change_by_hand(data / "state.db", "DELETE FROM meta WHERE name = 'checks_as_of'"); },
  };
  for (const auto& left_behind : ways) {
    const fs::path data = copy();
    left_behind(data);
    EXPECT_EQ(verify_folder(data).problem, "") << "there is nothing to compare with";
    {
      const LoggedLines log;
      LedgerInTest it(data, time);
      EXPECT_THAT(log.with("sums of 4 reservations and 2 events were made from the tables"), SizeIs(1));
      EXPECT_EQ(told(it.hold(event, reservation_id(event, 900), {17})), "accepted");
      EXPECT_EQ(told(it.release(event, held)), "accepted");
      it.wait_for_tables();
      it.reopen();
      EXPECT_THAT(log.with("sums"), SizeIs(1)) << "once";
    }
    EXPECT_EQ(verify_folder(data).problem, "");
    change_by_hand(data / "state.db", "UPDATE seat_state SET version = version + 5 WHERE event = 1 AND seat = 17");
    EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time) + verify_folder(data).problem, "state.db")) << "now they are compared";
  }
}

TEST_F(StateChecksAtAStart, ARefusedStartMakesNoSums) {
  const fs::path data = copy();
  drop_sums(data);
  journal_of(data).remove_after(3);
  EXPECT_NE(refusal_at_start(data, time), "");
  EXPECT_FALSE(StateStore(DataFolder::state_in(data), StateStore::Mode::read).has_current_sums());
}

// Somebody may put the row right; sums made meanwhile would say that it is false.
TEST_F(StateChecksAtAStart, AStartRefusedBecauseOfARowMakesNoSums) {
  const fs::path data = copy();
  remove_rows(data);
  drop_sums(data);
  change_by_hand(data / "state.db", "UPDATE seat_state SET state = 'z' WHERE event = 1 AND seat = 3");
  EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), "state.db"));
  EXPECT_FALSE(StateStore(DataFolder::state_in(data), StateStore::Mode::read).has_current_sums());
  change_by_hand(data / "state.db", "UPDATE seat_state SET state = 'h' WHERE event = 1 AND seat = 3");
  EXPECT_EQ(refusal_at_start(data, time), "");
  EXPECT_EQ(verify_folder(data).problem, "");
  EXPECT_TRUE(StateStore(DataFolder::state_in(data), StateStore::Mode::read).has_current_sums());
}

// What docs/operations.md says for a journal that no longer has its first rows.
TEST_F(StateChecksAtAStart, ARowThatSomebodyHasComparedIsBelievedWithSumsMadeAnew) {
  for (const Uuid& id : {held, ended}) {
    const fs::path data = changed_by("UPDATE reservation SET customer = 'clea' WHERE id = '" + to_string(id) + "'");
    remove_rows(data);
    EXPECT_TRUE(names_the_way_out(verify_folder(data).problem, "state.db"));
    EXPECT_THROW(cli::rebuild(data, [](Position, Position) {}), DataError);
    change_by_hand(data / "state.db", "DELETE FROM meta WHERE name = 'checks_as_of'");
    {
      LedgerInTest it(data, time);
      EXPECT_EQ(it.ledger().reservation(id)->customer, "clea");
      EXPECT_TRUE(it.ledger().list_reservations({.event = event}, "", 10));
    }
    EXPECT_EQ(verify_folder(data).problem, "");
    cli::backup(data, folder / to_string(id).c_str());
  }
}

TEST_F(StateChecksAtAStart, ABackupHasTheSumsAndOneWithoutThemIsRestored) {
  cli::backup(folder / "good", folder / "backup");
  cli::restore(folder / "restored", folder / "backup");
  EXPECT_TRUE(StateStore(DataFolder::state_in(folder / "restored"), StateStore::Mode::read).has_current_sums());
  change_by_hand(folder / "backup", "UPDATE reservation_check SET sum = 1");
  EXPECT_THROW(cli::restore(folder / "false", folder / "backup"), DataError);
  change_by_hand(folder / "backup", "DROP TABLE reservation_check; DROP TABLE event_check; DELETE FROM meta WHERE name = 'checks_as_of'");
  cli::restore(folder / "old", folder / "backup");
  EXPECT_FALSE(StateStore(DataFolder::state_in(folder / "old"), StateStore::Mode::read).has_current_sums());
  for (const char* data : {"restored", "old"}) {
    LedgerInTest it(folder / data, time);
    EXPECT_EQ(told(it.release(event, held)), "accepted");
    it.wait_for_tables();
    it.close();
    EXPECT_EQ(verify_folder(folder / data).problem, "");
  }
}

TEST_F(StateChecksAtAStart, ARebuildMakesTheSums) {
  const fs::path data = changed_by("UPDATE seat_state SET version = version + 5 WHERE event = 1 AND seat = 1");
  cli::rebuild(data, [](Position, Position) {});
  EXPECT_TRUE(StateStore(DataFolder::state_in(data), StateStore::Mode::read).has_current_sums());
  EXPECT_EQ(verify_folder(data).problem, "");
  EXPECT_EQ(refusal_at_start(data, time), "");
}

// ---------------------------------------------------------------------------------------------------------------- a running ledger

// A ledger that keeps three ended reservations of an event in memory.
class StateChecksAtWork : public testing::Test {
 protected:
  StateChecksAtWork() : it(folder / "data", time, {.data = {}, .ended_in_memory_max = 3}) { event = it.create_event(40); }

  // Of one seat, released and forgotten by memory.
  Uuid forgotten(SeatIndex seat) {
    const Uuid id = it.new_id(event);
    EXPECT_TRUE(it.hold(event, id, {seat}, "anna").accepted());
    EXPECT_TRUE(it.release(event, id).accepted());
    for (SeatIndex other = 30; other < 36; ++other) {
      const Uuid next = it.new_id(event);
      EXPECT_TRUE(it.hold(event, next, {other}, "ben").accepted());
      EXPECT_TRUE(it.release(event, next).accepted());
    }
    it.wait_for_tables();
    for (int round = 0; round < 1'100; ++round) it.sweep(event);   // the ledger forgets every 512
    EXPECT_EQ(it.ledger().event(event)->reservation(id, it.ledger().now()), std::nullopt) << "it is still in memory";
    return id;
  }
  void run(const std::string& sql) { change_by_hand(DataFolder::state_in(folder / "data"), sql.c_str()); }
  void put(const Uuid& id, const std::string& columns) { run("UPDATE reservation SET " + columns + " WHERE id = '" + to_string(id) + "'"); }

  LedgerFolder folder;
  TestTime time;
  LedgerInTest it;
  EventNumber event = 0;
};

TEST_F(StateChecksAtWork, AFalseReservationThatMemoryHasForgottenIsNeitherReadNorReinstated) {
  const Uuid id = forgotten(3);
  run("CREATE TABLE kept AS SELECT * FROM reservation WHERE id = '" + to_string(id) + "'");
  for (const char* columns : {"seats = '[5]'", "seats = '[3,5]'", "seats = '[3,]'", "customer = 'mallory'", "customer = ''", "kind = 1",
                              "created_at = created_at - 1", "expires_at = expires_at + 1000000", "status = 'expired'",
                              "status = 'consumed', order_id = 'order-1'", "created_seq = created_seq + 1", "live = 1"}) {
    SCOPED_TRACE(columns);
    put(id, columns);
    EXPECT_THROW(it.ledger().reservation(id), ReservationUnreadable);
    EXPECT_EQ(it.consume(event, id, "order-1", true).reason, Reason::reservation_unreadable);
    EXPECT_EQ(it.give_back(event, id).reason, Reason::reservation_unreadable);
    run("DELETE FROM reservation WHERE id = '" + to_string(id) + "'; INSERT INTO reservation SELECT * FROM kept");
  }
  EXPECT_EQ(told(it.hold(event, it.new_id(event), {5})), "accepted") << "nobody else got its seat";
  EXPECT_EQ(told(it.consume(event, id, "order-1", true)), "accepted") << "it was put right";
  EXPECT_EQ(it.ledger().event(event)->seat(3, it.ledger().now()).reservation, id);
}

TEST_F(StateChecksAtWork, AFalseReservationIsNotListedNorFoundNorInAHistory) {
  const Uuid id = it.new_id(event);
  ASSERT_TRUE(it.hold(event, id, {3}, "anna").accepted());
  ASSERT_TRUE(it.consume(event, id, "order-1").accepted());
  ASSERT_TRUE(it.hold(event, it.new_id(event), {4}, "ben").accepted());
  it.wait_for_tables();
  put(id, "kind = 1 - kind");
  EXPECT_FALSE(it.ledger().list_reservations({.event = event}, "", 10));
  EXPECT_FALSE(it.ledger().list_reservations({.customer = "anna"}, "", 10));
  EXPECT_TRUE(it.ledger().list_reservations({.customer = "ben"}, "", 10)) << "others are";
  EXPECT_THAT(it.ledger().unreadable_reservations().text(), AllOf(HasSubstr(to_string(id)), HasSubstr("holdfast rebuild")));
  EXPECT_FALSE(it.ledger().find_orders(std::vector<std::string>{"order-1"}));
  EXPECT_EQ(it.ledger().unreadable_reservations().count(), 1u);
  EXPECT_FALSE(it.ledger().seat_history({.event = event, .seat = 3}, 0, 10));
  EXPECT_TRUE(it.ledger().seat_history({.event = event, .seat = 4}, 0, 10));
  put(id, "kind = 1 - kind");
  EXPECT_TRUE(it.ledger().list_reservations({.event = event}, "", 10));
  EXPECT_EQ(it.ledger().unreadable_reservations().text(), "") << "the list has seen that it is right";
  EXPECT_EQ(it.ledger().seat_history({.event = event, .seat = 3}, 0, 10)->size(), 2u);
  put(id, "kind = 1 - kind");
  EXPECT_FALSE(it.ledger().find_orders(std::vector<std::string>{"order-1"}));
  EXPECT_THAT(it.ledger().unreadable_reservations().text(), HasSubstr(to_string(id)));
  put(id, "kind = 1 - kind");
  EXPECT_EQ(it.ledger().find_orders(std::vector<std::string>{"order-1"})->front(), id);
  EXPECT_EQ(it.ledger().unreadable_reservations().text(), "");
}

TEST_F(StateChecksAtWork, AListIsNotRefusedBecauseOfARowThatItDoesNotHave) {
  const EventNumber next = it.create_event(5);
  const Uuid first = it.new_id(event);
  const Uuid second = it.new_id(event);
  const Uuid of_next = it.new_id(next);
  ASSERT_TRUE(it.hold(event, first, {3}, "anna").accepted());
  ASSERT_TRUE(it.hold(event, second, {4}, "anna").accepted());
  ASSERT_TRUE(it.hold(next, of_next, {1}, "anna").accepted());
  it.wait_for_tables();
  put(of_next, "kind = 1 - kind");
  EXPECT_TRUE(it.ledger().list_reservations({.event = event}, "", 10)) << "it is of another event";
  EXPECT_FALSE(it.ledger().list_reservations({}, "", 10));
  put(second, "kind = 1 - kind");
  EXPECT_TRUE(it.ledger().list_reservations({.event = event}, "", 1)) << "it is on the next page";
  EXPECT_FALSE(it.ledger().list_reservations({.event = event}, "", 2));
}

TEST_F(StateChecksAtWork, AFalseReservationIsNotReplacedButStopsItsEvent) {
  const Uuid id = it.new_id(event);
  ASSERT_TRUE(it.hold(event, id, {3}, "anna").accepted());
  it.wait_for_tables();
  put(id, "customer = 'mallory'");
  EXPECT_EQ(told(it.release(event, id)), "accepted") << "memory has it right";
  ASSERT_TRUE(eventually([&] { return it.ledger().stopped_events().contains(event); }));
  EXPECT_THAT(it.ledger().stopped_events().at(event).why,
              HasSubstr("the row of reservation " + to_string(id) + " is not what was written"));
  it.close();
  cli::rebuild(folder / "data", [](Position, Position) {});
  EXPECT_EQ(verify_folder(folder / "data").problem, "");
}

TEST_F(StateChecksAtWork, AFalseSeatThatFitsTheNextChangeIsStillFalseAfterIt) {
  const Uuid id = it.new_id(event);
  ASSERT_TRUE(it.hold(event, id, {3}).accepted());
  it.wait_for_tables();
  run("UPDATE seat_state SET version = version + 5 WHERE seat = 3");
  ASSERT_TRUE(it.release(event, id).accepted());
  it.wait_for_tables();
  it.close();
  StateStore state(DataFolder::state_in(folder / "data"), StateStore::Mode::read);
  EXPECT_THROW(state.load_events(0, [](const StoredEvent&) {}), EventDamage);
}

TEST_F(StateChecksAtWork, AStoppedEventGoesOnOnlyIfAllOfItsRowsAreRight) {
  const Uuid id = it.new_id(event);
  ASSERT_TRUE(it.hold(event, id, {3}).accepted());
  ASSERT_TRUE(it.block(event, {7}).accepted());
  it.wait_for_tables();
  run("UPDATE seat_state SET state = 's' WHERE seat = 3; UPDATE seat_state SET version = 5 WHERE seat = 7");
  ASSERT_TRUE(it.release(event, id).accepted());
  ASSERT_TRUE(eventually([&] { return it.ledger().stopped_events().contains(event); }));
  it.close();
  run("UPDATE seat_state SET state = 'h' WHERE seat = 3");
  {
    const LoggedLines log;
    it.reopen();
    it.wait_for_tables();
    ASSERT_TRUE(eventually([&] { return !log.with("stand still").empty(); }));
    EXPECT_THAT(it.ledger().stopped_events(), SizeIs(1)) << "seat 7 is still false";
    it.close();   // before the log: its threads write to it
  }
  run("UPDATE seat_state SET version = 1 WHERE seat = 7");
  it.reopen();
  EXPECT_TRUE(eventually([&] { return it.ledger().stopped_events().empty(); }));
  it.close();
  EXPECT_EQ(verify_folder(folder / "data").problem, "");
}

// Every kind of change, twice in one step and each in a step of its own, leaves sums that verify finds right.
TEST_F(StateChecksAtWork, SumsFollowEveryKindOfChange) {
  for (const bool in_one_step : {false, true}) {
    const auto next = [&](const Outcome& outcome) {
      EXPECT_TRUE(outcome.accepted()) << told(outcome);
      if (!in_one_step) it.wait_for_tables();
    };
    const Uuid sold = it.new_id(event);
    next(it.hold(event, sold, {1, 2}));
    next(it.does(event, Extend{sold, 1'000}).outcomes[0]);
    const SeatList more{3, 4};
    next(it.does(event, Add{sold, more}).outcomes[0]);
    next(it.release(event, sold, {4}));
    next(it.consume(event, sold));
    next(it.give_back(event, sold, {1}));
    next(it.give_back(event, sold));
    const Uuid expired = it.new_id(event);
    next(it.hold(event, expired, {5}));
    time.pass(k_hour);
    it.sweep(event);
    next(it.consume(event, expired, "order-2", true));
    next(it.give_back(event, expired, {}, "order-2"));
    next(it.block(event, {7}));
    const SeatList blocked{7};
    next(it.does(event, Unblock{blocked}).outcomes[0]);
    next(it.does(event, Configure{.name = "another name"}).outcomes[0]);
    it.create_event(5);
    it.wait_for_tables();
    EXPECT_EQ(verify_folder(folder / "data").problem, "");
  }
}

}   // namespace
}   // namespace holdfast::test
