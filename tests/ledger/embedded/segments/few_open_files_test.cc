// Thousands of segments, a few descriptors: files are opened on demand, and none is closed with bytes that are not synced.
#include "ledger/embedded/segments/few_open_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <random>
#include <thread>

#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/retention.h"
#include "ledger/embedded/segments/segment_view.h"
#include "ledger/embedded/segments/segments_in_test.h"
#include "ledger/embedded/segments/simulated_disk.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using segments::Disk;
using segments::DiskError;
using segments::DiskFile;
using segments::FewOpenFiles;
using segments::PosixDisk;
using segments::Round;
using segments::RowsGone;
using segments::SegmentReader;
using segments::SegmentWriter;

// Open descriptors of files in the folder.
std::size_t descriptors_in(const fs::path& folder) {
  std::size_t count = 0;
  for (int descriptor = 3; descriptor < 256; ++descriptor) {
    std::array<char, 512> path{};
    const ssize_t length = ::readlink(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), path.data(), path.size() - 1);
    if (length > 0 && std::string_view(path.data()).starts_with(folder.string() + "/")) ++count;
  }
  return count;
}

struct FewOpenFilesTest : testing::Test {
  FewOpenFilesTest() {
    fs::remove_all(folder);
    fs::create_directories(folder);
    posix.emplace(folder);
  }
  ~FewOpenFilesTest() override { fs::remove_all(folder); }

  const fs::path folder = fs::path(testing::TempDir()) / ("few_open_files_" + std::to_string(::getpid()));
  std::optional<PosixDisk> posix;
};

TEST_F(FewOpenFilesTest, AJournalOfManySegmentsTakesFewDescriptors) {
  FewOpenFiles disk(*posix, 4);
  SegmentWriter::create(disk, small_segments(), k_test_journal, {});
  {
    SettledWriter writer(disk, small_segments());
    while (writer.catalog().snapshot().segments.size() < 12) {
      Round round = test_round(writer.reach());
      writer.append(round);
      ASSERT_LE(descriptors_in(folder), 4U);
    }
  }
  SettledWriter writer(disk, small_segments());
  EXPECT_LE(descriptors_in(folder), 4U);
  const SegmentReader reader(disk, writer.catalog());
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      for (int reading = 0; reading < 5; ++reading) EXPECT_EQ(compare_rows(reader, 1, writer.catalog().reach().head.position), "");
    });
  }
  for (std::thread& thread : readers) thread.join();
  EXPECT_LE(descriptors_in(folder), 4U);
}

TEST_F(FewOpenFilesTest, AFileWithBytesThatAreNotSyncedStaysOpen) {
  FewOpenFiles disk(*posix, 1);
  for (const char* name : {"a", "b", "c"}) posix->create(name)->allocate(8);
  const auto a = disk.open("a", Disk::Mode::write);
  a->write(0, "1");
  const auto b = disk.open("b", Disk::Mode::write);
  EXPECT_EQ(descriptors_in(folder), 2U) << "a has to be synced, b was used last";
  a->sync();
  const auto c = disk.open("c", Disk::Mode::read);
  EXPECT_EQ(descriptors_in(folder), 1U);
  std::array<char, 1> read{};
  a->read(0, read, DiskFile::From::cache);
  EXPECT_EQ(read[0], '1');
  b->write_durably(0, "2");
  b->read(0, read, DiskFile::From::cache);
  EXPECT_EQ(read[0], '2');
  EXPECT_EQ(descriptors_in(folder), 1U);
}

// The writer over the simulated disk, with one open file: a crash at each call leaves what was answered.
TEST(FewOpenFiles, ACrashAtEachCallLeavesWhatWasAnswered) {
  bool crashed = true;
  for (std::size_t call = 0; crashed; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    SimulatedDisk simulated;
    Answered answered;
    simulated.crash_at(call, call % 2 == 0 ? SimulatedDisk::When::before : SimulatedDisk::When::after);
    crashed = false;
    try {
      FewOpenFiles disk(simulated, 1);
      live(disk, 30, answered);
    } catch (const Crash&) {
      crashed = true;
    }
    simulated.lose_power(call);
    if (SegmentWriter::exists(simulated)) ASSERT_NO_THROW(ASSERT_EQ(compare(simulated, answered), ""));
    FewOpenFiles disk(simulated, 1);
    live(disk, 35, answered);
    ASSERT_EQ(compare(simulated, answered), "");
  }
}

// A reading that goes on to a segment which was removed while its file was closed.
TEST(FewOpenFiles, AReadingSaysByNameThatItsNextSegmentWasRemoved) {
  SimulatedDisk simulated;
  FewOpenFiles disk(simulated, 1);
  SegmentWriter::create(disk, small_segments(), k_test_journal, {});
  SettledWriter writer(disk, small_segments());
  while (writer.catalog().snapshot().segments.size() < 4) {
    Round round = test_round(writer.reach());
    writer.append(round);
  }
  const SegmentReader reader(disk, writer.catalog());
  const Position second = writer.catalog().snapshot().segments[1].before->head.position + 1;
  Position last = 0;
  const auto see = [&](const JournalRow& row) {
    if (row.position == 1) segments::remove_segments_before(disk, writer.catalog(), 3);
    last = row.position;
    return true;
  };
  try {
    reader.read(1, see);
    FAIL() << "it has read what was removed";
  } catch (const RowsGone& gone) {
    EXPECT_THAT(gone.what(), testing::HasSubstr("journal/0000000002.segment was removed"));
    EXPECT_EQ(last, second - 1);
    EXPECT_EQ(gone.next, reader.oldest());
    EXPECT_TRUE(reader.read(gone.next, see));
  }
  EXPECT_EQ(last, writer.reach().head.position);
}

// A journal of four segments, which is read with one open file.
struct Removed : testing::Test {
  Removed() {
    SegmentWriter::create(disk, small_segments(), k_test_journal, {});
    writer.emplace(disk, small_segments());
    while (writer->catalog().snapshot().segments.size() < 4) {
      Round round = test_round(writer->reach());
      writer->append(round);
    }
  }

  SimulatedDisk simulated;
  FewOpenFiles disk{simulated, 1};
  std::optional<SettledWriter> writer;
};

// Another reading at each moment of a removal: between a file's end and its end in the catalog too.
TEST_F(Removed, AReadingDuringTheRemovalIsWholeOrSaysByNameThatRowsAreGone) {
  const SegmentReader reader(disk, writer->catalog());
  std::size_t gone_seen = 0;
  const auto read_all = [&] {
    Position next = reader.oldest();
    while (next <= writer->reach().head.position) {
      try {
        ASSERT_TRUE(reader.read(next, [&](const JournalRow& row) {
          next = row.position + 1;
          return true;
        }));
      } catch (const RowsGone& gone) {
        ASSERT_GT(gone.next, next) << "the reading would never end";
        next = gone.next;
        ++gone_seen;
      }
    }
  };
  simulated.watch([&] { ASSERT_NO_THROW(read_all()); });
  segments::remove_segments_before(disk, writer->catalog(), 3);
  simulated.watch({});
  EXPECT_GT(gone_seen, 0U);
  EXPECT_EQ(writer->catalog().snapshot().segments.size(), 2U);
}

// A view does not know what the writer removes: what is missing before the last segment was removed.
TEST_F(Removed, AViewThatHasNotRefreshedSaysThatRowsAreGone) {
  FewOpenFiles own(simulated, 1);
  segments::SegmentView view(own);
  const SegmentReader reader(own, view.catalog());
  Round round(writer->reach());
  round.add_note(segments::k_note_first_kept, segments::note_of_first_kept(3));
  writer->append(round);
  segments::remove_segments_before(disk, writer->catalog(), 3);
  const auto segments = view.catalog().snapshot().segments;
  try {
    reader.read(1, [](const JournalRow&) { return true; });
    FAIL() << "it has read what was removed";
  } catch (const RowsGone& gone) {
    EXPECT_EQ(gone.next, segments[1].before->head.position + 1);
  }
  view.refresh();
  EXPECT_EQ(reader.oldest(), segments[2].before->head.position + 1);
  EXPECT_EQ(compare_rows(reader, reader.oldest(), writer->reach().head.position), "");
}

TEST_F(Removed, AFileThatNobodyHasRemovedByRetentionIsAnErrorOfTheDisk) {
  const SegmentReader reader(disk, writer->catalog());
  simulated.take(segments::name_of_segment(2));
  EXPECT_THROW(reader.read(1, [](const JournalRow&) { return true; }), DiskError);
}

TEST_F(Removed, AVisitorsOwnErrorStaysWhatItIs) {
  const SegmentReader reader(disk, writer->catalog());
  const auto visit = [&](const JournalRow&) -> bool {
    segments::remove_segments_before(disk, writer->catalog(), 3);
    throw DiskError("a file of the visitor is missing", ENOENT);
  };
  try {
    reader.read(1, visit);
    FAIL() << "the error is lost";
  } catch (const DiskError& error) {
    EXPECT_STREQ(error.what(), "a file of the visitor is missing");
  }
}

}  // namespace
}  // namespace holdfast::test
