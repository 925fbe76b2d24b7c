#include "api/desk/metrics.h"

#include <prometheus/gauge.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <iterator>
#include <sstream>

#include "api/desk/metric_families.h"
#include "api/text_sink.h"

namespace holdfast::api {
namespace {

using Buckets = prometheus::Histogram::BucketBoundaries;

// For requests, as customers feel them. Each bucket costs a line for every route and outcome in use.
const Buckets& request_buckets() {
  static const Buckets buckets{0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5};
  return buckets;
}
// For rounds. Finer, because each of these histograms exists once.
const Buckets& round_buckets() {
  static const Buckets buckets{0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5};
  return buckets;
}
const Buckets& size_buckets() {
  static const Buckets buckets{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1'024, 2'048, 4'096};
  return buckets;
}

prometheus::Histogram& histogram(prometheus::Registry& registry, const char* name, const char* help, const Buckets& buckets) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
}
prometheus::Counter& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

double seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

StateCounts count_seats(const Ledger& ledger) {
  StateCounts total;
  for (const EventNumber number : ledger.events()) {
    const auto event = ledger.event(number);
    if (event == nullptr) continue;
    const StateCounts counts = event->counts();
    total.available += counts.available;
    total.held += counts.held;
    total.sold += counts.sold;
    total.blocked += counts.blocked;
  }
  return total;
}

}  // namespace

// Two threads may get here at once: the family gives both the same histogram.
prometheus::Histogram& EndpointMetrics::histogram(Outcome outcome) {
  std::atomic<prometheus::Histogram*>& known = histograms_[outcome];
  prometheus::Histogram* found = known.load(std::memory_order_acquire);
  if (found == nullptr) {
    found = &family_.Add({{"endpoint", endpoint_}, {"outcome", k_names[outcome]}}, request_buckets());
    known.store(found, std::memory_order_release);
  }
  return *found;
}

void EndpointMetrics::observe(unsigned status, std::chrono::nanoseconds took) {
  const Outcome outcome = status < 400 ? accepted : status == 409 ? refused : status < 500 ? invalid : failed;
  histogram(outcome).Observe(seconds(took));
}

Metrics::Metrics()
    : requests_(prometheus::BuildHistogram()
                    .Name("holdfast_http_request_duration_seconds")
                    .Help("Time from a request's last byte to its answer, by endpoint and outcome (accepted, refused, invalid, failed).")
                    .Register(registry_)),
      batch_commands_(histogram(registry_, "holdfast_batch_commands", "Commands of one round, which share one commit.", size_buckets())),
      commit_seconds_(histogram(registry_, "holdfast_commit_seconds", "Time to make a round durable and publish it.", round_buckets())),
      judge_seconds_(histogram(registry_, "holdfast_judge_seconds", "Time to judge a round in memory.", round_buckets())),
      changes_(counter(registry_, "holdfast_changes_total", "Changes written to the journal.")),
      holds_expired_(counter(registry_, "holdfast_holds_expired_total", "Expiries recorded by the sweep.")),
      failed_commits_(counter(registry_, "holdfast_failed_commits_total", "Rounds that could not be made durable.")),
      keys_refused_(
          prometheus::BuildCounter()
              .Name("holdfast_idempotency_keys_refused_total")
              .Help("Requests refused because idempotency keys had no room left, by sender (caller: with an API key; stranger: without).")
              .Register(registry_)),
      keys_refused_callers_(keys_refused_.Add({{"from", "caller"}})),
      keys_refused_strangers_(keys_refused_.Add({{"from", "stranger"}})) {}

Metrics::~Metrics() = default;

EndpointMetrics& Metrics::endpoint(std::string_view name) {
  auto at = endpoints_.find(name);
  if (at == endpoints_.end()) at = endpoints_.emplace(std::string(name), std::make_unique<EndpointMetrics>(requests_, name)).first;
  return *at->second;
}

void Metrics::on_round(const Round& round) {
  statistics_.on_round(round);
  if (round.tasks > 0) batch_commands_.Observe(static_cast<double>(round.tasks));
  judge_seconds_.Observe(seconds(round.report.judging));
  if (round.keys_refused_callers > 0) keys_refused_callers_.Increment(static_cast<double>(round.keys_refused_callers));
  if (round.keys_refused_strangers > 0) keys_refused_strangers_.Increment(static_cast<double>(round.keys_refused_strangers));
  if (!round.report.durable) {
    failed_commits_.Increment();
    return;
  }
  if (round.report.changes > 0) commit_seconds_.Observe(seconds(round.report.committing));
  changes_.Increment(static_cast<double>(round.report.changes));
  holds_expired_.Increment(static_cast<double>(round.report.swept));
}

// The registry creates a gauge when it is first set.
void Metrics::refresh(const Current& now) {
  const auto set = [&](const char* name, const char* help, auto value) {
    prometheus::BuildGauge().Name(name).Help(help).Register(registry_).Add({}).Set(static_cast<double>(value));
  };
  const auto set_each = [&](const char* name, const char* help, const char* label, const std::vector<Sample>& samples) {
    auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
    for (const Sample& each : samples) family.Add({{label, each.label}}).Set(static_cast<double>(each.value));
  };
  const StateCounts seats = count_seats(now.ledger);
  const http::ServerStats& server = now.server;
  set_each("holdfast_readiness", "1 for the state that /readyz reports now, 0 for the others.", "state",
           {{"ready", now.readiness == Readiness::ready},
            {"degraded", now.readiness == Readiness::degraded},
            {"not_ready", now.readiness == Readiness::not_ready}});
  set("holdfast_queue_depth", "Commands that wait for the next round.", now.engine.queued());
  set("holdfast_state_rows_behind",
      "Journal rows that state.db does not have yet; with PostgreSQL, changes that the tables do not have yet.",
      now.health.state_rows_behind);
  set("holdfast_state_follows", "1 if state.db, or the tables in PostgreSQL, can be written, otherwise 0.", now.health.state_follows);
  set("holdfast_changes_waiters", "Requests that wait for changes (long polling).", now.waiters);
  set_each("holdfast_seats", "Seats of all events, by recorded state.", "state",
           {{"available", seats.available}, {"held", seats.held}, {"sold", seats.sold}, {"blocked", seats.blocked}});
  set("holdfast_http_connections", "Open connections.", server.connections_open);
  set_each("holdfast_http_events", "Counters of the HTTP server since its start, by kind.", "kind",
           {{"connections_accepted", server.connections_accepted},
            {"connections_refused", server.connections_refused},
            {"requests", server.requests},
            {"requests_refused", server.requests_refused},
            {"timeouts", server.timeouts},
            {"bytes_in", server.bytes_in},
            {"bytes_out", server.bytes_out}});
  set("holdfast_live_listeners", "Listeners of live seat maps.", now.live.listeners);
  set("holdfast_live_period_seconds", "Interval between two checks for changes to send to listeners.", seconds(now.live.period));
  set_each(
      "holdfast_live_events", "Counters of live seat maps since the start, by kind.", "kind",
      {{"editions", now.live.editions}, {"messages", now.live.messages}, {"dropped", now.live.dropped}, {"refused", now.live.refused}});
}

std::string Metrics::text(const Current& now, bool compressed) {
  refresh(now);
  Families families = registry_.Collect();
  for (const auto& more : included_) std::ranges::move(more(), std::back_inserter(families));
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  TextSink sink(compressed);
  sink.part() = std::move(out).str();
  return sink.finish();
}

}  // namespace holdfast::api
