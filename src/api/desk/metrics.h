// Holdfast's metrics, in Prometheus' text format. docs/operations.md has names and meanings.
#pragma once

#include <prometheus/counter.h>
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
  // What the parts of the server are like at the moment of a scrape.
  struct Current {
    const Ledger& ledger;
    const Engine& engine;
    http::ServerStats server;
    LedgerHealth health;
    LiveStats live;
    Readiness readiness;
    std::size_t waiters;   // requests that wait for changes
  };
  using Families = std::vector<prometheus::MetricFamily>;

  Metrics();
  ~Metrics();

  EndpointMetrics& endpoint(std::string_view name);
  void on_round(const Round& round);
  Statistics& statistics() { return statistics_; }

  // Requests since the start that were refused because idempotency keys had no room left: of callers with an API key, and of every caller
  // on a server that admits all.
  double keys_refused_callers() const { return keys_refused_callers_.Value(); }
  // Likewise, of sessions and of callers without an API key.
  double keys_refused_strangers() const { return keys_refused_strangers_.Value(); }

  // Adds metrics of another part. Call before the server starts. `more` is called by text(), on any thread.
  void include(std::function<Families()> more) { included_.push_back(std::move(more)); }

  // All metrics. `compressed`: with gzip.
  std::string text(const Current& now, bool compressed = false);

 private:
  void refresh(const Current& now);

  Statistics statistics_;
  prometheus::Registry registry_;
  std::vector<std::function<Families()>> included_;
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
};

}   // namespace holdfast::api
