// Keeps the tables up to date with the journal. One thread projects the events that it is told of, another keeps house.
//
//   pg::Projector projector({.settings = settings});
//   projector.tell(7, 1'000);               // the journal has change 1,000 of event 7: after each commit, own or of another node
//   projector.await(7, 1'000, deadline);    // waits until the tables have it; false: not in time
//
// In each turn it takes a few steps of every event that it was told of. It waits a little between two turns, so that under load a
// step has thousands of changes. Every node has one, and they share the work (projection.h). Now and then it looks through all
// events, to find those that nobody has told it of because their node went away.
//
// An event with a damaged journal or damaged tables is left out, reported, and tried again every 30 s. If the database refuses
// the steps of one event only, that event is tried again after growing pauses, and in smaller steps if they took too long. Any
// thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "ledger/clock_doubt.h"
#include "ledger/failing_events.h"
#include "ledger/postgres/projection.h"
#include "sql/postgres_connection.h"

namespace holdfast::pg {

struct ProjectorOptions {
  Settings settings;
  std::size_t changes_a_step = k_changes_a_step;
  std::chrono::milliseconds pause{30};          // between the starts of two turns, unless somebody waits
  std::chrono::milliseconds look_around{1'000}; // between two looks, each at 1,000 events
  // Removes journal rows older than this, once the tables have them and `relayed` says that they were delivered. 0: keeps all
  // rows.
  std::int64_t journal_retention_days = 0;
  // The last change of an event that was delivered to webhooks and the Kafka feed; k_all if nothing reads the journal later.
  // Called by the second thread.
  std::function<Seq(EventNumber)> relayed{};
  // While this returns a sentence, the database's clock is wrong, and nothing is removed because of its age. Called by the second
  // thread.
  std::function<std::string()> clock_trouble{};
  std::chrono::milliseconds tidy{60'000};                        // between two removals of old rows
  std::chrono::milliseconds look_at_statistics{60'000};          // between two looks for tables that have outgrown their statistics
  // No removal for so long after a start with a doubtful clock. Also for so long keys stay in memory while the clock cannot be looked at.
  std::chrono::milliseconds clock_doubt_time{k_clock_doubt_time};
};

struct ProjectorStats {
  std::uint64_t steps = 0;
  std::uint64_t changes = 0;
  std::uint64_t changes_behind = 0;   // of the events that it was told of
  std::chrono::milliseconds behind{0};   // how long the oldest of them has waited
  std::uint64_t events_damaged = 0;
  std::uint64_t failures = 0;   // steps that the database refused
  std::uint64_t rows_removed = 0;   // of the journal, by retention
};

class Projector {
 public:
  using Timer = std::chrono::steady_clock;
  static constexpr Seq k_all = ~Seq{0};

  explicit Projector(ProjectorOptions options);
  ~Projector();   // does not wait for answers of the database: a step without one is given up

  void tell(EventNumber event, Seq seq);

  // Waits until the tables have change `seq` of the event. Starts a turn at once. False: not in time, or the event is damaged.
  bool await(EventNumber event, Seq seq, Timer::time_point until);
  // Waits until everything that it was told before this call has its place in the order of all changes.
  bool await_order(Timer::time_point until);
  // A reader has just seen that the tables have the event as of this change. Corrects what was known of a history that a failover
  // has lost.
  void tables_are_as_of(EventNumber event, Seq seq);
  // The last change of an event that the tables are known to have.
  Seq projected(EventNumber event) const;

  // Which event is damaged, or why the tables cannot be written. Empty if all is well.
  std::string trouble() const;
  std::map<EventNumber, std::string> damaged() const;
  ProjectorStats stats() const;
  // Whether, by the journal, the database's clock may be a day or more ahead. True until that was looked up. While true, no old
  // journal row and no key is removed from the database.
  bool is_clock_in_doubt() const;
  // By how much, for what is kept in memory: 0 if nothing suggests it. Until that was looked up k_clock_ahead_unknown, but 0 once the
  // lookup has failed for `clock_doubt_time`, so that memory is bounded.
  Millis clock_may_be_ahead() const;
  // The same in a sentence. Empty before the lookup, and if nothing suggests it.
  std::string clock_doubt() const;

 private:
  struct Event {
    Seq told = 0;
    Seq projected = 0;
    Seq ordered = 0;
    bool is_pending = false;
    Timer::time_point pending_since{};   // set while is_pending
    std::size_t parts = 1;   // a step is now 1/parts of its full size, because the database had no time for larger ones
    std::optional<Timer::time_point> due_since{};   // since when at the latest the tables lack a change; nothing if they lack none
  };

  void run();
  void keep_house();
  std::vector<EventNumber> take_pending();
  void make_turn(Connection& connection, const std::vector<EventNumber>& events);
  void note_failure(const std::string& what);
  void note_failure_of(EventNumber event, const std::string& what);
  void project_some(Connection& connection, EventNumber event, std::vector<EventNumber>& looked_at);
  std::size_t changes_a_step(EventNumber event) const;
  void make_steps_smaller(EventNumber event);
  void make_steps_larger(EventNumber event);
  void note(EventNumber event, const StepReport& report);
  void note_damage(EventNumber event, const std::string& what);
  void note_order(const std::vector<EventNumber>& looked_at);
  void put_back(EventNumber event);
  void set_aside(EventNumber event);
  void take_up_again();
  void look_around(Connection& connection);
  void look_at_clock(Connection& connection);
  void warn_if_clock_is_unknown();
  void tidy(Connection& connection);
  void renew_statistics(Connection& connection);
  bool pause(std::chrono::milliseconds time);

  const ProjectorOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable work_;   // events are pending, or somebody waits
  std::condition_variable progress_;
  std::unordered_map<EventNumber, Event> events_;
  std::vector<EventNumber> pending_;
  std::map<EventNumber, std::string> damaged_;
  std::map<EventNumber, Timer::time_point> damaged_since_;
  std::set<EventNumber> set_aside_;   // the database refuses their steps at the moment, and takes those of others
  FailingEvents failing_{"the tables behind the journal"};
  std::string trouble_;
  std::size_t waiting_ = 0;
  bool stopping_ = false;
  ProjectorStats stats_;
  std::optional<Millis> clock_ahead_;   // how far, at the start, of the journal; nothing: not looked up yet
  Timer::time_point clock_doubt_until_;   // of one that was found; before the lookup, of one that is not known

  // For the thread that keeps house.
  std::chrono::steady_clock::time_point look_at_clock_after_{};   // the lookup may take long
  bool has_warned_of_unknown_clock_ = false;
  Timer::time_point look_at_statistics_after_{};   // of the second thread
  std::set<EventNumber> untidy_;   // with keys that may have expired
  bool plans_are_old_ = false;   // an import has ended
  EventNumber next_to_look_at_ = 1;
  bool has_looked_at_all_ = false;

  std::thread thread_;
  std::thread house_;
};

}   // namespace holdfast::pg
