// Everything answered is there after a stop, a kill or a power loss at any moment; the rest happened completely or not at all.
#include <gtest/gtest.h>

#include <random>

#include "ledger/embedded/disk.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

// A keyed request and its answer.
struct Keyed {
  EventNumber event = 0;
  IdempotencyKey key{};
  Verdict verdict{};
  Millis at = 0;
};

// Random commands to several events: every command of a client, and of a timer.
class Crowd {
 public:
  static constexpr SeatIndex k_seats = 12;

  Crowd(std::uint64_t seed, LedgerInTest& it, TestTime& time) : random_(seed), it_(it), time_(time) {
    for (int i = 0; i < 3; ++i) {
      EventSettings settings;
      settings.limits.held_seats_per_customer = i == 1 ? 5 : 0;
      events_.push_back(it.create_event(k_seats, settings));
    }
  }

  // One batch of one to six commands, then perhaps some time.
  void act() {
    Round round;
    std::vector<std::pair<std::size_t, Keyed>> keyed;
    const std::size_t count = 1 + below(6);
    for (std::size_t i = 0; i < count; ++i) {
      Submission submission = below(8) == 0 ? set(round) : one(round);
      // A hold: an accepted command that changes nothing keeps no key.
      if (std::holds_alternative<Hold>(submission.parts.front().command) && below(2) == 0) {
        ++last_key_;
        submission.key = key_of(last_key_, last_key_);
        keyed.push_back({i, {submission.parts.front().event, *submission.key, {}, 0}});
      }
      round.add(std::move(submission));
    }
    EXPECT_TRUE(round.run(it_.ledger()).durable);
    for (auto& [i, each] : keyed) {
      each.verdict = round.verdict(i);
      each.at = it_.ledger().now();
      if (each.verdict.accepted()) keyed_.push_back(std::move(each));
    }
    for (const Entry& entry : round.entries()) ++reasons_[static_cast<std::size_t>(entry.verdict.outcomes.front().reason)];
    if (below(3) == 0) time_.pass(static_cast<Millis>(below(40'000)));
  }

  // Every key that still counts gives its first outcome again. The question may change the ledger, so ask a copy.
  void expect_keys(Ledger& ledger, std::size_t at_most) const {
    Desk desk(ledger);
    const std::size_t first = keyed_.size() > at_most ? keyed_.size() - at_most : 0;
    for (std::size_t i = first; i < keyed_.size(); ++i) {
      if (keyed_[i].at + k_day <= ledger.now()) continue;
      Submission again;
      again.parts.push_back({keyed_[i].event, Sweep{1}});
      again.key = keyed_[i].key;
      const Verdict verdict = desk.asks(again);
      EXPECT_TRUE(verdict.replayed);
      EXPECT_EQ(told(verdict), "replayed: " + told(keyed_[i].verdict));
    }
  }

  std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); }
  std::size_t accepted() const { return reasons_[0]; }

 private:
  EventNumber event() { return events_[below(events_.size())]; }
  Uuid known(EventNumber of) {
    const auto& ids = made_[of];
    if (ids.empty() || below(20) == 0) return reservation_id(of, 999'999'999);
    return ids[ids.size() - 1 - std::min(below(8) * below(8), ids.size() - 1)];
  }
  Uuid fresh(EventNumber of) { return made_[of].emplace_back(it_.new_id(of)); }
  SeatList seats(std::size_t least) {
    SeatList all;
    for (SeatIndex seat = 0; seat < k_seats; ++seat) all.push_back(seat);
    std::ranges::shuffle(all, random_);
    all.resize(std::max(least, std::min<std::size_t>(below(5), 3)));
    return all;
  }

  Hold hold(Round& round, EventNumber of, bool lock) {
    return {.reservation = fresh(of),
            .kind = lock ? ReservationKind::ticket_lock : ReservationKind::customer,
            .customer = lock ? std::string_view{} : round.keep_text("customer-" + std::to_string(below(4))),
            .seats = round.keep(seats(1)),
            .duration = static_cast<Millis>(1 + below(60'000))};
  }

  Submission one(Round& round) {
    const EventNumber of = event();
    Submission submission;
    submission.parts.push_back({of, command(round, of)});
    return submission;
  }

  Command command(Round& round, EventNumber of) {
    const auto order = [&] { return round.keep_text("order-" + std::to_string(below(2))); };
    switch (below(24)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4: return hold(round, of, false);
      case 5:
      case 6: return hold(round, of, true);
      case 7:
      case 8: return Add{known(of), round.keep(seats(1))};
      case 9: return Extend{known(of), static_cast<Millis>(below(120'000))};
      case 10: return Release{known(of), {}};
      case 11: return Release{known(of), round.keep(seats(1))};
      case 12: return ReleaseLocks{round.keep(seats(1)), {}};
      case 13: return ReleaseLocks{round.keep(seats(1)), round.keep_ids({known(of)})};
      case 14:
      case 15:
      case 16: return Consume{known(of), order(), false};
      case 17:
      case 18: return Consume{known(of), order(), true};
      case 19: return Return{known(of), order(), {}};
      case 20: return Return{known(of), order(), round.keep(seats(1))};
      case 21: return below(2) == 0 ? Command(Block{round.keep(seats(1))}) : Command(Unblock{round.keep(seats(1))});
      case 22:
        return Configure{.name = "renamed " + std::to_string(below(100)),
                         .status = below(8) == 0 ? EventStatus::closed : EventStatus::on_sale};
      default: return Sweep{1 + below(4)};
    }
  }

  Submission set(Round& round) {
    Submission submission;
    const bool release = below(3) == 0;
    for (const EventNumber of : events_) {
      if (below(3) == 0 && of != events_.back()) continue;
      submission.parts.push_back({of, release ? Command(ReleaseLocks{round.keep(seats(1)), {}}) : Command(hold(round, of, true))});
    }
    return submission;
  }

  std::mt19937_64 random_;
  LedgerInTest& it_;
  TestTime& time_;
  std::vector<EventNumber> events_;
  std::map<EventNumber, std::vector<Uuid>> made_;
  std::vector<Keyed> keyed_;
  std::uint64_t last_key_ = 0;
  std::array<std::size_t, 32> reasons_{};
};

constexpr std::uint64_t k_seeds = k_is_sanitized ? 3 : 6;
constexpr int k_batches = k_is_sanitized ? 120 : 300;

struct Recovery : testing::TestWithParam<std::uint64_t> {
  // Opens a copy elsewhere and compares it with what the live ledger shows at this moment.
  void expect_same(const fs::path& data, LedgerInTest& live, const Crowd& crowd, const std::string& picture, bool with_keys = true) {
    ASSERT_EQ(verify_folder(data).problem, "");
    EmbeddedLedger copy({.data = data, .ended_in_memory_max = options.ended_in_memory_max, .clock = &time});
    EXPECT_EQ(live.picture_of(copy), picture);
    if (with_keys) crowd.expect_keys(copy, 40);
  }

  LedgerFolder folder;
  TestTime time;
  EmbeddedOptions options;
};

TEST_P(Recovery, AfterACleanStopHasEverythingAnswered) {
  LedgerInTest it(folder / "data", time, options);
  Crowd crowd(GetParam(), it, time);
  for (int i = 0; i < k_batches; ++i) {
    crowd.act();
    if (crowd.below(15) != 0) continue;
    const std::string before = it.picture();
    it.reopen();
    ASSERT_EQ(it.picture(), before) << "after batch " << i;
  }
  it.close();
  EXPECT_EQ(verify_folder(folder / "data").problem, "");
  EXPECT_GT(crowd.accepted(), static_cast<std::size_t>(k_batches) / 2);
}

TEST_P(Recovery, AfterAKillAtAnyMomentHasEverythingAnswered) {
  Disk& disk = Disk::get();
  LedgerInTest it(folder / "data", time, options);
  Crowd crowd(GetParam() + 100, it, time);
  for (int i = 0; i < k_batches; ++i) {
    crowd.act();
    if (crowd.below(12) != 0) continue;
    const fs::path copy = folder.path() / ("kill" + std::to_string(i));
    disk.copy_as_after_kill(folder / "data", copy);
    expect_same(copy, it, crowd, it.picture());
    if (HasFailure()) return;
    fs::remove_all(copy);
  }
}

// The tables of an early moment beside the journal of a late one, as a starved checkpointer leaves them.
TEST_P(Recovery, TablesThatLagFarBehindCatchUpFromTheJournal) {
  Disk& disk = Disk::get();
  LedgerInTest it(folder / "data", time, options);
  std::vector<fs::path> early;
  Crowd crowd(GetParam() + 200, it, time);
  for (int i = 0; i < k_batches; ++i) {
    crowd.act();
    if (crowd.below(20) == 0 && early.size() < 8) {
      early.push_back(folder.path() / ("early" + std::to_string(i)));
      disk.copy_as_after_kill(folder / "data", early.back());
    }
  }
  disk.copy_as_after_kill(folder / "data", folder / "late");
  for (const fs::path& tables : early) {
    copy_journal(folder / "late", tables);
    expect_same(tables, it, crowd, it.picture());
    if (HasFailure()) return;
  }
  ASSERT_FALSE(early.empty());
}

TEST_P(Recovery, AfterAPowerLossHasEverythingAnsweredWithoutUnsyncedWrites) {
  Disk& disk = Disk::get();
  disk.watch(folder / "data");
  {
    LedgerInTest it(folder / "data", time, options);
    Crowd crowd(GetParam() + 300, it, time);
    for (int i = 0; i < k_batches; ++i) {
      crowd.act();
      if (crowd.below(12) != 0) continue;
      const fs::path copy = folder.path() / ("power" + std::to_string(i));
      disk.copy_as_after_power_loss(folder / "data", copy, static_cast<double>(crowd.below(3)) / 2);
      expect_same(copy, it, crowd, it.picture());
      if (HasFailure()) break;
      fs::remove_all(copy);
    }
  }
  disk.stop_watching();
}

// With hardly any ended reservation in memory, all old ones come from the tables.
TEST_P(Recovery, IsTheSameWhenEndedReservationsAreForgotten) {
  options.ended_in_memory_max = 3;
  Disk& disk = Disk::get();
  LedgerInTest it(folder / "data", time, options);
  Crowd crowd(GetParam() + 400, it, time);
  for (int i = 0; i < 2 * k_batches; ++i) {
    crowd.act();
    if (crowd.below(60) != 0) continue;
    it.wait_for_tables();
    const fs::path copy = folder.path() / ("kill" + std::to_string(i));
    disk.copy_as_after_kill(folder / "data", copy);
    expect_same(copy, it, crowd, it.picture());
    if (HasFailure()) return;
    fs::remove_all(copy);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Recovery, testing::Range<std::uint64_t>(1, 1 + k_seeds));

// A reservation had ended when the tables were written, and was reinstated after that: so a start does not load it.
TEST(RecoveryOfReinstated, KeepsASaleReinstatedAfterTheTablesPosition) {
  for (const bool released : {false, true}) {
    LedgerFolder folder;
    TestTime time;
    LedgerInTest it(folder / "data", time);
    const EventNumber event = it.create_event(4);
    const Uuid id = it.new_id(event);
    ASSERT_TRUE(it.hold(event, id, {1, 2}, "anna", 1'000).accepted());
    if (released) {
      ASSERT_TRUE(it.release(event, id).accepted());
    } else {
      time.pass(2'000);
      ASSERT_EQ(it.sweep(event).swept, 1u);
    }
    it.reopen();
    it.wait_for_tables();
    Disk::get().copy_as_after_kill(folder / "data", folder / "early");
    ASSERT_EQ(told(it.consume(event, id, "order-1", true)), "accepted");
    const std::string picture = it.picture();
    Disk::get().copy_as_after_kill(folder / "data", folder / "late");
    copy_journal(folder / "late", folder / "early");
    EmbeddedLedger copy({.data = folder / "early", .clock = &time});
    EXPECT_EQ(it.picture_of(copy), picture);
    EXPECT_EQ(copy.reservation(id)->status, ReservationStatus::consumed);
  }
}

}   // namespace
}   // namespace holdfast::test
