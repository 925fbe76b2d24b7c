// One process at a time, copies of the data during a sale, and rebuilt tables.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "cli/maintenance.h"
#include "feed/kafka/feed_file.h"
#include "feed/kafka/store.h"
#include "ledger/embedded/disk.h"
#include "ledger/embedded/journal.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct Maintenance : testing::Test {
  Maintenance() : it(folder / "data", time) { event = it.create_event(200); }

  // Sells, releases and keeps keys, all over the event.
  void trade(int commands) {
    for (int i = 0; i < commands; ++i) {
      const Uuid id = it.new_id(event);
      Submission submission;
      const SeatList seats{static_cast<SeatIndex>(i % 200)};
      submission.parts.push_back({event, Hold{.reservation = id, .customer = "anna", .seats = seats, .duration = k_minute}});
      submission.key = key_of(++keys, 1);
      it.asks(submission);
      if (i % 3 == 0) it.consume(event, id);
      if (i % 3 == 1) it.release(event, id);
    }
  }

  LedgerFolder folder;
  TestTime time;
  LedgerInTest it;
  EventNumber event = 0;
  std::uint64_t keys = 0;
};

TEST_F(Maintenance, ASecondLedgerOnTheFolderIsRefusedInAnyProcess) {
  const std::string refusal = refusal_at_start(folder / "data", time);
  EXPECT_THAT(refusal, HasSubstr("another process works with the data"));
  EXPECT_THAT(refusal, HasSubstr((folder / "data").string()));
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      const DataFolder mine(folder / "data");
      ::_exit(0);
    } catch (const DataError&) {
      ::_exit(17);
    }
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 17);
  EXPECT_THROW(cli::restore(folder / "data", folder / "no-backup"), DataError);
  EXPECT_THROW(cli::rebuild(folder / "data", [](Position, Position) {}), DataError);
  it.close();
  EXPECT_EQ(refusal_at_start(folder / "data", time), "");
}

TEST_F(Maintenance, ABackupHasEverythingAndIsRestoredAsItWas) {
  trade(60);
  const std::string picture = it.picture();
  cli::backup(folder / "data", folder / "copy");
  cli::restore(folder / "restored", folder / "copy");
  EXPECT_EQ(verify_folder(folder / "restored").problem, "");
  LedgerInTest restored(folder / "restored", time);
  EXPECT_EQ(it.picture_of(restored.ledger()), picture);
  Submission again;
  again.parts.push_back({event, Sweep{1}});
  again.key = key_of(1, 1);
  EXPECT_TRUE(restored.asks(again).replayed);
  EXPECT_EQ(told(restored.hold(event, reservation_id(event, 77'777), {199})), "accepted");
}

TEST_F(Maintenance, ABackupHasTheFeedsPositionsAndRefusedPayments) {
  using feed::kafka::FeedPosition;
  using feed::kafka::PaymentDigest;
  const PaymentDigest before{1};
  const PaymentDigest after{2};
  const std::vector<FeedPosition> then{{event, 3}};
  const std::vector<FeedPosition> later{{event, 9}, {event + 1, 1}};
  std::string id;
  {
    feed::kafka::FeedStore feed(feed::kafka::open_feed_file(feed::kafka::feed_file_in(folder / "data")));
    id = feed.id();
    const feed::Epoch epoch = feed.make_lease("me", std::chrono::milliseconds(60'000))->acquire().value();
    feed.save(epoch, then);
    feed.keep_rejection(before, "told", k_begin, k_begin);
    cli::backup(folder / "data", folder / "copy");
    feed.save(epoch, later);
    feed.keep_rejection(after, "later", k_begin, k_begin);
  }
  cli::restore(folder / "restored", folder / "copy");
  {
    feed::kafka::FeedStore feed(feed::kafka::open_feed_file(feed::kafka::feed_file_in(folder / "restored")));
    EXPECT_EQ(feed.id(), id) << "so that whoever still publishes from the old data is fenced";
    EXPECT_EQ(feed.positions(), then);
    EXPECT_EQ(feed.rejection(before), "told");
    EXPECT_TRUE(feed.make_lease("next", std::chrono::milliseconds(1'000))->acquire());
  }
  // The files of the ledger were restored beside a feed.db that knows more.
  fs::create_directory(folder / "beside");
  it.close();
  fs::copy(folder / "data" / "feed.db", folder / "beside" / "feed.db");
  cli::restore(folder / "beside", folder / "copy");
  feed::kafka::FeedStore feed(feed::kafka::open_feed_file(feed::kafka::feed_file_in(folder / "beside")));
  EXPECT_EQ(feed.positions(), then) << "what came after the backup is other changes now";
  EXPECT_EQ(feed.rejection(after), "later") << "money that was sent back was sent back";
}

TEST_F(Maintenance, ABackupDuringASaleHasEverythingAnsweredBefore) {
  trade(20);
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> answered{0};
  std::jthread seller([&] {
    std::uint64_t number = 1'000'000;
    while (!done) {
      const Uuid id = reservation_id(event, ++number);
      if (!it.hold(event, id, {static_cast<SeatIndex>(number % 200)}).accepted()) continue;
      it.release(event, id);
      answered = number;
    }
  });
  for (int i = 0; i < (k_is_sanitized ? 3 : 8); ++i) {
    const std::uint64_t before = answered;
    ASSERT_TRUE(eventually([&] { return answered > before; }));
    const std::uint64_t at_least = answered;
    const fs::path copy = folder.path() / ("copy" + std::to_string(i));
    const fs::path data = folder.path() / ("restored" + std::to_string(i));
    cli::backup(folder / "data", copy);
    cli::restore(data, copy);
    EXPECT_EQ(verify_folder(data).problem, "");
    LedgerInTest restored(data, time);
    EXPECT_TRUE(restored.ledger().reservation(reservation_id(event, at_least)));
  }
  done = true;
}

TEST_F(Maintenance, ABackupOverwritesNoFileAndNeedsData) {
  std::ofstream(folder / "copy") << "mine";
  EXPECT_THROW(cli::backup(folder / "data", folder / "copy"), DataError);
  EXPECT_EQ(fs::file_size(folder / "copy"), 4u);
  EXPECT_THROW(cli::backup(folder / "nothing", folder / "copy2"), DataError);
  EXPECT_FALSE(fs::exists(folder / "copy2"));
  EXPECT_ANY_THROW(cli::backup(folder / "data", folder / "no-such-folder" / "copy"));
}

TEST_F(Maintenance, ABackupOnADiskThatFailsLeavesNoFile) {
  trade(10);
  Disk& disk = Disk::get();
  for (const auto fault : {Disk::Fault::full, Disk::Fault::torn, Disk::Fault::no_sync}) {
    for (const int point : {0, 1, 5}) {
      disk.fail("copy", fault, point);
      EXPECT_ANY_THROW(cli::backup(folder / "data", folder / "copy")) << point;
      disk.heal();
      EXPECT_FALSE(fs::exists(folder / "copy"));
    }
  }
  cli::backup(folder / "data", folder / "copy");
  cli::restore(folder / "restored", folder / "copy");
}

TEST_F(Maintenance, ABackupKeepsWhereTheJournalBeginsAndTheDoubtAboutTheClock) {
  trade(20);
  it.wait_for_tables();
  it.close();
  remove_old_rows(folder / "data", 5);
  Journal(DataFolder::journal_in(folder / "data"), Journal::Mode::write).note_doubtful_start({.until = k_begin + k_hour, .ahead = k_day});
  cli::backup(folder / "data", folder / "copy");
  cli::restore(folder / "restored", folder / "copy");
  const auto original = open_journal_rows(folder / "data");
  const auto restored = open_journal_rows(folder / "restored");
  EXPECT_EQ(restored->anchor().position, 5);
  EXPECT_EQ(restored->anchor(), original->anchor());
  EXPECT_EQ(restored->head(), original->head());
  ASSERT_TRUE(restored->doubtful_start().has_value());
  EXPECT_EQ(restored->doubtful_start()->until, k_begin + k_hour);
  EXPECT_EQ(restored->doubtful_start()->ahead, k_day);
  EXPECT_EQ(verify_folder(folder / "restored").problem, "");
}

TEST_F(Maintenance, ABackupOfADamagedJournalIsRefusedAndNamesTheRow) {
  trade(10);
  journal_of(folder / "data").falsify(4, [](StoredRowInTest& row) { ++row.changes; });
  try {
    cli::backup(folder / "data", folder / "copy");
    ADD_FAILURE() << "it was backed up";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no backup was written"));
    EXPECT_THAT(error.what(), HasSubstr((folder / "data" / "journal.db").string() + " is damaged: row 4"));
  }
  EXPECT_FALSE(fs::exists(folder / "copy"));
  EXPECT_FALSE(fs::exists(folder / "copy.partial"));
}

TEST_F(Maintenance, ARestoreIntoAFolderWithDataIsRefusedAndChangesNothing) {
  trade(5);
  cli::backup(folder / "data", folder / "copy");
  it.close();
  EXPECT_THROW(cli::restore(folder / "data", folder / "copy"), DataError);
  fs::remove(folder / "data" / "state.db");
  EXPECT_THROW(cli::restore(folder / "data", folder / "copy"), DataError);
  EXPECT_TRUE(fs::exists(folder / "data" / "journal.db"));
}

TEST_F(Maintenance, ARestoreOfADamagedFileIsRefusedAndLeavesNoData) {
  trade(40);
  it.wait_for_tables();
  cli::backup(folder / "data", folder / "good");
  const auto refused = [&](const fs::path& file) {
    EXPECT_ANY_THROW(cli::restore(folder / "restored", file)) << file;
    EXPECT_FALSE(fs::exists(folder / "restored" / "journal.db"));
    EXPECT_FALSE(fs::exists(folder / "restored" / "state.db"));
  };
  const auto damaged = [&](const char* sql) {
    fs::copy_file(folder / "good", folder / "bad", fs::copy_options::overwrite_existing);
    change_by_hand(folder / "bad", sql);
    return folder / "bad";
  };
  refused(damaged("UPDATE journal SET at = at + 1 WHERE position = 5"));
  refused(damaged("DELETE FROM journal WHERE position = 5"));
  refused(damaged("DELETE FROM journal WHERE position > 5"));
  refused(damaged("UPDATE seat_state SET state = 'a', reservation = NULL WHERE state = 's'"));
  refused(damaged("DROP TABLE journal"));
  refused(damaged("PRAGMA application_id = 1"));
  refused(damaged("PRAGMA user_version = 9"));
  fs::copy_file(folder / "good", folder / "bad", fs::copy_options::overwrite_existing);
  fs::resize_file(folder / "bad", fs::file_size(folder / "bad") / 2);
  refused(folder / "bad");
  fs::resize_file(folder / "bad", 0);
  refused(folder / "bad");
  std::ofstream(folder / "bad") << "no database";
  refused(folder / "bad");
  refused(folder / "not there");
  cli::restore(folder / "restored", folder / "good");
}

TEST_F(Maintenance, TheTablesAreMadeAgainFromTheJournal) {
  trade(60);
  time.pass(2 * k_minute);
  it.sweep(event);
  const std::string picture = it.picture();
  it.close();
  for (const bool keep_old : {false, true}) {
    if (!keep_old) {
      for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(folder.path() / "data" / (std::string("state.db") + suffix));
      EXPECT_THAT(refusal_at_start(folder / "data", time), HasSubstr("holdfast rebuild"));
    }
    Position last = 0;
    const Position head = cli::rebuild(folder / "data", [&](Position done, Position of) {
      last = done;
      EXPECT_LE(done, of);
    });
    EXPECT_EQ(last, head);
    EXPECT_EQ(fs::exists(folder / "data" / "state.db.replaced"), keep_old);
    EXPECT_EQ(verify_folder(folder / "data").problem, "");
    it.reopen();
    EXPECT_EQ(it.picture(), picture);
    it.close();
  }
}

// SQLite would replay it into the tables beside it.
TEST_F(Maintenance, ARebuildLeavesNoLogOfOlderTablesBesideTheReplacedOnes) {
  trade(10);
  it.close();
  std::ofstream(folder / "data" / "state.db.replaced-wal") << "of another file";
  cli::rebuild(folder / "data", [](Position, Position) {});
  EXPECT_TRUE(fs::exists(folder / "data" / "state.db.replaced"));
  EXPECT_FALSE(fs::exists(folder / "data" / "state.db.replaced-wal"));
}

TEST_F(Maintenance, ARebuildWhoseNewTablesVanishPutsTheOldOnesBack) {
  trade(10);
  const std::string picture = it.picture();
  it.close();
  const auto lose_new_tables = [&](Position, Position) { fs::remove(folder / "data" / "state.db.partial"); };
  EXPECT_THROW(cli::rebuild(folder / "data", lose_new_tables), DataError);
  EXPECT_FALSE(fs::exists(folder / "data" / "state.db.replaced"));
  it.reopen();
  EXPECT_EQ(it.picture(), picture);
}

TEST_F(Maintenance, ARebuildFromADamagedJournalChangesNothing) {
  trade(10);
  it.close();
  journal_of(folder / "data").falsify(4, [](StoredRowInTest& row) { ++row.changes; });
  EXPECT_THROW(cli::rebuild(folder / "data", [](Position, Position) {}), DataError);
  EXPECT_TRUE(fs::exists(folder / "data" / "state.db"));
  EXPECT_FALSE(fs::exists(folder / "data" / "state.db.replaced"));
}

}  // namespace
}  // namespace holdfast::test
