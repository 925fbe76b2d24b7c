// What /metrics says of the process itself: build_info, and the process_* that Prometheus' client libraries agree on.
#pragma once

#include <dirent.h>
#include <prometheus/metric_family.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "core/version.h"

namespace holdfast::api {

// Any thread. What the system does not tell (no /proc) is left out, nothing fails.
class ProcessMetrics {
 public:
  // `log_lines_lost`: lines of the log that were not written since the start.
  ProcessMetrics(Commit commit, std::function<std::uint64_t()> log_lines_lost);
  ~ProcessMetrics();
  ProcessMetrics(const ProcessMetrics&) = delete;
  ProcessMetrics& operator=(const ProcessMetrics&) = delete;

  std::vector<prometheus::MetricFamily> collect() const;

 private:
  std::optional<double> resident_bytes() const;
  std::optional<double> open_descriptors() const;

  const Commit commit_;
  const std::function<std::uint64_t()> log_lines_lost_;
  const double started_at_;   // seconds since 1970 UTC
  // Files of /proc that stay open: whoever asks when no descriptor is left gets an answer all the same.
  const int statm_;
  DIR* const descriptors_;
  mutable std::mutex mutex_;
};

}   // namespace holdfast::api
