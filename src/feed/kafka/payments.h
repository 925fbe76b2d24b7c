// Consumes payments: payment-succeeded sells a reservation, payment-failed releases it. At least once: an offset is committed after the message's
// effect is durable and after its rejection or dead letter is in Kafka.
//
//   Payments payments(options, desk, store, board);
//   payments.start();
//   payments.stop();
//
// A message that cannot be understood goes to <topic>.dead-letter unchanged, with the reason. The rejection of a payment is stored before it is
// sent: if the payment comes again, the same rejection is sent again, and the payment is never carried out. While ledger, store or Kafka do not
// answer, the messages at hand wait.
//
// If the ledger cannot change one event but can change others, the payments of that event are held in memory, in their order, and tried again
// after growing pauses (held_payments.h). The committed offset of a partition stays before its first held payment, so none is lost: the next
// owner of the partition receives it again with everything after it, which has no second effect. When too many payments are held, the
// partitions are paused. Payments that name only their order are held in the same way while the order cannot be looked up.
//
// One thread calls desk and store. start() and stop() may be called from any thread.
#pragma once

#include <chrono>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "feed/backlog.h"
#include "feed/kafka/client.h"
#include "feed/kafka/dead_letters.h"
#include "feed/kafka/held_payments.h"
#include "feed/kafka/payment_batch.h"
#include "feed/kafka/ports.h"
#include "feed/kafka/settings.h"
#include "feed/kafka/status.h"
#include "feed/kafka/store.h"
#include "feed/worker_loop.h"

namespace holdfast::feed::kafka {

// The payment that fills a number of bytes may exceed it.
struct PaymentLimits {
  std::size_t at_once_max = 500;   // taken from Kafka together
  std::size_t bytes_at_once_max = std::size_t{8} * 1024 * 1024;
  // When either is reached, no more are taken. The payments that were taken together last may exceed them: at most 10,499 are held.
  std::size_t held_max = 10'000;
  std::size_t held_bytes_max = std::size_t{16} * 1024 * 1024;
};

struct PaymentOptions {
  KafkaSettings kafka{};
  std::string topic_prefix{};
  std::string group = "holdfast-payments";
  std::chrono::milliseconds back_off_max{5'000};
  PaymentLimits limits{};
};

class Payments {
 public:
  Payments(PaymentOptions options, PaymentDesk& desk, FeedStore& store, FeedBoard& board);

  void start();
  // Ends after the messages at hand, or at once if they wait for something. Safe to call twice. The destructor stops, too.
  void stop() { loop_.stop(); }

 private:
  using Time = Backlog::Timer::time_point;

  // A partition that this node has.
  struct Place {
    std::int64_t next = -1;   // the offset behind the last message taken; -1: none was taken
    std::int64_t end = -1;   // the offset at which the partition had nothing more; -1: not seen
    std::int64_t committed = -1;   // by this node; -1: nothing
    Backlog backlog{};
  };

  void report(const std::exception& error);
  void consume();
  void await_topics();
  void subscribe(Client& client);
  void on_rebalance(Client& client, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t& partitions);
  std::vector<Received> receive(Client& client);
  void notice_recovery(Client& client, bool has_messages);
  void handle(Client& client, std::vector<Received> messages);
  bool wait_in_group(Client& client, std::chrono::milliseconds time);
  void tell(const PaymentBatch& batch, const std::vector<Received>& messages);
  void note_done(const PaymentBatch& batch, std::vector<Received>& messages);
  void commit(Client& client);

  void set_paused(Client& client, bool pauses);
  bool holds_too_many() const { return held_.count() >= options_.limits.held_max || held_.bytes() >= options_.limits.held_bytes_max; }
  void forget_partitions();
  void look_at_backlog(Client& client);
  void show_pending();
  std::string topic(std::string_view name) const { return options_.topic_prefix + std::string(name); }

  PaymentOptions options_;
  PaymentDesk& desk_;
  FeedStore& store_;
  FeedBoard& board_;

  // The thread's.
  std::unique_ptr<Teller> teller_;   // of rejections and dead letters
  bool partitions_changed_ = false;   // since the messages at hand were received
  bool is_paused_ = false;   // the partitions that this node has
  std::map<Partition, Place> places_;
  HeldPayments held_{"kafka payments"};
  std::optional<Time> joining_since_;   // set while the group has not given this node its partitions, not even none
  std::optional<Time> at_hand_since_;   // set while messages are being handled
  Time looked_at_backlog_{};
  WorkerLoop loop_;   // last: it ends before what its thread uses
};

}   // namespace holdfast::feed::kafka
