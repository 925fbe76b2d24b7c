// All chance of a run comes from one seed, in one order: the same seed makes the same choices, on every machine.
//
//   Choices choices(42);
//   if (choices.one_in(10)) …            // true one time in ten
//   const auto seat = choices.below(7);  // 0 to 6
//
// For one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

namespace holdfast::simulation {

class Choices {
 public:
  explicit Choices(std::uint64_t seed) : source_(seed) {}

  std::uint64_t draw() { return source_(); }
  // 0 to `count` - 1; count is at least 1. Modulo, because the standard's distributions differ by library.
  std::uint64_t below(std::uint64_t count) { return source_() % count; }
  bool one_in(std::uint64_t count) { return below(count) == 0; }
  template <typename T, std::size_t N>
  const T& of(const T (&list)[N]) {
    return list[below(N)];
  }
  template <typename List>
  auto& of(List& list) {
    return list[static_cast<std::size_t>(below(list.size()))];
  }

 private:
  std::mt19937_64 source_;
};

}   // namespace holdfast::simulation
