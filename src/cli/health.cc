#include "cli/health.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "cli/kafka_feed.h"
#include "feed/webhooks/webhooks.h"

namespace holdfast::cli {
namespace {

using api::HealthComponent;
using api::HealthLag;
using api::HealthStatus;

constexpr std::uint64_t k_changes_behind_degraded = 10'000;
constexpr std::size_t k_full_part = 2;   // a queue that is half full degrades the engine

HealthComponent look_at_engine(const Engine& engine, std::size_t queue_max) {
  const std::size_t queued = engine.queued();
  const HealthLag lag{static_cast<double>(queued), "commands"};
  std::string fault;
  if (queued * k_full_part >= queue_max && queue_max > 1) {
    fault = fmt::format("{} of at most {} commands wait; once the queue is full, further ones are refused.", queued, queue_max);
  }
  return ok_unless(std::move(fault), "queue", fmt::format("At most {} commands may wait for the next round.", queue_max), lag);
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
  const std::string late = late_webhooks(webhooks);
  const bool needs_a_look = dead > 0 || disabled > 0 || behind > k_changes_behind_degraded || !late.empty();
  return {"webhooks", needs_a_look ? HealthStatus::degraded : HealthStatus::ok,
          fmt::format("{} webhooks, {} of them disabled; {} messages wait for a retry, {} are dead.{}", reports.size(), disabled, pending,
                      dead, late.empty() ? "" : " Late: " + late + "."),
          HealthLag{static_cast<double>(behind), "changes"}};
}

HealthComponent look_at_live(const LiveStats& live, std::size_t listeners_max) {
  const auto period = static_cast<double>(live.period.count());
  const bool is_full = live.listeners >= listeners_max;
  return {"server-sent events", is_full ? HealthStatus::degraded : HealthStatus::ok,
          fmt::format("{} of at most {} listeners; {} were dropped since the start because they did not read.", live.listeners,
                      listeners_max, live.dropped),
          HealthLag{period, "ms"}};
}

HealthComponent look_at_lock(const lock::SeatLock* seat_lock) {
  if (seat_lock == nullptr) return {"none", HealthStatus::off, "No lock is configured: the ledger alone guards the seats."};
  const lock::Health health = seat_lock->health();
  const bool is_up = health.state == lock::Health::State::up;
  // A lock has no backlog. Its lag is the mean time of an answer since the start, which is what a hold waits for.
  const lock::RoundTrips trips = seat_lock->stats().acquiring;
  const auto count = std::accumulate(trips.buckets.begin(), trips.buckets.end(), std::uint64_t{0});
  const double mean_ms = count == 0 ? 0 : trips.seconds * 1'000 / static_cast<double>(count);
  return {health.kind, is_up ? HealthStatus::ok : HealthStatus::degraded, health.detail, HealthLag{mean_ms, "ms"}};
}

HealthComponent look_at_feed(const ServedFeed* feed) {
  if (feed == nullptr) return {"none", HealthStatus::off, "No Kafka feed is configured."};
  const feed::kafka::FeedStatus status = feed->status();
  return ok_unless(feed->degradation(), "kafka", first_said({status.relay_detail, "Changes are published."}),
                   HealthLag{static_cast<double>(status.lag_changes), "changes"});
}

}  // namespace

HealthComponent ok_unless(std::string fault, const char* kind, std::string fine, std::optional<HealthLag> lag) {
  if (fault.empty()) return {kind, HealthStatus::ok, std::move(fine), std::move(lag)};
  return {kind, HealthStatus::degraded, std::move(fault), std::move(lag)};
}

std::string first_said(std::initializer_list<std::string> texts) {
  const auto* const first = std::ranges::find_if_not(texts, &std::string::empty);
  return first == texts.end() ? std::string() : *first;
}

std::string late_webhooks(feed::Webhooks& webhooks) {
  if (!webhooks.is_relaying()) return {};   // another node relays, and reports
  if (const auto unreadable = webhooks.source().unreadable(); unreadable.events > 0)
    return "webhooks do not get the changes of " + unreadable.text;
  const double pending = webhooks.oldest_pending().count();
  return pending > k_pending_degraded_seconds ? fmt::format("changes have waited for {:.0f} s to be read for webhooks", pending) : "";
}

std::string late_expiries(std::chrono::milliseconds due, bool sweeps) {
  const double seconds = std::chrono::duration<double>(due).count();
  if (!sweeps || seconds <= k_pending_degraded_seconds) return {};
  return fmt::format("holds that ended {:.0f} s ago are not recorded as expired yet", seconds);
}

void add_health_probes(api::Api& api, const ServeOptions& options, const Engine& engine, const lock::SeatLock* seat_lock,
                       const ServedFeed* feed, feed::Webhooks& webhooks) {
  api::Health& health = api.health();
  health.add("engine", [&engine, &options] { return look_at_engine(engine, options.engine_queue_max); });
  health.add("lock", [seat_lock] { return look_at_lock(seat_lock); });
  health.add("feed", [feed] { return look_at_feed(feed); });
  health.add("webhooks", [&webhooks] { return look_at_webhooks(webhooks); });
  health.add("live", [&api, &options] { return look_at_live(api.live_stats(), options.live_listeners_max); });
}

}  // namespace holdfast::cli
