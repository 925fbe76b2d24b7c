// The end of a client at any moment: on the mock cluster inside librdkafka, which answers as late and as badly as it is told to.
#include "feed/kafka/client.h"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka_mock.h>
#include <spdlog/spdlog.h>

#include <array>
#include <memory>

namespace holdfast::feed::kafka {
namespace {

using std::chrono::milliseconds;

constexpr std::int32_t k_broker = 1;
constexpr int k_call_ms = 30'000;

class MockCluster {
 public:
  MockCluster() {
    std::array<char, 512> error{};
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), error.data(), error.size());
    if (client_ == nullptr) throw std::runtime_error(error.data());
    cluster_ = rd_kafka_mock_cluster_new(client_, 1);
    if (cluster_ == nullptr) throw std::runtime_error("librdkafka has no mock cluster");
  }
  ~MockCluster() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(client_);
  }
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  KafkaSettings settings() const { return {.brokers = rd_kafka_mock_cluster_bootstraps(cluster_)}; }
  void make_topic(const std::string& topic, int partitions) {
    ASSERT_EQ(rd_kafka_mock_topic_create(cluster_, topic.c_str(), partitions, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  // Delays each answer by this much.
  void delay(milliseconds time) {
    ASSERT_EQ(rd_kafka_mock_broker_set_rtt(cluster_, k_broker, static_cast<int>(time.count())), RD_KAFKA_RESP_ERR_NO_ERROR);
  }

 private:
  rd_kafka_t* client_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

TEST(KafkaClient, EndsAtOnceDespiteUnsentMessages) {
  auto cluster = std::make_unique<MockCluster>();
  cluster->make_topic("seats", 1);
  auto client = std::make_unique<Client>(Client::Kind::producer, cluster->settings(), std::vector<Client::Setting>{}, Client::Callbacks{});
  client->produce("seats", "a", "held", {}, milliseconds(k_call_ms));
  ASSERT_EQ(rd_kafka_flush(client->get(), k_call_ms), RD_KAFKA_RESP_ERR_NO_ERROR);
  cluster->delay(milliseconds(k_call_ms));
  for (int i = 0; i < 100; ++i) client->produce("seats", "a", "held", {}, milliseconds(k_call_ms));
  const auto began = std::chrono::steady_clock::now();
  client.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(k_call_ms / 2)) << "it has waited for an answer";
}

}   // namespace
}   // namespace holdfast::feed::kafka
