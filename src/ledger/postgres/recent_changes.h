// The newest changes of each event, in memory: whoever follows an event closely never asks the database.
//
// For each event a window on its journal's end, without gaps; of a bounded number of bytes in all. Whoever publishes rows
// remembers them, any thread reads.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "ledger/kept_row.h"

namespace holdfast::pg {

class RecentChanges {
 public:
  static constexpr std::size_t k_bytes_max = std::size_t{16} * 1024 * 1024;

  explicit RecentChanges(std::size_t bytes_max = k_bytes_max) : bytes_max_(bytes_max) {}

  // A row that is committed and that readers have been told of, with changes. One that is here already changes nothing; one that
  // does not follow the last one of its event begins its window anew.
  void remember(KeptRow row);
  // Drops what is here of an event: its history is another one.
  void forget(EventNumber event);

  // Rows of an event, from that with change `next` on, until they have `changes_max` changes; none when that row is not here.
  KeptRows rows_of(EventNumber event, Seq next, std::size_t changes_max) const;

 private:
  using RowPtr = std::shared_ptr<const KeptRow>;

  void drop_oldest();

  std::size_t bytes_max_;
  mutable std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::deque<std::weak_ptr<const KeptRow>> in_order_;   // of remembering
  std::unordered_map<EventNumber, std::deque<RowPtr>> by_event_;
};

}  // namespace holdfast::pg
