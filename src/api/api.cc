#include "api/api.h"

#include <spdlog/spdlog.h>
#include <boost/asio/this_coro.hpp>

#include "access/random.h"
#include "api/desk/span_exporter.h"
#include "api/embedded.h"
#include "api/presence.h"
#include "api/query.h"
#include "api/request_facts.h"
#include "core/check.h"
#include "http/body_unreadable.h"
#include "http/problems.h"

namespace holdfast::api {
namespace {

using Timer = std::chrono::steady_clock;

void answer_text(Call& call, unsigned status, std::string_view type, std::string text) {
  call.response.status = status;
  call.response.content_type = type;
  call.response.body = std::move(text);
}

}  // namespace

Api::Api(Ledger& ledger, Engine& engine, Metrics& metrics, Watch& watch, feed::Webhooks& webhooks, AccessControl& access, bool demo,
         std::function<LedgerHealth()> ledger_health)
    : background_(ledger.has_all_in_memory() ? BackgroundPool::k_threads : BackgroundPool::k_threads_that_wait),
      metrics_(metrics),
      services_{ledger,
                engine,
                metrics,
                background_,
                texts_,
                watch,
                live_,
                webhooks,
                access,
                health_,
                operators_,
                demo,
                [this](Call& call) { answer_operations(call); }},
      router_(metrics, demo),
      ledger_health_(std::move(ledger_health)) {}

Api::~Api() = default;

void Api::attach(http::Server& server, unsigned threads) {
  server_ = &server;
  for (unsigned i = 0; i < threads; ++i) {
    threads_.push_back({std::make_unique<Gateway>(services_.engine, server.context(i)), &metrics_.statistics().add_thread()});
    services_.watch.attach(server.context(i));
  }
  live_.attach(server, threads);
  metrics_.statistics().begin(services_.ledger);
}

void Api::set_draining() {
  draining_ = true;
  services_.watch.end();
}

Api::Thread& Api::thread_of(boost::asio::io_context& context) {
  for (Thread& thread : threads_) {
    if (&thread.gateway->context() == &context) return thread;
  }
  HOLDFAST_CHECK(false && "a thread that the server does not have");
}

http::BodyRule Api::body_rule(const http::Request& request) {
  const Match match = router_.find(request.method, request.path);
  return match.route != nullptr ? match.route->body : http::BodyRule{};
}

// Probes, and callers who show a key; but nothing that waits or goes on for long.
bool Api::is_urgent(const http::Request& request) {
  // A probe has no body: one that is waited for would keep its place from others.
  if (request.path == "/healthz" || request.path == "/health" || request.path == "/readyz") {
    return request.header("Content-Length") == nullptr && request.header("Transfer-Encoding") == nullptr;
  }
  return !request.path.ends_with("/live") && services_.access.shows_key(request);
}

boost::asio::awaitable<void> Api::handle(http::Request& request, http::Response& response) {
  const auto started = Timer::now();
  const auto executor = co_await boost::asio::this_coro::executor;
  auto& context = static_cast<boost::asio::io_context&>(boost::asio::query(executor, boost::asio::execution::context));
  const Match match = router_.find(request.method, request.path);
  Thread& thread = thread_of(context);
  Call call{services_, *thread.gateway, request, response, match.group, match.parameters};
  services_.access.cors().mark(request, response);
  try {
    if (match.route == nullptr) {
      answer_otherwise(call, match);
    } else if (services_.access.admit(call, match.route->need, match.route->changes) && co_await bring_subject(call, *match.route)) {
      const bool is_change = match.group == Group::v1 && match.route->method != "GET";
      const bool changes = is_change && services_.access.is_operator(call.caller);
      std::optional<std::string> note = changes ? read_note(call) : std::optional<std::string>("");
      // No call of /v1 that changes something has query parameters: one that is there would be a wish that is not heard.
      if (note && (!is_change || Query::read(call, {}))) {
        // Named, because the handler's frame refers to it while it waits.
        boost::asio::awaitable<void> answering = match.route->handle(call);
        try {
          co_await std::move(answering);
        } catch (const ReservationUnreadable& error) {
          fail(call, unreadable(error.reservation));
          report_failure(call, match.route, {}, error.what());
        }
      }
      const bool is_noted = match.route->need == Need::admin || request.header(k_note_header) != nullptr;
      if (changes && note && is_noted) note_action(call, *match.route, std::move(*note));
    }
  } catch (const http::BodyUnreadable& error) {
    response.status = error.answer();
    if (error.answer() != 0) account_for(call, match, thread, Timer::now() - started);
    throw;
  } catch (const std::exception& error) {
    answer_failure(call);
    report_failure(call, match.route, Timer::now() - started, error.what());
  }
  account_for(call, match, thread, Timer::now() - started);
}

// Of a handler that has thrown, whatever it had begun to answer.
void Api::answer_failure(Call& call) {
  call.response.headers.clear();
  call.response.shared_body = {};
  call.response.stream.reset();
  call.services.access.cors().mark(call.request, call.response);
  const http::Problem& problem = http::problems::k_internal;
  fail(call, {problem.status, problem.code, std::string(problem.detail)});
}

void Api::report_failure(const Call& call, const Route* route, std::optional<std::chrono::nanoseconds> took, std::string_view what) {
  const RequestFacts facts = facts_of(call, route, took);
  const LogMembers members(facts);
  spdlog::error("request {} failed: {}", call.request.request_id, what);
}

// Metrics, the span and the log, of a request that has been answered.
void Api::account_for(const Call& call, const Match& match, const Thread& thread, std::chrono::nanoseconds took) {
  const http::Response& response = call.response;
  // A refusal of contract 2 is a 400 that says which tickets: to the metrics it is a refusal, not a malformed request.
  const bool refused = match.group == Group::contract2 && response.status == 400 && response.body.find("nodisponible") != std::string::npos;
  if (match.route != nullptr) {
    match.route->metrics->observe(refused ? 409 : response.status, took);
    thread.counters->answered(match.route->traffic, response.status, refused ? "seat_unavailable" : call.code, took);
  }
  if (spans_ != nullptr) record_span(call, match.route, took);
  if (spdlog::should_log(spdlog::level::debug)) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    const RequestFacts facts = facts_of(call, match.route, took);
    const LogMembers members(facts);
    const http::Request& request = call.request;
    spdlog::debug("request {}: {} {} answered {} after {} us", request.request_id, request.method, request.path, response.status, us);
  }
}

void Api::record_span(const Call& call, const Route* route, std::chrono::nanoseconds took) {
  const std::string_view* header = call.request.header("traceparent");
  const auto parent = header == nullptr ? std::nullopt : parse_traceparent(*header);
  if (!parent || !is_sampled(*parent)) return;
  const auto ended = std::chrono::system_clock::now().time_since_epoch();
  Span span{.parent = *parent,
            .method = std::string(call.request.method),
            .began = ended - took,
            .ended = ended,
            .facts = facts_of(call, route, took)};
  fill_random(span.id);
  spans_->record(std::move(span));
}

void Api::note_action(const Call& call, const Route& route, std::string note) {
  const http::Request& request = call.request;
  const RequestFacts facts = facts_of(call, &route);
  const LogMembers members(facts);
  // Of webhooks it could be a secret; of imports it is long, and has been read.
  const bool may_be_shown = request.path.starts_with("/v1/reservations") || request.path.starts_with("/v1/events/");
  operators_.add({.at = services_.ledger.now(),
                  .key_id = call.caller.id,
                  .key_name = services_.access.name_of_key(call.caller.id),
                  .method = std::string(request.method),
                  .path = std::string(request.path),
                  .request = may_be_shown ? std::string(request.body.substr(0, OperatorLog::k_request_bytes_kept * 2)) : "",
                  .note = std::move(note),
                  .status = call.response.status,
                  .code = std::string(call.code),
                  .request_id = std::string(request.request_id)});
}

// What no endpoint answers.
void Api::answer_otherwise(Call& call, const Match& match) {
  if (match.allow.empty()) return fail(call, {404, k_not_found, "There is nothing at this path."});
  if (services_.access.cors().answer_preflight(call.request, match.allow, call.response)) return;
  call.response.headers.emplace_back("Allow", match.allow);
  fail(call, {405, "method_not_allowed", "This path takes " + match.allow + "."});
}

// Health, readiness, version, metrics.
Answer show_operations(Call& call) {
  call.services.operations(call);
  co_return;
}

std::string Api::trouble() const { return draining_ ? "The server is shutting down." : services_.ledger.trouble(); }

std::vector<std::string> Api::degradations() const {
  std::vector<std::string> all;
  for (const auto& degradation : degradations_) {
    if (std::string what = degradation(); !what.empty()) all.push_back(std::move(what));
  }
  return all;
}

Readiness Api::readiness() const {
  if (!trouble().empty()) return Readiness::not_ready;
  return degradations().empty() ? Readiness::ready : Readiness::degraded;
}

void Api::answer_operations(Call& call) {
  const std::string_view path = call.request.path;
  call.response.headers.emplace_back("Cache-Control", "no-store");
  if (path == "/healthz" || path == "/health") {
    answer_text(call, 200, "text/plain; charset=utf-8", "ok\n");
  } else if (path == "/readyz") {
    if (const std::string why = trouble(); !why.empty()) return fail(call, {503, k_unavailable, why});
    std::string text = "ready\n";
    for (const std::string& what : degradations()) text.append("degraded: ").append(what).append("\n");
    answer_text(call, 200, "text/plain; charset=utf-8", std::move(text));
  } else if (path == "/metrics") {
    metrics_.set_waiters(services_.watch.waiters());
    metrics_.show(live_.stats());
    metrics_.show(readiness());
    const std::string_view* codings = call.request.header("Accept-Encoding");
    const bool compressed = codings != nullptr && accepts_gzip(*codings);
    call.response.headers.emplace_back("Vary", "Accept-Encoding");
    if (compressed) call.response.headers.emplace_back("Content-Encoding", "gzip");
    answer_text(call, 200, "text/plain; version=0.0.4; charset=utf-8",
                metrics_.text(services_.ledger, services_.engine, server_->stats(), ledger_health_(), compressed));
  } else {
    call.response.status = 200;
    call.response.content_type = "application/json";
    Json json(call.response.body);
    json.object([&] {
      json.member("name", "holdfast");
      json.member("version", k_version);
      json.member("commit");
      *commit_.id == '\0' ? json.null() : json.text(commit_.id);
      json.member("modified", commit_.is_modified);
    });
  }
}

void Api::refuse(const http::Problem& problem, std::string_view path, http::Response& response) {
  write_fault({problem.status, problem.code, std::string(problem.detail)}, router_.find({}, path).group, path, response);
}

}  // namespace holdfast::api
