// Small blocks of 32-bit words (texts, lists of seats) in one dense array, so that no seat or reservation owns a heap object.
//
//   BlockPool pool;
//   BlockPool::Handle name = pool.put_text("customer-123");
//   pool.text(name);       // "customer-123"
//   pool.free_text(name);
//
// Freed blocks are kept in lists by size class and reused. A handle has 32 bits. Handles and views are valid until the block is freed. Not
// thread-safe. At most 16 GiB.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "core/check.h"
#include "core/growing_array.h"

namespace holdfast {

class BlockPool {
 public:
  BlockPool() { words_[words_.extend(1)] = 0; }   // word 0 belongs to no block

  using Handle = std::uint32_t;   // 0: no block
  static constexpr Handle k_none = 0;
  static constexpr std::size_t k_text_bytes_max = 1'048'572;   // with its length: 1 MiB

  Handle put_text(std::string_view text) {
    const auto words = words_of_text(text.size());
    const Handle block = allocate(words);
    std::uint32_t* const words_of_block = &words_[block];
    words_of_block[0] = static_cast<std::uint32_t>(text.size());
    if (!text.empty()) std::memcpy(words_of_block + 1, text.data(), text.size());
    return block;
  }
  std::string_view text(Handle block) const {
    if (block == k_none) return {};
    const std::uint32_t* const words_of_block = &words_[block];
    return {reinterpret_cast<const char*>(words_of_block + 1), *words_of_block};
  }
  void free_text(Handle block) {
    if (block != k_none) release(block, words_of_text(words_[block]));
  }

  // A list's length determines its capacity: it may grow in place up to capacity_of(length).
  Handle put_list(std::span<const std::uint32_t> values) {
    const Handle block = allocate(capacity_of(values.size()));
    std::memcpy(&words_[block], values.data(), values.size_bytes());
    return block;
  }
  std::span<std::uint32_t> list(Handle block, std::size_t length) { return {&words_[block], length}; }
  std::span<const std::uint32_t> list(Handle block, std::size_t length) const { return {&words_[block], length}; }
  void free_list(Handle block, std::size_t length) { release(block, capacity_of(length)); }
  static std::size_t capacity_of(std::size_t length) { return std::bit_ceil(length < 2 ? std::size_t{2} : length); }

  // Prefetches a text or list that will be read soon.
  void prefetch(Handle block) const { __builtin_prefetch(&words_[block]); }

  std::size_t bytes() const { return words_.bytes(); }

 private:
  static constexpr std::size_t k_words_max = 262'144;   // of a block: 1 MiB, over the outcome of a hundred reservations of a thousand seats

  static_assert(k_text_bytes_max == 4 * (k_words_max - 1));

  // Texts in steps of one word up to 16 words, then powers of two.
  static std::size_t words_of_text(std::size_t bytes) {
    const std::size_t words = 1 + (bytes + 3) / 4;
    return words <= 16 ? words : std::bit_ceil(words);
  }
  static std::size_t class_of(std::size_t words) {
    return words <= 16 ? words : 16 + static_cast<std::size_t>(std::bit_width(words - 1)) - 4;
  }

  Handle allocate(std::size_t words) {
    HOLDFAST_CHECK(words > 0 && words <= k_words_max);
    Handle& free = free_[class_of(words)];
    if (free != k_none) {
      const Handle block = free;
      free = words_[block];
      return block;
    }
    const std::size_t block = words_.extend(words);
    HOLDFAST_CHECK(block + words <= UINT32_MAX);
    return static_cast<Handle>(block);
  }
  void release(Handle block, std::size_t words) {
    Handle& free = free_[class_of(words)];
    words_[block] = free;
    free = block;
  }

  GrowingArray<std::uint32_t> words_;
  std::array<Handle, 32> free_{};
};

}   // namespace holdfast
