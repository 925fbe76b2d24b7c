// The writer: what it does after a failure, on a full disk, with notes, and when it removes segments.
#include "ledger/embedded/segments/segment_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "ledger/embedded/segments/reach_marker.h"
#include "ledger/embedded/segments/retention.h"
#include "ledger/embedded/segments/segments_in_test.h"
#include "ledger/embedded/segments/simulated_disk.h"

namespace holdfast::test {
namespace {

using segments::DiskError;
using segments::NoRoom;
using segments::Round;
using segments::SegmentWriter;
using segments::Supply;
using testing::HasSubstr;

std::unique_ptr<SegmentWriter> new_writer(SimulatedDisk& disk) {
  SegmentWriter::create(disk, small_segments(), k_test_journal, {});
  return std::make_unique<SegmentWriter>(disk, small_segments());
}

void append(SegmentWriter& writer) {
  Round round = test_round(writer.reach());
  writer.append(round);
}

// Whichever call of an append fails, whatever the page cache shows afterwards.
TEST(SegmentWriterTest, AcceptsNothingAfterAFailedWriteOrSyncAndTheNextStartHasWhatWasAnswered) {
  for (const bool passes_cache : {true, false}) {
    for (std::size_t failing = 0; failing < 3; ++failing) {   // write, sync, the marker's write
      SCOPED_TRACE("call " + std::to_string(failing));
      SimulatedDisk disk;
      disk.set_passes_cache(passes_cache);
      Answered answered;
      live(disk, 5, answered);
      {
        SegmentWriter writer(disk, small_segments());
        disk.fail_at(disk.calls() + failing, EIO);
        Round round = test_round(writer.reach());
        EXPECT_THROW(writer.append(round), DiskError);
        Round other = test_round(writer.reach());
        try {
          writer.append(other);
          ADD_FAILURE() << "a round was accepted after a failure";
        } catch (const DiskError& error) {
          EXPECT_THAT(error.what(), HasSubstr("the journal could not be written: cannot do call"));
        }
        EXPECT_EQ(writer.reach(), answered.reach);
        EXPECT_EQ(writer.catalog().reach(), answered.reach) << "readers see a round that was not answered";
      }
      disk.end_process();
      {
        SegmentWriter next(disk, small_segments());   // what it shows is on disk now
        answered.reach = next.reach();
        append(next);
        answered.reach = next.reach();
      }
      disk.lose_power([](std::size_t) { return false; });
      EXPECT_EQ(compare(disk, answered), "");
    }
  }
}

TEST(SegmentWriterTest, AFailureDuringTheStartIsAnErrorAndTheNextStartIsWell) {
  SimulatedDisk whole;
  Answered answered;
  live(whole, 20, answered);
  for (std::size_t failing = 0;; ++failing) {
    SimulatedDisk disk = whole.copy();
    disk.fail_at(failing, EIO);
    try {
      SegmentWriter writer(disk, small_segments());
      ASSERT_GT(failing, 1U);
      break;   // no call is left that can fail
    } catch (const DiskError& error) {
      EXPECT_EQ(error.code(), EIO);
    }
    disk.lose_power([](std::size_t) { return false; });
    ASSERT_EQ(compare(disk, answered), "") << failing;
  }
}

TEST(SegmentWriterTest, SeesAFullDiskComingAndGoesOnInTheReserve) {
  SimulatedDisk disk;
  const auto writer = new_writer(disk);
  while (writer->supply().prepare() != Supply::Prepared::enough) {}
  EXPECT_EQ(writer->room().prepared, Supply::k_ahead);
  EXPECT_FALSE(writer->room().is_short);
  disk.set_free(0);
  while (writer->room().prepared == Supply::k_ahead) append(*writer);
  EXPECT_EQ(writer->supply().prepare(), Supply::Prepared::no_room);
  EXPECT_TRUE(writer->room().is_short);   // new work is refused from here on, with a whole segment left
  EXPECT_GE(writer->room().prepared, 1U);
  while (writer->room().prepared > 0) append(*writer);

  // The reserve is used up. Nothing is half done, and the same round goes on when there is room.
  std::optional<Round> refused;
  try {
    for (;;) {
      refused = test_round(writer->reach());
      writer->append(*refused);
    }
  } catch (const NoRoom& error) {
    EXPECT_THAT(error.what(), HasSubstr("is full"));
  }
  disk.set_free(10 * k_small_segment);
  writer->append(*refused);
  EXPECT_EQ(writer->supply().prepare(), Supply::Prepared::one_more);
  EXPECT_FALSE(writer->room().is_short);
  EXPECT_EQ(compare(disk, {.reach = writer->reach()}), "");
}

TEST(SegmentWriterTest, AFailureToPrepareASegmentDoesNotStopTheJournal) {
  SimulatedDisk whole;
  { const auto writer = new_writer(whole); }
  for (std::size_t failing = 0;; ++failing) {
    SimulatedDisk disk = whole.copy();
    SegmentWriter writer(disk, small_segments());
    disk.fail_at(disk.calls() + failing, EIO);
    try {
      EXPECT_EQ(writer.supply().prepare(), Supply::Prepared::one_more);
      EXPECT_GT(failing, 4U);
      break;
    } catch (const DiskError& error) {
      EXPECT_EQ(error.code(), EIO);
    }
    EXPECT_EQ(writer.supply().prepare(), Supply::Prepared::one_more) << failing;
    for (int i = 0; i < 12; ++i) append(writer);
    EXPECT_EQ(compare(disk, {.reach = writer.reach()}), "") << failing;
  }
}

TEST(SegmentWriterTest, TakesARoundAsLargeAsASegmentAllows) {
  SimulatedDisk disk;
  const auto writer = new_writer(disk);
  const std::size_t most = writer->round_bytes_max();
  for (const std::size_t body : {most - 200, most - 200}) {
    Round round(writer->reach());
    round.add_row(1, 1, 1, k_test_time, std::string(body, 'x'));
    ASSERT_EQ(round.bytes(), most);
    writer->append(round);
  }
  EXPECT_EQ(writer->reach().round, 2U);
}

TEST(SegmentWriterTest, KeepsNotesWhenTheirSegmentIsRemoved) {
  SimulatedDisk disk;
  const auto writer = new_writer(disk);
  Round noted(writer->reach());
  noted.add_note(segments::k_note_clock_doubt, "until then");
  noted.add_note(segments::k_note_tables, "ended below");
  writer->append(noted);
  Round ended(writer->reach());
  ended.add_note(segments::k_note_tables, "");
  writer->append(ended);
  while (writer->catalog().snapshot().segments.size() < 3) append(*writer);
  const std::uint64_t keep = segments::first_segment_to_keep(writer->catalog(), writer->reach().head.position);
  EXPECT_EQ(keep, 3U);
  Round round(writer->reach());
  round.add_note(segments::k_note_first_kept, segments::note_of_first_kept(keep));
  writer->append(round);
  segments::remove_segments_before(disk, writer->catalog(), keep);
  EXPECT_EQ(disk.names().size(), 2U) << "one segment and the marker";

  SegmentWriter next(disk, small_segments());
  EXPECT_EQ(next.notes().at(segments::k_note_clock_doubt), "until then");
  EXPECT_FALSE(next.notes().contains(segments::k_note_tables));
}

TEST(SegmentWriterTest, ACleanStopIsToldToTheNextStart) {
  SimulatedDisk disk;
  Answered answered;
  live(disk, 3, answered);
  using segments::ReachMarker;
  EXPECT_EQ(ReachMarker(disk, segments::Disk::Mode::read).state(), ReachMarker::State::stopped);
  EXPECT_EQ(ReachMarker(disk, segments::Disk::Mode::read).reach(), answered.reach);
  SegmentWriter writer(disk, small_segments());
  disk.lose_power([](std::size_t) { return false; });
  EXPECT_EQ(ReachMarker(disk, segments::Disk::Mode::read).state(), ReachMarker::State::in_use);
}

TEST(SegmentWriterTest, GoesOnAfterAJournalOfAnotherFormat) {
  SimulatedDisk disk;
  const segments::Reach start{.round = 0, .head = {.position = 1'000, .hash = {7}}};
  SegmentWriter::create(disk, small_segments(), k_test_journal, start);
  SegmentWriter writer(disk, small_segments());
  append(writer);
  EXPECT_EQ(writer.reach().head.position, 1'002);
  EXPECT_EQ(segments::SegmentReader(disk, writer.catalog()).oldest(), 1'001);
  EXPECT_EQ(segments::SegmentReader(disk, writer.catalog()).hash_at(1'000), start.head.hash);
}

}  // namespace
}  // namespace holdfast::test
