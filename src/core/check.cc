#include "core/check.h"

#include <poll.h>

#include <cstdio>
#include <cstdlib>

namespace holdfast {
namespace {

constexpr int k_reader_wait_ms = 100;

// A log pipe that nobody reads must not keep a process alive that has to stop.
bool takes_words() noexcept {
  pollfd error{.fd = ::fileno(stderr), .events = POLLOUT, .revents = 0};
  return ::poll(&error, 1, k_reader_wait_ms) > 0;
}

}  // namespace

void check_failed(const char* condition, const char* file, int line) noexcept {
  if (takes_words()) {
    std::fprintf(stderr, "holdfast: a rule of its own does not hold: %s (%s:%d). Stopping; what was answered is on disk.\n", condition,
                 file, line);
  }
  std::abort();
}

}  // namespace holdfast
