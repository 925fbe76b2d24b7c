// A crash at any call of the disk, whatever arrives of what was not synced, leaves a journal that opens and has all that was answered.
#include <gtest/gtest.h>

#include <cerrno>
#include <random>

#include "ledger/embedded/segments/segments_in_test.h"
#include "ledger/embedded/segments/simulated_disk.h"

namespace holdfast::test {
namespace {

constexpr std::uint64_t k_rounds = 45;   // several segments, some of them removed
constexpr std::uint64_t k_power_cuts = 3;

// How the machine ends: a process that is killed loses nothing, a power cut any blocks of 512 bytes or of 4 KiB. What arrives is another
// choice for each `which`.
void end(SimulatedDisk& disk, std::uint64_t way, std::uint64_t which) {
  if (way == 0) return disk.end_process();
  disk.lose_power(way + 1'000 * which, way % 2 == 0 ? 8 : 1);
}

// Lives until the call, or to the end. True: it crashed.
bool crashes(SimulatedDisk& disk, std::size_t call, SimulatedDisk::When when, Answered& answered,
             const segments::SegmentWriter::Options& options = small_segments()) {
  disk.crash_at(call, when);
  try {
    live(disk, k_rounds, answered, options);
    return false;
  } catch (const Crash&) {
    return true;
  }
}

// After a crash: it opens, has everything, goes on to the end, and has everything then.
void expect_recovers(SimulatedDisk& disk, Answered answered) {
  if (segments::SegmentWriter::exists(disk)) {
    ASSERT_EQ(compare(disk, answered), "");
  } else {
    ASSERT_EQ(answered.reach.round, 0U) << "the journal is gone";
  }
  live(disk, k_rounds, answered);
  ASSERT_EQ(compare(disk, answered), "");
}

std::size_t calls_of_a_life() {
  SimulatedDisk disk;
  Answered answered;
  live(disk, k_rounds, answered);
  return disk.calls();
}

TEST(SegmentCrash, AtEveryCallLeavesWhatWasAnswered) {
  const std::size_t calls = calls_of_a_life();
  ASSERT_GT(calls, 100U);
  for (std::size_t call = 0; call < calls; ++call) {
    for (const auto when : {SimulatedDisk::When::before, SimulatedDisk::When::after}) {
      for (std::uint64_t way = 0; way <= k_power_cuts; ++way) {
        SCOPED_TRACE("call " + std::to_string(call) + (when == SimulatedDisk::When::after ? ", after it, way " : ", before it, way ") +
                     std::to_string(way));
        SimulatedDisk disk;
        Answered answered;
        ASSERT_TRUE(crashes(disk, call, when, answered));
        end(disk, way, 2 * call + (when == SimulatedDisk::When::after ? 1 : 0));
        ASSERT_NO_THROW(ASSERT_NO_FATAL_FAILURE(expect_recovers(disk, answered)));
      }
    }
  }
}

// Segments of 16, 32, 64 and 128 blocks: the crash meets a small one in use and a larger one that is being made, and each change of size.
TEST(SegmentCrash, AtEveryCallOfAFolderWhoseSegmentsGrowLeavesWhatWasAnswered) {
  bool crashed = true;
  std::size_t call = 0;
  for (; crashed; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    SimulatedDisk disk;
    Answered answered;
    crashed = crashes(disk, call, call % 2 == 0 ? SimulatedDisk::When::after : SimulatedDisk::When::before, answered, growing_segments());
    end(disk, call % 3, call);
    if (segments::SegmentWriter::exists(disk)) ASSERT_NO_THROW(ASSERT_EQ(compare(disk, answered), ""));
    live(disk, 2 * k_rounds, answered, growing_segments(2));
    ASSERT_EQ(compare(disk, answered), "");
  }
  EXPECT_GT(call, 100U);
}

// Each of both ends is a kill or a power cut.
TEST(SegmentCrash, DuringTheRecoveryFromACrashLeavesWhatWasAnswered) {
  const std::size_t calls = calls_of_a_life();
  for (std::size_t call = 0; call < calls; call += 7) {
    for (std::uint64_t ways = 0; ways < 4; ++ways) {
      bool crashed_again = true;
      for (std::size_t again = 0; crashed_again && again < 10; ++again) {   // recovery, and the first rounds after it
        SCOPED_TRACE("call " + std::to_string(call) + ", and then call " + std::to_string(again) + ", ways " + std::to_string(ways));
        const std::uint64_t which = 100 * call + again;
        SimulatedDisk disk;
        Answered answered;
        ASSERT_TRUE(crashes(disk, call, SimulatedDisk::When::after, answered));
        end(disk, ways % 2 * (1 + again % 2), which);
        ASSERT_NO_THROW(crashed_again =
                            crashes(disk, again, again % 2 == 0 ? SimulatedDisk::When::after : SimulatedDisk::When::before, answered));
        end(disk, ways / 2 * (1 + call % 2), which + 50);
        ASSERT_NO_THROW(ASSERT_NO_FATAL_FAILURE(expect_recovers(disk, answered)));
      }
    }
  }
}

// Lives with up to three faults each, one after the other on the same disk: calls and readings that fail, failed syncs that drop a part,
// and every end a kill or a power cut. Each start opens and has what was answered.
TEST(SegmentCrash, SeveralFaultsALifeLeaveWhatWasAnswered) {
  std::size_t lives_with_a_fault = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    std::mt19937_64 random(seed);
    SimulatedDisk disk;
    disk.set_passes_cache(seed % 2 == 0);
    disk.drop_parts(seed);
    Answered answered;
    for (std::uint64_t last = 8, lives = 0; last <= 40; ++lives) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", life " + std::to_string(lives));
      for (std::uint64_t faults = random() % 4; faults > 0; --faults) {
        const std::size_t call = random() % 60;
        if (random() % 4 == 0) disk.fail_read_at(call / 4);
        else disk.fail_at(call, random() % 3 == 0 ? ENOSPC : EIO);
      }
      try {
        live(disk, last, answered, seed + lives);
        last += 8;
      } catch (const segments::SegmentDamage& damage) {
        FAIL() << damage.what();
      } catch (const DataError&) {
        ++lives_with_a_fault;
      }
      end(disk, random() % 3, 1'000 * seed + lives);
      if (!segments::SegmentWriter::exists(disk)) {
        ASSERT_EQ(answered.reach.round, 0U) << "the journal is gone";
        continue;
      }
      ASSERT_NO_THROW(ASSERT_EQ(compare(disk, answered), ""));
    }
  }
  EXPECT_GT(lives_with_a_fault, 300U);
}

// A prepared segment has its name in the cache only when the process is killed. The next start answers rounds in it, and the power fails.
TEST(SegmentCrash, ANameThatNeverReachedTheDiskIsOnDiskBeforeRoundsAreAnsweredInItsFile) {
  for (std::size_t call = 0;; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    SimulatedDisk disk;
    Answered answered;
    live(disk, 2, answered);
    disk.end_process();
    {
      SettledWriter writer(disk, small_segments());
      disk.crash_at(disk.calls() + call, SimulatedDisk::When::after);
      try {
        writer.supply().prepare();
        break;
      } catch (const Crash&) {}   // between the rename and the folder's sync, among others
    }
    disk.end_process();
    {
      SettledWriter writer(disk, small_segments());
      while (writer.catalog().prepared() > 0 || writer.catalog().snapshot().segments.size() < 2) {
        segments::Round round = test_round(writer.reach());
        writer.append(round);
        answered.reach = writer.reach();
      }
    }
    disk.lose_power([](std::size_t) { return false; });
    ASSERT_NO_THROW(ASSERT_EQ(compare(disk, answered), ""));
  }
}

// A journal whose next round was being written, and is not synced: the disk, and the round's sectors by their number in the file.
struct InFlight {
  SimulatedDisk disk;
  Answered answered;
};
void begin_write(InFlight& flight, std::uint64_t rounds) {
  live(flight.disk, rounds, flight.answered);
  flight.disk.end_process();
  SettledWriter writer(flight.disk, small_segments());
  segments::Round round = test_round(writer.reach());
  flight.disk.crash_at(flight.disk.calls(), SimulatedDisk::When::after);
  EXPECT_THROW(writer.append(round), Crash);
}

TEST(SegmentCrash, ATornLastFrameIsDroppedWhicheverOfItsSectorsArrived) {
  InFlight whole;
  begin_write(whole, 3);   // round 4 has rows 7 and 8
  std::set<std::size_t> sectors;
  whole.disk.lose_power([&](std::size_t sector) {
    sectors.insert(sector);
    return true;
  });
  ASSERT_EQ(sectors.size(), 8U);
  for (std::size_t arrived = 0; arrived < std::size_t{1} << sectors.size(); ++arrived) {
    InFlight flight;
    begin_write(flight, 3);
    flight.disk.lose_power([&](std::size_t sector) { return (arrived >> (sector - *sectors.begin()) & 1) != 0; });
    ASSERT_NO_THROW(ASSERT_EQ(compare(flight.disk, flight.answered), "")) << "sectors " << arrived;
    live(flight.disk, 9, flight.answered);
    ASSERT_EQ(compare(flight.disk, flight.answered), "");
  }
}

TEST(SegmentCrash, ATornFrameOfSeveralBlocksIsZeroedBeforeTheNextOneIsWritten) {
  for (std::uint64_t arrived = 1; arrived < 8; ++arrived) {   // of round 2, whose third row makes it three blocks
    InFlight flight;
    begin_write(flight, 1);
    std::optional<std::size_t> first;
    flight.disk.lose_power([&](std::size_t sector) {
      if (!first) first = sector;
      return (arrived >> (sector - *first) / 8 & 1) != 0;
    });
    ASSERT_EQ(compare(flight.disk, flight.answered), "") << arrived;
    SettledWriter writer(flight.disk, small_segments());
    EXPECT_EQ(writer.torn_blocks(), 0U) << "the opening before had to zero it";
  }
}

// An opening of three blocks, with as many notes as there can be.
TEST(SegmentCrash, ATornOpeningIsDroppedWhicheverOfItsBlocksArrived) {
  for (std::size_t arrived = 0; arrived < std::size_t{1} << 9; ++arrived) {   // a third of each block at a time
    SimulatedDisk disk;
    segments::SegmentWriter::create(disk, small_segments(), k_test_journal, {});
    Answered answered;
    {
      SettledWriter writer(disk, small_segments());
      writer.supply().prepare();
      for (segments::NoteKind kind = k_test_note; kind < k_test_note + segments::k_notes_max; ++kind) {
        segments::Round round(writer.reach());
        round.add_note(kind, kind == k_test_note ? std::string("round 4") : std::string(segments::k_note_bytes_max, 'n'));
        if (writer.reach().round < 7) writer.append(round);
        if (writer.reach().round < 7) continue;
        segments::Round all(writer.reach());
        for (segments::NoteKind other = kind + 1; other < k_test_note + segments::k_notes_max; ++other) {
          all.add_note(other, std::string(segments::k_note_bytes_max, 'n'));
        }
        writer.append(all);
        break;
      }
      const std::uint64_t room = writer.room().bytes;
      segments::Round large(writer.reach());
      large.add_row(1, 1, 1, k_test_time, std::string(room, 'x'));
      answered.reach = writer.reach();
      disk.crash_at(disk.calls(), SimulatedDisk::When::after);
      ASSERT_THROW(writer.append(large), Crash);
    }
    std::optional<std::size_t> first;
    disk.lose_power([&](std::size_t sector) {
      if (!first) first = sector;
      return (arrived >> std::min<std::size_t>((sector - *first) / 3, 8) & 1) != 0;
    });
    ASSERT_NO_THROW({
      const SettledWriter writer(disk, small_segments());
      ASSERT_EQ(writer.reach(), answered.reach) << arrived;
      ASSERT_EQ(writer.notes().size(), segments::k_notes_max);
    }) << arrived;
  }
}

// The page cache shows zeros that a failed sync has not brought to the disk, and no reading passes the cache. The next start must not take
// them for what the disk has: later, torn bytes of two rounds would lie side by side, which looks like damage.
TEST(SegmentCrash, TornBlocksThatCouldNotBeZeroedAreFoundByTheNextStart) {
  for (std::size_t failing = 1; failing < 5; ++failing) {   // both torn blocks: write and sync each
    SCOPED_TRACE("call " + std::to_string(failing));
    InFlight flight;
    begin_write(flight, 1);   // of round 2, with three blocks
    std::optional<std::size_t> first;
    flight.disk.lose_power([&](std::size_t sector) {
      if (!first) first = sector;
      return (sector - *first) / 8 != 1;
    });
    flight.disk.set_passes_cache(false);
    flight.disk.fail_at(failing, EIO);
    EXPECT_THROW(SettledWriter(flight.disk, small_segments()), segments::DiskError);
    flight.disk.end_process();
    segments::Reach answered;
    {
      SettledWriter writer(flight.disk, small_segments());
      segments::Round small(writer.reach());
      small.add_row(1, 1, 1, k_test_time, "small");
      writer.append(small);
      answered = writer.reach();
      segments::Round torn(writer.reach());
      torn.add_row(1, 2, 1, k_test_time, std::string(1'000, 'x'));
      flight.disk.crash_at(flight.disk.calls(), SimulatedDisk::When::after);
      EXPECT_THROW(writer.append(torn), Crash);
    }
    first.reset();
    flight.disk.lose_power([&](std::size_t sector) {
      if (!first) first = sector;
      return sector == *first;   // the header of the torn round
    });
    ASSERT_NO_THROW(ASSERT_EQ(SettledWriter(flight.disk, small_segments()).reach(), answered));
  }
}

TEST(SegmentCrash, WhatAStartHasShownStaysEvenIfThePowerFailsAtOnce) {
  InFlight flight;
  begin_write(flight, 3);
  flight.disk.end_process();   // round 4 is whole, and in the page cache only
  {
    const SettledWriter writer(flight.disk, small_segments());
    ASSERT_EQ(writer.reach().round, 4U);
    flight.answered.reach = writer.reach();
  }
  flight.disk.lose_power([](std::size_t) { return false; });
  EXPECT_EQ(compare(flight.disk, flight.answered), "");
}

}  // namespace
}  // namespace holdfast::test
