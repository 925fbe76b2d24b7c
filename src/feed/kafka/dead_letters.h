// Messages as they came from Kafka, and the answers to them: dead letters, to <topic>.dead-letter with the reason, and other messages.
//
//   Teller teller(kafka_settings, k_payment_bytes_max);
//   if (!teller.tell([&] { teller.send_dead(received, "It is not JSON."); }, [&] { return stopping(); })) …it is stopping…
//
// For one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "feed/kafka/client.h"
#include "feed/kafka/messages.h"
#include "feed/kafka/settings.h"

namespace holdfast::feed::kafka {

inline constexpr std::size_t k_dead_letter_bytes_max = std::size_t{16} * 1024 * 1024;
inline constexpr std::size_t k_dead_letter_bytes_least = 1'024;   // every topic takes this much
inline constexpr std::size_t k_dead_at_once_max = 1'000;
inline constexpr std::size_t k_dead_bytes_at_once_max = std::size_t{8} * 1024 * 1024;

struct Received {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp = -1;   // the broker's or the producer's, in milliseconds; -1: none
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<Header> headers;

  std::size_t header_bytes() const;
  std::size_t bytes() const { return (key ? key->size() : 0) + (value ? value->size() : 0) + header_bytes(); }
};

Received received(const rd_kafka_message_t& message);

// The dead letter of a message.
struct DeadLetter {
  std::string topic{};
  std::optional<std::string> key{};
  std::optional<std::string> value{};
  std::vector<Header> headers{};   // the message's, then the reason, its place, and what was cut
};

// Has at most `bytes_max` bytes of the message's value, and half as many of its key and headers together. A longer value is cut; a longer key and
// headers are left out.
DeadLetter dead_letter_of(const Received& message, const std::string& why, std::size_t bytes_max);

// A message that becomes a dead letter, and why.
struct Dead {
  Received message;
  std::string why;
};

// How many of the first of these are sent together, so that each is sent in time: at least one, however large it is.
std::size_t count_at_once(const std::deque<Dead>& dead);

class Teller {
 public:
  // `bytes_whole`: the first length to which a dead letter is cut if its topic does not take all of it.
  Teller(const KafkaSettings& settings, std::size_t bytes_whole);

  Client& client() { return client_; }
  // Calls `fill`, which sends messages, and returns when Kafka has all of them. If one is too large for its topic, `fill` is called again, at most
  // twice, and dead letters are cut: to `bytes_whole`, then to k_dead_letter_bytes_least. False: `stopping` became true first, and it is not known
  // which messages Kafka has. Throws Trouble.
  bool tell(const std::function<void()>& fill, const std::function<bool()>& stopping);
  // For `fill`. Both throw Trouble.
  void send(const std::string& topic, const std::optional<std::string>& key, const std::optional<std::string>& value,
            const std::vector<Header>& headers);
  void send_dead(const Received& message, const std::string& why);

 private:
  std::size_t bytes_whole_;
  std::size_t bytes_max_ = k_dead_letter_bytes_max;
  std::size_t undelivered_ = 0;   // messages that Kafka has not acknowledged
  rd_kafka_resp_err_t refused_ = RD_KAFKA_RESP_ERR_NO_ERROR;   // why the last of these was not delivered
  Client client_;
};

}   // namespace holdfast::feed::kafka
