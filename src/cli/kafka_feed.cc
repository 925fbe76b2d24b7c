#include "cli/kafka_feed.h"

#include <fmt/format.h>

#include "cli/health.h"

namespace holdfast::cli {
namespace {

namespace kafka = feed::kafka;

kafka::KafkaSettings settings_of(const ServeOptions& options) {
  return {.brokers = kafka::read_kafka_url(options.feed_url).value(), .more = options.feed_kafka};
}

kafka::RelayOptions relay_options(const ServeOptions& options, std::string holder) {
  return {.kafka = settings_of(options),
          .rules = {.topic_prefix = options.feed_topic_prefix,
                    .ticket_locks = options.feed_ticket_locks,
                    .all_seat_ids = options.feed_all_seat_ids,
                    .returned = options.feed_returned,
                    .releases_as_expired = options.feed_releases_as_expired},
          .transactional_id = options.feed_transactional_id,
          .holder = std::move(holder)};
}

}  // namespace

ServedFeed::ServedFeed(const ServeOptions& options, std::unique_ptr<kafka::FeedStore> store, Ledger& ledger, std::string holder)
    : store_(std::move(store)),
      source_(ledger),
      payment_desk_(ledger),
      seats_desk_(ledger),
      relay_(relay_options(options, std::move(holder)), *store_, source_, board_) {
  const kafka::KafkaSettings settings = settings_of(options);
  const std::string& prefix = options.feed_topic_prefix;
  if (options.feed_payments) {
    payments_.emplace(kafka::PaymentOptions{.kafka = settings, .topic_prefix = prefix, .group = options.feed_payments_group}, payment_desk_,
                      *store_, board_);
  }
  if (options.feed_seats) {
    seats_.emplace(kafka::SeatsOptions{.kafka = settings, .topic_prefix = prefix, .group = options.feed_seats_group}, seats_desk_, board_);
  }
}

void ServedFeed::start(Engine& engine) {
  payment_desk_.set_engine(engine);
  seats_desk_.set_engine(engine);
  relay_.start();
  if (payments_) payments_->start();
  if (seats_) seats_->start();
}

void ServedFeed::stop() {
  if (seats_) seats_->stop();   // while this node still has the lease
  if (payments_) payments_->stop();
  relay_.stop();
}

std::string ServedFeed::degradation() const {
  const kafka::FeedStatus status = board_.status();
  std::string text;
  const auto say = [&](const std::string& what) { text += (text.empty() ? "" : "; ") + what; };
  if (is_trouble(status.relay)) {
    say("changes wait for Kafka (" + std::to_string(status.lag_changes) + " of them): " + status.relay_detail);
  } else if (!status.held_back.empty()) {
    say("changes are not published of " + status.held_back);
  } else if (status.lag_seconds > k_pending_degraded_seconds) {
    say(fmt::format("changes have waited for {:.0f} s to be published", status.lag_seconds));
  }
  if (is_trouble(status.payments)) {
    say("payments are not consumed: " + status.payments_detail);
  } else if (!status.payments_held_because.empty()) {
    say(fmt::format("{} payments wait, of {}", status.payments_held, status.payments_held_because));
  } else if (status.payments_pending_seconds > k_pending_degraded_seconds) {
    say(fmt::format("payments have waited for {:.0f} s to be consumed", status.payments_pending_seconds));
  }
  if (is_trouble(status.seats)) {
    say("seats are not imported: " + status.seats_detail);
  } else if (status.seats_unhandled_seconds > k_pending_degraded_seconds) {
    say(fmt::format("seats have waited for {:.0f} s to be imported", status.seats_unhandled_seconds));
  }
  return text;
}

}  // namespace holdfast::cli
