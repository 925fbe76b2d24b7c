#include "cli/descriptors.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>

namespace holdfast::cli {
namespace {

constexpr std::size_t k_for_files = 64;   // for backups, background reads and webhooks; fewer if the limit is low
constexpr std::size_t k_part_for_files = 8;
constexpr std::size_t k_over_max = 64;    // per thread, if there is room
constexpr std::size_t k_over_min = 2;

std::size_t open_descriptors() {
  std::error_code error;
  std::size_t open = 0;
  for (auto at = std::filesystem::directory_iterator("/proc/self/fd", error); !error && at != std::filesystem::directory_iterator();
       at.increment(error)) {
    ++open;
  }
  return open;
}

}  // namespace

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);   // if that fails, room_for_connections() finds less room and logs it
}

ConnectionRoom room_for_connections(std::size_t wanted, unsigned threads, std::size_t more) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return {wanted, k_over_max};
  const std::size_t used = open_descriptors() + more + std::min<std::size_t>(k_for_files, limit.rlim_cur / k_part_for_files);
  const std::size_t free = limit.rlim_cur > used ? limit.rlim_cur - used : 0;
  const std::size_t over = std::clamp(free / 8 / threads, k_over_min, k_over_max);
  const std::size_t kept = over * threads;
  const std::size_t room = std::max<std::size_t>(free > kept ? free - kept : 0, 1);
  if (room < wanted) {
    spdlog::warn(
        "the limit of {} file descriptors (`ulimit -n`, LimitNOFILE) has room for {} connections, not for {} (http.connections_max)",
        limit.rlim_cur, room, wanted);
  }
  return {std::min(wanted, room), over};
}

}  // namespace holdfast::cli
