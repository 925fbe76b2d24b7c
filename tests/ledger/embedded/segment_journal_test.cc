// The journal of segments as the ledger uses it: what it promises in journal_writer.h, over a disk that fails and crashes, and over a real one.
#include "ledger/embedded/segment_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <map>
#include <random>
#include <thread>

#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/registry_marker.h"
#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/reach_marker.h"
#include "ledger/embedded/segments/segments_in_test.h"
#include "ledger/embedded/segments/simulated_disk.h"
#include "ledger/embedded/sqlite_journal.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using segments::k_block;
using segments::ReachMarker;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Without a thread, over a given disk; the same numbers are drawn each time.
SegmentJournal::Options over(segments::Disk& disk, std::uint64_t seed = 1) {
  auto random = std::make_shared<std::mt19937_64>(seed);
  return {.disk = &disk,
          .segment_bytes = k_small_segment,
          .first_segment_bytes = k_small_segment,
          .draw = [random] { return (*random)(); },
          .has_thread = false};
}
SegmentJournal::Options on_real_disk() { return {.segment_bytes = k_small_segment, .first_segment_bytes = k_small_segment}; }

// Appends the row that each test expects at its position, in a round of its own. False: it cannot be taken.
bool try_append(JournalWriter& journal, Work work = Work::growing) {
  std::string body;
  const JournalRow row = test_row(journal.head().position + 1, body);
  if (!journal.can_take(1, body.size(), work)) return false;
  journal.begin();
  journal.append(row.event, row.first_seq, row.changes, row.at, row.body);
  journal.commit();
  journal.tend();
  return true;
}
void append(JournalWriter& journal, Position through) {
  while (journal.head().position < through) ASSERT_TRUE(try_append(journal));
}

std::unique_ptr<SegmentJournal> open(const SegmentJournal::Options& options, const fs::path& data = {}) {
  if (!SegmentJournal::exists(data, options)) SegmentJournal::create(data, options);
  return std::make_unique<SegmentJournal>(data, options);
}
std::unique_ptr<SegmentJournal> start(const SegmentJournal::Options& options, const fs::path& data = {}) {
  auto journal = open(options, data);
  journal->settle({});
  return journal;
}

// The positions of the rows from the anchor on, each compared with the expected row.
std::vector<Position> rows_of(JournalRows& rows) {
  std::vector<Position> seen;
  std::string body;
  rows.read({rows.removed_through(), *rows.hash_at(rows.removed_through())}, [&](const JournalRow& row) {
    const JournalRow expected = test_row(row.position, body);
    EXPECT_EQ(row.event, expected.event);
    EXPECT_EQ(row.first_seq, expected.first_seq);
    EXPECT_EQ(row.at, expected.at);
    EXPECT_EQ(row.body, expected.body);
    seen.push_back(row.position);
    return true;
  });
  return seen;
}
std::vector<Position> from_to(Position first, Position last) {
  std::vector<Position> positions;
  for (; first <= last; ++first) positions.push_back(first);
  return positions;
}
std::vector<Position> positions_of(const std::vector<JournalRow>& rows) {
  std::vector<Position> positions;
  for (const JournalRow& row : rows) positions.push_back(row.position);
  return positions;
}

// ---------------------------------------------------------------------------------------------------------------- start and end

TEST(SegmentJournalTest, KeepsItsRowsFromOneStartToTheNext) {
  SimulatedDisk disk;
  for (Position last = 30; last <= 90; last += 30) {
    const auto journal = start(over(disk));
    EXPECT_EQ(journal->head().position, last - 30);
    append(*journal, last);
    EXPECT_EQ(journal->rows().head(), journal->head());
    EXPECT_EQ(rows_of(journal->rows()), from_to(1, last));
    journal->stop(false);
    EXPECT_EQ(ReachMarker(disk, segments::Disk::Mode::read).state(), ReachMarker::State::stopped);
  }
}

TEST(SegmentJournalTest, AStartThatIsRefusedLaterHasChangedNothing) {
  SimulatedDisk disk;
  append(*start(over(disk)), 20);   // not stopped
  const std::size_t calls = disk.calls();
  {
    const auto journal = open(over(disk));
    EXPECT_EQ(rows_of(journal->rows()), from_to(1, 20));
    EXPECT_EQ(journal->rows().doubtful_start(), std::nullopt);
    EXPECT_EQ(journal->new_rows()->head(), journal->head());
    journal->stop(false);
  }
  EXPECT_EQ(disk.calls(), calls);
}

TEST(SegmentJournalTest, ACreationThatWasInterruptedBeginsAnew) {
  std::size_t interrupted = 0;
  for (std::size_t call = 0;; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    SimulatedDisk disk;
    disk.crash_at(call, call % 2 == 0 ? SimulatedDisk::When::before : SimulatedDisk::When::after);
    bool crashed = false;
    try {
      SegmentJournal::create({}, over(disk));
    } catch (const Crash&) {
      crashed = true;
    }
    if (!crashed) break;
    disk.lose_power(call);
    if (!SegmentJournal::exists({}, over(disk))) ++interrupted;
    append(*start(over(disk, 2)), 5);
  }
  EXPECT_GT(interrupted, 8U);
}

TEST(SegmentJournalTest, GoesOnAfterTheRowThatItIsCreatedWith) {
  SimulatedDisk disk;
  const JournalHead begin{.position = 1'000, .hash = {7}};
  SegmentJournal::create({}, over(disk), begin);
  const auto journal = start(over(disk));
  EXPECT_EQ(journal->head(), begin);
  append(*journal, 1'001);
  EXPECT_EQ(journal->rows().anchor(), begin);
}

TEST(SegmentJournalTest, TwoJournalsHaveNoIdAndNoSaltInCommon) {
  const LedgerFolder folder;
  const auto header_of = [&](const char* name) {
    const fs::path data = folder / name;
    fs::create_directories(data);
    SegmentJournal::create(data, on_real_disk());
    segments::PosixDisk disk(DataFolder::journal_folder_in(data));
    std::string block(k_block, '\0');
    disk.open(segments::name_of_segment(1), segments::Disk::Mode::read)->read(0, block, segments::DiskFile::From::cache);
    return segments::decode_segment_header(block).value();
  };
  const segments::SegmentHeader one = header_of("one");
  const segments::SegmentHeader other = header_of("other");
  EXPECT_NE(one.journal, other.journal);
  EXPECT_NE(one.salt, other.salt);
}

TEST(SegmentJournalTest, ItsFolderIsForItsOwnerOnly) {
  const LedgerFolder folder;
  append(*start(on_real_disk(), folder), 10);
  struct stat found{};
  ASSERT_EQ(::stat(DataFolder::journal_folder_in(folder).c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0700U);
}

TEST(SegmentJournalTest, ADoubtfulStartIsToldToTheNextStartAlsoIfNothingIsRecorded) {
  SimulatedDisk disk;
  const DoubtfulStart doubt{.until = k_begin + k_hour, .ahead = k_day};
  {
    const auto journal = open(over(disk));
    journal->settle(doubt);
  }
  const auto journal = open(over(disk));
  ASSERT_TRUE(journal->rows().doubtful_start().has_value());
  EXPECT_EQ(journal->rows().doubtful_start()->until, doubt.until);
  EXPECT_EQ(journal->rows().doubtful_start()->ahead, doubt.ahead);
}

// No round can be written in the segment in use, and no other segment can be made.
TEST(SegmentJournalTest, ADoubtfulStartOnAFullDiskIsNoted) {
  SimulatedDisk disk;
  {
    const auto journal = start(over(disk));
    disk.set_free(0);
    while (try_append(*journal, Work::settling)) {}
  }
  const DoubtfulStart doubt{.until = k_begin + k_hour, .ahead = k_day};
  {
    const auto journal = open(over(disk));
    journal->settle(doubt);
    EXPECT_THAT(journal->room_trouble(), HasSubstr("is full"));
    disk.set_free(10 * k_small_segment);
    ASSERT_TRUE(try_append(*journal, Work::settling));
  }
  EXPECT_EQ(open(over(disk))->rows().doubtful_start()->until, doubt.until);
}

TEST(SegmentJournalTest, AJournalThatIsNotWholeIsRefusedAsDamaged) {
  SimulatedDisk disk;
  append(*start(over(disk)), 60);
  disk.take(segments::name_of_segment(2));
  EXPECT_THROW(open(over(disk)), JournalDamage);
  SimulatedDisk without_marker = disk.copy();
  without_marker.take("reach");
  EXPECT_THROW(SegmentJournal::exists({}, over(without_marker)), JournalDamage);
}

// The same calls and drawn numbers make the same files: what a simulation needs.
TEST(SegmentJournalTest, WithoutAThreadTheSameCallsMakeTheSameFiles) {
  std::map<std::string, std::string> first;
  for (int run = 0; run < 2; ++run) {
    SimulatedDisk disk;
    const auto journal = start(over(disk));
    append(*journal, 60);
    std::map<std::string, std::string> files;
    for (const std::string& name : disk.names()) files[name] = disk.content(name);
    if (run == 0) first = files;
    EXPECT_EQ(files, first);
  }
}

// ---------------------------------------------------------------------------------------------------------------- rounds

TEST(SegmentJournalTest, ARoundThatCannotBeWrittenBreaksItAndTheNextStartHasWhatWasAnswered) {
  for (std::size_t failing = 0; failing < 3; ++failing) {   // write, sync, the marker's write
    SimulatedDisk disk;
    const auto journal = start(over(disk));
    append(*journal, 3);
    disk.fail_at(disk.calls() + failing, EIO);
    try {
      try_append(*journal);
      ADD_FAILURE() << "the failure was not seen";
    } catch (const JournalBroken& broken) {
      EXPECT_THAT(broken.what(), HasSubstr("the journal could not be written: "));
      EXPECT_THAT(broken.what(), HasSubstr("What was answered is on disk"));
    }
    EXPECT_EQ(journal->head().position, 3);
    EXPECT_EQ(journal->new_rows()->head().position, 3);
    const auto refused = journal->can_take(1, 1, Work::settling);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, NotTaken::Reason::failing);
    journal->stop(true);
    disk.end_process();
    EXPECT_GE(start(over(disk))->head().position, 3);
  }
}

TEST(SegmentJournalTest, ARoundLargerThanASegmentIsRefusedBeforeItIsJudged) {
  SimulatedDisk disk;
  const auto journal = start(over(disk));
  const auto refused = journal->can_take(1, k_small_segment, Work::settling);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, NotTaken::Reason::too_large);
  EXPECT_TRUE(journal->can_take(10, k_small_segment / 2, Work::growing));
}

// A writer that did not ask: nothing of the round is written, and nothing more is accepted, because memory has it.
TEST(SegmentJournalTest, ARoundThatWasNotAskedForAndDoesNotFitBreaksIt) {
  SimulatedDisk disk;
  const auto journal = start(over(disk));
  journal->begin();
  journal->append(1, 1, 1, k_test_time, std::string(k_small_segment, 'x'));
  try {
    journal->commit();
    ADD_FAILURE() << "it was written";
  } catch (const JournalBroken& broken) {
    EXPECT_THAT(broken.what(), HasSubstr("what was not answered did not happen"));
  }
}

TEST(SegmentJournalTest, OnAFullDiskNewWorkIsRefusedPaymentsGoOnAndAllGoesOnWhenThereIsRoom) {
  SimulatedDisk disk;
  const auto journal = start(over(disk));
  EXPECT_EQ(journal->room_trouble(), "");
  disk.set_free(0);
  while (try_append(*journal)) {}
  const auto refused = journal->can_take(1, 1, Work::growing);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, NotTaken::Reason::no_room);
  EXPECT_EQ(journal->room_trouble(), refused.error().what);
  EXPECT_EQ(journal->broken(), "");
  ASSERT_TRUE(try_append(*journal, Work::settling));
  disk.set_free(10 * k_small_segment);
  ASSERT_TRUE(journal->can_take(1, 1, Work::settling));
  journal->tend();
  journal->tend();
  EXPECT_EQ(journal->room_trouble(), "");
  EXPECT_TRUE(try_append(*journal));
  EXPECT_EQ(rows_of(journal->rows()), from_to(1, journal->head().position));
}

TEST(SegmentJournalTest, TheFirstRoundNeedNotWaitForASegment) {
  const LedgerFolder folder;
  const auto journal = start(on_real_disk(), folder);
  EXPECT_TRUE(try_append(*journal));
}

// ---------------------------------------------------------------------------------------------------------------- retention

struct SegmentRetention : testing::Test {
  SegmentRetention() {
    append(*journal, 60);
    upkeep = journal->new_upkeep();
  }
  std::vector<std::string> segments() {
    std::vector<std::string> names = disk.names();
    std::erase_if(names, [](const std::string& name) { return !segments::number_of_segment(name); });
    return names;
  }
  // The last row of the segment in which the first row is that is kept.
  Position end_of_first() { return journal->new_upkeep()->old_rows(60, k_never, 1'000).back().position; }
  void remove_first() {
    const std::vector<JournalRow> old = upkeep->old_rows(60, k_never, 1'000);
    ASSERT_FALSE(old.empty());
    upkeep->remove(old);
  }

  SimulatedDisk disk;
  std::unique_ptr<SegmentJournal> journal = start(over(disk));
  std::unique_ptr<JournalUpkeep> upkeep;
};

TEST_F(SegmentRetention, GivesTheRowsOfOneWholeOldSegmentAfterTheOtherInChunks) {
  const Position end = end_of_first();
  ASSERT_GT(end, 5);
  EXPECT_THAT(upkeep->old_rows(end - 1, k_never, 1'000), IsEmpty()) << "its last row must stay";
  EXPECT_THAT(upkeep->old_rows(60, k_test_time + end, 1'000), IsEmpty()) << "its last row is not old";
  std::vector<JournalRow> old = upkeep->old_rows(60, k_test_time + end + 1, 4);
  EXPECT_THAT(positions_of(old), ElementsAre(1, 2, 3, 4));
  std::string body;
  for (const JournalRow& row : old) {
    const JournalRow expected = test_row(row.position, body);
    EXPECT_EQ(row.event, expected.event);
    EXPECT_EQ(row.first_seq, expected.first_seq);
    EXPECT_EQ(row.changes, expected.changes);
    EXPECT_EQ(row.at, expected.at);
    EXPECT_TRUE(row.body.empty());
  }
  EXPECT_EQ(positions_of(upkeep->old_rows(60, k_never, 4)), from_to(1, 4)) << "nothing was removed";
  upkeep->remove(old);
  EXPECT_EQ(positions_of(upkeep->old_rows(60, k_never, 1'000)), from_to(5, end));
  upkeep->remove(upkeep->old_rows(60, k_never, 1'000));
  EXPECT_EQ(upkeep->old_rows(60, k_never, 1).front().position, end + 1) << "the next segment";
}

TEST_F(SegmentRetention, NeverGivesTheLastRowNorTheSegmentInUse) {
  while (!upkeep->old_rows(60, k_never, 1'000).empty()) upkeep->remove(upkeep->old_rows(60, k_never, 1'000));
  append(*journal, 61);
  upkeep->tend(false);
  EXPECT_EQ(journal->rows().head().position, 61);
  EXPECT_GE(journal->rows().last_time(), k_test_time + 61);
  EXPECT_LT(journal->rows().anchor().position, 60);
  EXPECT_EQ(rows_of(journal->rows()).back(), 61);
}

TEST_F(SegmentRetention, RemovesFilesOnceTheNoteThatDoesWithoutThemIsOnDisk) {
  const Position end = end_of_first();
  remove_first();
  upkeep->tend(false);
  EXPECT_THAT(segments(), testing::Contains(segments::name_of_segment(1))) << "a start would miss it";
  EXPECT_EQ(journal->rows().removed_through(), 0);
  append(*journal, 61);
  EXPECT_THAT(segments(), testing::Contains(segments::name_of_segment(1)));
  upkeep->tend(true);
  EXPECT_THAT(segments(), testing::Not(testing::Contains(segments::name_of_segment(1))));
  EXPECT_EQ(journal->rows().anchor().position, end);
  EXPECT_EQ(upkeep->rows().removed_through(), end);
  journal->stop(false);
  journal.reset();
  EXPECT_EQ(open(over(disk))->rows().anchor().position, end);
}

// After a failure the upkeep is made anew: it gives rows again whose segment was not given up, and no others.
TEST_F(SegmentRetention, GoesOnWithAnotherUpkeep) {
  const Position end = end_of_first();
  upkeep->remove(upkeep->old_rows(60, k_never, 4));
  upkeep = journal->new_upkeep();
  EXPECT_EQ(positions_of(upkeep->old_rows(60, k_never, 1'000)), from_to(1, end));
  remove_first();
  upkeep = journal->new_upkeep();
  EXPECT_EQ(upkeep->old_rows(60, k_never, 1).front().position, end + 1) << "the note waits for the next round";
  remove_first();
  append(*journal, 61);
  disk.fail_at(disk.calls(), EIO);
  upkeep->tend(false);
  upkeep = journal->new_upkeep();
  remove_first();   // a lower number than the one in force would be refused
  append(*journal, 62);
  upkeep->tend(false);
  EXPECT_THAT(segments().front(), segments::name_of_segment(4));
}

TEST_F(SegmentRetention, AFileThatCannotBeRemovedIsTriedAgainAndHoldsUpNothing) {
  remove_first();
  append(*journal, 61);
  for (std::size_t failing = 0; failing < 2; ++failing) {   // remove, sync
    disk.fail_at(disk.calls() + failing, EIO);
    EXPECT_NO_THROW(upkeep->tend(false));
    append(*journal, 62 + static_cast<Position>(failing));
  }
  upkeep->tend(false);
  EXPECT_THAT(segments(), testing::Not(testing::Contains(segments::name_of_segment(1))));
  EXPECT_GT(journal->rows().removed_through(), 0);
}

// The tables could not forget the rows that they do not know.
TEST_F(SegmentRetention, ADamagedSegmentIsKeptAndTheRestGoesOn) {
  const std::string first = segments::name_of_segment(1);
  char& byte = disk.content(first)[6 * k_block + 100];   // of row 5, in the file that is open
  byte = static_cast<char>(byte ^ 1);
  EXPECT_EQ(positions_of(upkeep->old_rows(60, k_never, 1'000)), from_to(1, 4));
  for (int i = 0; i < 3; ++i) {
    upkeep->remove(upkeep->old_rows(60, k_never, 1'000));
    EXPECT_NO_THROW(append(*journal, 61 + i));
    EXPECT_NO_THROW(upkeep->tend(false));
  }
  EXPECT_EQ(segments().front(), first);
}

TEST_F(SegmentRetention, AfterDamageWasFoundFilesStayAndTheEndIsNotClean) {
  remove_first();
  append(*journal, 61);
  journal->found_damage("journal/0000000002.segment is damaged");
  journal->found_damage("another one");
  EXPECT_EQ(journal->damage(), "journal/0000000002.segment is damaged");
  upkeep->tend(false);
  EXPECT_EQ(segments().front(), segments::name_of_segment(1));
  journal->stop(false);
  EXPECT_EQ(ReachMarker(disk, segments::Disk::Mode::read).state(), ReachMarker::State::in_use);
}

// ---------------------------------------------------------------------------------------------------------------- beside the writer

TEST_F(SegmentRetention, ItsFilesAreThoseThatMustStay) {
  const auto names = [&] {
    std::vector<std::string> paths = journal->files();
    std::vector<std::string> expected;
    for (const std::string& name : disk.names()) expected.push_back(disk.path_of(name));
    std::ranges::sort(paths);
    std::ranges::sort(expected);
    return std::pair(paths, expected);
  };
  EXPECT_EQ(names().first, names().second);
  remove_first();
  append(*journal, 61);
  disk.fail_at(disk.calls(), EIO);
  upkeep->tend(false);   // its removal has begun: another one may find it missing at any moment
  EXPECT_EQ(names().first.size() + 1, names().second.size());
  upkeep->tend(false);
  EXPECT_EQ(names().first, names().second);
}

TEST_F(SegmentRetention, ReadersSeeRoundsAsTheyComeAndPinnedOnesDoNot) {
  const auto rows = journal->new_rows();
  const auto pinned = journal->new_rows();
  pinned->pin();
  append(*journal, 65);
  EXPECT_EQ(rows_of(*rows), from_to(1, 65));
  EXPECT_EQ(rows->hash_at(65), journal->head().hash);
  EXPECT_EQ(rows->head().position, 60) << "as of its opening";
  EXPECT_EQ(rows_of(*pinned), from_to(1, 60));
  EXPECT_EQ(pinned->hash_at(65), std::nullopt);
  remove_first();
  append(*journal, 66);
  upkeep->tend(false);
  EXPECT_GT(rows->removed_through(), 0);
  EXPECT_EQ(rows_of(*rows).back(), 66);
  EXPECT_EQ(pinned->removed_through(), 0);
  EXPECT_EQ(rows_of(*pinned), from_to(1, 60)) << "its files are open";
  std::vector<Position> seen;
  rows->each_stored(1, [&](const StoredRow& row) {
    seen.push_back(row.row.position);
    return true;
  });
  EXPECT_EQ(seen, from_to(rows->removed_through() + 1, 66));
}

// Whatever is under way at the crash: creation, start, rounds, segments, retention. Every row that was answered is there, and nothing else.
TEST(SegmentJournalCrash, AtEachCallTheNextStartHasWhatWasAnswered) {
  std::size_t crashes = 0;
  for (std::size_t call = 0;; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    SimulatedDisk disk;
    disk.crash_at(call, call % 2 == 0 ? SimulatedDisk::When::before : SimulatedDisk::When::after);
    Position answered = 0;
    Position removed = 0;
    bool crashed = false;
    const auto live = [&](Position last) {
      const auto journal = start(over(disk));
      ASSERT_GE(journal->head().position, answered);
      ASSERT_LE(journal->head().position, answered + 1);
      answered = journal->head().position;
      const auto upkeep = journal->new_upkeep();
      while (answered < last) {
        ASSERT_TRUE(try_append(*journal));
        answered = journal->head().position;
        if (answered % 5 != 0) continue;
        upkeep->tend(true);
        const std::vector<JournalRow> old = upkeep->old_rows(answered - 10, k_never, 7);
        if (!old.empty()) removed = old.back().position;
        upkeep->remove(old);
      }
      journal->stop(false);
    };
    try {
      live(45);
    } catch (const Crash&) {
      crashed = true;
    }
    if (call % 3 == 0) disk.end_process();
    else disk.lose_power(call);
    ASSERT_NO_FATAL_FAILURE(live(50));
    const auto journal = start(over(disk));
    ASSERT_LE(journal->rows().anchor().position, removed);
    ASSERT_EQ(rows_of(journal->rows()), from_to(journal->rows().anchor().position + 1, 50));
    if (!crashed) break;
    ++crashes;
  }
  EXPECT_GT(crashes, 200U);
}

// ---------------------------------------------------------------------------------------------------------------- a data folder

// A crash in the middle of a creation leaves `journal/` with a marker that says so. Nobody was answered from it, unless there are tables.
TEST(FolderOfSegments, WhoseCreationWasInterruptedBeginsAnewUnlessThereAreTables) {
  const LedgerFolder folder;
  const auto interrupt = [&](const char* name) {
    const fs::path journal = DataFolder::journal_folder_in(folder / name);
    fs::create_directories(journal);
    RegistryMarker::create(folder / name);
    segments::PosixDisk disk(journal);
    ReachMarker::create(disk, k_test_journal, {});
  };
  const auto refusal = [&](const char* name) -> std::string {
    try {
      const EmbeddedLedger ledger(
          {.data = folder / name, .journal = {.for_new = JournalFormat::segments, .segment_bytes = k_small_segment}});
    } catch (const DataError& error) {
      return error.what();
    }
    return {};
  };
  interrupt("new");
  EXPECT_EQ(refusal("new"), "");
  EXPECT_EQ(refusal("new"), "") << "and starts again";
  EXPECT_EQ(find_journal(folder / "new"), JournalFormat::segments);
  interrupt("tables");
  fs::copy_file(folder / "new" / "state.db", folder / "tables" / "state.db");
  EXPECT_THAT(refusal("tables"), HasSubstr("is missing"));
  EXPECT_EQ(find_journal(folder / "tables"), std::nullopt) << "it was made anew";
}

TEST(FolderOfSegments, WithJournalDbBesideItIsRefusedAndNothingChanges) {
  const LedgerFolder folder;
  fs::create_directories(folder / "both");
  SegmentJournal::create(folder / "both", on_real_disk());
  SqliteJournal::create(folder / "both");
  const auto names = [&] {
    std::vector<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(folder / "both")) all.push_back(entry.path().string());
    std::ranges::sort(all);
    return all;
  };
  { const DataFolder lock(folder / "both"); }
  const std::vector<std::string> before = names();
  EXPECT_THROW(EmbeddedLedger({.data = folder / "both"}), DataError);
  EXPECT_THROW(open_journal_rows(folder / "both"), DataError);
  EXPECT_EQ(names(), before);
}

// The tables follow, old segments go, readers are told so, and the next start has the rest.
TEST(FolderOfSegments, ForgetsOldSegmentsWhenTheTablesHaveThem) {
  const LedgerFolder folder;
  TestTime time;
  const EmbeddedOptions options{
      .data = folder / "data",
      .journal = {.for_new = JournalFormat::segments, .segment_bytes = k_small_segment, .first_segment_bytes = k_small_segment},
      .journal_retention_days = 2,
      .clock = &time};
  const auto anchor = [&] { return open_journal_rows(folder / "data")->anchor().position; };
  EventNumber event = 0;
  const auto sell = [&](Desk& desk, SeatIndex first, SeatIndex last) {
    for (SeatIndex seat = first; seat <= last; ++seat) {
      ASSERT_EQ(told(desk.hold(event, reservation_id(event, seat), {seat})), "accepted");
      ASSERT_EQ(told(desk.consume(event, reservation_id(event, seat))), "accepted");
    }
  };
  {
    EmbeddedLedger ledger(options);
    Desk desk(ledger);
    event = desk.create_event(uuid_of(1), plan_of(uuid_of(1), 200));
    ASSERT_NE(event, 0U);
    sell(desk, 1, 30);
    time.pass(2 * k_day - k_minute);
    sell(desk, 31, 40);
    ASSERT_TRUE(eventually([&] { return ledger.rows_behind() == 0; }));
    EXPECT_EQ(anchor(), 0) << "none is old yet";
    time.pass(2 * k_minute);
    for (SeatIndex seat = 41; anchor() == 0 && seat < 120; ++seat) {   // each round lets the tables' thread look again
      sell(desk, seat, seat);
      ASSERT_TRUE(eventually([&] { return ledger.rows_behind() == 0; }));
    }
  }
  const Position removed = anchor();
  EXPECT_GT(removed, 0);
  EXPECT_LT(removed, 63) << "later rows are younger";
  EXPECT_EQ(verify_folder(folder / "data").problem, "");
  EmbeddedLedger ledger(options);   // which has no old row in memory
  const auto page = ledger.read_all_changes("", 10, ReadFrom::anywhere);
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().kind, ReadProblem::Kind::archived);
  for (SeatIndex seat = 1; seat <= 40; ++seat) {
    const auto view = ledger.reservation(reservation_id(event, seat));
    ASSERT_TRUE(view.has_value()) << seat;
    EXPECT_EQ(view->status, ReservationStatus::consumed);
  }
}

// The real disk with its thread, readers and retention at once: run under ThreadSanitizer too.
TEST(SegmentJournalThreads, RoundsReadersAndRetentionGoOnBesideEachOther) {
  const LedgerFolder folder;
  const auto journal = start(on_real_disk(), folder);
  std::atomic<bool> done{false};
  std::atomic<Position> through{0};
  std::thread keeping([&] {
    const auto upkeep = journal->new_upkeep();
    while (!done) {
      upkeep->tend(true);
      upkeep->remove(upkeep->old_rows(through, k_never, 5));
      for (const std::string& file : journal->files()) EXPECT_FALSE(file.empty());
    }
  });
  std::thread reading([&] {
    const auto rows = journal->new_rows();
    while (!done) {
      Position next = 0;
      rows->each_stored(1, [&](const StoredRow& row) {
        EXPECT_EQ(row.wrong, "");
        EXPECT_TRUE(next == 0 || row.row.position == next) << row.row.position;
        next = row.row.position + 1;
        return true;
      });
      EXPECT_EQ(journal->damage(), "");
    }
  });
  while (journal->head().position < 400) {
    if (!try_append(*journal)) std::this_thread::yield();   // the next segment is being made
    through = journal->head().position - 30;
  }
  done = true;
  keeping.join();
  reading.join();
  journal->stop(false);
  EXPECT_GT(journal->rows().anchor().position, 0);
}

}   // namespace
}   // namespace holdfast::test
