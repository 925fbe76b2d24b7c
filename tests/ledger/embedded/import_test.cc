// Events are created completely or not at all: after a crash between any two steps nobody has seen them, and their ids are free.
#include <gtest/gtest.h>

#include <thread>

#include "ledger/embedded/disk.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

struct Import : testing::Test {
  Import() : it(folder / "data", time) { before = it.create_event(5); }

  // The steps of an import: 0 reserves it, 1 creates it, then come the parts of its seats, and the last step opens it. False if
  // the step does not exist.
  bool step(int number) {
    const std::size_t parts = (plan->size() + k_part - 1) / k_part;
    std::string bytes;
    Writer writer(bytes);
    const auto at = static_cast<std::size_t>(number);
    if (at == 0) {
      const auto reserved =
          it.ledger().reserve_event({.card = {.number = 0, .id = id, .venue = "Royal", .currency = ""}, .settings = {}, .plan = plan});
      EXPECT_TRUE(reserved.has_value());
      event = reserved.value_or(0);
    } else if (at == 1) {
      plan->encode_header(writer);
      EXPECT_TRUE(it.does(event, Create{.plan_header = bytes}).accepted());
    } else if (at < 2 + parts) {
      const std::size_t first = (at - 2) * k_part;
      const std::size_t count = std::min(k_part, plan->size() - first);
      plan->encode_seats(static_cast<SeatIndex>(first), count, writer);
      EXPECT_TRUE(it.does(event, AppendSeats{.encoded = bytes, .count = count}).accepted());
    } else if (at == 2 + parts) {
      EXPECT_TRUE(it.does(event, Configure{.status = EventStatus::on_sale}).accepted());
    } else {
      return false;
    }
    return true;
  }

  void expect_not_there(Ledger& ledger) {
    EXPECT_EQ(ledger.event(event), nullptr);
    EXPECT_EQ(ledger.event_by_id(id), std::nullopt);
    EXPECT_EQ(ledger.events(), std::vector<EventNumber>{before});
  }
  void expect_ids_free(Ledger& ledger) {
    for (SeatIndex seat = 0; seat < plan->size(); ++seat) EXPECT_FALSE(ledger.seats().find(plan->seat_id(seat)));
  }

  static constexpr std::size_t k_part = 10;
  LedgerFolder folder;
  TestTime time;
  LedgerInTest it;
  EventNumber before = 0;
  EventNumber event = 0;
  Uuid id = uuid_of(5);
  std::shared_ptr<const Plan> plan = plan_of(id, 35, "ticket-");
};

TEST_F(Import, NumbersOfRefusedEventsAreUsedAgain) {
  const auto taken = plan_of(id, 35, "ticket-");
  ASSERT_TRUE(step(0));   // its seats are taken from here on
  const auto refused = it.ledger().reserve_event({.card = {.number = 0, .id = uuid_of(6)}, .settings = {}, .plan = taken});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, CreationProblem::Kind::seat_exists);
  const EventNumber next = it.create_event(5);
  EXPECT_EQ(next, event + 1);
  EXPECT_EQ(it.create_event(5), next + 1);
}

TEST_F(Import, ThereAreAtMostAHundredThousandEvents) {
  const auto reserve = [&](std::size_t number) {
    const Uuid another = uuid_of(1'000 + number);
    return it.ledger().reserve_event(
        {.card = {.number = 0, .id = another}, .settings = {}, .plan = plan_of(another, 1, std::to_string(number) + "-")});
  };
  for (std::size_t number = before + 1; number <= k_events_max; ++number) ASSERT_EQ(reserve(number), static_cast<EventNumber>(number));
  const auto refused = reserve(k_events_max + 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, CreationProblem::Kind::too_many_events);
}

TEST_F(Import, ACrashBetweenAnyTwoStepsAbandonsTheEventAndFreesItsIds) {
  std::vector<std::filesystem::path> crashes;
  const auto crash = [&] {
    crashes.push_back(folder.path() / ("crash" + std::to_string(crashes.size())));
    Disk::get().copy_as_after_kill(folder / "data", crashes.back());
    // The same moment, with tables that have caught up.
    it.wait_for_tables();
    crashes.push_back(folder.path() / ("crash" + std::to_string(crashes.size())));
    Disk::get().copy_as_after_kill(folder / "data", crashes.back());
  };
  for (int number = 0; step(number); ++number) {
    if (it.ledger().event(event) != nullptr) break;   // it is open, so there is nothing to abandon
    expect_not_there(it.ledger());
    crash();
  }
  ASSERT_NE(it.ledger().event(event), nullptr);
  ASSERT_EQ(crashes.size(), 12u);
  for (const auto& data : crashes) {
    SCOPED_TRACE(data.string());
    LedgerInTest copy(data, time);
    expect_not_there(copy.ledger());
    expect_ids_free(copy.ledger());
    copy.reopen();   // the abandoned import does not block a second start
    expect_not_there(copy.ledger());
    const EventNumber again = copy.create_event(id, plan, {}, 7);
    ASSERT_NE(again, 0u);
    EXPECT_EQ(copy.ledger().event_by_id(id), again);
    EXPECT_EQ(copy.ledger().seats().find("ticket-34")->event, again);
    EXPECT_EQ(told(copy.hold(again, copy.new_id(again), {34})), "accepted");
    const std::string picture = copy.picture();
    copy.reopen();
    EXPECT_EQ(copy.picture(), picture);
    EXPECT_EQ(copy.ledger().event_by_id(id), again);
    copy.close();
    EXPECT_EQ(verify_folder(data).problem, "");
  }
}

TEST_F(Import, AnAbandonedEventGivesItsIdsBackAtOnce) {
  for (int number = 0; number < 4; ++number) ASSERT_TRUE(step(number));
  it.does(event, Configure{.status = EventStatus::abandoned});
  it.ledger().abandon_event(event);
  expect_not_there(it.ledger());
  expect_ids_free(it.ledger());
  const EventNumber again = it.create_event(id, plan);
  EXPECT_GT(again, event);
  it.reopen();
  EXPECT_EQ(it.ledger().event_by_id(id), again);
}

TEST_F(Import, AnEventAndSeatsThatExistAreRefusedByName) {
  ASSERT_NE(it.create_event(id, plan), 0u);
  for (int restart = 0; restart < 2; ++restart) {
    const auto same =
        it.ledger().reserve_event({.card = {.number = 0, .id = id, .venue = {}, .currency = {}}, .settings = {}, .plan = plan});
    ASSERT_FALSE(same);
    EXPECT_EQ(same.error().kind, CreationProblem::Kind::event_exists);
    const Uuid other = uuid_of(6);
    const auto seats = it.ledger().reserve_event(
        {.card = {.number = 0, .id = other, .venue = {}, .currency = {}}, .settings = {}, .plan = plan_of(other, 3, "ticket-")});
    ASSERT_FALSE(seats);
    EXPECT_EQ(seats.error().kind, CreationProblem::Kind::seat_exists);
    EXPECT_EQ(seats.error().seat_ids, (std::vector<std::string>{"ticket-0", "ticket-1", "ticket-2"}));
    it.reopen();
  }
}

TEST_F(Import, AnIdIsTakenFromTheReservationOn) {
  ASSERT_TRUE(step(0));
  const auto same = it.ledger().reserve_event({.card = {.number = 0, .id = id, .venue = {}, .currency = {}}, .settings = {}, .plan = plan});
  ASSERT_FALSE(same);
  EXPECT_EQ(same.error().kind, CreationProblem::Kind::event_exists);
}

TEST_F(Import, OfTwoConcurrentOnesWithTheSameSeatsAtMostOneIsAccepted) {
  for (int round = 0; round < (k_is_sanitized ? 10 : 50); ++round) {
    std::optional<EventNumber> numbers[2];
    {
      std::vector<std::jthread> threads;
      for (unsigned i = 0; i < 2; ++i) {
        threads.emplace_back([&, i] {
          const Uuid mine = uuid_of(100 + i);
          // One goes through the shared ids from the front, the other from the back.
          PlanBuilder builder(mine, {{.name = "Stalls"}});
          for (int seat = 0; seat < 200; ++seat) {
            const std::string number = std::to_string(i == 0 ? seat : 199 - seat);
            ASSERT_TRUE(builder.add({.id = "shared-" + number, .section = "S", .row = "1", .number = number}));
          }
          const auto reserved = it.ledger().reserve_event(
              {.card = {.number = 0, .id = mine, .venue = {}, .currency = {}}, .settings = {}, .plan = builder.finish().value()});
          if (reserved) numbers[i] = *reserved;
        });
      }
    }
    EXPECT_FALSE(numbers[0] && numbers[1]);
    for (int seat = 0; seat < 200; ++seat) {
      const auto place = it.ledger().seats().find("shared-" + std::to_string(seat));
      const auto owner = numbers[0] ? numbers[0] : numbers[1];
      EXPECT_EQ(place.has_value(), owner.has_value());
      if (place && owner) EXPECT_EQ(place->event, *owner);
    }
    for (const auto& number : numbers) {
      if (number) it.ledger().abandon_event(*number);
    }
    EXPECT_FALSE(it.ledger().seats().find("shared-7"));
  }
}

TEST_F(Import, ACommandForAnEventBeforeItsImportIsRefusedAndHarmless) {
  ASSERT_TRUE(step(0));
  EXPECT_EQ(told(it.does(event, Release{reservation_id(event, 1), {}})), "reservation_not_found");
  EXPECT_EQ(told(it.does(event + 1, Release{reservation_id(event + 1, 1), {}})), "event_not_found");
  EXPECT_EQ(told(it.does(0, Sweep{1})), "event_not_found");
  EXPECT_EQ(told(it.does(4'000'000'000, Sweep{1})), "event_not_found");
  for (int number = 1; step(number); ++number) {}
  ASSERT_NE(it.ledger().event(event), nullptr);
  const std::string picture = it.picture();
  it.reopen();
  EXPECT_EQ(it.picture(), picture);
}

}   // namespace

}   // namespace holdfast::test
