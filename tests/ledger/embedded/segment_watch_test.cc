// A segment that another program deletes, replaces, cuts or overwrites while its journal is written is noticed; what the journal does itself
// is not mistaken for that.
#include "ledger/embedded/segment_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <thread>

#include "ledger/embedded/file_watch.h"
#include "ledger/embedded/segment_journal.h"
#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/retention.h"
#include "ledger/embedded/segments/segments_in_test.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using segments::k_block;
using testing::AllOf;
using testing::HasSubstr;

constexpr std::size_t k_all = std::numeric_limits<std::size_t>::max();

struct SegmentWatching : testing::Test {
  SegmentWatching() {
    writer.settle();
    append(12);
  }

  void append(int rounds) {
    for (int i = 0; i < rounds; ++i) {
      segments::Round round = test_round(writer.reach());
      writer.append(round);
      writer.supply().prepare();
    }
  }
  // Up to the begin of a segment, and then some rounds of it.
  void append_until_segment(std::uint64_t number) {
    while (writer.catalog().snapshot().segments.back().header.number < number) append(1);
    append(3);
  }
  void remove_before(std::uint64_t number) {
    segments::Round round(writer.reach());
    round.add_note(segments::k_note_first_kept, segments::note_of_first_kept(number));
    writer.append(round);
    segments::remove_segments_before(disk, writer.catalog(), number);
  }
  std::vector<std::string> files() {
    std::vector<std::string> paths{disk.path_of("reach")};
    for (const std::uint64_t number : writer.catalog().numbers_that_stay()) paths.push_back(path_of(number));
    return paths;
  }
  std::unique_ptr<SegmentWatch> new_watch() {
    return std::make_unique<SegmentWatch>(data, disk, writer.catalog(), [this] { return files(); });
  }
  std::string path_of(std::uint64_t number) const { return disk.path_of(segments::name_of_segment(number)); }
  std::uint64_t in_use() { return writer.catalog().snapshot().segments.back().header.number; }
  void flip(std::uint64_t number, std::uint64_t at) const {
    std::fstream stream(path_of(number), std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at));
    const auto byte = static_cast<char>(stream.get() ^ 1);
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(byte);
  }

  LedgerFolder folder;
  const fs::path data = folder / "data";
  segments::PosixDisk disk{(fs::create_directories(data / "journal"), data / "journal")};
  segments::SegmentWriter writer{(segments::SegmentWriter::create(disk, growing_segments(), k_test_journal, {}), disk), growing_segments()};
};

TEST_F(SegmentWatching, FindsNothingInAJournalThatGrowsAndBeginsSegments) {
  const auto all = new_watch();
  const auto some = new_watch();
  while (in_use() < 6) {
    append(1);
    EXPECT_EQ(all->look(k_all), "");
    EXPECT_EQ(some->look(1), "");
  }
  EXPECT_EQ(all->unwatched(), "");
}

TEST_F(SegmentWatching, FindsNothingWhileTheWriterGoesOnAndRetentionRemovesSegments) {
  std::atomic<bool> ends{false};
  std::string found;
  std::jthread looking([&] {
    const auto all = new_watch();
    const auto some = new_watch();
    while (!ends && found.empty()) found = all->look(k_all) + some->look(k_block);
  });
  for (std::uint64_t number = 2; number < 30; ++number) {
    append_until_segment(number);
    remove_before(number);
  }
  ends = true;
  looking.join();
  EXPECT_EQ(found, "");
}

TEST_F(SegmentWatching, FindsAChangedByteInEachPublishedFrame) {
  append_until_segment(3);
  const auto snapshot = writer.catalog().snapshot();
  segments::FrameScan scan(*snapshot.segments.back().file, snapshot.segments.back().header, segments::k_first_frame, snapshot.end_block,
                           segments::DiskFile::From::cache);
  std::vector<std::uint64_t> places;
  while (scan.next() == segments::FrameScan::Found::frame) places.push_back(scan.offset());
  ASSERT_GT(places.size(), 3u);
  for (const std::uint64_t place : places) {
    flip(3, place + segments::k_frame_header);
    const std::string found = new_watch()->look(k_all);
    EXPECT_THAT(found, AllOf(HasSubstr("0000000003.segment was overwritten at byte " + std::to_string(place)),
                             HasSubstr("holdfast repair --accept-loss --data " + data.string() + ")")));
    flip(3, place + segments::k_frame_header);
  }
  EXPECT_EQ(new_watch()->look(k_all), "");
}

TEST_F(SegmentWatching, FindsALostHeader) {
  flip(in_use(), 64);
  EXPECT_THAT(new_watch()->look(1), HasSubstr("has lost its header"));
}

TEST_F(SegmentWatching, FindsThatTheFileWasCutEvenIfItHasItsSizeAgain) {
  const fs::path path = path_of(in_use());
  const auto size = fs::file_size(path);
  fs::resize_file(path, 2 * k_block);
  EXPECT_THAT(new_watch()->look(k_all), HasSubstr("cannot be read"));
  fs::resize_file(path, size);
  EXPECT_THAT(new_watch()->look(k_all), HasSubstr("was overwritten at byte 8192"));
}

TEST_F(SegmentWatching, FindsAnOlderCopyInPlaceOfTheFile) {
  append_until_segment(4);
  const fs::path path = path_of(4);
  const fs::path copy = folder / "copy";
  fs::copy_file(path, copy);
  append(1);
  ASSERT_EQ(in_use(), 4u);
  fs::rename(copy, path);
  EXPECT_THAT(new_watch()->look(k_all), HasSubstr("was overwritten"));
}

TEST_F(SegmentWatching, ComesInPartsToEachFrameAndBeginsAgain) {
  append_until_segment(4);
  const auto watch = new_watch();
  const auto snapshot = writer.catalog().snapshot();
  for (int pass = 0; pass < 2; ++pass) {
    for (std::uint32_t looks = 0; looks < snapshot.end_block; ++looks) ASSERT_EQ(watch->look(1), "");
  }
  flip(4, k_block + segments::k_frame_header - 1);   // the opening
  std::string found;
  for (std::uint32_t looks = 0; looks < snapshot.end_block && found.empty(); ++looks) found = watch->look(1);
  EXPECT_THAT(found, HasSubstr("was overwritten at byte 4096"));
}

// A frame there is being written, or was never answered.
TEST_F(SegmentWatching, DoesNotLookBehindWhatIsPublished) {
  flip(in_use(), std::uint64_t{writer.catalog().snapshot().end_block} * k_block + 5);
  EXPECT_EQ(new_watch()->look(k_all), "");
}

TEST_F(SegmentWatching, SaysThatAFileWhichCannotBeOpenedIsNotCompared) {
  const auto watch = new_watch();
  fs::rename(path_of(in_use()), folder / "away");
  EXPECT_EQ(watch->look(k_all), "");
  EXPECT_THAT(watch->unwatched(), HasSubstr(".segment"));
  fs::rename(folder / "away", path_of(in_use()));
  EXPECT_EQ(watch->look(k_all), "");
  EXPECT_EQ(watch->unwatched(), "");
}

// ---------------------------------------------------------------------------------------------------------------- the files

struct WatchedSegments : SegmentWatching {
  WatchedSegments() { append_until_segment(4); }
  std::unique_ptr<FileWatch> watch_files() { return std::make_unique<FileWatch>(data, new_watch()); }
};

TEST_F(WatchedSegments, ADeletedFileIsMissed) {
  for (const std::string& path : files()) {
    const auto watch = watch_files();
    EXPECT_FALSE(watch->look());
    fs::rename(path, folder / "away");
    const auto found = watch->look();
    fs::rename(folder / "away", path);
    ASSERT_TRUE(found) << path;
    EXPECT_THAT(found->what, AllOf(HasSubstr(path + " was deleted or moved"), HasSubstr("/proc/"), HasSubstr("holdfast restore")));
    EXPECT_FALSE(found->is_damage);
  }
}

TEST_F(WatchedSegments, AReplacedFileIsNoticed) {
  for (const std::string& path : files()) {
    const auto watch = watch_files();
    fs::copy_file(path, folder / "copy");
    fs::rename(folder / "copy", path);
    const auto found = watch->look();
    ASSERT_TRUE(found) << path;
    EXPECT_THAT(found->what, HasSubstr(path + " was replaced by another file"));
  }
}

TEST_F(WatchedSegments, AFileThatWasCutShortIsDamageOfTheJournal) {
  for (const std::string& path : files()) {
    const auto watch = watch_files();
    fs::resize_file(path, k_block);
    const auto found = watch->look();
    ASSERT_TRUE(found) << path;
    EXPECT_THAT(found->what,
                AllOf(HasSubstr(path + " was cut short"), HasSubstr("holdfast repair --accept-loss --data " + data.string() + ")")));
    EXPECT_TRUE(found->is_damage);
    fs::resize_file(path, fs::file_size(path) * 16);
  }
}

TEST_F(WatchedSegments, AnOverwrittenSegmentInUseIsDamageOfTheJournal) {
  const auto watch = watch_files();
  EXPECT_FALSE(watch->look());
  flip(in_use(), k_block + 20);
  const auto found = watch->look();
  ASSERT_TRUE(found);
  EXPECT_THAT(found->what, HasSubstr("was overwritten at byte 4096"));
  EXPECT_TRUE(found->is_damage);
}

TEST_F(WatchedSegments, OnesThatBeginLaterAreWatchedToo) {
  const auto watch = watch_files();
  EXPECT_FALSE(watch->look());
  append_until_segment(6);
  EXPECT_FALSE(watch->look());
  fs::remove(path_of(5));
  ASSERT_TRUE(watch->look());
}

TEST_F(WatchedSegments, OneThatIsGoneBeforeTheFirstLookIsMissed) {
  const auto watch = watch_files();
  append_until_segment(6);
  fs::remove(path_of(5));
  const auto found = watch->look();
  ASSERT_TRUE(found);
  EXPECT_THAT(found->what, HasSubstr("0000000005.segment was deleted or moved"));
}

TEST_F(WatchedSegments, ThoseThatRetentionRemovesAreNotMissed) {
  std::atomic<bool> ends{false};
  std::optional<FileWatch::Loss> found;
  std::jthread looking([&] {
    const auto watch = watch_files();
    while (!ends && !found) found = watch->look();
  });
  for (std::uint64_t number = 5; number < 40; ++number) {
    append_until_segment(number);
    remove_before(number);
  }
  ends = true;
  looking.join();
  EXPECT_FALSE(found) << found->what;
  EXPECT_FALSE(fs::exists(path_of(38)));
}

// The journal that a ledger opens, with what it gives to FileWatch itself.
TEST(SegmentJournalsFiles, AreWatched) {
  const LedgerFolder folder;
  const fs::path data = folder / "data";
  fs::create_directories(data);
  const SegmentJournal::Options options{.segment_bytes = 4 * k_small_segment, .first_segment_bytes = k_small_segment, .has_thread = false};
  SegmentJournal::create(data, options);
  SegmentJournal journal(data, options);
  journal.settle({});
  const auto upkeep = journal.new_upkeep();
  FileWatch watch(data, journal.new_watch());
  const std::string body(9'000, 'x');
  for (Seq seq = 1; seq <= 200; ++seq) {
    ASSERT_TRUE(journal.can_take(1, body.size(), Work::growing));   // with the note of what is kept
    journal.begin();
    journal.append(1, seq, 1, k_test_time, body);
    journal.commit();
    journal.tend();
    if (seq % 40 == 0) upkeep->remove(upkeep->old_rows(static_cast<Position>(seq) - 20, k_test_time + 1, 1'000));
    upkeep->tend(false);
    const auto loss = watch.look();
    ASSERT_FALSE(loss) << loss->what;
  }
  EXPECT_FALSE(fs::exists(data / "journal" / "0000000001.segment")) << "retention has removed nothing";
  const fs::path reach = data / "journal" / "reach";
  fs::rename(reach, folder / "reach");
  const auto loss = watch.look();
  ASSERT_TRUE(loss);
  EXPECT_THAT(loss->what, HasSubstr(reach.string() + " was deleted or moved"));
}

}   // namespace
}   // namespace holdfast::test
