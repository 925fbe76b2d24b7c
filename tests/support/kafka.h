// Kafka as other programs use it: the messages on the topics, and messages for the product to consume.
//
//   KafkaReader reader(kafka.bootstrap(), {"reservation-created", "reservation-expired"});
//   ASSERT_TRUE(reader.read_until([&] { return reader.messages().size() == 3; }));
//
//   KafkaWriter writer(kafka.bootstrap());
//   writer.write("payment-succeeded", "key", R"({"reservationId": …})");      // returns when the broker has it
//
// Both throw std::runtime_error if librdkafka gives up. Not for several threads at once.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/json.h"
#include "support/waiting.h"

struct rd_kafka_s;

namespace holdfast::test {

struct KafkaMessage {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::string key;
  std::string value;
  std::map<std::string, std::string> headers;

  Json json() const { return parse_json(value); }
};

namespace detail {
struct KafkaEnd {
  void operator()(rd_kafka_s* client) const;
};
using KafkaClient = std::unique_ptr<rd_kafka_s, KafkaEnd>;
}  // namespace detail

enum class Isolation { read_committed, read_uncommitted };

// Reads topics from their beginning, also those that do not exist yet. Messages of one partition come in order, each once. When a
// topic appears later, the group starts over, and messages that were read before are not returned again.
class KafkaReader {
 public:
  KafkaReader(const std::string& bootstrap, const std::vector<std::string>& topics, Isolation isolation = Isolation::read_committed);
  ~KafkaReader();
  KafkaReader(const KafkaReader&) = delete;
  KafkaReader& operator=(const KafkaReader&) = delete;

  // Takes messages until the condition holds. False if it does not in time. Waits for a broker that is away.
  bool read_until(const std::function<bool()>& condition, milliseconds patience = k_patience);
  // Takes messages until none has come for `quiet`.
  void read_for(milliseconds quiet);
  const std::vector<KafkaMessage>& messages() const { return messages_; }
  std::vector<KafkaMessage> of_topic(std::string_view topic) const;

 private:
  bool read_one(milliseconds wait);

  detail::KafkaClient client_;
  std::vector<KafkaMessage> messages_;
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> next_;   // offset by partition
};

// Whether a transaction is open on these topics at this moment, with messages that the broker has: readers of committed messages
// wait before them. Throws if the broker does not answer.
bool has_open_transaction(const std::string& bootstrap, const std::vector<std::string>& topics);

class KafkaWriter {
 public:
  explicit KafkaWriter(const std::string& bootstrap);
  ~KafkaWriter();
  KafkaWriter(const KafkaWriter&) = delete;
  KafkaWriter& operator=(const KafkaWriter&) = delete;

  // With one partition and settings of Kafka's for topics, such as `max.message.bytes`.
  void create_topic(const std::string& topic, const std::map<std::string, std::string>& settings);
  void write(const std::string& topic, std::string key, std::string value, const std::map<std::string, std::string>& headers = {});
  // Writes many in order, without waiting for each.
  void write_all(const std::string& topic, const std::string& key, const std::vector<std::string>& values);

 private:
  void produce(const std::string& topic, std::string key, std::string value, const std::map<std::string, std::string>& headers);
  void flush(const std::string& topic);

  detail::KafkaClient client_;
};

}  // namespace holdfast::test
