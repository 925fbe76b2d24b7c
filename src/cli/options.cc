#include "cli/options.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <sstream>

#include "api/cors.h"
#include "feed/kafka/settings.h"
#include "ledger/ledger.h"

extern char** environ;

namespace holdfast::cli {

// One option: its key, what it means, and how a text becomes its value (an error text when it cannot).
struct Described {
  const char* key;
  const char* help;
  std::function<std::string(ServeOptions&, const std::string&)> set;
  const char* alias = nullptr;   // another key for it
  bool is_table = false;   // NAME=VALUE pairs, k_between_pairs between them; those of all sources come together, and may be secrets
};

namespace {

constexpr char k_between_pairs = '\x1f';

using Number = std::uint64_t ServeOptions::*;

Described number(const char* key, const char* help, Number member, std::uint64_t least, std::uint64_t most) {
  return {key, help, [=](ServeOptions& options, const std::string& text) -> std::string {
            std::uint64_t value = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
              return "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most);
            }
            options.*member = value;
            return {};
          }};
}

Described text(const char* key, const char* help, std::string ServeOptions::* member, std::vector<std::string> allowed = {}) {
  return {key, help, [=](ServeOptions& options, const std::string& value) -> std::string {
            if (!allowed.empty() && std::ranges::find(allowed, value) == allowed.end()) {
              std::string list;
              for (const std::string& each : allowed) list.append(list.empty() ? "" : ", ").append(each);
              return "must be one of " + list;
            }
            options.*member = value;
            return {};
          }};
}

// A member that is on or off.
Described on_or_off(const char* key, const char* help, bool ServeOptions::* member) {
  return {key, help, [=](ServeOptions& options, const std::string& value) -> std::string {
            if (value != "on" && value != "off" && value != "true" && value != "false") return "must be on or off";
            options.*member = value == "on" || value == "true";
            return {};
          }};
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
std::string set_kafka_name(std::string ServeOptions::* member, ServeOptions& options, const std::string& value) {
  constexpr std::size_t k_bytes_max = 200;
  const auto is_wrong = [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '_' && c != '-'; };
  if (value.size() > k_bytes_max || std::ranges::any_of(value, is_wrong)) {
    return "must have letters, digits, dots, dashes and underscores only, at most 200";
  }
  options.*member = value;
  return {};
}

Described kafka_name(const char* key, const char* help, std::string ServeOptions::* member) {
  return {key, help, [=](ServeOptions& options, const std::string& value) { return set_kafka_name(member, options, value); }};
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
  if (value != "on" && value != "off" && value != "true" && value != "false") return "must be on or off";
  options.session_secure_cookie = value == "on" || value == "true";
  return {};
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

constexpr std::uint64_t k_hour_ms = 3'600'000;

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

const std::vector<Described>& described() {
  using O = ServeOptions;
  static const std::vector<Described> all = {
      text("data", "Folder of the ledger's files; made when it is not there", &O::data),
      number("port", "TCP port (default 50002; 0: any free one)", &O::port, 0, 65'535),
      text("listen", "Address to listen on (default 127.0.0.1)", &O::listen),
      number("threads", "Threads that serve connections (default 0: one for each processor but one)", &O::threads, 0, 64),
      text("port_file", "File that gets the port number once the server listens", &O::port_file),
      on_or_off("sweep", "on or off: record expiries by themselves (default on; a hold ends on time either way)", &O::sweep),
      on_or_off("demo", "on or off: visitors can buy what they hold without paying, to try Holdfast (default off)", &O::demo),
      text("log.format", "text, json or auto (default: text on a terminal, else json)", &O::log_format, {"auto", "text", "json"}),
      text("log.level", "debug, info, warn or error (default info)", &O::log_level, {"debug", "info", "warn", "error"}),
      text("log.file", "File to log into (default: standard error); opened again on SIGHUP", &O::log_file),
      number("http.header_bytes_max", "Bytes of a request's header (default 8192)", &O::http_header_bytes_max, 256, 65'536),
      number("http.body_bytes_max", "Bytes of a request's body, imports aside (default 262144)", &O::http_body_bytes_max, 256, 1u << 30),
      number("http.connections_max", "Connections at once (default 20000)", &O::http_connections_max, 1, 1'000'000),
      number("http.header_timeout_ms", "From a request's first byte to its header's end (default 10000)", &O::http_header_timeout_ms, 10,
             k_hour_ms),
      number("http.body_timeout_ms", "Without a byte of the body arriving (default 30000)", &O::http_body_timeout_ms, 10, k_hour_ms),
      number("http.idle_timeout_ms", "Between two requests of a connection (default 75000)", &O::http_idle_timeout_ms, 10, k_hour_ms),
      number("http.write_timeout_ms", "For a client that does not read its answer (default 30000)", &O::http_write_timeout_ms, 10,
             k_hour_ms),
      number("http.drain_timeout_ms", "For what is in flight when the server stops (default 10000)", &O::http_drain_timeout_ms, 1,
             k_hour_ms),
      number("engine.queue_max", "Commands that may wait; one more is answered 503 (default 20000)", &O::engine_queue_max, 1, 10'000'000),
      {"ledger.url", "PostgreSQL that many nodes share: postgresql://user@host/database (default: none; the folder `data` is the ledger)",
       [](ServeOptions& options, const std::string& value) {
         options.ledger_url = value;   // read where it is used: it may hold a password, and problems are shown with the value
         return std::string();
       },
       "ledger"},
      text("ledger.projection", "async or sync: tables in PostgreSQL follow the journal, or are written with it (default async)",
           &O::ledger_projection, {"async", "sync"}),
      number("ledger.lanes", "Threads that write to PostgreSQL, each for its share of the events (default 8)", &O::ledger_lanes, 1,
             Ledger::k_lanes_max),
      number("ledger.connections_max", "Connections to PostgreSQL (default 20; at least lanes and 12)", &O::ledger_connections_max, 13,
             1'000),
      number("ledger.events_in_memory_max", "Events that a node over PostgreSQL keeps in memory (default 1000)",
             &O::ledger_events_in_memory_max, 1, 100'000),
      number("ledger.idempotency_keys_max", "Idempotency keys kept for 24 hours, with PostgreSQL of each event (default 2000000)",
             &O::ledger_idempotency_keys_max, 1, 1'000'000'000),
      number("ledger.ended_in_memory_max", "Ended reservations of an event kept in memory (default 200000)", &O::ledger_ended_in_memory_max,
             0, 1'000'000'000),
      number("ledger.journal_retention_days", "Days that journal rows are kept (default 0: for ever)", &O::ledger_journal_retention_days, 0,
             36'500),
      number("live.listeners_max", "Listeners of live seat maps (default 20000); one more is answered 503", &O::live_listeners_max, 0,
             1'000'000),
      number("live.comment_seconds", "Between two comment lines to a listener (default 15)", &O::live_comment_seconds, 1, 3'600),
      {"access.anonymous", "contract1, contract2 or both: routes for callers that are not on this machine", set_anonymous},
      number("session.hours", "Hours that a visitor's session holds (default 24)", &O::session_hours, 1, 24 * 365),
      {"session.secure_cookie", "on or off: sessions over HTTPS only (default: on beyond loopback)", set_secure_cookie},
      number("limits.requests_per_second_key", "Requests a second with one key, twice as many at once (default 0: no limit)",
             &O::limits_requests_per_second_key, 0, k_rate_max),
      number("limits.requests_per_second_customer", "Requests a second in one session, twice as many at once (default 20; 0: no limit)",
             &O::limits_requests_per_second_customer, 0, k_rate_max),
      {"limits.sessions_per_minute_address",
       "New sessions a minute for one client address, twice as many at once (default: 60 beyond loopback, else 0: no limit)",
       set_sessions_per_minute},
      {"cors.origins", "Origins of pages that may call, as https://shop.example (default: none)", set_origins},
      {"webhooks.allow_hosts", "Hosts (host or host:port) that webhooks may call though their addresses are not public", set_allow_hosts},
      {"webhooks.retry", "Pauses between attempts (default 5s,1m,5m,30m,2h,6h,12h,24h)", set_retry},
      number("webhooks.timeout_ms", "For one attempt, from resolving the name to the answer (default 10000)", &O::webhooks_timeout_ms, 10,
             k_hour_ms),
      number("webhooks.queue_max", "Messages of an endpoint that wait to be tried again (default 10000)", &O::webhooks_queue_max, 1,
             1'000'000),
      number("webhooks.dead_max", "Dead messages of an endpoint that are kept (default 1000)", &O::webhooks_dead_max, 1, 1'000'000),
      {"lock.url", "Seat lock beside the ledger: redis://host:6379 or redis-sentinel://host:26379,host:26379/master (default: none)",
       [](ServeOptions& options, const std::string& value) {
         options.lock_url = value;   // read where it is used: it may hold a password, and problems are shown with the value
         return std::string();
       },
       "lock"},
      text("lock.on_failure", "proceed or reject: what becomes of holds while the seat lock is away (default proceed)", &O::lock_on_failure,
           {"proceed", "reject"}),
      number("lock.deadline_ms", "For one round trip to the seat lock (default 50)", &O::lock_deadline_ms, 1, 10'000),
      number("lock.ttl_ms", "Until a seat lock that was not given up ends by itself (default 30000, as the contract has it)",
             &O::lock_ttl_ms, 1'000, k_hour_ms),
      text("lock.password_file", "File with the password of the seat lock's server (also HOLDFAST_LOCK_PASSWORD)", &O::lock_password_file),
      text("webhooks.ca_file", "Certificates (PEM) to trust beside the system's", &O::webhooks_ca_file),
      {"feed.url", "Kafka that changes are published to: kafka://host:9092,host:9092 (default: none)", set_feed_url, "feed"},
      {"feed.kafka", "NAME=VALUE of librdkafka, as security.protocol=SASL_SSL; may be repeated. Secrets belong into the file",
       set_feed_kafka, nullptr, true},
      kafka_name("feed.topic_prefix", "Before the name of every topic (default: nothing)", &O::feed_topic_prefix),
      kafka_name("feed.transactional_id", "Of those who publish this ledger's changes (default: holdfast-relay- and the ledger's own name)",
                 &O::feed_transactional_id),
      on_or_off("feed.ticket_locks", "on or off: publish reservations without a customer too (default off)", &O::feed_ticket_locks),
      on_or_off("feed.all_seat_ids", "on or off: publish seats whose id is not a UUID too (default off)", &O::feed_all_seat_ids),
      on_or_off("feed.returned", "on or off: publish returned seats, on reservation-returned (default off)", &O::feed_returned),
      on_or_off("feed.payments", "on or off: consume payment-succeeded and payment-failed (default on)", &O::feed_payments),
      kafka_name("feed.payments_group", "Consumer group of payments (default holdfast-payments)", &O::feed_payments_group),
  };
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

// The option with a key, or another key, for which `is_it` holds; nullptr when there is none.
template <typename Predicate>
const Described* find_described(Predicate is_it) {
  const auto at = std::ranges::find_if(
      described(), [&](const Described& each) { return is_it(each.key) || (each.alias != nullptr && is_it(each.alias)); });
  return at == described().end() ? nullptr : &*at;
}

// The option whose table a key of the file is in, and the name that the key has there; nothing for other keys.
std::optional<std::pair<const Described*, std::string>> find_table(const std::string& key) {
  for (const Described& each : described()) {
    const std::string begin = std::string(each.key) + ".";
    if (each.is_table && key.starts_with(begin)) return std::pair(&each, key.substr(begin.size()));
  }
  return std::nullopt;
}

// A TOML value as a flag would have it; nothing for tables and the like.
std::optional<std::string> as_text(const toml::node& node) {
  if (const auto* value = node.as_string()) return value->get();
  if (const auto* value = node.as_integer()) return std::to_string(value->get());
  if (const auto* value = node.as_boolean()) return value->get() ? "true" : "false";
  const auto* list = node.as_array();
  if (list == nullptr) return std::nullopt;
  std::string joined;
  for (const toml::node& item : *list) {
    if (!item.is_string()) return std::nullopt;
    joined.append(joined.empty() ? "" : ",").append(item.as_string()->get());
  }
  return joined;
}

void read_table(const toml::table& table, const std::string& prefix, const std::string& file, std::map<std::string, std::string>& values) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    if (const auto* inner = node.as_table()) {
      read_table(*inner, key + ".", file, values);
      continue;
    }
    const std::string where = file + ", line " + std::to_string(node.source().begin.line);
    const Described* const known = find_described([&](const char* each) { return each == key; });
    const auto table_key = find_table(key);
    if (known == nullptr && !table_key) throw UsageError("unknown key `" + key + "` in " + where);
    const auto value = as_text(node);
    if (!value) throw UsageError("`" + key + "` in " + where + " is neither text, number, flag nor a list of texts");
    if (table_key) {
      values[table_key->first->key].append(table_key->second).append("=").append(*value).append(1, k_between_pairs);
    } else {
      values[known->key] = *value;
    }
  }
}

std::map<std::string, std::string> read_file(const std::string& file) {
  std::map<std::string, std::string> values;
  try {
    read_table(toml::parse_file(file), "", file, values);
  } catch (const toml::parse_error& error) {
    throw UsageError("cannot read " + file + ", line " + std::to_string(error.source().begin.line) + ": " +
                     std::string(error.description()));
  }
  return values;
}

std::map<std::string, std::string> read_environment() {
  std::map<std::string, std::string> values;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable = *entry;
    if (!variable.starts_with("HOLDFAST_")) continue;
    const std::string_view name = variable.substr(0, variable.find('='));
    if (name == "HOLDFAST_CONFIG" || name == k_api_key_variable || name == k_lock_password_variable) continue;
    const Described* const known = find_described([&](const char* each) { return variable_of(each) == name; });
    if (known == nullptr) throw UsageError("unknown key `" + std::string(name) + "` in the environment");
    values[known->key] = variable.substr(std::min(variable.size(), name.size() + 1));
    if (known->is_table) std::ranges::replace(values[known->key], '\n', k_between_pairs);
  }
  return values;
}

}   // namespace

ServeOptionsReader::ServeOptionsReader(CLI::App& command) {
  command.add_option("--config", config_, "TOML file with these options (also HOLDFAST_CONFIG)");
  for (const Described& each : described()) {
    const std::string names = flag_of(each.key) + (each.alias == nullptr ? "" : "," + flag_of(each.alias));
    declared_[each.key] = each.is_table ? command.add_option(names, table_flags_, each.help)->allow_extra_args(false)
                                        : command.add_option(names, flags_[each.key], each.help);
  }
  declared_["demo"]->expected(0, 1)->default_str("on");   // `--demo` alone turns it on
}

ServeOptions ServeOptionsReader::read() {
  if (const char* config = std::getenv("HOLDFAST_CONFIG"); config_.empty() && config != nullptr) config_ = config;
  const auto file = config_.empty() ? std::map<std::string, std::string>{} : read_file(config_);
  const auto environment = read_environment();
  for (const Described& each : described()) {
    if (each.is_table) {
      read_tables(each, file, environment);
      continue;
    }
    std::optional<std::string> value;
    std::string source;
    if (declared_.at(each.key)->count() > 0) {
      value = flags_.at(each.key);
      source = flag_of(each.key);
    } else if (const auto at = environment.find(each.key); at != environment.end()) {
      value = at->second;
      source = variable_of(each.key);
    } else if (const auto in_file = file.find(each.key); in_file != file.end()) {
      value = in_file->second;
      source = "`" + std::string(each.key) + "` in " + config_;
    }
    if (!value) continue;
    if (const std::string problem = each.set(options_, *value); !problem.empty())
      throw UsageError(source + " " + problem + "; it is `" + *value + "`");
  }
  if (options_.feed_url.empty() && !options_.feed_kafka.empty())
    throw UsageError("feed.kafka has settings, and there is no --feed kafka://…");
  if (options_.data.empty() && options_.ledger_url.empty()) {
    throw UsageError("--data is missing: the folder of the ledger's files (or --ledger: a PostgreSQL database)");
  }
  if (!options_.data.empty() && !options_.ledger_url.empty()) throw UsageError("--data and --ledger exclude each other: name one of them");
  constexpr std::uint64_t k_connections_beside_lanes = 12;   // eight readers, and the ledger's own threads
  if (!options_.ledger_url.empty() && options_.ledger_connections_max < options_.ledger_lanes + k_connections_beside_lanes) {
    throw UsageError("ledger.connections_max must be at least 12 more than ledger.lanes: readers and the ledger's own threads need some");
  }
  return options_;
}

// The nearest source comes last.
void ServeOptionsReader::read_tables(const Described& option, const std::map<std::string, std::string>& file,
                                     const std::map<std::string, std::string>& environment) {
  const auto add = [&](const std::string& source, const std::string& pairs) {
    if (const std::string problem = option.set(options_, pairs); !problem.empty()) throw UsageError(source + " " + problem);
  };
  if (const auto in_file = file.find(option.key); in_file != file.end())
    add("`" + std::string(option.key) + "` in " + config_, in_file->second);
  if (const auto at = environment.find(option.key); at != environment.end()) add(variable_of(option.key), at->second);
  for (const std::string& pair : table_flags_) add(flag_of(option.key), pair);
}

}   // namespace holdfast::cli
