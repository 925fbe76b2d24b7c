// The Kafka feed as a whole: changes on their way to Kafka (relay.h), and payments that come from there (payments.h).
//
//   KafkaFeed feed(options, store, source, desk);
//   feed.start();
//   feed.notify();     // whoever commits changes, after the commit
//   feed.status();     // for people and metrics
//   feed.stop();       // while the engine still answers: payments wait for it
//
// Any thread.
#pragma once

#include <optional>

#include "feed/kafka/payments.h"
#include "feed/kafka/relay.h"

namespace holdfast::feed::kafka {

struct FeedOptions {
  RelayOptions relay{};
  PaymentOptions payments{};
  bool consumes_payments = true;
};

class KafkaFeed {
 public:
  KafkaFeed(const FeedOptions& options, FeedStore& store, FeedSource& source, PaymentDesk& desk)
      : relay_(options.relay, store, source, board_) {
    if (options.consumes_payments) payments_.emplace(options.payments, desk, store, board_);
  }

  void start() {
    relay_.start();
    if (payments_) payments_->start();
  }
  void stop() {
    if (payments_) payments_->stop();
    relay_.stop();
  }
  void notify() { relay_.notify(); }

  FeedStatus status() const { return board_.status(); }
  const FeedCounters& counters() const { return board_.counters; }

 private:
  FeedBoard board_;
  Relay relay_;
  std::optional<Payments> payments_;
};

}  // namespace holdfast::feed::kafka
