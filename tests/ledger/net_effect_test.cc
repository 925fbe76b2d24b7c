// The net effect of journal rows on the tables of one event, in memory: rows to write, rows to read first, and refusals.
#include "ledger/net_effect.h"

#include <gmock/gmock.h>

#include <initializer_list>
#include <map>
#include <utility>
#include <vector>

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StrEq;
using testing::ThrowsMessage;

constexpr Millis k_at = 1'000;

Uuid reservation(std::uint8_t number) {
  Uuid id{};
  id.data[15] = number;
  return id;
}

Change held(std::uint8_t id, Seats seats) {
  return {.kind = ChangeKind::held, .reservation = reservation(id), .expires_at = k_at + 60'000, .text = "anna", .seats = seats};
}

Change consumed(std::uint8_t id) { return {.kind = ChangeKind::consumed, .reservation = reservation(id), .text = "order-1"}; }

Change returned(std::uint8_t id, Seats seats) { return {.kind = ChangeKind::returned, .reservation = reservation(id), .seats = seats}; }

// An open event of ten seats; the tables are as of change 3.
struct NetEffects : testing::Test {
  // Folds one row with these changes.
  void fold(std::initializer_list<Change> changes) {
    std::string bytes;
    Writer writer(bytes);
    for (const Change& change : changes) encode_change(change, k_at, writer);
    JournalRow row{.event = 7, .first_seq = next_, .changes = static_cast<std::uint32_t>(changes.size()), .at = k_at, .body = {}};
    next_ += changes.size();
    effect.fold(row, {.changes = bytes, .keys = {}});
  }

  std::map<SeatIndex, SeatRow> seats_in_tables;
  std::map<Uuid, ReservationRow> reservations_in_tables;
  std::vector<SeatIndex> seats_asked_for;
  std::vector<Uuid> reservations_asked_for;
  NetEffect effect{EventRow{.settings = {.status = EventStatus::on_sale}, .seats = 10},
                   {.seat =
                        [this](SeatIndex seat) {
                          seats_asked_for.push_back(seat);
                          const auto found = seats_in_tables.find(seat);
                          return found == seats_in_tables.end() ? std::nullopt : std::optional(found->second);
                        },
                    .reservation =
                        [this](const Uuid& id) {
                          reservations_asked_for.push_back(id);
                          const auto found = reservations_in_tables.find(id);
                          return found == reservations_in_tables.end() ? std::nullopt : std::optional(found->second);
                        }}};

 private:
  Seq next_ = 4;
};

TEST_F(NetEffects, OfManyChangesAreOneRowPerReservationAndSeat) {
  const SeatIndex both[] = {3, 4};
  const SeatIndex one[] = {4};
  fold({held(1, both), consumed(1)});
  fold({returned(1, one)});
  ASSERT_EQ(effect.new_reservations().size(), 1U);
  const ReservationRow& made = effect.new_reservations()[0]->now;
  EXPECT_EQ(made.status, ReservationStatus::consumed);
  EXPECT_EQ(made.owned, 1U);
  EXPECT_EQ(made.created_seq, 4U);
  EXPECT_EQ(made.customer, "anna");
  EXPECT_EQ(made.order, "order-1");
  EXPECT_THAT(made.seats, ElementsAre(3U, 4U));
  EXPECT_TRUE(effect.changed_reservations().empty());
  EXPECT_EQ(effect.seats().at(3).now, (SeatRow{.seat = 3, .version = 2, .state = SeatState::sold, .reservation = reservation(1)}));
  EXPECT_EQ(effect.seats().at(4).now, (SeatRow{.seat = 4, .version = 3}));
  using Place = std::pair<Seq, SeatIndex>;
  std::vector<Place> history;
  for (const SeatChangeRow& each : effect.seat_changes()) history.emplace_back(each.seq, each.seat);
  EXPECT_THAT(history, ElementsAre(Place{4, 3}, Place{4, 4}, Place{5, 3}, Place{5, 4}, Place{6, 4}));
  EXPECT_FALSE(effect.event_has_changed());
  EXPECT_TRUE(reservations_asked_for.empty()) << "it was made by these rows";
}

TEST_F(NetEffects, ReadEachRowOfTheTablesOnce) {
  seats_in_tables[5] = {.seat = 5, .version = 8, .state = SeatState::held, .reservation = reservation(2)};
  reservations_in_tables[reservation(2)] = {
      .id = reservation(2), .status = ReservationStatus::active, .owned = 1, .created_seq = 2, .seats = {5}};
  const SeatIndex one[] = {5};
  fold({consumed(2), returned(2, one)});
  EXPECT_THAT(seats_asked_for, ElementsAre(5U));
  EXPECT_THAT(reservations_asked_for, ElementsAre(reservation(2)));
  ASSERT_EQ(effect.changed_reservations().size(), 1U);
  EXPECT_EQ(effect.changed_reservations()[0]->before->status, ReservationStatus::active);
  EXPECT_EQ(effect.changed_reservations()[0]->now.owned, 0U);
  EXPECT_EQ(effect.seats().at(5).now, (SeatRow{.seat = 5, .version = 10}));
}

TEST_F(NetEffects, RefuseSeatsAfterTheEndOfTheImport) {
  EXPECT_THAT([&] { fold({{.kind = ChangeKind::seats_appended, .count = 1}}); },
              ThrowsMessage<Contradiction>(HasSubstr("whose import has ended")));
}

TEST_F(NetEffects, RefuseAChangeThatContradictsTheTables) {
  seats_in_tables[5] = {.seat = 5, .version = 8, .state = SeatState::sold, .reservation = reservation(2)};
  const SeatIndex one[] = {5};
  EXPECT_THAT([&] { fold({held(3, one)}); }, ThrowsMessage<Contradiction>(HasSubstr("finds seat 5 sold")));
  EXPECT_THAT([&] { fold({consumed(4)}); }, ThrowsMessage<Contradiction>(HasSubstr("which does not exist")));
}

TEST_F(NetEffects, RefuseARowWithoutChangesOfAnEventThatThereIsNot) {
  const JournalRow row{.event = 9, .first_seq = 1, .changes = 0, .at = k_at, .body = {}};
  NetEffect nothing(std::nullopt);
  EXPECT_THAT([&] { nothing.fold(row, {.changes = {}, .keys = {}}); },
              ThrowsMessage<Contradiction>(HasSubstr("is of an event that was never created")));
}

TEST_F(NetEffects, RefuseMalformedBytes) {
  const JournalRow row{.event = 7, .first_seq = 4, .changes = 1, .at = k_at, .body = {}};
  EXPECT_THAT([&] { effect.fold(row, {.changes = "x", .keys = {}}); }, ThrowsMessage<DamagedRow>(StrEq("cannot be read")));
}

}  // namespace
}  // namespace holdfast::test
