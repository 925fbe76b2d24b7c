// Holdfast's metrics, in Prometheus' text format. docs/operations.md has names and meanings.
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

// An endpoint's histograms, by outcome. Each is created when it is first used, so that a scrape does not carry routes and outcomes that
// never occur. After that a request costs two atomic additions. Any thread.
class EndpointMetrics {
 public:
  EndpointMetrics(prometheus::Family<prometheus::Histogram>& family, std::string_view endpoint) : family_(family), endpoint_(endpoint) {}
  void observe(unsigned status, std::chrono::nanoseconds took);

 private:
  enum Outcome : std::uint8_t {
    accepted,   // 1xx to 3xx
    refused,   // 409, and contract 2's refusals: another customer has the seat
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

// How far the ledger's tables are behind its journal.
struct LedgerHealth {
  std::int64_t state_rows_behind = 0;   // journal rows that state.db lacks; with PostgreSQL, changes that the tables lack
  bool state_follows = true;   // false: the tables cannot be written at the moment
};

// What /readyz reports: the node can sell; it can sell, but without a configured part; it cannot sell.
enum class Readiness { ready, degraded, not_ready };

// Any thread.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  EndpointMetrics& endpoint(std::string_view name);
  void on_round(const Round& round);
  Statistics& statistics() { return statistics_; }
  void show(const LiveStats& live);   // sets current values, for text()
  void show(Readiness readiness);   // likewise

  // Requests since the start that were refused because idempotency keys had no room left: of callers with an API key, and of every caller
  // on a server that admits all.
  double keys_refused_callers() const { return keys_refused_callers_.Value(); }
  // Likewise, of sessions and of callers without an API key.
  double keys_refused_strangers() const { return keys_refused_strangers_.Value(); }

  void set_waiters(std::size_t waiters) { changes_waiters_.Set(static_cast<double>(waiters)); }
  // Adds metrics of another part. Call before the server starts; `more` must outlive the last call of text().
  void include(const prometheus::Collectable& more) { included_.push_back(&more); }

  // All metrics, with current values of the given parts. `compressed`: with gzip.
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
