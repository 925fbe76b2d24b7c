// librdkafka with owners and errors: what relay and payments share of it.
//
// A Client is made for one thread. Its callbacks run on that thread, inside poll() and the other calls that may wait; only its
// log and last_trouble() are of any thread.
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "feed/kafka/messages.h"
#include "feed/kafka/settings.h"

namespace holdfast::feed::kafka {

// Kafka did not do what it was asked to. what() is for people.
class Trouble : public std::runtime_error {
 public:
  enum class Kind {
    away,      // not now: brokers cannot be reached, or a call took too long
    refused,   // Kafka says no: no permission, message too large, a topic that there is not
    fenced,    // another one with the same transactional.id has taken over
  };
  Trouble(Kind kind, const std::string& what) : std::runtime_error(what), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

Trouble::Kind kind_of(rd_kafka_resp_err_t error);
// Whether an error is a Trouble that Kafka refused: it stays until somebody repairs the cause.
bool is_refusal(const std::exception& error);
Trouble trouble_of(std::string_view doing, rd_kafka_resp_err_t error);

using Error = std::unique_ptr<rd_kafka_error_t, decltype(&rd_kafka_error_destroy)>;
inline Error owned(rd_kafka_error_t* error) { return {error, &rd_kafka_error_destroy}; }
Trouble trouble_of(std::string_view doing, const rd_kafka_error_t* error);

using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, decltype(&rd_kafka_topic_partition_list_destroy)>;
PartitionList new_list(std::size_t room);

class Client {
 public:
  enum class Kind { producer, consumer };
  using Setting = std::pair<std::string, std::string>;

  struct Callbacks {
    std::function<void(const rd_kafka_message_t&)> delivered{};   // or not: message.err says it
    std::function<void(rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t&)> rebalanced{};
  };

  // `ours` come after the settings that pass through. Throws Trouble when librdkafka takes neither.
  Client(Kind kind, const KafkaSettings& settings, const std::vector<Setting>& ours, Callbacks callbacks);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  rd_kafka_t* get() const { return handle_; }
  // Serves callbacks, for as long as there is nothing to serve.
  int poll(std::chrono::milliseconds wait) { return rd_kafka_poll(handle_, static_cast<int>(wait.count())); }
  // What librdkafka complained of last; empty when it did not since the last call.
  std::string take_trouble();

  // Hands a message to librdkafka, which copies it. Throws Trouble; `away` when its queue is full and stays so for `patience`.
  void produce(const std::string& topic, std::string_view key, bool has_key, std::string_view value, const std::vector<Header>& headers,
               std::chrono::milliseconds patience);

 private:
  static void on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text);
  static void on_error(rd_kafka_t* handle, int error, const char* reason, void* self);
  static void on_delivery(rd_kafka_t* handle, const rd_kafka_message_t* message, void* self);
  static void on_rebalance(rd_kafka_t* handle, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* partitions, void* self);

  Callbacks callbacks_;
  std::mutex mutex_;
  std::string trouble_;
  rd_kafka_t* handle_ = nullptr;
};

// The next message, end of a partition or error of a consumer; nothing if none comes in this time.
using Polled = std::unique_ptr<rd_kafka_message_t, decltype(&rd_kafka_message_destroy)>;
Polled poll_consumer(Client& client, std::chrono::milliseconds patience);

// What Kafka says of a topic; RD_KAFKA_RESP_ERR_NO_ERROR when it is there. Where brokers make topics by themselves, asking makes it (of a
// producer), and it is there some moments later.
rd_kafka_resp_err_t ask_for_topic(Client& client, const std::string& topic, std::chrono::milliseconds patience);
// The same, and how many partitions it has.
std::expected<std::int32_t, rd_kafka_resp_err_t> partitions_of(Client& client, const std::string& topic,
                                                               std::chrono::milliseconds patience);

}  // namespace holdfast::feed::kafka
