// The application behind the HTTP server: all endpoints, wired to a ledger and an engine.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/access.h"
#include "api/background.h"
#include "api/call.h"
#include "api/desk/health.h"
#include "api/desk/metrics.h"
#include "api/desk/operator_log.h"
#include "api/router.h"
#include "api/server_state.h"
#include "api/shared_texts.h"
#include "api/watch.h"
#include "engine/engine.h"
#include "http/server.h"
#include "live/hub.h"

namespace holdfast::api {

class SpanExporter;

class Api : public http::Handler {
 public:
  Api(Ledger& ledger, Engine& engine, Metrics& metrics, Watch& watch, feed::Webhooks& webhooks, AccessControl& access, bool demo,
      std::function<LedgerHealth()> ledger_health);
  ~Api();

  // Once, before the server starts, so that each of its threads has a way to the engine.
  void attach(http::Server& server, unsigned threads);
  // The server is shutting down: /readyz answers 503 from here on, and calls that wait for changes return at once.
  void set_draining();
  // After the server has stopped and before it is destroyed. Safe to call twice.
  void stop_background() {
    live_.stop();
    background_.stop();
    texts_.stop();
  }
  // What GET /v1/operations/health shows. The code that wires a part of the server adds a probe for it, before the server starts.
  Health& health() { return health_; }
  LiveStats live_stats() const { return live_.stats(); }

  // All of the following before attach(). What GET /version names.
  void set_commit(const Commit& commit) { state_.set_commit(commit); }
  // Where spans of traced requests go; nullptr, the default: nowhere. Must live as long as the server works.
  void set_spans(SpanExporter* spans) { spans_ = spans; }
  void set_live(const LiveOptions& options) { live_.set_options(options); }
  // A part that Holdfast can sell without. `what` says in a sentence what is missing now, or returns an empty text. /readyz shows it.
  void add_degradation(std::function<std::string()> what) { state_.add_degradation(std::move(what)); }

  bool is_urgent(const http::Request& request) override;
  http::BodyRule body_rule(const http::Request& request) override;
  boost::asio::awaitable<void> handle(http::Request& request, http::Response& response) override;
  void refuse(const http::Problem& problem, std::string_view path, http::Response& response) override;

 private:
  // What belongs to one thread of the server.
  struct Thread {
    std::unique_ptr<Gateway> gateway;
    ThreadCounters* counters;
  };

  Thread& thread_of(boost::asio::io_context& context);
  Answer answer(Call& call, const Route& route);
  void note_action(const Call& call, const Route& route, std::string note);
  static void answer_failure(Call& call);
  static void report_failure(const Call& call, const Route* route, std::optional<std::chrono::nanoseconds> took, std::string_view what);
  void account_for(const Call& call, const Match& match, const Thread& thread, std::chrono::nanoseconds took);
  void record_span(const Call& call, const Route* route, std::chrono::nanoseconds took);
  void answer_otherwise(Call& call, const Match& match);

  BackgroundPool background_;
  SharedTexts texts_;
  LiveHub live_;
  Health health_;
  OperatorLog operators_;
  Metrics& metrics_;
  ServerState state_;
  Services services_;
  Router router_;
  SpanExporter* spans_ = nullptr;
  std::vector<Thread> threads_;
};

}   // namespace holdfast::api
