// The Kafka feed with all that it stands on, as the options wish it.
#pragma once

#include <memory>

#include "api/desk/feed_metrics.h"
#include "cli/options.h"
#include "feed/kafka/feed.h"
#include "feed/kafka/ledger_source.h"
#include "feed/kafka/payment_desk.h"
#include "feed/kafka/seats_desk.h"

namespace holdfast::cli {

// Made before the engine, because the engine's rounds wake it; the engine comes with start().
class ServedFeed {
 public:
  // `holder`: this process, as no other one of the same store is called that lives; empty: a random name. `ledger` must outlive
  // it.
  ServedFeed(const ServeOptions& options, std::unique_ptr<feed::kafka::FeedStore> store, Ledger& ledger, std::string holder);

  void start(Engine& engine);
  void stop() { feed_.stop(); }   // while the engine still answers
  void notify() { feed_.notify(); }

  const prometheus::Collectable& metrics() const { return metrics_; }
  feed::kafka::FeedStatus status() const { return feed_.status(); }
  // What is wrong with it, in a sentence; empty when nothing is.
  std::string degradation() const;
  // Ledger::progress() up to which all is published; 0: not known yet.
  std::uint64_t published_through() const { return source_.published_through(); }

 private:
  std::unique_ptr<feed::kafka::FeedStore> store_;
  feed::kafka::LedgerFeedSource source_;
  feed::kafka::EnginePaymentDesk payment_desk_;
  feed::kafka::EngineSeatsDesk seats_desk_;
  feed::kafka::KafkaFeed feed_;
  api::FeedMetrics metrics_;
};

}  // namespace holdfast::cli
