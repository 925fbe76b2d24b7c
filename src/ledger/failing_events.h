// Events that a loop over many events skips for the moment, because they are damaged or take too long. The others go on.
//
//   FailingEvents failing("kafka feed");
//   for (event : events) {
//     if (!failing.may_try(event)) continue;
//     try { …; failing.worked(event); } catch (const std::exception& error) { failing.failed(event, error.what()); }
//   }
//
// An event is retried after a pause that doubles from 1 s to 1 minute. A single failure is not logged. From the second failure in a row the
// log says that it began, when the reason changes, every 10 minutes, and when it is over. Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/event.h"

namespace holdfast {

class FailingEvents {
 public:
  using Timer = std::chrono::steady_clock;
  static constexpr std::chrono::seconds k_pause_first{1};
  static constexpr std::chrono::seconds k_pause_max{60};
  static constexpr std::chrono::minutes k_between_reports{10};
  static constexpr std::chrono::minutes k_forgotten_after{10};   // without a try: nobody needs the event here any more
  // Work of an event whose number is not known.
  static constexpr EventNumber k_not_known = std::numeric_limits<EventNumber>::max();
  static constexpr std::size_t k_named_max = 20;   // in the log; beyond that only their number

  // `work`: the loop's name, with which its log lines begin.
  explicit FailingEvents(std::string work) : work_(std::move(work)) {}

  bool may_try(EventNumber event, Timer::time_point now = Timer::now()) const;
  void failed(EventNumber event, std::string_view why, Timer::time_point now = Timer::now());
  void worked(EventNumber event);
  void clear();   // somebody else has this work now

  // Events that have failed at least twice in a row.
  struct Summary {
    std::size_t events = 0;
    std::optional<Timer::time_point> since{};   // the first of them
    std::string text{};   // "2 events: event 7: it is damaged"; empty: there are none
  };
  Summary summary(Timer::time_point now = Timer::now()) const;

 private:
  struct Failing {
    Timer::time_point since;
    Timer::time_point again_at{};
    std::optional<Timer::time_point> reported_at{};
    Timer::duration pause = k_pause_first;
    unsigned failures = 0;
    std::string why{};
  };

  const std::string work_;
  mutable std::mutex mutex_;
  std::atomic<std::size_t> count_{0};   // so that a loop without any pays one load
  std::map<EventNumber, Failing> events_;
};

}   // namespace holdfast
