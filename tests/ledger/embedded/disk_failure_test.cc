// A disk that is full, tears a write or does not sync: what was answered stays, and the rest is there completely or not at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/embedded/disk.h"
#include "ledger/embedded/sqlite_journal.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;
using testing::HasSubstr;

// A short sale over two events: batches of one and of several commands, a set over both events, and keys.
struct Sale {
  Sale(const fs::path& folder, const TestTime& time, EmbeddedOptions options = {}) : it(folder, time, std::move(options)) {
    first = it.create_event(12);
    second = it.create_event(12);
    for (int i = 0; i < 12; ++i) ids.push_back(it.new_id(i % 2 == 0 ? first : second));
  }

  static constexpr int k_batches = 6;

  // Executes a batch. False if it is not durable.
  bool run(int batch) {
    Round round;
    switch (batch) {
      case 0: round.add(first, Hold{.reservation = ids[0], .customer = "anna", .seats = round.keep({1, 2}), .duration = k_minute}); break;
      case 1:
        round.add(first, Hold{.reservation = ids[2], .customer = "ben", .seats = round.keep({3}), .duration = k_minute});
        round.add(second, Hold{.reservation = ids[1], .customer = "ben", .seats = round.keep({3}), .duration = k_minute});
        round.add(second, Hold{.reservation = ids[3], .customer = "cleo", .seats = round.keep({3}), .duration = k_minute});   // refused
        break;
      case 2: {
        Submission set;
        for (const auto& [event, id] : {std::pair{first, ids[4]}, std::pair{second, ids[5]}}) {
          set.parts.push_back(
              {event, Hold{.reservation = id, .kind = ReservationKind::ticket_lock, .seats = round.keep({5, 6}), .duration = k_minute}});
        }
        set.key = key_of(1, 1);
        round.add(set);
        break;
      }
      case 3: {
        Submission sale;
        sale.parts.push_back({first, Consume{ids[0], "order-1", false}});
        sale.key = key_of(2, 2);
        round.add(sale);
        break;
      }
      case 4:
        // More than a page of the file, so that a write can be torn.
        for (int i = 0; i < 40; ++i) round.add(second, Configure{.name = std::string(150, static_cast<char>('a' + i % 20))});
        round.add(second, ReleaseLocks{round.keep({5, 6}), {}});
        break;
      default: round.add(first, Return{ids[0], "order-1", {}}); break;
    }
    const ExecutionReport report = round.run(it.ledger());
    for (const Entry& entry : round.entries()) {
      for (const Outcome& outcome : entry.verdict.outcomes) EXPECT_EQ(outcome.reason == Reason::unavailable, !report.durable);
    }
    return report.durable;
  }

  LedgerInTest it;
  EventNumber first = 0;
  EventNumber second = 0;
  std::vector<Uuid> ids;
};

class JournalFailure : public testing::TestWithParam<Disk::Fault> {};

TEST_P(JournalFailure, AtEveryPointLeavesEveryAnsweredOutcomeAndAllOrNothingOfTheRest) {
  Disk& disk = Disk::get();
  const TestTime time;
  std::vector<std::string> pictures;   // before each batch, and after the last
  {
    LedgerFolder folder;
    Sale healthy(folder, time);
    for (int batch = 0; batch < Sale::k_batches; ++batch) {
      pictures.push_back(healthy.it.picture());
      ASSERT_TRUE(healthy.run(batch));
    }
    pictures.push_back(healthy.it.picture());
  }
  int failures = 0;
  for (int point = 0;; ++point) {
    SCOPED_TRACE("operation " + std::to_string(point));
    LedgerFolder folder;
    Sale sale(folder / "data", time);
    disk.fail("journal.db", GetParam(), point);
    int batch = 0;
    while (batch < Sale::k_batches && sale.run(batch)) ++batch;
    if (batch == Sale::k_batches) {
      disk.heal();
      break;
    }
    ++failures;
    const auto answered = static_cast<std::size_t>(batch);
    // Readers see everything that was answered. Nothing further is accepted, even when the disk works again.
    EXPECT_EQ(sale.it.picture(), pictures[answered]);
    EXPECT_THAT(sale.it.ledger().trouble(), HasSubstr("journal"));
    EXPECT_FALSE(sale.run(batch));
    disk.copy_as_after_kill(folder / "data", folder / "killed");
    disk.heal();
    EXPECT_EQ(told(sale.it.hold(sale.first, sale.ids[6], {9})), "unavailable");
    EXPECT_EQ(sale.it.picture(), pictures[answered]);
    sale.it.reopen();
    EXPECT_THAT(sale.it.picture(), AnyOf(pictures[answered], pictures[answered + 1]));
    EXPECT_EQ(told(sale.it.hold(sale.first, sale.ids[6], {9})), "accepted");
    EXPECT_EQ(verify_folder(folder / "killed").problem, "");
    LedgerInTest killed(folder / "killed", time);
    EXPECT_THAT(sale.it.picture_of(killed.ledger()), AnyOf(pictures[answered], pictures[answered + 1]));
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_GE(failures, Sale::k_batches);
}

INSTANTIATE_TEST_SUITE_P(Faults, JournalFailure, testing::Values(Disk::Fault::full, Disk::Fault::torn, Disk::Fault::no_sync),
                         [](const auto& param) {
                           return param.param == Disk::Fault::full ? "Full" : param.param == Disk::Fault::torn ? "TornWrite" : "NoSync";
                         });

// A refusal rests on what is durable already, so it needs no disk. But after a failure nothing is judged.
TEST(JournalFailures, RefusalsNeedNoDiskUntilOneAcceptedBatchHasFailed) {
  Disk& disk = Disk::get();
  const TestTime time;
  LedgerFolder folder;
  Sale sale(folder, time);
  ASSERT_TRUE(sale.run(0));
  disk.fail("journal.db", Disk::Fault::full, 0);
  EXPECT_EQ(told(sale.it.hold(sale.first, sale.ids[6], {1})), "seat_unavailable 1");
  EXPECT_TRUE(sale.it.last_report().durable);
  EXPECT_EQ(told(sale.it.hold(sale.first, sale.ids[6], {9})), "unavailable");
  EXPECT_EQ(told(sale.it.hold(sale.first, sale.ids[6], {1})), "unavailable");
  EXPECT_FALSE(sale.it.last_report().durable);
  disk.heal();
}

// SQLite would take what it has moved once for moved, and begin the log again over it.
TEST(JournalFailures, AfterAFailureWhileTheLogIsMovedTheLogIsKeptAndHasEverything) {
  constexpr int k_rounds = 16, k_changes = 4'000;   // more than a log that is left alone has
  Disk& disk = Disk::get();
  const TestTime time;
  LedgerFolder folder;
  disk.watch(folder / "data");
  LedgerInTest it(folder / "data", time, {.data = {}, .has_tables_thread = false});
  const EventNumber event = it.create_event(12);
  for (int i = 0; i < k_rounds; ++i) {
    Round round;
    for (int k = 0; k < k_changes; ++k) round.add(event, Configure{.name = std::string(150, static_cast<char>('a' + k % 20))});
    ASSERT_TRUE(round.run(it.ledger()).durable);
  }
  disk.fail("journal.db", Disk::Fault::no_sync, 0);
  while (it.ledger().step_tables()) {}
  EXPECT_THAT(it.ledger().journal_damage(), HasSubstr("could not be moved into its file"));
  disk.heal();
  while (it.ledger().step_tables()) {}
  EXPECT_EQ(told(it.hold(event, it.new_id(event), {9})), "accepted");
  const std::string picture = it.picture();
  disk.copy_as_after_power_loss(folder / "data", folder / "lost", 0);
  disk.stop_watching();
  LedgerInTest lost(folder / "lost", time);
  EXPECT_EQ(it.picture_of(lost.ledger()), picture);
}

TEST(TablesFailure, AStartSellsAlthoughTheTablesCannotBeWritten) {
  Disk& disk = Disk::get();
  const TestTime time;
  LedgerFolder folder;
  Sale sale(folder / "data", time);
  for (int batch = 0; batch < Sale::k_batches; ++batch) EXPECT_TRUE(sale.run(batch));
  disk.copy_as_after_kill(folder / "data", folder / "killed");
  for (const Disk::Fault fault : {Disk::Fault::no_sync, Disk::Fault::full}) {
    disk.fail("killed/state.db", fault, 0);
    LedgerInTest killed(folder / "killed", time);
    EXPECT_EQ(sale.it.picture_of(killed.ledger()), sale.it.picture());
    ASSERT_TRUE(eventually([&] { return !killed.ledger().state_follows(); }));
    EXPECT_EQ(killed.ledger().trouble(), "");
    disk.heal();
  }
  LedgerInTest killed(folder / "killed", time);
  EXPECT_EQ(told(killed.hold(sale.first, sale.ids[6], {9})), "accepted");
  killed.wait_for_tables();
  killed.close();
  EXPECT_EQ(verify_folder(folder / "killed").problem, "");
}

TEST(TablesFailure, SalesGoOnAndTheTablesCatchUpLater) {
  Disk& disk = Disk::get();
  const TestTime time;
  for (const Disk::Fault fault : {Disk::Fault::full, Disk::Fault::torn}) {
    LedgerFolder folder;
    Sale sale(folder / "data", time);
    sale.it.wait_for_tables();
    disk.fail("state.db", fault, 0);
    for (int batch = 0; batch < Sale::k_batches; ++batch) EXPECT_TRUE(sale.run(batch));
    ASSERT_TRUE(eventually([&] { return disk.operations() > 0; }));   // it has tried to write
    EXPECT_GT(sale.it.ledger().rows_behind(), 0);
    EXPECT_EQ(sale.it.ledger().trouble(), "");
    const std::string picture = sale.it.picture();
    disk.copy_as_after_kill(folder / "data", folder / "killed");
    disk.heal();
    sale.it.wait_for_tables();
    EXPECT_EQ(sale.it.picture(), picture);
    EXPECT_EQ(verify_folder(folder / "data").problem, "");
    sale.it.reopen();
    EXPECT_EQ(sale.it.picture(), picture);
    LedgerInTest killed(folder / "killed", time);
    EXPECT_EQ(sale.it.picture_of(killed.ledger()), picture);
  }
}

// The kernel takes pages that a failed sync has lost for clean: a later sync succeeds without them, in this process and in the next.
TEST(TablesFailure, AfterAFailedSyncTheJournalForgetsNoRowBeforeTheTablesHaveItOnDisk) {
  Disk& disk = Disk::get();
  for (const bool restarts : {false, true}) {
    SCOPED_TRACE(restarts);
    TestTime time;
    LedgerFolder folder;
    disk.watch(folder / "data");
    Sale sale(folder / "data", time, {.data = {}, .journal_retention_days = 1, .has_tables_thread = false});
    EmbeddedLedger& ledger = sale.it.ledger();
    for (int batch = 0; batch < Sale::k_batches; ++batch) EXPECT_TRUE(sale.run(batch));
    while (ledger.step_tables()) {}   // follows, without a sync; only the log's first frame has one
    time.pass(2 * k_day);
    EXPECT_EQ(told(sale.it.hold(sale.first, sale.ids[6], {9})), "accepted");
    disk.fail("state.db-wal", Disk::Fault::no_sync, 0);
    while (ledger.step_tables()) {}
    EXPECT_FALSE(ledger.state_follows());
    EXPECT_EQ(open_journal_rows(folder / "data")->oldest(), 1);
    if (restarts) sale.it.close();
    disk.heal();
    if (restarts) sale.it.reopen();
    while (sale.it.ledger().step_tables()) {}
    EXPECT_TRUE(sale.it.ledger().state_follows());
    EXPECT_GT(open_journal_rows(folder / "data")->oldest(), 1);
    const std::string picture = sale.it.picture();
    disk.copy_as_after_power_loss(folder / "data", folder / "lost", 0);
    EXPECT_EQ(verify_folder(folder / "lost").problem, "");
    LedgerInTest lost(folder / "lost", time);
    EXPECT_EQ(sale.it.picture_of(lost.ledger()), picture);
  }
  disk.stop_watching();
}

TEST(TablesFailure, IsReportedByTheCheckpointerUntilItGoesOn) {
  Disk& disk = Disk::get();
  const TestTime time;
  LedgerFolder folder;
  Position position = 0;
  {
    Sale sale(folder, time);
    sale.it.wait_for_tables();
    disk.fail("state.db", Disk::Fault::full, 0);
    for (int batch = 0; batch < Sale::k_batches; ++batch) EXPECT_TRUE(sale.run(batch));
  }
  position = journal_of(folder).last_position();
  SqliteJournal journal(folder);
  journal.settle({});
  Checkpointer checkpointer({.journal = &journal, .state = DataFolder::state_in(folder)}, [] { return k_begin; });
  checkpointer.notify(position);
  ASSERT_TRUE(eventually([&] { return !checkpointer.trouble().empty(); }));
  EXPECT_THAT(checkpointer.trouble(), HasSubstr("state.db"));
  EXPECT_GT(checkpointer.behind(), 0);
  disk.heal();
  ASSERT_TRUE(eventually([&] { return checkpointer.behind() == 0 && checkpointer.trouble().empty(); }));
}

}  // namespace
}  // namespace holdfast::test
