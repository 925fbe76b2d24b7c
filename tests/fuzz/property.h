// A failed property of a fuzz target: it is named, and the process ends, so that libFuzzer keeps the input.
//
//   require(again == bytes, "a change that is encoded again has the same bytes");
#pragma once

#include <cstdio>
#include <cstdlib>

namespace holdfast::fuzz {

inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "property does not hold: %s\n", property);
  std::abort();
}

}  // namespace holdfast::fuzz
