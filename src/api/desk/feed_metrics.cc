#include "api/desk/feed_metrics.h"

#include "api/desk/metric_families.h"

namespace holdfast::api {

using prometheus::MetricFamily;
using prometheus::MetricType;

std::vector<MetricFamily> FeedMetrics::Collect() const {
  namespace kafka = feed::kafka;
  constexpr MetricType k_counter = MetricType::Counter;
  constexpr MetricType k_gauge = MetricType::Gauge;
  const kafka::FeedCounters& counters = board_.counters;
  const kafka::FeedStatus status = board_.status();

  MetricFamily messages{"holdfast_feed_messages_total", "Messages published to Kafka, by topic (without its prefix).", k_counter, {}};
  for (std::size_t i = 0; i < std::size(kafka::k_counted_topics); ++i) {
    messages.metric.push_back(sample(k_counter, counters.messages[i].load(), {{"topic", kafka::k_counted_topics[i]}}));
  }
  MetricFamily payments{"holdfast_feed_payments_total", "Payment messages, by result.", k_counter, {}};
  payments.metric.push_back(sample(k_counter, counters.payments_settled.load(), {{"outcome", "settled"}}));
  payments.metric.push_back(sample(k_counter, counters.payments_rejected.load(), {{"outcome", "rejected"}}));
  payments.metric.push_back(sample(k_counter, counters.payments_dead.load(), {{"outcome", "dead_letter"}}));

  MetricFamily seats{"holdfast_feed_seat_parts_total", "Messages of seats-generated, by result.", k_counter, {}};
  seats.metric.push_back(sample(k_counter, counters.seats_imported.load(), {{"outcome", "imported"}}));
  seats.metric.push_back(sample(k_counter, counters.seats_skipped.load(), {{"outcome", "skipped"}}));
  seats.metric.push_back(sample(k_counter, counters.seats_dead.load(), {{"outcome", "dead_letter"}}));

  const bool publishes = status.relay == kafka::RelayState::publishing;
  const bool consumes = status.payments == kafka::ConsumerState::consuming;
  const bool imports = status.seats == kafka::ConsumerState::consuming;
  return {
      std::move(messages),
      std::move(payments),
      std::move(seats),
      single(k_counter, "holdfast_feed_transactions_total", "Transactions committed to Kafka.", counters.transactions.load()),
      single(k_counter, "holdfast_feed_failures_total", "Transactions, takeovers and reads that failed and are retried.",
             counters.failures.load()),
      single(k_counter, "holdfast_feed_takeovers_total", "Times that this node has begun to publish.", counters.takeovers.load()),
      single(k_counter, "holdfast_feed_lost_changes_total", "Changes that were removed from the journal before they were published.",
             counters.lost_changes.load()),
      single(k_counter, "holdfast_feed_payments_retried_total", "Times that payments waited for the ledger or for Kafka.",
             counters.payments_retried.load()),
      single(k_gauge, "holdfast_feed_publishing", "1 on the node that publishes, if it can publish.", publishes ? 1 : 0),
      single(k_gauge, "holdfast_feed_consuming", "1 if this node consumes payments.", consumes ? 1 : 0),
      single(k_gauge, "holdfast_feed_lag_changes", "Changes that are not published yet, on the node that publishes.", status.lag_changes),
      single(k_gauge, "holdfast_feed_lag_seconds", "Age of the oldest change that is not published yet.", status.lag_seconds),
      single(k_gauge, "holdfast_feed_events_held_back", "Events whose changes are not published because they cannot be read.",
             status.events_held_back),
      single(k_gauge, "holdfast_feed_payments_oldest_pending_seconds", "Age of the oldest waiting payment in this node's partitions.",
             status.payments_pending_seconds),
      single(k_gauge, "holdfast_feed_payments_held", "Payments that wait because payments of their event cannot be executed.",
             status.payments_held),
      single(k_counter, "holdfast_feed_seats_retried_total", "Times that seats waited for the ledger or for Kafka.",
             counters.seats_retried.load()),
      single(k_counter, "holdfast_feed_lost_seat_parts_total", "Messages of seats that Kafka removed before their events were complete.",
             counters.seats_lost.load()),
      single(k_gauge, "holdfast_feed_importing", "1 on the node that imports seats, if it can import.", imports ? 1 : 0),
      single(k_gauge, "holdfast_feed_events_gathered", "Events whose seats have not all arrived.", status.events_gathered),
      single(k_gauge, "holdfast_feed_seats_oldest_pending_seconds",
             "Age of the oldest waiting message of seats, including waits for the rest of its event.", status.seats_pending_seconds)};
}

}  // namespace holdfast::api
