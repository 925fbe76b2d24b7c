#include "api/desk/metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <iterator>
#include <sstream>

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
prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

double seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

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
      keys_refused_strangers_(keys_refused_.Add({{"from", "stranger"}})),
      readiness_(prometheus::BuildGauge()
                     .Name("holdfast_readiness")
                     .Help("1 for the state that /readyz reports now, 0 for the others.")
                     .Register(registry_)),
      queue_depth_(gauge(registry_, "holdfast_queue_depth", "Commands that wait for the next round.")),
      journal_rows_behind_(
          gauge(registry_, "holdfast_state_rows_behind",
                "Journal rows that state.db does not have yet; with PostgreSQL, changes that the tables do not have yet.")),
      state_follows_(
          gauge(registry_, "holdfast_state_follows", "1 if state.db, or the tables in PostgreSQL, can be written, otherwise 0.")),
      changes_waiters_(gauge(registry_, "holdfast_changes_waiters", "Requests that wait for changes (long polling).")),
      seats_(prometheus::BuildGauge().Name("holdfast_seats").Help("Seats of all events, by recorded state.").Register(registry_)),
      connections_(prometheus::BuildGauge().Name("holdfast_http_connections").Help("Open connections.").Register(registry_)),
      server_(prometheus::BuildGauge()
                  .Name("holdfast_http_events")
                  .Help("Counters of the HTTP server since its start, by kind.")
                  .Register(registry_)),
      live_listeners_(gauge(registry_, "holdfast_live_listeners", "Listeners of live seat maps.")),
      live_period_(gauge(registry_, "holdfast_live_period_seconds", "Interval between two checks for changes to send to listeners.")),
      live_(prometheus::BuildGauge()
                .Name("holdfast_live_events")
                .Help("Counters of live seat maps since the start, by kind.")
                .Register(registry_)) {}

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

void Metrics::show(const LiveStats& live) {
  live_listeners_.Set(static_cast<double>(live.listeners));
  live_period_.Set(seconds(live.period));
  live_.Add({{"kind", "editions"}}).Set(static_cast<double>(live.editions));
  live_.Add({{"kind", "messages"}}).Set(static_cast<double>(live.messages));
  live_.Add({{"kind", "dropped"}}).Set(static_cast<double>(live.dropped));
  live_.Add({{"kind", "refused"}}).Set(static_cast<double>(live.refused));
}

void Metrics::show(Readiness readiness) {
  readiness_.Add({{"state", "ready"}}).Set(readiness == Readiness::ready ? 1 : 0);
  readiness_.Add({{"state", "degraded"}}).Set(readiness == Readiness::degraded ? 1 : 0);
  readiness_.Add({{"state", "not_ready"}}).Set(readiness == Readiness::not_ready ? 1 : 0);
}

void Metrics::refresh(const Ledger& ledger, const Engine& engine, const http::ServerStats& server, const LedgerHealth& health) {
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
  seats_.Add({{"state", "available"}}).Set(static_cast<double>(total.available));
  seats_.Add({{"state", "held"}}).Set(static_cast<double>(total.held));
  seats_.Add({{"state", "sold"}}).Set(static_cast<double>(total.sold));
  seats_.Add({{"state", "blocked"}}).Set(static_cast<double>(total.blocked));
  queue_depth_.Set(static_cast<double>(engine.queued()));
  journal_rows_behind_.Set(static_cast<double>(health.state_rows_behind));
  state_follows_.Set(health.state_follows ? 1 : 0);
  connections_.Add({}).Set(static_cast<double>(server.connections_open));
  server_.Add({{"kind", "connections_accepted"}}).Set(static_cast<double>(server.connections_accepted));
  server_.Add({{"kind", "connections_refused"}}).Set(static_cast<double>(server.connections_refused));
  server_.Add({{"kind", "requests"}}).Set(static_cast<double>(server.requests));
  server_.Add({{"kind", "requests_refused"}}).Set(static_cast<double>(server.requests_refused));
  server_.Add({{"kind", "timeouts"}}).Set(static_cast<double>(server.timeouts));
  server_.Add({{"kind", "bytes_in"}}).Set(static_cast<double>(server.bytes_in));
  server_.Add({{"kind", "bytes_out"}}).Set(static_cast<double>(server.bytes_out));
}

std::string Metrics::text(const Ledger& ledger, const Engine& engine, const http::ServerStats& server, const LedgerHealth& health,
                          bool compressed) {
  refresh(ledger, engine, server, health);
  std::vector<prometheus::MetricFamily> families = registry_.Collect();
  for (const prometheus::Collectable* each : included_) std::ranges::move(each->Collect(), std::back_inserter(families));
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  TextSink sink(compressed);
  sink.part() = std::move(out).str();
  return sink.finish();
}

}  // namespace holdfast::api
