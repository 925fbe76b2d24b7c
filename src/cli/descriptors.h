// File descriptors: each connection is one, and a process may have so many.
#pragma once

#include <cstddef>

namespace holdfast::cli {

// Raises the process' limit (RLIMIT_NOFILE) as far as the system lets it. A login shell gives 1,024 and allows more.
void raise_descriptor_limit();

struct ConnectionRoom {
  std::size_t connections_max;      // at most what was asked for
  std::size_t over_max_by_thread;   // connections beyond it that a thread answers: probes, and 503 to the others
};

// How many connections the limit has room for, with what is open now and `more` that will be; says in the log when that is less than
// `wanted`.
ConnectionRoom room_for_connections(std::size_t wanted, unsigned threads, std::size_t more);

}  // namespace holdfast::cli
