// Which event an idempotency key was used for. Keys live with their event (replica.h), but a key that is used again for another event
// must be found too. This finds it if it was used on this node, or for an event that this node has. A table of all keys in the database
// would cost a third of the speed. Keeps the last k_keys_max keys. Any thread.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>

#include "core/keys.h"

namespace holdfast::pg {

class RecentKeys {
 public:
  static constexpr std::size_t k_keys_max = 200'000;

  // The key was accepted for the event at this time.
  void put(const Fingerprint& key, EventNumber event, Millis at) {
    const std::scoped_lock lock(mutex_);
    if (!events_.insert_or_assign(key, Use{event, at}).second) return;
    order_.push_back(key);
    if (order_.size() <= k_keys_max) return;
    events_.erase(order_.front());
    order_.pop_front();
  }
  // The event that the key was used for in the 24 hours (k_keys_kept) before `now`.
  std::optional<EventNumber> find(const Fingerprint& key, Millis now) const {
    const std::scoped_lock lock(mutex_);
    const auto use = events_.find(key);
    if (use == events_.end() || use->second.at + k_keys_kept <= now) return std::nullopt;
    return use->second.event;
  }
  // Forgets all keys of an event whose history has changed: the new history may not have them. Visits all keys.
  void forget(EventNumber event) {
    const std::scoped_lock lock(mutex_);
    std::erase_if(order_, [&](const Fingerprint& key) {
      const auto use = events_.find(key);
      if (use == events_.end() || use->second.event != event) return false;
      events_.erase(use);
      return true;
    });
  }

 private:
  struct Use {
    EventNumber event;
    Millis at;
  };
  mutable std::mutex mutex_;
  boost::unordered_flat_map<Fingerprint, Use, FingerprintHash> events_;
  std::deque<Fingerprint> order_;
};

}   // namespace holdfast::pg
