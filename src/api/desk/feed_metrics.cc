#include "api/desk/metric_families.h"
#include "api/desk/part_metrics.h"
#include "feed/kafka/status.h"

namespace holdfast::api {

std::vector<prometheus::MetricFamily> feed_metrics(const feed::kafka::FeedBoard& board) {
  namespace kafka = feed::kafka;
  const kafka::FeedCounters& counts = board.counters;
  const kafka::FeedStatus status = board.status();
  std::vector<Sample> messages;
  messages.reserve(std::size(kafka::k_counted_topics));
  for (std::size_t i = 0; i < std::size(kafka::k_counted_topics); ++i) {
    messages.push_back({kafka::k_counted_topics[i], counts.messages[i]});
  }
  const bool publishes = status.relay == kafka::RelayState::publishing;
  const bool consumes = status.payments == kafka::ConsumerState::consuming;
  const bool imports = status.seats == kafka::ConsumerState::consuming;
  return {
      counters("holdfast_feed_messages_total", "Messages published to Kafka, by topic (without its prefix).", "topic", messages),
      counters("holdfast_feed_payments_total", "Payment messages, by result.", "outcome",
               {{"settled", counts.payments_settled}, {"rejected", counts.payments_rejected}, {"dead_letter", counts.payments_dead}}),
      counters("holdfast_feed_seat_parts_total", "Messages of seats-generated, by result.", "outcome",
               {{"imported", counts.seats_imported}, {"skipped", counts.seats_skipped}, {"dead_letter", counts.seats_dead}}),
      counter("holdfast_feed_transactions_total", "Transactions committed to Kafka.", counts.transactions.load()),
      counter("holdfast_feed_failures_total", "Transactions, takeovers and reads that failed and are retried.", counts.failures.load()),
      counter("holdfast_feed_takeovers_total", "Times that this node has begun to publish.", counts.takeovers.load()),
      counter("holdfast_feed_lost_changes_total", "Changes that were removed from the journal before they were published.",
              counts.lost_changes.load()),
      counter("holdfast_feed_payments_retried_total", "Times that payments waited for the ledger or for Kafka.",
              counts.payments_retried.load()),
      gauge("holdfast_feed_publishing", "1 on the node that publishes, if it can publish.", publishes ? 1 : 0),
      gauge("holdfast_feed_consuming", "1 if this node consumes payments.", consumes ? 1 : 0),
      gauge("holdfast_feed_lag_changes", "Changes that are not published yet, on the node that publishes.", status.lag_changes),
      gauge("holdfast_feed_lag_seconds", "Age of the oldest change that is not published yet.", status.lag_seconds),
      gauge("holdfast_feed_events_held_back", "Events whose changes are not published because they cannot be read.",
            status.events_held_back),
      gauge("holdfast_feed_payments_oldest_pending_seconds", "Age of the oldest waiting payment in this node's partitions.",
            status.payments_pending_seconds),
      gauge("holdfast_feed_payments_held", "Payments that wait because payments of their event cannot be executed.", status.payments_held),
      counter("holdfast_feed_seats_retried_total", "Times that seats waited for the ledger or for Kafka.", counts.seats_retried.load()),
      counter("holdfast_feed_lost_seat_parts_total", "Messages of seats that Kafka removed before their events were complete.",
              counts.seats_lost.load()),
      gauge("holdfast_feed_importing", "1 on the node that imports seats, if it can import.", imports ? 1 : 0),
      gauge("holdfast_feed_events_gathered", "Events whose seats have not all arrived.", status.events_gathered),
      gauge("holdfast_feed_seats_oldest_pending_seconds",
            "Age of the oldest waiting message of seats, including waits for the rest of its event.", status.seats_pending_seconds)};
}

}  // namespace holdfast::api
