// A hash set of places (indexes of 26 bits) whose keys are stored elsewhere: the caller supplies the key's hash and the comparison.
//
// Four bytes per place: open addressing with linear probing, with six bits of the hash beside the place. A lookup is one cache line here and
// one at the key, and both can be prefetched (prefetch, guess). A removal closes its gap; there are no tombstones. Not thread-safe.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/check.h"

namespace holdfast {

class PlaceTable {
 public:
  using Place = std::uint32_t;
  static constexpr Place k_no_place = 0xFFFF'FFFF;
  static constexpr std::size_t k_places_max = (std::size_t{1} << 26) - 1;

  std::size_t size() const { return size_; }
  std::size_t bytes() const { return entries_.capacity() * sizeof(std::uint32_t); }

  // The place with this hash for which `is_it` holds; k_no_place if there is none.
  template <typename IsIt>
  Place find(std::uint64_t hash, IsIt is_it) const {
    if (entries_.empty()) return k_no_place;
    for (std::size_t at = home(hash);; at = next(at)) {
      const std::uint32_t entry = entries_[at];
      if (entry == k_empty) return k_no_place;
      if (entry >> k_place_bits == tag(hash) && is_it(entry & k_place_mask)) return entry & k_place_mask;
    }
  }

  // Adds a place whose key is new. hash_of(place) must return the hash of any place in the table.
  template <typename HashOf>
  void insert(std::uint64_t hash, Place place, HashOf hash_of) {
    HOLDFAST_CHECK(place < k_places_max);
    if (4 * (size_ + 1) > 3 * entries_.size()) grow(hash_of);
    put(hash, place);
    ++size_;
  }

  // Removes a place, which must be in the table.
  template <typename HashOf>
  void erase(std::uint64_t hash, Place place, HashOf hash_of) {
    std::size_t gap = home(hash);
    while ((entries_[gap] & k_place_mask) != place) {
      HOLDFAST_CHECK(entries_[gap] != k_empty);
      gap = next(gap);
    }
    // Move entries after the gap into it, unless that would put them before their home.
    for (std::size_t at = next(gap); entries_[at] != k_empty; at = next(at)) {
      const std::size_t wanted = home(hash_of(entries_[at] & k_place_mask));
      const std::size_t mask = entries_.size() - 1;
      if (((at - wanted) & mask) < ((at - gap) & mask)) continue;
      entries_[gap] = entries_[at];
      gap = at;
    }
    entries_[gap] = k_empty;
    --size_;
  }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (const std::uint32_t entry : entries_) {
      if (entry != k_empty) visit(entry & k_place_mask);
    }
  }

  // Prefetches for a later lookup.
  void prefetch(std::uint64_t hash) const {
    if (!entries_.empty()) __builtin_prefetch(&entries_[home(hash)]);
  }
  // The place that probably has this hash, without looking at its key; k_no_place if there is certainly none.
  Place guess(std::uint64_t hash) const {
    return find(hash, [](Place) { return true; });
  }

 private:
  static constexpr unsigned k_place_bits = 26;
  static constexpr std::uint32_t k_place_mask = (std::uint32_t{1} << k_place_bits) - 1;
  static constexpr std::uint32_t k_empty = 0xFFFF'FFFF;

  static std::uint32_t tag(std::uint64_t hash) { return static_cast<std::uint32_t>(hash) & 0x3F; }
  std::size_t home(std::uint64_t hash) const { return static_cast<std::size_t>(hash >> shift_); }
  std::size_t next(std::size_t at) const { return (at + 1) & (entries_.size() - 1); }

  void put(std::uint64_t hash, Place place) {
    std::size_t at = home(hash);
    while (entries_[at] != k_empty) at = next(at);
    entries_[at] = tag(hash) << k_place_bits | place;
  }

  // Visits the keys in the order of their places, which is their order in memory, and prefetches the new homes in groups.
  template <typename HashOf>
  void grow(HashOf hash_of) {
    constexpr std::size_t k_step = 64;
    std::vector<std::uint64_t> is_here;   // one bit per place
    for_each([&](Place place) {
      if (is_here.size() <= place / 64) is_here.resize(std::max(place / 64 + std::size_t{1}, 2 * is_here.size()));
      is_here[place / 64] |= std::uint64_t{1} << place % 64;
    });
    entries_.assign(entries_.empty() ? 16 : 2 * entries_.size(), k_empty);
    shift_ = static_cast<unsigned>(64 - std::bit_width(entries_.size() - 1));
    for (std::size_t word = 0; word < is_here.size(); ++word) {
      Place places[k_step];
      std::uint64_t hashes[k_step];
      std::size_t count = 0;
      for (std::uint64_t bits = is_here[word]; bits != 0; bits &= bits - 1) {
        places[count] = static_cast<Place>(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
        hashes[count] = hash_of(places[count]);
        __builtin_prefetch(&entries_[home(hashes[count])], 1);
        ++count;
      }
      for (std::size_t i = 0; i < count; ++i) put(hashes[i], places[i]);
    }
  }

  std::vector<std::uint32_t> entries_;
  std::size_t size_ = 0;
  unsigned shift_ = 0;
};

}   // namespace holdfast
