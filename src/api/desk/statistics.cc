#include "api/desk/statistics.h"

#include <algorithm>
#include <cmath>

#include "json/json.h"

namespace holdfast::api {
namespace {

constexpr std::int64_t k_seconds_per_minute = 60;

// Not atomic as a whole, because only one thread writes the counter.
template <typename Number>
void add(std::atomic<Number>& counter, Number more) {
  counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

std::size_t index_of_code(std::string_view code) {
  const auto at = std::ranges::find(k_refusal_codes, code);
  return at == k_refusal_codes.end() ? k_refusal_codes.size() - 1 : static_cast<std::size_t>(at - k_refusal_codes.begin());
}

template <std::size_t N>
std::array<std::uint32_t, N> difference(const std::array<std::uint64_t, N>& after, const std::array<std::uint64_t, N>& before) {
  std::array<std::uint32_t, N> result{};
  for (std::size_t i = 0; i < N; ++i) result[i] = static_cast<std::uint32_t>(after[i] - before[i]);
  return result;
}

// Writes one column: a value for each interval.
class Columns {
 public:
  Columns(Json& json, const std::vector<Interval>& intervals) : json_(json), intervals_(intervals) {}

  template <typename Value>
  void whole(std::string_view name, Value value) {
    json_.array(name, intervals_, [&](const Interval& each) { json_.number(std::int64_t{value(each)}); });
  }
  // Counts, and times in milliseconds with three decimals; null if there was nothing to measure.
  void quantiles(std::string_view name, Quantiles Interval::* of) {
    json_.object(name, [&] {
      whole("count", [&](const Interval& each) { return (each.*of).count; });
      milliseconds("p50Ms", of, &Quantiles::p50);
      milliseconds("p99Ms", of, &Quantiles::p99);
      milliseconds("maxMs", of, &Quantiles::max);
    });
  }
  bool has_refusals(std::size_t code) const {
    return std::ranges::any_of(intervals_, [&](const Interval& each) { return each.refusals[code] != 0; });
  }

 private:
  void milliseconds(std::string_view name, Quantiles Interval::* of, float Quantiles::* which) {
    json_.array(name, intervals_, [&](const Interval& each) {
      const Quantiles& quantiles = each.*of;
      quantiles.count == 0 ? json_.null() : json_.raw(text_of(quantiles.*which));
    });
  }

  static std::string text_of(float ms) {
    const std::int64_t us = std::lround(ms * 1'000);
    std::string text = std::to_string(us / 1'000) + ".";
    const std::string part = std::to_string(us % 1'000);
    return text.append(3 - part.size(), '0').append(part);
  }

  Json& json_;
  const std::vector<Interval>& intervals_;
};

}  // namespace

void ThreadCounters::answered(Traffic traffic, unsigned status, std::string_view code, std::chrono::nanoseconds took) {
  if (traffic == Traffic::none) return;
  if (traffic == Traffic::read) return reads_.record(took);
  commands_.record(took);
  if (!code.empty()) add(refusals_[index_of_code(code)], std::uint64_t{1});
  if (status >= 500) add(failures_, std::uint64_t{1});
}

Statistics::Statistics()
    : before_(std::make_unique<Totals>()), minute_before_(std::make_unique<Totals>()), seconds_(k_seconds_kept), minutes_(k_minutes_kept) {}

ThreadCounters& Statistics::add_thread() { return *threads_.emplace_back(std::make_unique<ThreadCounters>()); }

void Statistics::begin(const Ledger& ledger) {
  began_at_ = ledger.now();
  sampled_at_ = began_at_ / k_millis_per_second;
  minute_began_at_ = sampled_at_;
  *before_ = look(ledger);
  *minute_before_ = *before_;
  const std::scoped_lock lock(mutex_);
  as_of_ = sampled_at_;
}

// A ledger with several lanes has several workers, so the additions are atomic. Once a round, their cost does not matter.
void Statistics::on_round(const Round& round) {
  rounds_.fetch_add(1, std::memory_order_relaxed);
  round_commands_.fetch_add(round.tasks, std::memory_order_relaxed);
  if (round.report.durable && round.report.changes > 0) commits_.record_shared(round.report.committing);
  const auto queued = static_cast<std::uint32_t>(round.queued);
  std::uint32_t most = queued_max_.load(std::memory_order_relaxed);
  while (most < queued && !queued_max_.compare_exchange_weak(most, queued, std::memory_order_relaxed)) {}
}

Statistics::Totals Statistics::look(const Ledger& ledger) const {
  Totals totals;
  for (const auto& thread : threads_) {
    totals.commands += thread->commands_.counts();
    totals.reads += thread->reads_.counts();
    for (std::size_t i = 0; i < totals.refusals.size(); ++i) totals.refusals[i] += thread->refusals_[i].load(std::memory_order_relaxed);
    totals.failures += thread->failures_.load(std::memory_order_relaxed);
  }
  totals.commits = commits_.counts();
  totals.rounds = rounds_.load(std::memory_order_relaxed);
  totals.round_commands = round_commands_.load(std::memory_order_relaxed);
  for (const EventNumber number : ledger.events()) {
    const auto event = ledger.event(number);
    if (event == nullptr) continue;
    const ChangeTally tally = event->tally();
    for (std::size_t i = 0; i < k_shown_kinds.size(); ++i) {
      totals.changes[i] += tally.changes[static_cast<std::size_t>(k_shown_kinds[i])];
      totals.seats[i] += tally.seats[static_cast<std::size_t>(k_shown_kinds[i])];
    }
  }
  return totals;
}

Interval Statistics::between(const Totals& before, const Totals& after) {
  Interval interval;
  interval.changes = difference(after.changes, before.changes);
  interval.seats = difference(after.seats, before.seats);
  interval.refusals = difference(after.refusals, before.refusals);
  interval.failures = static_cast<std::uint32_t>(after.failures - before.failures);
  interval.rounds = static_cast<std::uint32_t>(after.rounds - before.rounds);
  interval.round_commands = static_cast<std::uint32_t>(after.round_commands - before.round_commands);
  interval.commands = quantiles_of(after.commands - before.commands);
  interval.reads = quantiles_of(after.reads - before.reads);
  interval.commits = quantiles_of(after.commits - before.commits);
  return interval;
}

void Statistics::sample(const Ledger& ledger) {
  const std::int64_t second = ledger.now() / k_millis_per_second;
  if (second <= sampled_at_) return;
  auto now = std::make_unique<Totals>(look(ledger));
  Interval interval = between(*before_, *now);
  interval.end = second;
  interval.seconds = static_cast<std::int32_t>(second - sampled_at_);
  interval.queued_max = queued_max_.exchange(0, std::memory_order_relaxed);
  minute_queued_max_ = std::max(minute_queued_max_, interval.queued_max);

  std::optional<Interval> whole_minute;
  if (second / k_seconds_per_minute > minute_began_at_ / k_seconds_per_minute) {
    whole_minute = between(*minute_before_, *now);
    whole_minute->end = second;
    whole_minute->seconds = static_cast<std::int32_t>(second - minute_began_at_);
    whole_minute->queued_max = std::exchange(minute_queued_max_, 0);
    minute_began_at_ = second;
    *minute_before_ = *now;
  }
  before_ = std::move(now);
  sampled_at_ = second;

  const std::scoped_lock lock(mutex_);
  seconds_[static_cast<std::size_t>(second) % k_seconds_kept] = interval;
  if (whole_minute) minutes_[static_cast<std::size_t>(second / k_seconds_per_minute) % k_minutes_kept] = *whole_minute;
  as_of_ = second;
}

// In order of time. A place that was skipped still has an interval of an earlier round of the ring, which is too old.
std::vector<Interval> Statistics::ended_after(Resolution resolution, Millis since) const {
  const bool in_seconds = resolution == Resolution::second;
  const std::int64_t step = in_seconds ? 1 : k_seconds_per_minute;
  const std::scoped_lock lock(mutex_);
  const std::vector<Interval>& ring = in_seconds ? seconds_ : minutes_;
  const std::int64_t newest = as_of_ / step;
  const auto size = static_cast<std::int64_t>(ring.size());
  std::vector<Interval> found;
  for (std::int64_t at = newest - size + 1; at <= newest; ++at) {
    if (at < 0) continue;
    const Interval& interval = ring[static_cast<std::size_t>(at % size)];
    if (interval.seconds == 0 || interval.end / step != at || interval.end * k_millis_per_second <= since) continue;
    found.push_back(interval);
  }
  return found;
}

void Statistics::append_series(Json& json, Resolution resolution, Millis since) const {
  const std::vector<Interval> intervals = ended_after(resolution, since);
  std::int64_t as_of = 0;
  {
    const std::scoped_lock lock(mutex_);
    as_of = as_of_;
  }
  Columns columns(json, intervals);
  json.member("resolution", resolution == Resolution::second ? "second" : "minute");
  json.member("startedAt", rfc3339(began_at_));
  json.member("asOf", rfc3339(as_of * k_millis_per_second));
  json.array("at", intervals, [&](const Interval& each) { json.text(rfc3339(each.end * k_millis_per_second)); });
  columns.whole("seconds", [](const Interval& each) { return each.seconds; });
  json.object("changes", [&] {
    for (std::size_t i = 0; i < k_shown_kinds.size(); ++i) {
      columns.whole(name_of(k_shown_kinds[i]), [&](const Interval& each) { return each.changes[i]; });
    }
  });
  json.object("seats", [&] {
    for (std::size_t i = 0; i < k_shown_kinds.size(); ++i) {
      if (state_after(k_shown_kinds[i])) columns.whole(name_of(k_shown_kinds[i]), [&](const Interval& each) { return each.seats[i]; });
    }
  });
  // Only codes that occurred: there are many, and most never occur.
  json.object("refusals", [&] {
    for (std::size_t i = 0; i < k_refusal_codes.size(); ++i) {
      if (columns.has_refusals(i)) columns.whole(k_refusal_codes[i], [&](const Interval& each) { return each.refusals[i]; });
    }
  });
  columns.whole("failures", [](const Interval& each) { return each.failures; });
  columns.quantiles("commands", &Interval::commands);
  columns.quantiles("reads", &Interval::reads);
  columns.quantiles("commits", &Interval::commits);
  columns.whole("rounds", [](const Interval& each) { return each.rounds; });
  columns.whole("roundCommands", [](const Interval& each) { return each.round_commands; });
  columns.whole("queuedMax", [](const Interval& each) { return each.queued_max; });
}

}  // namespace holdfast::api
