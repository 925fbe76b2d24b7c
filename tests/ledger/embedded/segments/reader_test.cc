// Readers beside the writer: by position, never beyond what was published, and past damage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <random>
#include <thread>

#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/retention.h"
#include "ledger/embedded/segments/segments_in_test.h"
#include "ledger/embedded/segments/simulated_disk.h"

namespace holdfast::test {
namespace {

using segments::Round;
using segments::SegmentDamage;
using segments::SegmentReader;
using segments::SegmentWriter;

std::vector<Position> from_to(Position first, Position last) {
  std::vector<Position> positions(static_cast<std::size_t>(std::max<Position>(0, last - first + 1)));
  std::iota(positions.begin(), positions.end(), first);
  return positions;
}

TEST(SegmentReaderTest, ReadsFromAnyPositionWithAndWithoutAnIndex) {
  SimulatedDisk disk;
  Answered answered;
  live(disk, 9, answered);
  const Position last = answered.reach.head.position;
  for (Position first = 1; first <= last + 1; ++first) {
    SettledWriter writer(disk, small_segments());   // its index is empty
    const SegmentReader reader(disk, writer.catalog());
    ASSERT_EQ(positions_from(reader, first), from_to(first, last));
    ASSERT_EQ(positions_from(reader, first), from_to(first, last)) << "by the index";
  }
}

TEST(SegmentReaderTest, ReadsBySeveralFramesAnIndexEntry) {
  SimulatedDisk disk;
  SegmentWriter::Options options = small_segments();
  options.segment_bytes = 200 * segments::k_block;
  SegmentWriter::create(disk, options, k_test_journal, {});
  SettledWriter writer(disk, options);
  while (writer.reach().round < 300) {
    Round round(writer.reach());
    round.add_row(1, writer.reach().round + 1, 1, k_test_time, "one");
    writer.append(round);
  }
  const SegmentReader reader(disk, writer.catalog());
  for (const Position first : {1, 2, 16, 17, 18, 100, 196, 197, 198, 199, 250, 300}) {
    EXPECT_EQ(positions_from(reader, first), from_to(first, 300)) << first;
  }
}

TEST(SegmentReaderTest, SaysThatARowWasRemoved) {
  SimulatedDisk disk;
  Answered answered;
  live(disk, 40, answered);
  SettledWriter writer(disk, small_segments());
  const SegmentReader reader(disk, writer.catalog());
  ASSERT_GT(reader.oldest(), 1);
  const auto any = [](const JournalRow&) { return true; };
  EXPECT_FALSE(reader.read(reader.oldest() - 1, any));
  EXPECT_TRUE(reader.read(reader.oldest(), any));
  EXPECT_TRUE(reader.hash_at(reader.oldest() - 1).has_value());
  EXPECT_FALSE(reader.hash_at(reader.oldest() - 2).has_value());
  EXPECT_FALSE(reader.hash_at(answered.reach.head.position + 1).has_value());
  EXPECT_EQ(reader.hash_at(answered.reach.head.position), answered.reach.head.hash);
}

TEST(SegmentReaderTest, ReadsTheLastRowOfEachSegment) {
  SimulatedDisk disk;
  Answered answered;
  live(disk, 40, answered);
  SettledWriter writer(disk, small_segments());
  const SegmentReader reader(disk, writer.catalog());
  const auto segments = writer.catalog().snapshot().segments;
  ASSERT_GT(segments.size(), 1U);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    Position last = 0;
    ASSERT_TRUE(reader.last_row_of(segments[i].header.number, [&](const JournalRow& row) { return last = row.position, true; }));
    EXPECT_EQ(last, i + 1 < segments.size() ? segments[i + 1].before->head.position : answered.reach.head.position);
  }
  const auto none = [](const JournalRow&) { return ADD_FAILURE(), true; };
  EXPECT_FALSE(reader.last_row_of(segments.front().header.number - 1, none)) << "retention has removed it";
  EXPECT_FALSE(reader.last_row_of(segments.back().header.number + 1, none)) << "it is prepared";
  SimulatedDisk empty;
  SegmentWriter::create(empty, small_segments(), k_test_journal, {});
  SettledWriter first(empty, small_segments());
  EXPECT_FALSE(SegmentReader(empty, first.catalog()).last_row_of(1, none)) << "it has no row yet";
}

TEST(SegmentReaderTest, ReadsTheRowsAtGivenPositions) {
  SimulatedDisk disk;
  SegmentWriter::Options options = small_segments();
  options.segment_bytes = 200 * segments::k_block;
  SegmentWriter::create(disk, options, k_test_journal, {});
  SettledWriter writer(disk, options);
  while (writer.reach().round < 400) {
    Round round(writer.reach());
    round.add_row(1, writer.reach().round + 1, 1, k_test_time, "one");
    writer.append(round);
  }
  const SegmentReader reader(disk, writer.catalog());
  const auto at = [&](const std::vector<Position>& positions, std::size_t most = 1'000) {
    std::vector<Position> seen;
    reader.rows_at(positions, [&](const JournalRow& row) {
      seen.push_back(row.position);
      return seen.size() < most;
    });
    return seen;
  };
  std::mt19937_64 random(1);
  for (int i = 0; i < 50; ++i) {
    std::vector<Position> positions;
    for (Position position = 1; position <= 400; position += static_cast<Position>(1 + random() % 150)) positions.push_back(position);
    ASSERT_EQ(at(positions), positions);
  }
  EXPECT_EQ(at({5, 6, 7, 400, 401, 500}), (std::vector<Position>{5, 6, 7, 400})) << "the others are not there yet";
  EXPECT_EQ(at({5, 6, 300}, 2), (std::vector<Position>{5, 6})) << "it was told to stop";
  segments::remove_segments_before(disk, writer.catalog(), 2);
  const Position oldest = reader.oldest();
  EXPECT_EQ(at({1, 2, oldest - 1, oldest, 390}), (std::vector<Position>{oldest, 390})) << "the others were removed";
}

TEST(SegmentReaderTest, AReadingOutlivesTheRemovalOfItsSegment) {
  SimulatedDisk disk;
  SegmentWriter::create(disk, small_segments(), k_test_journal, {});
  SettledWriter writer(disk, small_segments());
  while (writer.catalog().snapshot().segments.size() < 3) {
    Round round = test_round(writer.reach());
    writer.append(round);
  }
  const SegmentReader reader(disk, writer.catalog());
  const Position last = writer.reach().head.position;
  std::vector<Position> seen;
  reader.read(1, [&](const JournalRow& row) {
    if (row.position == 1) segments::remove_segments_before(disk, writer.catalog(), 3);
    seen.push_back(row.position);
    return true;
  });
  EXPECT_EQ(seen, from_to(1, last));
}

// A frame in the middle is damaged while the journal is in use. Rows before and after it are read, those in it are named.
TEST(SegmentReaderTest, GoesOnAfterDamage) {
  SimulatedDisk disk;
  Answered answered;
  live(disk, 9, answered);
  const std::string name = segments::name_of_segment(1);
  disk.flip_bit(name, 8 * 3 * segments::k_block + 900);   // block 3: the second round, with rows 3 to 5
  SettledWriter writer(disk, small_segments());
  const SegmentReader reader(disk, writer.catalog());
  std::vector<Position> seen;
  const auto see = [&](const JournalRow& row) {
    seen.push_back(row.position);
    return true;
  };
  try {
    reader.read(1, see);
    ADD_FAILURE() << "the damage was not seen";
  } catch (const SegmentDamage& damage) {
    EXPECT_THAT(damage.what(), testing::HasSubstr("journal/" + name + " is damaged at byte 12288"));
    EXPECT_THAT(damage.what(), testing::HasSubstr(". Nothing was changed. End what uses these files, then put back "));
    EXPECT_THAT(damage.what(), testing::Not(testing::HasSubstr("nothing is sold"))) << "its writer goes on";
    EXPECT_EQ(damage.first_lost, 3);
    EXPECT_EQ(damage.next, 6);
    EXPECT_TRUE(reader.read(damage.next, see));
  }
  std::vector<Position> expected = from_to(1, answered.reach.head.position);
  std::erase_if(expected, [](Position position) { return position >= 3 && position <= 5; });
  EXPECT_EQ(seen, expected);
}

// The real disk, one writer, one thread that prepares segments, and readers: run under ThreadSanitizer too.
TEST(SegmentReaderTest, SeesNothingBeyondThePublishedRoundBesideTheWriter) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / ("segments_beside_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  segments::PosixDisk disk(folder);
  SegmentWriter::create(disk, small_segments(), k_test_journal, {});
  SettledWriter writer(disk, small_segments());
  std::atomic<bool> done{false};
  std::thread preparing([&] {
    while (!done) {
      if (writer.supply().prepare() == segments::Supply::Prepared::enough) std::this_thread::yield();
    }
  });
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      const SegmentReader reader(disk, writer.catalog());
      while (!done) {
        const Position before = writer.catalog().reach().head.position;
        const Position first = std::max<Position>(1, before - 20);
        const std::vector<Position> seen = positions_from(reader, first);
        const Position after = writer.catalog().reach().head.position;
        const auto last = first + static_cast<Position>(seen.size()) - 1;
        if (seen != from_to(first, last) || last < before || last > after) ++wrong;
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    Round round = test_round(writer.reach());
    writer.append(round);
  }
  done = true;
  preparing.join();
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(positions_from(SegmentReader(disk, writer.catalog()), 1), from_to(1, writer.reach().head.position));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace holdfast::test
