// Reservations whose rows in state.db cannot be read, as found by commands, readers and lists. Each is remembered until it
// reads well again. What does not fit into its event is found by a command, and only a command can see that it is right.
//
//   UnreadableReservations unreadable;
//   unreadable.found(id, "reservation …, which ended long ago, cannot be read from data/state.db (…). …", by);
//   unreadable.text();            // that sentence; "2 reservations cannot be read. The first: …"
//   unreadable.read_well(id, by);     // it has been repaired
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

  enum class By { reader, command };

  // `what` names the reservation, and says what to do. By::command: it can be read, but does not fit into its event.
  void found(const Uuid& reservation, const std::string& what, By by);
  void read_well(const Uuid& reservation, By by);

  std::size_t count() const { return count_.load(std::memory_order_relaxed); }
  // For people. Empty: there are none.
  std::string text() const;

 private:
  mutable std::mutex mutex_;
  std::atomic<std::size_t> count_{0};   // so that reading costs one load while there are none
  struct Known {
    std::string what;
    bool needs_command = false;   // does not fit into its event
  };
  std::map<Uuid, Known> known_;
};

}   // namespace holdfast
