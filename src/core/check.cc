#include "core/check.h"

#include <poll.h>

#include <cstdio>
#include <cstdlib>

#include "core/last_words.h"

namespace holdfast {
namespace {

constexpr int k_reader_wait_ms = 100;

constinit LastWords last_words = nullptr;

// A process that has to stop must not wait for a log pipe that nobody reads.
bool takes_words() noexcept {
  pollfd error{.fd = ::fileno(stderr), .events = POLLOUT, .revents = 0};
  return ::poll(&error, 1, k_reader_wait_ms) > 0;
}

}  // namespace

void set_last_words(LastWords words) noexcept { last_words = words; }

void say_last_words() noexcept {
  if (last_words != nullptr) last_words();
}

void check_failed(const char* condition, const char* file, int line) noexcept {
  say_last_words();
  if (takes_words()) {
    std::fprintf(stderr, "holdfast: a rule of its own does not hold: %s (%s:%d). Stopping; what was answered is on disk.\n", condition,
                 file, line);
  }
  std::abort();
}

}  // namespace holdfast
