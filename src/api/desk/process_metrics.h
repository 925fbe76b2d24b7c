// What /metrics says of the process itself: build_info, and the process_* that Prometheus' client libraries agree on.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
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
  // Files of /proc that stay open: whoever asks when no descriptor is left gets an answer all the same.
  class Proc;

  Commit commit_;
  std::function<std::uint64_t()> log_lines_lost_;
  mutable std::mutex mutex_;
  std::unique_ptr<Proc> proc_;
};

}   // namespace holdfast::api
