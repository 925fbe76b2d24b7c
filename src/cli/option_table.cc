// What each option of `holdfast serve` is called, means and takes.
#include "cli/option_table.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>

#include "api/cors.h"
#include "feed/kafka/settings.h"
#include "feed/webhooks/webhooks.h"
#include "http/outgoing_client.h"
#include "ledger/ledger.h"

namespace holdfast::cli {
namespace {

using Kind = Takes::Kind;
using Number = std::uint64_t ServeOptions::*;
using Text = std::string ServeOptions::*;

constexpr std::uint64_t k_hour_ms = 3'600'000;

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string all;
  for (const std::string& each : words) all.append(all.empty() ? "" : between).append(each);
  return all;
}

Described number(const char* key, const char* help, Number member, std::uint64_t least, std::uint64_t most) {
  const auto set = [=](ServeOptions& options, const std::string& text) -> std::string {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
      return "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most);
    }
    options.*member = value;
    return {};
  };
  return {.key = key,
          .help = help,
          .set = set,
          .takes = {.kind = Kind::number, .least = least, .most = most},
          .standard = std::to_string(ServeOptions{}.*member)};
}

// A text, a file, a folder or a URL. What it names is read where it is used.
Described text(const char* key, const char* help, Text member, Kind kind, const char* otherwise, const char* example) {
  const auto set = [=](ServeOptions& options, const std::string& value) -> std::string {
    options.*member = value;
    return {};
  };
  return {.key = key,
          .help = help,
          .set = set,
          .takes = {.kind = kind},
          .standard = ServeOptions{}.*member,
          .otherwise = otherwise,
          .example = example};
}

Described word(const char* key, const char* help, Text member, const std::vector<std::string>& words) {
  const auto set = [=](ServeOptions& options, const std::string& value) -> std::string {
    if (std::ranges::find(words, value) == words.end()) return "must be one of " + joined(words, ", ");
    options.*member = value;
    return {};
  };
  return {.key = key, .help = help, .set = set, .takes = {.kind = Kind::word, .words = words}, .standard = ServeOptions{}.*member};
}

std::optional<bool> as_flag(const std::string& value) {
  if (value == "on" || value == "true") return true;
  if (value == "off" || value == "false") return false;
  return std::nullopt;
}

Described on_or_off(const char* key, const char* help, bool ServeOptions::* member) {
  const auto set = [=](ServeOptions& options, const std::string& value) -> std::string {
    const auto flag = as_flag(value);
    if (!flag) return "must be on or off";
    options.*member = *flag;
    return {};
  };
  return {.key = key, .help = help, .set = set, .takes = {.kind = Kind::flag}, .standard = ServeOptions{}.*member ? "on" : "off"};
}

std::string set_feed_url(ServeOptions& options, const std::string& value) {
  const auto brokers = feed::kafka::read_kafka_url(value);
  if (!brokers) return brokers.error();
  options.feed_url = value;
  return {};
}

// What is wrong is told without the value.
std::string set_feed_kafka(ServeOptions& options, const std::string& pairs) {
  std::istringstream list(pairs);
  for (std::string pair; std::getline(list, pair, k_between_pairs);) {
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) return "must be NAME=VALUE of librdkafka";
    const std::string name = pair.substr(0, equals);
    const std::string value = pair.substr(equals + 1);
    if (const std::string why = feed::kafka::why_refused(name, value); !why.empty()) return "has `" + name + "`, which " + why;
    options.feed_kafka[name] = value;
  }
  return {};
}

// A word that can stand in the name of a topic or a group.
std::string set_kafka_name(Text member, ServeOptions& options, const std::string& value) {
  constexpr std::size_t k_bytes_max = 200;
  const auto is_wrong = [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '_' && c != '-'; };
  if (value.size() > k_bytes_max || std::ranges::any_of(value, is_wrong)) {
    return "must have letters, digits, dots, dashes and underscores only, at most 200";
  }
  options.*member = value;
  return {};
}

std::string set_anonymous(ServeOptions& options, const std::string& value) {
  std::istringstream list(value);
  options.access_anonymous.clear();
  options.access_anonymous_is_set = true;
  for (std::string each; std::getline(list, each, ',');) {
    if (each != "contract1" && each != "contract2") return "must be a list of contract1 and contract2";
    options.access_anonymous.push_back(each);
  }
  return {};
}

std::string set_secure_cookie(ServeOptions& options, const std::string& value) {
  options.session_secure_cookie = as_flag(value);
  return options.session_secure_cookie ? "" : "must be on or off";
}

std::string set_origins(ServeOptions& options, const std::string& value) {
  std::istringstream list(value);
  options.cors_origins.clear();
  for (std::string each; std::getline(list, each, ',');) {
    if (!api::is_origin(each)) return "must be a list of origins, as https://shop.example: no path, no `*`, lower case";
    options.cors_origins.push_back(each);
  }
  return options.cors_origins.size() <= api::k_cors_origins_max ? "" : "must have at most 100 origins";
}

constexpr std::size_t k_trusted_proxies_max = 100;

std::string set_trusted_proxies(ServeOptions& options, const std::string& value) {
  std::istringstream list(value);
  options.http_trusted_proxies.clear();
  for (std::string each; std::getline(list, each, ',');) {
    const auto network = http::read_network(each);
    if (!network) return "must be a list of addresses and networks, as 10.0.0.0/8 or 2001:db8::1";
    options.http_trusted_proxies.push_back(*network);
  }
  return options.http_trusted_proxies.size() <= k_trusted_proxies_max ? "" : "must have at most 100 networks";
}

constexpr std::uint64_t k_rate_max = 1'000'000;

std::string set_sessions_per_minute(ServeOptions& options, const std::string& value) {
  std::uint64_t sessions = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), sessions);
  if (error != std::errc{} || end != value.data() + value.size() || sessions > k_rate_max)
    return "must be a whole number from 0 to 1000000";
  options.limits_sessions_per_minute_address = sessions;
  return {};
}

std::string set_allow_hosts(ServeOptions& options, const std::string& value) {
  std::istringstream list(value);
  options.webhooks_allow_hosts.clear();
  for (std::string each; std::getline(list, each, ',');) {
    const auto is_wrong = [](unsigned char c) { return c <= ' ' || c >= 0x7F || c == '/' || c == '@'; };
    if (each.empty() || std::ranges::any_of(each, is_wrong)) return "must be a list of hosts, each `host` or `host:port`";
    std::ranges::transform(each, each.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    options.webhooks_allow_hosts.push_back(each);
  }
  return {};
}

// 250ms, 5s, 1m, 2h; nothing for what is none, or not from 1 ms to 7 days.
std::optional<std::uint64_t> duration_ms(const std::string& text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  const std::string_view unit(at, static_cast<std::size_t>(end - at));
  const std::uint64_t factor = unit == "ms" ? 1 : unit == "s" ? 1'000 : unit == "m" ? 60'000 : unit == "h" ? k_hour_ms : 0;
  constexpr std::uint64_t k_most = 7 * 24 * k_hour_ms;
  if (error != std::errc{} || factor == 0 || value == 0 || value > k_most / factor) return std::nullopt;
  return value * factor;
}

std::string set_retry(ServeOptions& options, const std::string& value) {
  constexpr std::size_t k_retries_max = 32;
  std::istringstream list(value);
  options.webhooks_retry_ms.clear();
  for (std::string each; std::getline(list, each, ',');) {
    const auto pause = duration_ms(each);
    if (pause) options.webhooks_retry_ms.push_back(*pause);
    if (!pause || options.webhooks_retry_ms.size() > k_retries_max) return "must be a list of 1 to 32 pauses like 500ms, 5s, 1m, 2h";
  }
  return options.webhooks_retry_ms.empty() ? "must be a list of 1 to 32 pauses like 500ms, 5s, 1m, 2h" : "";
}

Described kafka_name(const char* key, const char* help, Text member, const char* otherwise, const char* example) {
  Described option = text(key, help, member, Kind::text, otherwise, example);
  option.set = [=](ServeOptions& options, const std::string& value) { return set_kafka_name(member, options, value); };
  return option;
}

// The pauses that webhooks have by themselves: 5s,1m,…
std::string standard_retry() {
  std::string list;
  for (const std::chrono::milliseconds pause : feed::WebhookOptions{}.retry) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(pause).count();
    const bool is_hours = seconds % 3'600 == 0, is_minutes = seconds % 60 == 0;
    list.append(list.empty() ? "" : ",").append(std::to_string(is_hours ? seconds / 3'600 : is_minutes ? seconds / 60 : seconds));
    list.append(is_hours ? "h" : is_minutes ? "m" : "s");
  }
  return list;
}

using O = ServeOptions;
using Options = std::vector<Described>;

void describe_server(Options& all) {
  all.push_back(text("data", "Folder of the ledger's files; created if missing", &O::data, Kind::folder,
                     "none; required unless ledger.url is set", "/var/lib/holdfast"));
  all.push_back(number("port", "TCP port; 0: any free one", &O::port, 0, 65'535));
  all.push_back(text("listen", "IPv4 or IPv6 address to listen on; beyond loopback it takes API keys, or access.anonymous", &O::listen,
                     Kind::text, "", ""));
  all.push_back(number("threads", "Threads that serve connections; 0: one for each processor but one", &O::threads, 0, 64));
  all.push_back(
      text("port_file", "File that gets the port number once the server listens", &O::port_file, Kind::file, "none", "/run/holdfast/port"));
  all.push_back(on_or_off("sweep", "Record expiries when they are due; a hold ends on time either way", &O::sweep));
  all.push_back(on_or_off("demo", "Visitors can buy what they hold without paying, to try Holdfast", &O::demo));
  all.push_back(word("log.format", "Form of log lines; auto: text on a terminal, else JSON", &O::log_format, {"auto", "text", "json"}));
  all.push_back(word("log.level", "Least important lines that are logged", &O::log_level, {"debug", "info", "warn", "error"}));
  all.push_back(text("log.file", "File to log into; opened again on SIGHUP", &O::log_file, Kind::file, "standard error",
                     "/var/log/holdfast/holdfast.log"));
}

void describe_http(Options& all) {
  all.push_back(number("http.header_bytes_max", "Bytes of a request's header", &O::http_header_bytes_max, 256, 65'536));
  all.push_back(number("http.body_bytes_max", "Bytes of a request's body, imports aside", &O::http_body_bytes_max, 256, 1u << 30));
  all.push_back(number("http.connections_max", "Connections at once", &O::http_connections_max, 1, 1'000'000));
  all.push_back(number("http.connections_per_address_max", "Connections of one client address (IPv6: /64) at once; 0: no limit",
                       &O::http_connections_per_address_max, 0, 1'000'000));
  all.push_back({.key = "http.trusted_proxies",
                 .help = "Addresses and networks of proxies whose X-Forwarded-For names the client, at most 100",
                 .set = set_trusted_proxies,
                 .takes = {.kind = Kind::list},
                 .otherwise = "none",
                 .example = "10.0.0.0/8"});
  all.push_back(on_or_off("http.proxy_protocol", "Trusted proxies begin each connection with the PROXY protocol (v1 or v2)",
                          &O::http_proxy_protocol));
  all.push_back(number("http.header_timeout_ms", "Milliseconds from a request's first byte to its header's end", &O::http_header_timeout_ms,
                       10, k_hour_ms));
  all.push_back(
      number("http.body_timeout_ms", "Milliseconds without a byte of the body arriving", &O::http_body_timeout_ms, 10, k_hour_ms));
  all.push_back(
      number("http.idle_timeout_ms", "Milliseconds between two requests of a connection", &O::http_idle_timeout_ms, 10, k_hour_ms));
  all.push_back(
      number("http.write_timeout_ms", "Milliseconds for a client that does not read its answer", &O::http_write_timeout_ms, 10, k_hour_ms));
  all.push_back(number("http.body_bytes_per_second_min",
                       "Bytes a second of a request's body on the average, after http.body_timeout_ms; 0: no limit",
                       &O::http_body_bytes_per_second_min, 0, 1u << 30));
  all.push_back(number("http.answer_bytes_per_second_min",
                       "Bytes a second of an answer that a client takes on the average, after http.write_timeout_ms; 0: no limit",
                       &O::http_answer_bytes_per_second_min, 0, 1u << 30));
  all.push_back(number("http.drain_timeout_ms", "Milliseconds for requests in flight when the server stops", &O::http_drain_timeout_ms, 1,
                       k_hour_ms));
  all.push_back(number("engine.queue_max", "Commands that may wait; one more is answered 503", &O::engine_queue_max, 1, 10'000'000));
}

void describe_ledger(Options& all) {
  // Its form is checked where it is used: it may hold a password, and problems are shown with the value.
  all.push_back(text("ledger.url", "PostgreSQL that many nodes share, instead of the folder `data`", &O::ledger_url, Kind::url,
                     "none: the folder `data` is the ledger", "postgresql://holdfast@db/holdfast"));
  all.back().alias = "ledger";
  all.push_back(word("ledger.projection", "PostgreSQL: the tables follow the journal, or are written in its transactions",
                     &O::ledger_projection, {"async", "sync"}));
  all.push_back(
      number("ledger.lanes", "PostgreSQL: threads that write, each for its share of the events", &O::ledger_lanes, 1, Ledger::k_lanes_max));
  all.push_back(number("ledger.connections_max", "PostgreSQL: connections of the ledger; at least 12 more than lanes",
                       &O::ledger_connections_max, 13, 1'000));
  all.push_back(
      number("ledger.events_in_memory_max", "PostgreSQL: events that a node keeps in memory", &O::ledger_events_in_memory_max, 1, 100'000));
  all.push_back(number("ledger.idempotency_keys_max", "Idempotency keys kept for 24 hours, with PostgreSQL of each event",
                       &O::ledger_idempotency_keys_max, 1, 1'000'000'000));
  all.push_back(number("ledger.ended_in_memory_max", "Ended reservations of an event kept in memory", &O::ledger_ended_in_memory_max, 0,
                       1'000'000'000));
  all.push_back(
      number("ledger.journal_retention_days", "Days that journal rows are kept; 0: forever", &O::ledger_journal_retention_days, 0, 36'500));
  all.push_back(number("ledger.state_lag_max_ms",
                       "Milliseconds that state.db may be behind the journal before sales are slowed; 0: no limit",
                       &O::ledger_state_lag_max_ms, 0, k_hour_ms));
  all.push_back(
      number("live.listeners_max", "Listeners of live seat maps; one more is answered 503", &O::live_listeners_max, 0, 1'000'000));
  all.push_back(number("live.comment_seconds", "Seconds between two comment lines to a listener", &O::live_comment_seconds, 1, 3'600));
}

void describe_access(Options& all) {
  all.push_back({.key = "access.anonymous",
                 .help = "Contracts that anybody who reaches the port may call without a key; an empty list: neither",
                 .set = set_anonymous,
                 .takes = {.kind = Kind::list, .words = {"contract1", "contract2"}},
                 .otherwise = "callers need a key beyond loopback",
                 .example = "contract1,contract2"});
  all.push_back(number("session.hours", "Hours that a visitor's session holds", &O::session_hours, 1, 24 * 365));
  all.push_back({.key = "session.secure_cookie",
                 .help = "Browsers send the session's cookie over HTTPS only",
                 .set = set_secure_cookie,
                 .takes = {.kind = Kind::flag},
                 .otherwise = "on beyond loopback, else off",
                 .example = "on"});
  all.push_back(number("limits.requests_per_second_key", "Requests a second with one key, twice as many at once; 0: no limit",
                       &O::limits_requests_per_second_key, 0, k_rate_max));
  all.push_back(number("limits.requests_per_second_customer", "Requests a second in one session, twice as many at once; 0: no limit",
                       &O::limits_requests_per_second_customer, 0, k_rate_max));
  all.push_back({.key = "limits.sessions_per_minute_address",
                 .help = "New sessions a minute for one client address, twice as many at once; 0: no limit",
                 .set = set_sessions_per_minute,
                 .takes = {.kind = Kind::number, .least = 0, .most = k_rate_max},
                 .otherwise = "60 beyond loopback, else no limit",
                 .example = "60"});
  all.push_back(number("limits.held_seats_visitor", "Seats of one event that a session may hold at once; 0: no limit",
                       &O::limits_held_seats_visitor, 0, 1'000'000));
  all.push_back({.key = "cors.origins",
                 .help = "Origins of pages that may call, at most 100",
                 .set = set_origins,
                 .takes = {.kind = Kind::list},
                 .otherwise = "none",
                 .example = "https://shop.example"});
}

void describe_webhooks(Options& all) {
  all.push_back({.key = "webhooks.allow_hosts",
                 .help = "Hosts (host or host:port) that webhooks may call though their addresses are not public",
                 .set = set_allow_hosts,
                 .takes = {.kind = Kind::list},
                 .otherwise = "none",
                 .example = "crm.internal:8080"});
  all.push_back({.key = "webhooks.retry",
                 .help = "Pauses between attempts, each with ms, s, m or h; after one more failure a message is dead",
                 .set = set_retry,
                 .takes = {.kind = Kind::list},
                 .standard = standard_retry()});
  all.push_back(number("webhooks.timeout_ms", "Milliseconds for one attempt, from resolving the name to the answer",
                       &O::webhooks_timeout_ms, 10, k_hour_ms));
  all.push_back(
      number("webhooks.queue_max", "Messages of an endpoint that wait for another attempt", &O::webhooks_queue_max, 1, 1'000'000));
  all.push_back(number("webhooks.dead_max", "Dead messages of an endpoint that are kept", &O::webhooks_dead_max, 1, 1'000'000));
  all.push_back(text("webhooks.ca_file", "Certificates (PEM) to trust beside the system's", &O::webhooks_ca_file, Kind::file, "none",
                     "/etc/holdfast/ca.pem"));
}

std::string set_otlp_url(ServeOptions& options, const std::string& value) {
  const auto url = http::parse_outgoing_url(value);
  if (!url) return url.error();
  options.tracing_otlp_url = value;
  return {};
}

void describe_tracing(Options& all) {
  all.push_back({.key = "tracing.otlp_url",
                 .help = "Collector that gets spans of requests whose traceparent is sampled (OTLP over HTTP, JSON)",
                 .set = set_otlp_url,
                 .takes = {.kind = Kind::url},
                 .otherwise = "none",
                 .example = "http://otel-collector:4318"});
  all.push_back(text("tracing.ca_file", "Certificates (PEM) of the collector to trust beside the system's", &O::tracing_ca_file, Kind::file,
                     "none", "/etc/holdfast/ca.pem"));
}

void describe_lock(Options& all) {
  // As with ledger.url, a password may be in it.
  all.push_back(text("lock.url", "Seat lock beside the ledger: redis://... or redis-sentinel://host:26379,host:26379/master", &O::lock_url,
                     Kind::url, "none", "redis://redis:6379"));
  all.back().alias = "lock";
  all.push_back(word("lock.on_failure", "While the seat lock is away, holds proceed without it, or are answered 503", &O::lock_on_failure,
                     {"proceed", "reject"}));
  all.push_back(number("lock.deadline_ms", "Milliseconds for one round trip to the seat lock", &O::lock_deadline_ms, 1, 10'000));
  all.push_back(
      number("lock.ttl_ms", "Milliseconds until a seat lock that was not released ends by itself", &O::lock_ttl_ms, 1'000, k_hour_ms));
  all.push_back(text("lock.password_file", "File whose first line is the password of the seat lock's server", &O::lock_password_file,
                     Kind::file, "none", "/etc/holdfast/redis-password"));
  all.back().variable = k_lock_password_variable;
}

void describe_feed(Options& all) {
  all.push_back({.key = "feed.url",
                 .help = "Kafka that changes are published to",
                 .set = set_feed_url,
                 .takes = {.kind = Kind::url},
                 .otherwise = "none",
                 .example = "kafka://kafka-1:9092,kafka-2:9092",
                 .alias = "feed"});
  all.push_back({.key = "feed.kafka",
                 .help = "A setting of librdkafka; may be repeated. Secrets belong in the file",
                 .set = set_feed_kafka,
                 .takes = {.kind = Kind::pairs},
                 .otherwise = "none",
                 .example = "security.protocol=SASL_SSL"});
  all.push_back(kafka_name("feed.topic_prefix", "What the name of every topic begins with", &O::feed_topic_prefix, "nothing", "tickets."));
  all.push_back(kafka_name("feed.transactional_id", "Kafka's name for the publisher of this ledger's changes", &O::feed_transactional_id,
                           "holdfast-relay- and the ledger's own name", "holdfast-relay-tickets"));
  all.push_back(on_or_off("feed.ticket_locks", "Publish reservations without a customer too", &O::feed_ticket_locks));
  all.push_back(on_or_off("feed.all_seat_ids", "Publish seats whose id is not a UUID too", &O::feed_all_seat_ids));
  all.push_back(on_or_off("feed.returned", "Publish returned seats, on reservation-returned", &O::feed_returned));
  all.push_back(on_or_off("feed.releases_as_expired", "Publish released seats on reservation-expired too", &O::feed_releases_as_expired));
  all.push_back(on_or_off("feed.payments", "Consume payment-succeeded and payment-failed", &O::feed_payments));
  all.push_back(kafka_name("feed.payments_group", "Consumer group of payments", &O::feed_payments_group, "", ""));
  all.push_back(on_or_off("feed.seats", "Import events from seats-generated", &O::feed_seats));
  all.push_back(
      kafka_name("feed.seats_group", "Consumer group whose offsets say how far seats were imported", &O::feed_seats_group, "", ""));
}

}   // namespace

std::string Takes::name() const {
  switch (kind) {
    case Kind::number: return "N";
    case Kind::flag: return "on|off";
    case Kind::word: return joined(words, "|");
    case Kind::text: return "TEXT";
    case Kind::list: return "LIST";
    case Kind::file: return "FILE";
    case Kind::folder: return "FOLDER";
    case Kind::url: return "URL";
    case Kind::pairs: return "NAME=VALUE";
  }
  return {};
}

std::string Described::default_text() const { return standard.empty() ? "default: " + otherwise : "default " + standard; }

const std::vector<Described>& described() {
  static const Options all = [] {
    Options options;
    for (const auto describe : {describe_server, describe_http, describe_ledger, describe_access, describe_webhooks, describe_tracing,
                                describe_lock, describe_feed}) {
      describe(options);
    }
    return options;
  }();
  return all;
}

std::string flag_of(std::string key) {
  std::ranges::replace(key, '_', '-');
  std::ranges::replace(key, '.', '-');
  return "--" + key;
}

std::string variable_of(std::string key) {
  std::ranges::replace(key, '.', '_');
  std::ranges::transform(key, key.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return "HOLDFAST_" + key;
}

}   // namespace holdfast::cli
