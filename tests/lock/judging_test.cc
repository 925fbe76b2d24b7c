// Judging with seat locks, over the embedded ledger and a lock that records every round trip.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "ledger/embedded/disk.h"
#include "ledger/ledger_in_test.h"
#include "lock/noting_lock.h"

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class JudgingWithLocks : public testing::Test {
 protected:
  // An event whose seat ids are `prefix` with 0, 1, 2, …
  EventNumber make_event(std::size_t seats, std::string_view prefix = "a", EventSettings settings = {}) {
    const Uuid id = uuid_of(++events_);
    const EventNumber number = it().create_event(id, plan_of(id, seats, prefix), settings);
    seat_lock.trips();
    return number;
  }
  // With another policy for a lock server that is away.
  void reject_without_locks() {
    it_.reset();
    options_.judging.proceeds = false;
    it_.emplace(folder_, time_, options_);
  }
  LedgerInTest& it() {
    if (!it_) it_.emplace(folder_, time_, options_);
    return *it_;
  }
  Command hold(Round& round, EventNumber event, SeatList seats, std::string customer = "anna") {
    return Hold{.reservation = it().new_id(event),
                .customer = round.keep_text(std::move(customer)),
                .seats = round.keep(std::move(seats)),
                .duration = k_minute};
  }
  Command best(EventNumber event, std::uint32_t quantity = 1) {
    return HoldBest{.reservation = it().new_id(event), .customer = "ben", .wish = {.quantity = quantity}, .duration = k_minute};
  }
  static SeatList seats_of(const Verdict& verdict) {
    SeatList seats;
    if (!verdict.outcomes.front().reservation) return seats;
    for (const ReservedSeat& seat : verdict.outcomes.front().reservation->seats) seats.push_back(seat.seat);
    return seats;
  }
  static std::vector<std::string> told_all(const Round& round, std::size_t entries) {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < entries; ++i) all.push_back(told(round.verdict(i).outcomes.front()));
    return all;
  }

  NotingLock seat_lock;
  TestTime time_;

 private:
  LedgerFolder folder_;
  EmbeddedOptions options_{.data = {}, .judging = {.lock = &seat_lock}};
  std::optional<LedgerInTest> it_;
  std::uint64_t events_ = 0;
};

TEST_F(JudgingWithLocks, ARoundLocksInOneRoundTripAndReleasesInAnother) {
  const EventNumber first = make_event(4, "a");
  const EventNumber second = make_event(4, "b");
  Round round;
  round.add(first, hold(round, first, {0}));
  round.add(first, hold(round, first, {2, 3}));
  round.add(second, hold(round, second, {1}));
  round.run(it().ledger());
  EXPECT_THAT(told_all(round, 3), ElementsAre("accepted", "accepted", "accepted"));
  EXPECT_THAT(seat_lock.trips(), ElementsAre("acquire lock:seat:a0 lock:seat:a2 lock:seat:a3 lock:seat:b1",
                                             "release lock:seat:a0 lock:seat:a2 lock:seat:a3 lock:seat:b1"));
  EXPECT_EQ(seat_lock.locked(), 0u) << "before the verdicts are seen";
}

TEST_F(JudgingWithLocks, LockedSeatsAreRefusedByNameAndOtherRequestsGoOn) {
  const EventNumber event = make_event(8);
  seat_lock.lock_by_somebody_else("lock:seat:a3");
  seat_lock.lock_by_somebody_else("lock:seat:a5");
  Round round;
  round.add(event, hold(round, event, {1}));
  round.add(event, hold(round, event, {2, 5, 3, 4}));
  round.add(event, hold(round, event, {6}));
  round.run(it().ledger());
  EXPECT_THAT(told_all(round, 3), ElementsAre("accepted", "lock_held 5 3", "accepted"));
  EXPECT_EQ(seat_lock.locked(), 2u) << "ours are given up, those of the refused hold too, and nobody else's";
}

TEST_F(JudgingWithLocks, ALaterEntryGetsTheUnlockedSeatsOfARefusedOne) {
  const EventNumber event = make_event(8);
  seat_lock.lock_by_somebody_else("lock:seat:a2");
  Round round;
  round.add(event, hold(round, event, {1, 2}));
  round.add(event, hold(round, event, {2}));
  round.add(event, hold(round, event, {1}));
  round.add(event, hold(round, event, {1}));
  round.run(it().ledger());
  EXPECT_THAT(told_all(round, 4), ElementsAre("lock_held 2", "lock_held 2", "accepted", "seat_unavailable 1"));
  EXPECT_THAT(seat_lock.trips(), ElementsAre("acquire lock:seat:a1 lock:seat:a2", "release lock:seat:a1")) << "nobody is asked twice";
}

TEST_F(JudgingWithLocks, ARefusedHoldTakesNoLocksAndHasTheLedgersReason) {
  const EventNumber event = make_event(4);
  EXPECT_EQ(told(it().hold(event, it().new_id(event), {1})), "accepted");
  seat_lock.trips();
  seat_lock.lock_by_somebody_else("lock:seat:a1");
  EXPECT_EQ(told(it().hold(event, it().new_id(event), {0, 1})), "seat_unavailable 1");
  it().does(event, Configure{.status = EventStatus::closed});
  EXPECT_EQ(told(it().hold(event, it().new_id(event), {2})), "event_not_on_sale");
  EXPECT_THAT(seat_lock.trips(), IsEmpty());
}

TEST_F(JudgingWithLocks, OnlyCommandsThatTakeSeatsLock) {
  const EventNumber event = make_event(6);
  const Uuid id = it().new_id(event);
  it().hold(event, id, {1});
  EXPECT_THAT(seat_lock.trips(), ElementsAre(StartsWith("acquire"), StartsWith("release")));
  EXPECT_EQ(told(it().does(event, Add{id, SeatList{2}}).outcomes.front()), "accepted");
  EXPECT_THAT(seat_lock.trips(), ElementsAre("acquire lock:seat:a2", "release lock:seat:a2"));
  EXPECT_TRUE(it().does(event, Extend{id, 2 * k_minute}).accepted());
  EXPECT_TRUE(it().release(event, id, {2}).accepted());
  EXPECT_TRUE(it().consume(event, id).accepted());
  EXPECT_TRUE(it().give_back(event, id).accepted());
  EXPECT_TRUE(it().block(event, {4}).accepted());
  it().sweep(event);
  EXPECT_THAT(seat_lock.trips(), IsEmpty());
}

TEST_F(JudgingWithLocks, AnAddedSeatThatIsLockedIsRefused) {
  const EventNumber event = make_event(6);
  const Uuid id = it().new_id(event);
  it().hold(event, id, {1});
  seat_lock.lock_by_somebody_else("lock:seat:a2");
  EXPECT_EQ(told(it().does(event, Add{id, SeatList{3, 2}}).outcomes.front()), "lock_held 2");
}

TEST_F(JudgingWithLocks, ASeatThatAnEarlierEntryFreesIsLockedBeforeItIsJudged) {
  const EventNumber event = make_event(6);
  const Uuid id = it().new_id(event);
  it().hold(event, id, {1, 2});
  seat_lock.trips();
  seat_lock.lock_by_somebody_else("lock:seat:a2");
  Round round;
  round.add(event, Release{id, {}});
  round.add(event, hold(round, event, {1}));
  round.add(event, hold(round, event, {2}));
  round.run(it().ledger());
  EXPECT_THAT(told_all(round, 3), ElementsAre("accepted", "accepted", "lock_held 2"));
  EXPECT_THAT(seat_lock.trips(), ElementsAre("acquire lock:seat:a1", "acquire lock:seat:a2", "release lock:seat:a1"));
}

TEST_F(JudgingWithLocks, BestSeatsAreLockedAheadAndChosenAmongUnlockedOnes) {
  const EventNumber event = make_event(8);
  Round round;
  for (int i = 0; i < 3; ++i) round.add(event, best(event));
  round.run(it().ledger());
  EXPECT_THAT(told_all(round, 3), ElementsAre("accepted", "accepted", "accepted"));
  EXPECT_EQ(seat_lock.trips().size(), 2u) << "one there, one back";

  std::string key = "lock:seat:a" + std::to_string(seats_of(round.verdict(0)).front());
  it().does(event, Release{round.verdict(0).outcomes.front().reservation->id, {}});   // the best one is free again
  seat_lock.lock_by_somebody_else(key);
  const Verdict verdict = it().does(event, best(event));
  EXPECT_TRUE(verdict.accepted());
  EXPECT_NE("lock:seat:a" + std::to_string(seats_of(verdict).front()), key);
  EXPECT_TRUE(seat_lock.was_granted("lock:seat:a" + std::to_string(seats_of(verdict).front())));
}

TEST_F(JudgingWithLocks, BestSeatsAreRefusedWhenOnlyLockedOnesAreLeft) {
  const EventNumber event = make_event(2);
  seat_lock.lock_by_somebody_else("lock:seat:a0");
  seat_lock.lock_by_somebody_else("lock:seat:a1");
  EXPECT_THAT(told(it().does(event, best(event, 2))), StartsWith("lock_held"));
  EXPECT_EQ(told(it().does(event, best(event, 3))), "no_adjacent_seats");
}

TEST_F(JudgingWithLocks, AKnownKeyIsAnsweredWithoutLocks) {
  const EventNumber event = make_event(4);
  Round round;
  const auto with_key = [&](std::uint64_t key, std::uint64_t request, SeatList seats) {
    Submission submission{.parts = {}, .key = key_of(key, request)};
    submission.parts.push_back({event, hold(round, event, std::move(seats))});
    return submission;
  };
  round.add(with_key(1, 1, {1}));
  round.add(with_key(1, 1, {1}));   // of the same round
  round.run(it().ledger());
  EXPECT_TRUE(round.verdict(1).replayed);
  EXPECT_THAT(seat_lock.trips(), ElementsAre("acquire lock:seat:a1", "release lock:seat:a1"));
  seat_lock.lock_by_somebody_else("lock:seat:a1");
  const Verdict again = it().asks(with_key(1, 1, {1}));
  EXPECT_TRUE(again.accepted() && again.replayed);
  EXPECT_THAT(told(it().asks(with_key(1, 2, {2}))), StartsWith("idempotency_key_reused"));
  EXPECT_THAT(seat_lock.trips(), IsEmpty());
}

TEST_F(JudgingWithLocks, ASetOverSeveralEventsIsLockedAndHeldAllOrNone) {
  const EventNumber first = make_event(4, "a");
  const EventNumber second = make_event(4, "b");
  Round round;
  const auto set = [&] {
    Submission submission;
    for (const EventNumber event : {first, second}) {
      submission.parts.push_back({event, Hold{.reservation = it().new_id(event),
                                              .kind = ReservationKind::ticket_lock,
                                              .seats = round.keep({1, 2}),
                                              .duration = k_minute}});
    }
    return submission;
  };
  seat_lock.lock_by_somebody_else("lock:seat:b2");
  EXPECT_EQ(told(it().asks(set())), "another_part_refused; lock_held 2");
  EXPECT_EQ(seat_lock.locked(), 1u) << "ours were given up";
  EXPECT_TRUE(it().hold(first, it().new_id(first), {1}).accepted()) << "nothing was held";
  EXPECT_THAT(told(it().asks(set())), StartsWith("seat_unavailable 1; another_part_refused"));
  seat_lock.trips();
  round.add(first, Release{reservation_id(first, 999), {}});
  EXPECT_THAT(told(it().asks(set())), StartsWith("seat_unavailable 1"));
  EXPECT_THAT(seat_lock.trips(), IsEmpty());
}

TEST_F(JudgingWithLocks, HoldsGoOnWithoutTheLockServerWhichIsAskedOnceARound) {
  const EventNumber event = make_event(6);
  const Uuid id = it().new_id(event);
  it().hold(event, id, {5});
  seat_lock.trips();
  seat_lock.fail_after(0);
  Round round;
  round.add(event, Release{id, {}});
  round.add(event, hold(round, event, {1}));
  round.add(event, hold(round, event, {5}));   // freed in this round; locking it would take another round trip
  round.add(event, best(event));
  round.run(it().ledger());
  EXPECT_THAT(told_all(round, 4), ElementsAre("accepted", "accepted", "accepted", "accepted"));
  EXPECT_THAT(seat_lock.trips(), ElementsAre(StartsWith("acquire"), "release"));
}

TEST_F(JudgingWithLocks, IfRequiredHoldsAreUnavailableWithoutLocksAndTheRestWorks) {
  reject_without_locks();
  const EventNumber event = make_event(6);
  const Uuid id = it().new_id(event);
  it().hold(event, id, {5});
  seat_lock.fail_after(0);
  Round round;
  round.add(event, hold(round, event, {1}));
  round.add(event, hold(round, event, {5}));
  round.add(event, best(event));
  round.add(event, Release{id, {}});
  round.run(it().ledger());
  EXPECT_THAT(told_all(round, 4), ElementsAre("unavailable", "seat_unavailable 5", "unavailable", "accepted"));
  seat_lock.fail_after(-1);
  EXPECT_EQ(told(it().hold(event, it().new_id(event), {1})), "accepted") << "nothing was reserved before";
}

TEST_F(JudgingWithLocks, LocksAreReleasedWhenTheCommitFails) {
  Disk& disk = Disk::get();
  const EventNumber event = make_event(6);
  disk.fail("journal.db", Disk::Fault::full, 0);
  EXPECT_EQ(told(it().hold(event, it().new_id(event), {1})), "unavailable");
  disk.heal();
  EXPECT_THAT(seat_lock.trips(), ElementsAre("acquire lock:seat:a1", "release lock:seat:a1"));
  EXPECT_EQ(seat_lock.locked(), 0u);
}

// Two ledgers play the same rounds, one with a lock that is always granted.
TEST(JudgingWithAndWithoutLocks, AnswersTheSameAndHasLockedEveryNewSeat) {
  std::minstd_rand random(20'260'224);
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  NotingLock seat_lock;
  TestTime time;
  LedgerFolder folder_with;
  LedgerFolder folder_without;
  LedgerInTest with(folder_with, time, {.data = {}, .judging = {.lock = &seat_lock}});
  LedgerInTest without(folder_without, time);
  constexpr std::size_t k_seats = 24;
  EventSettings settings;
  settings.limits.held_seats_per_customer = 6;
  std::vector<EventNumber> events;
  for (std::uint64_t i = 1; i <= 2; ++i) {
    const std::string prefix(1, static_cast<char>('a' + i));
    events.push_back(with.create_event(uuid_of(i), plan_of(uuid_of(i), k_seats, prefix), settings));
    ASSERT_EQ(without.create_event(uuid_of(i), plan_of(uuid_of(i), k_seats, prefix), settings), events.back());
  }
  std::uint64_t last_id = 0;
  const auto seats = [&](Round& round) {
    SeatList list;
    for (std::size_t n = 1 + below(3), seat = below(k_seats); n > 0; --n, ++seat) list.push_back(static_cast<SeatIndex>(seat % k_seats));
    return round.keep(list);
  };
  const auto command = [&](Round& round, EventNumber event) -> Command {
    const Uuid known = reservation_id(event, 1 + below(last_id + 1));
    const std::string_view customer = round.keep_text(std::string(1, static_cast<char>('m' + below(6))));
    switch (below(9)) {
      case 0: return Release{known, {}};
      case 1: return Add{known, seats(round)};
      case 2: return Consume{known, "order", below(2) == 0};
      case 3: return Return{known, "order", {}};
      case 4:
      case 5:
        return HoldBest{.reservation = reservation_id(event, ++last_id),
                        .customer = customer,
                        .wish = {.quantity = static_cast<std::uint32_t>(1 + below(3)), .adjacent = below(2) == 0},
                        .duration = k_minute};
      default:
        return Hold{.reservation = reservation_id(event, ++last_id), .customer = customer, .seats = seats(round), .duration = k_minute};
    }
  };
  std::size_t accepted = 0;
  for (int i = 0; i < 2'000; ++i) {
    Round round;
    Round same;
    for (std::size_t n = 1 + below(12); n > 0; --n) {
      Submission submission;
      if (below(8) == 0) {
        for (const EventNumber event : events) {
          submission.parts.push_back({event, Hold{.reservation = reservation_id(event, ++last_id),
                                                  .kind = ReservationKind::ticket_lock,
                                                  .seats = seats(round),
                                                  .duration = k_minute}});
        }
      } else {
        const EventNumber event = events[below(2)];
        submission.parts.push_back({event, command(round, event)});
      }
      if (below(4) == 0) submission.key = key_of(below(50), submission.parts.size());
      round.add(submission);
      same.add(submission);
    }
    round.run(with.ledger());
    same.run(without.ledger());
    auto other = same.entries().begin();
    for (const Entry& entry : round.entries()) {
      ASSERT_EQ(told(entry.verdict), told(other->verdict)) << "in round " << i;
      accepted += entry.verdict.accepted() ? 1 : 0;
      ++other;
    }
    ASSERT_EQ(seat_lock.locked(), 0u) << "after round " << i;
    const std::vector<std::string> trips = seat_lock.trips();
    std::string locked;
    for (const std::string& trip : trips) locked += trip.starts_with("acquire") ? trip + " " : "";
    for (const Entry& entry : round.entries()) {
      const auto& parts = entry.submission.parts;
      for (std::size_t p = 0; p < parts.size() && entry.verdict.accepted() && !entry.verdict.replayed; ++p) {
        const bool is_hold = std::holds_alternative<Hold>(parts[p].command) || std::holds_alternative<HoldBest>(parts[p].command);
        if (!is_hold) continue;
        for (const ReservedSeat& seat : entry.verdict.outcomes[p].reservation->seats) {
          const char prefix = parts[p].event == events[0] ? 'b' : 'c';
          ASSERT_THAT(locked, HasSubstr(std::string("lock:seat:") + prefix + std::to_string(seat.seat) + " ")) << "in round " << i;
        }
      }
    }
    time.pass(static_cast<Millis>(below(20'000)));
  }
  EXPECT_GT(accepted, 3'000u);
  EXPECT_EQ(with.ledger().now(), without.ledger().now());
  for (std::uint64_t id = 1; id <= last_id; ++id) {
    for (const EventNumber event : events) {
      const auto mine = with.ledger().reservation(reservation_id(event, id));
      const auto theirs = without.ledger().reservation(reservation_id(event, id));
      ASSERT_EQ(mine.has_value(), theirs.has_value());
      if (mine) ASSERT_EQ(told(*mine), told(*theirs));
    }
  }
}

}  // namespace
}  // namespace holdfast::test
