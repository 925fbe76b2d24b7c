// Pages of changes, as every ledger reads them: from memory while it has the rows, else from where they are stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "ledger/cursors.h"
#include "ledger/kept_row.h"
#include "ledger/reading.h"
#include "ledger/recent_rows.h"

namespace holdfast {

inline std::unexpected<ReadProblem> read_problem(ReadProblem::Kind kind, Seq oldest = 0) {
  return std::unexpected(ReadProblem{kind, oldest});
}

// The rows of one event where they are stored. What the functions throw passes through.
struct StoredRows {
  // From that with change `next` on, until they have `changes_max` changes, or a part of that; none when that row is not there.
  std::function<KeptRows(Seq next, std::size_t changes_max)> rows;
  // The first change that is kept; nothing when none is.
  std::function<std::optional<Seq>()> oldest;
};

// Changes of an event after change `after`, up to its last change `head`, at most `limit`. What the journal keeps elsewhere they do not have
// yet. A page ends before a damaged row; one that would begin with it is unavailable. Throws DataError when rows do not follow each other. Any thread.
Reading<ChangePage> read_page(EventNumber event, Seq after, Seq head, std::size_t limit, ReadFrom from, const RecentRows& recent,
                              const StoredRows& stored);

// Where a reading of all changes begins at a cursor; nothing when it is none of this ledger's. `head` is the last position of their order.
// `oldest`, the first position that is kept, is called for k_cursor_oldest alone.
std::optional<ChangePlace> place_of_cursor(std::string_view cursor, std::int64_t head, const std::function<std::int64_t()>& oldest);

}   // namespace holdfast
