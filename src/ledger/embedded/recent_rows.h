// The newest journal rows, in memory: whoever follows the changes closely never touches a file.
//
// A window on the journal's end, without gaps, of a bounded number of bytes. The writer appends, any thread reads.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/ids.h"
#include "core/time.h"
#include "ledger/kept_row.h"

namespace holdfast {

class RecentRows {
 public:
  static constexpr std::size_t k_bytes_max = std::size_t{16} * 1024 * 1024;

  explicit RecentRows(std::size_t bytes_max = k_bytes_max) : bytes_max_(bytes_max) {}

  // The journal's last row before the first append.
  void begin_after(Position head) { head_ = head; }
  // The next row of the journal, which is durable and has been published to readers.
  void append(KeptRow row);
  // The position of the last row. Sequentially consistent: who says that it waits and then looks here misses nothing.
  Position head() const { return head_; }

  // Rows of an event, from that with change `next` on, until they have `changes_max` changes; none when that row is not here.
  KeptRows rows_of(EventNumber event, Seq next, std::size_t changes_max) const;
  // Rows of all events from position `first` on, likewise.
  KeptRows rows_from(Position first, std::size_t changes_max) const;

 private:
  void drop_oldest();

  std::size_t bytes_max_;
  std::atomic<Position> head_{0};
  mutable std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::deque<std::shared_ptr<const KeptRow>> rows_;   // by position, without gaps
  // Those that have changes, by first_seq. Events that have none here have no entry.
  std::unordered_map<EventNumber, std::deque<std::shared_ptr<const KeptRow>>> by_event_;
};

}  // namespace holdfast
