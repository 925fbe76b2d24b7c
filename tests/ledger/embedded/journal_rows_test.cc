// Whatever files a journal is kept in, its readers get the same answers: the same rows are written to SQLite and to segment files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <fstream>
#include <thread>

#include "ledger/change_pages.h"
#include "ledger/embedded/journal.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/journal_reader.h"
#include "ledger/embedded/segment_rows.h"
#include "ledger/embedded/segments/clock_doubt_note.h"
#include "ledger/embedded/segments/few_open_files.h"
#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/retention.h"
#include "ledger/embedded/segments/segments_in_test.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr Position k_rows = 40;   // three small segments
constexpr Position k_old = 20;    // retention may remove up to here

// A row to be written, which owns its body.
struct RowToWrite {
  JournalRow row;
  std::string body;
};

// The row of these tests at a position, without its hash. Its body has a text that no other row has.
JournalRow row_at(Position position, std::string& body) {
  body = "<row " + std::to_string(position) + ">" + std::string(static_cast<std::size_t>(position) * 50, 'x');
  return {.position = position,
          .event = static_cast<EventNumber>(position % 3 + 1),
          .first_seq = static_cast<Seq>(2 * position),
          .changes = position % 7 == 0 ? 0U : 2U,
          .at = k_begin + position / 2,
          .body = body};
}

// ---------------------------------------------------------------------------------------------------------------- two ways to keep rows

class InSqlite {
 public:
  explicit InSqlite(const fs::path& data) : data_(data) { Journal(DataFolder::journal_in(data), Journal::Mode::create); }

  void append(std::span<const RowToWrite> rows) {
    Journal journal(DataFolder::journal_in(data_), Journal::Mode::write);
    journal.begin();
    for (const auto& [row, body] : rows) journal.append(row.event, row.first_seq, row.changes, row.at, body);
    journal.commit();
  }
  void note(const DoubtfulStart& start) { Journal(DataFolder::journal_in(data_), Journal::Mode::write).note_doubtful_start(start); }
  // Removes rows up to k_old, or fewer. Returns the last one.
  Position remove_old() {
    remove_old_rows(data_, k_old);
    return k_old;
  }
  void damage(Position position) {
    journal_of(data_).falsify(position, [](StoredRowInTest& row) { row.body.front() ^= 1; });
  }
  void lose_first_row() { journal_of(data_).remove(1); }
  std::unique_ptr<JournalRows> open() { return open_journal_rows(data_); }

 private:
  const fs::path data_;
};

class InSegments {
 public:
  explicit InSegments(const fs::path& data) : folder_(data / "journal") {
    fs::create_directories(folder_);
    disk_.emplace(folder_);
    segments::SegmentWriter::create(*disk_, small_segments(), k_test_journal, {});
  }

  // One round a row.
  void append(std::span<const RowToWrite> rows) {
    SettledWriter writer(*disk_, small_segments());
    for (const auto& [row, body] : rows) {
      segments::Round round(writer.reach());
      round.add_row(row.event, row.first_seq, row.changes, row.at, body);
      writer.append(round);
    }
    writer.stop();
  }
  void note(const DoubtfulStart& start) {
    SettledWriter writer(*disk_, small_segments());
    segments::Round round(writer.reach());
    round.add_note(segments::k_note_clock_doubt, segments::note_of_clock_doubt(start));
    writer.append(round);
    writer.stop();
  }
  Position remove_old() { return remove_through(k_old); }
  Position remove_through(Position through) {
    SettledWriter writer(*disk_, small_segments());
    const std::uint64_t keep = segments::first_segment_to_keep(writer.catalog(), through);
    segments::Round round(writer.reach());
    round.add_note(segments::k_note_first_kept, segments::note_of_first_kept(keep));
    writer.append(round);
    segments::remove_segments_before(*disk_, writer.catalog(), keep);
    writer.stop();
    return writer.catalog().snapshot().segments.front().before->head.position;
  }
  void damage(Position position) {
    const std::string text = "<row " + std::to_string(position) + ">";
    for (const auto& entry : fs::directory_iterator(folder_)) {
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      const std::size_t at = bytes.find(text);
      if (at == std::string::npos) continue;
      file.seekp(static_cast<std::streamoff>(at)).put('>');
      return;
    }
    ADD_FAILURE() << text << " is in no file";
  }
  void lose_first_row() { fs::remove(folder_ / segments::name_of_segment(1)); }
  std::unique_ptr<JournalRows> open() { return std::make_unique<SegmentRows>(*disk_); }

  segments::PosixDisk& disk() { return *disk_; }
  // All but the segment in use. Returns the last row that is removed.
  Position remove_all_but_last() { return remove_through(k_rows); }

 private:
  const fs::path folder_;
  std::optional<segments::PosixDisk> disk_;
};

// The same, seen beside a server that uses the folder.
class InSegmentsInUse : public InSegments {
 public:
  explicit InSegmentsInUse(const fs::path& data) : InSegments(data), server_(data) {}
  std::unique_ptr<JournalRows> open() { return open_segment_rows(server_.path()); }

 private:
  const DataFolder server_;
};

// And in the process that writes it. What was opened before must be gone.
class InSegmentsOfWriter : public InSegments {
 public:
  using InSegments::InSegments;
  std::unique_ptr<JournalRows> open() {
    try {
      writer_.emplace(disk(), small_segments());
    } catch (const segments::SegmentDamage& damage) {
      throw JournalDamage(damage.what());
    }
    return SegmentRows::of_writer(disk(), writer_->catalog(), [this] { return writer_->notes(); });
  }

 private:
  std::optional<segments::SegmentWriter> writer_;
};

// Rows 1 to `last`, the last one changed by `change`.
template <typename Kept>
void fill(Kept& kept, Position last, const std::function<void(JournalRow&)>& change = {}) {
  std::vector<RowToWrite> rows(static_cast<std::size_t>(last));
  for (Position position = 1; RowToWrite & each : rows) each.row = row_at(position++, each.body);
  if (change) change(rows.back().row);
  kept.append(rows);
}

template <typename Kept>
struct JournalRowsTest : testing::Test {
  void fill(Position last = k_rows) { holdfast::test::fill(kept, last); }
  // The hash that the row at a position must have.
  static ChainHash hash_of(Position position) {
    ChainHash hash{};
    std::string body;
    for (Position each = 1; each <= position; ++each) hash = chain(hash, row_at(each, body));
    return hash;
  }
  // The positions that a reading after `after` visits. It compares each row with the expected one.
  static std::vector<Position> read(JournalRows& journal, const JournalHead& after, std::size_t rows_max = 1'000) {
    std::vector<Position> seen;
    std::string body;
    journal.read(after, [&](const JournalRow& row) {
      const JournalRow expected = row_at(row.position, body);
      EXPECT_EQ(row.event, expected.event);
      EXPECT_EQ(row.first_seq, expected.first_seq);
      EXPECT_EQ(row.changes, expected.changes);
      EXPECT_EQ(row.at, expected.at);
      EXPECT_EQ(row.body, expected.body);
      EXPECT_EQ(row.hash, hash_of(row.position));
      seen.push_back(row.position);
      return seen.size() < rows_max;
    });
    return seen;
  }
  // What an open journal and a whole reading of it say is wrong; empty: nothing.
  std::string refusal() {
    try {
      const auto journal = kept.open();
      journal->read(journal->anchor(), [](const JournalRow&) { return true; });
      return {};
    } catch (const JournalDamage& damage) {
      return damage.what();
    }
  }

  LedgerFolder folder;
  Kept kept{folder};
};

std::vector<Position> from_to(Position first, Position last) {
  std::vector<Position> positions;
  for (; first <= last; ++first) positions.push_back(first);
  return positions;
}

// Visits until `rows_max` rows, and says of each row that nobody should believe: `position!`.
auto noting(std::vector<std::string>& seen, std::size_t rows_max = 1'000) {
  return [&seen, rows_max](const StoredRow& row) {
    const bool fits = row.wrong.empty() && (row.is_checked || (row.before && chain(*row.before, row.row) == row.row.hash));
    seen.push_back(std::to_string(row.row.position) + (fits ? "" : "!"));
    return seen.size() < rows_max;
  };
}

using Kinds = testing::Types<InSqlite, InSegments, InSegmentsInUse, InSegmentsOfWriter>;
struct NamesOfKinds {
  template <typename Kept>
  static std::string GetName(int kind) {
    return std::array{"InSqlite", "InSegments", "InSegmentsInUse", "InSegmentsOfWriter"}.at(static_cast<std::size_t>(kind));
  }
};
TYPED_TEST_SUITE(JournalRowsTest, Kinds, NamesOfKinds);

// ---------------------------------------------------------------------------------------------------------------- whole journals

TYPED_TEST(JournalRowsTest, OfAnEmptyJournalThereIsOnlyTheAnchor) {
  const auto journal = this->kept.open();
  EXPECT_EQ(journal->head(), JournalHead{});
  EXPECT_EQ(journal->anchor(), JournalHead{});
  EXPECT_EQ(journal->oldest(), std::nullopt);
  EXPECT_EQ(journal->removed_through(), 0);
  EXPECT_EQ(journal->last_time(), 0);
  EXPECT_EQ(journal->hash_at(0), ChainHash{});
  EXPECT_EQ(journal->hash_at(1), std::nullopt);
  EXPECT_EQ(journal->doubtful_start(), std::nullopt);
  EXPECT_THAT(this->read(*journal, {}), ElementsAre());
  const CountedRows counted = journal->count(1, 10);
  EXPECT_EQ(counted.rows, 0);
  EXPECT_EQ(counted.last, 0);
  EXPECT_TRUE(fs::exists(journal->path()));
  EXPECT_GT(journal->bytes(), 0);
}

TYPED_TEST(JournalRowsTest, AreReadAndCheckedFromAnyRowOn) {
  this->fill();
  const auto journal = this->kept.open();
  EXPECT_EQ(journal->head(), (JournalHead{k_rows, this->hash_of(k_rows)}));
  EXPECT_EQ(journal->anchor(), JournalHead{});
  EXPECT_EQ(journal->oldest(), 1);
  std::string body;
  EXPECT_EQ(journal->last_time(), row_at(k_rows, body).at);
  for (Position after = 0; after <= k_rows; ++after) {
    const ChainHash hash = this->hash_of(after);
    EXPECT_EQ(journal->hash_at(after), hash);
    EXPECT_EQ(this->read(*journal, {after, hash}), from_to(after + 1, k_rows));
  }
  EXPECT_EQ(journal->hash_at(k_rows + 1), std::nullopt);
  EXPECT_EQ(this->read(*journal, {}, 17), from_to(1, 17));
}

TYPED_TEST(JournalRowsTest, ThatDoNotFollowOnTheHashAreNotRead) {
  this->fill();
  const auto journal = this->kept.open();
  for (const Position after : {Position{0}, Position{5}, k_rows - 1}) {
    try {
      journal->read({after, this->hash_of(after + 1)}, [](const JournalRow&) { return true; });
      ADD_FAILURE() << "the hash before row " << after + 1 << " was believed";
    } catch (const JournalDamage& damage) {
      EXPECT_THAT(damage.what(), HasSubstr("row " + std::to_string(after + 1) + " does not fit the chain"));
      EXPECT_THAT(damage.what(), HasSubstr(journal->path()));
      EXPECT_THAT(damage.what(), HasSubstr("holdfast restore"));
    }
  }
}

TYPED_TEST(JournalRowsTest, AreCountedUpToALimit) {
  this->fill();
  const auto journal = this->kept.open();
  const auto counted = [&](Position first, std::int64_t rows_max) {
    const CountedRows found = journal->count(first, rows_max);
    return std::vector<std::int64_t>{found.rows, found.changes, found.last};
  };
  EXPECT_THAT(counted(1, 1'000), ElementsAre(40, 70, 40)) << "rows 7, 14, 21, 28 and 35 have no changes";
  EXPECT_THAT(counted(7, 2), ElementsAre(2, 2, 40));
  EXPECT_THAT(counted(40, 5), ElementsAre(1, 2, 40));
  EXPECT_THAT(counted(41, 5), ElementsAre(0, 0, 40));
}

TYPED_TEST(JournalRowsTest, AreFoundByPositionAndByEvent) {
  this->fill();
  const auto journal = this->kept.open();
  std::vector<std::string> seen;
  journal->each_stored(38, noting(seen));
  EXPECT_THAT(seen, ElementsAre("38", "39", "40"));
  seen.clear();
  journal->each_stored(12, noting(seen, 5));
  EXPECT_THAT(seen, ElementsAre("12", "13", "14", "15", "16"));
  seen.clear();
  journal->each_stored_at(std::vector<Position>{3, 15, 29, 41, 4}, noting(seen));
  EXPECT_THAT(seen, ElementsAre("3", "15", "29")) << "up to the first that is missing";
  seen.clear();
  journal->each_stored_at(std::vector<Position>{3, 15, 29}, noting(seen, 2));
  EXPECT_THAT(seen, ElementsAre("3", "15"));
  seen.clear();
  journal->each_stored_of(2, 66, 25, noting(seen));
  EXPECT_THAT(seen, ElementsAre("34", "37", "40")) << "row 31 ends before change 66";
  seen.clear();
  journal->each_stored_of(2, 63, 25, noting(seen));
  EXPECT_THAT(seen, ElementsAre("31", "34", "37", "40")) << "row 31 has changes 62 and 63";
}

TYPED_TEST(JournalRowsTest, RememberTheNewestStartWithAClockFarAhead) {
  this->fill(3);
  for (const Millis until : {k_begin, k_begin + k_hour}) this->kept.note({.until = until, .ahead = k_day});
  const auto start = this->kept.open()->doubtful_start();
  ASSERT_TRUE(start.has_value());
  EXPECT_EQ(start->until, k_begin + k_hour);
  EXPECT_EQ(start->ahead, k_day);
}

// ---------------------------------------------------------------------------------------------------------------- retention

TYPED_TEST(JournalRowsTest, GoOnAfterTheAnchorOnceOldOnesAreRemoved) {
  this->fill();
  const Position removed = this->kept.remove_old();
  ASSERT_GT(removed, 0);
  ASSERT_LT(removed, k_rows);
  const auto journal = this->kept.open();
  EXPECT_EQ(journal->anchor(), (JournalHead{removed, this->hash_of(removed)}));
  EXPECT_EQ(journal->head(), (JournalHead{k_rows, this->hash_of(k_rows)}));
  EXPECT_EQ(journal->removed_through(), removed);
  EXPECT_EQ(journal->oldest(), removed + 1);
  EXPECT_EQ(journal->hash_at(removed), this->hash_of(removed));
  EXPECT_EQ(journal->hash_at(removed - 1), std::nullopt);
  EXPECT_EQ(this->read(*journal, journal->anchor()), from_to(removed + 1, k_rows));
  std::vector<std::string> seen;
  journal->each_stored(1, noting(seen, 2));
  EXPECT_THAT(seen, ElementsAre(std::to_string(removed + 1), std::to_string(removed + 2)));
  seen.clear();
  journal->each_stored_at(std::vector<Position>{removed}, noting(seen));
  EXPECT_THAT(seen, ElementsAre());
  EXPECT_EQ(journal->count(1, 1'000).rows, k_rows - removed);
  try {
    journal->read({}, [](const JournalRow&) { return true; });
    ADD_FAILURE() << "row 1 was not missed";
  } catch (const JournalDamage& damage) {
    EXPECT_THAT(damage.what(), HasSubstr("row 1 is missing"));
  }
}

// ---------------------------------------------------------------------------------------------------------------- damage

TYPED_TEST(JournalRowsTest, AreReadUpToADamagedOneWhichIsNamed) {
  this->fill();
  this->kept.damage(5);
  const auto journal = this->kept.open();
  std::vector<Position> seen;
  try {
    journal->read(journal->anchor(), [&](const JournalRow& row) {
      seen.push_back(row.position);
      return true;
    });
    ADD_FAILURE() << "the damage was not seen";
  } catch (const JournalDamage& damage) {
    EXPECT_THAT(damage.what(), HasSubstr("row 5 "));
    EXPECT_THAT(damage.what(), HasSubstr(journal->path()));
    EXPECT_THAT(damage.what(), HasSubstr("holdfast restore"));
  }
  EXPECT_EQ(seen, from_to(1, 4));
  EXPECT_EQ(this->read(*journal, {5, this->hash_of(5)}), from_to(6, k_rows)) << "behind it";
}

TYPED_TEST(JournalRowsTest, AreVisitedOnBothSidesOfDamagedOnes) {
  this->fill();
  for (const Position damaged : {2, 5, 6}) this->kept.damage(damaged);
  const auto journal = this->kept.open();
  std::vector<std::string> seen;
  journal->each_stored(1, noting(seen, 8));
  EXPECT_THAT(seen, ElementsAre("1", "2!", "3", "4", "5!", "6!", "7", "8"));
  seen.clear();
  journal->each_stored(5, noting(seen, 1));
  EXPECT_THAT(seen, ElementsAre("5!"));
  seen.clear();
  journal->each_stored_at(std::vector<Position>{1, 5, 7}, noting(seen));
  EXPECT_THAT(seen, ElementsAre("1", "5!", "7"));
  seen.clear();
  journal->each_stored_of(3, 0, 1, noting(seen, 3));   // rows 2, 5, 8 of its own
  EXPECT_THAT(seen, testing::IsSupersetOf({"2!", "5!"}));
}

TYPED_TEST(JournalRowsTest, WithoutTheFirstAreRefused) {
  this->fill();
  this->kept.lose_first_row();
  EXPECT_THAT(this->refusal(), HasSubstr("missing"));
}

TYPED_TEST(JournalRowsTest, OfATimeBeforeTheRowBeforeAreRefused) {
  fill(this->kept, 4, [](JournalRow& row) { row.at = k_begin; });
  EXPECT_THAT(this->refusal(), HasSubstr("row 4 is from before the row before it"));
}

TYPED_TEST(JournalRowsTest, OfAnEventThatThereCannotBeAreRefused) {
  for (const EventNumber event : {EventNumber{0}, static_cast<EventNumber>(k_events_max + 1)}) {
    const LedgerFolder folder;
    TypeParam kept(folder);
    fill(kept, 1, [event](JournalRow& row) { row.event = event; });
    const auto journal = kept.open();
    try {
      journal->read({}, [](const JournalRow&) { return true; });
      ADD_FAILURE() << "event " << event << " was believed";
    } catch (const JournalDamage& damage) {
      EXPECT_THAT(damage.what(), HasSubstr("row 1 has an impossible event number"));
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------- a ledger's journal

// A sale with its tables, and its rows once more in other files.
template <typename Kept>
struct JournalOfASale : testing::Test {
  JournalOfASale() {
    LedgerInTest it(folder / "data", time);
    event = it.create_event(20);
    for (SeatIndex seat = 0; seat < 15; ++seat) EXPECT_TRUE(it.hold(event, it.new_id(event), {seat}).accepted());
    it.wait_for_tables();
    it.close();
    fs::create_directories(folder / "again");
    kept.emplace(folder / "again");
    const auto journal = open_journal_rows(folder / "data");
    std::vector<RowToWrite> rows;
    journal->read(journal->anchor(), [&](const JournalRow& row) {
      rows.push_back({row, std::string(row.body)});
      return true;
    });
    kept->append(rows);
  }

  LedgerFolder folder;
  TestTime time;
  EventNumber event = 0;
  std::optional<Kept> kept;
};
TYPED_TEST_SUITE(JournalOfASale, Kinds, NamesOfKinds);

TYPED_TEST(JournalOfASale, AgreesWithTheTables) {
  const auto journal = this->kept->open();
  StateStore state(DataFolder::state_in(this->folder / "data"), StateStore::Mode::read);
  check_pair(*journal, state);
  EXPECT_EQ(last_recorded_time(*journal, state), k_begin);
  const VerifyReport report = verify(*journal, state);
  EXPECT_EQ(report.problem, "");
  EXPECT_EQ(report.rows, 18U);
  EXPECT_EQ(report.reservations, 15U);
  EXPECT_TRUE(report.journal_is_whole);
}

TYPED_TEST(JournalOfASale, MakesTheSameTablesAgain) {
  const auto journal = this->kept->open();
  StateStore state(DataFolder::state_in(this->folder / "again"), StateStore::Mode::create);
  follow_all(*journal, state, [](Position) {});
  EXPECT_EQ(verify(*journal, state).problem, "");
}

TYPED_TEST(JournalOfASale, ServesReadersByEventAndByPosition) {
  const auto damaged = std::make_shared<DamagedRows>("the journal");
  JournalReader reader(this->kept->open(), DataFolder::state_in(this->folder / "data"), damaged);
  const auto positions = [](const KeptRows& rows) {
    std::vector<Position> all;
    for (const auto& row : rows) all.push_back(row->position);
    return all;
  };
  EXPECT_EQ(positions(reader.rows_from(1, 1'000)), from_to(1, 18));
  EXPECT_EQ(positions(reader.rows_of(this->event, 5, 3)), from_to(5, 7));
  EXPECT_EQ(reader.oldest(), 1);
  EXPECT_EQ(reader.oldest_of(this->event), 1U);
  EXPECT_EQ(reader.count_changes_from("4"), 15U);
  EXPECT_EQ(damaged->text(), "");
}

// ---------------------------------------------------------------------------------------------------------------- beside a writer

TEST(SqliteRowsTest, PinnedOnesAreNotRemovedUnderAReader) {
  const LedgerFolder folder;
  InSqlite kept(folder);
  fill(kept, k_rows);
  const auto pinned = kept.open();
  pinned->pin();
  const auto late = kept.open();
  kept.remove_old();
  std::size_t rows = 0;
  const auto count = [&](const JournalRow&) { return ++rows > 0; };
  pinned->read(pinned->anchor(), count);
  EXPECT_EQ(rows, static_cast<std::size_t>(k_rows));
  EXPECT_EQ(pinned->removed_through(), 0);
  EXPECT_EQ(late->removed_through(), k_old) << "as of now";
  late->pin();
  EXPECT_EQ(late->anchor().position, k_old);
}

// A writer that shares only the files with its reader.
struct SegmentsBesideAWriter : testing::Test {
  SegmentsBesideAWriter() { fill(kept, k_rows); }
  void append_row(Position position) {
    std::vector<RowToWrite> rows(1);
    rows[0].row = row_at(position, rows[0].body);
    kept.append(rows);
  }
  static std::vector<Position> all_of(JournalRows& rows) {
    std::vector<Position> seen;
    rows.each_stored(1, [&](const StoredRow& row) {
      EXPECT_EQ(row.wrong, "");
      seen.push_back(row.row.position);
      return true;
    });
    return seen;
  }

  LedgerFolder folder;
  InSegmentsInUse kept{folder};
};

TEST_F(SegmentsBesideAWriter, EachReadingSeesWhatIsPublishedAndPinnedOnesDoNot) {
  const auto rows = kept.open();
  const auto pinned = kept.open();
  pinned->pin();
  append_row(k_rows + 1);
  EXPECT_EQ(all_of(*rows), from_to(1, k_rows + 1));
  EXPECT_EQ(rows->count(k_rows, 10).rows, 2);
  EXPECT_EQ(rows->head().position, k_rows) << "as of its opening";
  EXPECT_EQ(all_of(*pinned), from_to(1, k_rows));
  const Position removed = kept.remove_old();
  EXPECT_EQ(rows->removed_through(), removed);
  EXPECT_EQ(all_of(*rows), from_to(removed + 1, k_rows + 1));
  EXPECT_EQ(rows->hash_at(removed - 1), std::nullopt);
  EXPECT_EQ(pinned->removed_through(), 0);
  EXPECT_EQ(all_of(*pinned), from_to(1, k_rows)) << "its files are open";
  pinned->pin();
  EXPECT_EQ(pinned->anchor().position, removed);
}

// Retention removes the file of the next segment while a reading is in the one before, and the file is not open.
TEST_F(SegmentsBesideAWriter, RowsThatAreRemovedUnderAReadingAreLeftOutAndAreAnErrorOfAPinnedOne) {
  for (const bool is_pinned : {false, true}) {
    const LedgerFolder other;
    InSegments written(other);
    fill(written, k_rows);
    segments::PosixDisk posix(DataFolder::journal_folder_in(other));
    segments::FewOpenFiles few(posix, 1);
    SegmentRows rows(few);
    if (is_pinned) rows.pin();
    std::vector<Position> seen;
    Position removed = 0;
    const auto read = [&] {
      rows.each_stored(1, [&](const StoredRow& row) {
        if (removed == 0) removed = written.remove_all_but_last();
        seen.push_back(row.row.position);
        return true;
      });
    };
    if (is_pinned) EXPECT_THROW(read(), segments::RowsGone);
    else EXPECT_NO_THROW(read());
    ASSERT_GT(removed, 0);
    const Position in_first = static_cast<Position>(std::ranges::find(seen, removed + 1) - seen.begin());
    std::vector<Position> expected = from_to(1, in_first);
    if (!is_pinned) std::ranges::copy(from_to(removed + 1, k_rows), std::back_inserter(expected));
    EXPECT_EQ(seen, expected);
  }
}

// After a power cut `reach` may be older than the last rows. A start has them, and so has a tool while nobody writes.
TEST_F(SegmentsBesideAWriter, AFolderThatNobodyUsesIsReadAsAStartWouldFindIt) {
  const LedgerFolder other;
  const std::string reach = DataFolder::journal_folder_in(other) + "/reach";
  InSegments written(other);
  SettledWriter writer(written.disk(), small_segments());
  const auto append = [&] {
    segments::Round round = test_round(writer.reach());
    writer.append(round);
  };
  append();
  fs::copy_file(reach, reach + ".older");
  append();
  fs::copy_file(reach + ".older", reach, fs::copy_options::overwrite_existing);
  EXPECT_EQ(open_segment_rows(other)->head(), writer.reach().head);
  const DataFolder server(other);
  EXPECT_LT(open_segment_rows(other)->head().position, writer.reach().head.position) << "a server would have published it";
}

TEST(DataFolderTest, IsFoundInUseAndAGlanceKeepsNobodyOut) {
  const LedgerFolder folder;
  EXPECT_FALSE(DataFolder::is_in_use(folder));
  {
    const DataFolder server(folder);
    EXPECT_TRUE(DataFolder::is_in_use(folder));
    EXPECT_THROW(DataFolder{folder}, DataError);
  }
  EXPECT_FALSE(DataFolder::is_in_use(folder));
  std::atomic<bool> done{false};
  std::thread glancing([&] {
    while (!done) DataFolder::is_in_use(folder);
  });
  for (int i = 0; i < 200; ++i) EXPECT_NO_THROW(DataFolder{folder});
  done = true;
  glancing.join();
}

}  // namespace
}  // namespace holdfast::test
