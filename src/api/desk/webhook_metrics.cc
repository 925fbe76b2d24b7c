#include "api/desk/webhook_metrics.h"

#include <prometheus/metric_family.h>
#include <spdlog/spdlog.h>

namespace holdfast::api {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr const char* k_outcome_names[feed::k_outcomes] = {"delivered", "rejected", "timed_out", "unreachable", "refused"};

ClientMetric sample(MetricType type, const char* label, std::string value, double number) {
  ClientMetric metric;
  if (label != nullptr) metric.label = {{label, std::move(value)}};
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = number;
  return metric;
}

MetricFamily gauge(const char* name, const char* help, double value) {
  return {.name = name, .help = help, .type = MetricType::Gauge, .metric = {sample(MetricType::Gauge, nullptr, {}, value)}};
}

MetricFamily total(const char* name, const char* help, std::uint64_t value) {
  return {.name = name,
          .help = help,
          .type = MetricType::Counter,
          .metric = {sample(MetricType::Counter, nullptr, {}, static_cast<double>(value))}};
}

void append_endpoints(feed::Webhooks& webhooks, std::vector<MetricFamily>& families) {
  MetricFamily pending{"holdfast_webhook_queue", "Messages that wait for a retry.", MetricType::Gauge, {}};
  MetricFamily dead{"holdfast_webhook_dead", "Dead messages that are kept.", MetricType::Gauge, {}};
  MetricFamily lag{"holdfast_webhook_lag_changes", "Changes after an endpoint's position.", MetricType::Gauge, {}};
  for (const feed::EndpointReport& report : webhooks.store().list()) {
    const std::string id = to_string(report.endpoint.id);
    const auto behind = webhooks.source().behind(report.endpoint.position);
    pending.metric.push_back(sample(MetricType::Gauge, "endpoint", id, static_cast<double>(report.pending)));
    dead.metric.push_back(sample(MetricType::Gauge, "endpoint", id, static_cast<double>(report.dead)));
    lag.metric.push_back(sample(MetricType::Gauge, "endpoint", id, static_cast<double>(behind)));
  }
  if (pending.metric.empty()) return;
  for (MetricFamily* family : {&pending, &dead, &lag}) families.push_back(std::move(*family));
}

}  // namespace

std::vector<MetricFamily> WebhookMetrics::Collect() const {
  const feed::WebhookCounters& counters = webhooks_.counters();
  MetricFamily attempts{"holdfast_webhook_attempts_total", "Attempts to deliver a message, by outcome.", MetricType::Counter, {}};
  for (std::size_t i = 0; i < feed::k_outcomes; ++i) {
    attempts.metric.push_back(sample(MetricType::Counter, "outcome", k_outcome_names[i], static_cast<double>(counters.attempts[i].load())));
  }
  std::vector<MetricFamily> families;
  families.push_back(std::move(attempts));
  families.push_back(gauge("holdfast_webhook_relaying", "1 if this node sends webhooks.", webhooks_.is_relaying() ? 1 : 0));
  families.push_back(gauge("holdfast_webhook_oldest_pending_seconds", "Age of the oldest change that waits to be read for a webhook.",
                           webhooks_.oldest_pending().count()));
  families.push_back(gauge("holdfast_webhook_events_held_back", "Events whose changes wait in the queues because they cannot be read.",
                           static_cast<double>(webhooks_.source().unreadable().events)));
  families.push_back(total("holdfast_webhook_given_up_total", "Messages given up after the last attempt.", counters.dead.load()));
  families.push_back(total("holdfast_webhook_lost_total", "Times that an endpoint's next changes had been removed from the journal.",
                           counters.lost.load()));
  try {
    append_endpoints(webhooks_, families);
  } catch (const std::exception& error) {
    spdlog::error("metrics of webhooks: {}", error.what());
  }
  return families;
}

}  // namespace holdfast::api
