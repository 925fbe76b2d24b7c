#include "api/api.h"

#include <spdlog/spdlog.h>
#include <boost/asio/this_coro.hpp>

#include "access/random.h"
#include "api/desk/span_exporter.h"
#include "api/presence.h"
#include "api/query.h"
#include "api/request_facts.h"
#include "core/check.h"
#include "http/body_unreadable.h"
#include "http/problems.h"

namespace holdfast::api {
namespace {

using Timer = std::chrono::steady_clock;

// The event or the reservation that the first parameter of the path names, if it can be one's id.
void note_subject(Call& call, Subject subject) {
  if (subject == Subject::event) call.event = parse_uuid(call.parameters[0]);
  if (subject == Subject::reservation) call.reservation = parse_uuid(call.parameters[0]);
}

}  // namespace

Api::Api(Ledger& ledger, Engine& engine, Metrics& metrics, Watch& watch, feed::Webhooks& webhooks, AccessControl& access, bool demo,
         std::function<LedgerHealth()> ledger_health)
    : background_(ledger.has_all_in_memory() ? BackgroundPool::k_threads : BackgroundPool::k_threads_that_wait),
      metrics_(metrics),
      state_(services_, std::move(ledger_health)),
      services_{ledger, engine, metrics, background_, texts_, watch, live_, webhooks, access, health_, operators_, state_, demo},
      router_(metrics, demo) {}

Api::~Api() = default;

void Api::attach(http::Server& server, unsigned threads) {
  state_.set_server(server);
  for (unsigned i = 0; i < threads; ++i) {
    threads_.push_back({std::make_unique<Gateway>(services_.engine, server.context(i)), &metrics_.statistics().add_thread()});
    services_.watch.attach(server.context(i));
  }
  live_.attach(server, threads);
  metrics_.statistics().begin(services_.ledger);
}

void Api::set_draining() {
  state_.set_draining();
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
  return match.route != nullptr ? match.route->details.body : http::BodyRule{};
}

bool Api::is_urgent(const http::Request& request) {
  const Match match = router_.find(request.method, request.path);
  switch (match.at_path == nullptr ? Admission::known_key : match.at_path->details.admission) {
    // A body that the server waits for would keep its place from other requests.
    case Admission::probe: return request.header("Content-Length") == nullptr && request.header("Transfer-Encoding") == nullptr;
    case Admission::known_key: return services_.access.shows_key(request);
    case Admission::never: return false;
  }
  return false;
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
    if (match.at_path != nullptr) note_subject(call, match.at_path->subject);
    if (match.route != nullptr) {
      co_await answer(call, *match.route);
    } else {
      answer_otherwise(call, match);
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

// Answers a request that has a route, unless its caller may not call it. An operator's change is noted, whatever its answer.
Answer Api::answer(Call& call, const Route& route) {
  if (!services_.access.admit(call, route.need, route.changes())) co_return;
  const bool must_bring = route.subject != Subject::none && !services_.ledger.has_all_in_memory();
  if (must_bring && !co_await bring_subject(call, route)) co_return;
  const bool is_change = route.group == Group::v1 && route.changes();
  const bool is_operators = is_change && services_.access.is_operator(call.caller);
  std::optional<std::string> note = is_operators ? read_note(call) : std::optional<std::string>("");
  if (!note) co_return;
  // A change takes no query parameters. One that is sent would be a wish that is silently ignored.
  if (!is_change || Query::read(call, {})) {
    // Named, because the handler's frame refers to it while it waits.
    boost::asio::awaitable<void> answering = route.handle(call);
    try {
      co_await std::move(answering);
    } catch (const ReservationUnreadable& error) {
      fail(call, unreadable(error.reservation));
      report_failure(call, &route, {}, error.what());
    }
  }
  const bool is_noted = route.need == Need::admin || call.request.header(k_note_header) != nullptr;
  if (is_operators && is_noted) note_action(call, route, std::move(*note));
}

// Replaces whatever a handler had begun to answer before it threw.
void Api::answer_failure(Call& call) {
  call.response.headers.clear();
  call.response.shared_body = {};
  call.response.stream.reset();
  call.services.access.cors().mark(call.request, call.response);
  const http::Problem& problem = http::problems::k_internal;
  fail(call, {problem.status, problem.code, std::string(problem.detail)});
}

void Api::report_failure(const Call& call, const Route* route, std::optional<std::chrono::nanoseconds> took, std::string_view what) {
  const LogMembers members(facts_of(call, route, took));
  spdlog::error("request {} failed: {}", call.request.request_id, what);
}

// Metrics, the span and the log of a request that has been answered.
void Api::account_for(const Call& call, const Match& match, const Thread& thread, std::chrono::nanoseconds took) {
  const http::Response& response = call.response;
  if (match.route != nullptr) {
    match.route->metrics->observe(call.status_for_metrics == 0 ? response.status : call.status_for_metrics, took);
    thread.counters->answered(match.route->traffic, response.status, call.code, took);
  }
  if (spans_ != nullptr) record_span(call, match.route, took);
  if (spdlog::should_log(spdlog::level::debug)) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    const LogMembers members(facts_of(call, match.route, took));
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
  RequestFacts facts = facts_of(call, &route);
  const LogMembers members(facts);
  operators_.add({.at = services_.ledger.now(),
                  .key_id = call.caller.id,
                  .method = std::string(request.method),
                  .path = std::string(request.path),
                  .request = route.details.shows_body ? std::string(request.body.substr(0, OperatorLog::k_request_bytes_kept * 2)) : "",
                  .note = std::move(note),
                  .facts = std::move(facts)});
}

// 404, 405, or the answer to a browser that asks before it calls.
void Api::answer_otherwise(Call& call, const Match& match) {
  if (match.allow.empty()) return fail(call, {404, k_not_found, "There is nothing at this path."});
  if (services_.access.cors().answer_preflight(call.request, match.allow, call.response)) return;
  call.response.headers.emplace_back("Allow", match.allow);
  fail(call, {405, "method_not_allowed", "This path takes only the methods " + match.allow + "."});
}

void Api::refuse(const http::Problem& problem, std::string_view path, http::Response& response) {
  write_fault({problem.status, problem.code, std::string(problem.detail)}, router_.find({}, path).group, path, response);
}

}  // namespace holdfast::api
