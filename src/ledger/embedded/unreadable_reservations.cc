#include "ledger/embedded/unreadable_reservations.h"

namespace holdfast {

void UnreadableReservations::found(const Uuid& reservation, const std::string& what, By by) {
  const std::scoped_lock lock(mutex_);
  if (known_.size() < k_known_max || known_.contains(reservation)) {
    Known& known = known_[reservation];
    known.what = what;
    known.needs_command |= by == By::command;
  }
  count_ = known_.size();
}

void UnreadableReservations::read_well(const Uuid& reservation, By by) {
  if (count() == 0) return;
  const std::scoped_lock lock(mutex_);
  const auto known = known_.find(reservation);
  if (known == known_.end() || (known->second.needs_command && by != By::command)) return;
  known_.erase(known);
  count_ = known_.size();
}

std::string UnreadableReservations::text() const {
  const std::scoped_lock lock(mutex_);
  if (known_.empty()) return {};
  const std::string& first = known_.begin()->second.what;
  return known_.size() == 1 ? first : std::to_string(known_.size()) + " reservations cannot be read. The first: " + first;
}

}  // namespace holdfast
