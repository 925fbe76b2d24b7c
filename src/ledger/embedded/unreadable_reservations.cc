#include "ledger/embedded/unreadable_reservations.h"

namespace holdfast {

void UnreadableReservations::found(const Uuid& reservation, const std::string& what) {
  const std::scoped_lock lock(mutex_);
  if (known_.size() < k_known_max || known_.contains(reservation)) known_.insert_or_assign(reservation, what);
  count_ = known_.size();
}

void UnreadableReservations::read_well(const Uuid& reservation) {
  if (count() == 0) return;
  const std::scoped_lock lock(mutex_);
  known_.erase(reservation);
  count_ = known_.size();
}

std::string UnreadableReservations::text() const {
  const std::scoped_lock lock(mutex_);
  if (known_.empty()) return {};
  const std::string& first = known_.begin()->second;
  return known_.size() == 1 ? first : std::to_string(known_.size()) + " reservations cannot be read. The first: " + first;
}

}  // namespace holdfast
