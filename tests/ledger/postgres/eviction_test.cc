// Eviction of replicas: memory is bounded, the least recently used goes first, and nothing is forgotten by it.
#include <gtest/gtest.h>

#include <algorithm>

#include "ledger/postgres/nodes.h"

namespace holdfast::test {
namespace {

class PostgresEviction : public PostgresNodes {
 protected:
  static constexpr std::size_t k_events_max = 2;

  void SetUp() override {
    PostgresNodes::SetUp();
    second_.reset();
    small_ = node({.url = {}, .events_in_memory_max = k_events_max, .kept_for = milliseconds(1)});
  }
  // Waits for a round of the keeper.
  bool is_within_limit() {
    return eventually([&] { return small_->stats().replicas <= k_events_max; });
  }
  // Makes others of this node go.
  void bring_others() {
    for (std::size_t i = 0; i < k_events_max; ++i) {
      if (others_.size() <= i) others_.push_back(create_event(10));
      ASSERT_TRUE(bring(*small_, others_[i]));
    }
  }
  bool is_here(EventNumber event) const { return small_->event(event) != nullptr; }

  std::string seat_id(EventNumber event, SeatIndex seat) {
    return of_event("select id from holdfast.seat_directory where event = $1 and seat = " + std::to_string(seat), event);
  }
  // Every seat with its state, version and owner.
  std::vector<std::string> picture(EventNumber event) const {
    std::vector<std::string> seats;
    const auto published = small_->event(event);
    for (SeatIndex seat = 0; seat < published->seat_count(); ++seat) {
      const SeatReading reading = published->seat(seat, small_->now());
      seats.push_back(std::string(1, static_cast<char>(reading.state)) + std::to_string(reading.version) + " " +
                      (reading.reservation ? holdfast::to_string(*reading.reservation) : "-"));
    }
    return seats;
  }

  std::unique_ptr<PostgresLedger> small_;
  std::vector<EventNumber> others_;
};

TEST_F(PostgresEviction, TakesTheLeastRecentlyUsedAndNoMoreThanNecessary) {
  std::vector<EventNumber> events;
  for (int i = 0; i < 5; ++i) events.push_back(create_event(10));
  for (const std::size_t i : {2u, 0u, 4u, 1u, 3u}) ASSERT_TRUE(bring(*small_, events[i]));
  ASSERT_TRUE(is_within_limit());
  EXPECT_EQ(small_->stats().replicas, k_events_max);
  for (const std::size_t gone : {2u, 0u, 4u}) EXPECT_FALSE(is_here(events[gone])) << gone;
  for (const std::size_t kept : {1u, 3u}) EXPECT_TRUE(is_here(events[kept])) << kept;
  EXPECT_EQ(small_->events().size(), events.size()) << "they are still listed";
}

class PostgresEvictionByDefault : public PostgresNodes {
 protected:
  void SetUp() override {
    PostgresNodes::SetUp();
    second_.reset();
    first_ = node({.url = {}, .kept_for = milliseconds(1)});
  }

  // Events of one seat each, 16 at a time, so that they share transactions.
  std::vector<EventNumber> create_events(std::size_t count) {
    constexpr std::size_t k_at_once = 16;
    std::vector<EventNumber> events;
    while (events.size() < count) {
      Round headers, seats, openings;
      for (std::size_t i = 0; i < k_at_once && events.size() < count; ++i) {
        const Uuid id = uuid_of(++last_event_);
        const auto plan = plan_of(id, 1);
        const auto number = first_->reserve_event({.card = {.number = 0, .id = id}, .settings = {}, .plan = plan});
        if (!number) return events;
        std::string header, seat;
        Writer header_writer(header), seat_writer(seat);
        plan->encode_header(header_writer);
        plan->encode_seats(0, 1, seat_writer);
        headers.add(*number, Create{.plan_header = headers.keep_text(header)});
        seats.add(*number, AppendSeats{.encoded = seats.keep_text(seat), .count = 1});
        openings.add(*number, Configure{.status = EventSettings{}.status});
        events.push_back(*number);
      }
      for (Round* round : {&headers, &seats, &openings}) EXPECT_TRUE(round->run(*first_).durable);
    }
    return events;
  }
};

TEST_F(PostgresEvictionByDefault, KeepsAThousandEventsInMemory) {
  constexpr std::size_t k_most = 1'000;
  const std::vector<EventNumber> events = create_events(k_most + 1);
  ASSERT_EQ(events.size(), k_most + 1);
  for (const EventNumber event : events) ASSERT_TRUE(bring(*first_, event));
  ASSERT_TRUE(eventually([&] { return first_->stats().replicas == k_most; })) << first_->stats().replicas;
  EXPECT_EQ(first_->event(events.front()), nullptr) << "the one that was used longest ago";
  EXPECT_EQ(std::ranges::count_if(events, [&](EventNumber event) { return first_->event(event) != nullptr; }), std::ptrdiff_t{k_most});
}

TEST_F(PostgresEviction, SparesEventsInUseUntilTheyAreNot) {
  const EventNumber event = create_event(10);
  ASSERT_TRUE(bring(*small_, event));
  auto watched = small_->event(event);
  std::vector<EventNumber> later;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(bring(*small_, later.emplace_back(create_event(10))));
  ASSERT_TRUE(is_within_limit());
  EXPECT_TRUE(is_here(event)) << "used least recently, and watched";
  ASSERT_TRUE(Desk(*first_).hold(event, reservation_id(event, 1), {1}).accepted());
  EXPECT_TRUE(eventually([&] { return watched->seat(1, small_->now()).state == SeatState::held; })) << "it is followed";
  watched.reset();
  bring_others();
  EXPECT_TRUE(eventually([&] { return small_->stats().replicas <= k_events_max && !small_->seats().find(seat_id(event, 1)); }));
}

TEST_F(PostgresEviction, BringsAnEventBackAsItWasWithItsKeys) {
  const EventNumber event = create_event();
  Desk desk(*small_);
  ASSERT_TRUE(desk.hold(event, reservation_id(event, 1), {1, 2}).accepted());
  ASSERT_TRUE(desk.hold(event, reservation_id(event, 2), {3}, "bob").accepted());
  ASSERT_TRUE(desk.consume(event, reservation_id(event, 2)).accepted());
  ASSERT_TRUE(desk.hold(event, reservation_id(event, 3), {4}).accepted());
  ASSERT_TRUE(desk.release(event, reservation_id(event, 3)).accepted());
  ASSERT_TRUE(desk.block(event, {9}).accepted());
  const SeatList seats{20};
  const auto with_key = [&](std::uint64_t id) {
    Submission submission;
    submission.parts.push_back(
        {event, Hold{.reservation = reservation_id(event, id), .customer = "anna", .seats = seats, .duration = k_hour}});
    submission.key = key_of(7, 7);
    return desk.asks(std::move(submission));
  };
  ASSERT_TRUE(with_key(4).accepted());
  const std::vector<std::string> before = picture(event);
  const std::uint64_t loaded = small_->stats().replicas_loaded;
  bring_others();
  ASSERT_TRUE(is_within_limit());
  ASSERT_FALSE(is_here(event));
  EXPECT_FALSE(small_->seats().find(seat_id(event, 1)));
  ASSERT_TRUE(small_->bring({.seats = {seat_id(event, 1)}}));
  ASSERT_TRUE(is_here(event));
  EXPECT_EQ(small_->seats().find(seat_id(event, 1))->event, event);
  EXPECT_EQ(picture(event), before);
  EXPECT_GT(small_->stats().replicas_loaded, loaded);
  const Verdict again = with_key(5);
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(again.outcomes.front().reservation->id, reservation_id(event, 4));
  EXPECT_EQ(told(desk.hold(event, reservation_id(event, 6), {2})), "seat_unavailable 2");
}

// Its seats leave the directory after it has gone, so that nobody waits for that, and must not take those of the replica that comes.
TEST_F(PostgresEviction, LeavesTheSeatsFindableOfAnEventThatIsBroughtBackMeanwhile) {
  constexpr std::size_t k_many = 100'000;   // so many that their removal takes a moment
  const EventNumber event = create_event(k_many);
  const std::string last_seat = seat_id(event, k_many - 1);
  int found = 0;
  for (int round = 0; round < 4; ++round) {
    ASSERT_TRUE(bring(*small_, event));
    bring_others();
    ASSERT_TRUE(is_within_limit()) << "the event, which was used before the others, goes; to ask for it would be a use";
    ASSERT_TRUE(bring(*small_, event));
    const auto shown = small_->event(event);   // watched, so that it stays
    const bool is_found = small_->seats().find(last_seat).has_value();
    if (shown == nullptr || small_->event(event) != shown) continue;   // it has gone again
    EXPECT_TRUE(is_found) << "in round " << round;
    ++found;
  }
  EXPECT_GT(found, 0);
}

TEST_F(PostgresEviction, DoesNotKeepAHoldBeyondItsTime) {
  const EventNumber event = create_event();
  ASSERT_TRUE(Desk(*small_).hold(event, reservation_id(event, 1), {1}, "anna", 2'500).accepted());
  const Millis ends = small_->reservation(reservation_id(event, 1))->expires_at;
  first_.reset();   // then no node serves it
  ASSERT_TRUE(eventually([&] { return has_in_tables(event, head(event)); }));
  first_ = node();
  bring_others();
  ASSERT_TRUE(is_within_limit());
  Sql clock(database_.url());
  ASSERT_TRUE(
      eventually([&] { return std::stoll(clock.value("select floor(extract(epoch from clock_timestamp()) * 1000)::bigint")) >= ends; }));
  EXPECT_TRUE(Desk(*first_).hold(event, reservation_id(event, 2), {1}, "bob", 300).accepted()) << "in that very millisecond";
  // An expiry of an event that nobody asks for is found, and swept.
  first_.reset();
  ASSERT_TRUE(eventually([&] { return !small_->events_to_sweep(10, {}).empty(); }));
  EXPECT_EQ(small_->events_to_sweep(10, {}), std::vector<EventNumber>{event});
  EXPECT_EQ(Desk(*small_).sweep(event).swept, 1u);
  ASSERT_TRUE(bring(*small_, event));
  EXPECT_TRUE(shows(*small_, event, 1, SeatState::available));
  expect_no_gaps(event);
}

}  // namespace
}  // namespace holdfast::test
