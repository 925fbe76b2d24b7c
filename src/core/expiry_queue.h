// The reservations of an inventory by the time at which they expire: a monotone radix heap.
//
// Time never goes back, so no entry is earlier than the last popped one. Entries lie in 65 buckets by the highest bit in
// which their time differs from the last popped one; a pop moves each entry at most once per bit, sequentially, where a binary heap of
// millions of entries takes a cache miss a level. Source: Ahuja, Mehlhorn, Orlin, Tarjan, "Faster algorithms for the shortest path
// problem", J. ACM 37 (1990).
//
// An entry stays when its reservation ends early or is extended: the caller of pop() checks whether it is still true.
// push: O(1); pop: amortised O(64), in practice a few moves.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "core/check.h"
#include "core/time.h"

namespace holdfast {

class ExpiryQueue {
 public:
  struct Entry {
    Millis at;
    std::uint32_t slot;
  };

  std::size_t size() const { return size_; }

  // If `at` is before the last popped time, it counts as that time.
  void push(Millis at, std::uint32_t slot) {
    at = std::max(at, last_);
    Bucket& bucket = buckets_[bucket_of(at)];
    bucket.entries.push_back({at, slot});
    bucket.earliest = std::min(bucket.earliest, at);
    ++size_;
  }

  // The earliest entry's time, or k_never.
  Millis earliest() const {
    for (const Bucket& bucket : buckets_) {
      if (!bucket.entries.empty()) return bucket.earliest;
    }
    return k_never;
  }

  // Removes one of the earliest entries if its time is at or before `now`. False if there is none.
  bool pop(Millis now, Entry& entry) {
    if (buckets_[0].entries.empty() && !refill(now)) return false;
    if (buckets_[0].earliest > now) return false;
    entry = buckets_[0].entries.back();
    buckets_[0].entries.pop_back();
    if (buckets_[0].entries.empty()) buckets_[0].clear();
    --size_;
    return true;
  }

  // Drops every entry for which `is_true` is false. O(size).
  template <typename Predicate>
  void keep_if(Predicate is_true) {
    size_ = 0;
    for (Bucket& bucket : buckets_) {
      std::erase_if(bucket.entries, [&](const Entry& entry) { return !is_true(entry); });
      bucket.earliest = k_never;
      for (const Entry& entry : bucket.entries) bucket.earliest = std::min(bucket.earliest, entry.at);
      if (bucket.entries.empty()) bucket.clear();
      size_ += bucket.entries.size();
    }
  }

  std::size_t bytes() const {
    std::size_t total = 0;
    for (const Bucket& bucket : buckets_) total += bucket.entries.capacity() * sizeof(Entry);
    return total;
  }

 private:
  struct Bucket {
    std::vector<Entry> entries;
    Millis earliest = k_never;

    // Keep small buffers for the next time, and free large ones.
    void clear() {
      earliest = k_never;
      if (entries.capacity() > 4'096) {
        std::vector<Entry>().swap(entries);
      } else {
        entries.clear();
      }
    }
  };

  std::size_t bucket_of(Millis at) const {
    return static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(at) ^ static_cast<std::uint64_t>(last_)));
  }

  // Moves the earliest entries into bucket 0 if they are due.
  bool refill(Millis now) {
    for (std::size_t i = 1; i < buckets_.size(); ++i) {
      if (buckets_[i].entries.empty()) continue;
      if (buckets_[i].earliest > now) return false;
      last_ = buckets_[i].earliest;
      std::vector<Entry> moving;
      moving.swap(buckets_[i].entries);
      buckets_[i].earliest = k_never;
      for (const Entry& entry : moving) {
        const std::size_t to = bucket_of(entry.at);
        HOLDFAST_CHECK(to < i);
        buckets_[to].entries.push_back(entry);
        buckets_[to].earliest = std::min(buckets_[to].earliest, entry.at);
      }
      return true;
    }
    return false;
  }

  std::array<Bucket, 65> buckets_;
  Millis last_ = 0;
  std::size_t size_ = 0;
};

}  // namespace holdfast
