// The machine's wall clock. What a ledger judges goes by Ledger::now() instead, which never goes back.
#pragma once

#include <chrono>

#include "core/time.h"

namespace holdfast {

// Any thread.
inline Millis wall_time() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}   // namespace holdfast
