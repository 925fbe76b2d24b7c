// A row of a journal as its files have it.
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::test {

// Numbers may be any, also those that there cannot be.
struct StoredRowInTest {
  std::int64_t position = 0;
  std::int64_t event = 0;
  std::int64_t first_seq = 0;
  std::int64_t changes = 0;
  std::int64_t at = 0;
  std::string body{};
  std::string hash{};
};

}  // namespace holdfast::test
