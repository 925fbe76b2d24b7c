// How long a client may take for a body, or to read an answer.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace holdfast::http {

// How long all waits for the client may last together: `silence`, and a second more for each `bytes_per_second_min` that it has moved. The lowest
// rate must not be 0.
constexpr std::chrono::milliseconds transfer_time(std::chrono::milliseconds silence, std::uint64_t moved,
                                                  std::size_t bytes_per_second_min) {
  return silence + std::chrono::seconds(moved / bytes_per_second_min);
}

}   // namespace holdfast::http
