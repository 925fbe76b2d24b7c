// The server's options. Flags override environment variables, which override a TOML file.
//
// An option has one key, such as `http.body_bytes_max`. Its flag is --http-body-bytes-max, its variable HOLDFAST_HTTP_BODY_BYTES_MAX, and in
// the file it is body_bytes_max in the table [http]. `ledger.url`, `lock.url` and `feed.url` may also be called `ledger`, `lock` and `feed`.
// An unknown key is an error that names it, in the file, on the command line and in the environment (exceptions: environment.h).
// option_table.h describes all options.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "http/network.h"

namespace holdfast::cli {

// An error of the caller. The process ends with status 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The API key that `import --server` sends. A variable and not a flag, because other users of the machine can read flags.
inline constexpr const char* k_api_key_variable = "HOLDFAST_API_KEY";
// The password of the seat lock's server, for the same reason.
inline constexpr const char* k_lock_password_variable = "HOLDFAST_LOCK_PASSWORD";

struct ServeOptions {
  std::string data;
  std::uint64_t port = 50'002;
  std::string listen = "127.0.0.1";
  std::uint64_t threads = 0;   // 0: one fewer than processors
  std::string port_file;
  bool sweep = true;
  bool demo = false;
  std::string log_format = "auto";
  std::string log_level = "info";
  std::string log_file;
  std::uint64_t http_header_bytes_max = 8 * 1024;
  std::uint64_t http_body_bytes_max = 256 * 1024;
  std::uint64_t http_connections_max = 16'000;
  std::uint64_t http_connections_per_address_max = 0;
  std::vector<http::Network> http_trusted_proxies;
  bool http_proxy_protocol = false;
  std::uint64_t http_body_bytes_per_second_min = 1'024;
  std::uint64_t http_answer_bytes_per_second_min = 4'096;
  std::uint64_t http_header_timeout_ms = 10'000;
  std::uint64_t http_body_timeout_ms = 30'000;
  std::uint64_t http_idle_timeout_ms = 75'000;
  std::uint64_t http_write_timeout_ms = 30'000;
  std::uint64_t http_drain_timeout_ms = 10'000;
  std::uint64_t engine_queue_max = 20'000;
  std::string ledger_url;   // postgresql://…; empty: the folder `data`
  std::string ledger_projection = "async";
  std::uint64_t ledger_lanes = 8;
  std::uint64_t ledger_connections_max = 20;
  std::uint64_t ledger_events_in_memory_max = 1'000;
  std::uint64_t ledger_idempotency_keys_max = 2'000'000;
  std::uint64_t ledger_ended_in_memory_max = 200'000;
  std::string ledger_journal = "sqlite";
  std::uint64_t ledger_journal_retention_days = 0;
  std::uint64_t ledger_state_lag_max_ms = 5'000;
  std::uint64_t live_listeners_max = 10'000;   // fewer than connections, so that listeners leave some to buyers
  std::uint64_t live_comment_seconds = 15;
  std::vector<std::string> access_anonymous;
  bool access_anonymous_is_set = false;
  std::uint64_t session_hours = 24;
  std::optional<bool> session_secure_cookie;   // nullopt: on beyond loopback
  std::uint64_t limits_requests_per_second_key = 0;
  std::uint64_t limits_requests_per_second_customer = 20;
  std::optional<std::uint64_t> limits_sessions_per_minute_address;   // nullopt: 60 beyond loopback, otherwise no limit
  std::uint64_t limits_held_seats_visitor = 10;
  std::vector<std::string> cors_origins;
  std::vector<std::string> webhooks_allow_hosts;
  std::vector<std::uint64_t> webhooks_retry_ms;   // empty: the default of feed::WebhookOptions
  std::uint64_t webhooks_timeout_ms = 10'000;
  std::uint64_t webhooks_queue_max = 10'000;
  std::uint64_t webhooks_dead_max = 1'000;
  std::string webhooks_ca_file;
  std::string tracing_otlp_url;   // empty: no spans
  std::string tracing_ca_file;
  std::string lock_url;   // empty: no seat lock
  std::string lock_on_failure = "proceed";
  std::uint64_t lock_deadline_ms = 50;
  std::uint64_t lock_ttl_ms = 30'000;
  std::string lock_password_file;
  std::string feed_url;   // kafka://…; empty: no feed
  std::map<std::string, std::string> feed_kafka;   // settings of librdkafka; may be secrets
  std::string feed_topic_prefix;
  std::string feed_transactional_id;
  bool feed_ticket_locks = false;
  bool feed_all_seat_ids = false;
  bool feed_returned = false;
  bool feed_releases_as_expired = false;
  bool feed_payments = true;
  std::string feed_payments_group = "holdfast-payments";
  bool feed_seats = false;
  std::string feed_seats_group = "holdfast-seats";
  std::vector<std::string> service_links;   // not an option: variables of Kubernetes that were ignored
};

// Declares the flags on `command`. read() returns the options once the command line has been parsed. `command` must not be destroyed
// between the two.
class ServeOptionsReader {
 public:
  explicit ServeOptionsReader(CLI::App& command);
  // Throws UsageError, which names the option and where its value comes from. Call once.
  ServeOptions read();

 private:
  ServeOptions options_;
  std::string config_;
  std::map<std::string, CLI::Option*> declared_;   // by key
};

}   // namespace holdfast::cli
