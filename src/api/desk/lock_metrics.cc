#include "api/desk/lock_metrics.h"

#include <limits>

#include "api/desk/metric_families.h"

namespace holdfast::api {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr const char* k_result_names[lock::k_grants] = {"granted", "held", "unknown"};

ClientMetric histogram(const char* call, const lock::RoundTrips& trips) {
  ClientMetric metric;
  metric.label = {{"call", call}};
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < trips.buckets.size(); ++i) {
    so_far += trips.buckets[i];
    const double bound = i < lock::k_round_trip_bounds.size() ? lock::k_round_trip_bounds[i] : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({.cumulative_count = so_far, .upper_bound = bound});
  }
  metric.histogram.sample_count = so_far;
  metric.histogram.sample_sum = trips.seconds;
  return metric;
}

}  // namespace

std::vector<MetricFamily> LockMetrics::Collect() const {
  if (seat_lock_ == nullptr) return {};
  const lock::Stats stats = seat_lock_->stats();
  const lock::Health health = seat_lock_->health();
  MetricFamily acquisitions{"holdfast_lock_acquisitions_total", "Requested seat locks, by result.", MetricType::Counter, {}};
  for (std::size_t i = 0; i < lock::k_grants; ++i) {
    acquisitions.metric.push_back(sample(MetricType::Counter, stats.acquisitions[i], {{"result", k_result_names[i]}}));
  }
  MetricFamily trips{"holdfast_lock_round_trip_seconds", "Round trips to the seat lock, by call.", MetricType::Histogram, {}};
  trips.metric.push_back(histogram("acquire", stats.acquiring));
  trips.metric.push_back(histogram("release", stats.releasing));
  MetricFamily state{"holdfast_lock_state", "1 for the current state of the seat lock, 0 for the others.", MetricType::Gauge, {}};
  for (const auto each : {lock::Health::State::up, lock::Health::State::probing, lock::Health::State::away}) {
    state.metric.push_back(sample(MetricType::Gauge, each == health.state, {{"state", name_of(each)}}));
  }
  return {
      std::move(acquisitions),
      std::move(trips),
      std::move(state),
      single(MetricType::Counter, "holdfast_lock_failures_total", "Round trips and probes that failed or took too long.", stats.failures),
      single(MetricType::Counter, "holdfast_lock_expired_total", "Seat locks that had expired before they were released.", stats.expired),
      single(MetricType::Counter, "holdfast_lock_unreleased_total", "Seat locks that could not be released before the answer was sent.",
             stats.unreleased),
      single(MetricType::Gauge, "holdfast_lock_leftovers", "Seat locks that wait to be released.", stats.leftovers),
      single(MetricType::Counter, "holdfast_lock_abandoned_total", "Seat locks that were left to expire.", stats.abandoned)};
}

}  // namespace holdfast::api
