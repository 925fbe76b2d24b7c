// `holdfast serve`: the only place that wires ledger, engine, api and server together. Read Service first.
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
#include "api/desk/part_metrics.h"
#include "api/desk/process_metrics.h"
#include "api/desk/span_exporter.h"
#include "api/embedded.h"
#include "api/request_facts.h"
#include "cli/build_commit.h"
#include "cli/commands.h"
#include "cli/descriptors.h"
#include "cli/health.h"
#include "cli/home.h"
#include "cli/kafka_feed.h"
#include "cli/log_writer.h"
#include "cli/logging.h"
#include "cli/option_table.h"
#include "cli/seat_lock.h"
#include "feed/webhooks/sender.h"
#include "feed/webhooks/webhooks.h"
#include "ledger/wall_time.h"

namespace holdfast::cli {
namespace {

constexpr int k_status_ok = 0;
constexpr int k_status_failed = 1;
constexpr unsigned k_status_of_failure = 500;   // of a request whose handler throws

// The signals that the main thread waits for. All threads block them.
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

constexpr std::uint64_t k_sessions_per_minute = 60;   // per address, on servers that strangers can reach

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

// A server beyond loopback must have keys, or access.anonymous must be set. Throws UsageError.
void check_access(const ServeOptions& options, bool has_keys) {
  if (has_keys || options.access_anonymous_is_set || !is_beyond_loopback(options)) return;
  throw UsageError("without keys Holdfast listens on loopback only, and " + options.listen +
                   " is not loopback. Create a key: holdfast keys create " +
                   (options.ledger_url.empty() ? "--data " + options.data : "--ledger …") +
                   " --name NAME --scopes read,hold. Or admit callers of the two contracts without a key: access.anonymous = "
                   "[\"contract1\", \"contract2\"] (--access-anonymous contract1,contract2)");
}

// Hands the current keys to the server.
void load_keys(Registry& registry, api::AccessControl& access) {
  auto keys = registry.keys();
  const Millis now = wall_time();
  const auto usable = std::ranges::count_if(keys, [&](const ApiKey& key) { return key.is_usable(now); });
  spdlog::info("{} API keys are configured, {} of them neither expired nor revoked", keys.size(), usable);
  access.set_keys(std::move(keys));
}

// Once a second. If the keys cannot be read, the old ones stay in use and the next call retries. `is_troubled`: the log has said so.
void follow_keys(Registry& registry, api::AccessControl& access, bool& is_troubled) {
  try {
    if (registry.has_changed()) load_keys(registry, access);
    if (std::exchange(is_troubled, false)) spdlog::info("the API keys can be read again");
  } catch (const std::exception& error) {
    if (!std::exchange(is_troubled, true))
      spdlog::error("cannot read the API keys, so those that were read before stay in use: {}", error.what());
  }
}

// Logs at most once a minute that idempotency keys were refused for lack of room. Of the main thread.
class KeysRefused {
 public:
  explicit KeysRefused(const api::Metrics& metrics) : metrics_(metrics) {}

  // Once a second.
  void report() {
    if (++seconds_ < k_period_seconds && reported_) return;
    const bool callers = report_new(metrics_.keys_refused_callers(), callers_,
                                    "callers with an API key were answered 503, because idempotency keys have no room left. Each is kept "
                                    "for 24 hours; ledger.idempotency_keys_max sets how many");
    const bool strangers = report_new(
        metrics_.keys_refused_strangers(), strangers_,
        "sessions or callers without an API key were answered 503, because idempotency keys have no room left for them. Together they may "
        "use a quarter of ledger.idempotency_keys_max, and each of them 1,000; callers with an API key are not affected");
    reported_ = callers || strangers;
    seconds_ = 0;
  }

 private:
  // `told`: the count of which the log has told.
  static bool report_new(double count, double& told, const char* whose) {
    const double more = count - std::exchange(told, count);
    if (more > 0) spdlog::warn("{} requests of {}", more, whose);
    return more > 0;
  }

  static constexpr int k_period_seconds = 60;
  const api::Metrics& metrics_;
  double callers_ = 0;
  double strangers_ = 0;
  int seconds_ = 0;
  bool reported_ = false;
};

http::ServerOptions server_options(const ServeOptions& options, unsigned threads) {
  using std::chrono::milliseconds;
  const std::size_t connections_of_ledger = options.ledger_url.empty() ? 0 : options.ledger_connections_max;
  const ConnectionRoom room = room_for_connections(options.http_connections_max, threads, connections_of_ledger);
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

// Throws UsageError if the certificates cannot be read.
std::unique_ptr<feed::Sender> make_webhook_sender(boost::asio::io_context& context, const ServeOptions& options) {
  try {
    return std::make_unique<feed::WebhookSender>(context,
                                                 http::OutgoingOptions{.timeout = std::chrono::milliseconds(options.webhooks_timeout_ms),
                                                                       .ca_file = options.webhooks_ca_file,
                                                                       .allow_hosts = options.webhooks_allow_hosts});
  } catch (const boost::system::system_error& error) {
    throw UsageError("cannot read webhooks.ca_file: " + options.webhooks_ca_file + ": " + error.code().message());
  }
}

// nullptr if spans are not exported. Throws UsageError if the certificates cannot be read.
std::unique_ptr<api::SpanExporter> make_span_exporter(const ServeOptions& options) {
  if (options.tracing_otlp_url.empty()) return nullptr;
  try {
    return std::make_unique<api::SpanExporter>(*http::parse_outgoing_url(options.tracing_otlp_url), options.tracing_ca_file);
  } catch (const boost::system::system_error& error) {
    throw UsageError("cannot read tracing.ca_file: " + options.tracing_ca_file + ": " + error.code().message());
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

// The time until just after the ledger's next second begins, so that each sample covers one whole second.
timespec until_next_second(const Ledger& ledger) {
  constexpr long k_nanoseconds_per_milli = 1'000'000;
  const Millis wait = k_millis_per_second - ledger.now() % k_millis_per_second + 1;
  return {.tv_sec = wait / k_millis_per_second, .tv_nsec = wait % k_millis_per_second * k_nanoseconds_per_milli};
}

// Returns after SIGTERM or SIGINT. Until then, reopens the log on SIGHUP and calls `every_second`.
void wait_for_end(const Ledger& ledger, const Logging& logging, const std::function<void()>& every_second) {
  const sigset_t signals = handled_signals();
  for (;;) {
    const timespec second = until_next_second(ledger);
    const int signal = sigtimedwait(&signals, nullptr, &second);
    if (signal == SIGTERM || signal == SIGINT) return;
    if (signal == SIGHUP) logging.writer().reopen();
    if (signal > 0) continue;
    every_second();
  }
}

void report_service_links(const std::vector<std::string>& names) {
  if (names.empty()) return;
  spdlog::info(
      "ignored {} environment variables that Kubernetes sets for Services: {}. They are not options; `enableServiceLinks: false` in the "
      "pod's spec prevents them",
      names.size(), joined(names, ", "));
}

// A request whose handler threw is answered 500; this logs why.
void log_failed_request(std::string_view request, std::string_view what) {
  const api::LogMembers members(api::RequestFacts{.request_id = std::string(request), .status = k_status_of_failure});
  spdlog::error("request {} failed: {}", request, what);
}

// Checks again who may call, now that the keys are known for certain.
api::AccessControl open_access(const ServeOptions& options, Registry& registry) {
  check_access(options, !registry.keys().empty());
  return {access_options(options), registry.session_secret()};
}

std::unique_ptr<ServedFeed> open_feed(const ServeOptions& options, Home& home) {
  if (options.feed_url.empty()) return nullptr;
  return std::make_unique<ServedFeed>(options, home.make_feed_store(), home.ledger(), home.feed_holder());
}

// The running server. Each part uses only parts declared above it. Of the main thread.
class Service {
 public:
  // Opens the ledger. Throws UsageError, and what open_home() throws. `options` and `logging` must outlive it.
  Service(const ServeOptions& options, Logging& logging);
  ~Service() { stop(); }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Binds the port and answers requests from then on. Throws std::system_error if it cannot. Once.
  void start();
  // Returns after SIGTERM, SIGINT, or a round that could not be made durable.
  void run();
  // Answers the requests in flight, then ends all threads. A second call does nothing.
  void stop();
  // Whether a round could not be made durable; the process must then end and recover.
  bool has_failed() const { return broken_; }
  std::string trouble() const { return home_->ledger().trouble(); }

 private:
  void on_round(const Round& round);
  void on_news();
  void include_metrics();
  void connect_api();
  void report_start() const;

  const ServeOptions& options_;
  Logging& logging_;
  const unsigned threads_;
  const std::unique_ptr<lock::SeatLock> seat_lock_;   // nullptr: none
  const std::unique_ptr<Home> home_;
  const std::unique_ptr<ServedFeed> kafka_feed_;   // nullptr: none
  api::AccessControl access_;
  feed::Webhooks webhooks_;
  const std::unique_ptr<api::SpanExporter> spans_;   // nullptr: none
  const api::ProcessMetrics process_metrics_;
  api::Metrics metrics_;
  api::Watch watch_;
  std::atomic<bool> broken_{false};   // a round could not be made durable
  Engine engine_;
  api::Api api_;
  http::Server server_;
  KeysRefused keys_refused_{metrics_};
  bool keys_are_troubled_ = false;
  bool has_stopped_ = false;
};

Service::Service(const ServeOptions& options, Logging& logging)
    : options_(options),
      logging_(logging),
      threads_(threads_of(options)),
      seat_lock_(make_seat_lock(options, judging_threads(options))),
      home_(open_home(options, judging_options(options, seat_lock_.get()))),
      kafka_feed_(open_feed(options, *home_)),
      access_(open_access(options, home_->registry())),
      webhooks_(
          webhook_options(options, *home_), home_->webhook_store(), home_->webhook_source(),
          [&options](boost::asio::io_context& context) { return make_webhook_sender(context, options); }, home_->webhook_lease()),
      spans_(make_span_exporter(options)),
      process_metrics_(k_build_commit, [this] { return logging_.writer().lines_lost(); }),
      watch_(home_->ledger()),
      engine_(home_->ledger(), {.queue_max = options.engine_queue_max, .sweep = options.sweep},
              [this](const Round& round) { on_round(round); }),
      api_(home_->ledger(), engine_, metrics_, watch_, webhooks_, access_, options.demo, [this] { return home_->health(); }),
      server_(server_options(options, threads_), api_,
              {.on_handler_error = log_failed_request, .on_overload = [](std::string_view what) { spdlog::warn("{}", what); }}) {}

// On a thread of the engine.
void Service::on_round(const Round& round) {
  metrics_.on_round(round);
  watch_.on_round();
  if (round.report.changes > 0) webhooks_.notify();
  if (round.report.changes > 0 && kafka_feed_) kafka_feed_->notify();
  const bool must_end = !round.report.durable && home_->ends_with_a_failed_round();
  if (must_end && !broken_.exchange(true)) ::kill(::getpid(), SIGTERM);
}

// On any thread.
void Service::on_news() {
  watch_.on_round();
  webhooks_.notify();
  if (kafka_feed_) kafka_feed_->notify();
}

void Service::include_metrics() {
  metrics_.include([this] { return process_metrics_.collect(); });
  metrics_.include([this] { return api::webhook_metrics(webhooks_); });
  metrics_.include([this] { return home_->metrics(); });
  if (seat_lock_) metrics_.include([this] { return api::lock_metrics(*seat_lock_); });
  if (kafka_feed_) metrics_.include([this] { return kafka_feed_->metrics(); });
  if (spans_) metrics_.include([this] { return spans_->collect(); });
}

void Service::connect_api() {
  api_.set_commit(k_build_commit);
  api_.set_spans(spans_.get());
  api_.set_live({.listeners_max = options_.live_listeners_max, .comment_period = std::chrono::seconds(options_.live_comment_seconds)});
  api_.add_degradation([this] { return home_->degradation(); });
  if (seat_lock_) api_.add_degradation([this] { return degradation_of(*seat_lock_, options_); });
  if (kafka_feed_) api_.add_degradation([this] { return kafka_feed_->degradation(); });
  api_.add_degradation([this] { return late_webhooks(webhooks_); });
  home_->add_health_probes(api_.health());
  add_health_probes(api_, options_, engine_, seat_lock_.get(), kafka_feed_.get(), webhooks_);
  api_.attach(server_, threads_);
}

void Service::start() {
  home_->on_news([this] { on_news(); });
  include_metrics();
  connect_api();
  load_keys(home_->registry(), access_);
  webhooks_.start();
  if (kafka_feed_) kafka_feed_->start(engine_);
  server_.start();
  write_port_file(options_.port_file, server_.port());
  report_start();
}

void Service::report_start() const {
  spdlog::info("holdfast {} serves {} events from {} on http://{}:{}", version_text(), home_->ledger().events().size(), home_->place(),
               options_.listen, server_.port());
  if (!api::has_pages()) spdlog::info("this build has no pages / and /console: Node.js or its registry was not available");
  if (!api::has_docs_page()) spdlog::info("this build has no page /docs: Node.js or its registry was not available");
  if (options_.demo) spdlog::warn("demo is on: a session can buy the seats that it holds without paying");
  if (access_.is_open()) spdlog::info("no keys are configured: the server listens on loopback only and admits every caller");
}

void Service::run() {
  wait_for_end(home_->ledger(), logging_, [this] {
    metrics_.statistics().sample(home_->ledger());
    follow_keys(home_->registry(), access_, keys_are_troubled_);
    keys_refused_.report();
    home_->every_second(kafka_feed_.get());
  });
}

// Each part ends before the parts that it uses: the threads of connections, the work that they handed on, the writers, and last the
// readers of changes. Nothing may be destroyed before all have ended.
void Service::stop() {
  if (std::exchange(has_stopped_, true)) return;
  api_.set_draining();
  server_.stop();
  api_.stop_background();
  if (kafka_feed_) kafka_feed_->stop();
  engine_.stop();
  home_->on_news({});
  webhooks_.stop();
}

}   // namespace

int serve(const ServeOptions& options) {
  const sigset_t signals = handled_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  Logging logging(options.log_format, options.log_level, options.log_file);
  report_service_links(options.service_links);
  raise_descriptor_limit();
  check_access(options, has_keys_at_home(options));

  Service service(options, logging);
  service.start();
  service.run();
  spdlog::info("stopping: the server answers the requests in flight");
  service.stop();
  if (!service.has_failed()) return k_status_ok;
  spdlog::critical("{}", service.trouble());
  return k_status_failed;
}

}   // namespace holdfast::cli
