// File descriptors: every connection needs one, and the process has a limit.
#pragma once

#include <cstddef>

namespace holdfast::cli {

// Raises the process's limit (RLIMIT_NOFILE) as far as the system allows. A login shell sets 1,024 and allows more.
void raise_descriptor_limit();

struct ConnectionRoom {
  std::size_t connections_max;      // at most `wanted`
  std::size_t over_max_by_thread;   // further connections of each thread, to answer probes, and 503 to the rest
};

// How many connections fit into the limit, beside the descriptors that are open now and `more` that will be opened. Logs a warning if
// that is fewer than `wanted`.
ConnectionRoom room_for_connections(std::size_t wanted, unsigned threads, std::size_t more);

}  // namespace holdfast::cli
