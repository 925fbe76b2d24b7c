#include "support/stored_journal.h"

#include <gtest/gtest.h>

namespace holdfast::test {
namespace {

constexpr const char* k_columns = "SELECT position, event, first_seq, changes, at, body, hash FROM journal WHERE ";

StoredRowInTest row_in(const sqlite::Statement& at) {
  return {.position = at.integer(0),
          .event = at.integer(1),
          .first_seq = at.integer(2),
          .changes = at.integer(3),
          .at = at.integer(4),
          .body = std::string(at.blob(5)),
          .hash = std::string(at.blob(6))};
}

}  // namespace

StoredJournal::StoredJournal(const std::filesystem::path& data)
    : database_((data / "journal.db").string(), sqlite::Database::Mode::read_write) {}

std::int64_t StoredJournal::last_position() { return database_.query_int("SELECT coalesce(max(position), 0) FROM journal"); }

std::int64_t StoredJournal::anchor() { return database_.query_int("SELECT value FROM meta WHERE name = 'anchor_position'"); }

std::vector<StoredRowInTest> StoredJournal::rows() {
  sqlite::Statement statement(database_, std::string(k_columns) + "1 ORDER BY position");
  std::vector<StoredRowInTest> rows;
  while (statement.step()) rows.push_back(row_in(statement));
  return rows;
}

StoredRowInTest StoredJournal::row(std::int64_t position) {
  sqlite::Statement statement(database_, std::string(k_columns) + "position = ?1");
  const bool is_there = statement.bind(1, position).step();
  EXPECT_TRUE(is_there) << "the journal has no row " << position;
  return is_there ? row_in(statement) : StoredRowInTest{};
}

StoredRowInTest StoredJournal::row_with(std::int64_t event, std::int64_t change) {
  sqlite::Statement statement(database_, std::string(k_columns) + "event = ?1 AND first_seq <= ?2 AND first_seq + changes > ?2");
  const bool is_there = statement.bind(1, event).bind(2, change).step();
  EXPECT_TRUE(is_there) << "the journal has no change " << change << " of event " << event;
  return is_there ? row_in(statement) : StoredRowInTest{};
}

void StoredJournal::falsify(std::int64_t position, const std::function<void(StoredRowInTest&)>& how) {
  StoredRowInTest changed = row(position);
  how(changed);
  put(changed);
}

void StoredJournal::put(const StoredRowInTest& row) {
  sqlite::Statement(database_, "INSERT OR REPLACE INTO journal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
      .bind(1, row.position)
      .bind(2, row.event)
      .bind(3, row.first_seq)
      .bind(4, row.changes)
      .bind(5, row.at)
      .bind_blob(6, row.body)
      .bind_blob(7, row.hash)
      .run();
}

void StoredJournal::remove(std::int64_t position) {
  sqlite::Statement(database_, "DELETE FROM journal WHERE position = ?1").bind(1, position).run();
}

void StoredJournal::remove_after(std::int64_t position) {
  sqlite::Statement(database_, "DELETE FROM journal WHERE position > ?1").bind(1, position).run();
}

void StoredJournal::set_anchor(std::int64_t position, const std::string& hash) {
  sqlite::Statement(database_, "UPDATE meta SET value = ?1 WHERE name = 'anchor_position'").bind(1, position).run();
  sqlite::Statement(database_, "UPDATE meta SET value = ?1 WHERE name = 'anchor_hash'").bind_blob(1, hash).run();
}

void StoredJournal::forget_marker() { database_.execute("DELETE FROM meta WHERE name = 'has_marker'"); }

void StoredJournal::forget_notes() { database_.execute("DELETE FROM meta"); }

}  // namespace holdfast::test
