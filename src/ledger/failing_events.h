// Events with which a loop over many cannot go on at the moment, because one of them is damaged or takes too long: the loop leaves them
// out, and the others go on.
//
//   FailingEvents failing("kafka feed");
//   for (event : events) {
//     if (!failing.may_try(event)) continue;
//     try { …; failing.worked(event); } catch (const std::exception& error) { failing.failed(event, error.what()); }
//   }
//
// An event is tried again after a pause that doubles from a second to a minute. What fails once and then works is nobody's business;
// from the second failure on the log says that it began, when the reason changes, every ten minutes, and that it is over. Any thread.
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
  static constexpr std::chrono::minutes k_forgotten_after{10};   // without being tried: nobody needs the event here any more
  // Stands for work that is of an event, and not known of which.
  static constexpr EventNumber k_not_known = std::numeric_limits<EventNumber>::max();
  static constexpr std::size_t k_named_max = 20;   // in the log; of more at once only the number is told

  // `work`: which loop it is, as the log's lines begin.
  explicit FailingEvents(std::string work) : work_(std::move(work)) {}

  bool may_try(EventNumber event, Timer::time_point now = Timer::now()) const;
  void failed(EventNumber event, std::string_view why, Timer::time_point now = Timer::now());
  void worked(EventNumber event);
  void clear();   // somebody else has this work now

  // Those that have failed twice in a row or more.
  struct Summary {
    std::size_t events = 0;
    std::optional<Timer::time_point> since{};   // the first of them
    std::string text{};                         // "2 events: event 7: it is damaged"; empty: there are none
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

}  // namespace holdfast
