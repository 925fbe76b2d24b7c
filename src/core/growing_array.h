// An array that grows without moving its elements: nothing is copied, so growing takes no noticeable time.
//
//   GrowingArray<Row> rows;
//   const std::size_t at = rows.extend(1);   // uninitialised
//   rows[at] = row;
//
// Its parts double in size, so counting leading zeros finds the part of an index. Untouched pages of the last part take no memory yet.
// Not thread-safe.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

namespace holdfast {

template <typename T>
class GrowingArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  GrowingArray() = default;
  GrowingArray(const GrowingArray& other) { *this = other; }
  GrowingArray& operator=(const GrowingArray& other) {
    if (this == &other) return *this;
    parts_.clear();
    parts_.resize(other.parts_.size());
    size_ = other.size_;
    for (std::size_t part = 0; part < parts_.size(); ++part) {
      const std::size_t begin = begin_of(part);
      if (other.parts_[part] == nullptr || begin >= size_) continue;
      parts_[part] = std::make_unique_for_overwrite<T[]>(k_first << part);
      std::memcpy(static_cast<void*>(parts_[part].get()), other.parts_[part].get(), std::min(size_ - begin, k_first << part) * sizeof(T));
    }
    return *this;
  }

  std::size_t size() const { return size_; }
  T& operator[](std::size_t at) { return parts_[part_of(at)][offset_of(at)]; }
  const T& operator[](std::size_t at) const { return parts_[part_of(at)][offset_of(at)]; }

  // Adds `count` adjacent, uninitialised elements and returns the index of the first. May skip indexes before it.
  std::size_t extend(std::size_t count) {
    std::size_t part = part_of(size_);
    while (begin_of(part + 1) - size_ < count) size_ = begin_of(++part);
    if (parts_.size() <= part) parts_.resize(part + 1);
    if (parts_[part] == nullptr) parts_[part] = std::make_unique_for_overwrite<T[]>(k_first << part);
    const std::size_t at = size_;
    size_ += count;
    return at;
  }

  // Bytes of memory that have been touched.
  std::size_t bytes() const { return size_ * sizeof(T) + parts_.capacity() * sizeof(parts_[0]); }

 private:
  static constexpr std::size_t k_first = 64;   // elements of the first part

  static std::size_t part_of(std::size_t at) { return static_cast<std::size_t>(std::bit_width(at + k_first) - std::bit_width(k_first)); }
  static std::size_t offset_of(std::size_t at) { return at + k_first - std::bit_floor(at + k_first); }
  static std::size_t begin_of(std::size_t part) { return (k_first << part) - k_first; }

  std::vector<std::unique_ptr<T[]>> parts_;
  std::size_t size_ = 0;
};

}  // namespace holdfast
