// Ends a thread's waits for PostgreSQL early, so that a thread which is to end does not wait for the answer of a silent server.
//
//   const EndOfWaits end([this] { return is_stopping(); });   // first in the thread's function
//
// While the object lives, each Connection that this thread uses asks `has_come` every 100 ms while it waits. Once it says so, the connection is
// lost (Error), and what was asked may or may not be done. Connecting is not ended early. One object a thread, on its stack; `has_come` must not
// throw.
#pragma once

#include <functional>

namespace holdfast::pg {

class EndOfWaits {
 public:
  explicit EndOfWaits(std::function<bool()> has_come);
  ~EndOfWaits();
  EndOfWaits(const EndOfWaits&) = delete;
  EndOfWaits& operator=(const EndOfWaits&) = delete;

 private:
  std::function<bool()> has_come_;
};

}   // namespace holdfast::pg
