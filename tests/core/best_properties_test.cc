// Random plans and states: best available picks what the model says (support/best_by_the_book.h), and the hold gets it.
#include <gtest/gtest.h>

#include <array>
#include <map>

#include "core/best_available.h"
#include "core/event_in_test.h"
#include "support/best_by_the_book.h"
#include "support/rapidcheck.h"

namespace holdfast {
namespace {

using test::BookSeat;
using test::BookWish;

constexpr std::size_t k_seats_max = 60;
constexpr std::size_t k_cases_for_coverage = 100;   // fewer cases run when a single one is repeated
const char* const k_sections[] = {"Stalls", "Circle"};
const char* const k_categories[] = {"low", "middle", "high"};

// Random numbers that make all choices. A failing case stays a case if some are removed or lowered.
class Choices {
 public:
  explicit Choices(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {}
  std::size_t take(std::size_t choices) { return at_ < bytes_.size() ? bytes_[at_++] % choices : 0; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

// Rows of 1 to 12 seats, in any order of sections and row names, straight or slanting, with spacings around 1.6 times the usual one, or without
// positions. `free` is left to the states.
std::vector<BookSeat> random_seats(Choices& choices) {
  std::vector<BookSeat> seats;
  const std::size_t rows = 1 + choices.take(6);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::string section = k_sections[choices.take(2)], row = std::to_string(choices.take(4));
    static constexpr double k_spacings[] = {10, 10, 10, 10, 16, 16.5, 30, 5};
    const std::size_t count = 1 + choices.take(12), slant = choices.take(4);
    double at = 100;
    const std::size_t usual_category = choices.take(3);
    for (std::size_t i = 0; i < count && seats.size() < k_seats_max; ++i) {
      at += slant == 3 ? 0 : k_spacings[choices.take(std::size(k_spacings))];
      const std::size_t category = choices.take(4) == 0 ? choices.take(3) : usual_category;
      // Steps of 3, 4 and 5, so that a slanting spacing is as exact as a straight one.
      const double x = slant == 1 ? at * 3 : at, y = slant == 1 ? at * 4 : slant == 2 ? at : 0;
      seats.push_back({.section = section, .row = row, .category = k_categories[category], .x = x, .y = slant == 2 ? 0 : y});
    }
  }
  return seats;
}

std::shared_ptr<const Plan> plan_of(const std::vector<BookSeat>& seats) {
  PlanBuilder builder({}, {{.name = k_categories[0]}, {.name = k_categories[1]}, {.name = k_categories[2]}});
  for (std::size_t i = 0; i < seats.size(); ++i) {
    const auto category = static_cast<std::uint32_t>(std::ranges::find(k_categories, seats[i].category) - std::begin(k_categories));
    const auto added = builder.add({.section = seats[i].section,
                                    .row = seats[i].row,
                                    .number = std::to_string(i),
                                    .category = category,
                                    .x = static_cast<float>(seats[i].x),
                                    .y = static_cast<float>(seats[i].y)});
    RC_ASSERT(added.has_value());
  }
  return builder.finish().value();
}

// Brings every seat into a state: available, held, held until a moment ago (alone or with the seats before it), sold, blocked.
void set_states(EventInTest& event, std::vector<BookSeat>& seats, Choices& choices) {
  event.now = k_start - 1;
  const std::size_t fullness = 1 + choices.take(5);
  const bool some_are_over = choices.take(2) == 0;
  SeatList together;
  for (SeatIndex seat = 0; seat < seats.size(); ++seat) {
    const bool free = choices.take(6) >= fullness;
    if (free && !some_are_over) continue;
    const Uuid id = event.new_id();
    if (free) {
      together.push_back(seat);
      if (choices.take(2) == 0) continue;
      RC_ASSERT(event.hold(id, together, "somebody", 1).accepted());
      together.clear();
      continue;
    }
    seats[seat].free = false;
    const std::size_t how = choices.take(3);
    if (how == 0) {
      RC_ASSERT(event.block({seat}).accepted());
      continue;
    }
    RC_ASSERT(event.hold(id, {seat}, "somebody").accepted());
    if (how == 1) RC_ASSERT(event.consume(id).accepted());
  }
  event.now = k_start;
}

template <typename Name>
std::uint32_t place_of(std::span<const Name> items, auto name_of, std::string_view name) {
  return static_cast<std::uint32_t>(std::ranges::find(items, name, name_of) - items.begin());
}

void run_case(std::vector<std::uint8_t> bytes, std::map<std::string, std::size_t>& coverage) {
  Choices choices(std::move(bytes));
  std::vector<BookSeat> seats = random_seats(choices);
  const auto plan = plan_of(seats);
  EventInTest event(seats.size());
  event.plan = plan.get();
  set_states(event, seats, choices);
  for (int asked = 0; asked < 6; ++asked) {
    BookWish wish{.quantity = 1 + choices.take(5), .adjacent = choices.take(4) != 0};
    BestAvailable best{.quantity = static_cast<std::uint32_t>(wish.quantity), .adjacent = wish.adjacent};
    if (choices.take(3) == 0) {
      wish.section = seats[choices.take(seats.size())].section;
      best.section = place_of(plan->sections(), std::identity{}, *wish.section);
    }
    if (choices.take(3) == 0) {
      wish.category = k_categories[choices.take(3)];
      best.category = place_of(plan->categories(), &Category::name, *wish.category);
    }
    const auto expected = test::best_by_the_book(seats, wish);
    const auto picked = pick_best(event.inventory, *plan, best, event.now);
    RC_ASSERT(picked.has_value() == !expected.empty());
    const Outcome outcome = event.does(HoldBest{.reservation = event.new_id(), .customer = "anna", .wish = best, .duration = k_minute});
    ++coverage[std::string(wish.adjacent ? "adjacent " : "apart ") + name_of(outcome.reason)];
    if (!picked) {
      RC_ASSERT(told(outcome) == (wish.adjacent ? "no_adjacent_seats" : "seat_unavailable"));
      continue;
    }
    RC_ASSERT(std::vector<std::size_t>(picked->begin(), picked->end()) == expected);
    RC_ASSERT(outcome.accepted());
    RC_ASSERT(std::ranges::equal(outcome.reservation->seats, expected, {}, &ReservedSeat::seat));
    for (const std::size_t seat : expected) seats[seat].free = false;
    for (SeatIndex seat = 0; seat < seats.size(); ++seat) {
      RC_ASSERT(seats[seat].free == (event.inventory.state_of(seat, event.now) == SeatState::available));
    }
  }
}

TEST(Properties, BestAvailableFollowsTheBook) {
  std::map<std::string, std::size_t> coverage;
  std::size_t cases = 0;
  const bool holds = rc::check("picker and book agree", [&] {
    const auto bytes = *rc::gen::resize(
        400, rc::gen::container<std::vector<std::uint8_t>>(400, rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint8_t>())));
    run_case(bytes, coverage);
    ++cases;
  });
  ASSERT_TRUE(holds);
  if (cases < k_cases_for_coverage) return;
  for (const char* met : {"adjacent accepted", "adjacent no_adjacent_seats", "apart accepted", "apart seat_unavailable"}) {
    EXPECT_GT(coverage[met], 10u) << met;
  }
}

}   // namespace
}   // namespace holdfast
