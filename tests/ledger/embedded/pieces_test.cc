// A call that does not fit into one round of the journal is done in pieces. What the journal has no room for is refused before it is judged.
#include "ledger/embedded/pieces.h"

#include <gtest/gtest.h>

#include "ledger/embedded/planned_journal.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;
using Timer = std::chrono::steady_clock;

struct Pieces : testing::Test {
  Pieces() { it = std::make_unique<LedgerInTest>(folder / "data", time, EmbeddedOptions{.data = {}, .around_journal = room.around()}); }

  Outcome locks(const Uuid& first, const Uuid& second, const SeatList& seats) {
    Submission set = set_of(first, second, seats);
    return it->asks(std::move(set)).outcomes.front();
  }
  Submission set_of(const Uuid& first, const Uuid& second, const SeatList& seats) const {
    Submission set;
    for (const auto& [number, id] : {std::pair{event, first}, std::pair{other, second}}) {
      set.parts.push_back({number, Hold{.reservation = id, .kind = ReservationKind::ticket_lock, .seats = seats, .duration = k_minute}});
    }
    return set;
  }
  // Every round was asked for, and took no more.
  std::size_t check_rounds(std::uint64_t bytes_max) {
    const auto rounds = room.take_rounds();
    for (const auto& round : rounds) {
      EXPECT_LE(round.bytes, round.asked_bytes);
      EXPECT_LE(round.rows, round.asked_rows);
      EXPECT_LE(round.asked_bytes, bytes_max);
    }
    return rounds.size();
  }
  void expect_same_after_a_restart() {
    const std::string before = it->picture();
    it->reopen();
    EXPECT_EQ(it->picture(), before);
  }

  LedgerFolder folder;
  TestTime time;
  PlannedRoom room;
  std::unique_ptr<LedgerInTest> it;
  EventNumber event = 0;
  EventNumber other = 0;

  void create(std::size_t seats = 400) {
    event = it->create_event(seats);
    other = it->create_event(seats);
    room.take_rounds();
  }
};

TEST_F(Pieces, AUsualCallIsOneRound) {
  create();
  Round round;
  for (SeatIndex seat = 0; seat < 64; ++seat) {
    round.add(event, Hold{.reservation = it->new_id(event), .customer = "anna", .seats = round.keep({seat}), .duration = k_minute});
  }
  EXPECT_TRUE(round.run(it->ledger()).durable);
  EXPECT_EQ(check_rounds(UINT64_MAX), 1U);
}

TEST_F(Pieces, OfALargeCallAreAllWrittenInTheirOrderAndAnsweredTogether) {
  create();
  constexpr std::uint64_t k_max = 12'000;   // a release of all seats alone may take 9,000
  room.set_bytes_max(k_max);
  Round round;
  for (SeatIndex seat = 0; seat < 200; ++seat) {   // every second one comes too late, or finds what the one before it has released
    const Uuid id = it->new_id(event);
    round.add(event, Hold{.reservation = id, .customer = "anna", .seats = round.keep({seat}), .duration = k_minute});
    if (seat % 4 == 0) round.add(event, Release{id});
    round.add(event, Hold{.reservation = it->new_id(event), .customer = "bert", .seats = round.keep({seat}), .duration = k_minute});
    round.add(other, Hold{.reservation = it->new_id(other), .customer = "cleo", .seats = round.keep({seat}), .duration = k_minute});
  }
  const ExecutionReport report = round.run(it->ledger());
  EXPECT_TRUE(report.durable);
  EXPECT_EQ(report.changes, 200U + 50U + 50U + 200U);
  std::size_t i = 0;
  for (SeatIndex seat = 0; seat < 200; ++seat) {
    EXPECT_TRUE(round.verdict(i++).accepted());
    if (seat % 4 == 0) EXPECT_TRUE(round.verdict(i++).accepted());
    EXPECT_EQ(round.verdict(i++).accepted(), seat % 4 == 0);
    EXPECT_TRUE(round.verdict(i++).accepted());
  }
  EXPECT_GT(check_rounds(k_max), 10U);
  expect_same_after_a_restart();
}

TEST_F(Pieces, NeverDivideASetOverSeveralEvents) {
  create();
  Round round;
  std::vector<std::pair<Uuid, Uuid>> ids;
  for (SeatIndex seat = 0; seat < 40; ++seat) {
    ids.emplace_back(it->new_id(event), it->new_id(other));
    round.add(set_of(ids.back().first, ids.back().second, {}));
    for (Part& part : round.entries().back().submission.parts) std::get<Hold>(part.command).seats = round.keep({seat, 399});
  }
  room.set_bytes_max(300);
  EXPECT_TRUE(round.run(it->ledger()).durable);
  EXPECT_TRUE(round.verdict(0).accepted());
  for (std::size_t i = 1; i < 40; ++i) EXPECT_FALSE(round.verdict(i).accepted()) << "seat 399 is taken in both events";
  const auto rounds = room.take_rounds();
  ASSERT_EQ(rounds.size(), 1U) << "only the first set has changed something";
  EXPECT_EQ(rounds[0].rows, 2U);
  expect_same_after_a_restart();
}

TEST_F(Pieces, RecordWhatIsDueBeforeAHoldThatWouldHaveToEndTooManyOthers) {
  create(4'000);
  constexpr std::size_t k_each = 100;
  SeatList wanted;
  for (SeatIndex first = 0; first < 4'000; first += k_each) {
    SeatList seats(k_each);
    for (SeatIndex i = 0; i < k_each; ++i) seats[i] = first + i;
    wanted.push_back(first);
    ASSERT_EQ(told(it->hold(event, it->new_id(event), seats, "anna", k_minute)), "accepted");
  }
  time.pass(k_minute);
  constexpr std::uint64_t k_max = 12'000;   // what is due may take 96,000
  room.set_bytes_max(k_max);
  room.take_rounds();
  ASSERT_EQ(told(it->hold(event, it->new_id(event), wanted, "bert", k_minute)), "accepted");
  EXPECT_EQ(it->last_report().swept, 40U);
  EXPECT_GT(check_rounds(k_max), 5U);
  EXPECT_EQ(it->ledger().event(event)->seat(1, it->ledger().now()).state, SeatState::available);
  expect_same_after_a_restart();
}

TEST_F(Pieces, OfASweepAreAsSmallAsTheJournalNeedsThem) {
  create(4'000);
  Round holds;
  for (SeatIndex seat = 0; seat < 4'000; seat += 4) {
    const Seats seats = holds.keep({seat, seat + 1, seat + 2, seat + 3});
    holds.add(event, Hold{.reservation = it->new_id(event), .customer = "anna", .seats = seats, .duration = k_minute});
  }
  ASSERT_TRUE(holds.run(it->ledger()).durable);
  time.pass(k_minute);
  constexpr std::uint64_t k_max = 8'000;
  room.set_bytes_max(k_max);
  room.take_rounds();
  it->does(event, Sweep{.limit = 1'000, .seats_max = 10'000});
  EXPECT_EQ(it->last_report().swept, 1'000U);
  EXPECT_GT(check_rounds(k_max), 2U);
  it->reopen();
  EXPECT_EQ(it->ledger().until_next_expiry({}), std::nullopt) << "all are recorded";
}

// ---------------------------------------------------------------------------------------------------------------- without room

TEST_F(Pieces, WithoutRoomRefuseWhatGrowsAndDoWhatSettles) {
  create();
  const Uuid paid = it->new_id(event), released = it->new_id(event), extended = it->new_id(event), returned = it->new_id(event),
             late = it->new_id(event), over = it->new_id(event), refused_one = it->new_id(event);
  for (SeatIndex seat = 0; const Uuid& id : {paid, released, extended, returned}) {
    ASSERT_TRUE(it->hold(event, id, {seat++}, "anna", k_minute).accepted());
  }
  ASSERT_TRUE(it->consume(event, returned).accepted());
  ASSERT_TRUE(it->hold(event, late, {10}, "anna", 1).accepted());
  ASSERT_TRUE(it->hold(event, over, {11}, "anna", 1).accepted());
  ASSERT_TRUE(it->block(event, {12}).accepted());
  ASSERT_TRUE(locks(it->new_id(event), it->new_id(other), {13}).accepted());
  time.pass(1);
  room.refuse(Work::growing, NotTaken::Reason::no_room);
  EXPECT_FALSE(it->ledger().room_trouble().empty());

  Round round;
  round.add(event, Hold{.reservation = refused_one, .customer = "bert", .seats = round.keep({20}), .duration = k_minute});
  round.add(event, Consume{paid, "order-1", false});
  round.add(event, Add{extended, round.keep({21})});
  round.add(event, Release{released, {}});
  round.add(event, Extend{extended, 2 * k_minute});
  round.add(event, HoldBest{.reservation = it->new_id(event), .customer = "cleo", .wish = {.quantity = 2}, .duration = k_minute});
  round.add(event, Return{returned, "order-1", {}});
  round.add(event, Consume{late, "order-2", true});
  round.add(event, Block{round.keep({22})});
  round.add(event, Unblock{round.keep({12})});
  round.add(event, Configure{.name = "Another name"});
  round.add(event, ReleaseLocks{round.keep({13}), {}});
  round.add(other, ReleaseLocks{round.keep({13}), {}});
  round.add(event, Sweep{.limit = 10});
  round.add(set_of(it->new_id(event), it->new_id(other), {}));
  for (Part& part : round.entries().back().submission.parts) std::get<Hold>(part.command).seats = round.keep({30});
  round.add(event, Configure{.status = EventStatus::closed});
  EXPECT_TRUE(round.run(it->ledger()).durable) << "the server goes on";
  const std::vector<std::string> expected{"no_room",  "accepted", "no_room", "accepted", "accepted", "no_room",  "accepted",
                                          "accepted", "no_room",  "no_room", "no_room",  "accepted", "accepted", "accepted"};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(told(round.verdict(i).outcomes.front()), expected[i]) << i;
  for (const Outcome& outcome : round.verdict(14).outcomes) EXPECT_EQ(told(outcome), "no_room");
  EXPECT_EQ(round.verdict(14).outcomes.size(), 2U);
  EXPECT_EQ(told(round.verdict(15)), "accepted");

  const auto open = it->ledger().event(event);
  EXPECT_EQ(open->status(), EventStatus::closed);
  EXPECT_EQ(open->seat(20, it->ledger().now()).state, SeatState::available);
  EXPECT_EQ(open->seat(30, it->ledger().now()).state, SeatState::available);
  EXPECT_FALSE(it->ledger().reservation(refused_one)) << "nothing happened";
  EXPECT_EQ(open->seat(0, it->ledger().now()).state, SeatState::sold);
  EXPECT_EQ(open->seat(12, it->ledger().now()).state, SeatState::blocked);
  EXPECT_EQ(it->ledger().until_next_expiry({}).has_value(), true) << "of the extended one";
  expect_same_after_a_restart();

  room.take_all();
  EXPECT_TRUE(it->ledger().room_trouble().empty());
  ASSERT_TRUE(it->does(event, Configure{.status = EventStatus::on_sale}).accepted());
  EXPECT_EQ(told(it->hold(event, refused_one, {20}, "bert", k_minute)), "accepted");
}

TEST_F(Pieces, RefusedForWantOfRoomKeepNoKeyAndAKnownKeyIsAnsweredWithoutRoom) {
  create();
  const auto keyed = [&](std::uint64_t key, const Uuid& id, SeatIndex seat, Round& round) {
    Submission made{.parts = {}, .key = key_of(key, key)};
    made.parts.push_back({event, Hold{.reservation = id, .customer = "anna", .seats = round.keep({seat}), .duration = k_minute}});
    return made;
  };
  Round before;
  const Uuid first = it->new_id(event);
  before.add(keyed(1, first, 1, before));
  before.run(it->ledger());
  ASSERT_TRUE(before.verdict(0).accepted());

  room.refuse(Work::growing, NotTaken::Reason::no_room);
  Round during;
  const Uuid second = it->new_id(event);
  during.add(keyed(2, second, 2, during));
  during.add(keyed(1, it->new_id(event), 1, during));   // the client did not get its answer
  during.run(it->ledger());
  EXPECT_EQ(told(during.verdict(0)), "no_room");
  EXPECT_TRUE(during.verdict(1).accepted() && during.verdict(1).replayed);
  EXPECT_EQ(during.verdict(1).outcomes.front().reservation->id, first);

  room.refuse(Work::settling, NotTaken::Reason::no_room);   // not even payments
  Round worse;
  worse.add(keyed(1, it->new_id(event), 1, worse));
  worse.add(event, Consume{first, "order-1", false});
  worse.run(it->ledger());
  EXPECT_TRUE(worse.verdict(0).replayed);
  EXPECT_EQ(told(worse.verdict(1)), "no_room");

  room.take_all();
  Round after;
  after.add(keyed(2, second, 2, after));
  after.run(it->ledger());
  EXPECT_TRUE(after.verdict(0).accepted() && !after.verdict(0).replayed) << "judged anew";
  Round again;
  again.add(keyed(2, it->new_id(event), 2, again));
  again.run(it->ledger());
  EXPECT_TRUE(again.verdict(0).replayed);
}

TEST_F(Pieces, WaitAMomentWhileRoomIsBeingMade) {
  create();
  room.refuse(Work::growing, NotTaken::Reason::preparing, 5);
  EXPECT_EQ(told(it->hold(event, it->new_id(event), {1})), "accepted");

  room.refuse(Work::growing, NotTaken::Reason::preparing);
  const auto began = Timer::now();
  const Outcome refused_one = it->hold(event, it->new_id(event), {2});
  EXPECT_EQ(told(refused_one), "no_room");
  EXPECT_TRUE(refused_one.room_comes_soon);
  EXPECT_GE(Timer::now() - began, 200ms);
  const std::size_t questions = room.questions();
  EXPECT_EQ(told(it->hold(event, it->new_id(event), {2})), "no_room");
  EXPECT_LE(room.questions() - questions, 4U) << "waiting again would hold up payments";

  room.take_all();
  EXPECT_EQ(told(it->hold(event, it->new_id(event), {2})), "accepted");
  room.refuse(Work::growing, NotTaken::Reason::preparing, 5);
  EXPECT_EQ(told(it->hold(event, it->new_id(event), {3})), "accepted") << "it waits again, now that there was room in between";

  room.refuse(Work::growing, NotTaken::Reason::no_room);
  EXPECT_FALSE(it->hold(event, it->new_id(event), {4}).room_comes_soon);
}

TEST_F(Pieces, ASweepWithoutRoomIsTriedAgainLaterAndNotAtOnce) {
  create();
  ASSERT_TRUE(it->hold(event, it->new_id(event), {1}, "anna", k_minute).accepted());
  time.pass(k_minute);
  room.refuse(Work::settling, NotTaken::Reason::no_room);
  ASSERT_EQ(it->ledger().events_to_sweep(10, {}), std::vector<EventNumber>{event});
  EXPECT_EQ(told(it->sweep(event)), "no_room");
  EXPECT_EQ(it->ledger().until_next_expiry({}), 1'000ms);
  EXPECT_TRUE(it->ledger().events_to_sweep(10, {}).empty());
  time.pass(1'000);
  room.take_all();
  ASSERT_EQ(it->ledger().events_to_sweep(10, {}), std::vector<EventNumber>{event});
  EXPECT_EQ(it->sweep(event).swept, 1U);
}

TEST_F(Pieces, AJournalThatAcceptsNothingAnyMoreEndsTheSale) {
  create();
  room.refuse(Work::growing, NotTaken::Reason::failing);
  EXPECT_EQ(told(it->hold(event, it->new_id(event), {1})), "no_room") << "room may come";
  room.break_down("the disk is gone");
  Round round;
  round.add(event, Hold{.reservation = it->new_id(event), .customer = "anna", .seats = round.keep({1}), .duration = k_minute});
  EXPECT_FALSE(round.run(it->ledger()).durable);
  EXPECT_EQ(told(round.verdict(0)), "unavailable");
  EXPECT_EQ(it->ledger().trouble(), "the disk is gone");
}

// Whether a command grows is decided for each kind.
TEST(Growing, IsWhatNeedsMoreRoomAndFreesNone) {
  EXPECT_TRUE(is_growing(Command(Hold{})));
  EXPECT_TRUE(is_growing(Command(HoldBest{})));
  EXPECT_TRUE(is_growing(Command(Add{})));
  EXPECT_TRUE(is_growing(Command(Block{})));
  EXPECT_TRUE(is_growing(Command(Unblock{})));
  EXPECT_TRUE(is_growing(Command(Create{})));
  EXPECT_TRUE(is_growing(Command(AppendSeats{})));
  EXPECT_TRUE(is_growing(Command(Configure{.status = EventStatus::on_sale})));
  EXPECT_TRUE(is_growing(Command(Configure{.hold_seconds = 60})));
  EXPECT_FALSE(is_growing(Command(Configure{.status = EventStatus::closed})));
  EXPECT_FALSE(is_growing(Command(Configure{.name = "x", .status = EventStatus::abandoned})));
  EXPECT_FALSE(is_growing(Command(Configure{}))) << "it changes nothing";
  EXPECT_FALSE(is_growing(Command(Consume{})));
  EXPECT_FALSE(is_growing(Command(Release{})));
  EXPECT_FALSE(is_growing(Command(ReleaseLocks{})));
  EXPECT_FALSE(is_growing(Command(Return{})));
  EXPECT_FALSE(is_growing(Command(Extend{})));
  EXPECT_FALSE(is_growing(Command(Sweep{})));
}

}   // namespace
}   // namespace holdfast::test
