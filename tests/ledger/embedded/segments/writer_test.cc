// The writer: what it does after a failure, on a full disk, with notes, and when it removes segments.
#include "ledger/embedded/segments/segment_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <random>

#include "ledger/embedded/segments/reach_marker.h"
#include "ledger/embedded/segments/retention.h"
#include "ledger/embedded/segments/segments_in_test.h"
#include "ledger/embedded/segments/simulated_disk.h"

namespace holdfast::test {
namespace {

using segments::DiskError;
using segments::k_block;
using segments::NoRoom;
using segments::Round;
using segments::SegmentWriter;
using segments::Supply;
using testing::HasSubstr;

std::unique_ptr<SettledWriter> new_writer(SimulatedDisk& disk) {
  SegmentWriter::create(disk, small_segments(), k_test_journal, {});
  return std::make_unique<SettledWriter>(disk, small_segments());
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
        SettledWriter writer(disk, small_segments());
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
        SettledWriter next(disk, small_segments());   // what it shows is on disk now
        answered.reach = next.reach();
        append(next);
        answered.reach = next.reach();
      }
      disk.lose_power([](std::size_t) { return false; });
      EXPECT_EQ(compare(disk, answered), "");
    }
  }
}

// Whatever it finds: a torn round, files of an interrupted removal, a partial segment.
TEST(SegmentWriterTest, AStartThatIsNotSettledChangesNothing) {
  SimulatedDisk disk;
  Answered answered;
  live(disk, 44, answered);
  disk.put("0000000001.segment", std::string(k_small_segment, 'x'));   // given up long ago
  disk.put("0000000099.segment.partial", "x");
  {
    SettledWriter writer(disk, small_segments());
    Round large(writer.reach());
    large.add_row(1, 1, 1, k_test_time, std::string(9'000, 'x'));
    disk.put("0000000001.segment", std::string(k_small_segment, 'x'));
    disk.crash_at(disk.calls(), SimulatedDisk::When::after);
    EXPECT_THROW(writer.append(large), Crash);
  }
  std::size_t sectors = 0;
  disk.lose_power([&](std::size_t) { return ++sectors % 2 == 1; });
  std::map<std::string, std::string> before;
  for (const std::string& name : disk.names()) before[name] = disk.content(name);
  const std::size_t calls = disk.calls();
  {
    SegmentWriter writer(disk, small_segments());
    EXPECT_EQ(disk.calls(), calls);
    EXPECT_EQ(writer.reach(), answered.reach);
    EXPECT_GT(writer.torn_blocks(), 0U);
    const segments::SegmentReader reader(disk, writer.catalog());
    EXPECT_EQ(compare_rows(reader, reader.oldest(), answered.reach.head.position), "");
    EXPECT_EQ(disk.calls(), calls);
    for (const std::string& name : disk.names()) EXPECT_EQ(disk.content(name), before.at(name)) << name;
    writer.settle();
    EXPECT_THAT(disk.names(), testing::Not(testing::Contains("0000000001.segment")));
    append(writer);
    answered.reach = writer.reach();
  }
  EXPECT_EQ(compare(disk, answered), "");
}

TEST(SegmentWriterDeathTest, NothingIsWrittenBeforeTheStartIsSettled) {
  SimulatedDisk disk;
  SegmentWriter::create(disk, small_segments(), k_test_journal, {});
  SegmentWriter writer(disk, small_segments());
  EXPECT_DEATH(append(writer), "found_");
  EXPECT_DEATH(writer.stop(), "found_");
}

// A file that nobody needs any more, and that the disk does not let go.
TEST(SegmentWriterTest, AnOldSegmentThatCannotBeRemovedRefusesNoStartAndIsTriedAgain) {
  SimulatedDisk whole;
  Answered answered;
  live(whole, 44, answered);
  whole.put("0000000001.segment", std::string(k_small_segment, 'x'));
  whole.put("0000000002.segment", std::string(k_small_segment, 'x'));
  std::size_t not_removed = 0;
  for (std::size_t failing = 0; failing < 9; ++failing) {   // the next call is of a round
    SCOPED_TRACE("call " + std::to_string(failing));
    SimulatedDisk disk = whole.copy();
    disk.fail_at(failing, EIO);
    std::unique_ptr<SettledWriter> writer;
    try {
      writer = std::make_unique<SettledWriter>(disk, small_segments());
    } catch (const DiskError&) {
      EXPECT_EQ(not_removed, 0U) << "it has refused because of a removal";
      continue;
    }
    if (!writer->not_removed().empty()) {
      ++not_removed;
      EXPECT_THAT(writer->not_removed(), HasSubstr("Input/output error"));
      append(*writer);
      segments::remove_segments_before(disk, writer->catalog(), 0);
    }
    EXPECT_THAT(disk.names(), testing::Not(testing::Contains("0000000001.segment")));
    EXPECT_THAT(disk.names(), testing::Not(testing::Contains("0000000002.segment")));
    EXPECT_EQ(compare(disk, {.reach = writer->reach(), .kept_from = answered.kept_from}), "");
  }
  EXPECT_EQ(not_removed, 4U) << "two files, remove and sync each";
}

TEST(SegmentWriterTest, ANoteOfTheFirstKeptSegmentNeverGoesBackNorBeyondTheOneInUse) {
  SimulatedDisk disk;
  const auto writer = new_writer(disk);
  while (writer->catalog().snapshot().segments.size() < 3) append(*writer);
  const auto note = [&](std::uint64_t number) {
    Round round(writer->reach());
    round.add_note(segments::k_note_first_kept, segments::note_of_first_kept(number));
    writer->append(round);
  };
  note(2);
  note(2);
  const std::size_t calls = disk.calls();
  EXPECT_THROW(note(1), segments::RoundRefused);
  EXPECT_THROW(note(4), segments::RoundRefused);
  Round without(writer->reach());
  without.add_note(segments::k_note_first_kept, "");
  EXPECT_THROW(writer->append(without), segments::RoundRefused);
  Round unreadable(writer->reach());
  unreadable.add_note(segments::k_note_first_kept, "\xFF");
  EXPECT_THROW(writer->append(unreadable), segments::RoundRefused);
  EXPECT_EQ(disk.calls(), calls);
  note(3);
}

TEST(SegmentWriterTest, AFailureDuringTheStartIsAnErrorAndTheNextStartIsWell) {
  SimulatedDisk whole;
  Answered answered;
  live(whole, 20, answered);
  for (std::size_t failing = 0;; ++failing) {
    SimulatedDisk disk = whole.copy();
    disk.fail_at(failing, EIO);
    try {
      SettledWriter writer(disk, small_segments());
      ASSERT_GT(failing, 1U);
      break;   // no call is left that can fail
    } catch (const DiskError& error) {
      EXPECT_EQ(error.code(), EIO);
    }
    disk.lose_power([](std::size_t) { return false; });
    ASSERT_EQ(compare(disk, answered), "") << failing;
  }
  for (std::size_t failing = 0;; ++failing) {
    SimulatedDisk disk = whole.copy();
    disk.fail_read_at(failing);
    try {
      SettledWriter writer(disk, small_segments());
      ASSERT_GT(failing, 5U);
      break;
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
  EXPECT_EQ(writer->supply().prepare(), Supply::Prepared::not_made);
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
    SettledWriter writer(disk, small_segments());
    disk.fail_at(disk.calls() + failing, EIO);
    if (writer.supply().prepare() == Supply::Prepared::one_more) {
      EXPECT_GT(failing, 4U);
      break;
    }
    EXPECT_EQ(writer.supply().prepare(), Supply::Prepared::one_more) << failing;
    for (int i = 0; i < 12; ++i) append(writer);
    EXPECT_EQ(compare(disk, {.reach = writer.reach()}), "") << failing;
  }
}

// Whichever call fails, also with the disk full: the room is given back, and the failure to give it back is not the one that is told.
TEST(SegmentWriterTest, ASegmentThatCouldNotBeMadeLeavesNoFileAndIsTold) {
  for (const int code : {EIO, ENOSPC}) {
    for (std::size_t failing = 0;; ++failing) {
      SCOPED_TRACE("call " + std::to_string(failing) + ", error " + std::to_string(code));
      SimulatedDisk disk;
      const auto writer = new_writer(disk);
      EXPECT_FALSE(writer->room().is_short);
      const std::vector<std::string> names = disk.names();
      disk.fail_at(disk.calls() + failing, code);
      if (writer->supply().prepare() == Supply::Prepared::one_more) {
        EXPECT_GT(failing, 5U);
        break;
      }
      EXPECT_TRUE(writer->room().is_short);
      EXPECT_EQ(writer->supply().trouble()->is_no_room, code == ENOSPC);
      EXPECT_THAT(writer->supply().trouble()->what, HasSubstr(code == ENOSPC ? "is full" : "Input/output error"));
      EXPECT_EQ(disk.names(), names);
      EXPECT_EQ(writer->supply().prepare(), Supply::Prepared::one_more);
      EXPECT_FALSE(writer->room().is_short);
    }
  }
  for (std::size_t failing = 1; failing < 6; ++failing) {   // the first call makes the file
    SimulatedDisk disk;
    const auto writer = new_writer(disk);
    disk.fail_at(disk.calls() + failing, ENOSPC);
    disk.fail_at(disk.calls() + failing + 1, EIO);
    EXPECT_EQ(writer->supply().prepare(), Supply::Prepared::not_made) << failing;
    EXPECT_EQ(writer->supply().prepare(), Supply::Prepared::one_more) << failing;
    for (int i = 0; i < 12; ++i) append(*writer);
    EXPECT_EQ(compare(disk, {.reach = writer->reach()}), "") << failing;
  }
}

TEST(SegmentWriterTest, AStartOnAFullDiskIsShortBeforeItTriesToPrepare) {
  SimulatedDisk disk;
  { const auto writer = new_writer(disk); }
  disk.set_free(k_small_segment - 1);
  EXPECT_TRUE(SettledWriter(disk, small_segments()).room().is_short);
  disk.set_free(k_small_segment);
  EXPECT_FALSE(SettledWriter(disk, small_segments()).room().is_short);
}

// The last bytes of a full disk are for others, who would fail too if each try took them for a while.
TEST(SegmentWriterTest, AFullDiskIsSeenBeforeTheRestOfItIsTaken) {
  SimulatedDisk disk;
  const auto writer = new_writer(disk);
  disk.set_free(k_small_segment - 1);
  const std::size_t calls = disk.calls();
  EXPECT_EQ(writer->supply().prepare(), Supply::Prepared::not_made);
  EXPECT_EQ(disk.calls(), calls) << "it has made a file";
  ASSERT_TRUE(writer->supply().trouble().has_value());
  EXPECT_TRUE(writer->supply().trouble()->is_no_room);
  // What an interrupted try has left is room too.
  disk.put("0000000002.segment.partial", std::string(k_small_segment, 'x'));
  EXPECT_EQ(writer->supply().prepare(), Supply::Prepared::one_more);
}

// The round begins a segment, and none is prepared. Nothing of the round was written: the same round can be appended again.
TEST(SegmentWriterTest, AFailureToMakeASegmentWithinAnAppendLeavesTheRoundToBeAppendedAgain) {
  for (std::size_t failing = 0; failing < 6; ++failing) {
    SimulatedDisk disk;
    const auto writer = new_writer(disk);
    std::optional<Round> round = test_round(writer->reach());
    while (round->bytes() <= writer->room().bytes) {
      writer->append(*round);
      round = test_round(writer->reach());
    }
    const segments::Reach before = writer->reach();
    disk.fail_at(disk.calls() + failing, EIO);
    EXPECT_THROW(writer->append(*round), segments::SegmentNotMade) << failing;
    EXPECT_EQ(writer->reach(), before);
    writer->append(*round);
    EXPECT_EQ(writer->reach(), round->after());
    EXPECT_EQ(compare(disk, {.reach = writer->reach()}), "") << failing;
  }
}

TEST(SegmentWriterTest, RefusesARoundBeyondALimitBeforeItWritesAnything) {
  SimulatedDisk disk;
  const auto writer = new_writer(disk);
  const std::size_t calls = disk.calls();
  Round large(writer->reach());
  large.add_row(1, 1, 1, k_test_time, std::string(writer->round_bytes_max(), 'x'));
  EXPECT_THROW(writer->append(large), segments::RoundRefused);
  Round noted(writer->reach());
  for (segments::NoteKind kind = 200; kind <= 200 + segments::k_notes_max; ++kind) noted.add_note(kind, "one");
  EXPECT_THROW(writer->append(noted), segments::RoundRefused);
  EXPECT_EQ(disk.calls(), calls);
  append(*writer);
  EXPECT_EQ(compare(disk, {.reach = writer->reach()}), "");
}

// A round of this many bytes on disk.
Round round_of(const segments::Reach& before, std::uint64_t bytes) {
  Round round(before);
  round.add_row(1, 1, 1, k_test_time, std::string(bytes - 200, 'x'));
  EXPECT_EQ(round.bytes(), bytes);
  return round;
}

void prepare_all(SegmentWriter& writer) {
  while (writer.supply().prepare() == Supply::Prepared::one_more) {}
}

TEST(SegmentWriterTest, ARoundIsNeverLargerThanWasSaidBeforehand) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 300; ++i) {
    Round round({.round = random(), .head = {.position = static_cast<Position>(random() >> 2), .hash = {}}});
    const std::uint64_t rows = random() % 50;
    const std::uint64_t notes = random() % 4;
    std::uint64_t body_bytes = 0;
    for (std::uint64_t row = 0; row < rows; ++row) {
      const std::string body(random() % 300, 'x');
      round.add_row(static_cast<EventNumber>(random()), random(), static_cast<std::uint32_t>(random()), static_cast<Millis>(random()),
                    body);
      body_bytes += body.size();
    }
    for (std::uint64_t note = 0; note < notes; ++note) round.add_note(random(), std::string(segments::k_note_bytes_max, 'x'));
    ASSERT_LE(round.bytes(), Round::bytes_max(rows, body_bytes, notes));
  }
}

// Whatever the sizes, and whenever the disk is full: a round that was said to fit is appended without making a file.
TEST(SegmentWriterTest, WhatCanBeTakenIsAppendedWithoutANewSegment) {
  std::map<NotTaken::Reason, std::size_t> refused;
  std::size_t taken = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    std::mt19937_64 random(seed);
    SimulatedDisk disk;
    const auto writer = new_writer(disk);
    for (int i = 0; i < 100; ++i) {
      if (random() % 4 == 0) disk.set_free(random() % 2 * 3 * k_small_segment);
      if (random() % 3 == 0) writer->supply().prepare();
      const std::uint64_t bytes = (1 + random() % 13) * k_block;
      const auto work = random() % 2 == 0 ? Work::growing : Work::settling;
      const auto answer = writer->can_take(bytes, work);
      if (!answer) {
        ++refused[answer.error().reason];
        continue;
      }
      ++taken;
      const std::size_t files = disk.names().size();
      Round round = round_of(writer->reach(), bytes);
      ASSERT_NO_THROW(writer->append(round));
      ASSERT_EQ(disk.names().size(), files);
      if (work == Work::growing) ASSERT_GE(writer->room().prepared, 1U) << "it has begun the reserve";
    }
  }
  EXPECT_GT(taken, 300U);
  EXPECT_GT(refused[NotTaken::Reason::no_room], 100U);
  EXPECT_GT(refused[NotTaken::Reason::preparing], 50U);
  EXPECT_GT(refused[NotTaken::Reason::too_large], 50U);
}

TEST(SegmentWriterTest, OnAFullDiskNewWorkIsRefusedAtOnceAndTheRestGoesOnToTheEndOfTheReserve) {
  SimulatedDisk disk;
  const auto writer = new_writer(disk);
  prepare_all(*writer);
  disk.set_free(0);
  while (writer->room().prepared == Supply::k_ahead) append(*writer);
  EXPECT_TRUE(writer->can_take(k_block, Work::growing)) << "nobody knows yet that the disk is full";
  writer->supply().prepare();
  const auto refused = writer->can_take(k_block, Work::growing);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, NotTaken::Reason::no_room);
  EXPECT_EQ(refused.error().what,
            "the disk of journal is full: the journal's next segment takes 65536 bytes. What frees seats or ends "
            "begun sales goes on. Free space; the rest then goes on by itself.");
  std::size_t rounds = 0;
  for (; writer->can_take(2 * k_block, Work::settling); ++rounds) {
    Round round = round_of(writer->reach(), 2 * k_block);
    writer->append(round);
  }
  EXPECT_EQ(writer->room().prepared, 0U);
  EXPECT_LT(writer->room().bytes, 2 * k_block);
  EXPECT_GE(rounds, 7U) << "the reserve has room for these alone";
  EXPECT_THAT(writer->can_take(2 * k_block, Work::settling).error().what, HasSubstr("What was answered is on disk. Free space"));

  disk.set_free(k_small_segment);
  EXPECT_EQ(writer->supply().prepare(), Supply::Prepared::one_more);
  EXPECT_TRUE(writer->can_take(2 * k_block, Work::settling));
  EXPECT_EQ(writer->can_take(2 * k_block, Work::growing).error().reason, NotTaken::Reason::preparing) << "the reserve comes first";
  disk.set_free(k_small_segment);
  EXPECT_EQ(writer->supply().prepare(), Supply::Prepared::one_more);
  EXPECT_TRUE(writer->can_take(2 * k_block, Work::growing));
  EXPECT_EQ(SettledWriter(disk, small_segments()).reach(), writer->reach());
}

// Without trouble, the reserve is for settling work too: nobody knows whether the next segment will be made.
TEST(SegmentWriterTest, NewWorkWaitsForTheNextSegmentRatherThanBeginTheReserve) {
  SimulatedDisk disk;
  const auto writer = new_writer(disk);
  EXPECT_EQ(writer->can_take(k_block, Work::growing).error().reason, NotTaken::Reason::preparing);
  writer->supply().prepare();
  while (writer->can_take(3 * k_block, Work::growing)) {
    Round round = round_of(writer->reach(), 3 * k_block);
    writer->append(round);
  }
  EXPECT_EQ(writer->room().prepared, 1U);
  EXPECT_TRUE(writer->can_take(3 * k_block, Work::settling));
  EXPECT_TRUE(writer->can_take(writer->room().bytes, Work::growing)) << "it still fits into the segment in use";
  writer->supply().prepare();
  EXPECT_TRUE(writer->can_take(3 * k_block, Work::growing));
}

TEST(SegmentWriterTest, ABrokenJournalTakesNothing) {
  SimulatedDisk disk;
  const auto writer = new_writer(disk);
  prepare_all(*writer);
  disk.fail_at(disk.calls(), EIO);
  EXPECT_THROW(append(*writer), DiskError);
  const auto refused = writer->can_take(k_block, Work::settling);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, NotTaken::Reason::failing);
  EXPECT_THAT(refused.error().what, HasSubstr("the journal could not be written"));
}

TEST(SegmentWriterTest, ARoundHasALimitHoweverLargeTheSegments) {
  SimulatedDisk disk;
  SegmentWriter::Options options = small_segments();
  options.segment_bytes = 2 * SegmentWriter::k_round_bytes_max;
  SegmentWriter::create(disk, options, k_test_journal, {});
  SettledWriter writer(disk, options);
  prepare_all(writer);
  EXPECT_EQ(writer.round_bytes_max(), SegmentWriter::k_round_bytes_max);
  EXPECT_TRUE(writer.can_take(SegmentWriter::k_round_bytes_max, Work::growing));
  EXPECT_EQ(writer.can_take(SegmentWriter::k_round_bytes_max + 1, Work::settling).error().reason, NotTaken::Reason::too_large);
  Round round = round_of(writer.reach(), SegmentWriter::k_round_bytes_max);
  writer.append(round);
  Round larger = round_of(writer.reach(), SegmentWriter::k_round_bytes_max + k_block);
  EXPECT_THROW(writer.append(larger), segments::RoundRefused);
}

TEST(SegmentWriterTest, SegmentsGrowFromTheFirstToTheLargest) {
  const segments::SegmentSizes sizes;
  constexpr std::uint64_t k_mib = std::uint64_t{1024} * 1024;
  const std::vector<std::uint64_t> expected{4, 8, 16, 32, 64, 64};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(sizes.of(i + 1), expected[i] * k_mib) << i + 1;
  EXPECT_EQ(sizes.of(UINT64_MAX), 64 * k_mib);
  EXPECT_EQ((segments::SegmentSizes{.first = 4 * k_mib, .most = 2 * k_mib}.of(1)), 2 * k_mib);
  EXPECT_EQ((segments::SegmentSizes{.first = 3 * k_mib, .most = 8 * k_mib}.of(3)), 8 * k_mib) << "twice six is more";
}

// The largest round of each segment fits exactly, at the end of a small one and at the beginning of the next larger one.
TEST(SegmentWriterTest, ARoundAtEachChangeOfSizeIsWritten) {
  for (const bool fills : {true, false}) {
    SimulatedDisk disk;
    SegmentWriter::create(disk, growing_segments(), k_test_journal, {});
    SettledWriter writer(disk, growing_segments());
    for (std::uint64_t number = 1; number <= 6; ++number) {
      prepare_all(writer);
      const std::string name = segments::name_of_segment(number);
      EXPECT_EQ(disk.content(name).size(), growing_segments().sizes().of(number)) << name;
      EXPECT_EQ(writer.catalog().snapshot().segments.back().header.number, number);
      // As much as fits, or one block less than that: then the next round does not fit, and one block stays unused.
      for (std::uint64_t left = writer.room().bytes - (fills ? 0 : k_block); left > 0;) {
        Round round = round_of(writer.reach(), std::min(left, writer.round_bytes_max()));
        left -= round.bytes();
        ASSERT_TRUE(writer.can_take(round.bytes(), Work::growing));
        writer.append(round);
      }
      EXPECT_EQ(writer.room().bytes, fills ? 0 : k_block);
      Round next = round_of(writer.reach(), writer.round_bytes_max());
      ASSERT_TRUE(writer.can_take(next.bytes(), Work::growing));
      writer.append(next);
      SimulatedDisk copy = disk.copy();
      ASSERT_EQ(SettledWriter(copy, growing_segments()).reach(), writer.reach());
    }
  }
}

TEST(SegmentWriterTest, ASegmentThatIsNotAsLargeAsItsHeaderSaysIsRefused) {
  SimulatedDisk disk;
  Answered answered;
  live(disk, 60, answered, growing_segments());
  for (const std::string& name : disk.names()) {
    if (!segments::number_of_segment(name)) continue;
    for (const std::uint64_t bytes : {disk.content(name).size() / 2, disk.content(name).size() * 2}) {
      SimulatedDisk changed = disk.copy();
      changed.resize(name, bytes);
      try {
        SettledWriter(changed, growing_segments());
        ADD_FAILURE() << name << " with " << bytes << " bytes was accepted";
      } catch (const segments::SegmentDamage& damage) {
        EXPECT_THAT(damage.what(), HasSubstr("it has " + std::to_string(bytes) + " bytes, and its header says"));
      }
    }
  }
}

TEST(SegmentWriterTest, SegmentsOfSeveralSizesMakeOneJournal) {
  SimulatedDisk disk;
  { const auto writer = new_writer(disk); }
  segments::Reach reach;
  for (const std::size_t blocks : {std::size_t{48}, std::size_t{16}, std::size_t{32}}) {
    SegmentWriter::Options options = small_segments();
    options.segment_bytes = blocks * segments::k_block;
    SettledWriter writer(disk, options);
    writer.supply().prepare();
    EXPECT_LE(writer.round_bytes_max(), (blocks - 4) * segments::k_block);
    for (int i = 0; i < 20; ++i) {
      append(writer);
      if (writer.catalog().prepared() == 0) writer.supply().prepare();
    }
    reach = writer.reach();
  }
  EXPECT_EQ(compare(disk, {.reach = reach}), "");
}

// A removal fails at each of its calls. What is on disk is what the catalog has, and the next try removes the rest.
TEST(SegmentWriterTest, ARemovalThatFailedGoesOnWhereItWas) {
  for (std::size_t failing = 0; failing < 4; ++failing) {   // two segments: remove and sync each
    SCOPED_TRACE("call " + std::to_string(failing));
    SimulatedDisk disk;
    const auto writer = new_writer(disk);
    while (writer->catalog().snapshot().segments.size() < 3) append(*writer);
    Round round(writer->reach());
    round.add_note(segments::k_note_first_kept, segments::note_of_first_kept(3));
    writer->append(round);
    disk.fail_at(disk.calls() + failing, EIO);
    EXPECT_THROW(segments::remove_segments_before(disk, writer->catalog(), 3), DiskError);
    EXPECT_EQ(writer->catalog().snapshot().segments.size(), 3U - failing / 2);
    segments::remove_segments_before(disk, writer->catalog(), 3);
    EXPECT_EQ(writer->catalog().snapshot().segments.size(), 1U);
    EXPECT_EQ(disk.names(), (std::vector<std::string>{segments::name_of_segment(3), "reach"}));
    const SettledWriter next(disk, small_segments());
    EXPECT_EQ(next.reach(), writer->reach());
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

  SettledWriter next(disk, small_segments());
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
  SettledWriter writer(disk, small_segments());
  disk.lose_power([](std::size_t) { return false; });
  EXPECT_EQ(ReachMarker(disk, segments::Disk::Mode::read).state(), ReachMarker::State::in_use);
}

TEST(SegmentWriterTest, GoesOnAfterAJournalOfAnotherFormat) {
  SimulatedDisk disk;
  const segments::Reach start{.round = 0, .head = {.position = 1'000, .hash = {7}}};
  SegmentWriter::create(disk, small_segments(), k_test_journal, start);
  SettledWriter writer(disk, small_segments());
  append(writer);
  EXPECT_EQ(writer.reach().head.position, 1'002);
  EXPECT_EQ(segments::SegmentReader(disk, writer.catalog()).oldest(), 1'001);
  EXPECT_EQ(segments::SegmentReader(disk, writer.catalog()).hash_at(1'000), start.head.hash);
}

}  // namespace
}  // namespace holdfast::test
