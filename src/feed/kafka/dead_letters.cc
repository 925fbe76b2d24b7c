#include "feed/kafka/dead_letters.h"

namespace holdfast::feed::kafka {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds k_delivery{30'000};

std::optional<std::string> bytes_of(const void* bytes, std::size_t size) {
  if (bytes == nullptr) return std::nullopt;
  return std::string(static_cast<const char*>(bytes), size);
}

std::vector<Header> headers_of(const rd_kafka_message_t& message) {
  std::vector<Header> all;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return all;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    all.emplace_back(name, bytes_of(value, size).value_or(""));
  }
  return all;
}

bool is_too_large(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || error == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

}  // namespace

Received received(const rd_kafka_message_t& message) {
  rd_kafka_timestamp_type_t type{};
  return {.topic = rd_kafka_topic_name(message.rkt),
          .partition = message.partition,
          .offset = message.offset,
          .timestamp = rd_kafka_message_timestamp(&message, &type),
          .key = bytes_of(message.key, message.key_len),
          .value = bytes_of(message.payload, message.len),
          .headers = headers_of(message)};
}

std::size_t Received::header_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [name, text] : headers) bytes += name.size() + text.size();
  return bytes;
}

DeadLetter dead_letter_of(const Received& message, const std::string& why, std::size_t bytes_max) {
  DeadLetter letter{.topic = message.topic + std::string(k_dead_letter_suffix)};
  const std::size_t key_bytes = message.key ? message.key->size() : 0;
  const bool keeps_key = key_bytes + message.header_bytes() <= bytes_max / 2;
  if (keeps_key) {
    letter.key = message.key;
    letter.headers = message.headers;
  }
  if (message.value) letter.value = message.value->substr(0, bytes_max);
  const auto add = [&](const char* name, std::string text) { letter.headers.emplace_back(name, std::move(text)); };
  add("dead_letter_reason", why);
  add("original_topic", message.topic);
  add("original_partition", std::to_string(message.partition));
  add("original_offset", std::to_string(message.offset));
  add("original_timestamp", std::to_string(message.timestamp));
  if (message.value && message.value->size() > bytes_max) add("original_bytes", std::to_string(message.value->size()));
  if (!keeps_key) {
    add("original_key_bytes", std::to_string(key_bytes));
    add("original_headers_bytes", std::to_string(message.header_bytes()));
  }
  return letter;
}

std::size_t count_at_once(const std::deque<Dead>& dead) {
  std::size_t count = 0;
  std::size_t bytes = 0;
  for (; count < dead.size() && count < k_dead_at_once_max; ++count) {
    bytes += dead[count].message.bytes();
    if (count > 0 && bytes > k_dead_bytes_at_once_max) break;
  }
  return count;
}

Teller::Teller(const KafkaSettings& settings, std::size_t bytes_whole)
    : bytes_whole_(bytes_whole),
      client_(Client::Kind::producer, settings,
              {{"enable.idempotence", "true"},
               {"acks", "all"},
               {"partitioner", "murmur2_random"},
               {"message.timeout.ms", std::to_string(k_delivery.count())},
               {"message.max.bytes", std::to_string(2 * k_dead_letter_bytes_max)}},   // the value, half of that, and our headers
              {.delivered =
                   [this](const rd_kafka_message_t& message) {
                     --undelivered_;
                     if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) refused_ = message.err;
                   },
               .rebalanced = {}}) {}

bool Teller::tell(const std::function<void()>& fill, const std::function<bool()>& stopping) {
  bytes_max_ = k_dead_letter_bytes_max;
  for (;;) {
    refused_ = RD_KAFKA_RESP_ERR_NO_ERROR;
    fill();
    const auto deadline = SteadyClock::now() + k_delivery + k_question;
    while (undelivered_ > 0 && SteadyClock::now() < deadline && !stopping()) client_.poll(k_look);
    if (undelivered_ > 0 && stopping()) return false;
    if (!is_too_large(refused_) || bytes_max_ == k_dead_letter_bytes_least) break;
    // The topic takes less than the message's own topic. The beginning is better than nothing, and the message's place better than endless retries.
    bytes_max_ = bytes_max_ > bytes_whole_ ? bytes_whole_ : k_dead_letter_bytes_least;
  }
  if (refused_ != RD_KAFKA_RESP_ERR_NO_ERROR) throw trouble_of("sending dead letters and rejections", refused_);
  if (undelivered_ > 0) throw Trouble(Trouble::Kind::away, "Kafka did not acknowledge dead letters and rejections in time");
  return true;
}

void Teller::send(const std::string& topic, const std::optional<std::string>& key, const std::optional<std::string>& value,
                  const std::vector<Header>& headers) {
  client_.produce(topic, key, value, headers, k_question);
  ++undelivered_;
}

void Teller::send_dead(const Received& message, const std::string& why) {
  const DeadLetter letter = dead_letter_of(message, why, bytes_max_);
  send(letter.topic, letter.key, letter.value, letter.headers);
}

}   // namespace holdfast::feed::kafka
