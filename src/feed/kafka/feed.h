// The Kafka feed as a whole: changes go to Kafka (relay.h), payments and seats come from there (payments.h, seat_imports.h).
//
//   KafkaFeed feed(options, store, source, payment_desk, seats_desk);
//   feed.start();
//   feed.notify();     // after each commit of changes
//   feed.status();     // for people and metrics
//   feed.stop();       // before the engine stops: payments and imports wait for its answers
//
// Any thread.
#pragma once

#include <optional>

#include "feed/kafka/payments.h"
#include "feed/kafka/relay.h"
#include "feed/kafka/seat_imports.h"

namespace holdfast::feed::kafka {

struct FeedOptions {
  RelayOptions relay{};
  PaymentOptions payments{};
  SeatsOptions seats{};
  bool consumes_payments = true;
  bool imports_seats = false;
};

class KafkaFeed {
 public:
  KafkaFeed(const FeedOptions& options, FeedStore& store, FeedSource& source, PaymentDesk& payment_desk, SeatsDesk& seats_desk)
      : relay_(options.relay, store, source, board_) {
    if (options.consumes_payments) payments_.emplace(options.payments, payment_desk, store, board_);
    if (options.imports_seats) seats_.emplace(options.seats, seats_desk, board_);
  }

  void start() {
    relay_.start();
    if (payments_) payments_->start();
    if (seats_) seats_->start();
  }
  void stop() {
    if (seats_) seats_->stop();   // while this node still has the lease
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
  std::optional<SeatImports> seats_;
};

}   // namespace holdfast::feed::kafka
