// `holdfast serve`: the one place that wires ledger, engine, api and server together.
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

#include <spdlog/spdlog.h>
#include <unistd.h>
#include <boost/asio/ip/address.hpp>

#include "api/api.h"
#include "api/documentation.h"
#include "cli/commands.h"
#include "cli/logging.h"
#include "core/version.h"
#include "ledger/embedded/embedded_ledger.h"

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

api::Access access_of(const ServeOptions& options) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(options.listen, error);
  if (error) throw UsageError("--listen must be an IPv4 or IPv6 address; it is `" + options.listen + "`");
  api::Access access{.beyond_loopback = !address.is_loopback()};
  for (const std::string& each : options.access_anonymous) (each == "contract1" ? access.contract1 : access.contract2) = true;
  if (access.beyond_loopback && !options.access_anonymous_is_set) {
    throw UsageError(
        "without keys Holdfast listens on loopback only, and " + options.listen +
        " is not loopback. To let callers of the two contracts in without a key, write it down: access.anonymous = [\"contract1\", "
        "\"contract2\"] (or --access-anonymous contract1,contract2)");
  }
  return access;
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

// Waits for a signal to end; meanwhile reopens logs and watches the clock.
void wait_for_end(EmbeddedLedger& ledger) {
  const sigset_t signals = handled_signals();
  for (;;) {
    const timespec second{.tv_sec = 1, .tv_nsec = 0};
    const int signal = sigtimedwait(&signals, nullptr, &second);
    if (signal == SIGTERM || signal == SIGINT) return;
    if (signal == SIGHUP) reopen_log();
    if (signal > 0) continue;
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
  const api::Access access = access_of(options);
  const unsigned threads = threads_of(options);

  EmbeddedLedger ledger({.data = options.data,
                         .idempotency_keys_max = options.ledger_idempotency_keys_max,
                         .ended_in_memory_max = options.ledger_ended_in_memory_max,
                         .journal_retention_days = static_cast<std::int64_t>(options.ledger_journal_retention_days)});
  api::Metrics metrics;
  std::atomic<bool> broken{false};
  Engine engine(ledger, {.queue_max = options.engine_queue_max, .sweep = options.sweep}, [&](const Round& round) {
    metrics.on_round(round);
    // Memory and disk disagree: end, and recover at the next start.
    if (!round.report.durable && !broken.exchange(true)) ::kill(::getpid(), SIGTERM);
  });
  api::Api api(ledger, engine, metrics, access, [&] { return api::LedgerHealth{ledger.rows_behind(), ledger.state_follows()}; });
  http::Server server(server_options(options, threads), api, {.on_handler_error = [](std::string_view request, std::string_view what) {
                        spdlog::error("request {} failed: {}", request, what);
                      }});
  api.attach(server, threads);
  server.start();
  write_port_file(options.port_file, server.port());
  spdlog::info("holdfast {} serves {} events from {} on http://{}:{}", k_version, ledger.events().size(), options.data, options.listen,
               server.port());
  if (!api::has_docs_page()) spdlog::info("built without the page at /docs: Node.js or its registry was not there");
  if (!access.beyond_loopback) spdlog::info("no keys are configured: it listens on loopback only, and lets every caller in");

  wait_for_end(ledger);

  spdlog::info("stopping: what is in flight is answered");
  api.set_draining();
  server.stop();
  api.stop_background();
  engine.stop();
  if (!broken) return k_status_ok;
  spdlog::critical("{}", ledger.trouble());
  return k_status_failed;
}

}  // namespace holdfast::cli
