// Consumes what a payment service says: payment-succeeded sells a reservation, payment-failed releases it. At least once: an
// offset is committed after what its message asks for is durable, and after what is told of it (a rejection, a dead letter) is at
// Kafka.
//
//   Payments payments(options, desk, store, board);
//   payments.start();
//   payments.stop();
//
// A message that says nothing goes to <topic>.dead-letter, as it came, with the reason. A payment that was refused is kept in the
// store before it is told of: should it come again, it is told of in the same words and never carried out. While ledger, store or
// Kafka do not answer, the messages at hand wait.
//
// Payments of an event that the ledger cannot carry out, while it does others, are held: in memory, in their order, tried again after
// pauses that grow (failing_events.h). The offset that is committed stays before the first of a partition that is held, so that none is
// lost; whoever has the partition next gets it again with all that came after, which has no second effect. When too many are held,
// nothing more is taken. Payments that name their order only are held in the same way while it cannot be found out what was sold for it.
//
// One thread, on which desk and store are asked; start() and stop() are of any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "feed/backlog.h"
#include "feed/kafka/client.h"
#include "feed/kafka/dead_letters.h"
#include "feed/kafka/messages.h"
#include "feed/kafka/ports.h"
#include "feed/kafka/settings.h"
#include "feed/kafka/status.h"
#include "ledger/failing_events.h"

namespace holdfast::feed::kafka {

inline constexpr std::size_t k_payment_bytes_max = 64 * 1024;   // a larger message is a dead letter

// The payment that fills a number of bytes may exceed it.
struct PaymentLimits {
  std::size_t at_once_max = 500;   // taken from Kafka together
  std::size_t bytes_at_once_max = std::size_t{8} * 1024 * 1024;
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
  ~Payments();   // stops
  Payments(const Payments&) = delete;
  Payments& operator=(const Payments&) = delete;

  void start();
  // Ends after the messages at hand, or at once while they wait for something. Safe to call twice.
  void stop();

 private:
  struct Batch;
  using Partition = std::pair<std::string, std::int32_t>;   // topic, number
  using Time = Backlog::Timer::time_point;

  // A partition that is this node's.
  struct Place {
    std::int64_t next = -1;        // behind the last message that was taken from it; -1: none was
    std::int64_t end = -1;         // where it was seen to have nothing more; -1: it was not
    std::int64_t committed = -1;   // of this node; -1: nothing
    Backlog backlog{};
  };

  void run();
  void consume();
  void await_topics();
  void subscribe(Client& client);
  void on_rebalance(Client& client, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t& partitions);
  std::vector<Received> receive(Client& client);
  void handle(Client& client, std::vector<Received> messages);
  void handle_held(Client& client);
  Batch decide(const std::vector<Received>& messages);
  void read(Batch& batch, const std::vector<Received>& messages);
  void find_orders(Batch& batch);
  std::optional<std::vector<std::optional<Uuid>>> ask_for_orders(const std::vector<std::string>& orders);
  std::map<std::string, Uuid> orders_named_before() const;
  void settle(Batch& batch);
  void hold_back(Batch& batch);
  void tell(Batch& batch);
  void note_done(const Batch& batch, std::vector<Received>& messages);
  void commit(Client& client);

  void pause(Client& client);
  void resume(Client& client);
  bool holds_too_many() const { return held_messages_ >= options_.limits.held_max || held_bytes_ >= options_.limits.held_bytes_max; }
  void forget_partitions();
  void look_at_backlog(Client& client);
  void show_pending();

  bool stopping();
  void wait(std::chrono::milliseconds time);
  std::string topic(std::string_view name) const { return options_.topic_prefix + std::string(name); }

  PaymentOptions options_;
  PaymentDesk& desk_;
  FeedStore& store_;
  FeedBoard& board_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;

  // The thread's.
  std::unique_ptr<Teller> teller_;    // of rejections and dead letters
  bool partitions_changed_ = false;   // since the messages at hand were received
  bool is_paused_ = false;            // the partitions that this node has
  bool has_worked_ = false;           // since it joined the group
  std::map<Partition, Place> places_;
  struct Held {
    Received message;
    std::string order;   // of one that succeeded and names a reservation: that of its order
    Uuid reservation{};
  };
  std::map<EventNumber, std::vector<Held>> held_;
  std::size_t held_messages_ = 0;
  std::size_t held_bytes_ = 0;
  FailingEvents failing_{"kafka payments"};
  std::optional<Time> joining_since_;   // it has no partitions given by the group, not even none
  std::optional<Time> at_hand_since_;   // messages are being handled
  Time looked_at_backlog_{};
  std::thread thread_;
};

}  // namespace holdfast::feed::kafka
