// What is not as it was written is refused by name, or does no harm. Nothing that was answered is lost without a word.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "ledger/embedded/segments/frame_scan.h"
#include "ledger/embedded/segments/reach_marker.h"
#include "ledger/embedded/segments/retention.h"
#include "ledger/embedded/segments/segments_in_test.h"
#include "ledger/embedded/segments/simulated_disk.h"

namespace holdfast::test {
namespace {

using segments::k_block;
using segments::name_of_segment;
using segments::SegmentDamage;
using testing::AllOf;
using testing::HasSubstr;

// A byte of a frame, changed as if another program had written it: the checksum fits.
void rewrite(SimulatedDisk& disk, const std::string& name, std::uint32_t block, std::size_t at, char byte) {
  std::string content = disk.content(name);
  const std::uint64_t salt = segments::get<std::uint64_t>(content.data() + 64);
  char* const frame = content.data() + std::size_t{block} * k_block;
  frame[at] = byte;
  segments::put(frame, segments::checksum({frame + 8, segments::get<std::uint32_t>(frame + 12) - 8}, salt));
  disk.put(name, content);
}

// The same for a byte of a segment's header.
void rewrite_header(SimulatedDisk& disk, const std::string& name, std::size_t at, char byte) {
  std::string content = disk.content(name);
  content[at] = byte;
  segments::put(content.data(), segments::checksum(std::string_view(content).substr(8, segments::k_file_header - 8), 0));
  disk.put(name, content);
}

// And of both slots of the file reach.
void rewrite_reach(SimulatedDisk& disk, std::size_t at, char byte) {
  std::string content = disk.content("reach");
  for (const std::size_t slot : {std::size_t{0}, k_block}) {
    content[slot + at] = byte;
    segments::put(content.data() + slot, segments::checksum(std::string_view(content).substr(slot + 8, segments::k_file_header - 8), 0));
  }
  disk.put("reach", content);
}

void flip_byte(SimulatedDisk& disk, const std::string& name, std::size_t at) { disk.flip_bit(name, 8 * at); }

// The blocks of a segment's frames.
std::vector<std::uint32_t> frames_of(SimulatedDisk& disk, const std::string& name) {
  const auto header = segments::decode_segment_header(std::string_view(disk.content(name)).substr(0, k_block));
  const auto file = disk.open(name, segments::Disk::Mode::read);
  segments::FrameScan scan(*file, *header, segments::k_first_frame, static_cast<std::uint32_t>(header->bytes / k_block),
                           segments::DiskFile::From::cache);
  std::vector<std::uint32_t> blocks;
  while (scan.next() == segments::FrameScan::Found::frame) blocks.push_back(scan.block());
  return blocks;
}

class SegmentDamageTest : public testing::Test {
 protected:
  SegmentDamageTest() { live(disk_, 24, answered_); }

  // Empty: it opens and has everything; else the sentence of the refusal. Fails if something is missing without a word.
  std::string refusal(SimulatedDisk& disk) const {
    try {
      if (!segments::SegmentWriter::exists(disk)) return ADD_FAILURE() << "the journal is taken for one that was never made", "";
      EXPECT_EQ(compare(disk, answered_), "");
    } catch (const SegmentDamage& damage) {
      return damage.what();
    } catch (const segments::LaterFormat& later) {
      return later.what();
    }
    return "";
  }
  std::string refusal_after(const std::function<void(SimulatedDisk&)>& change) const {
    SimulatedDisk disk = disk_.copy();
    change(disk);
    return refusal(disk);
  }
  std::vector<std::string> names_in_use() {
    SettledWriter writer(disk_, small_segments());
    std::vector<std::string> names;
    for (const segments::Segment& segment : writer.catalog().snapshot().segments) names.push_back(segment.name());
    return names;
  }

  SimulatedDisk disk_;
  Answered answered_;
};

// A bit of each byte that means something, each bit of the marker and of the headers of the last segment in use, and a bit in each KiB of
// padding and unused room.
TEST_F(SegmentDamageTest, AnyFlippedBitIsRefusedByNameOrDoesNoHarm) {
  std::mt19937_64 random(1);
  const std::string last = names_in_use().back();
  std::size_t refused = 0;
  std::size_t harmless = 0;
  const auto flip = [&](const std::string& name, std::uint64_t bit) {
    SCOPED_TRACE(name + ", bit " + std::to_string(bit));
    const std::string sentence = refusal_after([&](SimulatedDisk& disk) { disk.flip_bit(name, bit); });
    if (sentence.empty()) return void(++harmless);
    ++refused;
    EXPECT_THAT(sentence, AllOf(HasSubstr("journal/"), HasSubstr("holdfast restore")));
  };
  for (const std::string& name : disk_.names()) {
    const std::string content = disk_.content(name);
    const bool each_bit = name == "reach" || name == last;
    for (std::size_t at = 0; at < content.size(); ++at) {
      const bool means_something = content[at] != '\0' && content[at] != content[at - std::min<std::size_t>(at, 1)];   // not inside a body
      if (each_bit && means_something && at % segments::k_block < segments::k_frame_header) {
        for (std::uint64_t bit = 0; bit < 8; ++bit) flip(name, 8 * at + bit);
      } else if (means_something || at % 1'024 == 0) {
        flip(name, 8 * at + random() % 8);
      }
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(refused, 3'000U);
  EXPECT_GT(harmless, 100U);
}

TEST_F(SegmentDamageTest, AnyTruncationIsRefusedByName) {
  for (const std::string& name : disk_.names()) {
    const std::size_t size = disk_.content(name).size();
    for (std::size_t bytes = 0; bytes < size; bytes += size / 24 - 1) {
      const std::string sentence = refusal_after([&](SimulatedDisk& disk) { disk.resize(name, bytes); });
      EXPECT_THAT(sentence, HasSubstr("journal/" + name)) << bytes;
    }
    EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) { disk.resize(name, size + 1); }), HasSubstr(name));
  }
}

TEST_F(SegmentDamageTest, AMissingSegmentIsRefusedByItsName) {
  const std::vector<std::string> names = names_in_use();
  ASSERT_GE(names.size(), 3U);
  for (const std::string& name : {names.front(), names[1]}) {
    EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) { disk.take(name); }), HasSubstr("journal/" + name + " is damaged: it is missing"));
  }
  EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) {
                for (const std::string& name : disk.names()) {
                  if (name >= names.back() && name.ends_with(".segment")) disk.take(name);   // the last one, and those prepared
                }
              }),
              HasSubstr("journal/" + names.back() + " is damaged: it is missing, and the file reach knows that it was in use"));
  EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) {
                for (const std::string& name : disk.names()) {
                  if (name.ends_with(".segment")) disk.take(name);
                }
              }),
              HasSubstr("it has no segment"));
}

TEST_F(SegmentDamageTest, AMissingMarkerIsRefused) {
  EXPECT_THAT(refusal_after([](SimulatedDisk& disk) { disk.take("reach"); }), HasSubstr("journal/reach is damaged: it is missing"));
}

TEST_F(SegmentDamageTest, AMarkerOfAnotherJournalIsRefused) {
  const std::string sentence = refusal_after([](SimulatedDisk& disk) {
    segments::ReachMarker::create(disk, {1, 2, 3}, {});
    segments::ReachMarker(disk, segments::Disk::Mode::write).note({}, 1);
  });
  EXPECT_THAT(sentence, HasSubstr("it is of another journal"));
}

TEST_F(SegmentDamageTest, ASegmentOfAnotherJournalOrUnderAnotherNameIsRefused) {
  const std::vector<std::string> names = names_in_use();
  SimulatedDisk other;
  segments::SegmentWriter::create(other, small_segments(), {9, 9, 9}, {});
  EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) { disk.put(names.front(), other.content(name_of_segment(1))); }),
              HasSubstr(names.front() + " is damaged: it is of another journal"));
  EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) { disk.put(names[1], disk.content(names[0])); }),
              HasSubstr(names[1] + " is damaged: it is segment 1 under another name"));
}

TEST_F(SegmentDamageTest, ASegmentFromAnOlderBackupIsRefused) {
  const std::vector<std::string> names = names_in_use();
  std::size_t refused = 0;
  for (std::size_t call = 0;; ++call) {   // each moment of a backup
    SimulatedDisk older;
    Answered answered;
    older.crash_at(call, SimulatedDisk::When::after);
    try {
      live(older, 24, answered);
      break;
    } catch (const Crash&) {
      older.end_process();
    }
    const std::vector<std::string> there = older.names();
    for (const std::string& name : names) {
      if (std::ranges::find(there, name) == there.end() || older.content(name) == disk_.content(name)) continue;
      const std::string sentence = refusal_after([&](SimulatedDisk& disk) { disk.put(name, older.content(name)); });
      EXPECT_THAT(sentence, AllOf(HasSubstr("journal/"), HasSubstr(" is damaged"))) << name << " from call " << call;
      SimulatedDisk disk = disk_.copy();
      disk.put(name, older.content(name));
      EXPECT_THROW(SettledWriter(disk, small_segments()), SegmentDamage) << "the start itself must see it";
      ++refused;
    }
  }
  EXPECT_GT(refused, 50U);
}

TEST_F(SegmentDamageTest, AJournalWithAnotherHistoryIsNotTakenForItsPair) {
  SimulatedDisk other;
  segments::SegmentWriter::create(other, small_segments(), k_test_journal, {});
  SettledWriter writer(other, small_segments());
  while (writer.reach().round < 24) {
    segments::Round round(writer.reach());
    round.add_row(1, 1, 1, k_test_time, "another history");
    writer.append(round);
    writer.supply().prepare();
  }
  EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) { disk.put("reach", other.content("reach")); }), HasSubstr("not a pair"));
}

TEST_F(SegmentDamageTest, AWholeFrameBehindADamagedOneIsRefusedWithBothPlaces) {
  const std::string last = names_in_use().back();
  const std::string content = disk_.content(last);
  const std::string sentence = refusal_after([&](SimulatedDisk& disk) { disk.flip_bit(last, 8 * 2 * k_block + 800); });
  EXPECT_THAT(sentence, AllOf(HasSubstr("journal/" + last + " is damaged at byte 8192"), HasSubstr("is whole behind it, at byte "),
                              HasSubstr("holdfast repair --accept-loss")));
}

TEST_F(SegmentDamageTest, ALaterFormatIsRefusedByItsVersion) {
  const std::string last = names_in_use().back();
  const std::string sentence = refusal_after([&](SimulatedDisk& disk) {
    std::string content = disk.content(last);
    segments::put(content.data() + 16, std::uint32_t{2});
    segments::put(content.data(), segments::checksum(std::string_view(content).substr(8, segments::k_file_header - 8), 0));
    disk.put(last, content);
  });
  EXPECT_EQ(sentence, "journal/" + last +
                          " was written by a later version of Holdfast: it has format version 2, and this program reads version 1. Nothing "
                          "was changed. Use the version that wrote it, or a later one.");
  const std::string marker = refusal_after([&](SimulatedDisk& disk) { rewrite_reach(disk, 16, 2); });
  EXPECT_THAT(marker, AllOf(HasSubstr("journal/reach was written by a later version"), HasSubstr("it has format version 2, and this")));
  EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) { rewrite_reach(disk, segments::k_after_begin, 7); }),
              HasSubstr("journal/reach was written by a later version of Holdfast: it has a state that this program does not know"));
}

TEST_F(SegmentDamageTest, AWholeFrameOfAnUnknownKindIsRefusedByItsKind) {
  const std::string last = names_in_use().back();
  const std::string sentence = refusal_after([&](SimulatedDisk& disk) { rewrite(disk, last, frames_of(disk, last).back(), 20, 9); });
  EXPECT_THAT(sentence, AllOf(HasSubstr("journal/" + last + " was written by a later version of Holdfast"),
                              HasSubstr("is whole, and its kind is 9, which this program does not know")));
  EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) { rewrite(disk, last, segments::k_first_frame, 20, 9); }), HasSubstr("its kind is 9"));
}

TEST_F(SegmentDamageTest, AnOpeningWithRowsIsRefused) {
  const std::string last = names_in_use().back();
  const std::string sentence = refusal_after([&](SimulatedDisk& disk) { rewrite(disk, last, segments::k_first_frame, 72, 1); });
  EXPECT_THAT(sentence, HasSubstr("it is an opening with rows"));
}

TEST_F(SegmentDamageTest, AnUnknownIncompatibleFeatureIsRefusedAndACompatibleOneIsNot) {
  const std::string last = names_in_use().back();
  const std::uint32_t frame = frames_of(disk_, last).back();
  const auto unknown = AllOf(HasSubstr("was written by a later version of Holdfast"),
                             HasSubstr("this one does not know its incompatible features (bits 4)"));
  EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) { rewrite_header(disk, last, 24, 4); }), unknown);
  EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) { rewrite(disk, last, frame, 84, 4); }), unknown);
  EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) { rewrite_reach(disk, 24, 4); }), unknown);
  EXPECT_EQ(refusal_after([&](SimulatedDisk& disk) { rewrite_header(disk, last, 20, 4); }), "");
  EXPECT_EQ(refusal_after([&](SimulatedDisk& disk) { rewrite(disk, last, frame, 80, 4); }), "");
  EXPECT_EQ(refusal_after([&](SimulatedDisk& disk) { rewrite_reach(disk, 20, 4); }), "");
}

TEST_F(SegmentDamageTest, ASegmentWithFewerBlocksThanItNeedsIsRefused) {
  const std::string last = names_in_use().back();
  const std::string sentence = refusal_after([&](SimulatedDisk& disk) {
    rewrite_header(disk, last, 41, static_cast<char>(15 * k_block >> 8));
    rewrite_header(disk, last, 42, '\0');
    disk.resize(last, 15 * k_block);
  });
  EXPECT_THAT(sentence, HasSubstr("its header has numbers that there cannot be"));
}

// The marker's round is older than the journal after a power cut. The number of the segment is not.
TEST_F(SegmentDamageTest, ALostLastSegmentIsMissedAfterAPowerCut) {
  SimulatedDisk disk;
  std::string last;
  segments::SegmentWriter::create(disk, small_segments(), k_test_journal, {});
  {
    SettledWriter writer(disk, small_segments());
    while (writer.catalog().snapshot().segments.size() < 3) {
      segments::Round round = test_round(writer.reach());
      writer.append(round);
    }
    last = writer.catalog().snapshot().segments.back().name();
  }
  disk.lose_power([](std::size_t) { return false; });
  ASSERT_GT(frames_of(disk, last).size(), 1U);
  const auto refusal_of = [&](const std::function<void(SimulatedDisk&)>& change) -> std::string {
    SimulatedDisk changed = disk.copy();
    change(changed);
    try {
      SettledWriter(changed, small_segments());
    } catch (const SegmentDamage& damage) {
      return damage.what();
    }
    return "";
  };
  EXPECT_THAT(refusal_of([&](SimulatedDisk& changed) { changed.take(last); }),
              HasSubstr("journal/" + last + " is damaged: it is missing, and the file reach knows that it was in use"));
  EXPECT_THAT(refusal_of([&](SimulatedDisk& changed) {
                std::string content = changed.content(last);
                std::fill(content.begin() + k_block, content.end(), '\0');
                changed.put(last, content);
              }),
              HasSubstr("the file reach knows that the segment was in use"));
}

// A journal after a power cut: the marker's round is older than its last rounds.
class SegmentTornTest : public testing::Test {
 protected:
  SegmentTornTest() {
    live(disk_, 4, answered_);
    SettledWriter writer(disk_, small_segments());
    disk_.lose_power([](std::size_t) { return false; });
    const std::string reach = disk_.content("reach");
    SettledWriter next(disk_, small_segments());
    while (next.reach().round < 7) {
      segments::Round round = test_round(next.reach());
      next.append(round);
    }
    next.supply().prepare();
    next.supply().prepare();
    answered_.reach = next.reach();
    disk_.put("reach", reach);
    last_ = next.catalog().snapshot().segments.back().name();
    frames_ = frames_of(disk_, last_);
    end_ = next.catalog().snapshot().end_block;
    EXPECT_GT(frames_.size(), 3U);
  }

  std::string refusal_after(const std::function<void(SimulatedDisk&)>& change) const {
    SimulatedDisk disk = disk_.copy();
    change(disk);
    try {
      SettledWriter(disk, small_segments());
    } catch (const SegmentDamage& damage) {
      return damage.what();
    }
    return "";
  }
  std::size_t byte_of(std::uint32_t block) const { return std::size_t{block} * k_block; }

  SimulatedDisk disk_;
  Answered answered_;
  std::string last_;
  std::vector<std::uint32_t> frames_;
  std::uint32_t end_ = 0;
};

TEST_F(SegmentTornTest, ADamagedRoundBeforeATornOneIsRefused) {
  EXPECT_EQ(refusal_after([](SimulatedDisk&) {}), "");
  const std::uint32_t torn = frames_.back();
  const std::uint32_t answered = frames_[frames_.size() - 2];
  EXPECT_EQ(refusal_after([&](SimulatedDisk& disk) { flip_byte(disk, last_, byte_of(torn) + 90); }), "");
  for (const std::size_t damaged : {std::size_t{0}, std::size_t{9}, std::size_t{85}}) {   // the checksum, the magic, the body
    EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) {
                  flip_byte(disk, last_, byte_of(torn) + 90);
                  flip_byte(disk, last_, byte_of(answered) + damaged);
                }),
                AllOf(HasSubstr("journal/" + last_ + " is damaged at byte " + std::to_string(byte_of(answered))), HasSubstr("round 7")))
        << damaged;
  }
}

TEST_F(SegmentTornTest, ATornHeaderThatDoesNotFollowIsRefused) {
  for (const std::size_t at : {std::size_t{24}, std::size_t{32}, std::size_t{76}}) {   // round, position, the block before
    EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) { flip_byte(disk, last_, byte_of(frames_.back()) + at); }),
                HasSubstr("does not follow on round 6"))
        << at;
  }
}

TEST_F(SegmentTornTest, BytesBeyondATornWriteAreRefused) {
  const auto torn_and = [&](std::uint32_t block) {
    return refusal_after([&](SimulatedDisk& disk) {
      flip_byte(disk, last_, byte_of(frames_.back()) + 90);
      flip_byte(disk, last_, byte_of(block) + 700);
    });
  };
  EXPECT_EQ(torn_and(end_ - 1), "");
  EXPECT_THAT(torn_and(end_), HasSubstr(last_ + " is damaged at byte " + std::to_string(byte_of(end_))));
}

TEST_F(SegmentTornTest, TornWritesInTwoSegmentsAreRefused) {
  const std::string next = name_of_segment(*segments::number_of_segment(last_) + 1);
  const std::string further = name_of_segment(*segments::number_of_segment(last_) + 2);
  EXPECT_EQ(refusal_after([&](SimulatedDisk& disk) { flip_byte(disk, next, byte_of(1) + 700); }), "");
  EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) {
                flip_byte(disk, next, byte_of(1) + 700);
                flip_byte(disk, last_, byte_of(end_) + 700);
              }),
              HasSubstr(next + " is damaged at byte 4096"));
  EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) { flip_byte(disk, next, byte_of(4)); }),
              HasSubstr(next + " is damaged at byte 16384"));
  EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) { flip_byte(disk, further, byte_of(1)); }),
              HasSubstr(further + " is damaged at byte 4096"));
}

TEST_F(SegmentDamageTest, AJournalThatWasStoppedEndsExactlyThere) {
  live(disk_, 26, answered_);
  const std::string last = names_in_use().back();
  SettledWriter(disk_, small_segments()).stop();
  EXPECT_EQ(refusal_after([](SimulatedDisk&) {}), "");
  const std::string stopped = disk_.content("reach");
  const std::size_t free = disk_.content(last).size() - k_block;
  EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) { flip_byte(disk, last, free); }), HasSubstr("stopped cleanly"));
  EXPECT_THAT(refusal_after([&](SimulatedDisk& disk) {
                {
                  SettledWriter writer(disk, small_segments());
                  segments::Round round = test_round(writer.reach());
                  writer.append(round);
                }
                disk.put("reach", stopped);
              }),
              HasSubstr("stopped cleanly"));
}

TEST_F(SegmentDamageTest, DamageToASegmentThatWasGivenUpDoesNoHarm) {
  SettledWriter writer(disk_, small_segments());
  const std::uint64_t keep = segments::first_segment_to_keep(writer.catalog(), writer.reach().head.position);
  const std::string given_up = name_of_segment(keep - 1);
  segments::Round round(writer.reach());
  round.add_note(k_test_note, "round 24");
  round.add_note(segments::k_note_first_kept, segments::note_of_first_kept(keep));
  writer.append(round);   // and the process ends before it removes the files
  answered_.reach = writer.reach();
  answered_.kept_from = keep;
  for (const std::size_t at : {std::size_t{9}, k_block + 9, 2 * k_block + 9}) {
    SimulatedDisk disk = disk_.copy();
    flip_byte(disk, given_up, at);
    EXPECT_EQ(refusal(disk), "") << at;
    EXPECT_THAT(disk.names(), testing::Not(testing::Contains(given_up)));
  }
  EXPECT_EQ(refusal_after([&](SimulatedDisk& disk) { disk.resize(given_up, 100); }), "");
}

// The writer refuses to write such a note: it would miss segments that were removed.
TEST_F(SegmentDamageTest, ANoteOfTheFirstKeptSegmentThatGoesBackIsRefused) {
  live(disk_, 44, answered_);
  const segments::ReachMarker marker(disk_, segments::Disk::Mode::read);
  const segments::Recovered found = segments::recover(disk_, marker, segments::Disk::Mode::write);
  const segments::Segment& last = found.segments[found.last];
  const std::uint64_t kept = *segments::first_kept_in(found.notes);
  ASSERT_GT(kept, 1U);
  for (const std::uint64_t number : {kept - 1, kept}) {
    SimulatedDisk disk = disk_.copy();
    segments::Round round(found.reach);
    round.add_note(segments::k_note_first_kept, segments::note_of_first_kept(number));
    disk.open(last.name(), segments::Disk::Mode::write)
        ->write_durably(std::uint64_t{found.end_block} * k_block,
                        round.finish(segments::FrameKind::round, last.header, found.end_block, found.last_frame));
    segments::ReachMarker(disk, segments::Disk::Mode::write).note(round.after(), last.header.number);
    const std::string sentence = refusal(disk);
    if (number == kept) EXPECT_EQ(sentence, "");
    else EXPECT_THAT(sentence, HasSubstr("its note of the first segment that is kept goes back"));
  }
}

TEST_F(SegmentDamageTest, AMarkerThatSaysCreatingDoesNotRemoveAJournal) {
  const auto refusal_to_create = [&](SimulatedDisk& disk) -> std::string {
    const std::vector<std::string> names = disk.names();
    try {
      segments::SegmentWriter::create(disk, small_segments(), k_test_journal, {});
    } catch (const SegmentDamage& damage) {
      EXPECT_EQ(disk.names(), names) << "it has removed files";
      return damage.what();
    }
    return "";
  };
  segments::ReachMarker::create(disk_, k_test_journal, {});
  EXPECT_THAT(refusal_to_create(disk_), HasSubstr("journal/reach is damaged: it says that the journal is being created"));
  // A first segment with a round, alone.
  SimulatedDisk one;
  segments::SegmentWriter::create(one, small_segments(), k_test_journal, {});
  {
    SettledWriter writer(one, small_segments());
    segments::Round round = test_round(writer.reach());
    writer.append(round);
  }
  segments::ReachMarker::create(one, k_test_journal, {});
  SimulatedDisk damaged = one.copy();
  EXPECT_THAT(refusal_to_create(one), HasSubstr("journal/reach is damaged: it says that the journal is being created"));
  flip_byte(damaged, name_of_segment(1), 2 * k_block + 90);
  EXPECT_THAT(refusal_to_create(damaged), HasSubstr("journal/reach is damaged: it says that the journal is being created"));
}

// The marker was written without a sync, and the power cut took it: the journal is ahead of it, which is well.
TEST_F(SegmentDamageTest, AnOlderMarkerIsAcceptedAfterAPowerCut) {
  SimulatedDisk older;
  Answered answered;
  for (const std::uint64_t last : {2U, 7U, 15U, 20U}) {
    live(older, last, answered);
    older.end_process();
    { const SettledWriter next(older, small_segments()); }   // which has not stopped
    EXPECT_EQ(refusal_after([&](SimulatedDisk& disk) { disk.put("reach", older.content("reach")); }), "") << last;
  }
}

}   // namespace
}   // namespace holdfast::test
