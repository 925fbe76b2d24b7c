// librdkafka with ownership and exceptions, for relay, payments and imports.
//
// A Client belongs to one thread. Its callbacks run on that thread, inside poll() and the other calls that may wait. librdkafka's own threads write
// its log.
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "feed/kafka/messages.h"
#include "feed/kafka/settings.h"

namespace holdfast::feed::kafka {

inline constexpr std::chrono::milliseconds k_look{200};   // of one poll; a stop is noticed in between
inline constexpr std::chrono::milliseconds k_question{
    1'000};   // of one call to Kafka; between calls the lease is renewed and a stop is noticed
inline constexpr std::chrono::milliseconds k_back_off{100};   // between two attempts, at first
inline constexpr std::chrono::milliseconds k_topics_patience{10'000};
inline constexpr std::chrono::milliseconds k_between_looks{5'000};   // at the ends of the partitions

using Partition = std::pair<std::string, std::int32_t>;   // topic, number

// A request to Kafka failed. what() is for people.
class Trouble : public std::runtime_error {
 public:
  enum class Kind {
    away,   // not now: brokers cannot be reached, or a call took too long
    refused,   // Kafka refuses: no permission, message too large, no such topic
    fenced,   // another producer with the same transactional.id has taken over
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
    std::function<void(const rd_kafka_message_t&)> delivered{};   // message.err says whether it was
    std::function<void(rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t&)> rebalanced{};
  };

  // `ours` override the settings that the user passes through. Throws Trouble if librdkafka refuses one of them.
  Client(Kind kind, const KafkaSettings& settings, const std::vector<Setting>& ours, Callbacks callbacks);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  rd_kafka_t* get() const { return handle_; }
  // Runs callbacks, after waiting at most this long for one.
  int poll(std::chrono::milliseconds wait) { return rd_kafka_poll(handle_, static_cast<int>(wait.count())); }
  // librdkafka's last error since the call before this one; empty if there was none.
  std::string take_trouble();

  // Passes a message to librdkafka, which copies it. Throws Trouble; `away` if librdkafka's queue stays full for `patience`.
  void produce(const std::string& topic, std::optional<std::string_view> key, std::optional<std::string_view> value,
               const std::vector<Header>& headers, std::chrono::milliseconds patience);

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

// Settings of a consumer that commits its offsets itself, and gets messages of committed transactions, and the ends of partitions: transactions
// leave marks, so the end of a partition is not behind its last message.
std::vector<Client::Setting> consumer_settings(const std::string& group);

// The next message, end of a partition or error of a consumer; nothing if none comes in this time.
using Polled = std::unique_ptr<rd_kafka_message_t, decltype(&rd_kafka_message_destroy)>;
Polled poll_consumer(Client& client, std::chrono::milliseconds patience);

// The number of a topic's partitions, or why it has none. If the brokers are configured to create topics, a producer's question creates it; it
// exists some moments later.
using PartitionCount = std::expected<std::int32_t, rd_kafka_resp_err_t>;
PartitionCount partitions_of(Client& client, const std::string& topic, std::chrono::milliseconds patience);
// Asks until the topic exists, or until the deadline. After each answer before the deadline that it does not, calls `wait`, which may throw.
PartitionCount await_topic(Client& client, const std::string& topic, std::chrono::steady_clock::time_point deadline,
                           const std::function<void(rd_kafka_resp_err_t)>& wait);

}   // namespace holdfast::feed::kafka
