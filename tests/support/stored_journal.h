// The journal of a data folder as its files have it, for tests that look into it or change it by hand, also while a server uses it. What a
// journal's files are, only this helper and the tests of these files know.
//
//   journal_of(data).falsify(5, [](StoredRowInTest& row) { ++row.at; });   // its hash stays
//   journal_of(data).remove(7);
//
// Belongs to one thread. Throws sqlite::Error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "sql/sqlite.h"

namespace holdfast::test {

// Numbers may be any, also those that there cannot be.
struct StoredRowInTest {
  std::int64_t position = 0;
  std::int64_t event = 0;
  std::int64_t first_seq = 0;
  std::int64_t changes = 0;
  std::int64_t at = 0;
  std::string body{};
  std::string hash{};
};

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

  void set_anchor(std::int64_t position, const std::string& hash);
  void forget_marker();   // as a folder of version 0.1, which had no journal.head
  void forget_notes();    // the anchor and all else that is kept beside the rows

 private:
  sqlite::Database database_;
};

inline StoredJournal journal_of(const std::filesystem::path& data) { return StoredJournal(data); }

}  // namespace holdfast::test
