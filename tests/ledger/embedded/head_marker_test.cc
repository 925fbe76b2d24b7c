// The marker of the journal's end: a journal that has lost its end or its marker is refused. A marker that a power loss has torn
// or left behind is accepted.
#include "ledger/embedded/head_marker.h"
#include "cli/maintenance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "access/registry_file.h"
#include "feed/kafka/feed_file.h"
#include "feed/kafka/store.h"
#include "feed/webhooks/store.h"
#include "feed/webhooks/webhook_file.h"
#include "ledger/embedded/disk.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::streamoff k_block = 4'096;

void flip(const fs::path& file, std::streamoff at) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(at);
  const auto byte = static_cast<char>(stream.get() ^ 1);
  stream.seekp(at);
  stream.put(byte);
}

// A ledger that was killed with its sales still in its logs.
struct Marker : testing::Test {
  Marker() {
    LedgerInTest it(folder / "data", time);
    event = it.create_event(20);
    for (SeatIndex seat = 0; seat < 8; ++seat) EXPECT_TRUE(it.hold(event, it.new_id(event), {seat}).accepted());
    rows = journal_of(folder / "data").last_position();
    Disk::get().copy_as_after_kill(folder / "data", folder / "killed");
  }

  fs::path copy(const char* of = "killed") {
    const fs::path to = folder.path() / ("copy" + std::to_string(++copies));
    fs::copy(folder / of, to, fs::copy_options::recursive);
    return to;
  }
  // A folder of version 0.1, which kept no marker.
  fs::path copy_without_marker() {
    const fs::path data = copy("data");
    fs::remove(data / "journal.head");
    journal_of(data).forget_marker();
    return data;
  }

  LedgerFolder folder;
  TestTime time;
  EventNumber event = 0;
  Position rows = 0;
  int copies = 0;
};

TEST_F(Marker, AcceptsACompleteJournal) {
  EXPECT_EQ(verify_folder(copy()).problem, "");
  EXPECT_EQ(refusal_at_start(copy(), time), "");
  EXPECT_FALSE(HeadMarker((folder / "killed" / "journal.head").string(), HeadMarker::Mode::read).was_stopped());
  const HeadMarker stopped((folder / "data" / "journal.head").string(), HeadMarker::Mode::read);
  EXPECT_TRUE(stopped.was_stopped());
  EXPECT_EQ(stopped.head().position, rows);
}

TEST_F(Marker, AJournalThatHasLostItsLogIsRefusedByStartVerifyAndRebuild) {
  for (const std::vector<const char*>& lost : {std::vector{"journal.db-wal"}, std::vector{"journal.db-wal", "state.db-wal"}}) {
    const fs::path data = copy();
    for (const char* file : lost) fs::remove(data / file);
    const std::string refusal = refusal_at_start(data, time);
    EXPECT_TRUE(names_the_way_out(refusal, "journal.db"));
    EXPECT_THAT(refusal, HasSubstr("row " + std::to_string(rows)));
    EXPECT_TRUE(names_the_way_out(verify_folder(data).problem, "journal.db"));
    EXPECT_THROW(cli::rebuild(data, [](Position, Position) {}), DataError);
    EXPECT_THROW(cli::backup(data, folder / "backup"), DataError);
  }
}

TEST_F(Marker, AFolderWithOnlyTheMarkerDoesNotStartOver) {
  const fs::path data = copy();
  for (const char* file : {"journal.db", "journal.db-wal", "state.db", "state.db-wal"}) fs::remove(data / file);
  EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), "journal.db"));
  EXPECT_FALSE(fs::exists(data / "journal.db"));
}

TEST_F(Marker, IsMissedInAFolderThatHasHadOne) {
  for (const char* of : {"killed", "data"}) {
    const fs::path data = copy(of);
    fs::remove(data / "journal.head");
    EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), "journal.head"));
    EXPECT_TRUE(names_the_way_out(verify_folder(data).problem, "journal.head"));
    EXPECT_FALSE(fs::exists(data / "journal.head"));
  }
}

TEST_F(Marker, IsAddedOnceToAFolderOfAnEarlierVersion) {
  const fs::path data = copy_without_marker();
  EXPECT_EQ(verify_folder(data).problem, "");
  EXPECT_EQ(refusal_at_start(data, time), "");
  fs::remove(data / "journal.head");
  EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), "journal.head"));
}

TEST_F(Marker, OneTornWriteLeavesTheEarlierNoteAndTwoAreDamage) {
  for (const std::streamoff at : {8, 20, 40, 64}) {
    for (const std::streamoff block : {std::streamoff{0}, k_block}) {
      const fs::path data = copy();
      flip(data / "journal.head", block + at);
      EXPECT_EQ(refusal_at_start(data, time), "");
    }
    const fs::path data = copy();
    flip(data / "journal.head", at);
    flip(data / "journal.head", k_block + at);
    EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), "journal.head"));
  }
}

TEST_F(Marker, OfAnotherJournalIsRefused) {
  {
    LedgerInTest other(folder / "other", time);
    const EventNumber number = other.create_event(3);
    ASSERT_TRUE(other.hold(number, other.new_id(number), {1}).accepted());
  }
  const fs::path data = copy();
  fs::copy_file(folder / "other" / "journal.head", data / "journal.head", fs::copy_options::overwrite_existing);
  EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), "journal.head"));
}

TEST_F(Marker, AnAcceptedLossLetsTheFolderStartWithTheRest) {
  const fs::path data = copy();
  fs::remove(data / "journal.db-wal");   // which has all rows; the tables have some
  const cli::AcceptedLoss loss = cli::accept_loss(data, [](Position, Position) {});
  EXPECT_EQ(loss.last_row, 0);
  EXPECT_EQ(loss.known_row, rows);
  EXPECT_EQ(refusal_at_start(data, time), "");
  EXPECT_EQ(verify_folder(data).problem, "");
  EXPECT_TRUE(fs::exists(data / "journal.head.replaced"));
  EXPECT_EQ(cli::accept_loss(copy(), [](Position, Position) {}).last_row, rows) << "nothing was lost";
}

// After a failed sync, a process's last rows may be only in the page cache.
TEST_F(Marker, AStartMovesTheLogIntoTheFileAndSyncsItBeforeItServes) {
  const fs::path data = copy();
  ASSERT_GT(fs::file_size(data / "journal.db-wal"), 0u);
  const LedgerInTest it(data, time);
  Disk::get().copy_as_after_kill(data, folder / "again");
  fs::remove(folder / "again" / "journal.db-wal");
  EXPECT_EQ(refusal_at_start(folder / "again", time), "");
}

// A long backup prevents the move of the log into its file. The log is synced all the same, and keeps its bytes.
TEST_F(Marker, AStartBesideAReaderServesAtOnceAndKeepsTheLog) {
  const fs::path data = folder / "read";
  auto it = std::make_unique<LedgerInTest>(data, time);
  event = it->create_event(20);
  sqlite::Database reader(DataFolder::journal_in(data), sqlite::Database::Mode::read_only);
  reader.execute("BEGIN");
  const auto seen = reader.query_int("SELECT count(*) FROM journal");
  for (SeatIndex seat = 0; seat < 8; ++seat) ASSERT_TRUE(it->hold(event, reservation_id(event, seat + 1), {seat}).accepted());
  it.reset();
  const fs::path log = data / "journal.db-wal";
  const auto bytes = [&] {
    std::ifstream stream(log, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  };
  const std::string before = bytes();
  ASSERT_GT(before.size(), 8u * 4'096);
  EXPECT_EQ(refusal_at_start(data, time), "");
  EXPECT_EQ(bytes(), before);
  EXPECT_EQ(reader.query_int("SELECT count(*) FROM journal"), seen);
  reader.execute("ROLLBACK");
  EXPECT_EQ(verify_folder(data).problem, "");
}

TEST_F(Marker, ThatWasCutShortIsRefused) {
  const fs::path data = copy();
  fs::resize_file(data / "journal.head", 2 * k_block);
  EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), "journal.head"));
}

TEST_F(Marker, AnAcceptedLossMovesFollowersBackToTheJournalsEnd) {
  const fs::path data = copy();
  const fs::path backed_up = folder / "backup";
  cli::backup(data, backed_up);
  const Uuid further = uuid_of(1);
  const Uuid within = uuid_of(2);
  {
    const RegistryFile registry(DataFolder::registry_in(data));
    feed::WebhookStore webhooks(feed::open_webhook_file(DataFolder::registry_in(data)));
    for (const auto& [id, position] : {std::pair{further, "1000.3"}, std::pair{within, "0"}}) {
      feed::Endpoint endpoint{.id = id, .url = "https://example.org/" + to_string(id), .position = position};
      webhooks.create(endpoint, {});
    }
    feed::kafka::FeedStore feed(feed::kafka::open_feed_file(feed::kafka::feed_file_in(data)));
    const auto epoch = feed.make_lease("me", std::chrono::milliseconds(1'000))->acquire().value();
    feed.save(epoch, std::vector<feed::kafka::FeedPosition>{{event, 1'000}, {event + 1, 5}});
  }
  fs::copy(data, folder / "restored", fs::copy_options::recursive);
  fs::remove(data / "journal.db-wal");
  const cli::AcceptedLoss loss = cli::accept_loss(data, [](Position, Position) {});
  EXPECT_EQ(loss.followers, 3u);
  EXPECT_EQ(feed::WebhookStore(feed::open_webhook_file(DataFolder::registry_in(data))).find(further)->endpoint.position,
            std::to_string(loss.last_row));
  EXPECT_EQ(feed::WebhookStore(feed::open_webhook_file(DataFolder::registry_in(data))).find(within)->endpoint.position, "0");
  EXPECT_TRUE(feed::kafka::FeedStore(feed::kafka::open_feed_file(feed::kafka::feed_file_in(data))).positions().empty())
      << "the event is gone with its rows";
  // Likewise if a backup is restored beside the folder's own registry.
  for (const char* file : {"journal.db", "journal.db-wal", "state.db", "state.db-wal", "journal.head", "feed.db", "feed.db-wal"}) {
    fs::remove(folder / "restored" / file);
  }
  EXPECT_EQ(cli::restore(folder / "restored", backed_up), cli::RestoredKeys::kept);
  EXPECT_EQ(feed::WebhookStore(feed::open_webhook_file(DataFolder::registry_in(folder / "restored"))).find(further)->endpoint.position,
            std::to_string(rows));
}

TEST_F(Marker, IsRestoredWithABackup) {
  cli::backup(folder / "data", folder / "backup");
  cli::restore(folder / "restored", folder / "backup");
  EXPECT_EQ(HeadMarker((folder / "restored" / "journal.head").string(), HeadMarker::Mode::read).head().position, rows);
  EXPECT_EQ(refusal_at_start(folder / "restored", time), "");
  fs::remove(folder / "restored" / "journal.head");
  EXPECT_TRUE(names_the_way_out(refusal_at_start(folder / "restored", time), "journal.head"));
}

}  // namespace
}  // namespace holdfast::test
