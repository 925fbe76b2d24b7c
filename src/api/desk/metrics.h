// What Holdfast tells about itself, in Prometheus' text format. Names and meanings: docs/operations.md.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/desk/statistics.h"
#include "engine/engine.h"
#include "http/server.h"
#include "live/hub.h"

namespace holdfast::api {

// An endpoint's histograms, by outcome. Each is made when it is first used: most routes are never asked for, most outcomes never happen, and
// a scrape should not carry them. Afterwards a request costs two atomic additions.
class EndpointMetrics {
 public:
  EndpointMetrics(prometheus::Family<prometheus::Histogram>& family, std::string_view endpoint) : family_(family), endpoint_(endpoint) {}
  void observe(unsigned status, std::chrono::nanoseconds took);

 private:
  enum Outcome : std::uint8_t {
    accepted,   // 1xx to 3xx
    refused,   // 409, and contract 2's refusals: the seat was somebody else's
    invalid,   // the other 4xx
    failed,   // 5xx
    k_outcomes
  };
  static constexpr std::array<const char*, k_outcomes> k_names{"accepted", "refused", "invalid", "failed"};

  prometheus::Histogram& histogram(Outcome outcome);

  prometheus::Family<prometheus::Histogram>& family_;
  std::string endpoint_;
  std::array<std::atomic<prometheus::Histogram*>, k_outcomes> histograms_{};   // nullptr: not used yet
};

// How the ledger's own threads are doing.
struct LedgerHealth {
  std::int64_t state_rows_behind = 0;   // journal rows that state.db, or changes that the tables in PostgreSQL, do not have yet
  bool state_follows = true;   // false: these cannot be written at the moment
};

// What /readyz says: whether this node can sell, and with all that it is configured to sell with.
enum class Readiness { ready, degraded, not_ready };

// Any thread.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  EndpointMetrics& endpoint(std::string_view name);
  void on_round(const Round& round);
  Statistics& statistics() { return statistics_; }
  void show(const LiveStats& live);   // as of now, for text()
  void show(Readiness readiness);   // likewise

  // Requests with an Idempotency-Key that there was no room for, since the start: of callers with an API key, and on a server that lets
  // everybody in.
  double keys_refused_callers() const { return keys_refused_callers_.Value(); }
  // Likewise of sessions and callers without a key.
  double keys_refused_strangers() const { return keys_refused_strangers_.Value(); }

  void set_waiters(std::size_t waiters) { changes_waiters_.Set(static_cast<double>(waiters)); }
  // Metrics that somebody else keeps; before the server starts. `more` must live as long as text() is called.
  void include(const prometheus::Collectable& more) { included_.push_back(&more); }

  // Everything, with what only the moment of asking knows; `compressed` by gzip, or as it is.
  std::string text(const Ledger& ledger, const Engine& engine, const http::ServerStats& server, const LedgerHealth& health,
                   bool compressed = false);

 private:
  void refresh(const Ledger& ledger, const Engine& engine, const http::ServerStats& server, const LedgerHealth& health);

  Statistics statistics_;
  prometheus::Registry registry_;
  std::vector<const prometheus::Collectable*> included_;
  prometheus::Family<prometheus::Histogram>& requests_;
  std::map<std::string, std::unique_ptr<EndpointMetrics>, std::less<>> endpoints_;
  prometheus::Histogram& batch_commands_;
  prometheus::Histogram& commit_seconds_;
  prometheus::Histogram& judge_seconds_;
  prometheus::Counter& changes_;
  prometheus::Counter& holds_expired_;
  prometheus::Counter& failed_commits_;
  prometheus::Family<prometheus::Counter>& keys_refused_;
  prometheus::Counter& keys_refused_callers_;
  prometheus::Counter& keys_refused_strangers_;
  prometheus::Family<prometheus::Gauge>& readiness_;
  prometheus::Gauge& queue_depth_;
  prometheus::Gauge& journal_rows_behind_;
  prometheus::Gauge& state_follows_;
  prometheus::Gauge& changes_waiters_;
  prometheus::Family<prometheus::Gauge>& seats_;
  prometheus::Family<prometheus::Gauge>& connections_;
  prometheus::Family<prometheus::Gauge>& server_;
  prometheus::Gauge& live_listeners_;
  prometheus::Gauge& live_period_;
  prometheus::Family<prometheus::Gauge>& live_;
};

}   // namespace holdfast::api
