// Journal rows that readers have found damaged. Each is logged once, and remembered until it reads as it was written.
//
//   auto damaged = std::make_shared<DamagedRows>("data/journal.db");
//   damaged->found(row);                  // its numbers are right
//   damaged->ends_before(13, what);       // nobody knows whose changes it has, so that reading ends there
//   damaged->text();                      // "data/journal.db is damaged: row 12, which has changes 5 and 6 of event 3, …"
//   damaged->read_well(12);               // it has been repaired
//
// Any thread.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "ledger/kept_row.h"

namespace holdfast {

class DamagedRows {
 public:
  static constexpr std::size_t k_known_max = 1'000;   // of each kind; more are not counted
  static constexpr std::size_t k_named_max = 20;      // in the log

  explicit DamagedRows(std::string journal) : journal_(std::move(journal)) {}

  void found(std::shared_ptr<const KeptRow> row);
  // `what` names the file and the row, and says what to do, without a full stop. Is always logged.
  void ends_before(Position position, const std::string& what);
  void read_well(Position position);
  // Their retention has ended.
  void removed_through(Position position);
  // What found() was told of; nullptr: nothing.
  std::shared_ptr<const KeptRow> find(Position position) const;

  std::size_t count() const { return count_.load(std::memory_order_relaxed); }
  // For people: the first at which reading ends, otherwise how many there are and the first of them; and what to do. Empty: there are none.
  std::string text() const;

 private:
  // Whether one more is remembered, and whether the log names it. Call with the mutex.
  bool has_room() const { return rows_.size() + ends_.size() < k_known_max; }
  bool count_and_name();

  const std::string journal_;
  mutable std::mutex mutex_;
  std::atomic<std::size_t> count_{0};   // so that a journal without any pays one load a row
  std::map<Position, std::shared_ptr<const KeptRow>> rows_;
  std::map<Position, std::string> ends_;   // what ends_before() was told; none of them is in rows_
};

}   // namespace holdfast
