// The journal of a data folder as its files have it, for tests that look into it or change it by hand, also while a server uses it. What a
// journal's files are, only this helper and the tests of these files know.
//
//   journal_of(data).falsify(5, [](StoredRowInTest& row) { ++row.at; });   // its hash stays
//   journal_of(data).remove(7);
//
// Rows in segments are as they were when this was made. Belongs to one thread. Throws sqlite::Error or DataError.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sql/sqlite.h"
#include "support/stored_rows.h"
#include "support/stored_segments.h"

namespace holdfast::test {

class StoredJournal {
 public:
  explicit StoredJournal(const std::filesystem::path& data);

  std::int64_t last_position();   // 0: it has no row
  std::int64_t anchor();          // the last position that retention has removed
  std::vector<StoredRowInTest> rows();
  StoredRowInTest row(std::int64_t position);
  StoredRowInTest row_with(std::int64_t event, std::int64_t change);

  // Changes what is stored of a row, except its position.
  void falsify(std::int64_t position, const std::function<void(StoredRowInTest&)>& how);
  // Stores the row, in place of the one at its position if there is one.
  void put(const StoredRowInTest& row);
  void remove(std::int64_t position);
  void remove_after(std::int64_t position);
  // As retention does; in segments, without removing a file.
  void remove_through(std::int64_t position);

  void set_anchor(std::int64_t position, const std::string& hash);
  void forget_marker();   // as a folder of version 0.1, which had no journal.head; of journal.db only
  void forget_notes();    // the anchor and all else that is kept beside the rows

 private:
  StoredRowInTest first_row_that(const std::function<bool(const StoredRowInTest&)>& fits, const std::string& what);

  std::optional<sqlite::Database> database_;   // nothing: it is in segments
  std::optional<StoredSegments> segments_;
};

inline StoredJournal journal_of(const std::filesystem::path& data) { return StoredJournal(data); }

}  // namespace holdfast::test
