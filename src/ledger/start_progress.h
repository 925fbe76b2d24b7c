// How far a start is, for those who wait for it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace holdfast {

struct StartProgress {
  std::string_view doing;   // "replaying the journal"; static storage
  std::int64_t done = 0;
  std::int64_t of = 0;   // 0: not known
  std::string_view unit = "rows";   // static storage
};

// Called on the thread that starts, at the beginning of each step, and now and then; its cost is the start's.
using OnStartProgress = std::function<void(const StartProgress&)>;

// "converting the journal, 1,200,000 of 3,000,000 rows"
std::string told_of(const StartProgress& progress);

}   // namespace holdfast
