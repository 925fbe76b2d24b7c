// A seat lock in memory that follows a script, and records every round trip.
//
//   NotingLock seat_lock;
//   seat_lock.lock_by_somebody_else(key);
//   seat_lock.fail_after(1);                 // the second acquire() and those after it: unknown
//   EXPECT_THAT(seat_lock.trips(), ElementsAre("acquire lock:seat:a lock:seat:b", "release lock:seat:a"));
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "lock/seat_lock.h"

namespace holdfast::test {

class NotingLock final : public lock::SeatLock {
 public:
  void acquire(std::span<lock::KeyLock> key_locks) override {
    std::string trip = "acquire";
    const bool fails = acquisitions_left_ == 0;
    if (acquisitions_left_ > 0) --acquisitions_left_;
    if (!fails) lock::draw_tokens(key_locks);
    std::set<std::string> keys;
    for (lock::KeyLock& key_lock : key_locks) {
      trip += " " + key_lock.key;
      EXPECT_TRUE(keys.insert(key_lock.key).second) << key_lock.key << " was asked for twice at once";
      if (fails) continue;
      const bool is_granted = holders_.emplace(key_lock.key, key_lock.token).second;
      key_lock.grant = is_granted ? lock::Grant::granted : lock::Grant::held;
      if (is_granted) ever_granted_.insert(key_lock.key);
    }
    trips_.push_back(std::move(trip));
  }

  void release(std::span<const lock::KeyLock> key_locks) override {
    std::string trip = "release";
    for (const lock::KeyLock& key_lock : key_locks) {
      if (key_lock.token.empty() || key_lock.grant == lock::Grant::held) continue;
      trip += " " + key_lock.key;
      const auto holder = holders_.find(key_lock.key);
      if (holder != holders_.end() && holder->second == key_lock.token) holders_.erase(holder);
    }
    trips_.push_back(std::move(trip));
  }

  lock::Health health() const override { return {}; }
  lock::Stats stats() const override { return {}; }

  void lock_by_somebody_else(const std::string& key) { holders_[key] = "somebody else's"; }
  void fail_after(int acquisitions) { acquisitions_left_ = acquisitions; }
  bool is_locked(const std::string& key) const { return holders_.contains(key); }
  std::size_t locked() const { return holders_.size(); }
  bool was_granted(const std::string& key) const { return ever_granted_.contains(key); }
  // Since the last call.
  std::vector<std::string> trips() { return std::exchange(trips_, {}); }

 private:
  std::map<std::string, std::string> holders_;
  std::set<std::string> ever_granted_;
  std::vector<std::string> trips_;
  int acquisitions_left_ = -1;   // before they fail; -1: they do not
};

}  // namespace holdfast::test
