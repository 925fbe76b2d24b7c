// The Kafka feed with the parts that it needs, made from the options.
#pragma once

#include <memory>

#include "api/desk/feed_metrics.h"
#include "cli/options.h"
#include "feed/kafka/feed.h"
#include "feed/kafka/ledger_source.h"
#include "feed/kafka/payment_desk.h"
#include "feed/kafka/seats_desk.h"

namespace holdfast::cli {

// Created before the engine, because the engine's rounds wake it; start() hands it the engine.
class ServedFeed {
 public:
  // `holder`: see Home::feed_holder(). `ledger` must outlive the feed.
  ServedFeed(const ServeOptions& options, std::unique_ptr<feed::kafka::FeedStore> store, Ledger& ledger, std::string holder);

  void start(Engine& engine);
  void stop() { feed_.stop(); }   // before the engine stops
  void notify() { feed_.notify(); }

  const prometheus::Collectable& metrics() const { return metrics_; }
  feed::kafka::FeedStatus status() const { return feed_.status(); }
  // What is wrong, as a sentence without a full stop; empty: nothing.
  std::string degradation() const;
  // The Ledger::progress() up to which everything is published; 0: not known yet.
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
