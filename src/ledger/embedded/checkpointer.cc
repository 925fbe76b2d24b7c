#include "ledger/embedded/checkpointer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

namespace holdfast {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t k_changes_per_step = 2'000;            // about 10 ms of work, which a crash would repeat
constexpr std::size_t k_changes_per_hurried_step = 20'000;   // larger steps write a page once for many changes to it
constexpr std::size_t k_rows_per_mending_step = 20'000;      // most are of other events, and only read
constexpr std::size_t k_bytes_like_a_change = 64;
constexpr Position k_rows_behind_max = 100'000;     // up to this lag, requests come first
constexpr int k_rest = 9;                           // while requests come: nine parts rest, one part work
constexpr auto k_rest_max = 200ms;
constexpr auto k_pause_after_trouble = 1s;
constexpr auto k_last_catch_up = 5s;                // at the end; a start replays faster than the tables follow
constexpr auto k_gather = 20ms;                     // one step of many rows costs less than many steps of one row
constexpr std::size_t k_rows_removed_per_step = 2'000;
constexpr Millis k_day = 86'400'000;

using Followed = std::map<EventNumber, Seq>;   // by event the last change

std::size_t work_of(const JournalRow& row) {
  return row.changes + row.body.size() / k_bytes_like_a_change + 1;   // one change may append thousands of seats
}

// Follows at least `changes_max` changes after the tables' position, or all, and stops the events of `damaged` where the tables are. Returns
// false if there was nothing to follow.
bool follow_some(JournalRows& journal, StateStore& state, std::size_t changes_max, const std::map<EventNumber, std::string>& damaged,
                 Followed& followed, JournalHead& head) {
  head = state.as_of();
  Followed last;
  std::size_t changes = 0;
  state.begin();
  try {
    for (const auto& [event, why] : damaged) state.stop(event, {.through = head.position, .why = why});
    journal.read(head, [&](const JournalRow& row) {
      if (state.follow(row)) last[row.event] = row.first_seq + row.changes - 1;
      head = {row.position, row.hash};
      changes += work_of(row);
      return changes < changes_max;
    });
    if (changes == 0) {
      state.roll_back();
      return false;
    }
    state.commit(head);
  } catch (...) {
    state.roll_back();
    throw;
  }
  for (const auto& [event, seq] : last) followed[event] = seq;
  return true;
}

// The same, but an event with a row that does not fit its tables is stopped: the step is done again without it. So the usual step needs no
// savepoint for each event, and a step with a new contradiction costs twice.
bool follow_some_or_stop(JournalRows& journal, StateStore& state, std::size_t changes_max, Followed& followed, JournalHead& head) {
  std::map<EventNumber, std::string> damaged;
  for (;;) {
    try {
      return follow_some(journal, state, changes_max, damaged, followed, head);
    } catch (const EventDamage& damage) {
      damaged[damage.event()] = damage.found();
    }
  }
}

// Follows some of the rows that the tables of a stopped event lack. Once they lack none, the event goes on, if its tables do not contradict
// themselves. Returns false if they do, or if a row still does not fit.
bool mend_some_of(JournalRows& journal, StateStore& state, EventNumber event) {
  const JournalHead as_of = state.as_of();
  const Position from = state.stopped().at(event).through;
  const auto hash = journal.hash_at(from);
  if (!hash) return false;
  Position through = from;
  std::size_t rows = 0;
  std::size_t changes = 0;
  state.begin();
  try {
    const auto follow = [&](const JournalRow& row) {
      if (row.position > as_of.position) return false;
      through = row.position;
      if (row.event == event) {
        state.follow_stopped(row);
        changes += work_of(row);
      }
      return ++rows < k_rows_per_mending_step && changes < k_changes_per_step;
    };
    if (from < as_of.position) {
      journal.read({from, *hash}, follow);
      state.advance_stopped(event, through);
    } else {   // a step of its own: what the last one followed is in the tables now
      state.check_event(event);
      state.go_on(event);
    }
    state.commit(as_of);
  } catch (const EventDamage&) {
    state.roll_back();
    return false;
  } catch (...) {
    state.roll_back();
    throw;
  }
  return true;
}

// Removes old rows of the journal, up to `through` at most. They leave the index first, so that the index never names a missing
// row. That commit is synced, so that the tables have durably what the journal forgets. If it fails, no row is removed before the log of
// state.db has been written again (StateStore::settle), for another sync would not bring what this one has lost. A crash between the two
// steps leaves an index that is ahead, which the next start can handle.
void remove_old(JournalUpkeep& journal, StateStore& state, const JournalHead& as_of, Position through, Millis older_than) {
  const std::vector<JournalRow> old = journal.old_rows(std::min(as_of.position, through), older_than, k_rows_removed_per_step);
  if (old.empty()) return;
  state.sync_commits(true);
  state.begin();
  try {
    state.forget_rows(old, old.back().position);
    state.commit(as_of);
  } catch (...) {
    state.roll_back();
    throw;
  }
  state.sync_commits(false);
  journal.remove(old);
}

}   // namespace

void follow_all(JournalRows& journal, StateStore& state, const std::function<void(Position)>& progress) {
  Followed followed;
  JournalHead head;
  while (follow_some(journal, state, 50'000, {}, followed, head)) progress(head.position);
}

Checkpointer::Checkpointer(Options options, std::function<Millis()> now)
    : options_(std::move(options)), now_(std::move(now)), stopped_(options_.stopped), has_stopped_(!stopped_.empty()) {
  for (const auto& [event, stopped] : stopped_) since_start_.insert(event);
  to_mend_ = since_start_;
  if (options_.has_thread) thread_ = std::thread([this] { run(); });
}

Checkpointer::~Checkpointer() { stop(); }

void Checkpointer::stop() {
  {
    const std::scoped_lock lock(mutex_);
    if (stop_.exchange(true)) return;   // the destructor, after a call
  }
  wake_.notify_all();
  caught_up_.notify_all();
  if (thread_.joinable()) thread_.join();
  while (!options_.has_thread && turn()) {}
  files_.reset();
}

Checkpointer::Files::Files(const Options& options)
    : journal(options.journal->new_upkeep()), state(options.state, StateStore::Mode::write) {}

void Checkpointer::notify(Position position) {
  notified_.store(position, std::memory_order_seq_cst);
  if (!sleeping_.load(std::memory_order_seq_cst)) return;
  const std::scoped_lock lock(mutex_);
  wake_.notify_one();
}

std::map<EventNumber, Seq> Checkpointer::take_followed() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(followed_events_, {});
}

StoppedEvents Checkpointer::stopped() const {
  if (!has_stopped_) return {};
  const std::scoped_lock lock(mutex_);
  return stopped_;
}

bool Checkpointer::is_stopped(EventNumber event) const {
  if (!has_stopped_) return false;
  const std::scoped_lock lock(mutex_);
  return stopped_.contains(event);
}

bool Checkpointer::is_stopped_since_start(EventNumber event) const {
  if (!has_stopped_) return false;
  const std::scoped_lock lock(mutex_);
  return since_start_.contains(event);
}

bool Checkpointer::catch_up_to(Position position, std::chrono::steady_clock::time_point deadline) {
  if (followed_ >= position) return true;
  std::unique_lock lock(mutex_);
  wanted_ = std::max(wanted_.load(), position);
  wake_.notify_all();
  if (options_.has_thread) {
    caught_up_.wait_until(lock, deadline, [&] { return followed_ >= position || stop_ || !trouble_.empty(); });
  } else {
    lock.unlock();
    while (followed_ < position && turn()) {}
  }
  return followed_ >= position;
}

void Checkpointer::hurry_to(Position position) {
  if (wanted_ >= position) return;
  const std::scoped_lock lock(mutex_);
  wanted_ = std::max(wanted_.load(), position);
  wake_.notify_all();
}

std::string Checkpointer::trouble() const {
  const std::scoped_lock lock(mutex_);
  return trouble_;
}

void Checkpointer::set_trouble(const std::string& what) {
  const std::scoped_lock lock(mutex_);
  if (trouble_ != what && !what.empty()) spdlog::error("state.db does not follow the journal; it is tried again: {}", what);
  trouble_ = what;
  if (!what.empty()) caught_up_.notify_all();
}

// Finds out whether the journal is damaged, or only the tables' record of their place in it.
void Checkpointer::look_into_journal(JournalRows& journal, const JournalHead& from, const JournalDamage& found) {
  try {
    const auto hash = journal.hash_at(from.position);
    if (hash == from.hash) return options_.journal->found_damage(found.what());
    if (hash) journal.read({from.position, *hash}, [](const JournalRow&) { return true; });
  } catch (const JournalDamage& damage) {
    options_.journal->found_damage(damage.what());
  }
}

// Call with the mutex, before followed_ grows.
void Checkpointer::publish(const StateStore& state) {
  const StoppedEvents& now = state.stopped();
  if (stopped_ == now) return;
  for (const auto& [event, stopped] : now) {
    if (stopped_.contains(event)) continue;
    spdlog::error("{}.", told_of({{event, stopped}}, options_.state));
    followed_events_.erase(event);   // memory must not forget what its tables may have wrong
  }
  for (const auto& [event, stopped] : stopped_) {
    if (now.contains(event)) continue;
    spdlog::warn("the tables of event {} in {} follow the journal again", event, options_.state);
    since_start_.erase(event);
  }
  stopped_ = now;
  has_stopped_ = !stopped_.empty();
}

// Tries each event that was stopped before the start once more, a step at a time: somebody may have mended its tables. Returns false once
// there is none left to try.
bool Checkpointer::mend_some(JournalRows& journal, StateStore& state) {
  if (to_mend_.empty()) return false;
  const EventNumber event = *to_mend_.begin();
  const bool fits = mend_some_of(journal, state, event);
  if (!fits) spdlog::error("{}.", told_of({{event, state.stopped().at(event)}}, options_.state));
  if (!fits || !state.stopped().contains(event)) to_mend_.erase(event);
  const std::scoped_lock lock(mutex_);
  publish(state);
  return !to_mend_.empty();
}

void Checkpointer::run() {
  while (!stop_) {
    if (attempt([this](Files& files) { catch_up(files); })) continue;
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, k_pause_after_trouble, [this] { return stop_.load(); });
  }
  files_.reset();
}

bool Checkpointer::turn() {
  bool has_more = false;
  attempt([&](Files& files) { has_more = step(files); });
  return has_more;
}

// Opens the files unless they are open, and does this. A failure is its trouble, and closes them. False if it failed.
bool Checkpointer::attempt(const std::function<void(Files&)>& work) {
  try {
    if (!files_) {
      files_.emplace(options_);
      {
        const std::scoped_lock lock(mutex_);
        publish(files_->state);
        followed_ = files_->state.as_of().position;
      }
      caught_up_.notify_all();
      files_->state.settle();   // a sync of the last connection may have failed
    }
    try {
      work(*files_);
    } catch (const JournalDamage& damage) {
      look_into_journal(files_->journal->rows(), files_->state.as_of(), damage);
      throw;
    }
    set_trouble({});
    return true;
  } catch (const std::exception& error) {
    if (files_) files_->state.keep_log_at_close();
    files_.reset();
    set_trouble(error.what());
    return false;
  }
}

void Checkpointer::catch_up(Files& files) {
  for (;;) {
    const bool stopping = stop_;
    const auto deadline = std::chrono::steady_clock::now() + k_last_catch_up;
    for (;;) {
      const auto began = std::chrono::steady_clock::now();
      if (!step(files)) break;
      const auto now = std::chrono::steady_clock::now();
      if (stop_ && now > deadline) break;
      if (busy_ && behind() < k_rows_behind_max && !is_waited_for()) rest((now - began) * k_rest);
    }
    set_trouble({});
    if (stopping) return;
    wait();
  }
}

// Gives the processor to the requests. A low priority is no way to do that: on a busy machine it leaves the thread next to nothing, and it cannot
// be raised again when rounds wait for the tables.
void Checkpointer::rest(std::chrono::nanoseconds time) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::min<std::chrono::nanoseconds>(time, k_rest_max), [this] { return stop_ || is_waited_for(); });
}

bool Checkpointer::step(Files& files) {
  JournalRows& rows = files.journal->rows();
  StateStore& state = files.state;
  const Position notified = notified_;
  busy_ = notified != notified_before_ && !stop_;
  notified_before_ = notified;
  Followed followed;
  JournalHead head;
  if (options_.time_may_be_ahead) state.keep_keys_longer(options_.time_may_be_ahead());
  const bool moved = follow_some_or_stop(rows, state, is_waited_for() ? k_changes_per_hurried_step : k_changes_per_step, followed, head);
  if (moved) {
    set_trouble({});   // from here on the tables are only late
    const std::scoped_lock lock(mutex_);
    publish(state);
    followed_ = head.position;
    for (const auto& [event, seq] : followed) followed_events_[event] = seq;
    caught_up_.notify_all();
  }
  const bool is_mending = mend_some(rows, state);
  files.journal->tend(busy_);
  // Without its old rows the journal could not make the tables of a stopped event again.
  if (options_.retention_days > 0 && state.stopped().empty() && !(options_.keeps_old_rows && options_.keeps_old_rows())) {
    const Position through = options_.removable_through ? options_.removable_through() : head.position;
    remove_old(*files.journal, state, head, through, now_() - options_.retention_days * k_day);
  }
  return is_mending || (moved && (followed_ < notified_ || is_waited_for()));
}

void Checkpointer::wait() {
  std::unique_lock lock(mutex_);
  sleeping_.store(true, std::memory_order_seq_cst);
  wake_.wait(lock, [this] { return stop_ || notified_.load(std::memory_order_seq_cst) > followed_ || is_waited_for(); });
  sleeping_.store(false, std::memory_order_seq_cst);
  wake_.wait_for(lock, k_gather, [this] { return stop_ || is_waited_for(); });
}

}   // namespace holdfast
