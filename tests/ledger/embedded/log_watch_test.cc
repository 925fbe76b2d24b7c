// A journal's log that another program truncates or overwrites during a sale is noticed; one that only restarts is not mistaken
// for that.
#include "ledger/embedded/log_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "ledger/embedded/file_watch.h"
#include "ledger/embedded/head_marker.h"
#include "ledger/embedded/journal.h"
#include "ledger/embedded/sqlite_watch.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::streamoff k_header = 32;
constexpr std::streamoff k_frame = 24 + 4'096;

struct LogWatching : testing::Test {
  LogWatching() : path((folder / "journal.db").string()), journal((Journal(path, Journal::Mode::create), path), Journal::Mode::write) {
    write(20);
  }

  void write(int rows) {
    const std::string body(5'000, 'x');   // a frame of its own, and more
    for (int i = 0; i < rows; ++i) {
      journal.begin();
      journal.append(1, static_cast<Seq>(++seq), 1, k_begin, body);
      journal.commit();
    }
  }
  void flip(std::streamoff at) const {
    std::fstream stream(path + "-wal", std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(at);
    const auto byte = static_cast<char>(stream.get() ^ 1);
    stream.seekp(at);
    stream.put(byte);
  }

  LedgerFolder folder;
  std::string path;
  Journal journal;
  int seq = 0;
};

TEST_F(LogWatching, FindsNothingInALogThatGrowsAndRestarts) {
  LogWatch watch(path);
  EXPECT_EQ(watch.look(LogWatch::k_all), "");
  for (int i = 0; i < 10; ++i) {
    write(3);
    EXPECT_EQ(watch.look(LogWatch::k_all), "");
    journal.checkpoint_wal();
    EXPECT_EQ(watch.look(LogWatch::k_all), "");
    EXPECT_EQ(watch.look(1), "");
  }
}

TEST_F(LogWatching, FindsNothingWhileAnotherThreadWritesAndRestartsTheLog) {
  std::atomic<bool> done{false};
  std::atomic<int> looks{0};
  std::jthread watcher([&] {
    LogWatch all(path);
    LogWatch some(path);
    LogWatch news(path);
    for (; !done; ++looks) {
      EXPECT_EQ(all.look(LogWatch::k_all), "");
      EXPECT_EQ(some.look(10'000), "");
      EXPECT_EQ(news.look_at_new(), "");
    }
  });
  for (int i = 0; i < (k_is_sanitized ? 30 : 200) || looks < 100; ++i) {
    write(5);
    journal.checkpoint_wal();
  }
  done = true;
}

TEST_F(LogWatching, FindsThatItWasCutOffEvenIfItHasGrownAgain) {
  const auto size = fs::file_size(path + "-wal");
  fs::resize_file(path + "-wal", size / 2);
  EXPECT_THAT(LogWatch(path).look(LogWatch::k_all), HasSubstr("was cut off"));
  fs::resize_file(path + "-wal", 0);
  EXPECT_THAT(LogWatch(path).look(LogWatch::k_all), HasSubstr("was cut off"));
  write(1);
  ASSERT_GT(fs::file_size(path + "-wal"), size);
  EXPECT_THAT(LogWatch(path).look(LogWatch::k_all), HasSubstr("has lost its header"));
  EXPECT_THAT(LogWatch(path).look(1), HasSubstr("has lost its header"));
}

TEST_F(LogWatching, FindsAChangedByteInTheHeaderAndInAnyFrame) {
  const auto frames = static_cast<std::streamoff>((fs::file_size(path + "-wal") - k_header) / k_frame);
  ASSERT_GT(frames, 20);
  for (const std::streamoff at : {0, 5, 17, 26}) {
    flip(at);
    EXPECT_THAT(LogWatch(path).look(LogWatch::k_all), HasSubstr("has lost its header"));
    flip(at);
  }
  for (std::streamoff frame = 0; frame < frames; frame += 3) {
    for (const std::streamoff at : {0, 5, 9, 20, 24, 4'000}) {
      flip(k_header + frame * k_frame + at);
      EXPECT_THAT(LogWatch(path).look(LogWatch::k_all), HasSubstr("frame " + std::to_string(frame + 1)));
      flip(k_header + frame * k_frame + at);
    }
  }
  EXPECT_EQ(LogWatch(path).look(LogWatch::k_all), "");
}

TEST_F(LogWatching, LooksAtALongLogInPartsOneAfterTheOther) {
  LogWatch watch(path);
  const auto frames = static_cast<int>((fs::file_size(path + "-wal") - k_header) / k_frame);
  for (int i = 0; i < frames / 2 + 3; ++i) EXPECT_EQ(watch.look(k_frame), "");
  flip(k_header + 7 * k_frame + 30);
  std::string found;
  for (int i = 0; i < frames / 2 + 3 && found.empty(); ++i) {
    write(i == 0 ? 1 : 0);   // it has grown in the meantime
    found = watch.look(k_frame);
  }
  EXPECT_THAT(found, HasSubstr("frame 8"));
}

TEST_F(LogWatching, LooksAtNewFramesOnce) {
  LogWatch watch(path);
  EXPECT_EQ(watch.look_at_new(), "");
  flip(k_header + 3 * k_frame + 30);
  EXPECT_EQ(watch.look_at_new(), "");
  const auto frames = static_cast<std::streamoff>((fs::file_size(path + "-wal") - k_header) / k_frame);
  write(2);
  flip(k_header + frames * k_frame + 30);
  EXPECT_THAT(watch.look_at_new(), HasSubstr("frame " + std::to_string(frames + 1)));
  EXPECT_THAT(watch.look_at_new(), HasSubstr("frame " + std::to_string(frames + 1))) << "and again";
}

TEST_F(LogWatching, ContinuesWhereAnotherWatchHasStopped) {
  LogWatch first(path);
  LogWatch second(path);
  EXPECT_EQ(first.look_at_new(), "");
  flip(k_header + 3 * k_frame + 30);
  second.go_on_from(first.place());
  write(1);
  EXPECT_EQ(second.look_at_new(), "") << "frame 4 has been looked at";
  EXPECT_THAT(second.look(LogWatch::k_all), HasSubstr("frame 4"));
  flip(k_header + 3 * k_frame + 30);
  const LogWatch::Place before = second.place();
  journal.checkpoint_wal();
  write(1);   // the log has restarted
  LogWatch third(path);
  third.go_on_from(before);
  flip(k_header + 30);
  EXPECT_THAT(third.look_at_new(), HasSubstr("frame 1"));
}

void overwrite(const fs::path& file, std::streamoff at, std::size_t size) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(at);
  stream << std::string(size, '\x5a');
}

std::string content_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// The thread that follows the journal reads the log.
TEST(DamagedLog, IsFoundByTheCheckpointerAndStaysOutOfTheFile) {
  LedgerFolder folder;
  const TestTime time;
  {
    LedgerInTest it(folder / "data", time);
    const EventNumber event = it.create_event(50);
    it.wait_for_tables();
    const std::string log = DataFolder::journal_in(folder / "data") + "-wal";
    {
      sqlite::Database blocker(DataFolder::state_in(folder / "data"), sqlite::Database::Mode::read_write);
      blocker.execute("BEGIN IMMEDIATE");
      for (SeatIndex seat = 0; seat < 40; ++seat) ASSERT_TRUE(it.hold(event, it.new_id(event), {seat}).accepted());
      std::fstream stream(log, std::ios::in | std::ios::out | std::ios::binary);
      stream.seekp(k_header);
      const auto size = static_cast<std::streamoff>(fs::file_size(log)) - k_header;
      stream << std::string(static_cast<std::size_t>(size), '\x5a');
      stream.close();
      blocker.execute("ROLLBACK");
    }
    ASSERT_TRUE(eventually([&] { return !it.ledger().journal_damage().empty(); }));
    EXPECT_THAT(it.ledger().journal_damage(), HasSubstr("journal.db is damaged"));
    it.ledger().stop_selling(it.ledger().journal_damage(), true);
    EXPECT_EQ(told(it.hold(event, it.new_id(event), {45})), "unavailable");
    EXPECT_TRUE(it.ledger().reservation(reservation_id(event, 1))) << "reading goes on";
  }
  EXPECT_TRUE(names_the_way_out(refusal_at_start(folder / "data", time), "journal.db"));
}

// Nobody has looked since: the watch looks once a second, and the rows are followed already, or only at the end.
TEST(DamagedLog, StaysOutOfTheFileEvenIfTheServerEndsAtOnce) {
  for (const bool is_followed : {true, false}) {
    LedgerFolder folder;
    const TestTime time;
    const std::string journal = DataFolder::journal_in(folder / "data");
    LedgerInTest it(folder / "data", time);
    const EventNumber event = it.create_event(50);
    it.wait_for_tables();
    const std::string file = content_of(journal);
    for (SeatIndex seat = 0; seat < 40; ++seat) ASSERT_TRUE(it.hold(event, it.new_id(event), {seat}).accepted());
    if (is_followed) it.wait_for_tables();
    overwrite(journal + "-wal", k_header, fs::file_size(journal + "-wal") - k_header);
    it.close();
    EXPECT_TRUE(content_of(journal) == file) << is_followed;
    EXPECT_TRUE(fs::exists(journal + "-wal"));
    EXPECT_FALSE(HeadMarker(HeadMarker::file_in(folder / "data"), HeadMarker::Mode::read).was_stopped());
    EXPECT_TRUE(names_the_way_out(refusal_at_start(folder / "data", time), "journal.db"));
  }
}

TEST(DamagedLog, ThatWasDeletedIsMovedIntoTheFileAtTheEnd) {
  LedgerFolder folder;
  const TestTime time;
  LedgerInTest it(folder / "data", time);
  const EventNumber event = it.create_event(50);
  ASSERT_TRUE(it.hold(event, it.new_id(event), {1}).accepted());
  const std::string before = it.picture();
  fs::remove(DataFolder::journal_in(folder / "data") + "-wal");
  it.reopen();
  EXPECT_EQ(it.picture(), before);
}

TEST(DamagedLog, IsFoundByTheWriterBeforeItRestartsTheLog) {
  LedgerFolder folder;
  const TestTime time;
  const std::string journal = DataFolder::journal_in(folder / "data");
  LedgerInTest it(folder / "data", time);
  const EventNumber event = it.create_event(200);
  const std::string customer(256, 'c');   // fills the log with few commands
  const auto sell = [&] {
    Round round;
    for (int i = 0; i < 10; ++i) {
      for (SeatIndex seat = 0; seat < 200; ++seat) {
        const Uuid id = it.new_id(event);
        round.add(event, Hold{.reservation = id, .customer = customer, .seats = round.keep({seat}), .duration = k_minute});
        round.add(event, Release{id, {}});
      }
    }
    ASSERT_TRUE(round.run(it.ledger()).durable);
  };
  std::optional<sqlite::Database> reader(std::in_place, journal, sqlite::Database::Mode::read_only);
  reader->execute("BEGIN; SELECT count(*) FROM journal");   // frames from here on stay in the log, so it does not restart
  {
    sqlite::Database blocker(DataFolder::state_in(folder / "data"), sqlite::Database::Mode::read_write);
    blocker.execute("BEGIN IMMEDIATE");   // the checkpointer waits, and finds a long log
    while (fs::file_size(journal + "-wal") < static_cast<std::uintmax_t>(4'020 * k_frame)) sell();
    blocker.execute("ROLLBACK");
  }
  it.wait_for_tables();   // and has moved what it could after each of its steps
  overwrite(journal + "-wal", 0, 32);
  ASSERT_TRUE(it.hold(event, it.new_id(event), {1}).accepted());
  EXPECT_THAT(it.ledger().journal_damage(), AllOf(HasSubstr("journal.db-wal has lost its header"), HasSubstr("repair --accept-loss")));
  const auto moved = content_of(journal);
  reader.reset();
  sell();
  it.close();
  EXPECT_TRUE(content_of(journal) == moved);
}

TEST(DamagedTables, AreNotTakenForADamagedJournal) {
  LedgerFolder folder;
  const TestTime time;
  LedgerInTest it(folder / "data", time);
  const EventNumber event = it.create_event(50);
  it.wait_for_tables();
  change_by_hand(DataFolder::state_in(folder / "data"), "UPDATE meta SET value = zeroblob(32) WHERE name = 'hash'");
  ASSERT_TRUE(it.hold(event, it.new_id(event), {1}).accepted());
  ASSERT_TRUE(eventually([&] { return !it.ledger().state_follows(); }));
  EXPECT_EQ(it.ledger().journal_damage(), "");
  EXPECT_TRUE(it.hold(event, it.new_id(event), {2}).accepted());
}

// Of a journal.db that may not be there.
std::unique_ptr<JournalWatch> without_files(const fs::path& data) {
  return std::make_unique<SqliteWatch>(DataFolder::journal_in(data), std::vector<std::string>{});
}

TEST(FileWatching, AcceptsALogWithoutAHeaderAfterAPowerLoss) {
  LedgerFolder folder;
  const TestTime time;
  { LedgerInTest(folder / "data", time).create_event(50); }
  std::ofstream(folder / "data" / "state.db-wal") << std::string(100'000, '\0');
  LedgerInTest it(folder / "data", time);
  FileWatch watch(folder / "data", it.ledger().new_journal_watch());
  EXPECT_FALSE(watch.look());
  ASSERT_TRUE(it.hold(1, it.new_id(1), {3}).accepted());
  it.wait_for_tables();
  EXPECT_FALSE(watch.look());
  fs::resize_file(folder / "data" / "state.db-wal", 0);
  fs::resize_file(folder / "data" / "state.db-wal", 200'000);
  EXPECT_TRUE(watch.look()) << "this one was begun";
}

TEST(FileWatching, FindsALogThatWasEmptiedAndHasGrownAgain) {
  for (const char* log : {"journal.db-wal", "state.db-wal"}) {
    LedgerFolder folder;
    const TestTime time;
    LedgerInTest it(folder / "data", time);
    const EventNumber event = it.create_event(50);
    it.wait_for_tables();
    FileWatch watch(folder / "data", it.ledger().new_journal_watch());
    EXPECT_FALSE(watch.look());
    const auto size = fs::file_size(folder / "data" / log);
    fs::resize_file(folder / "data" / log, 0);
    for (SeatIndex seat = 0; seat < 50 && fs::file_size(folder / "data" / log) < size; ++seat) {
      ASSERT_TRUE(it.hold(event, it.new_id(event), {seat}).accepted());
      it.wait_for_tables();
    }
    ASSERT_GE(fs::file_size(folder / "data" / log), size);
    const auto found = watch.look();
    ASSERT_TRUE(found) << log;
    const bool is_journals = log == std::string("journal.db-wal");
    EXPECT_EQ(found->is_damage, is_journals);
    EXPECT_THAT(found->what, AllOf(HasSubstr(log), HasSubstr(is_journals ? "holdfast repair --accept-loss" : "holdfast rebuild")));
  }
}

// The journal has the sales, so no message may suggest giving it up.
TEST(FileWatching, NamesTheRemedyForEachDatabase) {
  const std::pair<const char*, const char*> k_ways_out[] = {{"state.db", "holdfast rebuild"},
                                                            {"registry.db", "holdfast keys accept"},
                                                            {"registry.head", "holdfast keys accept"},
                                                            {"feed.db", "Move feed.db away"}};
  for (const auto& [file, way_out] : k_ways_out) {
    LedgerFolder folder;
    fs::create_directories(folder / "data");
    std::ofstream(folder / "data" / file) << std::string(100, 'x');
    FileWatch watch(folder / "data", without_files(folder / "data"));
    EXPECT_FALSE(watch.look());
    fs::resize_file(folder / "data" / file, 50);
    const auto found = watch.look();
    ASSERT_TRUE(found) << file;
    EXPECT_FALSE(found->is_damage);
    EXPECT_THAT(found->what, AllOf(HasSubstr(file), HasSubstr(way_out), Not(HasSubstr("--accept-loss"))));
  }
}

TEST(FileWatching, GoesOnWithTheOtherFilesWhileTheJournalsLogCannotBeOpened) {
  LedgerFolder folder;
  fs::create_directories(folder / "data");
  std::ofstream(folder / "data" / "state.db") << "tables";
  FileWatch watch(folder / "data", without_files(folder / "data"));
  EXPECT_FALSE(watch.look());
  EXPECT_THAT(watch.unwatched(), HasSubstr("journal.db"));
  const std::string path = DataFolder::journal_in(folder / "data");
  Journal(path, Journal::Mode::create);
  const Journal journal(path, Journal::Mode::write);
  EXPECT_FALSE(watch.look());
  EXPECT_EQ(watch.unwatched(), "");
  fs::remove(folder / "data" / "state.db");
  EXPECT_TRUE(watch.look());
}

}  // namespace
}  // namespace holdfast::test
