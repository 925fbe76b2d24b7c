#include "support/kafka.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace holdfast::test {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

detail::KafkaClient client(rd_kafka_type_t type, const Settings& settings) {
  std::array<char, 512> error{};
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      throw std::runtime_error(std::string("librdkafka: ") + error.data());
    }
  }
  rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});   // tests stop brokers on purpose
  rd_kafka_t* const created = rd_kafka_new(type, conf, error.data(), error.size());
  if (created == nullptr) {
    rd_kafka_conf_destroy(conf);
    throw std::runtime_error(std::string("librdkafka: ") + error.data());
  }
  return detail::KafkaClient(created);
}

void check(rd_kafka_resp_err_t error, const std::string& what) {
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(what + ": " + rd_kafka_err2str(error));
}

std::string text(const void* bytes, std::size_t size) { return bytes == nullptr ? "" : std::string(static_cast<const char*>(bytes), size); }

std::map<std::string, std::string> headers_of(const rd_kafka_message_t* message) {
  std::map<std::string, std::string> all;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return all;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    all[name] = text(value, size);
  }
  return all;
}

// Passing errors: the broker is away, a topic does not exist yet.
bool passes(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE: return true;
    default: return false;
  }
}

}  // namespace

void detail::KafkaEnd::operator()(rd_kafka_s* client) const { rd_kafka_destroy(client); }

KafkaReader::KafkaReader(const std::string& bootstrap, const std::vector<std::string>& topics, Isolation isolation)
    : client_(
          client(RD_KAFKA_CONSUMER, {{"bootstrap.servers", bootstrap},
                                     {"group.id", "reader-" + std::to_string(Clock::now().time_since_epoch().count())},   // a private group
                                     {"isolation.level", isolation == Isolation::read_committed ? "read_committed" : "read_uncommitted"},
                                     {"auto.offset.reset", "earliest"},
                                     {"enable.auto.commit", "false"},
                                     {"allow.auto.create.topics", "true"},
                                     {"topic.metadata.refresh.interval.ms", "500"},
                                     {"reconnect.backoff.max.ms", "500"}})) {
  rd_kafka_poll_set_consumer(client_.get());
  rd_kafka_topic_partition_list_t* const list = rd_kafka_topic_partition_list_new(static_cast<int>(topics.size()));
  for (const std::string& topic : topics) rd_kafka_topic_partition_list_add(list, topic.c_str(), RD_KAFKA_PARTITION_UA);
  const rd_kafka_resp_err_t error = rd_kafka_subscribe(client_.get(), list);
  rd_kafka_topic_partition_list_destroy(list);
  check(error, "subscribe");
}

KafkaReader::~KafkaReader() {
  // Closing waits for the broker, which may be away when a test ends. The group is private.
  rd_kafka_unsubscribe(client_.get());
  rd_kafka_destroy_flags(client_.release(), RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

bool KafkaReader::read_one(milliseconds wait) {
  const std::unique_ptr<rd_kafka_message_t, decltype(&rd_kafka_message_destroy)> message(
      rd_kafka_consumer_poll(client_.get(), static_cast<int>(wait.count())), &rd_kafka_message_destroy);
  if (message == nullptr) return false;
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (!passes(message->err)) check(message->err, "read");
    return false;
  }
  std::int64_t& next = next_[{rd_kafka_topic_name(message->rkt), message->partition}];
  if (message->offset < next) return true;
  next = message->offset + 1;
  messages_.push_back({.topic = rd_kafka_topic_name(message->rkt),
                       .partition = message->partition,
                       .offset = message->offset,
                       .key = text(message->key, message->key_len),
                       .value = text(message->payload, message->len),
                       .headers = headers_of(message.get())});
  return true;
}

bool KafkaReader::read_until(const std::function<bool()>& condition, milliseconds patience) {
  constexpr milliseconds k_look_every{20};
  const auto deadline = Clock::now() + patience;
  while (!condition()) {
    if (Clock::now() >= deadline) return false;
    read_one(k_look_every);
  }
  return true;
}

void KafkaReader::read_for(milliseconds quiet) {
  auto deadline = Clock::now() + quiet;
  while (Clock::now() < deadline) {
    if (read_one(milliseconds{20})) deadline = Clock::now() + quiet;
  }
}

std::vector<KafkaMessage> KafkaReader::of_topic(std::string_view topic) const {
  std::vector<KafkaMessage> found;
  std::ranges::copy_if(messages_, std::back_inserter(found), [&](const KafkaMessage& message) { return message.topic == topic; });
  return found;
}

namespace {

// The offsets up to which readers of this isolation level can read, by topic and partition.
std::map<std::pair<std::string, std::int32_t>, std::int64_t> ends_of(const std::string& bootstrap, const std::vector<std::string>& topics,
                                                                     const char* isolation) {
  constexpr int k_call_ms = 30'000;
  const detail::KafkaClient asking = client(RD_KAFKA_CONSUMER, {{"bootstrap.servers", bootstrap}, {"isolation.level", isolation}});
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> ends;
  for (const std::string& topic : topics) {
    const std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)> handle(
        rd_kafka_topic_new(asking.get(), topic.c_str(), nullptr), &rd_kafka_topic_destroy);
    const rd_kafka_metadata_t* raw = nullptr;
    check(rd_kafka_metadata(asking.get(), 0, handle.get(), &raw, k_call_ms), topic);
    const std::unique_ptr<const rd_kafka_metadata_t, decltype(&rd_kafka_metadata_destroy)> metadata(raw, &rd_kafka_metadata_destroy);
    for (std::int32_t partition = 0; partition < metadata->topics[0].partition_cnt; ++partition) {
      std::int64_t begin = 0;
      check(rd_kafka_query_watermark_offsets(asking.get(), topic.c_str(), partition, &begin, &ends[{topic, partition}], k_call_ms), topic);
    }
  }
  return ends;
}

}   // namespace

bool has_open_transaction(const std::string& bootstrap, const std::vector<std::string>& topics) {
  // In this order: a message written in between looks like an open transaction, and a commit in between does not hide one.
  const auto committed = ends_of(bootstrap, topics, "read_committed");
  const auto all = ends_of(bootstrap, topics, "read_uncommitted");
  return std::ranges::any_of(all, [&](const auto& end) {
    const auto at = committed.find(end.first);
    return at != committed.end() && at->second < end.second;
  });
}

KafkaWriter::KafkaWriter(const std::string& bootstrap)
    : client_(client(RD_KAFKA_PRODUCER,
                     {{"bootstrap.servers", bootstrap}, {"acks", "all"}, {"linger.ms", "0"}, {"message.max.bytes", "20000000"}})) {}

KafkaWriter::~KafkaWriter() = default;

void KafkaWriter::create_topic(const std::string& topic, const std::map<std::string, std::string>& settings) {
  std::array<char, 512> error{};
  std::unique_ptr<rd_kafka_NewTopic_t, decltype(&rd_kafka_NewTopic_destroy)> wanted(
      rd_kafka_NewTopic_new(topic.c_str(), 1, 1, error.data(), error.size()), &rd_kafka_NewTopic_destroy);
  if (wanted == nullptr) throw std::runtime_error("create " + topic + ": " + error.data());
  for (const auto& [name, value] : settings) check(rd_kafka_NewTopic_set_config(wanted.get(), name.c_str(), value.c_str()), name);
  const std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)> answers(rd_kafka_queue_new(client_.get()),
                                                                                     &rd_kafka_queue_destroy);
  rd_kafka_NewTopic_t* topics[] = {wanted.get()};
  rd_kafka_CreateTopics(client_.get(), topics, 1, nullptr, answers.get());
  const std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)> answer(
      rd_kafka_queue_poll(answers.get(), static_cast<int>(k_patience.count())), &rd_kafka_event_destroy);
  if (answer == nullptr) throw std::runtime_error("create " + topic + ": no answer");
  check(rd_kafka_event_error(answer.get()), "create " + topic);
  std::size_t count = 0;
  const rd_kafka_topic_result_t** results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer.get()), &count);
  for (std::size_t i = 0; i < count; ++i) check(rd_kafka_topic_result_error(results[i]), "create " + topic);
}

void KafkaWriter::write(const std::string& topic, std::string key, std::string value, const std::map<std::string, std::string>& headers) {
  produce(topic, std::move(key), std::move(value), headers);
  flush(topic);
}

void KafkaWriter::write_all(const std::string& topic, const std::string& key, const std::vector<std::string>& values) {
  for (const std::string& value : values) produce(topic, key, value, {});
  flush(topic);
}

void KafkaWriter::produce(const std::string& topic, std::string key, std::string value, const std::map<std::string, std::string>& headers) {
  std::vector<rd_kafka_vu_t> parts(4 + headers.size());
  parts[0].vtype = RD_KAFKA_VTYPE_TOPIC;
  parts[0].u.cstr = topic.c_str();
  parts[1].vtype = RD_KAFKA_VTYPE_KEY;
  parts[1].u.mem = {.ptr = key.data(), .size = key.size()};
  parts[2].vtype = RD_KAFKA_VTYPE_VALUE;
  parts[2].u.mem = {.ptr = value.data(), .size = value.size()};
  parts[3].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  parts[3].u.i = RD_KAFKA_MSG_F_COPY;
  std::size_t next = 4;
  for (const auto& [name, text] : headers) {
    parts[next].vtype = RD_KAFKA_VTYPE_HEADER;
    parts[next++].u.header = {.name = name.c_str(), .val = text.data(), .size = static_cast<ssize_t>(text.size())};
  }
  const std::unique_ptr<rd_kafka_error_t, decltype(&rd_kafka_error_destroy)> error(
      rd_kafka_produceva(client_.get(), parts.data(), parts.size()), &rd_kafka_error_destroy);
  if (error != nullptr) throw std::runtime_error(topic + ": " + rd_kafka_error_string(error.get()));
}

void KafkaWriter::flush(const std::string& topic) {
  check(rd_kafka_flush(client_.get(), static_cast<int>((6 * k_patience).count())), topic);
}

}   // namespace holdfast::test
