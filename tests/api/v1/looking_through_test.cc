// A page ends when enough was examined for it, even if nothing was found, and the next page continues there. This holds for an
// event's seats, and for the changes among which those of a reservation are.
#include <gmock/gmock.h>

#include "api/v1/reservation_history.h"
#include "api/v1/seat_filter.h"
#include "core/event_in_test.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(LookingThrough, ExaminesAtMostAMillionSeatsForOnePage) {
  constexpr std::size_t k_most = 1'000'000;
  EventInTest event(k_most + 1);
  ASSERT_TRUE(event.block({k_most}).accepted());
  const PublishedEvent published(event.inventory.replica(), plan_of({}, k_most + 1));
  std::vector<SeatIndex> shown;
  const auto look_from = [&](std::size_t first) {
    shown.clear();
    return api::show_seats(published, {.state = SeatState::blocked}, first, 100, event.now,
                           [&](SeatIndex seat, const SeatReading&) { shown.push_back(seat); });
  };
  EXPECT_EQ(look_from(0), k_most);
  EXPECT_THAT(shown, IsEmpty());
  EXPECT_EQ(look_from(k_most), k_most + 1) << "the end";
  EXPECT_THAT(shown, ElementsAre(k_most));
  EXPECT_EQ(look_from(1), k_most + 1);
  EXPECT_THAT(shown, ElementsAre(k_most)) << "the millionth, though the row began before the first";
}

class LookingThroughChanges : public testing::Test {
 protected:
  // Adds so many changes of other seats.
  void change(std::size_t count) {
    constexpr std::size_t k_at_once = 5'000;
    for (std::size_t done = 0; done < count;) {
      Round round;
      for (std::size_t i = 0; i < k_at_once && done < count; ++i, ++done, is_blocked = !is_blocked) {
        round.add(event, is_blocked ? Command(Unblock{round.keep({9})}) : Command(Block{round.keep({9})}));
      }
      ASSERT_TRUE(round.run(it.ledger()).durable);
    }
  }
  api::HistoryPage read(std::optional<api::HistoryPlace> place = {}) {
    const auto view = it.ledger().reservation(reservation);
    auto page = api::read_history(it.ledger(), *it.ledger().event(event), *view, place, 100);
    EXPECT_TRUE(page.has_value());
    return page ? std::move(*page) : api::HistoryPage{};
  }
  static std::vector<ChangeKind> kinds(const api::HistoryPage& page) {
    std::vector<ChangeKind> all;
    for (const RecordedChange& change : page.changes) all.push_back(change.kind);
    return all;
  }

  LedgerFolder folder;
  TestTime time;
  LedgerInTest it{folder, time};
  EventNumber event = it.create_event(10);
  Uuid reservation = it.new_id(event);
  bool is_blocked = false;
};

TEST_F(LookingThroughChanges, ExaminesAtMostAHundredThousandForOnePage) {
  constexpr std::size_t k_most = 100'000;
  time.pass(1);   // its first change comes after its time
  ASSERT_TRUE(it.hold(event, reservation, {1, 2}).accepted());
  change(k_most - 2);
  ASSERT_TRUE(it.release(event, reservation, {1}).accepted());   // the last change that is examined
  ASSERT_TRUE(it.release(event, reservation, {2}).accepted());
  it.wait_for_tables();   // seats' histories are read there
  const api::HistoryPage first = read();
  EXPECT_THAT(kinds(first), ElementsAre(ChangeKind::held, ChangeKind::released));
  ASSERT_TRUE(first.next);
  const api::HistoryPage second = read(first.next);
  EXPECT_THAT(kinds(second), ElementsAre(ChangeKind::released));
  EXPECT_EQ(second.changes.at(0).seq, first.changes.at(0).seq + k_most);
  EXPECT_FALSE(second.next);
}

}   // namespace
}   // namespace holdfast::test
