// Kafka's address and the client's settings: the URL of --feed, and settings that are passed to librdkafka. Pure; any thread.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <string_view>

namespace holdfast::feed::kafka {

struct KafkaSettings {
  std::string brokers{};                          // host:port,host:port
  std::map<std::string, std::string> more{};      // of librdkafka: security.protocol, sasl.…, ssl.…, compression.type, …
};

// The brokers of kafka://host1:9092,host2:9092, or an error text.
std::expected<std::string, std::string> read_kafka_url(std::string_view url);

// Why a setting is not passed to librdkafka, as the end of a sentence about it; empty if it is. Never contains the value, which may be a secret.
std::string why_refused(const std::string& name, const std::string& value);

}   // namespace holdfast::feed::kafka
