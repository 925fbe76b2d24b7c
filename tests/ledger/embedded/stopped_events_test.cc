// A journal row that does not fit the tables of its event: only this event's tables in state.db stand still, and everything else goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/maintenance.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class StoppedEventsTest : public testing::Test {
 protected:
  StoppedEventsTest() {
    bad = it->create_event(20);
    good = it->create_event(20);
    held = it->new_id(bad);
    EXPECT_TRUE(it->hold(bad, held, {1}, "anna").accepted());
    EXPECT_TRUE(it->hold(good, it->new_id(good), {1}, "ben").accepted());
    it->wait_for_tables();
  }

  // The tables say that the seat of an active reservation is sold. Its release contradicts that.
  void contradict() {
    falsify();
    EXPECT_TRUE(it->release(bad, held).accepted()) << "sales need no tables";
    ASSERT_TRUE(eventually([&] { return it->ledger().stopped_events().contains(bad); }));
  }
  void falsify() { run("UPDATE seat_state SET state = 's' WHERE event = 1 AND seat = 1"); }
  void put_right() { run("UPDATE seat_state SET state = 'h' WHERE event = 1 AND seat = 1"); }
  void run(const char* sql) { change_by_hand(DataFolder::state_in(folder / "data"), sql); }
  std::int64_t format() {
    return sqlite::Database(DataFolder::state_in(folder / "data"), sqlite::Database::Mode::read_only).query_int("PRAGMA user_version");
  }
  void rebuild() {
    cli::rebuild(folder / "data", [](Position, Position) {});
  }

  std::vector<std::string> customers_of(EventNumber event) {
    const auto page = it->ledger().list_reservations({.event = event}, "", 100);
    if (!page) return {"unavailable"};
    std::vector<std::string> customers;
    for (const ListedReservation& each : page->items) customers.push_back(each.view.customer);
    return customers;
  }
  // Every seat of both events with its state and version.
  std::string seats() {
    std::string text;
    for (const EventNumber event : {bad, good}) {
      for (SeatIndex seat = 0; seat < 20; ++seat) {
        const SeatReading reading = it->ledger().event(event)->seat(seat, it->ledger().now());
        text += static_cast<char>(reading.state) + std::to_string(reading.version);
      }
    }
    return text;
  }
  Position anchor() { return journal_of(folder / "data").anchor(); }

  LedgerFolder folder;
  TestTime time;
  std::optional<LedgerInTest> it{std::in_place, folder / "data", time};
  EventNumber bad = 0;
  EventNumber good = 0;
  Uuid held{};
};

TEST_F(StoppedEventsTest, StandStillAloneWhileOtherTablesFollow) {
  contradict();
  EXPECT_TRUE(it->hold(good, it->new_id(good), {2}, "cleo").accepted());
  EXPECT_TRUE(it->hold(bad, it->new_id(bad), {1}, "dora").accepted());
  it->wait_for_tables();
  EXPECT_TRUE(it->ledger().state_follows());
  const StoppedEvents stopped = it->ledger().stopped_events();
  ASSERT_EQ(stopped.size(), 1u);
  EXPECT_THAT(stopped.at(bad).why, HasSubstr("of event 1 (released, journal row 9) finds seat 1 sold"));
  EXPECT_EQ(stopped.at(bad).through, 8);
  EXPECT_THAT(customers_of(good), ElementsAre("ben", "cleo"));
  EXPECT_THAT(customers_of(bad), ElementsAre("unavailable"));
  EXPECT_FALSE(it->ledger().seat_history({.event = bad, .seat = 1}, 0, 10));
  EXPECT_EQ(it->ledger().seat_history({.event = good, .seat = 2}, 0, 10)->size(), 1u);
  EXPECT_TRUE(it->ledger().list_reservations({}, "", 100)) << "a list over all events has the others";
  EXPECT_EQ(it->ledger().read_changes(bad, 3, 10, ReadFrom::anywhere)->changes.size(), 3u) << "changes come from the journal";
}

TEST_F(StoppedEventsTest, AreTwoOfTheEventsOfOneStep) {
  const EventNumber worse = it->create_event(20);
  const Uuid also_held = it->new_id(worse);
  ASSERT_TRUE(it->hold(worse, also_held, {1}).accepted());
  it->wait_for_tables();
  run("UPDATE seat_state SET state = 's' WHERE event = 3");
  falsify();
  Round round;
  round.add(bad, Release{held, {}});
  round.add(good, Hold{.reservation = it->new_id(good), .customer = "cleo", .seats = round.keep({2}), .duration = k_minute});
  round.add(worse, Release{also_held, {}});
  round.run(it->ledger());
  it->wait_for_tables();
  EXPECT_EQ(it->ledger().stopped_events().size(), 2u);
  EXPECT_THAT(customers_of(good), ElementsAre("ben", "cleo"));
}

TEST_F(StoppedEventsTest, IncludeOneWithARowThatShouldNotBeThere) {
  const Uuid next = it->new_id(bad);
  run(("INSERT INTO reservation SELECT '" + to_string(next) +
       "', event, kind, customer, created_at, expires_at, status, order_id, seats, live, created_seq + 1 FROM reservation WHERE event = 1")
          .c_str());
  EXPECT_TRUE(it->hold(bad, next, {2}, "dora").accepted());
  ASSERT_TRUE(it->hold(good, it->new_id(good), {2}, "cleo").accepted());
  it->wait_for_tables();
  EXPECT_TRUE(it->ledger().stopped_events().contains(bad));
  EXPECT_THAT(customers_of(good), ElementsAre("ben", "cleo"));
}

TEST_F(StoppedEventsTest, AreSoldFromTheJournalAfterARestart) {
  contradict();
  const SeatList blocked{9};
  Submission keyed;
  keyed.parts.push_back({bad, Block{blocked}});
  keyed.key = key_of(1, 1);
  EXPECT_FALSE(it->asks(keyed).replayed);
  EXPECT_TRUE(it->asks(keyed).replayed);
  EXPECT_TRUE(it->hold(bad, it->new_id(bad), {1, 2}, "dora").accepted());
  EXPECT_TRUE(it->hold(good, it->new_id(good), {2}, "cleo").accepted());
  it->wait_for_tables();
  const std::string before = seats();
  for (int i = 0; i < 2; ++i) {
    it->reopen();
    EXPECT_EQ(seats(), before);
    EXPECT_THAT(customers_of(good), ElementsAre("ben", "cleo"));
    EXPECT_THAT(customers_of(bad), ElementsAre("unavailable"));
    EXPECT_TRUE(it->asks(keyed).replayed) << "its keys are in the tables";
  }
  EXPECT_EQ(told(it->hold(bad, it->new_id(bad), {3})), "accepted");
  EXPECT_EQ(it->ledger().stopped_events().size(), 1u);
}

TEST_F(StoppedEventsTest, AreNamedByVerifyAndNotBackedUpUntilARebuildMendsThem) {
  contradict();
  EXPECT_TRUE(it->hold(good, it->new_id(good), {2}, "cleo").accepted());
  it->wait_for_tables();
  const std::string before = seats();
  it->close();
  EXPECT_EQ(format(), k_state_format_with_stopped_events) << "an earlier program must refuse it";
  const VerifyReport report = verify_folder(folder / "data");
  EXPECT_TRUE(report.only_stopped_events);
  EXPECT_THAT(report.problem, HasSubstr("the tables of event 1 in " + DataFolder::state_in(folder / "data") + " stand still"));
  EXPECT_TRUE(names_the_way_out(report.problem, "state.db"));
  EXPECT_THROW(cli::backup(folder / "data", folder / "backup"), DataError);
  rebuild();
  EXPECT_EQ(format(), StateStore::k_format);
  EXPECT_EQ(verify_folder(folder / "data").problem, "");
  it->reopen();
  EXPECT_THAT(it->ledger().stopped_events(), IsEmpty());
  EXPECT_EQ(seats(), before);
  EXPECT_THAT(customers_of(bad), ElementsAre("anna"));
}

TEST_F(StoppedEventsTest, DoNotHideWhatIsWrongWithOtherTables) {
  contradict();
  it->wait_for_tables();
  it->close();
  run("UPDATE reservation SET customer = 'mallory' WHERE event = 2");
  const VerifyReport report = verify_folder(folder / "data");
  EXPECT_FALSE(report.only_stopped_events);
  EXPECT_THAT(report.problem, HasSubstr("is not as the journal says"));
  EXPECT_TRUE(names_the_way_out(refusal_at_start(folder / "data", time), ""));
}

TEST_F(StoppedEventsTest, GoOnAfterARestartOnceTheirTablesAreRight) {
  contradict();
  EXPECT_TRUE(it->hold(bad, it->new_id(bad), {1}, "dora").accepted());
  EXPECT_TRUE(it->hold(good, it->new_id(good), {2}, "cleo").accepted());
  it->wait_for_tables();
  it->close();
  put_right();
  it->reopen();
  ASSERT_TRUE(eventually([&] { return it->ledger().stopped_events().empty(); }));
  EXPECT_TRUE(it->hold(bad, it->new_id(bad), {2}, "emil").accepted());
  EXPECT_THAT(customers_of(bad), ElementsAre("anna", "dora", "emil"));
  it->close();
  EXPECT_EQ(format(), StateStore::k_format);
  EXPECT_EQ(verify_folder(folder / "data").problem, "");
}

TEST_F(StoppedEventsTest, KeepTheJournalWhole) {
  it->reopen({.data = {}, .journal_retention_days = 2});
  contradict();
  time.pass(30 * k_day);
  for (SeatIndex seat = 5; seat < 8; ++seat) {   // when a row is followed, the step of the row before is done
    ASSERT_TRUE(it->hold(good, it->new_id(good), {seat}).accepted());
    it->wait_for_tables();
  }
  EXPECT_EQ(anchor(), 0);
  it->close();
  rebuild();
  it->reopen();
  for (SeatIndex seat = 8; seat < 10; ++seat) {
    ASSERT_TRUE(it->hold(good, it->new_id(good), {seat}).accepted());
    it->wait_for_tables();
  }
  EXPECT_TRUE(eventually([&] { return anchor() > 0; })) << "then old rows go again";
}

TEST_F(StoppedEventsTest, AreNotStartedFromAJournalThatIsNoLongerWhole) {
  it->close();
  remove_old_rows(folder / "data", 3);
  it->reopen();
  contradict();
  it->close();
  const std::string refusal = refusal_at_start(folder / "data", time);
  EXPECT_THAT(refusal, HasSubstr("the tables of event 1 in "));
  EXPECT_THAT(refusal, HasSubstr("the journal no longer has its first ones"));
  EXPECT_TRUE(names_the_way_out(refusal, "state.db"));
}

TEST_F(StoppedEventsTest, KeepTheirEndedReservationsInMemoryUntilTheirTablesFollowAgain) {
  it->reopen({.data = {}, .ended_in_memory_max = 0});
  const auto end_one = [&](EventNumber event, SeatIndex seat) {
    const Uuid id = it->new_id(event);
    EXPECT_TRUE(it->hold(event, id, {seat}).accepted());
    EXPECT_TRUE(it->release(event, id).accepted());
    return id;
  };
  const auto forget = [&] {   // the ledger forgets every 512
    it->wait_for_tables();
    for (int i = 0; i < 1'100; ++i) it->sweep(good);
  };
  const auto in_memory = [&](EventNumber event, const Uuid& id) {
    return it->ledger().event(event)->reservation(id, it->ledger().now()).has_value();
  };
  const Uuid early = end_one(bad, 5);
  it->wait_for_tables();
  contradict();   // before memory has forgotten what the tables had by then
  const Uuid late = end_one(bad, 6);
  const Uuid other = end_one(good, 5);
  forget();
  EXPECT_TRUE(in_memory(bad, early)) << "the tables may have it wrong";
  EXPECT_TRUE(in_memory(bad, late)) << "the tables do not have it";
  EXPECT_FALSE(in_memory(good, other)) << "other events are not concerned";

  put_right();
  it->reopen({.data = {}, .ended_in_memory_max = 0});
  ASSERT_TRUE(eventually([&] { return it->ledger().stopped_events().empty(); }));
  end_one(bad, 7);
  forget();
  for (const Uuid& id : {early, late}) {
    EXPECT_FALSE(in_memory(bad, id));
    EXPECT_TRUE(it->ledger().reservation(id));
  }
}

TEST_F(StoppedEventsTest, RefuseWhatOnlyTheirTablesKnow) {
  it->reopen({.data = {}, .ended_in_memory_max = 0});
  const Uuid ended = it->new_id(bad);
  const Uuid other = it->new_id(good);
  const Uuid sold = it->new_id(good);
  for (const auto& [event, id] : {std::pair(bad, ended), std::pair(good, other)}) {
    ASSERT_TRUE(it->hold(event, id, {5}).accepted());
    ASSERT_TRUE(it->release(event, id).accepted());
  }
  for (const auto& [event, id, order] : {std::tuple(bad, it->new_id(bad), "order-bad"), std::tuple(good, sold, "order-good")}) {
    ASSERT_TRUE(it->hold(event, id, {6}).accepted());
    ASSERT_TRUE(it->consume(event, id, order).accepted());
  }
  it->wait_for_tables();
  for (int round = 0; round < 1'100; ++round) it->sweep(good);   // the ledger forgets every 512
  contradict();
  EXPECT_THROW(it->ledger().reservation(ended), ReservationUnreadable);
  EXPECT_EQ(it->consume(bad, ended, "order-1", true).reason, Reason::reservation_unreadable);
  EXPECT_EQ(it->ledger().unreadable_reservations().count(), 0u) << "the stopped event is reported itself";
  EXPECT_TRUE(it->ledger().reservation(other));
  const auto find = [&](const char* order) { return it->ledger().find_orders(std::vector<std::string>{order}); };
  EXPECT_THAT(find("order-good").value(), ElementsAre(sold));
  EXPECT_EQ(find("order-bad").error().kind, ReadProblem::Kind::stands_still);
  EXPECT_EQ(find("order-of-nobody").error().kind, ReadProblem::Kind::stands_still) << "it may be one of the stopped event";
  it->reopen();
  EXPECT_FALSE(it->ledger().reservation(reservation_id(bad, 900))) << "memory has all that there are";
  EXPECT_TRUE(it->ledger().reservation(ended)) << "the start has replayed all of the event";
  EXPECT_EQ(told(it->consume(bad, ended, "order-1", true)), "accepted");
}

}  // namespace
}  // namespace holdfast::test
