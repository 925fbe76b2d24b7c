// The application behind the HTTP server: all endpoints, wired to a ledger and an engine.
#pragma once

#include <atomic>
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
#include "api/shared_texts.h"
#include "api/watch.h"
#include "core/version.h"
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

  // Once, before the server starts: the api must know the server's threads.
  void attach(http::Server& server, unsigned threads);
  // While the server drains, /readyz says so, and nobody waits for changes any more.
  void set_draining();
  // After the server has stopped and before it is destroyed. Safe to call twice.
  void stop_background() {
    live_.stop();
    background_.stop();
    texts_.stop();
  }
  // What GET /v1/operations/health shows: whoever wires a part of the server adds a probe for it, before the server starts.
  Health& health() { return health_; }
  LiveStats live_stats() const { return live_.stats(); }

  // What GET /version names. Before attach().
  void set_commit(const Commit& commit) { commit_ = commit; }
  // Where spans of traced requests go; nullptr, which it is at first: nowhere. Before attach(); must live as long as the server works.
  void set_spans(SpanExporter* spans) { spans_ = spans; }
  // Before attach().
  void set_live(const LiveOptions& options) { live_.set_options(options); }
  // Something that Holdfast sells without while it is away: says in a sentence what is missing, or nothing. /readyz tells. Before
  // attach().
  void add_degradation(std::function<std::string()> what) { degradations_.push_back(std::move(what)); }

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
  void note_action(const Call& call, const Route& route, std::string note);
  static void answer_failure(Call& call);
  static void report_failure(const Call& call, const Route* route, std::optional<std::chrono::nanoseconds> took, std::string_view what);
  void account_for(const Call& call, const Match& match, const Thread& thread, std::chrono::nanoseconds took);
  void record_span(const Call& call, const Route* route, std::chrono::nanoseconds took);
  void answer_otherwise(Call& call, const Match& match);
  void answer_operations(Call& call);
  std::string trouble() const;                      // why nothing can be sold now; empty if it can
  std::vector<std::string> degradations() const;   // a sentence for each thing that is missing now
  Readiness readiness() const;

  BackgroundPool background_;
  SharedTexts texts_;
  LiveHub live_;
  Health health_;
  OperatorLog operators_;
  Metrics& metrics_;
  Commit commit_;
  Services services_;
  Router router_;
  std::function<LedgerHealth()> ledger_health_;
  std::vector<std::function<std::string()>> degradations_;
  SpanExporter* spans_ = nullptr;
  http::Server* server_ = nullptr;
  std::vector<Thread> threads_;
  std::atomic<bool> draining_{false};
};

}   // namespace holdfast::api
