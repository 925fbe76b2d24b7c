// Metrics that a collector makes anew at each scrape.
//
//   MetricFamily state{"holdfast_lock_state", "1 for the current state …", MetricType::Gauge, {sample(MetricType::Gauge, 1, {{"state", "up"}})}};
//   return {std::move(state), single(MetricType::Counter, "holdfast_lock_failures_total", "Round trips that failed.", failures)};
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <utility>
#include <vector>

namespace holdfast::api {

// Counters and gauges.
template <typename Number>
prometheus::ClientMetric sample(prometheus::MetricType type, Number value, std::vector<prometheus::ClientMetric::Label> labels = {}) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  (type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = static_cast<double>(value);
  return metric;
}

// A family of one sample without labels.
template <typename Number>
prometheus::MetricFamily single(prometheus::MetricType type, const char* name, const char* help, Number value) {
  return {.name = name, .help = help, .type = type, .metric = {sample(type, value)}};
}

}   // namespace holdfast::api
