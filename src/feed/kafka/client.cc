#include "feed/kafka/client.h"

#include <spdlog/spdlog.h>

#include <array>

namespace holdfast::feed::kafka {

Trouble::Kind kind_of(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH: return Trouble::Kind::fenced;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR__SSL: return Trouble::Kind::refused;
    default: return Trouble::Kind::away;
  }
}

bool is_refusal(const std::exception& error) {
  const auto* const trouble = dynamic_cast<const Trouble*>(&error);
  return trouble != nullptr && trouble->kind() == Trouble::Kind::refused;
}

Trouble trouble_of(std::string_view doing, rd_kafka_resp_err_t error) {
  return {kind_of(error), std::string(doing) + ": " + rd_kafka_err2str(error) + " (" + rd_kafka_err2name(error) + ")"};
}

Trouble trouble_of(std::string_view doing, const rd_kafka_error_t* error) {
  return {kind_of(rd_kafka_error_code(error)),
          std::string(doing) + ": " + rd_kafka_error_string(error) + " (" + rd_kafka_error_name(error) + ")"};
}

PartitionList new_list(std::size_t room) {
  return {rd_kafka_topic_partition_list_new(static_cast<int>(room)), &rd_kafka_topic_partition_list_destroy};
}

Client::Client(Kind kind, const KafkaSettings& settings, const std::vector<Setting>& ours, Callbacks callbacks)
    : callbacks_(std::move(callbacks)) {
  std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> conf(rd_kafka_conf_new(), &rd_kafka_conf_destroy);
  std::array<char, 512> error{};
  const auto set = [&](const std::string& name, const std::string& value) {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), error.data(), error.size()) == RD_KAFKA_CONF_OK) return;
    throw Trouble(Trouble::Kind::refused, "librdkafka refuses the setting " + name);   // its own text may contain the value
  };
  set("client.id", "holdfast");
  for (const auto& [name, value] : settings.more) set(name, value);
  for (const auto& [name, value] : ours) set(name, value);
  set("bootstrap.servers", settings.brokers);
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_log_cb(conf.get(), &Client::on_log);
  rd_kafka_conf_set_error_cb(conf.get(), &Client::on_error);
  if (callbacks_.delivered) rd_kafka_conf_set_dr_msg_cb(conf.get(), &Client::on_delivery);
  if (callbacks_.rebalanced) rd_kafka_conf_set_rebalance_cb(conf.get(), &Client::on_rebalance);
  handle_ = rd_kafka_new(kind == Kind::producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf.get(), error.data(), error.size());
  if (handle_ == nullptr) throw Trouble(Trouble::Kind::refused, std::string("librdkafka does not begin: ") + error.data());
  static_cast<void>(conf.release());   // the handle owns it now
}

// A consumer's owner makes it leave its group before this, where it can wait. Messages that a producer has not sent yet are
// dropped.
Client::~Client() {
  // librdkafka 2.0.2 frees the state of transactions, rd_kafka_txns_term(), before it ends its brokers' threads. If a produce
  // request is answered "fenced" in between, such a thread frees the last error text a second time and locks a destroyed mutex.
  // The process then ends with `double free or corruption`. So no request may be in flight by then.
  if (rd_kafka_type(handle_) == RD_KAFKA_PRODUCER) rd_kafka_purge(handle_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_destroy_flags(handle_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

std::string Client::take_trouble() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(trouble_, {});
}

void Client::produce(const std::string& topic, std::optional<std::string_view> key, std::optional<std::string_view> value,
                     const std::vector<Header>& headers, std::chrono::milliseconds patience) {
  std::vector<rd_kafka_vu_t> parts;
  parts.reserve(4 + headers.size());
  const auto part = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    rd_kafka_vu_t& made = parts.emplace_back();
    made.vtype = type;
    return made;
  };
  // librdkafka only copies these bytes (MSG_F_COPY), but its type for them is not const.
  const auto memory = [](std::string_view bytes) { return const_cast<char*>(bytes.data()); };
  part(RD_KAFKA_VTYPE_TOPIC).u.cstr = topic.c_str();
  part(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
  if (key) part(RD_KAFKA_VTYPE_KEY).u.mem = {.ptr = memory(*key), .size = key->size()};
  if (value) part(RD_KAFKA_VTYPE_VALUE).u.mem = {.ptr = memory(*value), .size = value->size()};
  for (const auto& [name, text] : headers) {
    part(RD_KAFKA_VTYPE_HEADER).u.header = {.name = name.c_str(), .val = text.data(), .size = static_cast<ssize_t>(text.size())};
  }
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const Error error = owned(rd_kafka_produceva(handle_, parts.data(), parts.size()));
    if (error == nullptr) return;
    const bool is_full = rd_kafka_error_code(error.get()) == RD_KAFKA_RESP_ERR__QUEUE_FULL;
    if (!is_full || std::chrono::steady_clock::now() >= deadline) throw trouble_of("sending to " + topic, error.get());
    poll(std::chrono::milliseconds(50));   // deliveries make room
  }
}

PartitionCount partitions_of(Client& client, const std::string& topic, std::chrono::milliseconds patience) {
  const std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)> handle(
      rd_kafka_topic_new(client.get(), topic.c_str(), nullptr), &rd_kafka_topic_destroy);
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_resp_err_t error = rd_kafka_metadata(client.get(), 0, handle.get(), &metadata, static_cast<int>(patience.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(error);
  error = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
  const std::int32_t partitions = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
  rd_kafka_metadata_destroy(metadata);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(error);
  return partitions;
}

PartitionCount await_topic(Client& client, const std::string& topic, std::chrono::steady_clock::time_point deadline,
                           const std::function<void(rd_kafka_resp_err_t)>& wait) {
  for (;;) {
    const PartitionCount partitions = partitions_of(client, topic, k_question);
    if (partitions || std::chrono::steady_clock::now() >= deadline) return partitions;
    wait(partitions.error());
  }
}

std::vector<Client::Setting> consumer_settings(const std::string& group) {
  return {{"group.id", group},
          {"enable.auto.commit", "false"},
          {"enable.auto.offset.store", "false"},
          {"auto.offset.reset", "earliest"},
          {"isolation.level", "read_committed"},
          {"enable.partition.eof", "true"}};
}

Polled poll_consumer(Client& client, std::chrono::milliseconds patience) {
  return {rd_kafka_consumer_poll(client.get(), static_cast<int>(patience.count())), &rd_kafka_message_destroy};
}

void Client::on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text) {
  constexpr int k_warning = 4;   // syslog's levels
  constexpr int k_info = 6;
  // librdkafka logs an unreachable broker as an error, again and again, and reconnects by itself.
  const auto as = level <= k_warning ? spdlog::level::warn : level <= k_info ? spdlog::level::info : spdlog::level::debug;
  spdlog::log(as, "kafka: {}: {}: {}", rd_kafka_name(handle), facility, text);
}

void Client::on_error(rd_kafka_t* handle, int error, const char* reason, void* self) {
  auto& client = *static_cast<Client*>(self);
  const std::scoped_lock lock(client.mutex_);
  client.trouble_ = std::string(reason) + " (" + rd_kafka_err2name(static_cast<rd_kafka_resp_err_t>(error)) + ")";
  spdlog::debug("kafka: {}: {}", rd_kafka_name(handle), client.trouble_);
}

void Client::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
  static_cast<Client*>(self)->callbacks_.delivered(*message);
}

void Client::on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* partitions, void* self) {
  static_cast<Client*>(self)->callbacks_.rebalanced(error, *partitions);
}

}   // namespace holdfast::feed::kafka
