// `holdfast serve`: the one place that wires ledger, engine, api and server together.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <thread>

#include <spdlog/spdlog.h>
#include <unistd.h>
#include <boost/asio/ip/address.hpp>

#include "api/api.h"
#include "api/embedded.h"
#include "api/webhook_metrics.h"
#include "api/webhook_sender.h"
#include "api/webhook_source.h"
#include "cli/commands.h"
#include "cli/health.h"
#include "cli/logging.h"
#include "core/version.h"
#include "feed/webhooks/webhooks.h"
#include "ledger/embedded/embedded_ledger.h"
#include "ledger/embedded/embedded_registry.h"
#include "ledger/embedded/embedded_webhook_store.h"

namespace holdfast::cli {
namespace {

constexpr int k_status_ok = 0;
constexpr int k_status_failed = 1;

// The signals that the main thread waits for; every other thread leaves them alone.
sigset_t handled_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

bool is_beyond_loopback(const ServeOptions& options) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(options.listen, error);
  if (error) throw UsageError("--listen must be an IPv4 or IPv6 address; it is `" + options.listen + "`");
  return !address.is_loopback();
}

constexpr std::uint64_t k_sessions_per_minute = 60;   // for an address, where strangers can call

api::AccessOptions access_options(const ServeOptions& options) {
  const bool beyond_loopback = is_beyond_loopback(options);
  api::AccessOptions access{
      .beyond_loopback = beyond_loopback,
      .origins = options.cors_origins,
      .session_time = std::chrono::hours(options.session_hours),
      .secure_cookie = options.session_secure_cookie.value_or(beyond_loopback),
      .requests_per_second_key = options.limits_requests_per_second_key,
      .requests_per_second_customer = options.limits_requests_per_second_customer,
      .sessions_per_minute_address = options.limits_sessions_per_minute_address.value_or(beyond_loopback ? k_sessions_per_minute : 0)};
  for (const std::string& each : options.access_anonymous) (each == "contract1" ? access.contract1 : access.contract2) = true;
  return access;
}

// Beyond loopback somebody must have said who may call: by keys, or by access.anonymous.
void check_access(const ServeOptions& options, bool has_keys) {
  if (has_keys || options.access_anonymous_is_set || !is_beyond_loopback(options)) return;
  throw UsageError(
      "without keys Holdfast listens on loopback only, and " + options.listen +
      " is not loopback. Make a key (holdfast keys create --data " + options.data +
      " --name NAME --scopes read,hold). Or, to let callers of the two contracts in without a key, write it down: access.anonymous = "
      "[\"contract1\", \"contract2\"] (or --access-anonymous contract1,contract2)");
}

bool has_keys_in(const std::string& data) {
  const std::string registry = DataFolder::registry_in(data);
  return std::filesystem::exists(registry) && !EmbeddedRegistry(registry).keys().empty();
}

// Gives the server the keys as they are now.
void load_keys(EmbeddedRegistry& registry, api::AccessControl& access) {
  auto keys = registry.keys();
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const auto usable = std::ranges::count_if(keys, [&](const ApiKey& key) { return key.is_usable(now); });
  spdlog::info("{} API keys are configured, {} of them neither expired nor revoked", keys.size(), usable);
  access.set_keys(std::move(keys));
}

// Once a second. What cannot be read is tried again; until then the keys stay as they were.
void follow_keys(EmbeddedRegistry& registry, api::AccessControl& access) {
  try {
    if (registry.has_changed()) load_keys(registry, access);
  } catch (const std::exception& error) {
    spdlog::error("the API keys cannot be read; those known before go on: {}", error.what());
  }
}

http::ServerOptions server_options(const ServeOptions& options, unsigned threads) {
  using std::chrono::milliseconds;
  return {.listen = options.listen,
          .port = static_cast<std::uint16_t>(options.port),
          .threads = threads,
          .header_bytes_max = options.http_header_bytes_max,
          .body_bytes_max = options.http_body_bytes_max,
          .connections_max = options.http_connections_max,
          .header_timeout = milliseconds(options.http_header_timeout_ms),
          .body_timeout = milliseconds(options.http_body_timeout_ms),
          .idle_timeout = milliseconds(options.http_idle_timeout_ms),
          .write_timeout = milliseconds(options.http_write_timeout_ms),
          .drain_timeout = milliseconds(options.http_drain_timeout_ms)};
}

feed::WebhookOptions webhook_options(const ServeOptions& options) {
  feed::WebhookOptions webhooks{.queue_max = options.webhooks_queue_max, .dead_max = options.webhooks_dead_max};
  if (!options.webhooks_retry_ms.empty()) webhooks.retry.clear();
  for (const std::uint64_t pause : options.webhooks_retry_ms) webhooks.retry.emplace_back(pause);
  return webhooks;
}

// Carries webhooks; a file of certificates that cannot be read is the caller's mistake.
std::unique_ptr<feed::Sender> make_webhook_sender(boost::asio::io_context& context, const ServeOptions& options) {
  try {
    return std::make_unique<api::WebhookSender>(context,
                                                http::OutgoingOptions{.timeout = std::chrono::milliseconds(options.webhooks_timeout_ms),
                                                                      .ca_file = options.webhooks_ca_file,
                                                                      .allow_hosts = options.webhooks_allow_hosts});
  } catch (const boost::system::system_error& error) {
    throw UsageError("webhooks.ca_file cannot be read: " + options.webhooks_ca_file + ": " + error.code().message());
  }
}

unsigned threads_of(const ServeOptions& options) {
  if (options.threads != 0) return static_cast<unsigned>(options.threads);
  return std::max(1u, std::thread::hardware_concurrency() - 1);
}

void write_port_file(const std::string& file, std::uint16_t port) {
  if (file.empty()) return;
  const std::string partial = file + ".partial";
  {
    std::ofstream out(partial, std::ios::trunc);
    out << port << '\n';
    if (!out.flush()) throw std::runtime_error("cannot write " + partial + ": " + std::strerror(errno));
  }
  std::filesystem::rename(partial, file);
}

// Tells the checkpointer which journal rows the webhooks have come past. While that cannot be found out, nothing more is removed than
// before.
class DeliveredRows {
 public:
  // 0 until the first look(): then nothing is removed.
  Position through() const { return through_.load(std::memory_order_relaxed); }
  void look(feed::WebhookStore& store) {
    const auto now = std::chrono::steady_clock::now();
    if (looked_at_ && now < *looked_at_ + k_period) return;
    looked_at_ = now;
    try {
      through_ = api::JournalChangeSource::needless_through(store.list());
    } catch (const std::exception& error) {
      spdlog::warn("the webhooks' positions cannot be read, so old journal rows behind row {} stay: {}", through(), error.what());
    }
  }

 private:
  static constexpr std::chrono::seconds k_period{10};   // retention counts in days
  std::atomic<Position> through_{0};
  std::optional<std::chrono::steady_clock::time_point> looked_at_{};   // of the main thread
};

// Until just after the ledger's next second begins: then a sample is of a whole second.
timespec until_next_second(const EmbeddedLedger& ledger) {
  constexpr long k_nanoseconds_per_milli = 1'000'000;
  const Millis wait = k_millis_per_second - ledger.now() % k_millis_per_second + 1;
  return {.tv_sec = wait / k_millis_per_second, .tv_nsec = wait % k_millis_per_second * k_nanoseconds_per_milli};
}

// Waits for a signal to end; meanwhile reopens logs, watches the clock and does what else is due every second.
void wait_for_end(EmbeddedLedger& ledger, const std::function<void()>& every_second) {
  const sigset_t signals = handled_signals();
  for (;;) {
    const timespec second = until_next_second(ledger);
    const int signal = sigtimedwait(&signals, nullptr, &second);
    if (signal == SIGTERM || signal == SIGINT) return;
    if (signal == SIGHUP) reopen_log();
    if (signal > 0) continue;
    every_second();
    if (const auto step = ledger.compare_clocks()) {
      spdlog::warn(
          "the wall clock is {} ms ahead of the ledger's; holds keep their time, and the ledger follows by at most 0.5 ms a second", *step);
    }
  }
}

}  // namespace

int serve(const ServeOptions& options) {
  set_up_logging(options.log_format, options.log_level, options.log_file);
  const sigset_t signals = handled_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  check_access(options, has_keys_in(options.data));
  const unsigned threads = threads_of(options);

  DeliveredRows delivered;
  EmbeddedLedger ledger({.data = options.data,
                         .idempotency_keys_max = options.ledger_idempotency_keys_max,
                         .ended_in_memory_max = options.ledger_ended_in_memory_max,
                         .journal_retention_days = static_cast<std::int64_t>(options.ledger_journal_retention_days),
                         .journal_removable_through = [&] { return delivered.through(); }});
  EmbeddedRegistry registry(DataFolder::registry_in(options.data));
  if (registry.was_made() && !ledger.events().empty()) {
    spdlog::warn("registry.db was missing beside the data and was made anew: there are no API keys, and sessions of visitors are over");
  }
  check_access(options, !registry.keys().empty());
  api::AccessControl access(access_options(options), registry.session_secret());
  EmbeddedWebhookStore webhook_store(EmbeddedWebhookStore::file_in(options.data));
  api::JournalChangeSource changes(ledger, DataFolder::journal_in(options.data));
  feed::Webhooks webhooks(webhook_options(options), webhook_store, changes,
                          [&](boost::asio::io_context& context) { return make_webhook_sender(context, options); });
  api::Metrics metrics;
  const api::WebhookMetrics webhook_metrics(webhooks);
  metrics.include(webhook_metrics);
  api::Watch watch(ledger);
  std::atomic<bool> broken{false};
  Engine engine(ledger, {.queue_max = options.engine_queue_max, .sweep = options.sweep}, [&](const Round& round) {
    metrics.on_round(round);
    watch.on_round();
    if (round.report.changes > 0) webhooks.notify();
    // Memory and disk disagree: end, and recover at the next start.
    if (!round.report.durable && !broken.exchange(true)) ::kill(::getpid(), SIGTERM);
  });
  api::Api api(ledger, engine, metrics, watch, webhooks, access, options.demo,
               [&] { return api::LedgerHealth{ledger.rows_behind(), ledger.state_follows()}; });
  http::Server server(server_options(options, threads), api, {.on_handler_error = [](std::string_view request, std::string_view what) {
                        spdlog::error("request {} failed: {}", request, what);
                      }});
  api.set_live({.listeners_max = options.live_listeners_max, .comment_period = std::chrono::seconds(options.live_comment_seconds)});
  add_health_probes(api, ledger, engine, options.engine_queue_max, webhooks, options.live_listeners_max);
  api.attach(server, threads);
  load_keys(registry, access);
  webhooks.start();
  server.start();
  write_port_file(options.port_file, server.port());
  spdlog::info("holdfast {} serves {} events from {} on http://{}:{}", k_version, ledger.events().size(), options.data, options.listen,
               server.port());
  if (!api::has_pages()) spdlog::info("built without the pages / and /console: Node.js or its registry was not there");
  if (!api::has_docs_page()) spdlog::info("built without the page at /docs: Node.js or its registry was not there");
  if (options.demo) spdlog::warn("demo is on: whoever holds seats in a session can have them sold without paying");
  if (access.is_open()) spdlog::info("no keys are configured: it listens on loopback only, and lets every caller in");

  wait_for_end(ledger, [&] {
    metrics.statistics().sample(ledger);
    follow_keys(registry, access);
    if (options.ledger_journal_retention_days > 0) delivered.look(webhook_store);
  });

  spdlog::info("stopping: what is in flight is answered");
  api.set_draining();
  server.stop();
  api.stop_background();
  engine.stop();
  webhooks.stop();
  if (!broken) return k_status_ok;
  spdlog::critical("{}", ledger.trouble());
  return k_status_failed;
}

}  // namespace holdfast::cli
