// Best available: one test for each rule of core/best_available.h, and what a hold of the best shares with any other.
#include "core/best_available.h"

#include "core/event_in_test.h"
#include "core/limits.h"

namespace holdfast {
namespace {

// A plan drawn in text, one row per line: `A1: o1o o2 X`. Section, row and a colon; then one character per seat, of category 0
// unless it is a digit. A blank is a gap as wide as two more seats.
struct Drawn {
  std::shared_ptr<const Plan> plan;
  std::string letters;   // only the seats
};
Drawn drawn(const std::vector<std::string>& rows) {
  Drawn made;
  PlanBuilder builder({}, {{.name = "zero"}, {.name = "one"}, {.name = "two"}});
  float y = 0;
  for (const std::string& row : rows) {
    float x = 0;
    const std::string section = row.substr(0, 1), name = row.substr(1, row.find(':') - 1);
    for (const char c : row.substr(row.find(':') + 1)) {
      x += 10;
      if (c == ' ') {
        x += 10;
        continue;
      }
      made.letters += c;
      const std::uint32_t category = c == '1' ? 1 : c == '2' ? 2 : 0;
      const std::string number = std::to_string(made.letters.size());
      const auto added = builder.add({.section = section, .row = name, .number = number, .category = category, .x = x, .y = y});
      EXPECT_TRUE(added.has_value()) << added.error().what;
    }
    y += 10;
  }
  made.plan = builder.finish().value();
  return made;
}

// An event with such a plan. An `X` is sold, an `h` held for 15 minutes, a `b` blocked, an `e` held until a moment ago and not recorded as
// expired; everything else is available.
struct Hall {
  explicit Hall(const std::vector<std::string>& rows, EventSettings settings = {})
      : drawing(drawn(rows)), event(drawing.letters.size(), std::move(settings)) {
    event.plan = drawing.plan.get();
    event.now = k_start - 1;
    for (SeatIndex seat = 0; seat < drawing.letters.size(); ++seat) {
      const char letter = drawing.letters[seat];
      if (letter == 'b') event.block({seat});
      if (std::string_view("Xhe").find(letter) == std::string_view::npos) continue;
      const Uuid id = event.new_id();
      EXPECT_TRUE(event.hold(id, {seat}, "somebody", letter == 'e' ? 1 : 15 * k_minute).accepted());
      if (letter == 'X') event.consume(id);
    }
    event.now = k_start;
    event.recorded();
  }

  // The seats held, as indexes in the drawing: "3 4"; or the refusal.
  std::string ask(BestAvailable wish, Millis duration = 10 * k_minute, std::string_view customer = "anna") {
    const Outcome outcome = event.does(HoldBest{.reservation = event.new_id(), .customer = customer, .wish = wish, .duration = duration});
    if (!outcome.accepted()) return told(outcome);
    std::string seats;
    for (const ReservedSeat& reserved : outcome.reservation->seats) {
      EXPECT_TRUE(reserved.owned);
      seats.append(seats.empty() ? "" : " ").append(std::to_string(reserved.seat));
    }
    return seats;
  }
  std::string ask(std::uint32_t quantity) { return ask({.quantity = quantity}); }

  Drawn drawing;
  EventInTest event;
};

// ------------------------------------------------------------------------------------------------------------- which row

TEST(BestAvailable, ComesFromTheFirstRowThatHasTheSeatsSideBySide) {
  EXPECT_EQ((Hall{{"A1:oXoXo", "A2:oooXX", "A3:ooooo"}}.ask(3)), "5 6 7");
  EXPECT_EQ((Hall{{"A1:oXoXo", "A2:XoXoX", "A3:ooooo"}}.ask(2)), "11 12");
}

TEST(BestAvailable, PrefersThePlansOrderToABetterPlaceInALaterRow) { EXPECT_EQ((Hall{{"A1:XXXXXXoo", "A2:oooooooo"}}.ask(2)), "6 7"); }

TEST(BestAvailable, RowsOfTheSameNameInTwoSectionsAreTwoRows) {
  EXPECT_EQ((Hall{{"A1:Xoo", "B1:ooX"}}.ask(3)), "no_adjacent_seats");
  EXPECT_EQ((Hall{{"A1:Xoo", "B1:ooX"}}.ask(2)), "1 2");
}

TEST(BestAvailable, ARowThatRepeatsLaterInThePlanIsAnotherRow) {
  EXPECT_EQ((Hall{{"A1:oo", "A2:XX", "A1:oo"}}.ask(3)), "no_adjacent_seats");
}

// ----------------------------------------------------------------------------------------------------------- side by side

TEST(BestAvailable, NoSeatsOnBothSidesOfAGapAreSideBySide) {
  EXPECT_EQ((Hall{{"A1:oo ooX", "A2:oooXX"}}.ask(3)), "5 6 7");
  EXPECT_EQ((Hall{{"A1:oo oo"}}.ask(3)), "no_adjacent_seats");
  EXPECT_EQ((Hall{{"A1:oo oo oo"}}.ask(2)), "2 3");
}

std::vector<SeatIndex> gaps_at(const std::vector<float>& positions, float from = 0) {
  PlanBuilder builder({}, {{.name = "zero"}});
  for (std::size_t i = 0; i < positions.size(); ++i) {
    EXPECT_TRUE(builder.add({.section = "A", .row = "1", .number = std::to_string(i), .x = from + positions[i]}).has_value());
  }
  const auto plan = builder.finish().value();
  return {plan->gaps().begin(), plan->gaps().end()};
}
using Gaps = std::vector<SeatIndex>;

TEST(BestAvailable, AGapIsWiderThan16TimesTheRowsMedianSpacing) {
  EXPECT_EQ(gaps_at({0, 10, 20, 36, 46}), Gaps{});
  EXPECT_EQ(gaps_at({0, 10, 20, 36.5F, 46.5F}), Gaps{3});
  EXPECT_EQ(gaps_at({0, 30, 40, 50, 80, 90}), (Gaps{1, 4}));
  EXPECT_EQ(gaps_at({100, 90, 80, 60, 50}), Gaps{3}) << "rows run to the left as well";
}

TEST(BestAvailable, TheMedianOfTwoSpacingsIsTheirMean) {
  EXPECT_EQ(gaps_at({0, 10, 32}), Gaps{}) << "16 is the mean, 25.6 would be wide";
  EXPECT_EQ(gaps_at({0, 10, 60}), Gaps{2}) << "30 is the mean, 48 is wide";
}

TEST(BestAvailable, RowsOfOneOrTwoSeatsAndRowsWithoutPositionsHaveNoGap) {
  EXPECT_EQ(gaps_at({5}), Gaps{});
  EXPECT_EQ(gaps_at({0, 1'000}), Gaps{});
  EXPECT_EQ(gaps_at({0, 0, 0, 0}), Gaps{});
  EXPECT_EQ(gaps_at({0, 0, 0, 0, 50}), Gaps{}) << "most seats have no position";
}

TEST(BestAvailable, PositionsFarFromZeroMakeNoGapByRounding) {
  EXPECT_EQ(gaps_at({0, 0.5F, 1, 1.5F, 2.3F, 2.8F}, 300), Gaps{}) << "0.8 is 1.6 times 0.5, and a little more as a float";
}

TEST(BestAvailable, TheDistanceUsesBothCoordinates) {
  PlanBuilder builder({}, {{.name = "zero"}});
  const float x[] = {0, 3, 6, 6, 9}, y[] = {0, 4, 8, 18, 22};
  for (std::size_t i = 0; i < std::size(x); ++i) {
    ASSERT_TRUE(builder.add({.section = "A", .row = "1", .number = std::to_string(i), .x = x[i], .y = y[i]}).has_value());
  }
  const auto plan = builder.finish().value();
  EXPECT_EQ(Gaps(plan->gaps().begin(), plan->gaps().end()), Gaps{3});
}

// ------------------------------------------------------------------------------------------------------- where in the row

TEST(BestAvailable, IsNearestToTheRowsMiddleAndOfLowerIndexOnATie) {
  EXPECT_EQ((Hall{{"A1:ooooooooo"}}.ask(1)), "4");
  EXPECT_EQ((Hall{{"A1:oooooooo"}}.ask(1)), "3");
  EXPECT_EQ((Hall{{"A1:ooooooooo"}}.ask(3)), "3 4 5");
  EXPECT_EQ((Hall{{"A1:ooooooooo"}}.ask(2)), "3 4");
  EXPECT_EQ((Hall{{"A1:ooXXXXXoo"}}.ask(2)), "0 1");
  EXPECT_EQ((Hall{{"A1:XoXXXXXoo"}}.ask(2)), "7 8");
}

TEST(BestAvailable, TheMiddleIsThatOfTheWholeRowWhateverGapsItHas) {
  EXPECT_EQ((Hall{{"A1:oooooo oooooo"}}.ask(2)), "4 5") << "beside the aisle";
  EXPECT_EQ((Hall{{"A1:ooooXX oooooo"}}.ask(2)), "6 7");
  EXPECT_EQ((Hall{{"A1:ooo ooooooooo"}}.ask(2)), "5 6");
}

TEST(BestAvailable, TheMiddleCountsSeatsOfOtherCategories) {
  EXPECT_EQ((Hall{{"A1:11110000"}}.ask({.quantity = 1, .category = 0})), "4");
  EXPECT_EQ((Hall{{"A1:11110000"}}.ask({.quantity = 1, .category = 1})), "3");
}

// ------------------------------------------------------------------------------------------------------------ single seats

TEST(BestAvailable, LeavesNoSingleFreeSeatBetweenTwoTakenWhenAnotherChoiceInTheRowAvoidsIt) {
  EXPECT_EQ((Hall{{"A1:oooXoooXXXX"}}.ask(2)), "1 2") << "4 5 and 5 6 are nearer, and leave one of three alone";
  EXPECT_EQ((Hall{{"A1:XXXoooXXXoooo"}}.ask(2)), "9 10") << "3 4 and 4 5 leave one alone; 9 10 leaves a pair";
  EXPECT_EQ((Hall{{"A1:XoooooX"}}.ask(1)), "3");
  EXPECT_EQ((Hall{{"A1:XooooX"}}.ask(2)), "1 2") << "2 3 is nearest and leaves two alone";
  EXPECT_EQ((Hall{{"A1:XooX"}}.ask(2)), "1 2");
}

TEST(BestAvailable, LeavesASingleSeatRatherThanTakingALaterRow) { EXPECT_EQ((Hall{{"A1:XoooX", "A2:ooooo"}}.ask(2)), "1 2"); }

TEST(BestAvailable, TheEndOfARowAndAGapDoNotCountAsTakenSeats) {
  EXPECT_EQ((Hall{{"A1:ooo"}}.ask(1)), "1") << "the seats at the ends are not between two taken ones";
  EXPECT_EQ((Hall{{"A1:oooo"}}.ask(2)), "1 2");
  EXPECT_EQ((Hall{{"A1:oooo ooXX"}}.ask(3)), "1 2 3") << "the first seat stays alone at the row's end";
  EXPECT_EQ((Hall{{"A1:XXoo oooo"}}.ask(1)), "4") << "3 is as near, and leaves 2 between two taken ones";
}

TEST(BestAvailable, ABlockedOrHeldNeighbourIsolatesAsASoldOneDoes) {
  for (const char* row : {"A1:oooXoooXXXX", "A1:ooohooohXXX", "A1:ooobooobXXX"}) EXPECT_EQ((Hall{{row}}.ask(2)), "1 2") << row;
}

TEST(BestAvailable, AFreeNeighbourOfAnotherCategoryIsolatesNoSeatAndCanBeIsolated) {
  EXPECT_EQ((Hall{{"A1:XX1001XX"}}.ask({.quantity = 2, .category = 0})), "3 4") << "there is no other choice";
  EXPECT_EQ((Hall{{"A1:X10000X"}}.ask({.quantity = 2, .category = 0})), "4 5") << "2 3 is nearer, and leaves the 1 alone";
}

TEST(BestAvailable, ASeatThatWasAlreadyAloneDoesNotCount) {
  EXPECT_EQ((Hall{{"A1:XoXooooo"}}.ask(1)), "3") << "not the single one, although that would leave none";
}

// --------------------------------------------------------------------------------------------------- section and category

TEST(BestAvailable, StaysInTheRequestedSection) {
  EXPECT_EQ((Hall{{"A1:ooo", "B1:ooo", "A2:ooo"}}.ask({.quantity = 2, .section = 1})), "3 4");
  EXPECT_EQ((Hall{{"A1:oXo", "B1:ooo", "A2:ooo"}}.ask({.quantity = 2, .section = 0})), "6 7");
  EXPECT_EQ((Hall{{"A1:oXo", "B1:ooo", "A2:Xoo"}}.ask({.quantity = 3, .section = 0})), "no_adjacent_seats");
  EXPECT_EQ((Hall{{"A1:oXo", "B1:ooo", "A2:Xoo"}}.ask({.quantity = 4, .section = 0, .adjacent = false})), "0 2 7 8");
}

TEST(BestAvailable, TakesOnlySeatsOfTheRequestedCategory) {
  EXPECT_EQ((Hall{{"A1:110", "A2:011"}}.ask({.quantity = 2, .category = 0})), "no_adjacent_seats");
  EXPECT_EQ((Hall{{"A1:110", "A2:001"}}.ask({.quantity = 2, .category = 0})), "3 4");
  EXPECT_EQ((Hall{{"A1:110", "A2:011"}}.ask({.quantity = 2, .category = 0, .adjacent = false})), "2 3");
  EXPECT_EQ((Hall{{"A1:110", "A2:011"}}.ask({.quantity = 1, .category = 2})), "no_adjacent_seats");
  EXPECT_EQ((Hall{{"A1:00", "B1:01", "B2:11"}}.ask({.quantity = 2, .section = 1, .category = 1})), "4 5");
}

// ----------------------------------------------------------------------------------------------------------- not adjacent

TEST(BestAvailable, NotAdjacentTakesTheFirstSeatsInThePlansOrder) {
  EXPECT_EQ((Hall{{"A1:XoXoX", "A2:oXXoo"}}.ask({.quantity = 4, .adjacent = false})), "1 3 5 8");
}

TEST(BestAvailable, NotAdjacentIsRefusedWhenFewerAreLeftAndNamesNoSeats) {
  Hall hall{{"A1:XoXoX", "A2:bhXXo"}};
  EXPECT_EQ(hall.ask({.quantity = 4, .adjacent = false}), "seat_unavailable");
  EXPECT_EQ(hall.ask({.quantity = 3, .adjacent = false}), "1 3 9");
}

// --------------------------------------------------------------------------------------------------------------- the hold

TEST(BestAvailable, AHoldThatIsOverCountsAsAvailableAndItsExpiryIsRecordedFirst) {
  Hall hall{{"A1:XeeX"}};
  EXPECT_EQ(hall.ask(2), "1 2");
  EXPECT_EQ(hall.event.recorded(), "expired expired held");
  EXPECT_EQ((Hall{{"A1:XehX"}}.ask({.quantity = 1, .adjacent = false})), "1");
  EXPECT_EQ((Hall{{"A1:XehX"}}.ask(2)), "no_adjacent_seats");
}

TEST(BestAvailable, ANeighbourWhoseHoldIsOverIsNotTaken) {
  EXPECT_EQ((Hall{{"A1:XeooooeX"}}.ask(2)), "3 4") << "two stay free on both sides";
  EXPECT_EQ((Hall{{"A1:XhoooohX"}}.ask(2)), "2 3") << "one would stay free on both sides";
}

TEST(BestAvailable, AHoldOfTheBestIsAHoldLikeAnyOther) {
  Hall hall{{"A1:oooo"}};
  const Uuid id = hall.event.new_id();
  const Outcome outcome = hall.event.does(HoldBest{.reservation = id, .customer = "ben", .wish = {.quantity = 2}, .duration = k_minute});
  ASSERT_TRUE(outcome.accepted());
  EXPECT_EQ(told(*outcome.reservation), "active 1 2");
  EXPECT_EQ(outcome.reservation->customer, "ben");
  EXPECT_EQ(outcome.reservation->expires_at, k_start + k_minute);
  EXPECT_EQ(hall.event.states(), "ahha");
  EXPECT_EQ(hall.event.versions(), "0 1 1 0");
  EXPECT_EQ(hall.event.recorded(), "held");
  EXPECT_TRUE(hall.event.consume(id).accepted());
}

TEST(BestAvailable, SuccessiveHoldsGetOtherSeatsUntilNoneIsLeft) {
  Hall hall{{"A1:oooo", "A2:oooo"}};
  EXPECT_EQ(hall.ask(2), "1 2");
  EXPECT_EQ(hall.ask(2), "5 6");
  EXPECT_EQ(hall.ask(2), "no_adjacent_seats");
  EXPECT_EQ(hall.ask({.quantity = 3, .adjacent = false}), "0 3 4");
  EXPECT_EQ(hall.ask({.quantity = 2, .adjacent = false}), "seat_unavailable");
  EXPECT_EQ(hall.ask(1), "7");
  EXPECT_EQ(hall.ask(1), "no_adjacent_seats");
}

TEST(BestAvailable, IsRefusedForTheReasonsOfAHoldAndBeforeSeatsAreLookedFor) {
  for (const EventStatus status : {EventStatus::draft, EventStatus::closed}) {
    Hall hall{{"A1:oooo"}};
    hall.event.configure({.status = status});
    EXPECT_EQ(hall.ask(5), "event_not_on_sale");
  }
  Hall limited{{"A1:XXXX"}};
  limited.event.configure({.hold_seconds = 60, .max_hold_seconds = 600, .seats_per_reservation = 2});
  EXPECT_EQ(limited.ask({.quantity = 3}, 700'000), "limit_exceeded seats_per_reservation");
  EXPECT_EQ(limited.ask({.quantity = 2}, 600'001), "hold_too_long");
  EXPECT_EQ(limited.ask({.quantity = 2}, 600'000), "no_adjacent_seats");
}

TEST(BestAvailable, NeedsNoPlanToBeRefusedWhileTheEventIsImporting) {
  Hall hall{{"A1:oooo"}};
  hall.event.configure({.status = EventStatus::importing});
  hall.event.plan = nullptr;
  EXPECT_EQ(hall.ask(1), "event_not_on_sale");
}

TEST(BestAvailable, CountsTowardsWhatACustomerMayHold) {
  Hall hall{{"A1:oooooooo"}, {.limits = {.held_seats_per_customer = 3}}};
  EXPECT_EQ(hall.ask(2), "3 4");
  EXPECT_EQ(hall.ask(2), "limit_exceeded held_seats_per_customer");
  EXPECT_EQ(hall.ask({.quantity = 2}, 1, "ben"), "1 2");
  EXPECT_EQ(hall.ask({.quantity = 1, .adjacent = false}), "0");
  EXPECT_EQ(hall.ask({.quantity = 1, .adjacent = false}), "limit_exceeded held_seats_per_customer");
  EXPECT_EQ(hall.event.states(), "hhhhhaaa");
}

TEST(BestAvailable, TakesAtMostAThousandAdjacentSeats) {
  const std::string row = "A1:" + std::string(k_seats_per_reservation_max + 1, 'o');
  Hall hall{{row}};
  EXPECT_EQ(hall.ask(k_seats_per_reservation_max).substr(0, 6), "0 1 2 ");
  EXPECT_EQ(hall.event.states(), std::string(k_seats_per_reservation_max, 'h') + "a");
}

}   // namespace
}   // namespace holdfast
