// The plan: names and positions of an event's seats, and how the journal stores it.
#include "core/plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "core/limits.h"

namespace holdfast {
namespace {

const Uuid k_event_id = parse_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8").value();

PlanBuilder builder_of() {
  return PlanBuilder(k_event_id,
                     {{.name = "Stalls", .price = Price{450'000}, .color = "#4176A5"}, {.name = "Circle", .price = {}, .color = ""}});
}

std::string problem_of(const std::expected<void, PlanProblem>& result) { return result ? "none" : result.error().what; }

// Two sections, a row that appears twice, UUIDs, opaque ids and derived ones, names that repeat.
std::shared_ptr<const Plan> sample_plan() {
  PlanBuilder builder = builder_of();
  const std::string longest(k_seat_id_bytes_max, 'x');
  const NewSeat seats[] = {
      {.id = "0123ABCD-4567-89ef-fedc-ba9876543210", .section = "A", .row = "1", .number = "1", .category = 0, .x = 1.5F, .y = -2.25F},
      {.id = "", .section = "A", .row = "1", .number = "2", .category = 1, .x = 0, .y = 0},
      {.id = "ticket 17/b", .section = "A", .row = "2", .number = "1", .category = 1, .x = 1e9F, .y = 3},
      {.id = longest, .section = "B", .row = "1", .number = "1", .category = 0, .x = 5, .y = 5},
      {.id = "7", .section = "B", .row = "1", .number = "2 bis", .category = 0, .x = 6, .y = 5},
      {.id = "", .section = "A", .row = "1", .number = "3", .category = 0, .x = 7, .y = 5},
      {.id = "fedcba98-7654-3210-0123-456789abcdef", .section = "Ä", .row = "Z-9", .number = "1", .category = 1, .x = 8, .y = 5},
  };
  for (const NewSeat& seat : seats) EXPECT_EQ(problem_of(builder.add(seat)), "none");
  return builder.finish().value();
}

void expect_same(const Plan& a, const Plan& b) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_TRUE(std::ranges::equal(a.categories(), b.categories()));
  for (SeatIndex seat = 0; seat < a.size(); ++seat) {
    std::string label_a, label_b;
    a.append_label(label_a, seat);
    b.append_label(label_b, seat);
    EXPECT_EQ(label_a, label_b);
    EXPECT_EQ(a.seat_id(seat), b.seat_id(seat));
    EXPECT_EQ(a.opaque_seat_id(seat), b.opaque_seat_id(seat));
    EXPECT_EQ(a.section_of(seat), b.section_of(seat));
    EXPECT_EQ(a.row_of(seat), b.row_of(seat));
    EXPECT_EQ(a.number_of(seat), b.number_of(seat));
    EXPECT_EQ(a.category_of(seat), b.category_of(seat));
    EXPECT_EQ(a.x_of(seat), b.x_of(seat));
    EXPECT_EQ(a.y_of(seat), b.y_of(seat));
  }
}

TEST(Plan, ReturnsEachSeatAsItWasAdded) {
  const auto plan = sample_plan();
  ASSERT_EQ(plan->size(), 7u);
  EXPECT_EQ(plan->seat_id(0), "0123abcd-4567-89ef-fedc-ba9876543210");
  ASSERT_NE(plan->seat_uuid(0), nullptr);
  EXPECT_EQ(plan->opaque_seat_id(0), "");
  EXPECT_EQ(plan->seat_id(1), to_string(derived_seat_id(k_event_id, "A-1-2")));
  EXPECT_EQ(plan->seat_id(2), "ticket 17/b");
  EXPECT_EQ(plan->opaque_seat_id(2), "ticket 17/b");
  EXPECT_EQ(plan->seat_uuid(2), nullptr);
  EXPECT_EQ(plan->seat_id(3), std::string(128, 'x'));
  EXPECT_EQ(plan->seat_id(4), "7");
  ASSERT_NE(plan->seat_uuid(6), nullptr);
  std::string label;
  plan->append_label(label, 6);
  EXPECT_EQ(label, "Ä-Z-9-1");
  EXPECT_EQ(plan->section_of(4), "B");
  EXPECT_EQ(plan->row_of(2), "2");
  EXPECT_EQ(plan->number_of(4), "2 bis");
  EXPECT_EQ(plan->category_of(1), 1u);
  EXPECT_EQ(plan->x_of(0), 1.5F);
  EXPECT_EQ(plan->y_of(0), -2.25F);
}

TEST(Plan, GathersNeighboursOfOneRowAndKeepsEachNameOnce) {
  const auto plan = sample_plan();
  ASSERT_EQ(plan->segments().size(), 5u);   // B-1, A-1 again, Ä-Z-9
  EXPECT_EQ(plan->segments()[0].count, 2u);
  EXPECT_EQ(plan->segments()[3].first, 5u);
  EXPECT_EQ(plan->segments()[3].section, plan->segments()[0].section);
  EXPECT_EQ(plan->sections().size(), 3u);
  EXPECT_EQ(&plan->segment_of(1), &plan->segments()[0]);
  EXPECT_EQ(&plan->segment_of(6), &plan->segments()[4]);
}

TEST(Plan, RefusesADuplicateLabel) {
  PlanBuilder builder = builder_of();
  EXPECT_EQ(problem_of(builder.add({.section = "A", .row = "1", .number = "2"})), "none");
  EXPECT_EQ(problem_of(builder.add({.id = "x", .section = "A", .row = "1", .number = "2"})),
            "seat 2 (A-1-2) has the label of an earlier seat");
  EXPECT_EQ(problem_of(builder.add({.section = "A", .row = "1-2", .number = "1"})), "none");
  EXPECT_NE(problem_of(builder.add({.section = "A-1", .row = "2", .number = "1"})), "none");   // A-1-2-1 could mean either
}

TEST(Plan, RefusesADuplicateIdInAnyLetterCaseAndTheNilUuid) {
  PlanBuilder builder = builder_of();
  EXPECT_EQ(problem_of(builder.add({.id = "0123abcd-4567-89ef-fedc-ba9876543210", .section = "A", .row = "1", .number = "1"})), "none");
  EXPECT_EQ(problem_of(builder.add({.id = "ticket", .section = "A", .row = "1", .number = "2"})), "none");
  EXPECT_EQ(problem_of(builder.add({.id = "0123ABCD-4567-89EF-FEDC-BA9876543210", .section = "A", .row = "1", .number = "3"})),
            "seat 3 (A-1-3) has the id of an earlier seat");
  EXPECT_EQ(problem_of(builder.add({.id = "ticket", .section = "A", .row = "1", .number = "3"})),
            "seat 3 (A-1-3) has the id of an earlier seat");
  EXPECT_EQ(problem_of(builder.add({.id = "00000000-0000-0000-0000-000000000000", .section = "A", .row = "1", .number = "3"})),
            "seat 3 (A-1-3) has the nil UUID as its id");
  EXPECT_EQ(problem_of(builder.add({.id = "Ticket", .section = "A", .row = "1", .number = "3"})), "none");   // not a UUID: letter by letter
}

TEST(Plan, AcceptsARefusedSeatOnceItIsCorrected) {
  PlanBuilder builder = builder_of();
  EXPECT_EQ(problem_of(builder.add({.id = "a", .section = "A", .row = "1", .number = "1"})), "none");
  EXPECT_NE(problem_of(builder.add({.id = "a", .section = "A", .row = "1", .number = "2"})), "none");
  EXPECT_EQ(problem_of(builder.add({.id = "b", .section = "A", .row = "1", .number = "2"})), "none");
  EXPECT_EQ(builder.size(), 2u);
}

TEST(Plan, RefusesNamesAndIdsThatAreEmptyOrOneByteTooLong) {
  PlanBuilder builder = builder_of();
  const std::string longest(k_name_bytes_max, 'n'), too_long(k_name_bytes_max + 1, 'n'), long_id(k_seat_id_bytes_max + 1, 'i');
  EXPECT_NE(problem_of(builder.add({.section = "", .row = "1", .number = "1"})), "none");
  EXPECT_NE(problem_of(builder.add({.section = "A", .row = "", .number = "1"})), "none");
  EXPECT_NE(problem_of(builder.add({.section = "A", .row = "1", .number = ""})), "none");
  EXPECT_NE(problem_of(builder.add({.section = too_long, .row = "1", .number = "1"})), "none");
  EXPECT_NE(problem_of(builder.add({.section = "A", .row = too_long, .number = "1"})), "none");
  EXPECT_NE(problem_of(builder.add({.section = "A", .row = "1", .number = too_long})), "none");
  EXPECT_NE(problem_of(builder.add({.id = long_id, .section = "A", .row = "1", .number = "1"})), "none");
  EXPECT_EQ(builder.size(), 0u);
  EXPECT_EQ(problem_of(builder.add({.section = longest, .row = longest, .number = longest})), "none");
}

TEST(Plan, RefusesAnUnknownCategoryAndAPositionThatIsNotANumber) {
  PlanBuilder builder = builder_of();
  EXPECT_EQ(problem_of(builder.add({.section = "A", .row = "1", .number = "1", .category = 2})),
            "seat 1 (A-1-1) has a category that the plan does not list");
  EXPECT_NE(problem_of(builder.add({.section = "A", .row = "1", .number = "1", .x = std::nanf("")})), "none");
  EXPECT_NE(problem_of(builder.add({.section = "A", .row = "1", .number = "1", .y = INFINITY})), "none");
  EXPECT_EQ(problem_of(builder.add({.section = "A", .row = "1", .number = "1", .category = 1})), "none");
}

TEST(Plan, WithoutSeatsIsRefused) { EXPECT_FALSE(builder_of().finish().has_value()); }

TEST(Plan, IsReadBackFromPartsOfAnySize) {
  const auto plan = sample_plan();
  for (std::size_t step = 1; step <= plan->size(); ++step) {
    std::string header;
    Writer header_writer(header);
    plan->encode_header(header_writer);
    Reader header_reader(header);
    auto builder = PlanBuilder::decode_header(k_event_id, header_reader);
    ASSERT_TRUE(builder.has_value());
    EXPECT_TRUE(header_reader.at_end());
    for (std::size_t first = 0; first < plan->size(); first += step) {
      std::string part;
      Writer writer(part);
      plan->encode_seats(static_cast<SeatIndex>(first), std::min(step, plan->size() - first), writer);
      Reader reader(part);
      ASSERT_TRUE(builder->decode_seats(reader));
      EXPECT_TRUE(reader.at_end());
    }
    const auto back = builder->finish().value();
    expect_same(*plan, *back);
    EXPECT_EQ(back->segments().size(), plan->segments().size());   // a row cut in two is one again
  }
}

TEST(Plan, FromDamagedBytesIsRefusedOrAnotherPlanButNeverACrash) {
  const auto plan = sample_plan();
  std::string header, seats;
  Writer header_writer(header), seats_writer(seats);
  plan->encode_header(header_writer);
  plan->encode_seats(0, plan->size(), seats_writer);
  const auto read = [&](std::string_view header_bytes, std::string_view seat_bytes) {
    Reader header_reader(header_bytes);
    auto builder = PlanBuilder::decode_header(k_event_id, header_reader);
    if (!builder) return false;
    Reader reader(seat_bytes);
    if (!builder->decode_seats(reader)) return false;
    if (const auto back = builder->finish()) {
      std::string text;
      for (SeatIndex seat = 0; seat < (*back)->size(); ++seat) {
        (*back)->append_label(text, seat);
        (*back)->append_seat_id(text, seat);
      }
    }
    return true;
  };
  EXPECT_TRUE(read(header, seats));
  for (std::size_t cut = 0; cut < header.size(); ++cut) EXPECT_FALSE(read(header.substr(0, cut), seats)) << cut;
  for (std::size_t cut = 0; cut < seats.size(); ++cut) EXPECT_FALSE(read(header, seats.substr(0, cut))) << cut;
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string bad_header = header, bad_seats = seats;
    std::string& bad = i % 4 == 0 ? bad_header : bad_seats;
    bad[random() % bad.size()] = static_cast<char>(random());
    bad[random() % bad.size()] = static_cast<char>(random());
    read(bad_header, bad_seats);
  }
  EXPECT_FALSE(read("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", seats));
  EXPECT_FALSE(read(header, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"));
}

}   // namespace
}   // namespace holdfast
