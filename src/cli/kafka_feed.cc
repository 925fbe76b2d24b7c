#include "cli/kafka_feed.h"

namespace holdfast::cli {
namespace {

namespace kafka = feed::kafka;

kafka::FeedOptions feed_options(const ServeOptions& options, std::string holder) {
  const kafka::KafkaSettings settings{.brokers = kafka::read_kafka_url(options.feed_url).value(), .more = options.feed_kafka};
  return {.relay = {.kafka = settings,
                    .rules = {.topic_prefix = options.feed_topic_prefix,
                              .ticket_locks = options.feed_ticket_locks,
                              .all_seat_ids = options.feed_all_seat_ids,
                              .returned = options.feed_returned},
                    .transactional_id = options.feed_transactional_id,
                    .holder = std::move(holder)},
          .payments = {.kafka = settings, .topic_prefix = options.feed_topic_prefix, .group = options.feed_payments_group},
          .consumes_payments = options.feed_payments};
}

}  // namespace

ServedFeed::ServedFeed(const ServeOptions& options, std::unique_ptr<kafka::FeedStore> store, Ledger& ledger, std::string holder)
    : store_(std::move(store)),
      source_(ledger),
      desk_(ledger),
      feed_(feed_options(options, std::move(holder)), *store_, source_, desk_),
      metrics_(feed_) {}

void ServedFeed::start(Engine& engine) {
  desk_.set_engine(engine);
  feed_.start();
}

std::string ServedFeed::degradation() const {
  const kafka::FeedStatus status = feed_.status();
  std::string text;
  if (status.relay == kafka::RelayState::away || status.relay == kafka::RelayState::refused) {
    text = "changes wait for Kafka (" + std::to_string(status.lag_changes) + " of them): " + status.relay_detail;
  }
  if (status.payments == kafka::PaymentState::away || status.payments == kafka::PaymentState::refused) {
    if (!text.empty()) text += "; ";
    text += "payments are not consumed: " + status.payments_detail;
  }
  return text;
}

}  // namespace holdfast::cli
