// Reservations that ended long ago and whose rows in state.db cannot be read, as found by commands and readers. Each is remembered until it
// reads well again.
//
//   UnreadableReservations unreadable;
//   unreadable.found(id, "reservation …, which ended long ago, cannot be read from data/state.db (…). …");
//   unreadable.text();            // that sentence; "2 reservations cannot be read. The first: …"
//   unreadable.read_well(id);     // it has been repaired
//
// Any thread.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>

#include "core/ids.h"

namespace holdfast {

class UnreadableReservations {
 public:
  static constexpr std::size_t k_known_max = 1'000;   // more are not counted

  // `what` names the reservation, and says what to do.
  void found(const Uuid& reservation, const std::string& what);
  void read_well(const Uuid& reservation);

  std::size_t count() const { return count_.load(std::memory_order_relaxed); }
  // For people. Empty: there are none.
  std::string text() const;

 private:
  mutable std::mutex mutex_;
  std::atomic<std::size_t> count_{0};   // so that reading costs one load while there are none
  std::map<Uuid, std::string> known_;
};

}   // namespace holdfast
