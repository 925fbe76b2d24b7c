#include "core/check.h"

#include <cstdio>
#include <cstdlib>

namespace holdfast {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "holdfast: a rule of its own does not hold: %s (%s:%d). Stopping; what was answered is on disk.\n", condition, file,
               line);
  std::abort();
}

}  // namespace holdfast
