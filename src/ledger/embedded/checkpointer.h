// The thread that fills state.db behind the journal, in small steps, and tends the journal beside its writer (JournalUpkeep). While requests
// come it rests most of the time: a start replays from the journal what it has not done yet.
//
// Without a thread of its own it works only when turn() is called. So a simulation decides when the tables follow, in one thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "ledger/embedded/journal_writer.h"
#include "ledger/embedded/state_store.h"

namespace holdfast {

class Checkpointer {
 public:
  struct Options {
    JournalWriter* journal = nullptr;   // must outlive the checkpointer, and be settled. Damage that is found in it is reported to it
    std::string state;
    std::int64_t retention_days = 0;   // of journal rows that are in state.db; 0: keep all
    // The last row that all other readers of the journal have passed; later rows are kept, however old. Empty: there are no other readers.
    // Called on the checkpointer's thread; must not throw.
    std::function<Position()> removable_through{};
    // How far the time may be ahead, which is how much longer idempotency keys are kept; and whether that is a reason to remove no rows. Called
    // on the checkpointer's thread; must not throw. Empty: the time is right.
    std::function<Millis()> time_may_be_ahead{};
    std::function<bool()> keeps_old_rows{};
    StoppedEvents stopped{};   // that state.db has at the start
    bool has_thread = true;   // false: works in turn(), catch_up_to() and stop(), on the thread that calls them
  };

  // Starts the thread, if it has one. `now` gives the time by which the age of rows is judged.
  Checkpointer(Options options, std::function<Millis()> now);
  ~Checkpointer();   // stops
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // Without a thread: one step of its work. False if nothing is left to do, or if it failed (trouble() says why; the next turn tries again).
  bool turn();

  // Makes it work without rest until state.db has the journal up to `position`, which must be durable. Any thread.
  void hurry_to(Position position);

  // The journal has rows up to `position`. Cheap; called by the ledger's writer.
  void notify(Position position);
  // By event the last change in state.db, for events with progress since the last call. Not of stopped events.
  std::map<EventNumber, Seq> take_followed();

  // Events whose tables stand still. Once followed() has reached a row, this has every event whose tables lack it. Any thread.
  StoppedEvents stopped() const;
  bool is_stopped(EventNumber event) const;   // one load if there is none
  // Whether it was stopped before the start, and its tables have stood still since then.
  bool is_stopped_since_start(EventNumber event) const;

  // Waits until state.db has the journal up to `position`, which must be durable, and makes it follow without rest. False if it does not by
  // `deadline`, or cannot be written at the moment. Does not wait for stopped events. Any thread that may wait.
  bool catch_up_to(Position position, std::chrono::steady_clock::time_point deadline);

  Position followed() const { return followed_.load(std::memory_order_relaxed); }
  Position behind() const { return notified_.load(std::memory_order_relaxed) - followed(); }
  // Why it cannot continue; empty if it can.
  std::string trouble() const;

  // Catches up with what notify() named, for a few seconds at most, then ends the thread.
  void stop();

 private:
  // Its connections. After a failure they are opened again, and state.db is settled before anything else: until then the tables do not follow,
  // and no row of the journal is removed.
  struct Files {
    explicit Files(const Options& options);
    std::unique_ptr<JournalUpkeep> journal;
    StateStore state;
  };

  void run();
  bool attempt(const std::function<void(Files&)>& work);
  bool is_waited_for() const { return wanted_ > followed_; }
  void catch_up(Files& files);
  bool step(Files& files);
  void wait();
  void rest(std::chrono::nanoseconds time);
  void set_trouble(const std::string& what);
  void publish(const StateStore& state);
  bool mend_some(JournalRows& journal, StateStore& state);
  void look_into_journal(JournalRows& journal, const JournalHead& from, const JournalDamage& found);

  Options options_;
  std::function<Millis()> now_;
  std::atomic<Position> notified_{0};
  std::atomic<Position> followed_{0};
  std::atomic<Position> wanted_{0};   // somebody waits for it
  Position notified_before_ = 0;   // at the step before; the thread's own
  bool busy_ = false;   // rows came since then
  std::atomic<bool> sleeping_{false};
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable caught_up_;
  std::map<EventNumber, Seq> followed_events_;
  StoppedEvents stopped_;   // only its thread changes it
  std::atomic<bool> has_stopped_{false};   // stopped_ is not empty
  std::set<EventNumber> since_start_;   // of stopped_, those of Options::stopped that have not gone on since
  std::set<EventNumber> to_mend_;   // stopped before the start, and not yet tried again; the thread's own
  std::string trouble_;
  std::optional<Files> files_;   // the thread's own
  std::thread thread_;
};

// Makes the tables follow the whole journal from where they are. `progress` gets each position. Throws EventDamage, and stops no event, at a
// row that does not fit: the tables of a rebuild come from this journal alone, so it contradicts itself.
void follow_all(JournalRows& journal, StateStore& state, const std::function<void(Position)>& progress);

}   // namespace holdfast
