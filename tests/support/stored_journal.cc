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

StoredJournal::StoredJournal(const std::filesystem::path& data) {
  if (std::filesystem::exists(data / "journal")) segments_.emplace(data / "journal");
  else database_.emplace((data / "journal.db").string(), sqlite::Database::Mode::read_write);
}

std::int64_t StoredJournal::last_position() {
  if (!segments_) return database_->query_int("SELECT coalesce(max(position), 0) FROM journal");
  const std::vector<StoredRowInTest> all = segments_->rows();
  return all.empty() ? 0 : all.back().position;
}

std::int64_t StoredJournal::anchor() {
  return segments_ ? segments_->anchor() : database_->query_int("SELECT value FROM meta WHERE name = 'anchor_position'");
}

std::vector<StoredRowInTest> StoredJournal::rows() {
  if (segments_) return segments_->rows();
  sqlite::Statement statement(*database_, std::string(k_columns) + "1 ORDER BY position");
  std::vector<StoredRowInTest> rows;
  while (statement.step()) rows.push_back(row_in(statement));
  return rows;
}

StoredRowInTest StoredJournal::first_row_that(const std::function<bool(const StoredRowInTest&)>& fits, const std::string& what) {
  for (const StoredRowInTest& row : rows()) {
    if (fits(row)) return row;
  }
  ADD_FAILURE() << "the journal has no " << what;
  return {};
}

StoredRowInTest StoredJournal::row(std::int64_t position) {
  return first_row_that([&](const StoredRowInTest& row) { return row.position == position; }, "row " + std::to_string(position));
}

StoredRowInTest StoredJournal::row_with(std::int64_t event, std::int64_t change) {
  const auto has_it = [&](const StoredRowInTest& row) {
    return row.event == event && row.first_seq <= change && row.first_seq + row.changes > change;
  };
  return first_row_that(has_it, "change " + std::to_string(change) + " of event " + std::to_string(event));
}

void StoredJournal::falsify(std::int64_t position, const std::function<void(StoredRowInTest&)>& how) {
  StoredRowInTest changed = row(position);
  how(changed);
  put(changed);
}

void StoredJournal::put(const StoredRowInTest& row) {
  if (segments_) return segments_->put(row);
  sqlite::Statement(*database_, "INSERT OR REPLACE INTO journal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
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
  if (segments_) return segments_->remove(position);
  sqlite::Statement(*database_, "DELETE FROM journal WHERE position = ?1").bind(1, position).run();
}

void StoredJournal::remove_after(std::int64_t position) {
  if (segments_) return segments_->remove_after(position);
  sqlite::Statement(*database_, "DELETE FROM journal WHERE position > ?1").bind(1, position).run();
}

void StoredJournal::remove_through(std::int64_t position) {
  if (segments_) return segments_->remove_through(position);
  set_anchor(position, row(position).hash);
  sqlite::Statement(*database_, "DELETE FROM journal WHERE position <= ?1").bind(1, position).run();
}

void StoredJournal::set_anchor(std::int64_t position, const std::string& hash) {
  if (segments_) return segments_->set_anchor(position, hash);
  sqlite::Statement(*database_, "UPDATE meta SET value = ?1 WHERE name = 'anchor_position'").bind(1, position).run();
  sqlite::Statement(*database_, "UPDATE meta SET value = ?1 WHERE name = 'anchor_hash'").bind_blob(1, hash).run();
}

void StoredJournal::forget_marker() { database_.value().execute("DELETE FROM meta WHERE name = 'has_marker'"); }

void StoredJournal::forget_notes() {
  if (segments_) return segments_->forget_notes();
  database_->execute("DELETE FROM meta");
}

}  // namespace holdfast::test
