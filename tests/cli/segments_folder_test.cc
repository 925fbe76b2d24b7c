// Backup, restore and rebuild of a folder whose journal is in segment files.
#include "cli/segments_folder.h"

#include <sys/stat.h>

#include <set>

#include "ledger/embedded/journal.h"
#include "ledger/embedded/registry_marker.h"

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(SegmentsFolder, IsRestoredFromABackupOfADatabaseAndBack) {
  EXPECT_EQ(find_journal(data), JournalFormat::segments);
  EXPECT_EQ(rows_of(data), rows_of(folder / "database"));
  EXPECT_EQ(verify_folder(data).problem, "");
  struct stat found{};
  ASSERT_EQ(::stat((data / "journal").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0700U) << "it has customers' ids";
  {
    LedgerInTest it(copy_of(data, "started"), time);
    EXPECT_TRUE(it.ledger().reservation(reservations[0]));
    EXPECT_EQ(told(it.hold(event, reservation_id(event, 99), {9}, "new")), "accepted");
  }

  cli::backup(data, folder / "second");
  cli::restore(folder / "back", folder / "second", JournalFormat::sqlite);
  EXPECT_EQ(find_journal(folder / "back"), JournalFormat::sqlite);
  EXPECT_EQ(rows_of(folder / "back"), rows_of(folder / "database")) << "the way back to an earlier version";
  EXPECT_EQ(verify_folder(folder / "back").problem, "");
  LedgerInTest it(folder / "back", time);
  EXPECT_TRUE(it.ledger().reservation(reservations[0]));
}

TEST_F(SegmentsFolder, IsNotRestoredOver) {
  for (const JournalFormat format : {JournalFormat::sqlite, JournalFormat::segments}) {
    EXPECT_THAT(what_of([&] { cli::restore(data, folder / "copy", format); }), HasSubstr("has data already"));
    EXPECT_THAT(what_of([&] { cli::restore(folder / "database", folder / "copy", format); }), HasSubstr("has data already"));
  }
  fs::remove(data / "state.db");
  EXPECT_THAT(what_of([&] { cli::restore(data, folder / "copy", JournalFormat::segments); }), HasSubstr("has data already"));
}

TEST_F(SegmentsFolder, GetsItsTablesAgainFromItsRows) {
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(data / (std::string("state.db") + suffix));
  EXPECT_EQ(cli::rebuild(data, no_progress), open_journal_rows(data)->head().position);
  EXPECT_EQ(verify_folder(data).problem, "");
}

TEST_F(SegmentsFolder, WhoseOldestRowsVanishBeforeTheyAreCopiedIsNotBackedUp) {
  fs::remove_all(data / "journal");
  fs::create_directory(data / "journal");
  segments::PosixDisk disk(data / "journal");
  segments::SegmentWriter::create(disk, small_segments(), k_test_journal, {.round = 0, .head = {.position = 500, .hash = {}}});
  EXPECT_THAT(what_of([&] { cli::backup(data, folder / "none"); }),
              HasSubstr("no backup was written: 5 times the journal's oldest rows were removed"));
  EXPECT_FALSE(fs::exists(folder / "none"));
  EXPECT_FALSE(fs::exists(folder / "none.partial"));
}

// Of a crashed restore: a folder that is done, one that a start refuses, or one without data.
class CrashedRestore : public SegmentsFolder, public testing::WithParamInterface<JournalFormat> {
 protected:
  enum class Left { nothing, refused, whole };

  Left left_in(const fs::path& crashed) {
    if (const auto format = find_journal(crashed)) {
      EXPECT_EQ(format, GetParam());
      EXPECT_EQ(rows_of(crashed), rows_of(folder / "database"));
      EXPECT_EQ(verify_folder(crashed).problem, "");
      EXPECT_NE(RegistryMarker::find(crashed, RegistryMarker::Mode::read), nullptr);
      EXPECT_FALSE(fs::exists(crashed / "journal.head") && GetParam() == JournalFormat::segments);
      return Left::whole;
    }
    std::vector<std::string> others;
    for (const auto& entry : fs::directory_iterator(crashed)) {
      const std::string name = entry.path().filename().string();
      if (name != "lock" && name != "restore.partial" && !name.ends_with(".partial")) others.push_back(name);
    }
    if (others.empty()) return Left::nothing;
    EXPECT_NE(refusal_at_start(crashed, time), "") << testing::PrintToString(others);
    return Left::refused;
  }
};

TEST_P(CrashedRestore, LeavesNothingOrARefusalOrAllAtAnyCall) {
  std::set<Left> seen;
  const fs::path crashed = fs::canonical(folder.path()) / "crashed";
  bool is_over = false;
  for (std::size_t call = 0; !is_over && !HasFailure(); ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    fs::remove_all(crashed);
    fs::create_directory(crashed);
    is_over = ends_by_itself(crashed, call, [&] { cli::restore(crashed, folder / "copy", GetParam()); });
    const Left left = left_in(crashed);
    seen.insert(left);
    const bool has_tables = fs::exists(crashed / "state.db");
    const std::string again = what_of([&] { cli::restore(crashed, folder / "copy", GetParam()); });
    if (has_tables) EXPECT_THAT(again, HasSubstr("has data already"));
    else EXPECT_EQ(again, "");
    if (!has_tables) EXPECT_EQ(left_in(crashed), Left::whole);
    if (is_over) EXPECT_EQ(left, Left::whole);
  }
  EXPECT_TRUE(is_over);
  EXPECT_THAT(seen, ElementsAre(Left::nothing, Left::refused, Left::whole));
}
INSTANTIATE_TEST_SUITE_P(Formats, CrashedRestore, testing::Values(JournalFormat::sqlite, JournalFormat::segments),
                         [](const auto& tested) { return tested.param == JournalFormat::sqlite ? "Sqlite" : "Segments"; });

}  // namespace
}  // namespace holdfast::test
