#include "cli/health.h"

#include <fmt/format.h>

#include <algorithm>

#include "feed/webhooks/webhooks.h"

namespace holdfast::cli {
namespace {

using api::HealthComponent;
using api::HealthLag;
using api::HealthStatus;

// More is worth a look: in a moment as quiet as any, state.db is some tens of rows behind.
constexpr std::int64_t k_rows_behind_degraded = 10'000;
constexpr std::uint64_t k_changes_behind_degraded = 10'000;
constexpr std::size_t k_full_part = 2;   // a queue that is half full is worth a look

HealthComponent look_at_ledger(const EmbeddedLedger& ledger) {
  const std::string trouble = ledger.trouble();
  return {.kind = "embedded",
          .status = trouble.empty() ? HealthStatus::ok : HealthStatus::down,
          .detail = trouble.empty() ? "The journal can be written; what is answered is on disk." : trouble};
}

HealthComponent look_at_tables(const EmbeddedLedger& ledger) {
  const auto behind = static_cast<std::int64_t>(ledger.rows_behind());
  const HealthLag lag{static_cast<double>(behind), "rows"};
  if (!ledger.state_follows()) {
    return {"state.db", HealthStatus::degraded, "state.db cannot be written; the log says why. Sales go on, lists and histories do not.",
            lag};
  }
  if (behind > k_rows_behind_degraded) return {"state.db", HealthStatus::degraded, "state.db is far behind the journal.", lag};
  return {"state.db", HealthStatus::ok, "state.db follows the journal.", lag};
}

HealthComponent look_at_engine(const Engine& engine, std::size_t queue_max) {
  const std::size_t queued = engine.queued();
  const HealthLag lag{static_cast<double>(queued), "commands"};
  if (queued * k_full_part >= queue_max && queue_max > 1) {
    return {"queue", HealthStatus::degraded,
            fmt::format("{} of at most {} commands wait; when it is full, more are turned away.", queued, queue_max), lag};
  }
  return {"queue", HealthStatus::ok, fmt::format("At most {} commands may wait for the next round.", queue_max), lag};
}

HealthComponent look_at_webhooks(feed::Webhooks& webhooks) {
  std::uint64_t behind = 0;
  std::uint64_t pending = 0;
  std::uint64_t dead = 0;
  std::size_t disabled = 0;
  const auto reports = webhooks.store().list();
  for (const feed::EndpointReport& report : reports) {
    pending += report.pending;
    dead += report.dead;
    if (report.endpoint.enabled) {
      behind = std::max<std::uint64_t>(behind, webhooks.source().behind(report.endpoint.position));
    } else {
      ++disabled;
    }
  }
  if (reports.empty()) return {"webhooks", HealthStatus::off, "There are no webhooks."};
  const bool needs_a_look = dead > 0 || disabled > 0 || behind > k_changes_behind_degraded;
  return {"webhooks", needs_a_look ? HealthStatus::degraded : HealthStatus::ok,
          fmt::format("{} webhooks, {} of them disabled; {} messages wait to be tried again, {} are dead.", reports.size(), disabled,
                      pending, dead),
          HealthLag{static_cast<double>(behind), "changes"}};
}

HealthComponent look_at_live(const api::LiveStats& live, std::size_t listeners_max) {
  const auto period = static_cast<double>(live.period.count());
  const bool is_full = live.listeners >= listeners_max;
  return {"server-sent events", is_full ? HealthStatus::degraded : HealthStatus::ok,
          fmt::format("{} of at most {} listeners; {} did not read and were dropped since the start.", live.listeners, listeners_max,
                      live.dropped),
          HealthLag{period, "ms"}};
}

}  // namespace

void add_health_probes(api::Api& api, const EmbeddedLedger& ledger, const Engine& engine, std::size_t queue_max, feed::Webhooks& webhooks,
                       std::size_t listeners_max) {
  api::Health& health = api.health();
  health.add("ledger", [&ledger] { return look_at_ledger(ledger); });
  health.add("tables", [&ledger] { return look_at_tables(ledger); });
  health.add("engine", [&engine, queue_max] { return look_at_engine(engine, queue_max); });
  health.add("lock",
             [] { return HealthComponent{"none", HealthStatus::off, "No lock is configured: the ledger alone guards the seats."}; });
  health.add("feed", [] { return HealthComponent{"none", HealthStatus::off, "No feed is configured beside webhooks."}; });
  health.add("webhooks", [&webhooks] { return look_at_webhooks(webhooks); });
  health.add("live", [&api, listeners_max] { return look_at_live(api.live_stats(), listeners_max); });
}

}  // namespace holdfast::cli
