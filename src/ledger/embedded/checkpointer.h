// The thread that fills state.db behind the journal, in small steps, with what is durable there; and that moves the journal's
// write-ahead log into its file. It runs at the lowest priority: what it has not done yet, a start does from the journal.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "ledger/embedded/journal.h"
#include "ledger/embedded/log_watch.h"
#include "ledger/embedded/state_store.h"

namespace holdfast {

class Checkpointer {
 public:
  struct Options {
    std::string journal;
    std::string state;
    std::int64_t retention_days = 0;   // of journal rows that are in state.db; 0: all are kept
    // Up to which row the journal is done with by whoever else reads it; later rows are kept, however old. Empty: nobody does. Called on
    // the checkpointer's thread; must not throw.
    std::function<Position()> removable_through{};
    // How far the time may be ahead, so that idempotency keys are kept so much longer, and whether that is a reason to remove no rows.
    // Called on the checkpointer's thread; must not throw. Empty: it is right.
    std::function<Millis()> time_may_be_ahead{};
    std::function<bool()> keeps_old_rows{};
  };

  // Starts the thread. `now` gives the time by which rows are old.
  Checkpointer(Options options, std::function<Millis()> now);
  ~Checkpointer();   // stops
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // Does not rest until state.db has the journal up to `position`, which must be durable. Any thread.
  void hurry_to(Position position);

  // Says that the journal has rows up to `position` and its log `wal_frames` frames. Cheap; from the ledger's writer.
  void notify(Position position, int wal_frames);
  // The log has been moved into the file but for its latest frames; the writer is to look at these and to move them, so that the log starts
  // anew. Says up to where it has been looked at; nothing: the log is to be left as it is.
  std::optional<LogWatch::Place> take_short_log();
  // Somebody else has found something wrong in the journal, and says so in a sentence with the file's name. From here on its log is left as
  // it is. Any thread.
  void set_damage(const std::string& what);
  // By event the last change that is in state.db, of events that moved on since the last call.
  std::map<EventNumber, Seq> take_followed();

  // Follows at once, without rest, until state.db has the journal up to `position`, which must be durable; returns when it has. False
  // when it has not by `deadline`, or cannot be written at the moment. Any thread that may wait.
  bool catch_up_to(Position position, std::chrono::steady_clock::time_point deadline);

  Position followed() const { return followed_.load(std::memory_order_relaxed); }
  Position behind() const { return notified_.load(std::memory_order_relaxed) - followed(); }
  // What keeps it from going on; empty when nothing does.
  std::string trouble() const;
  // What was found wrong in the journal's rows or its log: a sentence with the file's name; empty: nothing. It does not get better.
  std::string journal_damage() const;
  // From here on the journal's log is left as it is: what is damaged in it must not come into the file. Any thread.
  void leave_log() { leaves_log_ = true; }

  // Catches up with what has been notified, for some seconds at most, then ends the thread.
  void stop();

 private:
  void run();
  bool is_waited_for() const { return wanted_ > followed_; }
  void catch_up(Journal& journal, StateStore& state, LogWatch& log);
  bool step(Journal& journal, StateStore& state, LogWatch& log);
  void wait();
  void rest(std::chrono::nanoseconds time);
  void set_trouble(const std::string& what);
  void look_into_journal(Journal& journal, const JournalHead& from, const JournalDamage& found);
  void move_log(Journal& journal, LogWatch& log);

  Options options_;
  std::function<Millis()> now_;
  std::atomic<Position> notified_{0};
  std::atomic<Position> followed_{0};
  std::atomic<Position> wanted_{0};   // somebody waits for it
  std::atomic<int> wal_frames_{0};
  std::atomic<bool> log_is_short_{false};
  std::atomic<bool> leaves_log_{false};
  Position notified_before_ = 0;   // at the step before; the thread's own
  bool busy_ = false;   // rows came since then
  std::atomic<bool> sleeping_{false};
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable caught_up_;
  std::map<EventNumber, Seq> followed_events_;
  std::string trouble_;
  std::string damage_;
  LogWatch::Place looked_at_;   // of the log, before it was moved
  std::thread thread_;
};

// Follows the whole journal into the tables, from where they are. `progress` is told of each position.
void follow_all(Journal& journal, StateStore& state, const std::function<void(Position)>& progress);

}   // namespace holdfast
