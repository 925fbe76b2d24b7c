#include "api/desk/process_metrics.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <ctime>
#include <limits>
#include <sstream>
#include <string_view>
#include <utility>

#include "api/desk/metric_families.h"

namespace holdfast::api {
namespace {

using prometheus::MetricFamily;

double seconds_of(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

MetricFamily build_info(const Commit& commit) {
  MetricFamily family = gauge("holdfast_build_info", "Always 1; the labels say what the program was built from.", 1);
  family.metric.front().label = {{"version", k_version}, {"commit", commit.id}, {"modified", commit.is_modified ? "true" : "false"}};
  return family;
}

// The 22nd field of /proc/self/stat: when the process began, in ticks since the machine did. The second field is the program's name in
// parentheses, and may contain anything.
double find_start() {
  const double now = seconds_of(CLOCK_REALTIME);
  const int file = ::open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return now;
  std::array<char, 1'024> text{};
  const ssize_t size = ::read(file, text.data(), text.size());
  ::close(file);
  const std::string_view all(text.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
  const std::size_t name_end = all.rfind(')');
  if (name_end == std::string_view::npos) return now;
  std::istringstream fields{std::string(all.substr(name_end + 1))};
  std::string field;
  for (int at = 3; at <= 22; ++at) fields >> field;
  double ticks = 0;
  if (!fields || !(std::istringstream(field) >> ticks)) return now;
  return now - (seconds_of(CLOCK_BOOTTIME) - ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

}   // namespace

ProcessMetrics::ProcessMetrics(Commit commit, std::function<std::uint64_t()> log_lines_lost)
    : commit_(commit),
      log_lines_lost_(std::move(log_lines_lost)),
      started_at_(find_start()),
      statm_(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)),
      descriptors_(::opendir("/proc/self/fd")) {}

ProcessMetrics::~ProcessMetrics() {
  if (statm_ >= 0) ::close(statm_);
  if (descriptors_ != nullptr) ::closedir(descriptors_);
}

std::optional<double> ProcessMetrics::resident_bytes() const {
  std::array<char, 256> text{};   // seven numbers, of pages; the second is what is wanted
  const ssize_t size = statm_ < 0 ? -1 : ::pread(statm_, text.data(), text.size(), 0);
  if (size <= 0) return std::nullopt;
  std::istringstream numbers(std::string(text.data(), static_cast<std::size_t>(size)));
  double all = 0, resident = 0;
  if (!(numbers >> all >> resident)) return std::nullopt;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

std::optional<double> ProcessMetrics::open_descriptors() const {
  if (descriptors_ == nullptr) return std::nullopt;
  ::rewinddir(descriptors_);
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(descriptors_)) {
    if (entry->d_name[0] != '.') ++count;
  }
  return static_cast<double>(count);
}

std::vector<MetricFamily> ProcessMetrics::collect() const {
  const std::scoped_lock lock(mutex_);   // a folder is read from one place at a time
  std::vector<MetricFamily> all{
      build_info(commit_), counter("holdfast_log_lines_lost_total", "Log lines that could not be written.", log_lines_lost_()),
      counter("process_cpu_seconds_total", "Processor time of the process, user and system.", seconds_of(CLOCK_PROCESS_CPUTIME_ID)),
      gauge("process_start_time_seconds", "Start time of the process, in seconds since 1970 UTC.", started_at_)};
  if (const auto bytes = resident_bytes()) {
    all.push_back(gauge("process_resident_memory_bytes", "Resident memory of the process.", *bytes));
  }
  if (const auto open = open_descriptors()) {
    all.push_back(gauge("process_open_fds", "Open file descriptors.", *open));
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    const double most = limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<double>::infinity() : static_cast<double>(limit.rlim_cur);
    all.push_back(gauge("process_max_fds", "Limit of open file descriptors.", most));
  }
  return all;
}

}   // namespace holdfast::api
