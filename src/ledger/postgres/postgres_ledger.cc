#include "ledger/postgres/postgres_ledger.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/uuid/random_generator.hpp>

#include "core/check.h"
#include "ledger/postgres/follower.h"
#include "ledger/postgres/schema.h"
#include "ledger/postgres/transaction.h"

namespace holdfast {
namespace {

using namespace pg;

constexpr std::size_t k_events_per_transaction = 16;
constexpr std::chrono::milliseconds k_look_at_expiries{500};   // at the latest: nobody tells the engine of other nodes' holds
constexpr Millis k_sweep_spread_max = 50;                      // so that usually only one node sweeps an event

pg::Settings settings_of(const PostgresOptions& options) {
  pg::Settings settings;
  settings.url = options.url;
  settings.application = "holdfast ledger";
  return settings;
}

}  // namespace

PostgresLedger::PostgresLedger(PostgresOptions options)
    : options_(std::move(options)),
      pool_(settings_of(options_), {.connections_max = options_.connections_max}),
      node_(boost::uuids::random_generator()()),
      hash_seed_(draw_hash_seed()),
      directory_(hash_seed_),
      sweep_spread_(static_cast<Millis>(hash_seed_ % (k_sweep_spread_max + 1))) {
  HOLDFAST_CHECK(options_.lanes >= 1 && options_.lanes <= k_lanes_max);
  auto connection = pool_.take();
  check_server(*connection);
  ask_clock(*connection);
  bring_events(*connection);
  connection.give_back();
  projector_ = std::make_unique<Projector>(ProjectorOptions{.settings = settings_of(options_),
                                                            .journal_retention_days = options_.journal_retention_days,
                                                            .relayed = options_.relayed,
                                                            .clock_trouble = [this] {
                                                              ask_clock(*pool_.take());
                                                              return clock_trouble();
                                                            }});
  reader_ =
      std::make_unique<pg::Reader>(pool_, *projector_, [this](EventNumber number) { return event(number); }, [this] { return now(); });
  follower_ = std::make_unique<Follower>(*this);
}

PostgresLedger::~PostgresLedger() {
  follower_->stop();
  follower_.reset();
  projector_.reset();
}

ExecutionReport PostgresLedger::execute(std::span<const Batch> batches) {
  ExecutionReport report{.durable = true};
  for (std::size_t first = 0; first < batches.size(); first += k_events_per_transaction) {
    execute_some(batches.subspan(first, std::min(k_events_per_transaction, batches.size() - first)), report);
  }
  return report;
}

void PostgresLedger::execute_some(std::span<const Batch> batches, ExecutionReport& report) {
  const Transaction::Result result = Transaction(*this, batches).run(report);
  if (result == Transaction::Result::done) return;
  if (result == Transaction::Result::held_back) {
    for (const Batch& batch : batches) execute_some({&batch, 1}, report);
    return;
  }
  ++counters_.failed;
  report.durable = false;
  for (const Batch& batch : batches) {
    for (Entry* entry : batch.entries) entry->verdict = refuse_all(entry->submission, Reason::unavailable);
  }
}

// After a row that this node has written and that readers have seen.
void PostgresLedger::after_own_row(Replica& replica, const JournalRow& row, const ChangeBatch& written) {
  remember(row, {.changes = written.bytes, .keys = {}, .versions = written.versions, .traces = written.traces});
  follower_->announce(row.event);
  after_publishing(replica);
}

// Keeps a row that readers have seen, for those that follow the changes closely.
void PostgresLedger::remember(const JournalRow& row, const JournalBody& body) {
  if (row.changes > 0) reader_->remember(kept_row(row, body, 0));
}

void PostgresLedger::ask_clock(Connection& connection) {
  constexpr Statement k_now{"now", "SELECT " HOLDFAST_DATABASE_NOW};
  const std::int64_t sent = DatabaseClock::boot_ms();
  observe_clock(connection.query(k_now).int8(0, 0), sent);
}

// Takes a time of the database's clock. After a jump beyond the limit nothing is judged: holds would all end at once, or would not end.
void PostgresLedger::observe_clock(Millis at, std::int64_t sent) {
  const auto step = clock_.observe(at, sent, DatabaseClock::boot_ms());
  if (!step) return;
  const std::scoped_lock lock(trouble_mutex_);
  clock_stepped_ += *step;
  spdlog::warn("the database's clock has stepped by {} ms", *step);
  clock_trouble_.clear();
  if (std::abs(clock_stepped_) <= DatabaseClock::k_jump_max) return;
  clock_trouble_ =
      "The database's clock has jumped by " + std::to_string(clock_stepped_ / 1'000) +
      " s since this node started. Nothing is sold until the clock is right again. If the clock was wrong before and is right now, restart "
      "this node.";
  spdlog::critical("{}", clock_trouble_);
}

// Why nothing may be judged; empty if it may.
std::string PostgresLedger::clock_trouble() const {
  const std::scoped_lock lock(trouble_mutex_);
  return clock_trouble_;
}

// While the clock is in doubt nothing is old, because nobody knows by how much it is wrong.
Millis PostgresLedger::undoubted_now() const { return clock_trouble().empty() && !projector_->is_clock_in_doubt() ? now() : 0; }

// By how much keys outlive their 24 hours in memory: as long as they would still count if the clock were wrong.
Millis PostgresLedger::keys_kept_longer() const {
  return clock_trouble().empty() ? projector_->clock_may_be_ahead() : k_clock_ahead_unknown;
}

std::string PostgresLedger::trouble() const {
  if (std::string clock = clock_trouble(); !clock.empty()) return clock;
  const std::string away = pool_.trouble();
  return away.empty() ? "" : "The database cannot be reached: " + away;
}

std::string PostgresLedger::damage() const {
  const std::scoped_lock lock(trouble_mutex_);
  if (damaged_.empty()) return {};
  return std::to_string(damaged_.size()) + " events are damaged and not sold from: " + damaged_.begin()->second;
}

bool PostgresLedger::is_damaged(EventNumber number) const {
  const std::scoped_lock lock(trouble_mutex_);
  return damaged_.contains(number);
}

std::string PostgresLedger::exposure() const {
  const std::scoped_lock lock(trouble_mutex_);
  return exposure_;
}

std::string PostgresLedger::degradation() const {
  for (std::string each : {damage(), projector_->trouble(), left_out(), exposure()}) {
    if (!each.empty()) return each;
  }
  return {};
}

// Events that following, reading or housekeeping leaves out at the moment.
std::string PostgresLedger::left_out() const {
  if (const auto summary = not_followed_.summary(); summary.events > 0)
    return "this node does not see other nodes' changes for " + summary.text;
  if (const auto summary = reader_->untold(); summary.events > 0) return "changes cannot be read for " + summary.text;
  if (const auto summary = not_kept_.summary(); summary.events > 0) return "the work of every second fails for " + summary.text;
  return {};
}

// ---------------------------------------------------------------------------------------------------------------- expiry

std::vector<EventNumber> PostgresLedger::events_to_sweep(std::size_t limit, Lane lane) {
  std::vector<EventNumber> due;
  const Millis now = clock_.now() - sweep_spread_;
  const std::shared_lock lock(replicas_mutex_);
  for (const auto& [number, replica] : replicas_) {
    if (due.size() >= limit) break;
    if (lane.has(number) && replica->next_expiry() <= now) due.push_back(number);
  }
  return due;
}

std::optional<std::chrono::milliseconds> PostgresLedger::until_next_expiry(Lane lane) {
  Millis next = k_never;
  {
    const std::shared_lock lock(replicas_mutex_);
    for (const auto& [number, replica] : replicas_) {
      if (lane.has(number)) next = std::min(next, replica->next_expiry());
    }
  }
  if (next == k_never) return k_look_at_expiries;
  const auto left = std::chrono::milliseconds(std::max<Millis>(0, next + sweep_spread_ - clock_.now()));
  return std::min<std::chrono::milliseconds>(left, k_look_at_expiries);
}

PostgresStats PostgresLedger::stats() const {
  PostgresStats stats{.connections = pool_.stats(),
                      .batches_written = counters_.written,
                      .batches_refused = counters_.refused,
                      .batches_again = counters_.again,
                      .commits_settled = counters_.settled,
                      .batches_failed = counters_.failed,
                      .rows_followed = counters_.followed,
                      .replicas_loaded = counters_.loaded,
                      .histories_changed = counters_.histories};
  stats.projector = projector_->stats();
  const std::shared_lock lock(replicas_mutex_);
  stats.replicas = replicas_.size();
  stats.events_left_out = not_followed_.summary().events + not_kept_.summary().events;
  Millis next = k_never;
  for (const auto& [number, replica] : replicas_) next = std::min(next, replica->next_expiry());
  stats.expiries_due = std::chrono::milliseconds(std::max<Millis>(0, clock_.now() - next));
  return stats;
}

void PostgresLedger::on_news(std::function<void()> call) { follower_->on_news(std::move(call)); }

}  // namespace holdfast
