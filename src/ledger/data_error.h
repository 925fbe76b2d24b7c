// What a ledger and the stores beside it throw when there is something wrong with what they keep.
#pragma once

#include <stdexcept>

namespace holdfast {

// The data are not as they should be, or cannot be had. what() names the file, says what holds and what to do.
class DataError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}   // namespace holdfast
