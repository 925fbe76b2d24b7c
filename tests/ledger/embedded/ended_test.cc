// Reservations that ended long ago: forgotten from memory, but not from the tables.
#include <gtest/gtest.h>

#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

// A ledger that keeps three ended reservations of an event in memory.
struct Ended : testing::Test {
  Ended() : it(folder, time, {.data = {}, .ended_in_memory_max = 3}) { event = it.create_event(40); }

  // Runs enough rounds for old reservations to be forgotten, and then makes one more change for the tables.
  void forget() {
    it.wait_for_tables();
    const Uuid last = it.new_id(event);
    ASSERT_TRUE(it.hold(event, last, {39}).accepted());
    ASSERT_TRUE(it.release(event, last).accepted());
    it.wait_for_tables();
    for (int i = 0; i < 1'100; ++i) it.does(event, Sweep{1});
  }
  // Created, ended and forgotten.
  std::vector<Uuid> ended_by_release(SeatIndex count) {
    std::vector<Uuid> ids;
    for (SeatIndex seat = 0; seat < count; ++seat) {
      ids.push_back(it.new_id(event));
      EXPECT_TRUE(it.hold(event, ids.back(), {seat}, "customer-" + std::to_string(seat)).accepted());
      EXPECT_TRUE(it.release(event, ids.back()).accepted());
    }
    forget();
    EXPECT_EQ(it.ledger().event(event)->reservation(ids.front(), it.ledger().now()), std::nullopt) << "it is still in memory";
    return ids;
  }

  LedgerFolder folder;
  TestTime time;
  LedgerInTest it;
  EventNumber event = 0;
};

TEST_F(Ended, ForgottenReservationsCanBeRead) {
  const auto ids = ended_by_release(20);
  for (SeatIndex seat = 0; seat < 20; ++seat) {
    const auto view = it.ledger().reservation(ids[seat]);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->status, ReservationStatus::released);
    EXPECT_EQ(view->customer, "customer-" + std::to_string(seat));
    ASSERT_EQ(view->seats.size(), 1u);
    EXPECT_EQ(view->seats[0].seat, seat);
    EXPECT_FALSE(view->seats[0].owned);
  }
  EXPECT_EQ(it.ledger().reservation(reservation_id(event, 987'654)), std::nullopt);
}

TEST_F(Ended, ReservationsStayInMemoryUntilTheTablesHaveTheirEnd) {
  it.wait_for_tables();
  sqlite::Database blocker((folder / "state.db").string(), sqlite::Database::Mode::read_write);
  blocker.execute("BEGIN IMMEDIATE");
  std::vector<Uuid> ids;
  for (SeatIndex seat = 0; seat < 10; ++seat) {
    ids.push_back(it.new_id(event));
    ASSERT_TRUE(it.hold(event, ids.back(), {seat}).accepted());
    ASSERT_TRUE(it.release(event, ids.back()).accepted());
  }
  for (int i = 0; i < 1'100; ++i) it.does(event, Sweep{1});
  const auto in_memory = [&](const Uuid& id) { return it.ledger().event(event)->reservation(id, it.ledger().now()).has_value(); };
  for (const Uuid& id : ids) EXPECT_TRUE(in_memory(id)) << "nothing else has it";
  blocker.execute("ROLLBACK");
  forget();
  EXPECT_FALSE(in_memory(ids.front()));
  EXPECT_TRUE(it.ledger().reservation(ids.front()));
}

TEST_F(Ended, CommandsAboutForgottenReservationsAreJudgedLikeOthers) {
  const auto ids = ended_by_release(20);
  EXPECT_EQ(told(it.release(event, ids[0])), "accepted");   // a repeated release
  EXPECT_EQ(told(it.consume(event, ids[1])), "reservation_not_active");
  EXPECT_EQ(told(it.does(event, Extend{ids[2], 1'000}).outcomes[0]), "reservation_not_active");
  EXPECT_EQ(told(it.give_back(event, ids[3], {3})), "seat_not_sold 3");
}

TEST_F(Ended, AForgottenReservationCanBeReinstatedForReadersAndAfterARestart) {
  const auto ids = ended_by_release(20);
  ASSERT_EQ(told(it.consume(event, ids[5], "order-5", true)), "accepted");
  const auto check = [&] {
    const Millis now = it.ledger().now();
    const auto published = it.ledger().event(event);
    const auto view = published->reservation(ids[5], now);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->status, ReservationStatus::consumed);
    EXPECT_EQ(view->order, "order-5");
    EXPECT_TRUE(view->seats[0].owned);
    EXPECT_EQ(published->seat(5, now).state, SeatState::sold);
    EXPECT_EQ(published->seat(5, now).reservation, ids[5]);
    EXPECT_EQ(told(it.hold(event, it.new_id(event), {5})), "seat_unavailable 5");
  };
  check();
  it.reopen();
  check();
  ASSERT_EQ(told(it.give_back(event, ids[5], {}, "order-5")), "accepted");
  EXPECT_EQ(it.ledger().event(event)->seat(5, it.ledger().now()).state, SeatState::available);
}

TEST_F(Ended, AForgottenReturnCanBeRepeatedAndMovesNothing) {
  std::vector<Uuid> ids;
  for (SeatIndex seat = 0; seat < 20; ++seat) {
    ids.push_back(it.new_id(event));
    ASSERT_TRUE(it.hold(event, ids.back(), {seat}).accepted());
    ASSERT_TRUE(it.consume(event, ids.back()).accepted());
    ASSERT_TRUE(it.give_back(event, ids.back()).accepted());
  }
  forget();
  ASSERT_EQ(it.ledger().event(event)->reservation(ids[0], it.ledger().now()), std::nullopt);
  const Uuid next = it.new_id(event);
  ASSERT_TRUE(it.hold(event, next, {0}, "ben").accepted());
  EXPECT_EQ(told(it.give_back(event, ids[0])), "accepted");
  EXPECT_EQ(told(it.give_back(event, ids[1], {}, "order-2")), "order_mismatch");
  EXPECT_EQ(it.ledger().event(event)->seat(0, it.ledger().now()).reservation, next);
  EXPECT_EQ(told(it.consume(event, ids[2], "order-1")), "accepted");   // repeated, for the same order
  it.reopen();
  EXPECT_EQ(told(it.give_back(event, ids[0])), "accepted");
  EXPECT_EQ(it.ledger().event(event)->seat(0, it.ledger().now()).reservation, next);
  EXPECT_EQ(it.ledger().reservation(ids[0])->status, ReservationStatus::consumed);
}

// The writer forgets in the order in which reservations ended and were recalled; readers must forget the same ones.
TEST_F(Ended, ARecallWithinARoundReachesReadersToo) {
  const auto ids = ended_by_release(20);
  const Uuid mine = it.new_id(event);
  ASSERT_TRUE(it.hold(event, mine, {30}).accepted());
  Round round;
  round.add(event, Release{.reservation = mine});
  for (int i = 0; i < 3; ++i) round.add(event, Extend{.reservation = ids[static_cast<std::size_t>(i)], .duration = k_minute});
  round.run(it.ledger());
  forget();   // `mine` was the first to end, and must be so for readers too
  for (const Uuid& id : {mine, ids[0], ids[1], ids[2]}) {
    ASSERT_EQ(told(it.consume(event, id, "order-1", true)), "accepted") << to_string(id);
    ASSERT_EQ(it.ledger().event(event)->reservation(id, it.ledger().now())->status, ReservationStatus::consumed);
  }
  EXPECT_EQ(it.ledger().trouble(), "");
}

TEST_F(Ended, AnUnreadableReservationRefusesOnlyItsOwnCommand) {
  const auto ids = ended_by_release(20);
  const auto write_seats = [&](const std::string& seats) {
    it.wait_for_tables();
    const std::string sql = "UPDATE reservation SET seats = '" + seats + "' WHERE id = '" + to_string(ids[0]) + "'";
    change_by_hand((folder / "state.db").string(), sql.c_str());
  };
  for (const char* seats : {"[0,", "[70000]", "[0,0]"}) {
    write_seats(seats);
    Round round;
    round.add(event, Consume{.reservation = ids[0], .order = "order-1", .reinstate = true});
    const Uuid mine = it.new_id(event);
    round.add(event, Hold{.reservation = mine, .customer = "ben", .seats = round.keep({30}), .duration = k_minute});
    round.add(event, Release{.reservation = mine});
    round.add(event, Release{.reservation = ids[1]});
    ASSERT_TRUE(round.run(it.ledger()).durable);
    EXPECT_EQ(told(round.verdict(0).outcomes.front()), "reservation_unreadable") << seats;
    for (std::size_t i = 1; i <= 3; ++i) EXPECT_TRUE(round.verdict(i).accepted()) << i;
  }
  EXPECT_EQ(it.ledger().unreadable_reservations().count(), 1u);
  write_seats("[0]");
  EXPECT_TRUE(it.ledger().reservation(ids[0]));
  EXPECT_EQ(it.ledger().unreadable_reservations().text(), "") << "a reader has seen that it is right again";
  write_seats("[0,");
  EXPECT_THROW(it.ledger().reservation(ids[0]), ReservationUnreadable);
  EXPECT_EQ(it.ledger().unreadable_reservations().count(), 1u);
  write_seats("[0]");
  EXPECT_EQ(told(it.consume(event, ids[0], "order-1", true)), "accepted") << "it was put right, and nothing was started anew";
  EXPECT_EQ(it.ledger().unreadable_reservations().count(), 0u);
}

// A reader does not see that a reservation does not fit into its event.
TEST_F(Ended, AReservationThatCannotBeReinstatedIsReportedUntilACommandFindsItRight) {
  const auto ids = ended_by_release(20);
  it.wait_for_tables();
  const auto write_with_sum = [&](const std::string& seats) {
    sqlite::Database state((folder / "state.db").string(), sqlite::Database::Mode::read_write);
    sqlite::Statement(state, "UPDATE reservation SET seats = ?1 WHERE id = ?2").bind_text(1, seats).bind_text(2, to_string(ids[0])).run();
    sqlite::Statement row(state, std::string("SELECT ") + ReservationColumns::k_names + " FROM reservation r WHERE id = ?1");
    const std::string id = to_string(ids[0]);
    row.bind_text(1, id);
    ASSERT_TRUE(row.step());
    const auto columns = ReservationColumns::from(row);
    const std::int64_t place = (columns.event << 44) + columns.created_seq;
    const auto sum = static_cast<std::int64_t>(sum_of(columns));
    row.reset();
    sqlite::Statement(state, "UPDATE reservation_check SET sum = ?1 WHERE place = ?2").bind(1, sum).bind(2, place).run();
  };
  write_with_sum("[70000]");
  EXPECT_EQ(told(it.consume(event, ids[0], "order-1", true)), "reservation_unreadable");
  EXPECT_EQ(it.ledger().unreadable_reservations().count(), 1u);
  EXPECT_TRUE(it.ledger().reservation(ids[0]));
  EXPECT_EQ(it.ledger().unreadable_reservations().count(), 1u) << "it still cannot be reinstated";
  write_with_sum("[0]");
  EXPECT_EQ(told(it.consume(event, ids[0], "order-1", true)), "accepted");
  EXPECT_EQ(it.ledger().unreadable_reservations().count(), 0u);
}

TEST_F(Ended, AnyNumberOfSoldReservationsStays) {
  for (SeatIndex seat = 0; seat < 30; ++seat) {
    const Uuid id = it.new_id(event);
    ASSERT_TRUE(it.hold(event, id, {seat}).accepted());
    ASSERT_TRUE(it.consume(event, id).accepted());
  }
  const std::string before = it.picture();
  forget();
  EXPECT_EQ(it.ledger().event(event)->counts().sold, 30u);
  it.reopen();
  EXPECT_EQ(it.ledger().event(event)->counts().sold, 30u);
  for (std::uint64_t id = 1; id <= 30; ++id)
    EXPECT_TRUE(it.ledger().event(event)->reservation(reservation_id(event, id), it.ledger().now()));
}

TEST_F(Ended, ReinstatingAndReturningTheSameReservationForADayIsOneReservation) {
  const auto ids = ended_by_release(10);
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(told(it.consume(event, ids[4], "order-4", true)), "accepted");
    ASSERT_EQ(told(it.give_back(event, ids[4], {}, "order-4")), "accepted");
    forget();
    it.reopen();
    ASSERT_EQ(told(it.consume(event, ids[4], "order-4", true)), "accepted");   // already consumed for this order, so nothing moves
    ASSERT_EQ(it.ledger().event(event)->seat(4, it.ledger().now()).state, SeatState::available);
  }
}

}  // namespace
}  // namespace holdfast::test
