// The readers' copy of an event goes through the same steps as the writer's, in the same order: changes, recalls of forgotten
// reservations, and forgetting. Random rounds, most of them at the edge of forgetting.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "core/rules.h"
#include "ledger/ledger_in_test.h"
#include "ledger/published.h"
#include "support/rapidcheck.h"

namespace holdfast::test {
namespace {

constexpr EventNumber k_number = 7;
constexpr SeatIndex k_seats = 6;

std::unique_ptr<Inventory> new_writer() {
  auto made = std::make_unique<Inventory>(EventCard{.number = k_number, .id = uuid_of(1), .venue = "Royal", .currency = "EUR"},
                                          EventSettings{.status = EventStatus::on_sale}, 3);
  made->restore_seats(k_seats);
  return made;
}

// A writer, its readers, and the ended reservations that tables would have.
class Copies {
 public:
  // Any number is a step: a command, a forgetting, or the end of a round.
  void take(std::uint32_t number) {
    const std::uint32_t what = number % 16;
    const std::uint32_t which = number / 16;
    if (what == 0) return end_round(true);
    if (what == 1) return end_round(false);
    if (what <= 3) return steps_.forget_ended(*writer_, changes_.count, writer_->seq(), which % 3);
    if (what <= 7 || made_.empty()) return hold(which % k_seats);
    const Uuid id = made_[which % made_.size()];
    if (what <= 11) return does(id, Release{.reservation = id});
    if (what <= 13) return does(id, Consume{.reservation = id, .order = "order", .reinstate = true});
    does(id, Return{.reservation = id, .order = "order"});
  }

  void end_round(bool published) {
    if (published) {
      readers_.follow(changes_.bytes, changes_.count, now_, steps_);
      archive_before_ = archive_;
    } else {
      writer_ = before_->clone();   // the journal refused it: the writer is loaded again
      archive_ = archive_before_;
      std::erase_if(made_, [&](const Uuid& id) { return held_in_round_.contains(id); });
    }
    changes_.clear();
    steps_.clear();
    held_in_round_.clear();
    ++now_;
    before_ = writer_->clone();
    RC_ASSERT(readers_.difference_from(*writer_) == "");
    for (const Uuid& id : made_) expect_same(id);
  }

 private:
  void hold(SeatIndex seat) {
    const Uuid id = reservation_id(k_number, ++last_id_);
    made_.push_back(id);
    held_in_round_.insert(id);
    does(id, Hold{.reservation = id, .customer = "anna", .seats = {&seat, 1}, .duration = k_minute});
  }

  void does(const Uuid& id, const Command& command) {
    if (const auto known = archive_.find(id); known != archive_.end() && writer_->find(id) == Inventory::k_no_slot) {
      RC_ASSERT(writer_->can_recall(known->second));
      steps_.recall(*writer_, changes_.count, known->second);
    }
    judge(*writer_, command, now_, changes_);
    // The reservation as tables have it once it may be forgotten.
    const Inventory::Slot slot = writer_->find(id);
    if (slot == Inventory::k_no_slot) return;
    const ReservationView view = writer_->view(slot, 0);
    if (view.status != ReservationStatus::active) archive_[id] = view;
  }

  void expect_same(const Uuid& id) const {
    const Inventory::Slot slot = writer_->find(id);
    const auto seen = readers_.reservation(id, now_);
    RC_ASSERT(seen.has_value() == (slot != Inventory::k_no_slot));
    if (seen) RC_ASSERT(told(*seen) == told(writer_->view(slot, now_)));
  }

  Millis now_ = k_begin;
  std::unique_ptr<Inventory> writer_ = new_writer();
  std::unique_ptr<Inventory> before_ = writer_->clone();
  PublishedEvent readers_{writer_->replica(), plan_of(uuid_of(1), k_seats)};
  ChangeBatch changes_;
  MemorySteps steps_;
  std::vector<Uuid> made_;
  std::set<Uuid> held_in_round_;
  std::map<Uuid, ReservationView> archive_;
  std::map<Uuid, ReservationView> archive_before_;
  std::uint64_t last_id_ = 0;
};

TEST(Copies, OfWriterAndReadersHaveTheSameReservationsInMemoryAfterEachRound) {
  ASSERT_TRUE(rc::check("they agree", [] {
    Copies copies;
    for (const std::uint32_t number : *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(0, 1 << 16))) {
      copies.take(number);
    }
    copies.end_round(true);
  }));
}

// For ThreadSanitizer: the copy is replaced while readers look at it.
TEST(Copies, CanBeReadWhileTheyAreReplaced) {
  const auto writer = new_writer();
  PublishedEvent readers(writer->replica(), plan_of(uuid_of(1), k_seats));
  std::atomic<std::size_t> looks{0};
  const auto look = [&](const std::stop_token& stop) {
    for (; !stop.stop_requested(); ++looks) {
      EXPECT_EQ(readers.card().venue, "Royal");
      EXPECT_EQ(readers.states(k_begin)->states.size(), k_seats);
      EXPECT_LE(readers.counts().held, 1u);
    }
  };
  std::jthread one(look);
  std::jthread two(look);
  const SeatIndex seat = 1;
  for (std::uint64_t number = 1; number <= 500 || looks < 100; ++number) {
    ChangeBatch changes;
    const Uuid id = reservation_id(k_number, number);
    judge(*writer, Hold{.reservation = id, .customer = "anna", .seats = {&seat, 1}, .duration = k_minute}, k_begin, changes);
    judge(*writer, Release{.reservation = id}, k_begin, changes);
    MemorySteps steps;
    steps.forget_ended(*writer, changes.count, writer->seq(), 1);
    if (number % 3 == 0) readers.begin_anew(writer->replica());
    else readers.follow(changes.bytes, changes.count, k_begin, steps);
    ASSERT_EQ(readers.difference_from(*writer), "");
  }
}

TEST(Copies, OfStatesHaveTheChangeThatACallerAsksForOrItWaitsUntilTheNextMayBeMade) {
  constexpr Millis k_apart = 10;
  const auto writer = new_writer();
  PublishedEvent readers(writer->replica(), plan_of(uuid_of(1), k_seats));
  const auto first = readers.states_since(readers.seq(), k_begin, k_apart);
  ASSERT_TRUE(first);
  const SeatIndex seat = 1;
  ChangeBatch changes;
  judge(*writer, Hold{.reservation = reservation_id(k_number, 1), .customer = "anna", .seats = {&seat, 1}, .duration = k_minute}, k_begin,
        changes);
  readers.follow(changes.bytes, changes.count, k_begin, {});
  const Seq held = readers.seq();

  EXPECT_EQ(readers.states_since((*first)->seq, k_begin + 3, k_apart).value(), *first) << "it has what this caller asks for";
  EXPECT_EQ(readers.states_since(held, k_begin + 3, k_apart).error(), k_apart - 3);
  EXPECT_EQ(readers.states_since(held, k_begin + k_apart - 1, k_apart).error(), 1);
  const auto second = readers.states_since(held, k_begin + k_apart, k_apart);
  EXPECT_EQ(second.value()->seq, held);
  EXPECT_EQ(second.value()->states, "ahaaaa");
  EXPECT_EQ(readers.states_since(held, k_begin + k_apart, k_apart).value(), *second) << "one copy for all";
  EXPECT_EQ((*first)->states, "aaaaaa") << "readers of the older copy keep it";
}

TEST(Copies, OfStatesAreMadeAtOnceIfTheClockWasSetBack) {
  const auto writer = new_writer();
  PublishedEvent readers(writer->replica(), plan_of(uuid_of(1), k_seats));
  ASSERT_TRUE(readers.states_since(0, k_begin + k_minute, 10));
  const SeatIndex seat = 1;
  ChangeBatch changes;
  judge(*writer, Hold{.reservation = reservation_id(k_number, 1), .customer = "anna", .seats = {&seat, 1}, .duration = k_minute}, k_begin,
        changes);
  readers.follow(changes.bytes, changes.count, k_begin, {});
  EXPECT_EQ(readers.states_since(readers.seq(), k_begin, 10).value()->seq, readers.seq());
}

TEST(Copies, ThatHaveOtherReservationsInMemoryAreToldApart) {
  const auto writer = new_writer();
  const PublishedEvent readers(writer->replica(), plan_of(uuid_of(1), k_seats));
  EXPECT_EQ(readers.difference_from(*writer), "");
  const SeatIndex seat = 1;
  ChangeBatch changes;
  const Uuid id = reservation_id(k_number, 1);
  ASSERT_TRUE(
      judge(*writer, Hold{.reservation = id, .customer = "anna", .seats = {&seat, 1}, .duration = k_minute}, k_begin, changes).accepted());
  ASSERT_TRUE(judge(*writer, Release{.reservation = id}, k_begin, changes).accepted());
  EXPECT_EQ(readers.difference_from(*writer), "change 0 instead of 2");
  const PublishedEvent later(writer->replica(), plan_of(uuid_of(1), k_seats));
  writer->forget_ended(writer->seq(), 0);
  EXPECT_EQ(later.difference_from(*writer), "reservations in memory: 1 instead of 0");
}

}  // namespace
}  // namespace holdfast::test
