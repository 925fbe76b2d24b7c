#include "api/desk/webhook_metrics.h"

#include <spdlog/spdlog.h>

#include "api/desk/metric_families.h"

namespace holdfast::api {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr const char* k_outcome_names[feed::k_outcomes] = {"delivered", "rejected", "timed_out", "unreachable", "refused"};

void append_endpoints(feed::Webhooks& webhooks, std::vector<MetricFamily>& families) {
  MetricFamily pending{"holdfast_webhook_queue", "Messages that wait for a retry.", MetricType::Gauge, {}};
  MetricFamily dead{"holdfast_webhook_dead", "Dead messages that are kept.", MetricType::Gauge, {}};
  MetricFamily lag{"holdfast_webhook_lag_changes", "Changes after an endpoint's position.", MetricType::Gauge, {}};
  for (const feed::EndpointReport& report : webhooks.store().list()) {
    const std::string id = to_string(report.endpoint.id);
    const auto behind = webhooks.source().behind(report.endpoint.position);
    pending.metric.push_back(sample(MetricType::Gauge, report.pending, {{"endpoint", id}}));
    dead.metric.push_back(sample(MetricType::Gauge, report.dead, {{"endpoint", id}}));
    lag.metric.push_back(sample(MetricType::Gauge, behind, {{"endpoint", id}}));
  }
  if (pending.metric.empty()) return;
  for (MetricFamily* family : {&pending, &dead, &lag}) families.push_back(std::move(*family));
}

}  // namespace

std::vector<MetricFamily> WebhookMetrics::Collect() const {
  const feed::WebhookCounters& counters = webhooks_.counters();
  MetricFamily attempts{"holdfast_webhook_attempts_total", "Attempts to deliver a message, by outcome.", MetricType::Counter, {}};
  for (std::size_t i = 0; i < feed::k_outcomes; ++i) {
    attempts.metric.push_back(sample(MetricType::Counter, counters.attempts[i].load(), {{"outcome", k_outcome_names[i]}}));
  }
  std::vector<MetricFamily> families;
  families.push_back(std::move(attempts));
  families.push_back(
      single(MetricType::Gauge, "holdfast_webhook_relaying", "1 if this node sends webhooks.", webhooks_.is_relaying() ? 1 : 0));
  families.push_back(single(MetricType::Gauge, "holdfast_webhook_oldest_pending_seconds",
                            "Age of the oldest change that waits to be read for a webhook.", webhooks_.oldest_pending().count()));
  families.push_back(single(MetricType::Gauge, "holdfast_webhook_events_held_back",
                            "Events whose changes wait in the queues because they cannot be read.",
                            webhooks_.source().unreadable().events));
  families.push_back(
      single(MetricType::Counter, "holdfast_webhook_given_up_total", "Messages given up after the last attempt.", counters.dead.load()));
  families.push_back(single(MetricType::Counter, "holdfast_webhook_lost_total",
                            "Times that an endpoint's next changes had been removed from the journal.", counters.lost.load()));
  try {
    append_endpoints(webhooks_, families);
  } catch (const std::exception& error) {
    spdlog::error("metrics of webhooks: {}", error.what());
  }
  return families;
}

}  // namespace holdfast::api
