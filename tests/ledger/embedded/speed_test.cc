// How fast a start replays the journal and loads the tables. The figures are printed; the assertions only check that everything
// comes back.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdio>

#include "ledger/embedded/disk.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_changes = k_is_sanitized ? 100'000 : 10'000'000;
constexpr std::size_t k_seats = k_is_sanitized ? 20'000 : 1'000'000;
constexpr std::size_t k_commands_per_round = 4'096;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

TEST(Speed, AStartReplaysTenMillionChanges) {
  LedgerFolder folder;
  TestTime time;
  LedgerInTest it(folder / "data", time);
  const EventNumber event = it.create_event(k_seats);
  it.reopen();
  it.wait_for_tables();
  Disk::get().copy_as_after_kill(folder / "data", folder / "early");

  // Each reservation is held, grows, is sold and returned: four changes.
  auto begin = Clock::now();
  std::uint64_t reservation = 0;
  std::size_t changes = 0;
  while (changes < k_changes) {
    Round round;
    for (std::size_t i = 0; i < k_commands_per_round / 4; ++i) {
      const Uuid id = reservation_id(event, ++reservation);
      const auto seat = static_cast<SeatIndex>(reservation * 7'919 * 2 % k_seats);
      round.add(event, Hold{.reservation = id, .customer = "customer-12345678", .seats = round.keep({seat}), .duration = k_hour});
      round.add(event, Add{id, round.keep({seat ^ 1})});
      round.add(event, Consume{id, "order-12345678", false});
      round.add(event, Return{id, "order-12345678", {}});
    }
    const ExecutionReport report = round.run(it.ledger());
    ASSERT_TRUE(report.durable);
    ASSERT_EQ(report.changes, round.entries().size());
    changes += report.changes;
    time.pass(1);
  }
  std::printf("%zu changes written in %.1f s: %.0f changes/s\n", changes, seconds_since(begin),
              static_cast<double>(changes) / seconds_since(begin));

  Disk::get().copy_as_after_kill(folder / "data", folder / "late");
  const Seq seq = it.ledger().event(event)->seq();
  it.close();
  malloc_trim(0);
  for (const char* file : {"journal.db", "journal.db-wal"}) {
    fs::remove(folder / "early" / file);
    if (!fs::exists(folder / "late" / file)) continue;
    std::printf("%s: %.0f MB\n", file, static_cast<double>(fs::file_size(folder / "late" / file)) / 1e6);
    fs::rename(folder / "late" / file, folder / "early" / file);
  }
  begin = Clock::now();
  EmbeddedLedger started({.data = folder / "early", .clock = &time});
  const double took = seconds_since(begin);
  std::printf("start with %zu changes to replay: %.2f s: %.0f changes/s\n", changes, took, static_cast<double>(changes) / took);
  EXPECT_EQ(started.event(event)->seq(), seq);
  EXPECT_EQ(started.event(event)->counts().available, k_seats);
  const auto last = started.reservation(reservation_id(event, reservation));
  ASSERT_TRUE(last);
  EXPECT_EQ(last->status, ReservationStatus::consumed);
}

// Seats of halls of fifty thousand each, as on one platform, a tenth of them sold.
void open_after_clean_stop(std::size_t seats) {
  constexpr std::size_t k_per_event = 50'000;
  LedgerFolder folder;
  TestTime time;
  LedgerInTest it(folder, time);
  auto begin = Clock::now();
  for (std::size_t made = 0; made < seats; made += k_per_event) {
    const EventNumber event = it.create_event(std::min(k_per_event, seats));
    ASSERT_NE(event, 0u);
    for (std::size_t first = 0; first < std::min(k_per_event, seats) / 10; first += k_commands_per_round / 2) {
      Round round;
      for (std::size_t i = 0; i < k_commands_per_round / 2 && first + i < std::min(k_per_event, seats) / 10; ++i) {
        const Uuid id = it.new_id(event);
        round.add(event, Hold{.reservation = id,
                              .customer = "customer-12345678",
                              .seats = round.keep({static_cast<SeatIndex>(first + i)}),
                              .duration = k_hour});
        round.add(event, Consume{id, "order-12345678", false});
      }
      ASSERT_TRUE(round.run(it.ledger()).durable);
    }
  }
  ASSERT_TRUE(eventually([&] { return it.ledger().rows_behind() == 0; }, milliseconds(600'000)));
  std::printf("%zu seats imported, and in the tables, in %.1f s\n", seats, seconds_since(begin));
  it.close();
  malloc_trim(0);
  begin = Clock::now();
  it.reopen();
  std::printf("start with %zu seats after a clean stop: %.2f s (state.db %.0f MB)\n", seats, seconds_since(begin),
              static_cast<double>(fs::file_size(folder / "state.db")) / 1e6);
  std::size_t counted = 0;
  for (const EventNumber event : it.ledger().events()) counted += it.ledger().event(event)->seat_count();
  EXPECT_EQ(counted, seats);
}

TEST(Speed, AMillionSeatsAfterACleanStop) { open_after_clean_stop(k_is_sanitized ? 50'000 : 1'000'000); }

// Run by hand: making them takes longer than opening them.
// ledger_speed --gtest_also_run_disabled_tests --gtest_filter=*TenMillionSeats
TEST(Speed, DISABLED_TenMillionSeatsAfterACleanStop) { open_after_clean_stop(10'000'000); }

}   // namespace
}   // namespace holdfast::test
