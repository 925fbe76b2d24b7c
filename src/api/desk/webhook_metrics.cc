#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>

#include "api/desk/metric_families.h"
#include "api/desk/part_metrics.h"
#include "feed/webhooks/webhooks.h"

namespace holdfast::api {
namespace {

using prometheus::MetricFamily;

constexpr const char* k_outcome_names[feed::k_outcomes] = {"delivered", "rejected", "timed_out", "unreachable", "refused"};

std::vector<MetricFamily> endpoint_metrics(feed::Webhooks& webhooks) {
  std::vector<Sample> pending, dead, lag;
  for (const feed::EndpointReport& report : webhooks.store().list()) {
    const std::string id = to_string(report.endpoint.id);
    pending.push_back({id, report.pending});
    dead.push_back({id, report.dead});
    lag.push_back({id, webhooks.source().behind(report.endpoint.position)});
  }
  if (pending.empty()) return {};
  return {gauges("holdfast_webhook_queue", "Messages that wait for a retry.", "endpoint", pending),
          gauges("holdfast_webhook_dead", "Dead messages that are kept.", "endpoint", dead),
          gauges("holdfast_webhook_lag_changes", "Changes after an endpoint's position.", "endpoint", lag)};
}

}  // namespace

std::vector<MetricFamily> webhook_metrics(feed::Webhooks& webhooks) {
  const feed::WebhookCounters& counts = webhooks.counters();
  std::vector<Sample> attempts;
  attempts.reserve(feed::k_outcomes);
  for (std::size_t i = 0; i < feed::k_outcomes; ++i) attempts.push_back({k_outcome_names[i], counts.attempts[i]});
  std::vector<MetricFamily> families{
      counters("holdfast_webhook_attempts_total", "Attempts to deliver a message, by outcome.", "outcome", attempts),
      gauge("holdfast_webhook_relaying", "1 if this node sends webhooks.", webhooks.is_relaying() ? 1 : 0),
      gauge("holdfast_webhook_oldest_pending_seconds", "Age of the oldest change that waits to be read for a webhook.",
            webhooks.oldest_pending().count()),
      gauge("holdfast_webhook_events_held_back", "Events whose changes wait in the queues because they cannot be read.",
            webhooks.source().unreadable().events),
      counter("holdfast_webhook_given_up_total", "Messages given up after the last attempt.", counts.dead.load()),
      counter("holdfast_webhook_lost_total", "Times that an endpoint's next changes had been removed from the journal.",
              counts.lost.load())};
  try {
    std::ranges::move(endpoint_metrics(webhooks), std::back_inserter(families));
  } catch (const std::exception& error) {
    spdlog::error("metrics of webhooks: {}", error.what());
  }
  return families;
}

}  // namespace holdfast::api
