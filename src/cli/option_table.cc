// The table begins at server_rows(). Above it are the functions that read a value, and those that make one row.
#include "cli/option_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>
#include <optional>
#include <sstream>

#include "api/cors.h"
#include "feed/kafka/settings.h"
#include "feed/webhooks/webhooks.h"
#include "http/outgoing_client.h"
#include "ledger/ledger.h"

namespace holdfast::cli {
namespace {

using O = ServeOptions;
using Kind = Takes::Kind;
using Options = std::vector<Described>;
using Set = std::function<std::string(ServeOptions&, const std::string&)>;   // as Described::set
using Number = std::uint64_t O::*;
using Text = std::string O::*;

constexpr std::uint64_t k_hour_ms = 3'600'000;
constexpr std::uint64_t k_rate_max = 1'000'000;
constexpr std::uint64_t k_bytes_per_second_max = 1u << 30;
constexpr const char* k_none = "none";

// ---- How a value is read.

// `member` is a number, or an optional one.
template <typename Member>
Set set_number(Member member, std::uint64_t least, std::uint64_t most) {
  return [=](ServeOptions& options, const std::string& text) -> std::string {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
      return "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most);
    }
    options.*member = value;
    return {};
  };
}

// `member` is a bool, or an optional one.
template <typename Member>
Set set_flag(Member member) {
  return [=](ServeOptions& options, const std::string& value) -> std::string {
    const bool is_on = value == "on" || value == "true";
    if (!is_on && value != "off" && value != "false") return "must be on or off";
    options.*member = is_on;
    return {};
  };
}

Set set_text(Text member) {
  return [=](ServeOptions& options, const std::string& value) -> std::string {
    options.*member = value;
    return {};
  };
}

// A text that `parse` accepts; an error of `parse` is a sentence without its subject.
template <typename Parse>
Set set_parsed(Text member, Parse parse) {
  return [=](ServeOptions& options, const std::string& value) -> std::string {
    if (const auto parsed = parse(value); !parsed) return parsed.error();
    options.*member = value;
    return {};
  };
}

// How many items a list may have.
struct Count {
  std::size_t least = 0;
  std::size_t most = std::numeric_limits<std::size_t>::max();
};

// Items between commas. `read` makes a value of an item, or nothing of an invalid one; `wanted` says what the list must be.
template <typename Value, typename Read>
Set set_list(std::vector<Value> O::* member, const std::string& wanted, Read read, Count count = {}) {
  return [=](ServeOptions& options, const std::string& list) -> std::string {
    std::vector<Value> values;
    std::istringstream items(list);
    for (std::string item; std::getline(items, item, ',');) {
      std::optional<Value> value = read(item);
      if (!value || values.size() == count.most) return "must be a list of " + wanted;
      values.push_back(*std::move(value));
    }
    if (values.size() < count.least) return "must be a list of " + wanted;
    options.*member = std::move(values);
    return {};
  };
}

std::optional<std::string> read_contract(const std::string& name) {
  return name == "contract1" || name == "contract2" ? std::optional(name) : std::nullopt;
}

std::optional<std::string> read_origin(const std::string& origin) { return api::is_origin(origin) ? std::optional(origin) : std::nullopt; }

// In lower case.
std::optional<std::string> read_host(std::string host) {
  const auto is_wrong = [](unsigned char c) { return c <= ' ' || c >= 0x7F || c == '/' || c == '@'; };
  if (host.empty() || std::ranges::any_of(host, is_wrong)) return std::nullopt;
  std::ranges::transform(host, host.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return host;
}

// 250ms, 5s, 1m, 2h in milliseconds, from 1 ms to 7 days.
std::optional<std::uint64_t> read_duration_ms(const std::string& text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  const std::string_view unit(at, static_cast<std::size_t>(end - at));
  const std::uint64_t factor = unit == "ms" ? 1 : unit == "s" ? 1'000 : unit == "m" ? 60'000 : unit == "h" ? k_hour_ms : 0;
  constexpr std::uint64_t k_most = 7 * 24 * k_hour_ms;
  if (error != std::errc{} || factor == 0 || value == 0 || value > k_most / factor) return std::nullopt;
  return value * factor;
}

std::string set_anonymous(ServeOptions& options, const std::string& value) {
  options.access_anonymous_is_set = true;
  return set_list(&O::access_anonymous, "contract1 and contract2", read_contract)(options, value);
}

// Errors do not repeat the value, which may be a secret.
std::string set_feed_kafka(ServeOptions& options, const std::string& pairs) {
  std::istringstream list(pairs);
  for (std::string pair; std::getline(list, pair, k_between_pairs);) {
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) return "must be NAME=VALUE, a setting of librdkafka";
    const std::string name = pair.substr(0, equals);
    const std::string value = pair.substr(equals + 1);
    if (const std::string why = feed::kafka::why_refused(name, value); !why.empty()) return fmt::format("has `{}`, which {}", name, why);
    options.feed_kafka[name] = value;
  }
  return {};
}

// ---- The kinds of options. An empty `otherwise` means that the option has a default.

Described number(const char* key, const char* help, Number member, std::uint64_t least, std::uint64_t most) {
  return {.key = key,
          .help = help,
          .set = set_number(member, least, most),
          .takes = {.kind = Kind::number, .least = least, .most = most},
          .standard = std::to_string(ServeOptions{}.*member)};
}

Described timeout_ms(const char* key, const char* help, Number member) { return number(key, help, member, 10, k_hour_ms); }

Described word(const char* key, const char* help, Text member, const std::vector<std::string>& words) {
  const auto set = [=](ServeOptions& options, const std::string& value) -> std::string {
    if (std::ranges::find(words, value) == words.end()) return "must be one of " + joined(words, ", ");
    options.*member = value;
    return {};
  };
  return {.key = key, .help = help, .set = set, .takes = {.kind = Kind::word, .words = words}, .standard = ServeOptions{}.*member};
}

Described on_or_off(const char* key, const char* help, bool O::* member) {
  return {
      .key = key, .help = help, .set = set_flag(member), .takes = {.kind = Kind::flag}, .standard = ServeOptions{}.*member ? "on" : "off"};
}

// The value is checked where it is used.
Described text(const char* key, const char* help, Text member, Kind kind, const char* otherwise = "", const char* example = "") {
  return {.key = key,
          .help = help,
          .set = set_text(member),
          .takes = {.kind = kind},
          .standard = ServeOptions{}.*member,
          .otherwise = otherwise,
          .example = example};
}

Described file(const char* key, const char* help, Text member, const char* example) {
  return text(key, help, member, Kind::file, k_none, example);
}

// A word that can be part of the name of a topic or a group.
Described kafka_name(const char* key, const char* help, Text member, const char* otherwise = "", const char* example = "") {
  Described option = text(key, help, member, Kind::text, otherwise, example);
  option.set = [=](ServeOptions& options, const std::string& value) -> std::string {
    constexpr std::size_t k_bytes_max = 200;
    const auto is_wrong = [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '_' && c != '-'; };
    if (value.size() > k_bytes_max || std::ranges::any_of(value, is_wrong)) {
      return "must have at most 200 letters, digits, dots, dashes and underscores";
    }
    options.*member = value;
    return {};
  };
  return option;
}

// An option without a default, of a kind that the functions above do not make.
Described without_default(const char* key, const char* help, Set set, Takes takes, const char* otherwise, const char* example) {
  return {.key = key, .help = help, .set = std::move(set), .takes = std::move(takes), .otherwise = otherwise, .example = example};
}

Described list(const char* key, const char* help, Set set, const char* example) {
  return without_default(key, help, std::move(set), {.kind = Kind::list}, k_none, example);
}

Described with_alias(Described option, const char* alias) {
  option.alias = alias;
  return option;
}

// The pauses of feed::WebhookOptions: 5s,1m,…
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

// ---- The table, by subject.

Options server_rows() {
  return {text("data", "Folder of the ledger's files; created if missing", &O::data, Kind::folder,
               "none; required unless ledger.url is set", "/var/lib/holdfast"),
          number("port", "TCP port; 0: any free port", &O::port, 0, 65'535),
          text("listen", "IPv4 or IPv6 address to listen on; beyond loopback, API keys or access.anonymous are required", &O::listen,
               Kind::text),
          number("threads", "Threads that serve connections; 0: one fewer than processors", &O::threads, 0, 64),
          file("port_file", "File that receives the port number once the server listens", &O::port_file, "/run/holdfast/port"),
          on_or_off("sweep", "Record expiries when they are due; holds end on time either way", &O::sweep),
          on_or_off("demo", "Let visitors buy the seats that they hold without paying, to try Holdfast", &O::demo),
          word("log.format", "Format of log lines; auto: text on a terminal, otherwise JSON", &O::log_format, {"auto", "text", "json"}),
          word("log.level", "Lowest level that is logged", &O::log_level, {"debug", "info", "warn", "error"}),
          text("log.file", "Log file; reopened on SIGHUP", &O::log_file, Kind::file, "standard error", "/var/log/holdfast/holdfast.log")};
}

Options http_rows() {
  return {
      number("http.header_bytes_max", "Largest header of a request, in bytes", &O::http_header_bytes_max, 256, 65'536),
      number("http.body_bytes_max", "Largest body of a request, in bytes; imports are exempt", &O::http_body_bytes_max, 256, 1u << 30),
      number("http.connections_max", "Concurrent connections", &O::http_connections_max, 1, 1'000'000),
      number("http.connections_per_address_max", "Concurrent connections of one client address (IPv6: of a /64); 0: no limit",
             &O::http_connections_per_address_max, 0, 1'000'000),
      list("http.trusted_proxies", "Addresses and networks of proxies whose X-Forwarded-For names the client; at most 100",
           set_list(&O::http_trusted_proxies, "addresses and networks, such as 10.0.0.0/8 or 2001:db8::1, at most 100", http::read_network,
                    {.most = 100}),
           "10.0.0.0/8"),
      on_or_off("http.proxy_protocol", "Trusted proxies begin each connection with a header of the PROXY protocol (v1 or v2)",
                &O::http_proxy_protocol),
      timeout_ms("http.header_timeout_ms", "Milliseconds from a request's first byte to the end of its header", &O::http_header_timeout_ms),
      timeout_ms("http.body_timeout_ms", "Milliseconds without a byte of the body arriving", &O::http_body_timeout_ms),
      timeout_ms("http.idle_timeout_ms", "Milliseconds between two requests of a connection", &O::http_idle_timeout_ms),
      timeout_ms("http.write_timeout_ms", "Milliseconds to wait for a client that does not read its answer", &O::http_write_timeout_ms),
      number("http.body_bytes_per_second_min",
             "Lowest average rate of a request's body, in bytes per second, after http.body_timeout_ms; 0: no limit",
             &O::http_body_bytes_per_second_min, 0, k_bytes_per_second_max),
      number("http.answer_bytes_per_second_min",
             "Lowest average rate at which a client reads an answer, in bytes per second, after http.write_timeout_ms; 0: no limit",
             &O::http_answer_bytes_per_second_min, 0, k_bytes_per_second_max),
      number("http.drain_timeout_ms", "Milliseconds for requests in flight when the server stops", &O::http_drain_timeout_ms, 1,
             k_hour_ms)};
}

Options ledger_rows() {
  // An error would show the value of ledger.url, which may contain a password. check_ledger_url() checks it instead.
  return {
      number("engine.queue_max", "Commands that may wait; one more is answered 503", &O::engine_queue_max, 1, 10'000'000),
      with_alias(text("ledger.url", "PostgreSQL database that several nodes share, instead of a data folder", &O::ledger_url, Kind::url,
                      "none: the folder `data` is the ledger", "postgresql://holdfast@db/holdfast"),
                 "ledger"),
      word("ledger.projection", "PostgreSQL: the tables follow the journal (async), or are written in its transactions (sync)",
           &O::ledger_projection, {"async", "sync"}),
      number("ledger.lanes", "PostgreSQL: threads that write, each for its share of the events", &O::ledger_lanes, 1, Ledger::k_lanes_max),
      number("ledger.connections_max", "PostgreSQL: connections of the ledger; at least 12 more than ledger.lanes",
             &O::ledger_connections_max, 13, 1'000),
      number("ledger.events_in_memory_max", "PostgreSQL: events that a node keeps in memory", &O::ledger_events_in_memory_max, 1, 100'000),
      number("ledger.idempotency_keys_max", "Idempotency keys, each kept for 24 hours; with PostgreSQL, per event",
             &O::ledger_idempotency_keys_max, 1, 1'000'000'000),
      number("ledger.ended_in_memory_max", "Ended reservations of an event that are kept in memory", &O::ledger_ended_in_memory_max, 0,
             1'000'000'000),
      word("ledger.journal",
           "Data folder: the journal's files, journal.db (sqlite) or journal/ (segments), to which journal.db is converted",
           &O::ledger_journal, {"sqlite", "segments"}),
      number("ledger.journal_retention_days", "Days that journal rows are kept; 0: forever", &O::ledger_journal_retention_days, 0, 36'500),
      number("ledger.state_lag_max_ms", "Milliseconds that state.db may be behind the journal before sales are slowed; 0: no limit",
             &O::ledger_state_lag_max_ms, 0, k_hour_ms)};
}

Options live_rows() {
  return {number("live.listeners_max", "Listeners of live seat maps; one more is answered 503", &O::live_listeners_max, 0, 1'000'000),
          number("live.comment_seconds", "Seconds between two comment lines to a listener", &O::live_comment_seconds, 1, 3'600)};
}

Options access_rows() {
  return {without_default("access.anonymous", "Contracts that anybody who reaches the port may call without a key; an empty list: neither",
                          set_anonymous, {.kind = Kind::list, .words = {"contract1", "contract2"}}, "callers need a key beyond loopback",
                          "contract1,contract2"),
          number("session.hours", "Hours that a visitor's session lasts", &O::session_hours, 1, 24 * 365),
          without_default("session.secure_cookie", "Browsers send the session's cookie over HTTPS only",
                          set_flag(&O::session_secure_cookie), {.kind = Kind::flag}, "on beyond loopback, otherwise off", "on"),
          number("limits.requests_per_second_key", "Requests per second with one key, twice as many in a burst; 0: no limit",
                 &O::limits_requests_per_second_key, 0, k_rate_max),
          number("limits.requests_per_second_customer", "Requests per second in one session, twice as many in a burst; 0: no limit",
                 &O::limits_requests_per_second_customer, 0, k_rate_max),
          without_default("limits.sessions_per_minute_address",
                          "New sessions per minute of one client address, twice as many in a burst; 0: no limit",
                          set_number(&O::limits_sessions_per_minute_address, 0, k_rate_max),
                          {.kind = Kind::number, .least = 0, .most = k_rate_max}, "60 beyond loopback, otherwise no limit", "60"),
          number("limits.held_seats_visitor", "Seats of one event that a session may hold at once; 0: no limit",
                 &O::limits_held_seats_visitor, 0, 1'000'000),
          list("cors.origins", "Origins of pages that may call the API; at most 100",
               set_list(&O::cors_origins, "origins in lower case, such as https://shop.example, without a path or `*`, at most 100",
                        read_origin, {.most = api::k_cors_origins_max}),
               "https://shop.example")};
}

Options webhook_rows() {
  Described retry =
      list("webhooks.retry", "Pauses between attempts, each with ms, s, m or h; after one more failure a message is dead",
           set_list(&O::webhooks_retry_ms, "1 to 32 pauses, such as 500ms, 5s, 1m or 2h", read_duration_ms, {.least = 1, .most = 32}), "");
  retry.standard = standard_retry();
  return {
      list("webhooks.allow_hosts", "Hosts (host or host:port) that webhooks may call even if their addresses are not public",
           set_list(&O::webhooks_allow_hosts, "hosts, each `host` or `host:port`", read_host), "crm.internal:8080"),
      std::move(retry),
      timeout_ms("webhooks.timeout_ms", "Milliseconds for one attempt, from name resolution to the answer", &O::webhooks_timeout_ms),
      number("webhooks.queue_max", "Messages of one webhook that may wait for a retry", &O::webhooks_queue_max, 1, 1'000'000),
      number("webhooks.dead_max", "Dead messages of one webhook that are kept", &O::webhooks_dead_max, 1, 1'000'000),
      file("webhooks.ca_file", "Certificates (PEM) to trust in addition to the system's", &O::webhooks_ca_file, "/etc/holdfast/ca.pem")};
}

Options tracing_rows() {
  return {without_default("tracing.otlp_url", "Collector of spans for requests whose traceparent is sampled (OTLP over HTTP, JSON)",
                          set_parsed(&O::tracing_otlp_url, http::parse_outgoing_url), {.kind = Kind::url}, k_none,
                          "http://otel-collector:4318"),
          file("tracing.ca_file", "Certificates (PEM) of the collector to trust in addition to the system's", &O::tracing_ca_file,
               "/etc/holdfast/ca.pem")};
}

Options lock_rows() {
  Described password = file("lock.password_file", "File whose first line is the password of the seat lock's server", &O::lock_password_file,
                            "/etc/holdfast/redis-password");
  password.variable = k_lock_password_variable;
  // lock.url may contain a password, as ledger.url may.
  return {with_alias(text("lock.url", "Seat lock beside the ledger: redis://... or redis-sentinel://host:26379,host:26379/master",
                          &O::lock_url, Kind::url, k_none, "redis://redis:6379"),
                     "lock"),
          word("lock.on_failure", "While the seat lock is away, holds proceed without it, or are rejected with 503", &O::lock_on_failure,
               {"proceed", "reject"}),
          number("lock.deadline_ms", "Milliseconds for one round trip to the seat lock", &O::lock_deadline_ms, 1, 10'000),
          number("lock.ttl_ms", "Milliseconds until a seat lock that was not released expires", &O::lock_ttl_ms, 1'000, k_hour_ms),
          std::move(password)};
}

Options feed_rows() {
  return {
      with_alias(without_default("feed.url", "Kafka brokers to publish changes to", set_parsed(&O::feed_url, feed::kafka::read_kafka_url),
                                 {.kind = Kind::url}, k_none, "kafka://kafka-1:9092,kafka-2:9092"),
                 "feed"),
      without_default("feed.kafka", "A setting of librdkafka; may be repeated. Put secrets into the file", set_feed_kafka,
                      {.kind = Kind::pairs}, k_none, "security.protocol=SASL_SSL"),
      kafka_name("feed.topic_prefix", "Prefix of the name of every topic", &O::feed_topic_prefix, k_none, "tickets."),
      kafka_name("feed.transactional_id", "Kafka's transactional id for the publisher of this ledger's changes", &O::feed_transactional_id,
                 "holdfast-relay- and the ledger's own name", "holdfast-relay-tickets"),
      on_or_off("feed.ticket_locks", "Also publish reservations without a customer", &O::feed_ticket_locks),
      on_or_off("feed.all_seat_ids", "Also publish seats whose id is not a UUID", &O::feed_all_seat_ids),
      on_or_off("feed.returned", "Publish returned seats, on reservation-returned", &O::feed_returned),
      on_or_off("feed.releases_as_expired", "Also publish released seats on reservation-expired", &O::feed_releases_as_expired),
      on_or_off("feed.payments", "Consume payment-succeeded and payment-failed", &O::feed_payments),
      kafka_name("feed.payments_group", "Consumer group of payments", &O::feed_payments_group),
      on_or_off("feed.seats", "Import events from seats-generated", &O::feed_seats),
      kafka_name("feed.seats_group", "Consumer group whose offsets say how far seats were imported", &O::feed_seats_group)};
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
    for (const auto rows :
         {server_rows, http_rows, ledger_rows, live_rows, access_rows, webhook_rows, tracing_rows, lock_rows, feed_rows}) {
      std::ranges::move(rows(), std::back_inserter(options));
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
