// Idempotency keys: the first outcome again for 24 hours, even after a restart; and no more keys than the limit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/embedded/disk.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

struct Keys : testing::Test {
  explicit Keys(std::size_t keys_max = k_idempotency_keys_max) : it(folder / "data", time, {.data = {}, .idempotency_keys_max = keys_max}) {
    event = it.create_event(20);
  }

  Submission hold(const Uuid& id, std::uint64_t key, std::uint64_t request, Seats seats) {
    Submission submission;
    submission.parts.push_back({event, Hold{.reservation = id, .customer = "anna", .seats = seats, .duration = 15 * k_minute}});
    submission.key = key_of(key, request);
    return submission;
  }

  LedgerFolder folder;
  TestTime time;
  LedgerInTest it;
  EventNumber event = 0;
  const SeatList one{1};
  const SeatList two{2};
};

TEST_F(Keys, TheSameRequestGetsTheFirstOutcomeEvenAfterARestart) {
  const Uuid id = it.new_id(event);
  const Verdict first = it.asks(hold(id, 1, 1, one));
  ASSERT_TRUE(first.accepted());
  ASSERT_TRUE(it.release(event, id).accepted());
  for (int restart = 0; restart < 3; ++restart) {
    const Verdict again = it.asks(hold(it.new_id(event), 1, 1, one));
    EXPECT_TRUE(again.replayed);
    EXPECT_EQ(told(again), "replayed: " + told(first));
    it.reopen();
    it.wait_for_tables();
  }
  EXPECT_EQ(it.ledger().event(event)->counts().held, 0u);
}

TEST_F(Keys, TheSameKeyWithAnotherRequestIsRefusedEvenAfterARestart) {
  ASSERT_TRUE(it.asks(hold(it.new_id(event), 1, 1, one)).accepted());
  EXPECT_EQ(told(it.asks(hold(it.new_id(event), 1, 2, two))), "idempotency_key_reused");
  it.reopen();
  EXPECT_EQ(told(it.asks(hold(it.new_id(event), 1, 2, two))), "idempotency_key_reused");
}

// The clock may be wrong. Keys that would then still count are not forgotten, in memory or in the tables, until an operator has
// had time to look.
TEST_F(Keys, AreKeptForAnHourMoreIfTheClockIsFarAheadAtTheStart) {
  const Verdict first = it.asks(hold(it.new_id(event), 1, 1, one));
  ASSERT_TRUE(first.accepted());
  EXPECT_EQ(it.ledger().clock_doubt(), "");
  it.close();
  time.pass(365 * k_day);
  it.reopen();
  EXPECT_THAT(it.ledger().clock_doubt(), testing::HasSubstr("8760.0 hours ahead"));
  time.pass(k_minute);
  it.reopen();   // with nothing recorded meanwhile
  EXPECT_THAT(it.ledger().clock_doubt(), testing::HasSubstr("8760.0 hours ahead")) << "it is the same gap";
  ASSERT_TRUE(it.asks(hold(it.new_id(event), 2, 1, two)).accepted());   // the tables would forget the first key with this
  for (int restart = 0; restart < 2; ++restart) {
    it.wait_for_tables();
    it.reopen();
    EXPECT_NE(it.ledger().clock_doubt(), "") << "a restart makes nothing certain";
    EXPECT_EQ(told(it.asks(hold(it.new_id(event), 1, 1, one))), "replayed: " + told(first));
  }
  time.pass(k_hour);
  EXPECT_EQ(it.ledger().clock_doubt(), "");
  EXPECT_FALSE(it.asks(hold(it.new_id(event), 1, 1, one)).replayed);
  it.close();
  EXPECT_EQ(verify_folder(folder / "data").problem, "");
}

TEST_F(Keys, AreKeptByALedgerThatIsFarAheadOfTheWallClock) {
  it.close();
  time.step_wall(365 * k_day);   // wrong, and recorded
  it.reopen();
  const Verdict first = it.asks(hold(it.new_id(event), 1, 1, one));
  ASSERT_TRUE(first.accepted());
  it.close();
  time.step_wall(-365 * k_day);
  it.reopen();
  EXPECT_THAT(it.ledger().clock_doubt(), testing::HasSubstr("8760.0 hours ahead of this machine's clock"));
  EXPECT_TRUE(it.asks(hold(it.new_id(event), 1, 1, one)).replayed);
}

// The effect of a flipped bit: SQLite reads the time from the index, so only a comparison with the table shows it.
TEST_F(Keys, ATimeThatDiffersBetweenTableAndIndexIsFound) {
  ASSERT_TRUE(it.asks(hold(it.new_id(event), 1, 1, one)).accepted());
  it.wait_for_tables();
  it.close();
  const std::string tables = (folder / "data" / "state.db").string();
  change_by_hand(tables,
                 "PRAGMA writable_schema = ON; CREATE TABLE kept AS SELECT * FROM sqlite_master WHERE name = 'idempotency_key_at'; "
                 "DELETE FROM sqlite_master WHERE name = 'idempotency_key_at'");
  change_by_hand(tables, "UPDATE idempotency_key SET at = at + 1");
  change_by_hand(tables, "PRAGMA writable_schema = ON; INSERT INTO sqlite_master SELECT * FROM kept");
  EXPECT_TRUE(names_the_way_out(verify_folder(folder / "data").problem, "state.db"));
}

TEST_F(Keys, ARefusalIsNotKept) {
  ASSERT_TRUE(it.block(event, {1}).accepted());
  EXPECT_EQ(told(it.asks(hold(it.new_id(event), 1, 1, one))), "seat_unavailable 1");
  ASSERT_TRUE(it.does(event, Unblock{one}).accepted());
  const Verdict verdict = it.asks(hold(it.new_id(event), 1, 1, one));
  EXPECT_TRUE(verdict.accepted());
  EXPECT_FALSE(verdict.replayed);
}

TEST_F(Keys, ARequestThatChangesNothingKeepsNoKeyAndIsJudgedAgain) {
  const Uuid id = it.new_id(event);
  ASSERT_TRUE(it.hold(event, id, {1}).accepted());
  ASSERT_TRUE(it.release(event, id).accepted());
  Submission again;
  again.parts.push_back({event, Release{id, {}}});
  again.key = key_of(7, 7);
  for (int asked = 0; asked < 2; ++asked) {
    const Verdict verdict = it.asks(again);
    EXPECT_TRUE(verdict.accepted());
    EXPECT_FALSE(verdict.replayed);
  }
  EXPECT_TRUE(it.asks(hold(it.new_id(event), 7, 8, two)).accepted()) << "the key is free for another request";
  it.close();
  EXPECT_EQ(verify_folder(folder / "data").problem, "");
}

TEST_F(Keys, AreForgottenAfterExactly24Hours) {
  for (const bool restart : {false, true}) {
    const std::uint64_t key = restart ? 11 : 10;
    const SeatList seats{restart ? SeatIndex{3} : SeatIndex{4}};
    ASSERT_TRUE(it.asks(hold(it.new_id(event), key, 1, seats)).accepted());
    time.pass(k_day - 1);
    if (restart) it.reopen();
    EXPECT_TRUE(it.asks(hold(it.new_id(event), key, 1, seats)).replayed);
    ASSERT_TRUE(it.block(event, {restart ? SeatIndex{18} : SeatIndex{19}}).accepted());   // otherwise the next start would doubt its clock
    time.pass(1);
    if (restart) it.reopen();
    const Verdict after = it.asks(hold(it.new_id(event), key, 1, seats));
    EXPECT_TRUE(after.accepted());   // the hold has long ended
    EXPECT_FALSE(after.replayed);
    it.reopen();
    EXPECT_TRUE(it.asks(hold(it.new_id(event), key, 1, seats)).replayed);   // the second outcome now
  }
  it.close();
  EXPECT_EQ(verify_folder(folder / "data").problem, "");
}

TEST_F(Keys, AKeyUsedAgainAfterADayIsReplayedThoughTheTablesHaveOnlyItsFirstUse) {
  ASSERT_TRUE(it.asks(hold(it.new_id(event), 5, 1, one)).accepted());
  it.wait_for_tables();
  Disk::get().copy_as_after_kill(folder / "data", folder / "early");
  time.pass(k_day);
  const Verdict second = it.asks(hold(it.new_id(event), 5, 2, two));
  ASSERT_TRUE(second.accepted());
  Disk::get().copy_as_after_kill(folder / "data", folder / "late");
  copy_journal(folder / "late", folder / "early");
  LedgerInTest copy(folder / "early", time);
  EXPECT_EQ(told(copy.asks(hold(it.new_id(event), 5, 2, two))), "replayed: " + told(second));
}

TEST_F(Keys, ASetOverEventsIsReplayedAsAWhole) {
  const EventNumber other = it.create_event(20);
  const auto set = [&](std::uint64_t request) {
    Submission submission;
    for (const EventNumber each : {event, other}) {
      submission.parts.push_back(
          {each, Hold{.reservation = it.new_id(each), .kind = ReservationKind::ticket_lock, .seats = one, .duration = 15 * k_minute}});
    }
    submission.key = key_of(3, request);
    return submission;
  };
  const Verdict first = it.asks(set(1));
  ASSERT_TRUE(first.accepted());
  it.reopen();
  EXPECT_EQ(told(it.asks(set(1))), "replayed: " + told(first));
  it.wait_for_tables();
  it.reopen();
  EXPECT_EQ(told(it.asks(set(1))), "replayed: " + told(first));
}

struct FewKeys : Keys {
  FewKeys() : Keys(3) {}
};

TEST_F(FewKeys, OverTheLimitARequestIsRefusedAndOneWithoutAKeyIsNot) {
  for (SeatIndex seat = 0; seat < 3; ++seat) ASSERT_TRUE(it.asks(hold(it.new_id(event), 20 + seat, 1, SeatList{seat})).accepted());
  const SeatList seats{7};
  EXPECT_EQ(told(it.asks(hold(it.new_id(event), 30, 1, seats))), "limit_exceeded idempotency_keys");
  it.reopen();
  EXPECT_EQ(told(it.asks(hold(it.new_id(event), 30, 1, seats))), "limit_exceeded idempotency_keys");
  EXPECT_TRUE(it.asks(hold(it.new_id(event), 20, 1, SeatList{0})).replayed);
  EXPECT_EQ(told(it.hold(event, it.new_id(event), {8})), "accepted");
  time.pass(k_day);
  EXPECT_TRUE(it.asks(hold(it.new_id(event), 30, 1, seats)).accepted());
}

}   // namespace
}   // namespace holdfast::test
