#include "ledger/failing_events.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace holdfast {

namespace {

std::string named(EventNumber event) { return event == FailingEvents::k_not_known ? "not known yet" : std::to_string(event); }

}  // namespace

bool FailingEvents::may_try(EventNumber event, Timer::time_point now) const {
  if (count_.load(std::memory_order_relaxed) == 0) return true;
  const std::scoped_lock lock(mutex_);
  const auto at = events_.find(event);
  return at == events_.end() || now >= at->second.again_at;
}

void FailingEvents::failed(EventNumber event, std::string_view why, Timer::time_point now) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(events_, [&](const auto& each) { return each.second.again_at + k_forgotten_after < now; });
  Failing& failing = events_.try_emplace(event, Failing{.since = now}).first->second;
  count_.store(events_.size(), std::memory_order_relaxed);
  if (++failing.failures > 1) failing.pause = std::min<Timer::duration>(2 * failing.pause, k_pause_max);
  failing.again_at = now + failing.pause;
  const bool is_new = !failing.reported_at || failing.why != why;
  failing.why = why;
  if (failing.failures < 2 || (!is_new && now < *failing.reported_at + k_between_reports)) return;
  const bool is_first = !failing.reported_at;
  failing.reported_at = now;
  const auto told = std::ranges::count_if(events_, [](const auto& each) { return each.second.reported_at.has_value(); });
  if (is_first && static_cast<std::size_t>(told) > k_named_max) return;
  spdlog::error("{}: event {} is left out and retried; other events go on: {}", work_, named(event), why);
  if (is_first && static_cast<std::size_t>(told) == k_named_max) spdlog::error("{}: further events that are left out are not named", work_);
}

void FailingEvents::worked(EventNumber event) {
  if (count_.load(std::memory_order_relaxed) == 0) return;
  const std::scoped_lock lock(mutex_);
  const auto at = events_.find(event);
  if (at == events_.end()) return;
  if (at->second.reported_at) spdlog::warn("{}: event {} works again", work_, named(event));
  events_.erase(at);
  count_.store(events_.size(), std::memory_order_relaxed);
}

void FailingEvents::clear() {
  const std::scoped_lock lock(mutex_);
  events_.clear();
  count_.store(0, std::memory_order_relaxed);
}

FailingEvents::Summary FailingEvents::summary(Timer::time_point now) const {
  Summary summary;
  if (count_.load(std::memory_order_relaxed) == 0) return summary;
  const std::scoped_lock lock(mutex_);
  std::string first;
  for (const auto& [event, failing] : events_) {
    if (failing.failures < 2 || failing.again_at + k_forgotten_after < now) continue;
    ++summary.events;
    if (summary.since && *summary.since <= failing.since) continue;
    summary.since = failing.since;
    first = named(event) + ": " + failing.why;
  }
  if (summary.events == 0) return summary;
  summary.text = std::to_string(summary.events) + (summary.events == 1 ? " event: event " : " events: event ") + first;
  return summary;
}

}  // namespace holdfast
