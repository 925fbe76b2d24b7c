#include <limits>

#include "api/desk/metric_families.h"
#include "api/desk/part_metrics.h"
#include "lock/seat_lock.h"

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

std::vector<MetricFamily> lock_metrics(const lock::SeatLock& seat_lock) {
  const lock::Stats stats = seat_lock.stats();
  const lock::Health health = seat_lock.health();
  std::vector<Sample> acquisitions, states;
  for (std::size_t i = 0; i < lock::k_grants; ++i) acquisitions.push_back({k_result_names[i], stats.acquisitions[i]});
  for (const auto each : {lock::Health::State::up, lock::Health::State::probing, lock::Health::State::away}) {
    states.push_back({name_of(each), each == health.state});
  }
  return {counters("holdfast_lock_acquisitions_total", "Requested seat locks, by result.", "result", acquisitions),
          {"holdfast_lock_round_trip_seconds",
           "Round trips to the seat lock, by call.",
           MetricType::Histogram,
           {histogram("acquire", stats.acquiring), histogram("release", stats.releasing)}},
          gauges("holdfast_lock_state", "1 for the current state of the seat lock, 0 for the others.", "state", states),
          counter("holdfast_lock_failures_total", "Round trips and probes that failed or took too long.", stats.failures),
          counter("holdfast_lock_expired_total", "Seat locks that had expired before they were released.", stats.expired),
          counter("holdfast_lock_unreleased_total", "Seat locks that could not be released before the answer was sent.", stats.unreleased),
          gauge("holdfast_lock_leftovers", "Seat locks that wait to be released.", stats.leftovers),
          counter("holdfast_lock_abandoned_total", "Seat locks that were left to expire.", stats.abandoned)};
}

}  // namespace holdfast::api
