// The end of a client, at whatever moment: on the mock cluster inside librdkafka, which answers as late and as badly as it is told to.
#include "feed/kafka/client.h"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka_mock.h>
#include <spdlog/spdlog.h>

#include <array>
#include <thread>

namespace holdfast::feed::kafka {
namespace {

using std::chrono::milliseconds;

constexpr std::int32_t k_broker = 1;
constexpr int k_produce_request = 0;   // ApiKey, as the protocol numbers it
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
  // Each answer comes so much later.
  void delay(milliseconds time) {
    ASSERT_EQ(rd_kafka_mock_broker_set_rtt(cluster_, k_broker, static_cast<int>(time.count())), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void fence_producers(std::size_t requests) {
    const std::vector<rd_kafka_resp_err_t> errors(requests, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
    rd_kafka_mock_push_request_errors_array(cluster_, k_produce_request, errors.size(), errors.data());
  }
  void forgive() { rd_kafka_mock_clear_request_errors(cluster_, k_produce_request); }

 private:
  rd_kafka_t* client_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

// librdkafka frees its text of the trouble before it ends its threads (client.cc). What it does to the heap then is seen for certain under
// AddressSanitizer, and otherwise ends the process now and then.
TEST(KafkaClient, ThatIsFencedWhileItsMessagesAreUnderWayEndsWithoutAnyOfThem) {
  constexpr int k_partitions = 20;
  MockCluster cluster;
  cluster.make_topic("seats", k_partitions);
  for (int round = 0; round < 10; ++round) {
    auto client = std::make_unique<Client>(
        Client::Kind::producer, cluster.settings(),
        std::vector<Client::Setting>{
            {"transactional.id", "relay-" + std::to_string(round)}, {"linger.ms", "0"}, {"max.in.flight.requests.per.connection", "5"}},
        Client::Callbacks{});
    ASSERT_EQ(owned(rd_kafka_init_transactions(client->get(), k_call_ms)), nullptr);
    ASSERT_EQ(owned(rd_kafka_begin_transaction(client->get())), nullptr);
    const auto send = [&](int messages) {
      for (int i = 0; i < messages; ++i) client->produce("seats", std::to_string(i), true, "held", {}, milliseconds(k_call_ms));
    };
    send(10 * k_partitions);
    ASSERT_EQ(rd_kafka_flush(client->get(), k_call_ms), RD_KAFKA_RESP_ERR_NO_ERROR);   // all partitions are of the transaction
    cluster.fence_producers(10 * k_partitions);
    // The answers come one after the other, as the questions did.
    cluster.delay(milliseconds(60));
    std::array<char, 1> ignored{};
    while (rd_kafka_fatal_error(client->get(), ignored.data(), ignored.size()) == RD_KAFKA_RESP_ERR_NO_ERROR) {
      try {
        send(5);
      } catch (const Trouble&) {
        break;   // fenced by now
      }
      std::this_thread::sleep_for(milliseconds(2));   // between two questions, so that there is some time between two answers
    }
    client.reset();
    cluster.delay(milliseconds(0));
    cluster.forgive();
  }
}

TEST(KafkaClient, ThatEndsWithMessagesThatNobodyTakesEndsAtOnce) {
  auto cluster = std::make_unique<MockCluster>();
  cluster->make_topic("seats", 1);
  auto client = std::make_unique<Client>(Client::Kind::producer, cluster->settings(), std::vector<Client::Setting>{}, Client::Callbacks{});
  client->produce("seats", "a", true, "held", {}, milliseconds(k_call_ms));
  ASSERT_EQ(rd_kafka_flush(client->get(), k_call_ms), RD_KAFKA_RESP_ERR_NO_ERROR);
  cluster->delay(milliseconds(k_call_ms));
  for (int i = 0; i < 100; ++i) client->produce("seats", "a", true, "held", {}, milliseconds(k_call_ms));
  const auto began = std::chrono::steady_clock::now();
  client.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(k_call_ms / 2)) << "it has waited for an answer";
}

}   // namespace
}   // namespace holdfast::feed::kafka
