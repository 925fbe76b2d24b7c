#include "ledger/postgres/projector.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "ledger/postgres/retention.h"
#include "sql/postgres_stop.h"

namespace holdfast::pg {
namespace {

constexpr int k_steps_a_turn = 4;                          // of one event, before the next event gets its turn
constexpr std::size_t k_events_at_a_look = 1'000;
constexpr std::chrono::seconds k_damaged_for{30};          // before a damaged event is tried again
constexpr std::chrono::seconds k_quick_step{5};            // steps that had to become smaller grow again after a step quicker than this
constexpr std::chrono::milliseconds k_pause_after_failure{200};
constexpr std::chrono::milliseconds k_pause_when_busy{5};
constexpr std::chrono::minutes k_look_at_clock_again{1};    // after a failed attempt
constexpr std::size_t k_seats_worth_statistics = 1'000;

constexpr std::int64_t k_changes_worth_statistics = 1'000;

// SKIP_LOCKED: a table that somebody else analyses or vacuums need not be waited for.
struct Analysis {
  std::string_view table;
  Statement statement;
};
constexpr Analysis k_analyses[] = {{"seat", {"analyze_seat", "ANALYZE (SKIP_LOCKED) holdfast.seat"}},
                                   {"seat_change", {"analyze_seat_change", "ANALYZE (SKIP_LOCKED) holdfast.seat_change"}},
                                   {"reservation", {"analyze_reservation", "ANALYZE (SKIP_LOCKED) holdfast.reservation"}},
                                   {"reservation_row", {"analyze_reservation_row", "ANALYZE (SKIP_LOCKED) holdfast.reservation_row"}},
                                   {"journal", {"analyze_journal", "ANALYZE (SKIP_LOCKED) holdfast.journal"}},
                                   {"event_state", {"analyze_event_state", "ANALYZE (SKIP_LOCKED) holdfast.event_state"}},
                                   {"seat_directory", {"analyze_seat_directory", "ANALYZE (SKIP_LOCKED) holdfast.seat_directory"}}};

// Tables that have changed as often, since the last ANALYZE, as they have rows by their statistics.
constexpr Statement k_outgrown{"outgrown_statistics",
                               "SELECT t.relname::text FROM pg_catalog.pg_stat_all_tables t JOIN pg_catalog.pg_class c ON c.oid = t.relid "
                               "WHERE t.schemaname = 'holdfast' AND t.n_mod_since_analyze >= $1 AND t.n_mod_since_analyze >= c.reltuples"};

Settings for_steps(const ProjectorOptions& options) {
  Settings settings = options.settings;
  settings.application = "holdfast projector";
  settings.durable = false;   // what a crash of the server loses is made again from the journal
  settings.statement_timeout = std::chrono::seconds(30);
  settings.deadline = std::chrono::seconds(35);
  settings.idle_in_transaction = std::chrono::seconds(10);
  return settings;
}

Settings for_house(const ProjectorOptions& options) {
  Settings settings = for_steps(options);
  settings.application = "holdfast housekeeping";
  return settings;
}

// For statements that take long with a large database. If one fails, the end of the transaction takes the longer time back.
constexpr Statement k_more_time{"more_time", "SET LOCAL statement_timeout = '5min'"};
constexpr std::chrono::minutes k_longer_deadline{6};

template <typename Work>
void with_more_time(Connection& connection, Work work) {
  const LongerDeadline longer(connection, k_longer_deadline);
  connection.round_trip({{k_begin}, {k_more_time}});
  work();
  connection.query(k_commit);
}

void warn_of_plans(Connection& connection) {
  for (const std::string& bad : find_bad_plans(connection)) {
    spdlog::warn("the tables will follow the journal slowly, because PostgreSQL plans to go through a whole table: {}", bad);
  }
}

}  // namespace

Projector::Projector(ProjectorOptions options)
    : options_(std::move(options)),
      clock_doubt_until_(Timer::now() + options_.clock_doubt_time),
      thread_([this] { run(); }),
      house_([this] { keep_house(); }) {}

Projector::~Projector() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  progress_.notify_all();
  thread_.join();
  house_.join();
}

// ---------------------------------------------------------------------------------------------------------------- asking

void Projector::tell(EventNumber event, Seq seq) {
  {
    const std::scoped_lock lock(mutex_);
    Event& entry = events_[event];
    entry.told = std::max(entry.told, seq);
    if (!entry.due_since && entry.told > entry.projected) entry.due_since = Timer::now();
    if (entry.is_pending) return;
    entry.is_pending = true;
    entry.pending_since = Timer::now();
    pending_.push_back(event);
    if (pending_.size() > 1) return;
  }
  work_.notify_one();
}

bool Projector::await(EventNumber event, Seq seq, Timer::time_point until) {
  tell(event, seq);
  std::unique_lock lock(mutex_);
  if (events_[event].projected >= seq) return true;
  ++waiting_;
  work_.notify_one();
  progress_.wait_until(lock, until, [&] { return stopping_ || events_[event].projected >= seq || damaged_.contains(event); });
  --waiting_;
  return events_[event].projected >= seq;
}

bool Projector::await_order(Timer::time_point until) {
  std::unique_lock lock(mutex_);
  std::vector<std::pair<EventNumber, Seq>> awaited;
  for (const auto& [number, entry] : events_) {
    if (entry.ordered < entry.told && !damaged_.contains(number)) awaited.emplace_back(number, entry.told);
  }
  if (awaited.empty()) return true;
  const auto is_there = [&] {
    std::erase_if(awaited, [&](const auto& each) {
      const Event& entry = events_[each.first];   // a failover may have taken back what the event was told
      return entry.ordered >= std::min(each.second, entry.told) || damaged_.contains(each.first);
    });
    return awaited.empty();
  };
  ++waiting_;
  work_.notify_one();
  progress_.wait_until(lock, until, [&] { return stopping_ || is_there(); });
  --waiting_;
  return is_there();
}

void Projector::tables_are_as_of(EventNumber event, Seq seq) {
  {
    const std::scoped_lock lock(mutex_);
    const auto at = events_.find(event);
    if (at == events_.end() || std::max(at->second.projected, at->second.ordered) <= seq) return;
    at->second.projected = std::min(at->second.projected, seq);
    at->second.ordered = std::min(at->second.ordered, seq);
  }
  put_back(event);   // another step may have been taken meanwhile: the next turn corrects this
  work_.notify_one();
}

Seq Projector::projected(EventNumber event) const {
  const std::scoped_lock lock(mutex_);
  const auto at = events_.find(event);
  return at == events_.end() ? 0 : at->second.projected;
}

std::string Projector::trouble() const {
  const std::scoped_lock lock(mutex_);
  if (!damaged_.empty()) return damaged_.begin()->second;
  if (!trouble_.empty()) return trouble_;
  const auto failing = failing_.summary();
  return failing.events == 0 ? "" : "the tables that follow the journal cannot be written for " + failing.text;
}

std::map<EventNumber, std::string> Projector::damaged() const {
  const std::scoped_lock lock(mutex_);
  return damaged_;
}

ProjectorStats Projector::stats() const {
  const std::scoped_lock lock(mutex_);
  ProjectorStats stats = stats_;
  stats.events_damaged = damaged_.size();
  const auto now = Timer::now();
  for (const auto& [number, entry] : events_) {
    if (!entry.due_since) continue;
    stats.changes_behind += entry.told > entry.projected ? entry.told - entry.projected : 1;   // 1: nobody has told how many
    if (damaged_.contains(number)) continue;   // it is reported itself, and must not make the others look late
    stats.behind = std::max(stats.behind, std::chrono::duration_cast<std::chrono::milliseconds>(now - *entry.due_since));
  }
  return stats;
}

// ---------------------------------------------------------------------------------------------------------------- projecting

void Projector::run() {
  // A step is one transaction: this or another node makes it again.
  const EndOfWaits end([this] { return !pause(std::chrono::milliseconds(0)); });
  std::unique_ptr<Connection> connection;
  Timer::time_point next_turn{};
  for (;;) {
    std::vector<EventNumber> events;
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [&] { return stopping_ || !pending_.empty(); });
      work_.wait_until(lock, next_turn, [&] { return stopping_ || waiting_ > 0; });
      if (stopping_) return;
      next_turn = Timer::now() + options_.pause;
      events = take_pending();
    }
    try {
      if (connection == nullptr || !connection->is_usable()) connection = std::make_unique<Connection>(for_steps(options_));
      make_turn(*connection, events);
      const std::scoped_lock lock(mutex_);
      trouble_.clear();
    } catch (const std::exception& error) {
      if (!pause(std::chrono::milliseconds(0))) return;
      note_failure(error.what());
      for (const EventNumber event : events) put_back(event);
      if (!pause(k_pause_after_failure)) return;
    }
  }
}

// Call with the mutex.
std::vector<EventNumber> Projector::take_pending() {
  for (const EventNumber event : pending_) events_[event].is_pending = false;
  return std::exchange(pending_, {});
}

// Notes a failure that concerns one event. Throws one that concerns all.
void Projector::make_turn(Connection& connection, const std::vector<EventNumber>& events) {
  std::vector<EventNumber> looked_at;
  for (const EventNumber event : events) {
    if (!failing_.may_try(event)) {
      set_aside(event);
      continue;
    }
    try {
      project_some(connection, event, looked_at);
    } catch (const DataError& error) {
      note_damage(event, error.what());
      failing_.worked(event);
    } catch (const Error& error) {
      if (!connection.is_usable()) throw;
      connection.reset();
      if (error.is(k_query_canceled)) make_steps_smaller(event);
      note_failure_of(event, error.what());   // as far as known, of this event alone
    }
  }
  order_changes(connection, looked_at);
  note_order(looked_at);
}

void Projector::note_failure(const std::string& what) {
  const std::scoped_lock lock(mutex_);
  ++stats_.failures;
  if (trouble_.empty()) spdlog::error("the tables that follow the journal cannot be written at the moment: {}", what);
  trouble_ = "The tables that follow the journal cannot be written: " + what;
}

void Projector::note_failure_of(EventNumber event, const std::string& what) {
  failing_.failed(event, what);
  set_aside(event);
  const std::scoped_lock lock(mutex_);
  ++stats_.failures;
}

void Projector::project_some(Connection& connection, EventNumber event, std::vector<EventNumber>& looked_at) {
  for (int step = 0; step < k_steps_a_turn; ++step) {
    const auto began = Timer::now();
    const StepReport report = project(connection, event, changes_a_step(event));
    if (report.result == StepReport::Result::done && Timer::now() - began < k_quick_step) make_steps_larger(event);
    failing_.worked(event);   // after each step, so that a later failure does not count as the second in a row
    if (report.result == StepReport::Result::busy) {
      put_back(event);   // another node is at it; the next turn sees how far it got
      pause(k_pause_when_busy);
      return;
    }
    note(event, report);
    if (looked_at.empty() || looked_at.back() != event) looked_at.push_back(event);
    if (!report.there_is_more) return;
  }
  put_back(event);
}

std::size_t Projector::changes_a_step(EventNumber event) const {
  const std::scoped_lock lock(mutex_);
  const auto at = events_.find(event);
  return std::max<std::size_t>(1, options_.changes_a_step / (at == events_.end() ? 1 : at->second.parts));
}

// The step took longer than a statement may, so the next one is a quarter of its size.
void Projector::make_steps_smaller(EventNumber event) {
  const std::scoped_lock lock(mutex_);
  std::size_t& parts = events_[event].parts;
  parts = std::min(4 * parts, options_.changes_a_step);
}

void Projector::make_steps_larger(EventNumber event) {
  const std::scoped_lock lock(mutex_);
  std::size_t& parts = events_[event].parts;
  parts = std::max<std::size_t>(1, parts / 2);
}

void Projector::note(EventNumber event, const StepReport& report) {
  {
    const std::scoped_lock lock(mutex_);
    Event& entry = events_[event];
    // Both may go back: after a failover the tables have less, and the journal no longer has what was told.
    entry.projected = report.place.seq;
    const bool has_all = !report.there_is_more && !entry.is_pending;   // is_pending: told of more since
    entry.told = has_all ? entry.projected : std::max(entry.told, entry.projected);
    if (!report.there_is_more) entry.due_since = entry.is_pending ? std::optional(entry.pending_since) : std::nullopt;
    if (damaged_.erase(event) > 0) spdlog::warn("event {} is no longer damaged", event);
    damaged_since_.erase(event);
    if (report.result != StepReport::Result::done) return;
    ++stats_.steps;
    stats_.changes += report.changes;
    if (report.import_has_ended && report.seats >= k_seats_worth_statistics) plans_are_old_ = true;
    if (report.has_keys) untidy_.insert(event);
  }
  progress_.notify_all();
}

void Projector::note_damage(EventNumber event, const std::string& what) {
  {
    const std::scoped_lock lock(mutex_);
    if (damaged_.emplace(event, what).second) spdlog::critical("{}", what);
    damaged_since_[event] = Timer::now();
  }
  progress_.notify_all();
}

// The changes that the tables have of these events now have their places.
void Projector::note_order(const std::vector<EventNumber>& looked_at) {
  {
    const std::scoped_lock lock(mutex_);
    for (const EventNumber event : looked_at) events_[event].ordered = events_[event].projected;
  }
  progress_.notify_all();
}

void Projector::put_back(EventNumber event) {
  const std::scoped_lock lock(mutex_);
  Event& entry = events_[event];
  if (!entry.due_since) entry.due_since = Timer::now();
  if (entry.is_pending) return;
  entry.is_pending = true;
  entry.pending_since = Timer::now();
  pending_.push_back(event);
}

void Projector::set_aside(EventNumber event) {
  const std::scoped_lock lock(mutex_);
  set_aside_.insert(event);
}

void Projector::take_up_again() {
  std::vector<EventNumber> events;
  {
    const std::scoped_lock lock(mutex_);
    for (const EventNumber event : set_aside_) {
      if (failing_.may_try(event)) events.push_back(event);
    }
    for (const EventNumber event : events) set_aside_.erase(event);
  }
  for (const EventNumber event : events) put_back(event);
  if (!events.empty()) work_.notify_one();
}

// False once the projector ends.
bool Projector::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !progress_.wait_for(lock, time, [&] { return stopping_; });
}

// ---------------------------------------------------------------------------------------------------------------- keeping house

void Projector::keep_house() {
  const EndOfWaits end([this] { return !pause(std::chrono::milliseconds(0)); });
  std::unique_ptr<Connection> connection;
  bool has_looked_at_plans = false;
  bool waits = false;
  auto next_tidy = Timer::now() + options_.tidy;
  do {
    try {
      if (connection == nullptr || !connection->is_usable()) connection = std::make_unique<Connection>(for_house(options_));
      if (!std::exchange(has_looked_at_plans, true)) warn_of_plans(*connection);
      take_up_again();
      look_around(*connection);
      if (Timer::now() >= next_tidy) {
        tidy(*connection);
        next_tidy = Timer::now() + options_.tidy;
      }
      renew_statistics(*connection);
      look_at_clock(*connection);   // last: only old rows and keys wait for it
      if (std::exchange(waits, false)) spdlog::warn("the upkeep of the tables works again");
    } catch (const std::exception& error) {
      if (!pause(std::chrono::milliseconds(0))) return;
      spdlog::log(std::exchange(waits, true) ? spdlog::level::debug : spdlog::level::warn,
                  "the upkeep of the tables fails and is retried: {}", error.what());
      if (connection != nullptr) connection->reset();
    }
    warn_if_clock_is_unknown();
  } while (pause(options_.look_around));
}

// Finds events that nobody has told of, some per call. The first call looks at all.
void Projector::look_around(Connection& connection) {
  do {
    const Lagging lagging = find_lagging(connection, next_to_look_at_, k_events_at_a_look);
    for (const EventNumber event : lagging.events) {
      {
        const std::scoped_lock lock(mutex_);
        const auto damaged = damaged_since_.find(event);
        if (damaged != damaged_since_.end() && damaged->second + k_damaged_for > Timer::now()) continue;
      }
      put_back(event);
    }
    work_.notify_one();
    next_to_look_at_ = std::max<EventNumber>(1, lagging.next);
  } while (next_to_look_at_ > 1 && !has_looked_at_all_ && pause(std::chrono::milliseconds(0)));
  has_looked_at_all_ = true;
}

// After an import, and when a table has grown to about twice its size: plans that were made for a few rows can take minutes with many.
// PostgreSQL's autovacuum does the same, but later, and it may be off.
void Projector::renew_statistics(Connection& connection) {
  bool has_imported = false;
  {
    const std::scoped_lock lock(mutex_);
    has_imported = std::exchange(plans_are_old_, false);
  }
  std::set<std::string> outgrown;
  if (!has_imported && Timer::now() >= look_at_statistics_after_) {
    look_at_statistics_after_ = Timer::now() + options_.look_at_statistics;
    const Result rows = connection.query(k_outgrown, Parameters().int8(k_changes_worth_statistics));
    for (int at = 0; at < rows.rows(); ++at) outgrown.emplace(rows.text(at, 0));
  }
  for (const Analysis& each : k_analyses) {
    if (has_imported || outgrown.contains(std::string(each.table))) {
      with_more_time(connection, [&] { connection.query(each.statement); });
    }
  }
}

// Once, after the start. If the clock jumps later, the ledger notices.
void Projector::look_at_clock(Connection& connection) {
  {
    const std::scoped_lock lock(mutex_);
    if (clock_ahead_ || Timer::now() < look_at_clock_after_) return;
    look_at_clock_after_ = Timer::now() + k_look_at_clock_again;   // in case this attempt fails
  }
  Millis ahead = 0;
  with_more_time(connection, [&] { ahead = clock_ahead_of_journal(connection, k_clock_doubt_time); });
  {
    const std::scoped_lock lock(mutex_);
    clock_ahead_ = ahead;
    clock_doubt_until_ = Timer::now() + options_.clock_doubt_time;
  }
  if (const std::string doubt = clock_doubt(); !doubt.empty()) spdlog::warn("{}", doubt);
}

// Once: a lookup that fails for so long may fail for days.
void Projector::warn_if_clock_is_unknown() {
  {
    const std::scoped_lock lock(mutex_);
    if (clock_ahead_ || has_warned_of_unknown_clock_ || Timer::now() < clock_doubt_until_) return;
  }
  has_warned_of_unknown_clock_ = true;
  spdlog::warn(
      "the database's clock could not be compared with the journal for {} minutes, so nobody knows whether it is far ahead. Idempotency "
      "keys now count for 24 hours by that clock. Until the comparison succeeds, no old journal row and no key is removed from the "
      "database. Check that clock, and why the upkeep of the tables fails",
      std::chrono::duration_cast<std::chrono::minutes>(options_.clock_doubt_time).count());
}

bool Projector::is_clock_in_doubt() const {
  {
    const std::scoped_lock lock(mutex_);
    if (!clock_ahead_) return true;
  }
  return clock_may_be_ahead() > 0;
}

Millis Projector::clock_may_be_ahead() const {
  const std::scoped_lock lock(mutex_);
  if (Timer::now() >= clock_doubt_until_) return 0;
  if (!clock_ahead_) return k_clock_ahead_unknown;
  return *clock_ahead_ >= k_clock_doubtful_ahead ? *clock_ahead_ : 0;
}

std::string Projector::clock_doubt() const {
  constexpr double k_hour = 3'600.0 * k_millis_per_second;
  if (!is_clock_in_doubt()) return {};
  const std::scoped_lock lock(mutex_);
  if (!clock_ahead_) return {};
  return fmt::format(
      "the database's clock was {:.1f} hours ahead of the last recorded time at the start. If nothing was recorded for so long, all is "
      "well. If the clock is wrong: stop the nodes and correct the clock before more is recorded. For an hour no old journal row and no "
      "idempotency key is removed",
      static_cast<double>(*clock_ahead_) / k_hour);
}

// Deletes what is old by the database's clock, and only while that clock can be trusted: deleted rows do not come back.
void Projector::tidy(Connection& connection) {
  if (options_.clock_trouble && !options_.clock_trouble().empty()) return;
  if (is_clock_in_doubt()) return;
  std::set<EventNumber> untidy;
  {
    const std::scoped_lock lock(mutex_);
    untidy = std::exchange(untidy_, {});
  }
  for (const EventNumber event : untidy) drop_old_keys(connection, event);
  if (options_.journal_retention_days == 0) return;
  const auto relayed = [this](EventNumber event) { return options_.relayed ? options_.relayed(event) : k_all; };
  const std::uint64_t removed = clear_journal(connection, options_.journal_retention_days, relayed);
  const std::scoped_lock lock(mutex_);
  stats_.rows_removed += removed;
}

}  // namespace holdfast::pg
