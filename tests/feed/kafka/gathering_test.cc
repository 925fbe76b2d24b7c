// Parts of events, until all seats of an event have come.
#include "feed/kafka/gathering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace holdfast::feed::kafka {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using Answer = Gathering::Answer;

constexpr Gathering::Time k_now{};

Uuid id_of(std::uint8_t kind, int number) {
  Uuid id{};
  id.data[0] = kind;
  id.data[14] = static_cast<std::uint8_t>(number / 256);
  id.data[15] = static_cast<std::uint8_t>(number % 256);
  return id;
}
Uuid event(int number) { return id_of(0xE0, number); }

GeneratedSeat seat(int number) { return {.id = id_of(0x5E, number), .section = "A", .row = "1", .number = number}; }

SeatsPart part(int of, std::uint64_t total, std::initializer_list<int> numbers) {
  SeatsPart made{.event = event(of), .total = total};
  for (const int number : numbers) made.seats.push_back(seat(number));
  return made;
}

Received message(std::int64_t offset, std::int32_t partition = 0) {
  return {.topic = "seats", .partition = partition, .offset = offset, .key = {}, .value = "as it came", .headers = {}};
}

TEST(Gathering, CompletesAnEventOnceAllItsSeatsHaveComeInAnyOrder) {
  Gathering gathering;
  EXPECT_EQ(gathering.add(part(1, 5, {4, 5}), message(7), k_now).answer, Answer::kept);
  EXPECT_EQ(gathering.add(part(2, 2, {7}), message(8), k_now).answer, Answer::kept);
  EXPECT_EQ(gathering.add(part(1, 5, {1, 2}), message(9), k_now).answer, Answer::kept);
  EXPECT_FALSE(gathering.complete());
  EXPECT_EQ(gathering.progress(event(1)), "4 of 5 seats");
  EXPECT_EQ(gathering.add(part(1, 5, {2, 3}), message(10), k_now).answer, Answer::kept) << "one of its seats had come";
  ASSERT_EQ(gathering.complete(), event(1));
  std::vector<std::int64_t> numbers;
  for (const GeneratedSeat& each : gathering.seats(event(1))) numbers.push_back(each.number);
  EXPECT_THAT(numbers, testing::UnorderedElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(gathering.take(event(1)).size(), 3u);
  EXPECT_FALSE(gathering.complete());
  EXPECT_EQ(gathering.events(), 1u);
}

TEST(Gathering, IgnoresRepeatedPartsAndSeats) {
  Gathering gathering;
  EXPECT_EQ(gathering.add(part(1, 3, {1, 1, 2}), message(1), k_now).answer, Answer::kept);
  EXPECT_EQ(gathering.progress(event(1)), "2 of 3 seats");
  const std::size_t bytes = gathering.bytes();
  EXPECT_EQ(gathering.add(part(1, 3, {1, 2}), message(2), k_now).answer, Answer::repeated);
  EXPECT_EQ(gathering.add(part(1, 3, {2}), message(3), k_now).answer, Answer::repeated);
  EXPECT_EQ(gathering.bytes(), bytes);
  EXPECT_EQ(gathering.take(event(1)).size(), 1u);
}

TEST(Gathering, RefusesAPartThatContradictsItselfOrEarlierParts) {
  Gathering gathering;
  ASSERT_EQ(gathering.add(part(1, 3, {1, 2}), message(1), k_now).answer, Answer::kept);
  const auto told = [&](Answer answer, SeatsPart of) {
    const Gathering::Added added = gathering.add(of, message(2), k_now);
    EXPECT_EQ(added.answer, answer) << added.why;
    return added.why;
  };
  const auto refusal = [&](SeatsPart of) { return told(Answer::refused, std::move(of)); };
  const auto contradiction = [&](SeatsPart of) { return told(Answer::contradicts, std::move(of)); };
  EXPECT_THAT(contradiction(part(1, 4, {3})), HasSubstr("`totalSeats` is 4, and was 3"));
  EXPECT_THAT(contradiction(part(1, 3, {3, 4})), HasSubstr("has 4 seats, and `totalSeats` is 3"));
  SeatsPart moved = part(1, 3, {3, 2});
  moved.seats[1].row = "2";
  EXPECT_THAT(contradiction(moved), HasSubstr("is A-2-2, and was A-1-2 before"));
  SeatsPart twin = part(1, 3, {3});
  twin.seats[0].number = 1;
  EXPECT_THAT(contradiction(twin), HasSubstr("prints the same label as seat " + to_string(seat(1).id) + ": A-1-1"));
  SeatsPart twins = part(2, 9, {5, 6});
  twins.seats[1].number = 5;
  EXPECT_THAT(refusal(twins), HasSubstr("prints the same label as seat " + to_string(seat(5).id) + ": A-1-5"));
  SeatsPart alike = part(2, 9, {5, 6});
  alike.seats[0] = {.id = alike.seats[0].id, .section = "A-1", .row = "2", .number = 3};
  alike.seats[1] = {.id = alike.seats[1].id, .section = "A", .row = "1-2", .number = 3};
  EXPECT_THAT(refusal(alike), HasSubstr("prints the same label as seat " + to_string(seat(5).id) + ": A-1-2-3"));
  SeatsPart torn = part(2, 9, {5, 5});
  torn.seats[1].section = "B";
  EXPECT_THAT(refusal(torn), HasSubstr("is B-1-5, and was A-1-5 before"));
  EXPECT_THAT(refusal(part(2, 1, {5, 6})), HasSubstr("has 2 seats, and `totalSeats` is 1"));
  EXPECT_EQ(gathering.events(), 1u);
  EXPECT_EQ(gathering.progress(event(1)), "2 of 3 seats");
  EXPECT_EQ(gathering.add(part(1, 3, {3}), message(3), k_now).answer, Answer::kept);
  EXPECT_EQ(gathering.complete(), event(1));
}

TEST(Gathering, HasALimitOfEvents) {
  Gathering gathering({.events_max = 2});
  EXPECT_EQ(gathering.add(part(1, 2, {1}), message(1), k_now).answer, Answer::kept);
  EXPECT_EQ(gathering.add(part(2, 2, {1}), message(2), k_now).answer, Answer::kept);
  const auto third = gathering.add(part(3, 2, {1}), message(3), k_now);
  EXPECT_EQ(third.answer, Answer::no_room);
  EXPECT_THAT(third.why, HasSubstr("2 events wait for seats already"));
  EXPECT_EQ(gathering.add(part(1, 2, {2}), message(4), k_now).answer, Answer::kept) << "those that are there go on";
  gathering.take(event(1));
  EXPECT_EQ(gathering.add(part(3, 2, {1}), message(5), k_now).answer, Answer::kept);
}

TEST(Gathering, HasALimitOfBytesAndGivesThemBack) {
  Gathering small;
  ASSERT_EQ(small.add(part(1, 4, {1, 2}), message(1), k_now).answer, Answer::kept);
  Gathering gathering({.bytes_max = small.bytes()});
  ASSERT_EQ(gathering.add(part(1, 4, {1, 2}), message(1), k_now).answer, Answer::kept) << "at the limit";
  EXPECT_EQ(gathering.add(part(1, 4, {3}), message(2), k_now).answer, Answer::no_room);
  EXPECT_EQ(gathering.take(event(1)).size(), 1u);
  EXPECT_EQ(gathering.bytes(), 0u);
  EXPECT_EQ(gathering.add(part(2, 3, {3}), message(3), k_now).answer, Answer::kept);
}

TEST(Gathering, HasRoomForAThousandEventsAnd256MebibytesByDefault) {
  constexpr int k_events = 1'000;
  Gathering gathering;
  Received large = message(1);
  large.value = std::string(250'000, 'x');
  for (int number = 1; number <= k_events; ++number)
    ASSERT_EQ(gathering.add(part(number, 9, {1}), large, k_now).answer, Answer::kept) << number;
  const auto one_more = gathering.add(part(k_events + 1, 9, {1}), message(1), k_now);
  EXPECT_EQ(one_more.answer, Answer::no_room);
  EXPECT_THAT(one_more.why, HasSubstr("1000 events wait for seats already"));

  // The number of bytes that are left, exactly.
  const std::size_t before = gathering.bytes();
  ASSERT_EQ(gathering.add(part(1, 9, {2}), message(2), k_now).answer, Answer::kept);
  const std::size_t bytes_of_others = gathering.bytes() - before - message(2).value->size();
  Received rest = message(3);
  rest.value = std::string(GatheringLimits{}.bytes_max - gathering.bytes() - bytes_of_others, 'x');
  Received too_large = rest;
  *too_large.value += 'x';
  EXPECT_THAT(gathering.add(part(1, 9, {3}), too_large, k_now).why, HasSubstr("more than 268435456 bytes"));
  EXPECT_EQ(gathering.add(part(1, 9, {3}), rest, k_now).answer, Answer::kept);
  EXPECT_EQ(gathering.bytes(), GatheringLimits{}.bytes_max);
  EXPECT_EQ(gathering.add(part(2, 9, {4}), message(4), k_now).answer, Answer::no_room);
}

// With names as long as those of real venues; the last part but one must still fit.
TEST(Gathering, HasRoomForTheLargestEventOfAMessage) {
  constexpr std::uint64_t k_seats_a_part = 5'000;
  constexpr std::size_t k_json_bytes_a_seat = 130;
  Gathering gathering;
  for (std::uint64_t first = 0; first < k_generated_seats_max; first += k_seats_a_part) {
    SeatsPart made{.event = event(1), .total = k_generated_seats_max};
    for (std::uint64_t number = first; number < first + k_seats_a_part; ++number) {
      Uuid id = id_of(0x5E, 0);
      for (std::size_t byte = 0; byte < 3; ++byte) id.data[13 + byte] = static_cast<std::uint8_t>(number >> (8 * byte));
      made.seats.push_back({.id = id, .section = "Upper Circle, Left", .row = "Row 12", .number = static_cast<std::int64_t>(number)});
    }
    Received received = message(static_cast<std::int64_t>(first));
    received.value = std::string(k_seats_a_part * k_json_bytes_a_seat, 'x');
    const auto added = gathering.add(made, received, k_now);
    ASSERT_EQ(added.answer, Answer::kept) << added.why;
  }
  EXPECT_EQ(gathering.complete(), event(1));
  EXPECT_LE(gathering.bytes(), GatheringLimits{}.bytes_max);
}

TEST(Gathering, AlwaysHasRoomForACompleteEvent) {
  Gathering few({.events_max = 1});
  ASSERT_EQ(few.add(part(1, 2, {1}), message(1), k_now).answer, Answer::kept);
  EXPECT_EQ(few.add(part(2, 3, {1, 2}), message(2), k_now).answer, Answer::no_room) << "a seat is missing";
  EXPECT_EQ(few.add(part(2, 2, {1, 2}), message(3), k_now).answer, Answer::kept) << "all of the event";
  EXPECT_EQ(few.complete(), event(2));
  few.take(event(2));
  Gathering narrow({.bytes_max = few.bytes()});
  ASSERT_EQ(narrow.add(part(1, 3, {1}), message(1), k_now).answer, Answer::kept) << "at the limit";
  EXPECT_EQ(narrow.add(part(1, 3, {2}), message(2), k_now).answer, Answer::no_room);
  EXPECT_EQ(narrow.add(part(2, 2, {1, 2}), message(3), k_now).answer, Answer::kept);
  EXPECT_EQ(narrow.add(part(1, 3, {2, 3}), message(4), k_now).answer, Answer::kept) << "the rest of an event";
}

TEST(Gathering, WaitsForTheSeatsOfAnEventForADayAndAtLeastAnHourUnlessItIsToldOtherwise) {
  constexpr auto k_shortly = milliseconds(1);
  Gathering gathering;
  gathering.add(part(1, 2, {1}), message(1), k_now, k_now);
  gathering.add(part(2, 2, {1}), message(2), k_now, k_now - std::chrono::hours(100));
  EXPECT_FALSE(gathering.overdue(k_now + std::chrono::hours(1) - k_shortly));
  EXPECT_EQ(gathering.overdue(k_now + std::chrono::hours(1)), event(2));
  gathering.take(event(2));
  EXPECT_FALSE(gathering.overdue(k_now + std::chrono::hours(24) - k_shortly));
  EXPECT_EQ(gathering.overdue(k_now + std::chrono::hours(24)), event(1));
}

TEST(Gathering, NamesEventsThatWereWrittenTooLongAgo) {
  constexpr auto long_ago = k_now - std::chrono::hours(100);
  Gathering gathering({.age_max = milliseconds(10'000), .stay_least = milliseconds(1'000)});
  gathering.add(part(1, 3, {1}), message(1), k_now, k_now - milliseconds(4'000));
  gathering.add(part(2, 2, {1}), message(2), k_now, long_ago);
  EXPECT_FALSE(gathering.overdue(k_now + milliseconds(999))) << "the rest of it may lie behind it";
  EXPECT_EQ(gathering.overdue(k_now + milliseconds(1'000)), event(2));
  gathering.take(event(2));
  EXPECT_FALSE(gathering.overdue(k_now + milliseconds(5'999)));
  EXPECT_EQ(gathering.overdue(k_now + milliseconds(6'000)), event(1)) << "since its part was written, whenever this node began";
  EXPECT_FALSE(gathering.overdue(k_now + milliseconds(2'000)));
  gathering.add(part(1, 3, {2}), message(3), k_now, long_ago);
  EXPECT_EQ(gathering.overdue(k_now + milliseconds(2'000)), event(1)) << "the oldest of its parts counts";
}

TEST(Gathering, NamesEventsThatHaveWaitedTooLong) {
  Gathering gathering({.age_max = milliseconds(1'000)});
  gathering.add(part(1, 2, {1}), message(1), k_now);
  gathering.add(part(2, 2, {1}), message(2), k_now + milliseconds(500));
  gathering.add(part(1, 3, {2}), message(3), k_now + milliseconds(900));
  EXPECT_EQ(gathering.since(), k_now);
  EXPECT_FALSE(gathering.overdue(k_now + milliseconds(999)));
  EXPECT_EQ(gathering.overdue(k_now + milliseconds(1'000)), event(1)) << "since its first part";
  gathering.take(event(1));
  EXPECT_FALSE(gathering.overdue(k_now + milliseconds(1'400)));
  EXPECT_EQ(gathering.overdue(k_now + milliseconds(1'500)), event(2));
}

TEST(Gathering, KnowsTheFirstWaitingOffsetOfEachPartition) {
  Gathering gathering;
  gathering.add(part(1, 9, {1}), message(5, 0), k_now);
  gathering.add(part(1, 9, {2}), message(3, 1), k_now);
  gathering.add(part(2, 9, {1}), message(6, 0), k_now);
  gathering.add(part(2, 9, {2}), message(2, 1), k_now);
  EXPECT_THAT(gathering.first_offsets(), ElementsAre(Pair(Pair("seats", 0), 5), Pair(Pair("seats", 1), 2)));
  gathering.take(event(2));
  EXPECT_THAT(gathering.first_offsets(), ElementsAre(Pair(Pair("seats", 0), 5), Pair(Pair("seats", 1), 3)));
  gathering.take(event(1));
  EXPECT_TRUE(gathering.first_offsets().empty());
  EXPECT_TRUE(gathering.take(event(1)).empty());
}

}  // namespace
}  // namespace holdfast::feed::kafka
