// A folder with journal.db becomes one with segment files, and a crash, a failed call or a full disk leaves one or the other.
#include "ledger/embedded/conversion.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <map>

#include "core/bytes.h"
#include "core/hash.h"
#include "ledger/embedded/counted_calls.h"
#include "ledger/embedded/head_marker.h"
#include "ledger/embedded/journal.h"
#include "ledger/embedded/registry_marker.h"
#include "ledger/embedded/segment_rows.h"
#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/sqlite_rows.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int k_refused = 3;   // the status of a child whose conversion has thrown

// Small segments, so that there are some.
ConversionOptions in_small_segments() {
  return {.segment_bytes = segments::k_segment_bytes_min * 2, .first_segment_bytes = segments::k_segment_bytes_min};
}

std::vector<std::string> lines_of(JournalRows& rows) {
  const auto line = [](const JournalHead& head) {
    return std::to_string(head.position) + " " + std::to_string(hash_bytes(as_bytes(head.hash), 0));
  };
  std::vector<std::string> lines{"anchor " + line(rows.anchor()), "head " + line(rows.head())};
  if (const auto doubt = rows.doubtful_start())
    lines.push_back("doubt " + std::to_string(doubt->until) + " " + std::to_string(doubt->ahead));
  rows.read(rows.anchor(), [&](const JournalRow& row) {
    lines.push_back(line({row.position, row.hash}) + " " + std::to_string(row.event) + " " + std::to_string(row.first_seq) + " " +
                    std::to_string(row.changes) + " " + std::to_string(row.at) + " " + std::to_string(hash_bytes(row.body, 0)));
    return true;
  });
  return lines;
}

std::vector<std::string> lines_of_file(const fs::path& file) {
  SqliteRows rows(file.string(), SqliteRows::Mode::read);
  return lines_of(rows);
}

std::vector<std::string> lines_of_segments(const fs::path& folder) {
  segments::PosixDisk disk(folder);
  SegmentRows rows(disk);
  return lines_of(rows);
}

// Every file of the folder with its size and a sum of its bytes. Not the index of a log, which is made anew at each opening, nor an empty log.
std::map<std::string, std::string> files_of(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string path = entry.path().string();
    if (path.ends_with("-shm") || (path.ends_with("-wal") && entry.file_size() == 0)) continue;
    std::ifstream in(path, std::ios::binary);
    const std::string bytes = entry.is_directory() ? "" : std::string(std::istreambuf_iterator<char>(in), {});
    files[path] = std::to_string(bytes.size()) + " " + std::to_string(hash_bytes(bytes, 0));
  }
  return files;
}

void convert(const fs::path& data, const ConversionOptions& options = in_small_segments()) {
  const DataFolder folder(data);
  finish_interrupted_conversion(data);
  if (fs::exists(folder.journal())) convert_journal(folder, options);
}

std::string refusal(const fs::path& data) {
  try {
    convert(data);
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

// Of a process that converts the folder.
int status_of_child(const fs::path& data, const std::optional<CountedCalls::Fault>& fault) {
  const pid_t child = ::fork();
  if (child == 0) {
    CountedCalls::watch(data, fault);
    int status = 0;
    try {
      convert(data);
    } catch (const std::exception&) {
      status = k_refused;
    }
    ::_exit(status);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "it ended by signal " << WTERMSIG(status);
  return WEXITSTATUS(status);
}

// A folder with holds, sales and keys, of which retention has removed some rows. Each test takes a copy.
class Made {
 public:
  Made() : data(fs::canonical(folder_.path()) / "data") {
    TestTime time;
    LedgerInTest it(data, time);
    const EventNumber event = it.create_event(400);
    Round round;
    for (int i = 0; i < 60; ++i) {
      const SeatList seats{static_cast<SeatIndex>(i)};
      const Hold hold{.reservation = it.new_id(event), .customer = "anna", .seats = round.keep(seats), .duration = k_minute};
      Submission submission;
      submission.parts.push_back({event, hold});
      submission.key = key_of(static_cast<std::uint64_t>(i) + 1, 1);
      round.add(std::move(submission));
      if (i % 10 == 9) round.run(it.ledger());
      if (i % 10 == 9) round.entries().clear();
    }
    for (std::uint64_t i = 1; i < 60; i += 10) it.consume(event, reservation_id(event, i));
    it.wait_for_tables();
    it.close();
    remove_old_rows(data, 4);
    append_rows(60, 2'000);
    RegistryMarker::find(data, RegistryMarker::Mode::write)->note(revision);
  }

  // Rows that no command has made: what they say does not matter to a conversion.
  void append_rows(int count, std::size_t body_bytes) const { append_rows_to(data, count, body_bytes); }
  static void append_rows_to(const fs::path& data, int count, std::size_t body_bytes) {
    Journal journal((data / "journal.db").string(), Journal::Mode::write);
    journal.begin();
    for (int i = 0; i < count; ++i) journal.append(1, 1, 0, k_begin + k_hour, std::string(body_bytes, 'b'));
    journal.commit();
  }

 private:
  LedgerFolder folder_;

 public:
  const fs::path data;
  const RegistryRevision revision{.id = {1, 2, 3}, .number = 7};
};

const Made& made() {
  static const Made the;
  return the;
}

struct Conversion : testing::Test {
  Conversion() : data(fs::canonical(folder.path()) / "data") {
    fs::copy(made().data, data, fs::copy_options::recursive);
    before = lines_of_file(journal());
  }

  fs::path journal() const { return data / "journal.db"; }
  fs::path segments() const { return data / "journal"; }

  void append_rows(int count, std::size_t body_bytes) { Made::append_rows_to(data, count, body_bytes); }

  // A copy, so that each conversion begins with the same folder.
  fs::path copy(const std::string& name) const {
    const fs::path to = data.parent_path() / name;
    fs::remove_all(to);
    fs::copy(data, to, fs::copy_options::recursive);
    return to;
  }

  // What any start must find: the whole journal in one place, and in a folder of segments all that belongs to it.
  testing::AssertionResult is_one_or_the_other(const fs::path& of) const {
    const DataFolder lock(of);
    finish_interrupted_conversion(of);
    const bool has_file = fs::exists(of / "journal.db");
    if (has_file == fs::exists(of / "journal")) return testing::AssertionFailure() << "both or neither is there";
    if (has_file) {
      check_reached(read_head_marker(HeadMarker::file_in(of)).get(),
                    *std::make_unique<SqliteRows>(of / "journal.db", SqliteRows::Mode::read));
      return lines_of_file(of / "journal.db") == before ? testing::AssertionSuccess() : testing::AssertionFailure() << "journal.db differs";
    }
    if (lines_of_segments(of / "journal") != before) return testing::AssertionFailure() << "the segments differ";
    if (lines_of_file(of / "journal.db.converted") != before) return testing::AssertionFailure() << "journal.db.converted differs";
    if (!fs::exists(of / "journal.head.converted")) return testing::AssertionFailure() << "journal.head.converted is missing";
    const auto marker = RegistryMarker::find(of, RegistryMarker::Mode::read);
    if (marker == nullptr || marker->revision() != revision) return testing::AssertionFailure() << "the registry's revision differs";
    for (const char* left : {"journal.head", "journal.db-wal", "journal.db-shm", "journal.partial", "journal.new"}) {
      if (fs::exists(of / left)) return testing::AssertionFailure() << left << " is left";
    }
    return testing::AssertionSuccess();
  }

  LedgerFolder folder;
  TestTime time;
  const fs::path data;
  const RegistryRevision revision = made().revision;
  std::vector<std::string> before;
};

TEST_F(Conversion, RowsKeepTheirPositionsHashesAndTimes) {
  convert(data);
  EXPECT_FALSE(fs::exists(journal()));
  EXPECT_EQ(lines_of_segments(segments()), before);
  EXPECT_TRUE(is_one_or_the_other(data));
  EXPECT_GT(std::distance(fs::directory_iterator(segments()), {}), 3) << "so that there are several segments";
}

TEST_F(Conversion, AJournalWithoutRowsKeepsItsAnchor) {
  fs::remove_all(data);
  { LedgerInTest it(data, time); }
  before = lines_of_file(journal());
  RegistryMarker::find(data, RegistryMarker::Mode::write)->note(revision);
  convert(data);
  EXPECT_TRUE(is_one_or_the_other(data));
}

TEST_F(Conversion, AStartWithADoubtfulClockIsStillNoted) {
  Journal(journal().string(), Journal::Mode::write).note_doubtful_start({.until = k_begin + k_hour, .ahead = 2 * k_day});
  before = lines_of_file(journal());
  convert(data);
  EXPECT_TRUE(is_one_or_the_other(data));
}

TEST_F(Conversion, ARowThatIsLargerThanARoundOfTodayIsKept) {
  append_rows(1, 5 * 1024 * 1024);
  append_rows(2, 10);
  before = lines_of_file(journal());
  convert(data, {});
  EXPECT_TRUE(is_one_or_the_other(data));
}

TEST_F(Conversion, AJournalMayHaveMoreSegmentsThanTheProcessHasDescriptors) {
  append_rows(300, 60'000);
  before = lines_of_file(journal());
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit few{.rlim_cur = 100, .rlim_max = limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  EXPECT_EQ(refusal(data), "");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_TRUE(is_one_or_the_other(data));
  EXPECT_GT(std::distance(fs::directory_iterator(segments()), {}), 120);
}

TEST_F(Conversion, RowsInTheLogAreConverted) {
  {
    Journal writer(journal().string(), Journal::Mode::write);
    writer.keep_log_at_close();
    writer.begin();
    writer.append(1, 1, 0, k_begin + k_hour, "in the log");
    writer.commit();
  }
  ASSERT_GT(fs::file_size(data / "journal.db-wal"), 0U);
  before = lines_of_file(journal());
  convert(data);
  EXPECT_TRUE(is_one_or_the_other(data));
}

TEST_F(Conversion, AProgramThatReadsTheOldJournalMeanwhileGoesOn) {
  SqliteRows reader(journal().string(), SqliteRows::Mode::read);
  reader.pin();
  convert(data);
  EXPECT_EQ(lines_of(reader), before);
  EXPECT_TRUE(is_one_or_the_other(data));
}

TEST_F(Conversion, ProgressGoesThroughAllRowsOfEachStep) {
  append_rows(k_rows_a_report, 1);
  const auto rows = static_cast<std::int64_t>(lines_of_file(journal()).size()) - 2;
  std::vector<std::string> told;
  ConversionOptions options;
  options.progress = [&](const StartProgress& progress) {
    EXPECT_EQ(progress.of, rows);
    told.push_back(told_of(progress));
  };
  convert(data, options);
  ASSERT_EQ(rows, 10'071);
  const std::string of = " of 10,071 rows";
  const std::string all = "10,071" + of;
  EXPECT_THAT(told, ElementsAre("checking journal.db, 0" + of, "checking journal.db, 10,000" + of, "checking journal.db, " + all,
                                "converting the journal, 0" + of, "converting the journal, 10,000" + of, "converting the journal, " + all,
                                "comparing the converted journal, 0" + of, "comparing the converted journal, 10,000" + of,
                                "comparing the converted journal, " + all));
}

// ---------------------------------------------------------------------------------------------------------------- refusals

TEST_F(Conversion, ADamagedRowIsNamedAndNothingIsChanged) {
  journal_of(data).falsify(9, [](StoredRowInTest& row) { row.body += "x"; });
  const auto files = files_of(data);
  EXPECT_THAT(refusal(data), HasSubstr("row 9"));
  EXPECT_EQ(files_of(data), files);
}

TEST_F(Conversion, AJournalThatHasLostItsEndIsRefusedAndNothingIsChanged) {
  { HeadMarker(HeadMarker::file_in(data), HeadMarker::Mode::write).reach({.position = 1'000, .hash = {}}); }
  const auto files = files_of(data);
  EXPECT_THAT(refusal(data), HasSubstr("journal.head knows that row 1000"));
  EXPECT_EQ(files_of(data), files);
}

TEST_F(Conversion, TablesOfAnotherJournalAreRefusedAndNothingIsChanged) {
  change_by_hand((data / "state.db").string(), "UPDATE meta SET value = 50000 WHERE name = 'position'");
  const auto files = files_of(data);
  EXPECT_THAT(refusal(data), HasSubstr("state.db was made from"));
  EXPECT_EQ(files_of(data), files);
}

TEST_F(Conversion, MissingTablesAreRefusedAndNothingIsChanged) {
  fs::remove(data / "state.db");
  const auto files = files_of(data);
  EXPECT_THAT(refusal(data), HasSubstr("state.db is missing. Nothing was changed."));
  EXPECT_EQ(files_of(data), files);
}

TEST_F(Conversion, TheJournalOfAnEarlierConversionIsNeverReplaced) {
  std::ofstream(data / "journal.db.converted") << "mine";
  const auto files = files_of(data);
  EXPECT_THAT(refusal(data), HasSubstr("journal.db.converted is there"));
  EXPECT_EQ(files_of(data), files);
}

TEST_F(Conversion, AFolderWithBothJournalsIsRefusedAndNothingIsChanged) {
  fs::create_directory(segments());
  const auto files = files_of(data);
  EXPECT_THAT(refusal(data), HasSubstr("are both there"));
  EXPECT_EQ(files_of(data), files);
}

TEST_F(Conversion, ADiskWithoutRoomForBothIsToldHowMuchIsNeeded) {
  const auto files = files_of(data);
  CountedCalls::set_free(100'000);
  const std::string refused = refusal(data);
  EXPECT_THAT(refused, HasSubstr("the disk has 98304 bytes free. Nothing was changed."));
  EXPECT_EQ(files_of(data), files);
  const std::string needed = "which take ";
  const std::size_t bytes = std::stoull(refused.substr(refused.find(needed) + needed.size()));
  CountedCalls::set_free(bytes + segments::k_block);
  EXPECT_EQ(refusal(data), "");
  CountedCalls::set_free({});
  std::size_t taken = 0;
  for (const auto& entry : fs::directory_iterator(segments())) taken += entry.file_size();
  EXPECT_LT(taken, bytes) << "with the two segments that the start prepares, it is all of it";
  EXPECT_GT(taken, bytes / 3);
}

TEST_F(Conversion, ASecondJournalBesideAnInterruptedConversionIsRefused) {
  convert(data);
  fs::copy(segments(), data / "journal.new");
  EXPECT_THAT(refusal(data), HasSubstr("journal.new are both there"));
}

// ---------------------------------------------------------------------------------------------------------------- crashes

TEST_F(Conversion, AfterACrashAtAnyCallOneOrTheOtherIsWhole) {
  const auto ends_at = [](std::size_t call) { return CountedCalls::Fault{.at = call, .does = CountedCalls::Fault::Kind::ends}; };
  std::size_t call = 0;
  int status = CountedCalls::k_ended;
  bool had_file = false;
  bool had_new_only = false;
  for (; status == CountedCalls::k_ended; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    const fs::path crashed = copy("crashed");
    status = status_of_child(crashed, ends_at(call));
    (fs::exists(crashed / "journal.db") ? had_file : had_new_only) = true;
    const fs::path again = data.parent_path() / "again";
    fs::remove_all(again);
    fs::copy(crashed, again, fs::copy_options::recursive);
    ASSERT_TRUE(is_one_or_the_other(crashed));
    ASSERT_EQ(status_of_child(again, {}), 0) << "the next start converts it";
    ASSERT_TRUE(is_one_or_the_other(again));
    ASSERT_TRUE(fs::exists(again / "journal"));
  }
  EXPECT_EQ(status, 0);
  EXPECT_GT(call, 40U);
  EXPECT_TRUE(had_file);
  EXPECT_TRUE(had_new_only);
}

TEST_F(Conversion, AfterAFailedCallOneOrTheOtherIsWhole) {
  int status = k_refused;
  std::size_t refusals = 0;
  std::size_t calls = 0;
  {
    const fs::path counted = copy("counted");
    CountedCalls::watch(counted);
    convert(counted);
    CountedCalls::stop();
    calls = CountedCalls::calls();
  }
  for (std::size_t call = 0; call < calls; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    const fs::path failed = copy("failed");
    status = status_of_child(failed, CountedCalls::Fault{.at = call, .does = CountedCalls::Fault::Kind::fails, .code = ENOSPC});
    ASSERT_TRUE(status == 0 || status == k_refused) << status;
    refusals += status == k_refused ? 1U : 0U;
    ASSERT_EQ(status_of_child(failed, {}), 0) << "the next start converts it";
    ASSERT_TRUE(is_one_or_the_other(failed));
    ASSERT_TRUE(fs::exists(failed / "journal"));
  }
  EXPECT_GT(refusals, 30U);
}

TEST_F(Conversion, NothingGetsItsNameBeforeItIsOnDisk) {
  CountedCalls::watch(data);
  convert(data);
  CountedCalls::stop();
  EXPECT_THAT(CountedCalls::renamed_too_early(), IsEmpty());
  EXPECT_TRUE(is_one_or_the_other(data));
}

}   // namespace
}   // namespace holdfast::test
