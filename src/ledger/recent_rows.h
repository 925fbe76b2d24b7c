// The newest journal rows, in memory: a client that follows the changes closely never waits for a file or a database.
//
//   RecentRows recent;
//   recent.append(row);                    // each row, once readers have seen it
//   recent.rows_of(7, 120, 100);           // changes from 120 on of event 7; none: read them where they are stored
//
// A bounded number of bytes in all: the oldest row goes first. For each event a window on its journal's end, without gaps; where rows have
// positions, one on the whole journal's end as well. Any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "ledger/kept_row.h"

namespace holdfast {

class RecentRows {
 public:
  static constexpr std::size_t k_bytes_max = std::size_t{16} * 1024 * 1024;

  explicit RecentRows(std::size_t bytes_max = k_bytes_max) : bytes_max_(bytes_max) {}

  // The journal's last row before the first append.
  void begin_after(Position head) { head_ = head; }
  // A row that is durable and that readers have seen. Its position is the next one, or 0: then only rows_of() finds it. In rows_of() a row
  // whose changes are here already changes nothing; one that does not follow the last row of its event restarts that event's window.
  void append(KeptRow row);
  // Forgets the rows of an event whose history has changed.
  void forget(EventNumber event);
  // The position of the last row. Sequentially consistent: a reader that first announces that it waits, and then looks here, misses nothing.
  Position head() const { return head_; }

  // Rows of an event, from the one with change `next` on, until they have `changes_max` changes; empty if that row is not here.
  KeptRows rows_of(EventNumber event, Seq next, std::size_t changes_max) const;
  // The same for rows of all events, from position `first` on.
  KeptRows rows_from(Position first, std::size_t changes_max) const;

 private:
  bool add_to_event(const std::shared_ptr<const KeptRow>& row);
  void drop_oldest();

  std::size_t bytes_max_;
  std::atomic<Position> head_{0};
  mutable std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::deque<std::shared_ptr<const KeptRow>> rows_;   // in the order of append(); by position, without gaps, where they have one
  // Those that have changes, by first_seq. Events that have none here have no entry.
  std::unordered_map<EventNumber, std::deque<std::shared_ptr<const KeptRow>>> by_event_;
};

}   // namespace holdfast
