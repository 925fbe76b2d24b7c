// Pages of changes, the same in every ledger: from memory if it has the rows, otherwise from where they are stored.
#pragma once

#include <spdlog/spdlog.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "ledger/cursors.h"
#include "ledger/data_error.h"
#include "ledger/kept_row.h"
#include "ledger/reading.h"
#include "ledger/recent_rows.h"

namespace holdfast {

inline std::unexpected<ReadProblem> read_problem(ReadProblem::Kind kind, Seq oldest = 0) {
  return std::unexpected(ReadProblem{kind, oldest});
}

// Calls `read`. If that throws, logs why and returns `unavailable`. If it throws TablesStandStill, only returns `stands_still`.
template <typename Read>
auto guarded_reading(Read read) -> decltype(read()) {
  try {
    return read();
  } catch (const TablesStandStill&) {
    return read_problem(ReadProblem::Kind::stands_still);
  } catch (const std::exception& error) {
    spdlog::error("what was recorded cannot be read: {}", error.what());
    return read_problem(ReadProblem::Kind::unavailable);
  }
}

// The rows of one event where they are stored. Exceptions of these functions pass through.
struct StoredRows {
  // Rows from the one with change `next` on, until they have `changes_max` changes, or the first part of them. Empty if that row
  // is missing.
  std::function<KeptRows(Seq next, std::size_t changes_max)> rows;
  // The first change that is kept; nothing if none is.
  std::function<std::optional<Seq>()> oldest;
};

// At most `limit` changes of an event after change `after`, up to its last change `head`. They still lack what the journal keeps
// elsewhere. A page ends before a damaged row; if it would begin with one, it is unavailable. Throws DataError if rows do not
// follow each other. Any thread.
Reading<ChangePage> read_page(EventNumber event, Seq after, Seq head, std::size_t limit, ReadFrom from, const RecentRows& recent,
                              const StoredRows& stored);

// Consecutive changes of one event at one position of the order of all changes: `first` up to, not including, `end`.
struct ChangeStretch {
  std::int64_t position = 0;
  Seq first = 0;
  Seq end = 0;
};

// A page of all changes while it is being filled, stretch by stretch, each row by row. Not thread-safe.
class AllChangesPage {
 public:
  AllChangesPage(ChangePlace begin, std::size_t limit) : limit_(limit), next_(begin) {}

  const ChangePlace& next() const { return next_; }   // where reading continues
  bool is_empty() const { return page_.changes.empty(); }
  std::size_t room() const { return limit_ - page_.changes.size(); }   // in changes
  bool has_room() const { return room() > 0 && bytes_ < k_bytes_a_page; }
  // False: the stretch at next() has fewer changes than the cursor skips, so the cursor is none.
  bool can_begin_in(const ChangeStretch& stretch) const { return next_.skip == 0 || stretch.first + next_.skip < stretch.end; }
  // Adds the changes of the stretch at next() that the row has, from next() on. Those that cannot be read are added as unreadable; then returns
  // why. The stretch's first change that is not here yet is one of the row's.
  std::string add(const KeptRow& row, const ChangeStretch& stretch);
  ChangePage finish() &&;

 private:
  const std::size_t limit_;
  ChangePlace next_;
  std::size_t bytes_ = 0;
  ChangePage page_;
};

// Rows of an order of all changes from a place on, counted up to k_rows_counted_max.
inline constexpr std::int64_t k_rows_counted_max = 10'000;
struct CountedRows {
  std::int64_t rows = 0;
  std::int64_t changes = 0;   // that they have
  std::int64_t last = 0;   // the last position of the order
};
// How many changes there are from a place on; estimated if it has more rows than were counted.
std::uint64_t changes_from(const ChangePlace& place, const CountedRows& counted);
// The place that a cursor of a page, or of the first or oldest change, stands for. Throws std::runtime_error for others.
ChangePlace place_to_count_from(std::string_view cursor);

// The place at which a reading of all changes begins for a cursor; nothing if the cursor is not one of this ledger's. `head` is
// the last position in their order. `oldest`, the first position that is kept, is called only for k_cursor_oldest.
std::optional<ChangePlace> place_of_cursor(std::string_view cursor, std::int64_t head, const std::function<std::int64_t()>& oldest);

}   // namespace holdfast
