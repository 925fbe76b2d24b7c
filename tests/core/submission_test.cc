// Whole requests: idempotency keys, and sets over several events.
#include "core/submission.h"

#include <gtest/gtest.h>

#include <map>

#include "core/event_in_test.h"

namespace holdfast {
namespace {

constexpr Millis k_day = 24 * 60 * k_minute;

IdempotencyKey key_of(std::uint8_t key, std::uint8_t request) {
  IdempotencyKey made{};
  made.key[0] = key;
  made.request[0] = request;
  return made;
}

// Three events of four seats, numbered 1 to 3.
struct Requests : testing::Test {
  Requests() {
    for (EventNumber number = 1; number <= 3; ++number) {
      EventCard card;
      card.number = number;
      inventories[number] = std::make_unique<Inventory>(card, EventSettings{}, 5);
      inventories[number]->restore_seats(4);
    }
  }

  Verdict asks(const Submission& submission) {
    kept.reset();
    const auto bench_of = [&](EventNumber event) -> Bench {
      const auto at = inventories.find(event);
      if (at == inventories.end()) return {};
      return {at->second.get(), &changes[event]};
    };
    Verdict verdict = judge(submission, bench_of, keys, now, kept);
    for (const auto& [number, inventory] : inventories) EXPECT_EQ(inventory->find_contradiction(), std::nullopt);
    return verdict;
  }

  Part hold(EventNumber event, const Uuid& id, Seats seats) {
    return {event, Hold{.reservation = id, .customer = "anna", .seats = seats, .duration = 900'000}};
  }

  Uuid new_id(EventNumber event = 1) { return test_reservation_id(++last_id, event); }

  std::string states(EventNumber event) {
    std::string letters;
    for (SeatIndex seat = 0; seat < 4; ++seat) letters += static_cast<char>(inventories.at(event)->state_of(seat, now));
    return letters;
  }

  std::map<EventNumber, std::unique_ptr<Inventory>> inventories;
  std::map<EventNumber, ChangeBatch> changes;
  KeyTable keys{3};
  std::optional<KeptKey> kept;
  Millis now = k_start;
  std::uint64_t last_id = 0;
  const SeatList one = {1};
  const SeatList two = {2, 3};
};

std::string told(const Verdict& verdict) {
  std::string text = verdict.replayed ? "replayed" : "";
  for (const Outcome& outcome : verdict.outcomes) text.append(text.empty() ? "" : ", ").append(told(outcome));
  return text;
}

TEST_F(Requests, WithoutAKeyAreJudgedEachTime) {
  EXPECT_EQ(told(asks({.parts = {hold(1, new_id(), one)}})), "accepted");
  EXPECT_EQ(told(asks({.parts = {hold(1, new_id(), one)}})), "seat_unavailable 1");
  EXPECT_FALSE(kept.has_value());
  EXPECT_EQ(keys.size(), 0u);
}

TEST_F(Requests, WithTheSameKeyGetTheFirstOutcomeAgainAndChangeNothing) {
  const Uuid r = new_id();
  const Verdict first = asks({.parts = {hold(1, r, two)}, .key = key_of(1, 1)});
  EXPECT_EQ(told(first), "accepted");
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->event, 1u);
  EXPECT_EQ(kept->key.key, key_of(1, 1).key);
  now += 1'000;
  const Verdict again = asks({.parts = {hold(1, new_id(), two)}, .key = key_of(1, 1)});
  EXPECT_EQ(told(again), "replayed, accepted");
  EXPECT_TRUE(again.accepted());
  EXPECT_FALSE(kept.has_value());
  EXPECT_TRUE(again.outcomes[0].reservation.value() == first.outcomes[0].reservation.value());
  EXPECT_EQ(inventories[1]->seq(), 1u);
}

TEST_F(Requests, WithTheSameKeyGetTheFirstOutcomeEvenIfTheReservationHasChanged) {
  const Uuid r = new_id();
  asks({.parts = {hold(1, r, two)}, .key = key_of(1, 1)});
  asks({.parts = {{1, Release{.reservation = r}}}});
  EXPECT_EQ(states(1), "aaaa");
  const Verdict again = asks({.parts = {hold(1, new_id(), two)}, .key = key_of(1, 1)});
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(told(again.outcomes[0].reservation.value()), "active 2 3");
  EXPECT_EQ(again.outcomes[0].reservation->id, r);
  EXPECT_EQ(states(1), "aaaa");
}

TEST_F(Requests, WithAUsedKeyForSomethingElseAreRefused) {
  asks({.parts = {hold(1, new_id(), one)}, .key = key_of(1, 1)});
  EXPECT_EQ(told(asks({.parts = {hold(1, new_id(), two)}, .key = key_of(1, 2)})), "idempotency_key_reused");
  EXPECT_EQ(told(asks({.parts = {hold(2, new_id(2), one), hold(3, new_id(3), one)}, .key = key_of(1, 2)})),
            "idempotency_key_reused, idempotency_key_reused");
  EXPECT_EQ(states(1), "ahaa");
}

TEST_F(Requests, ThatWereRefusedAreJudgedAfresh) {
  const Uuid other = new_id();
  asks({.parts = {hold(1, other, one)}});
  EXPECT_EQ(told(asks({.parts = {hold(1, new_id(), one)}, .key = key_of(1, 1)})), "seat_unavailable 1");
  EXPECT_FALSE(kept.has_value());
  asks({.parts = {{1, Release{.reservation = other}}}});
  EXPECT_EQ(told(asks({.parts = {hold(1, new_id(), one)}, .key = key_of(1, 1)})), "accepted");
  EXPECT_TRUE(kept.has_value());
}

TEST_F(Requests, AreJudgedAfresh24HoursAfterTheFirstOutcome) {
  const Uuid r = new_id();
  asks({.parts = {hold(1, r, one)}, .key = key_of(1, 1)});
  now += k_day - 1;
  EXPECT_EQ(told(asks({.parts = {hold(1, new_id(), one)}, .key = key_of(1, 1)})), "replayed, accepted");
  now += 1;
  EXPECT_EQ(told(asks({.parts = {hold(1, new_id(), one)}, .key = key_of(1, 2)})), "accepted");
}

TEST_F(Requests, WithKeysSurviveAClockThatGoesBack) {
  asks({.parts = {hold(1, new_id(), one)}, .key = key_of(1, 1)});
  now -= 5;
  asks({.parts = {hold(2, new_id(2), one)}, .key = key_of(2, 1)});
  now += k_day;   // 24 hours after the second one, by the clock that went back
  EXPECT_EQ(told(asks({.parts = {hold(3, new_id(3), one)}, .key = key_of(2, 1)})), "replayed, accepted");
  now += 5;
  EXPECT_EQ(told(asks({.parts = {hold(3, new_id(3), one)}, .key = key_of(2, 1)})), "accepted");
}

TEST_F(Requests, WithANewKeyAreRefusedWhileThereAreTooManyKeys) {
  for (std::uint8_t i = 0; i < 3; ++i) {
    const SeatList seat = {i};
    EXPECT_EQ(told(asks({.parts = {hold(1, new_id(), seat)}, .key = key_of(i, 1)})), "accepted");
    ++now;
  }
  EXPECT_EQ(told(asks({.parts = {hold(2, new_id(2), one)}, .key = key_of(9, 1)})), "limit_exceeded idempotency_keys");
  EXPECT_EQ(told(asks({.parts = {hold(2, new_id(2), one)}, .key = key_of(0, 1)})), "replayed, accepted");
  EXPECT_EQ(states(2), "aaaa");
  now = k_start + k_day;   // the first key has expired
  EXPECT_EQ(told(asks({.parts = {hold(2, new_id(2), one)}, .key = key_of(9, 1)})), "accepted");
}

TEST_F(Requests, ForAnUnknownEventAreRefused) {
  EXPECT_EQ(told(asks({.parts = {hold(9, new_id(9), one)}, .key = key_of(1, 1)})), "event_not_found");
  EXPECT_FALSE(kept.has_value());
}

TEST_F(Requests, ThatChangeNothingKeepNoKeyAndAreJudgedAfresh) {
  EXPECT_EQ(told(asks({.parts = {{1, ReleaseLocks{one}}}, .key = key_of(1, 1)})), "accepted");
  EXPECT_EQ(told(asks({.parts = {{1, Configure{}}}, .key = key_of(1, 1)})), "accepted");
  EXPECT_FALSE(kept.has_value());
  EXPECT_EQ(keys.size(), 0u);
  EXPECT_EQ(told(asks({.parts = {hold(1, new_id(), one)}, .key = key_of(1, 2)})), "accepted");
  EXPECT_TRUE(kept.has_value());
}

TEST_F(Requests, WithoutAReservationInTheirOutcomeAreReplayedToo) {
  EXPECT_EQ(told(asks({.parts = {{1, Block{one}}}, .key = key_of(1, 1)})), "accepted");
  const Verdict again = asks({.parts = {{1, Block{one}}}, .key = key_of(1, 1)});
  EXPECT_EQ(told(again), "replayed, accepted");
  EXPECT_FALSE(again.outcomes[0].reservation.has_value());
}

TEST_F(Requests, OverSeveralEventsMakeAReservationEach) {
  const Uuid first = new_id(1), second = new_id(3);
  const Verdict verdict = asks({.parts = {hold(1, first, one), hold(3, second, two)}, .key = key_of(1, 1)});
  EXPECT_EQ(told(verdict), "accepted, accepted");
  EXPECT_EQ(verdict.outcomes[0].reservation->id, first);
  EXPECT_EQ(verdict.outcomes[1].reservation->id, second);
  EXPECT_EQ(states(1), "ahaa");
  EXPECT_EQ(states(3), "aahh");
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->event, 1u);
  const Verdict again = asks({.parts = {hold(1, new_id(1), one), hold(3, new_id(3), two)}, .key = key_of(1, 1)});
  EXPECT_EQ(told(again), "replayed, accepted, accepted");
  EXPECT_EQ(again.outcomes[1].reservation->id, second);
}

TEST_F(Requests, OverSeveralEventsGetAllOrNothingAndNameTheRefusedPart) {
  asks({.parts = {hold(3, new_id(3), one)}});
  const Seq before = inventories[1]->seq();
  EXPECT_EQ(told(asks({.parts = {hold(1, new_id(1), one), hold(2, new_id(2), two), hold(3, new_id(3), one)}, .key = key_of(1, 1)})),
            "another_part_refused, another_part_refused, seat_unavailable 1");
  EXPECT_EQ(states(1) + states(2) + states(3), "aaaaaaaaahaa");
  EXPECT_EQ(inventories[1]->seq(), before);
  EXPECT_FALSE(kept.has_value());
  EXPECT_EQ(told(asks({.parts = {hold(2, new_id(2), one), hold(8, new_id(8), one)}})), "another_part_refused, event_not_found");
  EXPECT_EQ(told(asks({.parts = {hold(2, new_id(2), one), hold(3, new_id(3), one), hold(8, new_id(8), one)}})),
            "another_part_refused, seat_unavailable 1, event_not_found");
}

TEST_F(Requests, OverSeveralEventsCanTakeSeatsWhoseHoldIsOver) {
  const SeatList seat = {1};
  asks({.parts = {{1, Hold{.reservation = new_id(), .customer = "ben", .seats = seat, .duration = 1'000}}}});
  now += 1'000;
  EXPECT_EQ(told(asks({.parts = {hold(1, new_id(1), one), hold(2, new_id(2), one)}})), "accepted, accepted");
}

TEST_F(Requests, OverSeveralEventsReleaseLocksInEach) {
  for (const EventNumber event : {1u, 2u}) {
    asks({.parts = {{event, Hold{.reservation = new_id(event), .kind = ReservationKind::ticket_lock, .seats = two, .duration = 1'000}}}});
  }
  EXPECT_EQ(told(asks({.parts = {{1, ReleaseLocks{.seats = two}}, {2, ReleaseLocks{.seats = one}}}})), "accepted, accepted");
  EXPECT_EQ(states(1), "aaaa");
  EXPECT_EQ(states(2), "aahh");
}

// The kinds of an event's changes so far, each with the first byte of its trace if it has one: "expired held/7".
std::string traced(const ChangeBatch& changes) {
  Reader reader(changes.bytes);
  ChangeDecoder decoder(k_start);
  DetailsDecoder details_decoder(changes.versions, changes.traces);
  Change change;
  ChangeDetails details;
  std::string text;
  for (std::uint32_t i = 0; i < changes.count; ++i) {
    EXPECT_TRUE(decoder.decode(reader, change) && details_decoder.decode(change, details));
    text.append(text.empty() ? "" : " ").append(name_of(change.kind));
    if (details.trace) text.append("/").append(std::to_string(details.trace->packed[0]));
  }
  return text;
}

TEST_F(Requests, WithATraceHaveItRecordedWithExactlyTheirChanges) {
  const auto trace_of = [](std::uint8_t first) { return TraceParent{.packed = {first}}; };
  EXPECT_EQ(told(asks({.parts = {hold(1, new_id(), one)}})), "accepted");
  EXPECT_EQ(told(asks({.parts = {hold(1, new_id(1), two), hold(2, new_id(2), two)}, .trace = trace_of(7)})), "accepted, accepted");
  EXPECT_EQ(told(asks({.parts = {hold(1, new_id(), one)}, .trace = trace_of(8)})), "seat_unavailable 1");
  now += 900'000;
  EXPECT_EQ(told(asks({.parts = {hold(1, new_id(), one)}, .trace = trace_of(9)})), "accepted");
  EXPECT_EQ(traced(changes[1]), "held held/7 expired held/9") << "the expiry is not the request's doing";
  EXPECT_EQ(traced(changes[2]), "held/7");
  EXPECT_EQ(told(asks({.parts = {{2, Sweep{10}}}})), "accepted");
  EXPECT_EQ(traced(changes[2]), "held/7 expired");
}

TEST_F(Requests, WithAKeyWhoseAnswerIsDamagedAreRefused) {
  Submission request;
  request.key = key_of(1, 1);
  const SeatIndex seat[] = {1};
  request.parts.push_back(hold(1, new_id(), seat));
  for (const std::string& damaged : {std::string("\x01\xff"), std::string(), std::string(2'000'000, '\1')}) {
    keys.put(*request.key, now, damaged);
    const Verdict verdict = asks(request);
    ASSERT_EQ(verdict.outcomes.size(), 1u);
    EXPECT_EQ(verdict.outcomes[0].reason, Reason::unavailable);
    EXPECT_EQ(states(1), "aaaa") << "it may have been done";
  }
}

}  // namespace
}  // namespace holdfast
