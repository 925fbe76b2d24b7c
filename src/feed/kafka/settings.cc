#include "feed/kafka/settings.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <memory>

#include "core/decimal.h"

namespace holdfast::feed::kafka {
namespace {

constexpr std::size_t k_brokers_max = 100;
constexpr std::size_t k_host_bytes_max = 253;

// Holdfast's guarantees of order, of publishing once and of losing nothing depend on these, or an option of Holdfast sets them.
constexpr std::string_view k_ours[] = {"bootstrap.servers",
                                       "metadata.broker.list",
                                       "enable.idempotence",
                                       "acks",
                                       "request.required.acks",
                                       "transactional.id",
                                       "partitioner",
                                       "max.in.flight",
                                       "max.in.flight.requests.per.connection",
                                       "message.send.max.retries",
                                       "retries",
                                       "enable.gapless.guarantee",
                                       "group.id",
                                       "group.instance.id",
                                       "enable.auto.commit",
                                       "auto.commit.enable",
                                       "enable.auto.offset.store",
                                       "auto.offset.reset",
                                       "isolation.level",
                                       "enable.partition.eof",
                                       "partition.assignment.strategy",
                                       "offset.store.method"};

bool is_host_and_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon > k_host_bytes_max) return false;
  const auto is_wrong = [](unsigned char c) { return c <= ' ' || c >= 0x7F || c == '/' || c == '@' || c == '?' || c == '#' || c == ','; };
  if (std::ranges::any_of(text, is_wrong)) return false;
  return parse_decimal<std::uint16_t>(text.substr(colon + 1)).value_or(0) > 0;
}

}  // namespace

std::expected<std::string, std::string> read_kafka_url(std::string_view url) {
  constexpr std::string_view k_scheme = "kafka://";
  const std::string wrong = "must be kafka://HOST:PORT, with more brokers after commas. Credentials and TLS are settings in [feed.kafka]";
  if (!url.starts_with(k_scheme)) return std::unexpected(wrong);
  std::string_view left = url.substr(k_scheme.size());
  if (left.ends_with('/')) left.remove_suffix(1);
  std::string brokers(left);
  for (std::size_t count = 0;; ++count) {
    const std::size_t comma = left.find(',');
    if (count == k_brokers_max || !is_host_and_port(left.substr(0, comma))) return std::unexpected(wrong);
    if (comma == std::string_view::npos) return brokers;
    left.remove_prefix(comma + 1);
  }
}

std::string why_refused(const std::string& name, const std::string& value) {
  if (std::ranges::find(k_ours, name) != std::end(k_ours))
    return "is Holdfast's own to set, because its guarantees of order and delivery depend on it";
  const std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> trial(rd_kafka_conf_new(), &rd_kafka_conf_destroy);
  std::array<char, 512> ignored{};   // may contain the value
  switch (rd_kafka_conf_set(trial.get(), name.c_str(), value.c_str(), ignored.data(), ignored.size())) {
    case RD_KAFKA_CONF_OK: return {};
    case RD_KAFKA_CONF_UNKNOWN: return "is not a setting of librdkafka";
    default: return "has a value that librdkafka refuses";
  }
}

}  // namespace holdfast::feed::kafka
