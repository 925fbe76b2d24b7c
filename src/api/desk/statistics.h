// Statistics of sales over time: recorded changes, refusals by code, and latencies; by second for the last 15 minutes, and by minute for the
// last day. In memory, in arrays of fixed size: about 600 KB, whatever the load.
//
// Threads count without sharing: each thread of the HTTP server has a ThreadCounters, and the engine's workers have a few numbers. Changes are
// not counted here: the readers' copies of events know how many they have followed (PublishedEvent::tally), so these numbers agree with the
// journal. Once a second, sample() takes the difference to the second before.
//
//   Statistics statistics;
//   ThreadCounters& mine = statistics.add_thread();        // each thread, before any of them counts
//   statistics.begin(ledger);
//   mine.answered(Traffic::command, 409, "seat_unavailable", took);
//   statistics.sample(ledger);                             // once a second
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "api/desk/latency_histogram.h"
#include "engine/engine.h"

namespace holdfast {
class Json;
}

namespace holdfast::api {

// What the statistics count a request as. Requests that wait by design (changes, streams, imports) count as nothing.
enum class Traffic : std::uint8_t { none, command, read };

// The codes of refusals that have a count of their own. All others count as the last.
inline constexpr std::array<std::string_view, 22> k_refusal_codes{"seat_unavailable",
                                                                  "no_adjacent_seats",
                                                                  "event_not_on_sale",
                                                                  "limit_exceeded",
                                                                  "hold_too_long",
                                                                  "reservation_expired",
                                                                  "reservation_not_active",
                                                                  "seat_not_sold",
                                                                  "order_mismatch",
                                                                  "lock_held",
                                                                  "seat_not_found",
                                                                  "reservation_not_found",
                                                                  "event_not_found",
                                                                  "invalid_request",
                                                                  "unsupported_media_type",
                                                                  "idempotency_key_reused",
                                                                  "unauthorized",
                                                                  "forbidden",
                                                                  "rate_limited",
                                                                  "no_room",
                                                                  "unavailable",
                                                                  "other"};
// The kinds of change that are shown: those of seats and reservations.
inline constexpr std::array k_shown_kinds{ChangeKind::held,     ChangeKind::seats_added, ChangeKind::extended,
                                          ChangeKind::released, ChangeKind::consumed,    ChangeKind::expired,
                                          ChangeKind::returned, ChangeKind::blocked,     ChangeKind::unblocked};

// The counters of one thread. Only that thread counts; any thread reads.
class ThreadCounters {
 public:
  // `code` is the refusal's; empty if the request was not refused.
  void answered(Traffic traffic, unsigned status, std::string_view code, std::chrono::nanoseconds took);

 private:
  friend class Statistics;
  LatencyHistogram commands_;
  LatencyHistogram reads_;
  std::array<std::atomic<std::uint64_t>, k_refusal_codes.size()> refusals_{};
  std::atomic<std::uint64_t> failures_{0};
};

// What is counted: since the start, or in one interval.
template <typename Count, typename Latencies>
struct Counted {
  std::array<Count, k_shown_kinds.size()> changes{};
  std::array<Count, k_shown_kinds.size()> seats{};   // whose states those changes set
  std::array<Count, k_refusal_codes.size()> refusals{};   // of commands
  Count failures = 0;   // of commands: 5xx
  Latencies commands{};
  Latencies reads{};
  Latencies commits{};   // of rounds that recorded something
  Count rounds = 0;
  Count round_commands = 0;   // in all rounds together
};

// What happened in one interval.
struct Interval : Counted<std::uint32_t, Quantiles> {
  std::int64_t end = 0;   // seconds since 1970 UTC, of the ledger's clock
  std::int32_t seconds = 0;   // its length, which is longer if a sample came late; 0: the place is empty
  std::uint32_t queued_max = 0;   // the most commands that waited at the end of a round
};

enum class Resolution : std::uint8_t { second, minute };

class Statistics {
 public:
  static constexpr std::size_t k_seconds_kept = 900;
  static constexpr std::size_t k_minutes_kept = 1'440;

  Statistics();

  // Before anything is counted. The counters live as long as this object.
  ThreadCounters& add_thread();
  void begin(const Ledger& ledger);

  // The engine's workers, after each round.
  void on_round(const Round& round);

  // One thread calls this once a second, just after a second of the ledger's clock has begun. A second call in the same second does nothing.
  void sample(const Ledger& ledger);

  // Writes the intervals that ended after `since` (milliseconds) as columns into an open object. Any thread.
  void append_series(Json& json, Resolution resolution, Millis since) const;
  Millis began_at() const { return began_at_; }

 private:
  using Totals = Counted<std::uint64_t, LatencyCounts>;   // since the start

  Totals look(const Ledger& ledger) const;
  static Interval between(const Totals& before, const Totals& after);
  std::vector<Interval> ended_after(Resolution resolution, Millis since) const;

  std::vector<std::unique_ptr<ThreadCounters>> threads_;

  // The engine's workers write these; any thread reads.
  LatencyHistogram commits_;
  std::atomic<std::uint64_t> rounds_{0};
  std::atomic<std::uint64_t> round_commands_{0};
  std::atomic<std::uint32_t> queued_max_{0};   // since the last sample

  // Only the thread that calls sample() uses these.
  std::unique_ptr<Totals> before_;   // at the end of the last second
  std::unique_ptr<Totals> minute_before_;   // at the end of the last minute
  std::int64_t sampled_at_ = 0;   // seconds
  std::int64_t minute_began_at_ = 0;   // seconds
  std::uint32_t minute_queued_max_ = 0;
  Millis began_at_ = 0;

  mutable std::mutex mutex_;   // guards the following
  std::vector<Interval> seconds_;   // rings: the interval that ends at second s is at s % size
  std::vector<Interval> minutes_;
  std::int64_t as_of_ = 0;
};

}   // namespace holdfast::api
