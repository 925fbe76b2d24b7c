// KafkaServer of services.h: Apache Kafka in a process, or the mock cluster of librdkafka in this one.
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <signal.h>

#include <array>
#include <iostream>
#include <stdexcept>

#include "support/services.h"

namespace holdfast::test {

void prepare_kafka();
bool has_kafka();

class KafkaServer::Real : public ServiceProcess {
 public:
  Real() : ServiceProcess("kafka", 2) { start_first(); }
  void stop() { end(SIGTERM); }

 private:
  bool is_ready() override { return log().contains("Kafka Server started"); }
};

class KafkaServer::Mock {
 public:
  Mock() {
    std::array<char, 512> error{};
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), error.data(), error.size());
    if (client_ == nullptr) throw std::runtime_error(std::string("librdkafka: ") + error.data());
    cluster_ = rd_kafka_mock_cluster_new(client_, 1);
    if (cluster_ == nullptr) throw std::runtime_error("librdkafka has no mock cluster");
  }
  ~Mock() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(client_);
  }
  Mock(const Mock&) = delete;
  Mock& operator=(const Mock&) = delete;

  void set_down() { check(rd_kafka_mock_broker_set_down(cluster_, k_broker)); }
  void set_up() { check(rd_kafka_mock_broker_set_up(cluster_, k_broker)); }
  std::string bootstrap() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }

 private:
  static constexpr std::int32_t k_broker = 1;

  static void check(rd_kafka_resp_err_t error) {
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(rd_kafka_err2str(error));
  }

  rd_kafka_t* client_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

KafkaServer::KafkaServer() {
  prepare_kafka();
  if (has_kafka()) {
    real_ = std::make_unique<Real>();
  } else {
    mock_ = std::make_unique<Mock>();
  }
  static const bool is_said = [this] {
    std::cout << "kafka: " << (is_real() ? "Apache Kafka, a real broker" : "the MOCK cluster of librdkafka, no real broker") << '\n';
    return true;
  }();
  static_cast<void>(is_said);
}

KafkaServer::~KafkaServer() = default;

bool KafkaServer::is_real() const { return real_ != nullptr; }

void KafkaServer::start() { is_real() ? real_->start() : mock_->set_up(); }

void KafkaServer::stop() { is_real() ? real_->stop() : mock_->set_down(); }

void KafkaServer::kill() { is_real() ? real_->kill() : mock_->set_down(); }

void KafkaServer::pause() { is_real() ? real_->pause() : mock_->set_down(); }

void KafkaServer::resume() { is_real() ? real_->resume() : mock_->set_up(); }

std::string KafkaServer::bootstrap() const { return is_real() ? "127.0.0.1:" + std::to_string(real_->port()) : mock_->bootstrap(); }

std::string KafkaServer::log() const { return is_real() ? real_->log() : ""; }

bool has_real_kafka() {
  prepare_kafka();
  return has_kafka();
}

std::string shared_kafka() {
  const std::string shared = shared_service("KAFKA");
  if (!shared.empty()) return shared;
  static KafkaServer own;
  return own.bootstrap();
}

}  // namespace holdfast::test
