// The Kafka feed with the parts that it needs, made from the options: changes go to Kafka (relay.h), payments and seats come from there
// (payments.h, seat_imports.h).
#pragma once

#include <memory>
#include <optional>

#include "api/desk/part_metrics.h"
#include "cli/options.h"
#include "feed/kafka/ledger_source.h"
#include "feed/kafka/payment_desk.h"
#include "feed/kafka/payments.h"
#include "feed/kafka/relay.h"
#include "feed/kafka/seat_imports.h"
#include "feed/kafka/seats_desk.h"

namespace holdfast::cli {

// Created before the engine, because the engine's rounds wake it; start() hands it the engine.
class ServedFeed {
 public:
  // `holder`: see Home::feed_holder(). `ledger` must outlive the feed.
  ServedFeed(const ServeOptions& options, std::unique_ptr<feed::kafka::FeedStore> store, Ledger& ledger, std::string holder);

  void start(Engine& engine);
  void stop();   // before the engine stops: payments and imports wait for its answers
  void notify() { relay_.notify(); }   // after each commit of changes

  std::vector<prometheus::MetricFamily> metrics() const { return api::feed_metrics(board_); }
  feed::kafka::FeedStatus status() const { return board_.status(); }
  // What is wrong, as a sentence without a full stop; empty: nothing.
  std::string degradation() const;
  // The Ledger::progress() up to which everything is published; 0: not known yet.
  std::uint64_t published_through() const { return source_.published_through(); }

 private:
  std::unique_ptr<feed::kafka::FeedStore> store_;
  feed::kafka::LedgerFeedSource source_;
  feed::kafka::EnginePaymentDesk payment_desk_;
  feed::kafka::EngineSeatsDesk seats_desk_;
  feed::kafka::FeedBoard board_;
  feed::kafka::Relay relay_;
  std::optional<feed::kafka::Payments> payments_;
  std::optional<feed::kafka::SeatImports> seats_;
};

}  // namespace holdfast::cli
