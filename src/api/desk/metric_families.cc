#include "api/desk/metric_families.h"

namespace holdfast::api {
namespace {

prometheus::MetricFamily family(prometheus::MetricType type, const char* name, const char* help, const char* label,
                                const std::vector<Sample>& samples) {
  prometheus::MetricFamily made{name, help, type, {}};
  for (const Sample& each : samples) made.metric.push_back(sample(type, each.value, {{label, each.label}}));
  return made;
}

}  // namespace

prometheus::MetricFamily counters(const char* name, const char* help, const char* label, const std::vector<Sample>& samples) {
  return family(prometheus::MetricType::Counter, name, help, label, samples);
}

prometheus::MetricFamily gauges(const char* name, const char* help, const char* label, const std::vector<Sample>& samples) {
  return family(prometheus::MetricType::Gauge, name, help, label, samples);
}

}  // namespace holdfast::api
