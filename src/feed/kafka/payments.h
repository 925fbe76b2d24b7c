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
// One thread, on which desk and store are asked; start() and stop() are of any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "feed/kafka/client.h"
#include "feed/kafka/messages.h"
#include "feed/kafka/ports.h"
#include "feed/kafka/settings.h"
#include "feed/kafka/status.h"

namespace holdfast::feed::kafka {

struct PaymentOptions {
  KafkaSettings kafka{};
  std::string topic_prefix{};
  std::string group = "holdfast-payments";
  std::chrono::milliseconds back_off_max{5'000};
};

inline constexpr std::size_t k_payment_bytes_max = 64 * 1024;   // a larger message is a dead letter
inline constexpr std::size_t k_payments_at_once_max = 500;

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
  struct Received;
  struct Batch;

  void run();
  void consume();
  void await_topics();
  void subscribe(Client& client);
  void on_rebalance(Client& client, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t& partitions);
  std::vector<Received> receive(Client& client);
  void handle(Client& client, std::vector<Received> messages);
  Batch decide(const std::vector<Received>& messages);
  void settle(Batch& batch);
  void tell(Batch& batch);
  void commit(Client& client, const std::vector<Received>& messages);

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
  std::unique_ptr<Client> teller_;    // of rejections and dead letters
  std::size_t undelivered_ = 0;       // messages of the teller that are under way
  rd_kafka_resp_err_t refused_ = RD_KAFKA_RESP_ERR_NO_ERROR;   // why the last of those was not delivered
  bool partitions_changed_ = false;   // since the messages at hand were received
  std::thread thread_;
};

}  // namespace holdfast::feed::kafka
