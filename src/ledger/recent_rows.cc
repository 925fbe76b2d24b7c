#include "ledger/recent_rows.h"

#include <algorithm>

#include "core/check.h"

namespace holdfast {
namespace {

constexpr std::size_t k_bytes_of_a_row = sizeof(KeptRow) + 96;   // including its places in both lists
constexpr std::size_t k_rows_at_once_max = 10'000;   // per call; without it, rows without changes would never fill a reading

std::size_t bytes_of(const KeptRow& row) { return k_bytes_of_a_row + row.bytes.size() + row.versions.size() + row.traces.size(); }

}   // namespace

void RecentRows::append(KeptRow row) {
  const auto kept = std::make_shared<const KeptRow>(std::move(row));
  const std::scoped_lock lock(mutex_);
  HOLDFAST_CHECK(kept->position == 0 || kept->position == head_.load(std::memory_order_relaxed) + 1);
  const bool is_here = kept->changes > 0 && !add_to_event(kept);
  if (is_here && kept->position == 0) return;   // one with a position stays: rows_from() counts on every position being there
  bytes_ += bytes_of(*kept);
  rows_.push_back(kept);
  while (bytes_ > bytes_max_) drop_oldest();
  if (kept->position > 0) head_ = kept->position;
}

// Returns false if the row is already here.
bool RecentRows::add_to_event(const std::shared_ptr<const KeptRow>& row) {
  auto& window = by_event_[row->event];
  if (!window.empty() && row->first_seq < window.back()->end_seq()) return false;
  if (!window.empty() && row->first_seq > window.back()->end_seq()) window.clear();
  window.push_back(row);
  return true;
}

void RecentRows::forget(EventNumber event) {
  const std::scoped_lock lock(mutex_);
  by_event_.erase(event);
}

// The oldest row of all is also the first of its event, unless the event's window was cleared or forgotten meanwhile.
void RecentRows::drop_oldest() {
  const std::shared_ptr<const KeptRow> oldest = std::move(rows_.front());
  rows_.pop_front();
  bytes_ -= bytes_of(*oldest);
  const auto window = by_event_.find(oldest->event);
  if (window == by_event_.end() || window->second.front() != oldest) return;
  window->second.pop_front();
  if (window->second.empty()) by_event_.erase(window);
}

KeptRows RecentRows::rows_of(EventNumber event, Seq next, std::size_t changes_max) const {
  const std::scoped_lock lock(mutex_);
  const auto of_event = by_event_.find(event);
  if (of_event == by_event_.end()) return {};
  const auto& rows = of_event->second;
  auto row = std::ranges::upper_bound(rows, next, {}, [](const auto& each) { return each->first_seq; });
  if (row == rows.begin()) return {};
  --row;
  if ((*row)->end_seq() <= next) return {};
  KeptRows found;
  for (Seq end = next + changes_max; row != rows.end() && (*row)->first_seq < end; ++row) found.push_back(*row);
  return found;
}

KeptRows RecentRows::rows_from(Position first, std::size_t changes_max) const {
  const std::scoped_lock lock(mutex_);
  if (rows_.empty() || first < rows_.front()->position || first > rows_.back()->position) return {};
  KeptRows found;
  std::size_t changes = 0;
  for (auto row = rows_.begin() + (first - rows_.front()->position); row != rows_.end(); ++row) {
    found.push_back(*row);
    changes += (*row)->changes;
    if (changes >= changes_max || found.size() >= k_rows_at_once_max) break;
  }
  return found;
}

}   // namespace holdfast
