// Damaged, incomplete and foreign files: found, refused by name with the remedy, and never repaired by guessing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "cli/maintenance.h"
#include "ledger/embedded/disk.h"
#include "ledger/embedded/journal.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string read_whole(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_whole(const fs::path& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// A ledger that was stopped cleanly: one event of 20 seats, a dozen rows of journal.
struct Damage : testing::Test {
  Damage() {
    LedgerInTest it(folder / "good", time);
    event = it.create_event(20);
    sold = it.new_id(event);
    held = it.new_id(event);
    EXPECT_TRUE(it.hold(event, sold, {1, 2}, "anna").accepted());
    EXPECT_TRUE(it.consume(event, sold).accepted());
    EXPECT_TRUE(it.hold(event, held, {3}, "ben").accepted());
    EXPECT_TRUE(it.block(event, {9}).accepted());
    for (SeatIndex seat = 10; seat < 14; ++seat) EXPECT_TRUE(it.hold(event, it.new_id(event), {seat}, "cleo").accepted());
    it.wait_for_tables();
    rows = 3 + 4 + 4;
  }

  // A fresh copy of the good folder.
  fs::path copy() {
    const fs::path to = folder.path() / ("copy" + std::to_string(++copies));
    fs::copy(folder / "good", to, fs::copy_options::recursive);
    return to;
  }
  std::string files_of(const fs::path& data) { return read_whole(data / "journal.db") + read_whole(data / "state.db"); }

  LedgerFolder folder;
  TestTime time;
  EventNumber event = 0;
  Uuid sold{};
  Uuid held{};
  int rows = 0;
  int copies = 0;
};

TEST_F(Damage, GoodDataAreVerifiedAndOpened) {
  const VerifyReport report = verify_folder(folder / "good");
  EXPECT_EQ(report.problem, "");
  EXPECT_EQ(report.rows, static_cast<std::uint64_t>(rows));
  EXPECT_EQ(report.tables_as_of, rows);
  EXPECT_EQ(report.journal_head, rows);
  EXPECT_EQ(report.events, 1u);
  EXPECT_EQ(report.seats, 20u);
  EXPECT_EQ(report.reservations, 6u);
  EXPECT_TRUE(report.journal_is_whole);
  EXPECT_EQ(refusal_at_start(copy(), time), "");
}

// ---------------------------------------------------------------------------------------------------------------- the journal's rows

struct Falsehood {
  std::string name;
  std::function<void(StoredRowInTest&)> tell;
};

std::vector<Falsehood> falsehoods() {
  std::vector<Falsehood> all;
  const std::pair<const char*, std::int64_t StoredRowInTest::*> numbers[] = {{"event", &StoredRowInTest::event},
                                                                             {"first_seq", &StoredRowInTest::first_seq},
                                                                             {"changes", &StoredRowInTest::changes},
                                                                             {"at", &StoredRowInTest::at}};
  for (const auto& [name, number] : numbers) {
    for (const int bit : {0, 9, 20, 33, 47, 62}) {
      all.push_back({std::string("bit ") + std::to_string(bit) + " of " + name,
                     [number, bit](StoredRowInTest& row) { row.*number ^= std::int64_t{1} << bit; }});
    }
    all.push_back({std::string("all bits of ") + name, [number](StoredRowInTest& row) { row.*number = ~(row.*number); }});
  }
  all.push_back({"the body's first byte", [](StoredRowInTest& row) { row.body.front() = 'Z'; }});
  all.push_back({"a byte within the body", [](StoredRowInTest& row) { row.body[row.body.size() / 2] = 'Z'; }});
  all.push_back({"the body's last byte", [](StoredRowInTest& row) { row.body.back() = 'Z'; }});
  for (const std::size_t byte : {0U, 31U}) {
    all.push_back({"the hash's byte " + std::to_string(byte), [byte](StoredRowInTest& row) { row.hash[byte] = 'Z'; }});
  }
  all.push_back({"a longer body", [](StoredRowInTest& row) { row.body.push_back('\0'); }});
  all.push_back({"no body", [](StoredRowInTest& row) { row.body.clear(); }});
  all.push_back({"no hash", [](StoredRowInTest& row) { row.hash.clear(); }});
  return all;
}

TEST_F(Damage, AChangedByteInAnyColumnOfAnyRowIsFoundAndTheRowNamed) {
  for (int row = 1; row <= rows; ++row) {
    const fs::path data = copy();
    for (const Falsehood& falsehood : falsehoods()) {
      SCOPED_TRACE("row " + std::to_string(row) + ": " + falsehood.name);
      {
        StoredJournal journal(data);
        const StoredRowInTest before = journal.row(row);
        journal.falsify(row, falsehood.tell);
        const std::string problem = verify_folder(data).problem;
        EXPECT_TRUE(names_the_way_out(problem, "journal"));
        EXPECT_THAT(problem, HasSubstr("row " + std::to_string(row)));
        const std::string refusal = refusal_at_start(data, time);
        EXPECT_TRUE(names_the_way_out(refusal, "journal"));
        journal.put(before);
      }
      ASSERT_EQ(verify_folder(data).problem, "");
    }
  }
}

TEST_F(Damage, AMissingRowIsFoundAndNamed) {
  for (int row = 1; row < rows; ++row) {
    const fs::path data = copy();
    journal_of(data).remove(row);
    EXPECT_THAT(verify_folder(data).problem, HasSubstr("row " + std::to_string(row) + " is missing"));
    EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), journal_name_in_test()));
  }
}

TEST_F(Damage, SwappedRowsAreFoundAndTheFirstIsNamed) {
  for (int row = 2; row < rows; ++row) {
    const fs::path data = copy();
    {
      StoredJournal journal(data);
      StoredRowInTest first = journal.row(row);
      StoredRowInTest second = journal.row(row + 1);
      std::swap(first.position, second.position);
      journal.put(first);
      journal.put(second);
    }
    const std::string problem = verify_folder(data).problem;
    EXPECT_TRUE(names_the_way_out(problem, "journal"));
    EXPECT_THAT(problem, testing::AnyOf(HasSubstr("row " + std::to_string(row)), HasSubstr("row " + std::to_string(row + 1))));
    EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), "journal"));
  }
}

TEST_F(Damage, AJournalThatEndsBeforeTheTablesIsRefusedByNameWithTheRemedy) {
  for (int removed = 1; removed <= rows; ++removed) {
    const fs::path data = copy();
    journal_of(data).remove_after(rows - removed);
    const std::string before = files_of(data);
    const std::string refusal = refusal_at_start(data, time);
    EXPECT_TRUE(names_the_way_out(refusal, journal_name_in_test()));
    EXPECT_THAT(refusal, HasSubstr("ends at row " + std::to_string(rows - removed)));
    EXPECT_THAT(refusal, HasSubstr("row " + std::to_string(rows)));
    EXPECT_TRUE(names_the_way_out(verify_folder(data).problem, journal_name_in_test()));
    EXPECT_EQ(files_of(data), before) << "a refused start changes nothing";
  }
}

TEST_F(Damage, AnotherAnchorOfTheChainIsFound) {
  const std::string zeros(32, '\0');
  const std::pair<const char*, std::function<void(StoredJournal&)>> changes[] = {
      {"another hash", [](StoredJournal& journal) { journal.set_anchor(0, std::string(32, '\x11')); }},
      {"another position", [&](StoredJournal& journal) { journal.set_anchor(3, zeros); }},
      {"none", [](StoredJournal& journal) { journal.forget_notes(); }}};
  for (const auto& [name, change] : changes) {
    const fs::path data = copy();
    {
      StoredJournal journal(data);
      change(journal);
    }
    EXPECT_TRUE(names_the_way_out(verify_folder(data).problem, "journal")) << name;
    EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), "journal")) << name;
  }
}

// ---------------------------------------------------------------------------------------------------------------- whole files

TEST_F(Damage, AnotherFormatVersionIsRefusedWithItsNumber) {
  for (const char* file : files_in_test()) {
    const fs::path data = copy();
    change_by_hand(data / file, "PRAGMA user_version = 77");
    const std::string refusal = refusal_at_start(data, time);
    EXPECT_TRUE(names_the_way_out(refusal, file));
    EXPECT_THAT(refusal, HasSubstr("format 77"));
  }
}

TEST_F(Damage, AnotherProgramsFileIsRefused) {
  for (const char* file : files_in_test()) {
    const fs::path data = copy();
    fs::remove(data / file);
    {
      sqlite::Database other((data / file).string(), sqlite::Database::Mode::create);
      other.execute("CREATE TABLE notes (text)");
    }
    EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), file));
    write_whole(data / file, "these are my notes, and they are no database\n");
    EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), file));
    write_whole(data / file, std::string(100'000, 'x'));
    EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), file));
  }
}

TEST_F(Damage, AnEmptyFileIsRefusedAndItsLogIsKept) {
  for (const char* file : files_in_test()) {
    const fs::path data = copy();
    write_whole(data / file, "");
    const fs::path log = data / (std::string(file) + "-wal");
    write_whole(log, std::string(5'000, 'x'));
    EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), file));
    EXPECT_EQ(read_whole(log), std::string(5'000, 'x'));
  }
}

TEST_F(Damage, AFileThatIsCutShortIsRefused) {
  for (const char* file : files_in_test()) {
    const auto size = fs::file_size(folder / "good" / file);
    for (const std::uintmax_t left : {std::uintmax_t{1}, std::uintmax_t{31}, std::uintmax_t{99}, std::uintmax_t{512}, std::uintmax_t{4'096},
                                      size / 2, size - 4'096, size - 1}) {
      const fs::path data = copy();
      fs::resize_file(data / file, left);
      EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), file)) << file << " cut to " << left << " of " << size;
    }
  }
}

// Garbage may be where nothing is read from, in an unused part of a page. Where it matters it must be found: a start that
// succeeds must see the old data.
TEST_F(Damage, GarbageAnywhereIsFoundOrHarmless) {
  std::string good;
  {
    LedgerInTest it(copy(), time);
    for (int i = 0; i < 6; ++i) it.new_id(event);
    good = it.picture();
  }
  int found = 0;
  for (const char* file : files_in_test()) {
    const auto size = fs::file_size(folder / "good" / file);
    const std::uintmax_t step = k_is_sanitized ? 4'111 : 1'023;
    for (std::uintmax_t offset = 100; offset + 64 < size; offset += step) {
      const fs::path data = copy();
      {
        std::fstream out(data / file, std::ios::in | std::ios::out | std::ios::binary);
        out.seekp(static_cast<std::streamoff>(offset));
        out << std::string(64, '\xA7');
      }
      const std::string refusal = refusal_at_start(data, time);
      if (!refusal.empty()) {
        ++found;
        EXPECT_TRUE(names_the_way_out(refusal, "")) << file << " at " << offset;
      } else {
        LedgerInTest it(data, time);
        for (int i = 0; i < 6; ++i) it.new_id(event);
        EXPECT_EQ(it.picture(), good) << file << " at " << offset;
      }
      fs::remove_all(data);
    }
  }
  EXPECT_GE(found, k_is_sanitized ? 1 : 4);
}

TEST_F(Damage, OneOfTheTwoFilesAloneIsRefused) {
  const fs::path no_tables = copy();
  fs::remove(no_tables / "state.db");
  const std::string without_tables = refusal_at_start(no_tables, time);
  EXPECT_TRUE(names_the_way_out(without_tables, "state.db"));
  EXPECT_THAT(without_tables, HasSubstr("holdfast rebuild"));
  EXPECT_FALSE(fs::exists(no_tables / "state.db"));

  const fs::path no_journal = copy();
  fs::remove_all(no_journal / journal_name_in_test());
  EXPECT_TRUE(names_the_way_out(refusal_at_start(no_journal, time), journal_name_in_test()));
  EXPECT_FALSE(fs::exists(no_journal / journal_name_in_test()));
}

TEST_F(Damage, FilesOfTwoLedgersAreRefused) {
  {
    LedgerInTest other(folder / "other", time);
    const EventNumber number = other.create_event(20);
    for (SeatIndex seat = 0; seat < 12; ++seat) ASSERT_TRUE(other.hold(number, other.new_id(number), {seat}).accepted());
  }
  const fs::path data = copy();
  copy_journal(folder / "other", data);
  EXPECT_THAT(refusal_at_start(data, time), HasSubstr("not a pair"));
  EXPECT_THAT(verify_folder(data).problem, HasSubstr("not a pair"));
}

TEST_F(Damage, ACrashWhileTheFilesAreCreatedLeavesAFolderThatStarts) {
  const fs::path data = folder / "new";
  fs::create_directories(data);
  write_whole(data / "journal.db.partial", std::string(4'096, 'x'));
  EXPECT_EQ(refusal_at_start(data, time), "");
  for (const char* file : {"state.db", "state.db-wal", "state.db-shm"}) fs::remove(data / file);   // as after a crash between the two
  EXPECT_EQ(refusal_at_start(data, time), "");
}

TEST_F(Damage, AnOldFilesLogIsNotTakenForThatOfANewFile) {
  const fs::path data = folder / "new";
  fs::create_directories(data);
  write_whole(data / "journal.db-wal", "what was written last");
  EXPECT_NE(refusal_at_start(data, time).find("journal.db-wal is there"), std::string::npos) << refusal_at_start(data, time);
  EXPECT_TRUE(fs::exists(data / "journal.db-wal"));
  fs::remove(data / "journal.db-wal");
  EXPECT_EQ(refusal_at_start(data, time), "");
}

// ---------------------------------------------------------------------------------------------------------------- the tables

TEST_F(Damage, TablesChangedByHandAreRefusedAtStartAndFoundByVerify) {
  const std::string the_sold = "'" + to_string(sold) + "'";
  const std::string the_held = "'" + to_string(held) + "'";
  const std::vector<std::string> changes = {
      "UPDATE seat_state SET state = 'a', reservation = NULL WHERE seat = 1",
      "UPDATE seat_state SET state = 'h' WHERE seat = 1",
      "UPDATE seat_state SET state = 'b' WHERE seat = 3",
      "UPDATE seat_state SET state = 'z' WHERE seat = 3",
      "UPDATE seat_state SET version = version + 1 WHERE seat = 9",
      "UPDATE seat_state SET reservation = " + the_held + " WHERE seat = 1",
      "UPDATE seat_state SET reservation = " + the_sold + " WHERE seat = 3",
      "UPDATE seat_state SET reservation = upper(reservation) WHERE seat = 1",
      "UPDATE seat_state SET reservation = upper(reservation) WHERE seat = 3",
      "UPDATE seat_state SET reservation = " + the_sold + " WHERE seat = 9",
      "UPDATE seat_state SET seat = 15 WHERE seat = 9",
      "UPDATE seat_state SET seat = 4000000000 WHERE seat = 9",
      "INSERT INTO seat_state VALUES (1, 19, 'b', 1, NULL)",
      "DELETE FROM seat_state WHERE seat = 9",
      "UPDATE reservation SET status = 'released', live = 0 WHERE id = " + the_held,
      "UPDATE reservation SET status = 'expired' WHERE id = " + the_held,
      "UPDATE reservation SET status = 'nonsense' WHERE id = " + the_held,
      "UPDATE reservation SET status = 'active' WHERE id = " + the_sold,
      "UPDATE reservation SET customer = 'mallory' WHERE id = " + the_held,
      "UPDATE reservation SET customer = 'mallory' WHERE id = " + the_sold,
      "UPDATE reservation SET order_id = 'order-2' WHERE id = " + the_sold,
      "UPDATE reservation SET expires_at = expires_at + 1 WHERE id = " + the_held,
      "UPDATE reservation SET created_at = created_at - 1 WHERE id = " + the_held,
      "UPDATE reservation SET kind = 1 WHERE id = " + the_held,
      "UPDATE reservation SET seats = '[3,4]' WHERE id = " + the_held,
      "UPDATE reservation SET seats = '[3,3]' WHERE id = " + the_held,
      "UPDATE reservation SET seats = '[]' WHERE id = " + the_held,
      "UPDATE reservation SET seats = '[2,1]' WHERE id = " + the_sold,
      "UPDATE reservation SET seats = '[1,2' WHERE id = " + the_sold,
      "UPDATE reservation SET seats = '[4000000]' WHERE id = " + the_held,
      "UPDATE reservation SET live = 0 WHERE id = " + the_held,
      "UPDATE reservation SET live = 0 WHERE id = " + the_sold,
      "UPDATE reservation SET event = 2 WHERE id = " + the_held,
      "UPDATE reservation SET id = upper(id) WHERE id = " + the_held,
      "INSERT INTO reservation SELECT upper(id), event, kind, customer, created_at, expires_at, status, order_id, seats, live, "
      "created_seq FROM reservation WHERE id = " +
          the_held,
      "DELETE FROM reservation WHERE id = " + the_sold,
      "DELETE FROM reservation WHERE id = " + the_held,
      "UPDATE reservation SET created_seq = created_seq + 1 WHERE id = " + the_sold,
      "UPDATE seat_change SET at = at - 1 WHERE seat = 1 AND version = 1",
      "UPDATE seat_change SET reservation = upper(reservation) WHERE seat = 1 AND version = 1",
      "UPDATE seat_change SET kind = 5 WHERE seat = 1 AND version = 1",
      "UPDATE seat_change SET reservation = " + the_held + " WHERE seat = 1 AND version = 1",
      "UPDATE seat_change SET version = version + 1 WHERE seat = 9 AND version = (SELECT max(version) FROM seat_change WHERE seat = 9)",
      "DELETE FROM seat_change WHERE seat = 9 AND version = 1",
      "INSERT INTO seat_change VALUES (1, 19, 1, 3, 0, 11, NULL)",
      "UPDATE journal_index SET position = position + 1 WHERE first_seq = 1",
      "DELETE FROM journal_index WHERE first_seq = (SELECT max(first_seq) FROM journal_index)",
      "UPDATE event SET name = 'another'",
      "UPDATE event SET status = 3",
      "UPDATE event SET hold_seconds = 1",
      "UPDATE event SET held_seats_per_customer = 1",
      "UPDATE event SET seq = seq + 1",
      "UPDATE event SET number = 2",
      "UPDATE event SET id = 'nonsense'",
      "UPDATE event SET id = '00000000-0000-4000-8000-000000000001'",
      "UPDATE event SET id = upper(id)",
      "UPDATE event SET created_at = created_at + 1",
      "UPDATE event SET at = at - 1",
      "UPDATE event SET venue = 'elsewhere'",
      "UPDATE event SET plan_header = x''",
      "DELETE FROM event",
      "DELETE FROM plan_part",
      "UPDATE plan_part SET body = substr(body, 1, length(body) - 1)",
      "UPDATE meta SET value = 3 WHERE name = 'position'",
      "UPDATE meta SET value = zeroblob(32) WHERE name = 'hash'",
      "UPDATE meta SET value = 0 WHERE name = 'position'",
      "DELETE FROM meta",
      "UPDATE idempotency_key SET request = zeroblob(16)",
      "UPDATE seat SET id = upper(id) || 'x' WHERE seat = 4",
      "DELETE FROM seat WHERE seat = 4",
      "UPDATE seat SET x = x + 1 WHERE seat = 4",
      "UPDATE seat SET y = y - 1 WHERE seat = 4",
      "DROP TABLE seat_state",
  };
  for (const std::string& change : changes) {
    SCOPED_TRACE(change);
    const fs::path data = copy();
    {
      sqlite::Database database((data / "state.db").string(), sqlite::Database::Mode::read_write);
      database.execute(change.c_str());
      if (change.starts_with("UPDATE idempotency_key") && sqlite3_changes(database.handle()) == 0) continue;
    }
    const std::string before = files_of(data);
    EXPECT_TRUE(names_the_way_out(verify_folder(data).problem, ""));
    EXPECT_TRUE(names_the_way_out(refusal_at_start(data, time), ""));
    EXPECT_EQ(files_of(data), before) << "a refused start changes nothing";
    fs::remove_all(data);
  }
}

// ---------------------------------------------------------------------------------------------------------------- refusals

TEST_F(Damage, ARefusedStartLeavesBothFilesAndTheirLogsAsTheyAre) {
  LedgerInTest live(folder / "live", time);
  const EventNumber other = live.create_event(20);
  EXPECT_TRUE(live.hold(other, live.new_id(other), {1}).accepted());
  live.wait_for_tables();
  const std::pair<const char*, const char*> damages[] = {{"journal.db", "UPDATE journal SET body = x'00' WHERE position = 2"},
                                                         {"journal.db", "DELETE FROM meta"},
                                                         {"state.db", "UPDATE meta SET value = x'00' WHERE name = 'hash'"},
                                                         {"state.db", "DELETE FROM reservation"}};
  for (const auto& [file, damage] : damages) {
    SCOPED_TRACE(damage);
    const fs::path data = folder.path() / ("killed" + std::to_string(++copies));
    Disk::get().copy_as_after_kill(folder / "live", data);
    {
      sqlite::Database database((data / file).string(), sqlite::Database::Mode::read_write);
      database.keep_log_at_close(true);
      database.execute(damage);
    }
    const auto files = [&] { return files_of(data) + read_whole(data / "journal.db-wal") + read_whole(data / "state.db-wal"); };
    const std::string before = files();
    EXPECT_GT(fs::file_size(data / (std::string(file) + "-wal")), 0u);
    EXPECT_THROW(LedgerInTest(data, time), DataError);
    EXPECT_TRUE(files() == before);
  }
}

// ---------------------------------------------------------------------------------------------------------------- retention

TEST_F(Damage, AJournalWithoutOldRowsOpensAndVerifyReportsUnprovedTables) {
  const fs::path data = copy();
  remove_old_rows(data, 5);
  EXPECT_EQ(journal_of(data).anchor(), 5);
  const VerifyReport report = verify_folder(data);
  EXPECT_EQ(report.problem, "");
  EXPECT_FALSE(report.journal_is_whole);
  EXPECT_EQ(report.rows, static_cast<std::uint64_t>(rows - 5));
  LedgerInTest it(data, time);
  EXPECT_EQ(it.ledger().reservation(sold)->status, ReservationStatus::consumed);
  EXPECT_EQ(told(it.hold(event, reservation_id(event, 900), {17})), "accepted");
  it.reopen();
  EXPECT_TRUE(it.ledger().reservation(reservation_id(event, 900)));
  it.close();
  EXPECT_THROW(cli::rebuild(data, [](Position, Position) {}), DataError);
  journal_of(data).falsify(8, [](StoredRowInTest& row) { --row.at; });
  EXPECT_THAT(verify_folder(data).problem, HasSubstr("row 8"));
}

// Old rows leave the index of state.db first, then the journal; the disk may still order the two the other way.
TEST_F(Damage, ACrashWhileOldRowsAreRemovedLeavesAFolderThatStarts) {
  for (const bool index_is_ahead : {true, false}) {
    SCOPED_TRACE(index_is_ahead);
    const fs::path data = copy();
    {
      Journal journal(DataFolder::journal_in(data), Journal::Mode::write);
      StateStore state(DataFolder::state_in(data), StateStore::Mode::write);
      const std::vector<JournalRow> old = journal.old_rows(7, k_begin + 1, 5);
      ASSERT_EQ(old.size(), 5u);
      if (index_is_ahead) {
        const JournalHead as_of = state.as_of();
        state.begin();
        state.forget_rows(old, old.back().position);
        state.commit(as_of);
      } else {
        journal.remove(old);
      }
    }
    EXPECT_EQ(verify_folder(data).problem, "");
    LedgerInTest it(data, time);
    EXPECT_EQ(it.ledger().reservation(sold)->status, ReservationStatus::consumed);
    EXPECT_EQ(told(it.hold(event, reservation_id(event, 900), {17})), "accepted");
    const auto changes = it.ledger().read_changes(event, 0, 10, ReadFrom::anywhere);
    ASSERT_FALSE(changes);
    EXPECT_EQ(changes.error().oldest, 6u);
    it.close();
    EXPECT_EQ(verify_folder(data).problem, "");
    EXPECT_EQ(StateStore(DataFolder::state_in(data), StateStore::Mode::read).index_emptied_through(), 5);
  }
}

TEST_F(Damage, OldRowsAreNotRemovedForAnHourAfterAStartWhoseClockIsFarAhead) {
  const fs::path data = copy();
  time.pass(30 * k_day);
  LedgerInTest it(data, time, {.data = {}, .journal_retention_days = 2});
  const auto anchor = [&] { return journal_of(data).anchor(); };
  for (const std::uint64_t id : {901U, 902U}) {   // when the second row is followed, the step of the first is done
    ASSERT_TRUE(it.hold(event, reservation_id(event, id), {static_cast<SeatIndex>(id - 885)}).accepted());
    it.wait_for_tables();
  }
  EXPECT_EQ(anchor(), 0);
  time.pass(k_hour);
  ASSERT_TRUE(it.hold(event, reservation_id(event, 903), {18}).accepted());
  EXPECT_TRUE(eventually([&] { return anchor() == rows; }));
}

TEST_F(Damage, ARowWhoseHashIsDamagedIsNotRemovedAsTheLast) {
  const fs::path data = copy();
  journal_of(data).falsify(5, [](StoredRowInTest& row) { row.hash.assign(32, '\0'); });
  Journal journal(DataFolder::journal_in(data), Journal::Mode::write);
  EXPECT_EQ(journal.old_rows(7, k_begin + 1, 5).size(), 3u) << "row 5 does not fit row 4, nor row 6 row 5";
  EXPECT_EQ(journal.old_rows(7, k_begin + 1, 4).size(), 3u);
  EXPECT_EQ(journal.old_rows(7, k_begin + 1, 3).size(), 3u);
  EXPECT_EQ(journal.old_rows(7, k_begin + 1, 6).size(), 6u) << "it goes with the rows before and behind it";
}

TEST_F(Damage, DamagedDataAreNotBackedUp) {
  const fs::path data = copy();
  change_by_hand(data / "state.db", "UPDATE reservation SET customer = 'mallory'");
  EXPECT_THROW(cli::backup(data, folder / "backup"), DataError);
  EXPECT_FALSE(fs::exists(folder / "backup"));
  EXPECT_FALSE(fs::exists(folder / "backup.partial"));
}

TEST_F(Damage, OnlyRowsOlderThanTheRetentionAreRemoved) {
  LedgerInTest it(copy(), time, {.data = {}, .journal_retention_days = 2});
  time.pass(2 * k_day - 1);
  ASSERT_TRUE(it.hold(event, reservation_id(event, 901), {17}).accepted());
  it.wait_for_tables();
  time.pass(10);
  ASSERT_TRUE(it.hold(event, reservation_id(event, 902), {18}).accepted());
  it.wait_for_tables();
  const auto data = folder.path() / ("copy" + std::to_string(copies));
  it.close();
  EXPECT_EQ(journal_of(data).anchor(), rows);   // both of the last two days are there
  LedgerInTest again(data, time);
  EXPECT_EQ(again.ledger().reservation(sold)->status, ReservationStatus::consumed);
}

}  // namespace
}  // namespace holdfast::test
