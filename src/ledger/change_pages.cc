#include "ledger/change_pages.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "ledger/data_error.h"

namespace holdfast {

Reading<ChangePage> read_page(EventNumber event, Seq after, Seq head, std::size_t limit, ReadFrom from, const RecentRows& recent,
                              const StoredRows& stored) {
  ChangePage page;
  std::size_t bytes = 0;
  for (Seq next = after + 1; next <= head && page.changes.size() < limit && bytes < k_bytes_a_page;) {
    KeptRows rows = recent.rows_of(event, next, limit - page.changes.size());
    if (rows.empty() && from == ReadFrom::memory) return read_problem(ReadProblem::Kind::not_in_memory);
    if (rows.empty()) rows = stored.rows(next, limit - page.changes.size());
    if (rows.empty() && page.changes.empty()) return read_problem(ReadProblem::Kind::archived, stored.oldest().value_or(head + 1));
    if (rows.empty()) return page;
    for (const auto& row : rows) {
      if (row->first_seq > head || bytes >= k_bytes_a_page) break;
      if (row->is_damaged && page.changes.empty()) return read_problem(ReadProblem::Kind::unavailable);
      if (row->is_damaged) return page;
      if (row->first_seq > next || row->end_seq() <= next) {
        throw DataError("the journal row with change " + std::to_string(next) + " of event " + std::to_string(event) +
                        " is not where it should be");
      }
      next = row->first_seq + add_changes(*row, static_cast<std::uint32_t>(next - row->first_seq), limit, page.changes);
      bytes += row->bytes.size();
    }
  }
  return page;
}

std::string AllChangesPage::add(const KeptRow& row, const ChangeStretch& stretch) {
  std::string why;
  Seq seq = stretch.first + next_.skip;
  std::size_t i = page_.changes.size();
  add_told_changes(row, static_cast<std::uint32_t>(seq - row.first_seq), std::min<std::size_t>(limit_, i + (stretch.end - seq)),
                   page_.changes, why);
  for (; i < page_.changes.size(); ++i) {
    ++seq;
    next_.skip = static_cast<std::uint32_t>(seq - stretch.first);
    if (seq < stretch.end) page_.changes[i].cursor = text_of(next_);
    if (seq == stretch.end) page_.changes[i].cursor = text_of(ChangePlace{.position = next_.position + 1});
  }
  if (seq == stretch.end) next_ = {.position = next_.position + 1};
  bytes_ += row.bytes.size();
  return why;
}

ChangePage AllChangesPage::finish() && {
  page_.next = text_of(next_);
  return std::move(page_);
}

std::uint64_t changes_from(const ChangePlace& place, const CountedRows& counted) {
  std::int64_t changes = counted.changes;
  if (counted.rows == k_rows_counted_max) {
    changes = static_cast<std::int64_t>(static_cast<double>(changes) / static_cast<double>(counted.rows) *
                                        static_cast<double>(counted.last - place.position + 1));
  }
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, changes - std::int64_t{place.skip}));
}

ChangePlace place_to_count_from(std::string_view cursor) {
  if (cursor == k_cursor_first || cursor == k_cursor_oldest) return {};
  const auto place = parse_change_place(cursor);
  if (!place) throw std::runtime_error("`" + std::string(cursor) + "` is not a position in the changes");
  return *place;
}

std::optional<ChangePlace> place_of_cursor(std::string_view cursor, std::int64_t head, const std::function<std::int64_t()>& oldest) {
  const auto place = cursor == k_cursor_first    ? ChangePlace{}
                     : cursor == k_cursor_latest ? ChangePlace{.position = head + 1}
                     : cursor == k_cursor_oldest ? ChangePlace{.position = oldest()}
                                                 : parse_change_place(cursor);
  if (!place || place->position > head + 1 || (place->position == head + 1 && place->skip > 0)) return std::nullopt;
  return place;
}

}  // namespace holdfast
