#include "cli/options.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <sstream>

#include "api/cors.h"

extern char** environ;

namespace holdfast::cli {
namespace {

// One option: its key, what it means, and how a text becomes its value (an error text when it cannot).
struct Described {
  const char* key;
  const char* help;
  std::function<std::string(ServeOptions&, const std::string&)> set;
};

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

std::string set_demo(ServeOptions& options, const std::string& value) {
  if (value != "on" && value != "off" && value != "true" && value != "false") return "must be on or off";
  options.demo = value == "on" || value == "true";
  return {};
}

std::string set_sweep(ServeOptions& options, const std::string& value) {
  if (value != "on" && value != "off" && value != "true" && value != "false") return "must be on or off";
  options.sweep = value == "on" || value == "true";
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
      {"sweep", "on or off: record expiries by themselves (default on; a hold ends on time either way)", set_sweep},
      {"demo", "on or off: visitors can buy what they hold without paying, to try Holdfast (default off)", set_demo},
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
      number("ledger.idempotency_keys_max", "Idempotency keys kept for 24 hours (default 2000000)", &O::ledger_idempotency_keys_max, 1,
             1'000'000'000),
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
      text("webhooks.ca_file", "Certificates (PEM) to trust beside the system's", &O::webhooks_ca_file),
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
    const bool known = std::ranges::any_of(described(), [&](const Described& each) { return each.key == key; });
    if (!known) throw UsageError("unknown key `" + key + "` in " + where);
    const auto value = as_text(node);
    if (!value) throw UsageError("`" + key + "` in " + where + " is neither text, number, flag nor a list of texts");
    values[key] = *value;
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
    if (name == "HOLDFAST_CONFIG" || name == k_api_key_variable) continue;
    const auto known = std::ranges::find_if(described(), [&](const Described& each) { return variable_of(each.key) == name; });
    if (known == described().end()) throw UsageError("unknown key `" + std::string(name) + "` in the environment");
    values[known->key] = variable.substr(std::min(variable.size(), name.size() + 1));
  }
  return values;
}

}  // namespace

ServeOptionsReader::ServeOptionsReader(CLI::App& command) {
  command.add_option("--config", config_, "TOML file with these options (also HOLDFAST_CONFIG)");
  for (const Described& each : described()) {
    declared_[each.key] = command.add_option(flag_of(each.key), flags_[each.key], each.help);
  }
  declared_["demo"]->expected(0, 1)->default_str("on");   // `--demo` alone turns it on
}

ServeOptions ServeOptionsReader::read() {
  if (const char* config = std::getenv("HOLDFAST_CONFIG"); config_.empty() && config != nullptr) config_ = config;
  const auto file = config_.empty() ? std::map<std::string, std::string>{} : read_file(config_);
  const auto environment = read_environment();
  for (const Described& each : described()) {
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
  if (options_.data.empty()) throw UsageError("--data is missing: the folder of the ledger's files");
  return options_;
}

}  // namespace holdfast::cli
