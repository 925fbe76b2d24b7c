#include "ledger/postgres/recent_changes.h"

#include <algorithm>

namespace holdfast::pg {
namespace {

constexpr std::size_t k_bytes_of_a_row = sizeof(KeptRow) + 96;   // with the places in both lists

std::size_t bytes_of(const KeptRow& row) { return k_bytes_of_a_row + row.bytes.size() + row.versions.size() + row.traces.size(); }

}  // namespace

void RecentChanges::remember(KeptRow row) {
  if (row.changes == 0) return;
  const auto kept = std::make_shared<const KeptRow>(std::move(row));
  const std::scoped_lock lock(mutex_);
  std::deque<RowPtr>& rows = by_event_[kept->event];
  if (!rows.empty() && kept->first_seq < rows.back()->end_seq()) return;
  if (!rows.empty() && kept->first_seq > rows.back()->end_seq()) {
    for (const RowPtr& gone : rows) bytes_ -= bytes_of(*gone);
    rows.clear();
  }
  bytes_ += bytes_of(*kept);
  rows.push_back(kept);
  in_order_.push_back(kept);
  while (bytes_ > bytes_max_ && !in_order_.empty()) drop_oldest();
}

void RecentChanges::forget(EventNumber event) {
  const std::scoped_lock lock(mutex_);
  const auto rows = by_event_.find(event);
  if (rows == by_event_.end()) return;
  for (const RowPtr& gone : rows->second) bytes_ -= bytes_of(*gone);
  by_event_.erase(rows);
}

// The oldest of all is the first of its event, unless it went with a window that began anew.
void RecentChanges::drop_oldest() {
  const RowPtr oldest = in_order_.front().lock();
  in_order_.pop_front();
  if (oldest == nullptr) return;
  const auto rows = by_event_.find(oldest->event);
  if (rows == by_event_.end() || rows->second.empty() || rows->second.front() != oldest) return;
  bytes_ -= bytes_of(*oldest);
  rows->second.pop_front();
  if (rows->second.empty()) by_event_.erase(rows);
}

KeptRows RecentChanges::rows_of(EventNumber event, Seq next, std::size_t changes_max) const {
  const std::scoped_lock lock(mutex_);
  const auto of_event = by_event_.find(event);
  if (of_event == by_event_.end()) return {};
  const auto& rows = of_event->second;
  auto row = std::ranges::upper_bound(rows, next, {}, [](const auto& each) { return each->first_seq; });
  if (row == rows.begin() || (*--row)->end_seq() <= next) return {};
  KeptRows found;
  for (const Seq end = next + changes_max; row != rows.end() && (*row)->first_seq < end; ++row) found.push_back(*row);
  return found;
}

}  // namespace holdfast::pg
