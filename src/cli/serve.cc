// `holdfast serve`: the one place that wires ledger, engine, api and server together.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <optional>
#include <thread>
#include <utility>

#include <spdlog/spdlog.h>
#include <unistd.h>
#include <boost/asio/ip/address.hpp>

#include "api/api.h"
#include "api/desk/lock_metrics.h"
#include "api/desk/process_metrics.h"
#include "api/desk/span_exporter.h"
#include "api/desk/webhook_metrics.h"
#include "api/embedded.h"
#include "api/request_facts.h"
#include "cli/build_commit.h"
#include "cli/commands.h"
#include "cli/descriptors.h"
#include "cli/health.h"
#include "cli/home.h"
#include "cli/kafka_feed.h"
#include "cli/logging.h"
#include "cli/seat_lock.h"
#include "feed/webhooks/sender.h"
#include "feed/webhooks/webhooks.h"

namespace holdfast::cli {
namespace {

constexpr int k_status_ok = 0;
constexpr int k_status_failed = 1;
constexpr unsigned k_status_of_failure = 500;   // what a request is answered whose handler throws

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
      .sessions_per_minute_address = options.limits_sessions_per_minute_address.value_or(beyond_loopback ? k_sessions_per_minute : 0),
      .held_seats_visitor = static_cast<std::uint32_t>(options.limits_held_seats_visitor)};
  for (const std::string& each : options.access_anonymous) (each == "contract1" ? access.contract1 : access.contract2) = true;
  return access;
}

// Beyond loopback somebody must have said who may call: by keys, or by access.anonymous.
void check_access(const ServeOptions& options, bool has_keys) {
  if (has_keys || options.access_anonymous_is_set || !is_beyond_loopback(options)) return;
  throw UsageError(
      "without keys Holdfast listens on loopback only, and " + options.listen + " is not loopback. Make a key (holdfast keys create " +
      (options.ledger_url.empty() ? "--data " + options.data : "--ledger …") +
      " --name NAME --scopes read,hold). Or, to let callers of the two contracts in without a key, write it down: access.anonymous = "
      "[\"contract1\", \"contract2\"] (or --access-anonymous contract1,contract2)");
}

// Gives the server the keys as they are now.
void load_keys(Registry& registry, api::AccessControl& access) {
  auto keys = registry.keys();
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const auto usable = std::ranges::count_if(keys, [&](const ApiKey& key) { return key.is_usable(now); });
  spdlog::info("{} API keys are configured, {} of them neither expired nor revoked", keys.size(), usable);
  access.set_keys(std::move(keys));
}

// Once a second. What cannot be read is tried again; until then the keys stay as they were. `is_troubled` is whether that was said.
void follow_keys(Registry& registry, api::AccessControl& access, bool& is_troubled) {
  try {
    if (registry.has_changed()) load_keys(registry, access);
    if (std::exchange(is_troubled, false)) spdlog::info("the API keys can be read again");
  } catch (const std::exception& error) {
    if (!std::exchange(is_troubled, true)) spdlog::error("the API keys cannot be read; those known before go on: {}", error.what());
  }
}

// Says in the log when there was no room for idempotency keys; at most once a minute. Of the main thread.
class KeysRefused {
 public:
  explicit KeysRefused(const api::Metrics& metrics) : metrics_(metrics) {}

  // Once a second.
  void report() {
    if (++seconds_ < k_period_seconds && reported_) return;
    const double callers = metrics_.keys_refused_callers(), strangers = metrics_.keys_refused_strangers();
    if (callers > callers_) {
      spdlog::warn(
          "{} requests of callers with a key were answered 503: there was no room for their Idempotency-Key. Keys are kept for 24 hours; "
          "ledger.idempotency_keys_max says how many",
          callers - callers_);
    }
    if (strangers > strangers_) {
      spdlog::warn(
          "{} requests of sessions or of callers without a key were answered 503: there was no room for their Idempotency-Key. They "
          "have a quarter of ledger.idempotency_keys_max together, each of them 1,000 at most; callers with a key go on",
          strangers - strangers_);
    }
    reported_ = callers > callers_ || strangers > strangers_;
    callers_ = callers;
    strangers_ = strangers;
    seconds_ = 0;
  }

 private:
  static constexpr int k_period_seconds = 60;
  const api::Metrics& metrics_;
  double callers_ = 0;
  double strangers_ = 0;
  int seconds_ = 0;
  bool reported_ = false;
};

http::ServerOptions server_options(const ServeOptions& options, unsigned threads, const ConnectionRoom& room) {
  using std::chrono::milliseconds;
  return {.listen = options.listen,
          .port = static_cast<std::uint16_t>(options.port),
          .threads = threads,
          .header_bytes_max = options.http_header_bytes_max,
          .body_bytes_max = options.http_body_bytes_max,
          .connections_max = room.connections_max,
          .connections_over_max = room.over_max_by_thread,
          .connections_per_address_max = options.http_connections_per_address_max,
          .trusted_proxies = options.http_trusted_proxies,
          .proxy_protocol = options.http_proxy_protocol,
          .body_bytes_per_second_min = options.http_body_bytes_per_second_min,
          .answer_bytes_per_second_min = options.http_answer_bytes_per_second_min,
          .header_timeout = milliseconds(options.http_header_timeout_ms),
          .body_timeout = milliseconds(options.http_body_timeout_ms),
          .idle_timeout = milliseconds(options.http_idle_timeout_ms),
          .write_timeout = milliseconds(options.http_write_timeout_ms),
          .drain_timeout = milliseconds(options.http_drain_timeout_ms)};
}

feed::WebhookOptions webhook_options(const ServeOptions& options, Home& home) {
  feed::WebhookOptions webhooks{.queue_max = options.webhooks_queue_max, .dead_max = options.webhooks_dead_max};
  if (auto clock = home.webhook_clock()) webhooks.clock = std::move(clock);
  if (!options.webhooks_retry_ms.empty()) webhooks.retry.clear();
  for (const std::uint64_t pause : options.webhooks_retry_ms) webhooks.retry.emplace_back(pause);
  return webhooks;
}

// Carries webhooks; a file of certificates that cannot be read is the caller's mistake.
std::unique_ptr<feed::Sender> make_webhook_sender(boost::asio::io_context& context, const ServeOptions& options) {
  try {
    return std::make_unique<feed::WebhookSender>(context,
                                                 http::OutgoingOptions{.timeout = std::chrono::milliseconds(options.webhooks_timeout_ms),
                                                                       .ca_file = options.webhooks_ca_file,
                                                                       .allow_hosts = options.webhooks_allow_hosts});
  } catch (const boost::system::system_error& error) {
    throw UsageError("webhooks.ca_file cannot be read: " + options.webhooks_ca_file + ": " + error.code().message());
  }
}

// Where spans go; nullptr: nowhere.
std::unique_ptr<api::SpanExporter> make_span_exporter(const ServeOptions& options) {
  if (options.tracing_otlp_url.empty()) return nullptr;
  try {
    return std::make_unique<api::SpanExporter>(*http::parse_outgoing_url(options.tracing_otlp_url), options.tracing_ca_file);
  } catch (const boost::system::system_error& error) {
    throw UsageError("tracing.ca_file cannot be read: " + options.tracing_ca_file + ": " + error.code().message());
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

// Until just after the ledger's next second begins: then a sample is of a whole second.
timespec until_next_second(const Ledger& ledger) {
  constexpr long k_nanoseconds_per_milli = 1'000'000;
  const Millis wait = k_millis_per_second - ledger.now() % k_millis_per_second + 1;
  return {.tv_sec = wait / k_millis_per_second, .tv_nsec = wait % k_millis_per_second * k_nanoseconds_per_milli};
}

// Waits for a signal to end; meanwhile reopens logs and does what is due every second.
void wait_for_end(const Ledger& ledger, Logging& logging, const std::function<void()>& every_second) {
  const sigset_t signals = handled_signals();
  for (;;) {
    const timespec second = until_next_second(ledger);
    const int signal = sigtimedwait(&signals, nullptr, &second);
    if (signal == SIGTERM || signal == SIGINT) return;
    if (signal == SIGHUP) logging.reopen();
    if (signal > 0) continue;
    every_second();
  }
}

// What is to be done when a scope ends, however it ends.
class AtEnd {
 public:
  explicit AtEnd(std::function<void()> call) : call_(std::move(call)) {}
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;
  ~AtEnd() { now(); }
  void now() {
    if (call_) std::exchange(call_, {})();
  }

 private:
  std::function<void()> call_;
};

void report_service_links(const std::vector<std::string>& names) {
  if (names.empty()) return;
  std::string list;
  for (const std::string& each : names) list.append(list.empty() ? "" : ", ").append(each);
  spdlog::info(
      "ignored {} environment variables that Kubernetes sets for Services: {}. They are no options; `enableServiceLinks: false` in the "
      "pod's spec keeps them away",
      names.size(), list);
}

}  // namespace

int serve(const ServeOptions& options) {
  const sigset_t signals = handled_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  Logging logging(options.log_format, options.log_level, options.log_file);
  report_service_links(options.service_links);
  raise_descriptor_limit();
  check_access(options, has_keys_at_home(options));
  const unsigned threads = threads_of(options);

  const std::unique_ptr<lock::SeatLock> seat_lock = make_seat_lock(options, judging_threads(options));
  const std::unique_ptr<Home> home = open_home(options, judging_options(options, seat_lock.get()));
  Ledger& ledger = home->ledger();
  Registry& registry = home->registry();
  const std::unique_ptr<ServedFeed> kafka_feed =
      options.feed_url.empty() ? nullptr : std::make_unique<ServedFeed>(options, home->make_feed_store(), ledger, home->feed_holder());
  check_access(options, !registry.keys().empty());
  api::AccessControl access(access_options(options), registry.session_secret());
  feed::Webhooks webhooks(
      webhook_options(options, *home), home->webhook_store(), home->webhook_source(),
      [&](boost::asio::io_context& context) { return make_webhook_sender(context, options); }, home->webhook_lease());
  api::Metrics metrics;
  const api::ProcessMetrics process_metrics(k_build_commit, [&] { return logging.lines_lost(); });
  metrics.include(process_metrics);
  const api::WebhookMetrics webhook_metrics(webhooks);
  metrics.include(webhook_metrics);
  if (home->metrics() != nullptr) metrics.include(*home->metrics());
  const api::LockMetrics lock_metrics(seat_lock.get());
  metrics.include(lock_metrics);
  if (kafka_feed) metrics.include(kafka_feed->metrics());
  const std::unique_ptr<api::SpanExporter> spans = make_span_exporter(options);
  if (spans) metrics.include(*spans);
  api::Watch watch(ledger);
  std::atomic<bool> broken{false};
  Engine engine(ledger, {.queue_max = options.engine_queue_max, .sweep = options.sweep}, [&](const Round& round) {
    metrics.on_round(round);
    watch.on_round();
    if (round.report.changes > 0) webhooks.notify();
    if (round.report.changes > 0 && kafka_feed) kafka_feed->notify();
    const bool must_end = !round.report.durable && home->ends_with_a_failed_round();
    if (must_end && !broken.exchange(true)) ::kill(::getpid(), SIGTERM);
  });
  home->on_news([&] {
    watch.on_round();
    webhooks.notify();
    if (kafka_feed) kafka_feed->notify();
  });
  api::Api api(ledger, engine, metrics, watch, webhooks, access, options.demo, [&] { return home->health(); });
  const std::size_t more_descriptors = options.ledger_url.empty() ? 0 : options.ledger_connections_max;
  http::Server server(server_options(options, threads, room_for_connections(options.http_connections_max, threads, more_descriptors)), api,
                      {.on_handler_error =
                           [](std::string_view request, std::string_view what) {
                             const api::RequestFacts facts{.request_id = std::string(request), .status = k_status_of_failure};
                             const api::LogMembers members(facts);
                             spdlog::error("request {} failed: {}", request, what);
                           },
                       .on_overload = [](std::string_view what) { spdlog::warn("{}", what); }});
  // Each ends before what it works on: threads of connections first, then what they have handed on, then the writers, then whoever is told of
  // changes. Until all have, nothing of the above may be destroyed.
  AtEnd stop([&] {
    api.set_draining();
    server.stop();
    api.stop_background();
    if (kafka_feed) kafka_feed->stop();
    engine.stop();
    home->on_news({});
    webhooks.stop();
  });
  api.set_commit(k_build_commit);
  api.set_spans(spans.get());
  api.set_live({.listeners_max = options.live_listeners_max, .comment_period = std::chrono::seconds(options.live_comment_seconds)});
  api.add_degradation([&] { return home->degradation(); });
  if (seat_lock) api.add_degradation([&] { return degradation_of(*seat_lock, options); });
  if (kafka_feed) api.add_degradation([&] { return kafka_feed->degradation(); });
  api.add_degradation([&] { return late_webhooks(webhooks); });
  home->add_health_probes(api.health());
  add_health_probes(api, {.engine = engine,
                          .queue_max = options.engine_queue_max,
                          .seat_lock = seat_lock.get(),
                          .feed = kafka_feed.get(),
                          .webhooks = webhooks,
                          .listeners_max = options.live_listeners_max});
  api.attach(server, threads);
  load_keys(registry, access);
  webhooks.start();
  if (kafka_feed) kafka_feed->start(engine);
  server.start();
  write_port_file(options.port_file, server.port());
  spdlog::info("holdfast {} serves {} events from {} on http://{}:{}", version_text(), ledger.events().size(), home->place(),
               options.listen, server.port());
  if (!api::has_pages()) spdlog::info("built without the pages / and /console: Node.js or its registry was not there");
  if (!api::has_docs_page()) spdlog::info("built without the page at /docs: Node.js or its registry was not there");
  if (options.demo) spdlog::warn("demo is on: whoever holds seats in a session can have them sold without paying");
  if (access.is_open()) spdlog::info("no keys are configured: it listens on loopback only, and lets every caller in");

  KeysRefused keys_refused(metrics);
  bool keys_are_troubled = false;
  wait_for_end(ledger, logging, [&] {
    metrics.statistics().sample(ledger);
    follow_keys(registry, access, keys_are_troubled);
    keys_refused.report();
    home->every_second(kafka_feed.get());
  });

  spdlog::info("stopping: what is in flight is answered");
  stop.now();
  if (!broken) return k_status_ok;
  spdlog::critical("{}", ledger.trouble());
  return k_status_failed;
}

}   // namespace holdfast::cli
