#include "api/desk/feed_metrics.h"

#include <prometheus/metric_family.h>

namespace holdfast::api {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

ClientMetric sample(MetricType type, double number, const char* label = nullptr, std::string value = {}) {
  ClientMetric metric;
  if (label != nullptr) metric.label = {{label, std::move(value)}};
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = number;
  return metric;
}

MetricFamily one(MetricType type, const char* name, const char* help, double value) {
  return {.name = name, .help = help, .type = type, .metric = {sample(type, value)}};
}

}  // namespace

std::vector<MetricFamily> FeedMetrics::Collect() const {
  namespace kafka = feed::kafka;
  constexpr MetricType k_counter = MetricType::Counter;
  constexpr MetricType k_gauge = MetricType::Gauge;
  const kafka::FeedCounters& counters = feed_.counters();
  const kafka::FeedStatus status = feed_.status();
  const auto count = [](const std::atomic<std::uint64_t>& counter) { return static_cast<double>(counter.load()); };

  MetricFamily messages{"holdfast_feed_messages_total", "Messages published to Kafka, by topic (without its prefix).", k_counter, {}};
  for (std::size_t i = 0; i < std::size(kafka::k_counted_topics); ++i) {
    messages.metric.push_back(sample(k_counter, count(counters.messages[i]), "topic", kafka::k_counted_topics[i]));
  }
  MetricFamily payments{"holdfast_feed_payments_total", "Payment messages, by result.", k_counter, {}};
  payments.metric.push_back(sample(k_counter, count(counters.payments_settled), "outcome", "settled"));
  payments.metric.push_back(sample(k_counter, count(counters.payments_rejected), "outcome", "rejected"));
  payments.metric.push_back(sample(k_counter, count(counters.payments_dead), "outcome", "dead_letter"));

  MetricFamily seats{"holdfast_feed_seat_parts_total", "Messages of seats-generated, by result.", k_counter, {}};
  seats.metric.push_back(sample(k_counter, count(counters.seats_imported), "outcome", "imported"));
  seats.metric.push_back(sample(k_counter, count(counters.seats_skipped), "outcome", "skipped"));
  seats.metric.push_back(sample(k_counter, count(counters.seats_dead), "outcome", "dead_letter"));

  const bool publishes = status.relay == kafka::RelayState::publishing;
  const bool consumes = status.payments == kafka::PaymentState::consuming;
  const bool imports = status.seats == kafka::SeatsState::consuming;
  return {std::move(messages),
          std::move(payments),
          std::move(seats),
          one(k_counter, "holdfast_feed_transactions_total", "Transactions committed to Kafka.", count(counters.transactions)),
          one(k_counter, "holdfast_feed_failures_total", "Transactions, takeovers and reads that failed and are retried.",
              count(counters.failures)),
          one(k_counter, "holdfast_feed_takeovers_total", "Times that this node has begun to publish.", count(counters.takeovers)),
          one(k_counter, "holdfast_feed_lost_changes_total", "Changes that were removed from the journal before they were published.",
              count(counters.lost_changes)),
          one(k_counter, "holdfast_feed_payments_retried_total", "Times that payments waited for the ledger or for Kafka.",
              count(counters.payments_retried)),
          one(k_gauge, "holdfast_feed_publishing", "1 on the node that publishes, if it can publish.", publishes ? 1 : 0),
          one(k_gauge, "holdfast_feed_consuming", "1 if this node consumes payments.", consumes ? 1 : 0),
          one(k_gauge, "holdfast_feed_lag_changes", "Changes that are not published yet, on the node that publishes.",
              static_cast<double>(status.lag_changes)),
          one(k_gauge, "holdfast_feed_lag_seconds", "Age of the oldest change that is not published yet.", status.lag_seconds),
          one(k_gauge, "holdfast_feed_events_held_back", "Events whose changes are not published because they cannot be read.",
              static_cast<double>(status.events_held_back)),
          one(k_gauge, "holdfast_feed_payments_oldest_pending_seconds", "Age of the oldest waiting payment in this node's partitions.",
              status.payments_pending_seconds),
          one(k_gauge, "holdfast_feed_payments_held", "Payments that wait because payments of their event cannot be executed.",
              static_cast<double>(status.payments_held)),
          one(k_counter, "holdfast_feed_seats_retried_total", "Times that seats waited for the ledger or for Kafka.",
              count(counters.seats_retried)),
          one(k_counter, "holdfast_feed_lost_seat_parts_total", "Messages of seats that Kafka removed before their events were complete.",
              count(counters.seats_lost)),
          one(k_gauge, "holdfast_feed_importing", "1 on the node that imports seats, if it can import.", imports ? 1 : 0),
          one(k_gauge, "holdfast_feed_events_gathered", "Events whose seats have not all arrived.",
              static_cast<double>(status.events_gathered)),
          one(k_gauge, "holdfast_feed_seats_oldest_pending_seconds",
              "Age of the oldest waiting message of seats, including waits for the rest of its event.", status.seats_pending_seconds)};
}

}  // namespace holdfast::api
