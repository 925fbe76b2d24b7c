// The error of a ledger, and of the stores beside it, about their stored data.
#pragma once

#include <stdexcept>

namespace holdfast {

// Stored data are damaged or cannot be reached. what() names the file, says what still holds and what to do.
class DataError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The tables of an event in state.db follow its changes no longer, until somebody has mended them. It was logged when they stopped.
class TablesStandStill : public DataError {
 public:
  using DataError::DataError;
};

}   // namespace holdfast
