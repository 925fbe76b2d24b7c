// Metrics that are made anew at each scrape.
//
//   return {gauges("holdfast_lock_state", "1 for the current state …", "state", {{"up", 1}, {"away", 0}}),
//           counter("holdfast_lock_failures_total", "Round trips that failed.", failures)};
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::api {

// A sample of a family with a label: the label's value, and the number.
struct Sample {
  std::string label;
  std::uint64_t value;
};

// Counters and gauges.
template <typename Number>
prometheus::ClientMetric sample(prometheus::MetricType type, Number value, std::vector<prometheus::ClientMetric::Label> labels = {}) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  (type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = static_cast<double>(value);
  return metric;
}

// Families of one sample without labels.
template <typename Number>
prometheus::MetricFamily counter(const char* name, const char* help, Number value) {
  constexpr auto k_type = prometheus::MetricType::Counter;
  return {.name = name, .help = help, .type = k_type, .metric = {sample(k_type, value)}};
}
template <typename Number>
prometheus::MetricFamily gauge(const char* name, const char* help, Number value) {
  constexpr auto k_type = prometheus::MetricType::Gauge;
  return {.name = name, .help = help, .type = k_type, .metric = {sample(k_type, value)}};
}

// Families of several samples, told apart by one label.
prometheus::MetricFamily counters(const char* name, const char* help, const char* label, const std::vector<Sample>& samples);
prometheus::MetricFamily gauges(const char* name, const char* help, const char* label, const std::vector<Sample>& samples);

}   // namespace holdfast::api
