// A damaged journal is surveyed without a change, and what is before the damage becomes a journal of its own.
#include "ledger/embedded/segments/salvage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <random>

#include "ledger/embedded/segments/frame_scan.h"
#include "ledger/embedded/segments/reach_marker.h"
#include "ledger/embedded/segments/segments_in_test.h"
#include "ledger/embedded/segments/simulated_disk.h"

namespace holdfast::test {
namespace {

using segments::EventLoss;
using segments::k_block;
using segments::name_of_segment;
using segments::Round;
using segments::SegmentReader;
using segments::SegmentWriter;
using segments::Stretch;
using segments::Survey;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr segments::JournalId k_new_journal{0xAA, 0xBB};

// A frame of the whole journal, and the rows in it.
struct Frame {
  std::string name;
  std::uint32_t block = 0;
  bool is_opening = false;
  Position first = 0;
  Position last = 0;   // first - 1: it has none
};

class SalvageTest : public testing::Test {
 protected:
  SalvageTest() {
    live(disk_, 19, answered_);   // three segments
    for (const std::string& name : disk_.names()) {
      if (segments::number_of_segment(name)) read_frames(name);
    }
    EXPECT_EQ(frames_.back().name, name_of_segment(3));
  }

  void read_frames(const std::string& name) {
    const auto header = segments::decode_segment_header(std::string_view(disk_.content(name)).substr(0, k_block));
    const auto file = disk_.open(name, segments::Disk::Mode::read);
    segments::FrameScan scan(*file, *header, segments::k_first_frame, static_cast<std::uint32_t>(header->bytes / k_block),
                             segments::DiskFile::From::cache);
    while (scan.next() == segments::FrameScan::Found::frame) {
      const Position first = scan.header().before.position + 1;
      frames_.push_back({.name = name,
                         .block = scan.block(),
                         .is_opening = scan.header().kind == segments::FrameKind::opening,
                         .first = first,
                         .last = first + static_cast<Position>(scan.header().rows) - 1});
    }
  }
  Position last() const { return answered_.reach.head.position; }

  // Surveys, writes what is kept, and checks that the new journal has it and that the damaged files are as they were.
  static Survey salvage(SimulatedDisk& damaged, SimulatedDisk& fresh) {
    std::map<std::string, std::string> before;
    for (const std::string& name : damaged.names()) before[name] = damaged.content(name);
    Survey survey = segments::survey_journal(damaged);
    EXPECT_NO_THROW(segments::write_kept(damaged, survey, fresh, small_segments(7), k_new_journal));
    for (const auto& [name, content] : before) EXPECT_EQ(damaged.content(name), content) << name;
    EXPECT_EQ(before.size(), damaged.names().size());

    SettledWriter writer(fresh, small_segments(7));
    EXPECT_EQ(writer.reach().head, survey.kept);
    const SegmentReader reader(fresh, writer.catalog());
    EXPECT_EQ(reader.oldest(), survey.start->head.position + 1);
    EXPECT_EQ(compare_rows(reader, reader.oldest(), survey.kept.position), "");
    return survey;
  }

  SimulatedDisk disk_;
  Answered answered_;
  std::vector<Frame> frames_;
};

TEST_F(SalvageTest, OfAWholeJournalNothingIsLost) {
  SimulatedDisk fresh;
  const Survey survey = salvage(disk_, fresh);
  EXPECT_THAT(survey.damage, IsEmpty());
  EXPECT_EQ(survey.kept, answered_.reach.head);
  EXPECT_THAT(survey.unreadable, IsEmpty());
  EXPECT_THAT(survey.readable, IsEmpty());
  SettledWriter writer(fresh, small_segments(7));
  EXPECT_EQ(writer.notes().at(k_test_note), "round 16");
}

TEST_F(SalvageTest, AnyDamagedFrameLosesItsRowsAndThoseBehindItAndNoOthers) {
  for (const Frame& frame : frames_) {
    SCOPED_TRACE(frame.name + ", block " + std::to_string(frame.block));
    SimulatedDisk damaged = disk_.copy();
    damaged.flip_bit(frame.name, 8 * (std::size_t{frame.block} * k_block + 30));
    SimulatedDisk fresh;
    const Survey survey = salvage(damaged, fresh);
    ASSERT_EQ(survey.damage.size(), 1U);
    EXPECT_THAT(survey.damage[0],
                HasSubstr("journal/" + frame.name + ", byte " + std::to_string(std::uint64_t{frame.block} * k_block) + ": it is not"));
    if (frame.is_opening) {   // it only repeats where the journal stood
      EXPECT_THAT(survey.damage[0], HasSubstr("No row is lost by it"));
      EXPECT_EQ(survey.kept, answered_.reach.head);
      continue;
    }
    EXPECT_EQ(survey.kept.position, frame.first - 1);
    if (frame.last >= frame.first) EXPECT_THAT(survey.unreadable, ElementsAre(Stretch{frame.first, frame.last}));
    if (frame.last < last() && frame.last >= frame.first) {
      EXPECT_THAT(survey.readable, ElementsAre(Stretch{frame.last + 1, last()}));
      EXPECT_FALSE(survey.events.empty());
    }
  }
}

TEST_F(SalvageTest, RowsOnBothSidesOfTheDamageAreVisitedInOrder) {
  for (const Frame& frame : frames_) {
    SCOPED_TRACE(frame.name + ", block " + std::to_string(frame.block));
    SimulatedDisk damaged = disk_.copy();
    damaged.flip_bit(frame.name, 8 * (std::size_t{frame.block} * k_block + 30));
    std::vector<Position> seen;
    segments::each_readable_row(damaged, segments::survey_journal(damaged), [&](const JournalRow& row) {
      seen.push_back(row.position);
      return true;
    });
    std::vector<Position> expected;
    for (Position each = 1; each <= last(); ++each) {
      if (each < frame.first || each > frame.last) expected.push_back(each);
    }
    EXPECT_EQ(seen, expected);
  }
  std::size_t rows = 0;
  segments::each_readable_row(disk_, segments::survey_journal(disk_), [&](const JournalRow&) { return ++rows < 5; });
  EXPECT_EQ(rows, 5U);
}

// A disk that cannot read a block any more is no worse than one whose bytes are others.
TEST_F(SalvageTest, ABlockThatCannotBeReadLosesTheRowsInItAndThoseBehindIt) {
  for (const Frame& frame : frames_) {
    SCOPED_TRACE(frame.name + ", block " + std::to_string(frame.block));
    SimulatedDisk worn = disk_.copy();
    worn.wear_out(frame.name, frame.block);
    SimulatedDisk fresh;
    const Survey survey = salvage(worn, fresh);
    ASSERT_FALSE(survey.damage.empty());
    EXPECT_THAT(survey.damage[0],
                HasSubstr("journal/" + frame.name + ", byte " + std::to_string(std::uint64_t{frame.block} * k_block) + ": it is not"));
    EXPECT_EQ(survey.kept.position, frame.is_opening ? last() : frame.first - 1);
  }
}

TEST_F(SalvageTest, AHeaderOrAMarkerThatCannotBeReadIsToldAndDoesNotEndTheSurvey) {
  SimulatedDisk worn = disk_.copy();
  worn.wear_out(name_of_segment(2), 0);
  SimulatedDisk fresh;
  EXPECT_EQ(salvage(worn, fresh).kept.position, std::ranges::find(frames_, name_of_segment(2), &Frame::name)->first - 1);

  SimulatedDisk blind = disk_.copy();
  blind.wear_out("reach", 0);
  SimulatedDisk other;
  const Survey survey = salvage(blind, other);
  EXPECT_EQ(survey.kept, answered_.reach.head);
  EXPECT_THAT(survey.damage, ElementsAre(HasSubstr("journal/reach: it cannot be read")));
}

// Whichever reading of the survey fails once: the next one of the same block succeeds, and no row is lost.
TEST_F(SalvageTest, AReadingThatFailsOnceLosesNothing) {
  segments::survey_journal(disk_);
  const std::size_t readings = disk_.reads();
  for (std::size_t failing = 0; failing < readings; ++failing) {
    SCOPED_TRACE("reading " + std::to_string(failing));
    SimulatedDisk damaged = disk_.copy();
    damaged.fail_read_at(failing);
    const Survey survey = segments::survey_journal(damaged);
    EXPECT_EQ(survey.kept, answered_.reach.head);
    EXPECT_THAT(survey.unreadable, IsEmpty());
    EXPECT_THAT(survey.readable, IsEmpty());
  }
}

// A journal that ends with the opening of its second segment: the writer was killed before the first round there.
void begin_segment_only(SimulatedDisk& disk) {
  for (std::size_t call = 0;; ++call) {
    disk = SimulatedDisk();
    Answered answered;
    disk.crash_at(call, SimulatedDisk::When::before);
    try {
      live(disk, 19, answered);
      FAIL() << "no segment begins";
    } catch (const Crash&) {}
    disk.end_process();
    if (!SegmentWriter::exists(disk) || segments::ReachMarker(disk, segments::Disk::Mode::read).segment() != 2) continue;
    SimulatedDisk copy = disk.copy();
    SettledWriter writer(copy, small_segments());
    ASSERT_EQ(writer.catalog().snapshot().segments.back().before->round, writer.reach().round);
    return;
  }
}

// The frames follow each other, and a start refuses all the same: the survey must not say that all is well.
TEST_F(SalvageTest, TellsOfEachDamageThatAStartRefusesAlthoughNoRowIsLost) {
  const auto expect = [](SimulatedDisk& damaged, const std::string& told) {
    SCOPED_TRACE(told);
    SimulatedDisk started = damaged.copy();
    EXPECT_THROW(SettledWriter(started, small_segments()), segments::SegmentDamage);
    SimulatedDisk fresh;
    const Survey survey = salvage(damaged, fresh);
    EXPECT_THAT(survey.damage, ElementsAre(testing::AllOf(HasSubstr(told), testing::Not(HasSubstr("accept-loss")))));
    EXPECT_THAT(survey.unreadable, IsEmpty());
    EXPECT_THAT(survey.readable, IsEmpty());
  };
  SimulatedDisk prepared = disk_.copy();
  prepared.flip_bit(name_of_segment(4), 8 * 40);
  expect(prepared, "0000000004.segment is damaged: the checksum of its header");
  SimulatedDisk cut = disk_.copy();
  cut.resize(frames_.back().name, cut.content(frames_.back().name).size() - 100);
  expect(cut, frames_.back().name + " is damaged: it has ");
  SimulatedDisk unpaired = disk_.copy();
  segments::ReachMarker marker(unpaired, segments::Disk::Mode::write);
  segments::Reach other = marker.reach();
  other.head.hash[0] ^= 1;
  marker.note(other, marker.segment(), marker.state());
  expect(unpaired, "it and the segments are not a pair");

  SimulatedDisk begun;
  ASSERT_NO_FATAL_FAILURE(begin_segment_only(begun));
  SimulatedDisk unopened = begun.copy();
  unopened.flip_bit(name_of_segment(2), 8 * (segments::k_first_frame * k_block + 30));
  expect(unopened, "the file reach knows that the segment was in use");
  for (const std::string& name : begun.names()) {
    if (segments::number_of_segment(name).value_or(0) >= 2) begun.take(name);
  }
  expect(begun, "0000000002.segment is damaged: it is missing");
}

TEST_F(SalvageTest, TellsWhatIsLostOfEachEvent) {
  SimulatedDisk disk;
  SegmentWriter::create(disk, small_segments(), k_test_journal, {});
  {
    SettledWriter writer(disk, small_segments());
    const auto write = [&](EventNumber event, Seq first_seq, std::uint32_t changes) {
      Round round(writer.reach());
      round.add_row(event, first_seq, changes, k_test_time, "row");
      writer.append(round);
    };
    write(1, 1, 5);   // block 2
    write(2, 1, 3);
    write(1, 6, 4);   // block 4: damaged
    write(2, 4, 1);
    write(1, 10, 2);
    write(3, 1, 7);
  }
  disk.flip_bit(name_of_segment(1), 8 * (4 * k_block + 100));
  SimulatedDisk fresh;
  SegmentWriter::create(fresh, small_segments(), k_new_journal, {});
  const Survey survey = segments::survey_journal(disk);
  EXPECT_EQ(survey.kept.position, 2);
  EXPECT_THAT(survey.events, ElementsAre(testing::Pair(1, EventLoss{.first_lost = 6, .readable = 2, .unreadable = 4}),
                                         testing::Pair(2, EventLoss{.first_lost = 4, .readable = 1, .unreadable = 0}),
                                         testing::Pair(3, EventLoss{.first_lost = 1, .readable = 7, .unreadable = 0})));
  EXPECT_THROW(segments::write_kept(disk, survey, fresh, small_segments(), k_new_journal), DataError) << "the folder has a journal";
}

TEST_F(SalvageTest, AMissingOrDamagedSegmentLosesItsRowsAndThoseBehindIt) {
  const std::string middle = name_of_segment(2);
  const auto first_of = [&](const std::string& name) { return std::ranges::find(frames_, name, &Frame::name)->first; };
  const Position first = first_of(middle);
  const Position next = first_of(name_of_segment(3));
  const auto expect = [&](const std::function<void(SimulatedDisk&)>& damage, const std::string& told) {
    SimulatedDisk damaged = disk_.copy();
    damage(damaged);
    SimulatedDisk fresh;
    const Survey survey = salvage(damaged, fresh);
    EXPECT_EQ(survey.kept.position, first - 1) << told;
    EXPECT_THAT(survey.unreadable, ElementsAre(Stretch{first, next - 1}));
    EXPECT_THAT(survey.readable, ElementsAre(Stretch{next, last()}));
    ASSERT_FALSE(survey.damage.empty());
    EXPECT_THAT(survey.damage[0], HasSubstr("journal/" + middle + told));
  };
  expect([&](SimulatedDisk& disk) { disk.take(middle); }, ": it is missing");
  expect([&](SimulatedDisk& disk) { disk.flip_bit(middle, 8 * 40); }, ": the checksum of its header");
  expect([&](SimulatedDisk& disk) { disk.resize(middle, 100); }, ": the file ends in its header");
  expect([&](SimulatedDisk& disk) { disk.put(middle, disk.content(name_of_segment(1))); }, ": it is segment 1 under another name");
}

TEST_F(SalvageTest, TheMarkerTellsOfLostRowsAtTheEndAndAMissingOneIsTold) {
  const Frame& end = frames_.back();
  {
    SimulatedDisk damaged = disk_.copy();
    std::string bytes = damaged.content(end.name);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(end.block * k_block), bytes.end(), '\0');
    damaged.put(end.name, bytes);
    SimulatedDisk fresh;
    const Survey survey = salvage(damaged, fresh);
    EXPECT_EQ(survey.kept.position, end.first - 1);
    EXPECT_THAT(survey.unreadable, ElementsAre(Stretch{end.first, last()}));
    EXPECT_THAT(survey.damage, ElementsAre(HasSubstr(end.name + ": its last rounds are missing")));
  }
  SimulatedDisk damaged = disk_.copy();
  damaged.take("reach");
  SimulatedDisk fresh;
  EXPECT_THAT(salvage(damaged, fresh).damage, ElementsAre(HasSubstr("journal/reach: it is missing, so nobody knows")));
  damaged.put("reach", std::string(2 * k_block, 'x'));
  SimulatedDisk other;
  EXPECT_THAT(salvage(damaged, other).damage, ElementsAre(HasSubstr("journal/reach: it cannot be read")));
  // A marker that belongs to another journal says nothing about this one.
  segments::ReachMarker::create(damaged, {9, 9}, {.round = 1'000, .head = {.position = 1'000, .hash = {}}});
  SimulatedDisk third;
  EXPECT_EQ(salvage(damaged, third).kept, answered_.reach.head);
}

TEST_F(SalvageTest, AJournalThatRetentionHasShortenedKeepsItsPositions) {
  live(disk_, 40, answered_);
  frames_.clear();
  for (const std::string& name : disk_.names()) {
    if (segments::number_of_segment(name)) read_frames(name);
  }
  ASSERT_GT(frames_.front().first, 1);
  const Frame& frame = *std::find_if(frames_.begin() + static_cast<std::ptrdiff_t>(frames_.size() / 2), frames_.end(),
                                     [](const Frame& each) { return each.last >= each.first; });
  SimulatedDisk damaged = disk_.copy();
  damaged.flip_bit(frame.name, 8 * (std::size_t{frame.block} * k_block + 30));
  SimulatedDisk fresh;
  const Survey survey = salvage(damaged, fresh);
  EXPECT_EQ(survey.start->head.position, frames_.front().first - 1);
  EXPECT_EQ(survey.kept.position, frame.first - 1);
  SettledWriter writer(fresh, small_segments(7));
  EXPECT_FALSE(writer.notes().contains(segments::k_note_first_kept));

  // The round behind the opening says where the chain of hashes begins.
  SimulatedDisk unopened = disk_.copy();
  unopened.flip_bit(frames_.front().name, 8 * (segments::k_first_frame * k_block + 30));
  SimulatedDisk whole;
  const Survey all = salvage(unopened, whole);
  EXPECT_EQ(all.start->head.position, frames_.front().first - 1);
  EXPECT_EQ(all.kept, answered_.reach.head);
  // Without both nobody knows.
  unopened.flip_bit(frames_[1].name, 8 * (std::size_t{frames_[1].block} * k_block + 30));
  EXPECT_FALSE(segments::survey_journal(unopened).start.has_value());

  damaged.flip_bit(frames_.front().name, 8 * 40);
  const Survey beheaded = segments::survey_journal(damaged);
  EXPECT_FALSE(beheaded.start.has_value());
  SimulatedDisk none;
  try {
    segments::write_kept(damaged, beheaded, none, small_segments(), k_new_journal);
    ADD_FAILURE() << "a journal was made of nothing";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("the beginning of the journal in journal cannot be read"));
  }
  EXPECT_THAT(none.names(), IsEmpty());
}

// Each call on the new folder fails once. The damaged folder is as it was, and a new try in an empty folder is well.
TEST_F(SalvageTest, AFailureWhileItWritesIsAnErrorAndTheNextTryIsWell) {
  SimulatedDisk damaged = disk_.copy();
  const Frame& frame = frames_[frames_.size() - 3];
  damaged.flip_bit(frame.name, 8 * (std::size_t{frame.block} * k_block + 30));
  const Survey survey = segments::survey_journal(damaged);
  for (std::size_t failing = 0;; ++failing) {
    SimulatedDisk fresh;
    fresh.fail_at(failing, failing % 2 == 0 ? EIO : ENOSPC);
    try {
      segments::write_kept(damaged, survey, fresh, small_segments(), k_new_journal);
      EXPECT_EQ(SettledWriter(fresh, small_segments()).reach().head, survey.kept);
      if (failing > 60) break;
    } catch (const DataError&) {}
    SimulatedDisk again;
    salvage(damaged, again);
  }
}

// Whatever is damaged: no row is kept that is not as it was written, and every row is kept, readable or unreadable, once.
TEST_F(SalvageTest, AccountsForEachRowWhateverIsDamaged) {
  std::size_t kept_some = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    SimulatedDisk damaged = disk_.copy();
    std::vector<std::string> names;
    for (const std::string& name : damaged.names()) {
      if (name != "reach") names.push_back(name);
    }
    for (std::uint64_t i = 1 + random() % 3; i > 0; --i) {
      const std::string& name = names[random() % names.size()];
      const std::vector<std::string> there = damaged.names();
      if (std::ranges::find(there, name) == there.end()) continue;
      const std::size_t size = damaged.content(name).size();
      const std::uint64_t what = random() % 8;
      if (what == 0) damaged.take(name);
      else if (what == 1) damaged.resize(name, random() % size);
      else if (size > 0) damaged.flip_bit(name, random() % (8 * size));
    }
    if (damaged.names().size() < 2) continue;   // all segments are gone
    const Survey survey = segments::survey_journal(damaged);
    SimulatedDisk started = damaged.copy();
    try {
      const SettledWriter writer(started, small_segments());
    } catch (const segments::SegmentDamage& refused) {
      ASSERT_FALSE(survey.damage.empty()) << refused.what();
    }
    std::vector<int> seen(static_cast<std::size_t>(last()) + 1, 0);
    for (Position row = 1; survey.start && row <= survey.kept.position; ++row) ++seen[static_cast<std::size_t>(row)];
    for (const auto& stretches : {survey.unreadable, survey.readable}) {
      for (const Stretch& stretch : stretches) {
        for (Position row = stretch.first; row <= stretch.last; ++row) ++seen[static_cast<std::size_t>(row)];
      }
    }
    for (Position row = 1; row <= last(); ++row) ASSERT_EQ(seen[static_cast<std::size_t>(row)], 1) << "row " << row;
    if (!survey.start) continue;
    SimulatedDisk fresh;
    ASSERT_NO_FATAL_FAILURE(salvage(damaged, fresh));
    if (survey.kept.position > 0) ++kept_some;
  }
  EXPECT_GT(kept_some, 150U);
}

TEST(Salvage, OfAFolderWithoutASegmentThereIsNothingToSave) {
  SimulatedDisk disk;
  EXPECT_THROW(segments::survey_journal(disk), DataError);
}

}  // namespace
}  // namespace holdfast::test
