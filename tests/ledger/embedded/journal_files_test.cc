// Which journal a data folder has: nothing is guessed, and nothing is changed before somebody knows.
#include "ledger/embedded/journal_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "ledger/embedded/registry_marker.h"
#include "ledger/embedded/segment_journal.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

std::map<std::string, std::string> content_of(const fs::path& data) {
  std::map<std::string, std::string> content;
  for (const auto& entry : fs::recursive_directory_iterator(data)) {
    if (entry.path().extension() == ".db-shm") continue;   // SQLite's memory
    std::ifstream stream(entry.path(), std::ios::binary);
    content[entry.path().string()] = entry.is_directory() ? "" : std::string(std::istreambuf_iterator<char>(stream), {});
  }
  return content;
}

struct JournalFiles : testing::Test {
  JournalFiles() {
    LedgerInTest it(data, time);
    it.create_event(3);
  }
  LedgerFolder folder;
  TestTime time;
  const fs::path data = folder / "data";
};

TEST_F(JournalFiles, AFolderWithBothKindsIsRefusedByNameAndStaysAsItIs) {
  fs::create_directory(data / "journal");
  const auto before = content_of(data);
  const std::string refusal = refusal_at_start(data, time);
  EXPECT_TRUE(names_the_way_out(refusal, "journal.db"));
  EXPECT_THAT(refusal, AllOf(HasSubstr((data / "journal").string() + " are both there"), HasSubstr("Nothing was changed")));
  EXPECT_THROW(open_journal_rows(data), DataError);
  EXPECT_EQ(content_of(data), before);
}

TEST_F(JournalFiles, TheKindIsTheOneThatTheFolderHas) {
  EXPECT_EQ(find_journal(data), JournalFormat::sqlite);
  const fs::path other = folder / "other";
  fs::create_directories(other);
  EXPECT_EQ(find_journal(other), std::nullopt);
  fs::create_directory(other / "journal");
  EXPECT_EQ(find_journal(other), std::nullopt) << "its creation was interrupted";
  SegmentJournal::create(other, {.first_segment_bytes = segments::k_segment_bytes_min});
  EXPECT_EQ(find_journal(other), JournalFormat::segments);
}

TEST_F(JournalFiles, TablesWithoutAJournalAreRefused) {
  for (const char* file : {"journal.db", "journal.head"}) fs::remove(data / file);
  const auto before = content_of(data);
  EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), "journal.db"));
  EXPECT_EQ(content_of(data), before);
}

// Otherwise the folder would have two journals from the next start on.
TEST_F(JournalFiles, SegmentsWhoseCreationWasInterruptedAreMadeWhateverIsAskedFor) {
  const fs::path other = folder / "other";
  fs::create_directories(other / "journal");
  RegistryMarker::create(other);
  const DataFolder locked(other);
  open_journal(locked, {.for_new = JournalFormat::sqlite, .first_segment_bytes = segments::k_segment_bytes_min});
  EXPECT_FALSE(fs::exists(other / "journal.db"));
  EXPECT_EQ(find_journal(other), JournalFormat::segments);
}

// For example, a disk is mounted there.
TEST_F(JournalFiles, AFolderForSegmentsMayBeMadeAhead) {
  const fs::path other = folder / "other";
  fs::create_directories(other / "journal");
  const DataFolder locked(other);
  open_journal(locked, {.for_new = JournalFormat::segments, .first_segment_bytes = segments::k_segment_bytes_min});
  EXPECT_TRUE(fs::exists(other / "registry.head"));
  EXPECT_EQ(find_journal(other), JournalFormat::segments);
}

TEST_F(JournalFiles, ANewJournalDbDoesNotTakeThePlaceOfLostSegments) {
  const fs::path other = folder / "other";
  fs::create_directories(other);
  RegistryMarker::create(other, RegistryRevision{.id = {1}, .number = 1});
  const DataFolder locked(other);
  EXPECT_THROW(open_journal(locked, {.for_new = JournalFormat::sqlite}), DataError);
  EXPECT_FALSE(fs::exists(other / "journal.db"));
}

}  // namespace
}  // namespace holdfast::test
