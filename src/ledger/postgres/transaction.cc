#include "ledger/postgres/transaction.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/uuid/random_generator.hpp>
#include <thread>

#include "core/bytes.h"
#include "core/check.h"
#include "ledger/postgres/imports.h"
#include "ledger/postgres/journal_reading.h"
#include "ledger/postgres/projection.h"

namespace holdfast {
namespace {

using Timer = std::chrono::steady_clock;
using namespace pg;

// A replica that is further behind catches up outside the lock.
constexpr int k_rows_in_lock_max = 64;
constexpr std::chrono::milliseconds k_settle_max{10'000};
constexpr std::chrono::milliseconds k_pause_first{2};   // between two attempts; doubles up to k_pause_max
constexpr std::chrono::milliseconds k_pause_max{100};

constexpr Statement k_lock{"lock", "SELECT 1 FROM holdfast.event WHERE number = $1 FOR UPDATE"};
constexpr Statement k_lock_nowait{"lock_nowait", "SELECT 1 FROM holdfast.event WHERE number = $1 FOR UPDATE NOWAIT"};
// The row before, ($9, $10), must have the hash $11 that the batch was judged after. Otherwise the new row's hash is NULL, which the
// table refuses.
constexpr Statement k_append{
    "append",
    "INSERT INTO holdfast.journal (event, first_seq, ordinal, changes, at, batch, hash, body) VALUES ($1, $2, $3, $4, $5, $6, "
    "CASE WHEN $9::bigint = 0 OR (SELECT hash FROM holdfast.journal WHERE event = $1 AND first_seq = $9 AND ordinal = $10) = $11 "
    "THEN $7::bytea END, $8)"};
constexpr Statement k_find_batch{"find_batch", "SELECT batch FROM holdfast.journal WHERE event = $1 AND first_seq = $2 AND ordinal = $3"};
// PostgreSQL has no timeout for a client that stops reading, and its session may hold an event's row. This terminates ledger sessions
// that have been blocked on their client for 3 s.
constexpr Statement k_end_stuck{"end_stuck",
                                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND datname = "
                                "current_database() AND application_name = $1 AND wait_event_type = 'Client' AND state <> 'idle' AND "
                                "state_change < clock_timestamp() - interval '3 seconds'"};

// An event cannot be read, or contradicts itself. The event is set aside, and the other events of the transaction continue.
class EventDamaged : public std::runtime_error {
 public:
  EventDamaged(Replica& where, const std::string& what) : std::runtime_error(what), replica(where) {}
  Replica& replica;
};

}   // namespace

PostgresLedger::Transaction::Transaction(PostgresLedger& ledger, std::span<const Batch> batches)
    : ledger_(ledger), judging_(ledger.options_.judging), batches_(batches), until_(Timer::now() + ledger.options_.patience) {
  std::vector<EventNumber> numbers;
  for (const Batch& batch : batches) {
    numbers.insert(numbers.end(), batch.events.begin(), batch.events.end());
  }
  std::ranges::sort(numbers);
  const auto repeated = std::ranges::unique(numbers);
  numbers.erase(repeated.begin(), repeated.end());
  for (const EventNumber number : numbers) replicas_.push_back(ledger.replica_of(number));
  for (const ReplicaPtr& replica : replicas_) locks_.emplace_back(replica->mutex);
}

PostgresLedger::Transaction::Result PostgresLedger::Transaction::run(ExecutionReport& report) {
  auto pause = k_pause_first;
  for (;;) {
    const Step step = attempt(report);
    judging_.give_up();   // before replying: a client that reacts at once must find the seat locks free
    if (step == Step::done) return Result::done;
    if (step == Step::again && batches_.size() > 1) return Result::held_back;
    if (step == Step::unavailable || Timer::now() >= until_) return Result::unavailable;
    ++ledger_.counters_.again;
    std::this_thread::sleep_for(pause);   // the trouble needs time to pass, and this lane has nothing else to do
    pause = std::min(2 * pause, k_pause_max);
  }
}

// One attempt. Whatever fails, the replicas are then as the journal has them, or will be loaded again before their next use. Throws
// nothing, because the lane has other events to serve.
PostgresLedger::Transaction::Step PostgresLedger::Transaction::attempt(ExecutionReport& report) {
  commit_sent_ = false;
  rows_.clear();
  bodies_.clear();
  unreadable_.clear();
  try {
    auto connection = ledger_.pool_.take();
    try {
      switch (judge_and_write(*connection, report)) {
        case Written::rows: break;
        case Written::nothing: return Step::done;
        case Written::too_far_behind: return Step::again;
      }
    } catch (const Error& error) {
      if (error.is(k_read_only_transaction)) connection->discard();   // the server was demoted: it accepts no writes on any connection
      throw;
    }
  } catch (const Error& error) {
    if (const auto step = after_error(error)) return *step;
  } catch (const HistoryChanged& error) {
    begin_anew(error);
    return Step::again;
  } catch (const EventDamaged& error) {
    undo();
    ledger_.note_damage(error.replica, error.what());
    return Step::again;   // the next attempt refuses its commands
  } catch (const std::exception& error) {
    spdlog::error("a batch failed: {}. Its commands are answered as unavailable; other batches continue", error.what());
    undo();
    return Step::unavailable;
  }
  publish(report);
  ledger_.pool_.failures().worked();
  return Step::done;
}

PostgresLedger::Transaction::Written PostgresLedger::Transaction::judge_and_write(Connection& connection, ExecutionReport& report) {
  prepare(connection);
  if (!lock_and_read(connection)) {
    connection.reset();
    catch_up(connection);
    return Written::too_far_behind;
  }
  const auto started = Timer::now();
  judge_all();
  const auto judged = Timer::now();
  report.judging += judged - started;
  if (!has_news()) {
    connection.query(k_rollback);
    ++ledger_.counters_.refused;
    ledger_.pool_.failures().worked();
    for (const ReplicaPtr& replica : replicas_) ledger_.forget_ended(*replica);
    return Written::nothing;
  }
  write(connection);
  commit(connection);
  report.committing += Timer::now() - judged;
  return Written::rows;
}

// Nothing if the rows are in the journal all the same: then the attempt has succeeded.
std::optional<PostgresLedger::Transaction::Step> PostgresLedger::Transaction::after_error(const Error& error) {
  count_failure(error);
  const bool is_unknown = commit_sent_ && error.connection_lost();
  const Settled settled = is_unknown ? settle() : Settled::not_there;
  if (settled == Settled::there) return std::nullopt;
  undo();
  // Do not wait for a server that cannot be reached: the callers are told at once.
  const bool is_away = error.is("HFCLK") || (error.connection_lost() && !is_unknown && !ledger_.pool_.trouble().empty());
  return is_away || settled == Settled::unknown ? Step::unavailable : Step::again;
}

void PostgresLedger::Transaction::begin_anew(const HistoryChanged& error) {
  spdlog::warn("{}: the database has another history than this node has seen (a failover or a restore); the event is loaded again",
               error.what());
  undo();
  for (const ReplicaPtr& replica : replicas_) {
    replica->history_changed = true;
    replica->drop();
  }
  ++ledger_.counters_.histories;
}

// Outside the lock.
void PostgresLedger::Transaction::catch_up(Connection& connection) {
  for (const ReplicaPtr& replica : replicas_) {
    if (!replica->is_loaded()) continue;
    try {
      ledger_.catch_up(connection, *replica);
    } catch (const DataError& error) {
      throw EventDamaged(*replica, error.what());
    }
  }
}

// Slow work, before anything is locked: loading, and recalling reservations that memory has forgotten.
void PostgresLedger::Transaction::prepare(Connection& connection) {
  for (const ReplicaPtr& replica : replicas_) {
    if (replica->is_loaded() || !replica->damage.empty()) continue;
    ledger_.unless_damaged(*replica, [&] { ledger_.load(connection, *replica); });
  }
  for (const Batch& batch : batches_) {
    for (const Entry* entry : batch.entries) {
      try {
        recall_forgotten(connection, entry->submission);
      } catch (const DataError& error) {
        spdlog::error("a command was refused: {} Commands about other reservations continue.", error.what());
        unreadable_.push_back(&entry->submission);
      }
    }
  }
}

void PostgresLedger::Transaction::recall_forgotten(Connection& connection, const Submission& submission) {
  for (const Part& part : submission.parts) {
    const Uuid* id = reservation_of(part.command);
    Replica* replica = id == nullptr ? nullptr : replica_of(part.event);
    if (replica == nullptr || !replica->is_loaded() || event_of_reservation(*id) != part.event) continue;
    if (replica->inventory->find(*id) != Inventory::k_no_slot) continue;
    const auto found = find_reservation(connection, *id);
    if (found && found->view.status != ReservationStatus::active) ledger_.recall_ended(connection, *replica, *found);
  }
}

// True: every replica is up to date with its journal, and no other transaction can write to their events. False: a replica is too far
// behind.
bool PostgresLedger::Transaction::lock_and_read(Connection& connection) {
  const std::int64_t sent = DatabaseClock::boot_ms();
  connection.send(k_begin);
  for (const ReplicaPtr& replica : replicas_) {
    connection.send(batches_.size() > 1 ? k_lock_nowait : k_lock, Parameters().event(replica->number));
  }
  for (const ReplicaPtr& replica : replicas_) connection.send(k_read_after, read_after(*replica, k_rows_in_lock_max));
  const std::vector<pg::Result> results = connection.round_trip();
  const std::span locked = std::span(results).subspan(1, replicas_.size());
  const std::span read = std::span(results).subspan(1 + replicas_.size());
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    if (locked[i].rows() == 0 && (replicas_[i]->is_loaded() || replicas_[i]->pending)) {
      throw HistoryChanged("event " + std::to_string(replicas_[i]->number) + " is not in the database");
    }
  }
  now_ = 0;
  for (const pg::Result& each : read) now_ = std::max(now_, each.int8(0, 0));
  ledger_.observe_clock(now_, sent);
  if (!ledger_.clock_trouble().empty()) throw Error("HFCLK", "the database's clock has jumped");
  keys_longer_ = ledger_.keys_kept_longer();
  for (const ReplicaPtr& replica : replicas_) replica->keys.keep_longer(keys_longer_);
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    if (!replicas_[i]->damage.empty()) continue;   // it has no place in the journal, so all rows would be new to it
    if (read[i].rows() >= k_rows_in_lock_max) return false;
    const auto fold = [&] { ledger_.counters_.followed += fold_rows(read[i], *replicas_[i], find_in(connection)); };
    ledger_.unless_damaged(*replicas_[i], fold);
  }
  return true;
}

pg::Replica* PostgresLedger::Transaction::replica_of(EventNumber number) const {
  const auto at = std::ranges::lower_bound(replicas_, number, {}, [](const ReplicaPtr& each) { return each->number; });
  return at == replicas_.end() || (*at)->number != number ? nullptr : at->get();
}

Bench PostgresLedger::Transaction::bench_of(EventNumber number) {
  Replica& replica = *replica_of(number);
  if (!replica.is_loaded() && replica.pending) replica.begin_pending();
  if (!replica.is_loaded()) return {};
  return {replica.inventory.get(), &replica.changes, replica.plan.get()};
}

// Refuses commands that core must not judge: of damaged events, of imports that another node has abandoned, and with keys that were used
// for another event.
bool PostgresLedger::Transaction::refuse_beforehand(Entry& entry) const {
  const Part& first = entry.submission.parts.front();
  for (const Part& part : entry.submission.parts) {
    const Replica& replica = *replica_of(part.event);
    const bool imports = std::holds_alternative<AppendSeats>(part.command);
    const bool is_importing = replica.is_loaded() && replica.inventory->settings().status == EventStatus::importing;
    const bool creates_again = std::holds_alternative<Create>(part.command) && replica.is_loaded();
    if (!replica.damage.empty() || creates_again || (imports && !is_importing)) {
      entry.verdict = refuse_all(entry.submission, Reason::unavailable);
      return true;
    }
  }
  if (!entry.submission.key) return false;
  const auto used_for = ledger_.recent_keys_.find(entry.submission.key->key, now_ - keys_longer_);
  if (!used_for || *used_for == first.event) return false;
  entry.verdict = refuse_all(entry.submission, Reason::idempotency_key_reused);
  return true;
}

void PostgresLedger::Transaction::judge_all() {
  for (const ReplicaPtr& replica : replicas_) {
    if (replica->is_loaded()) now_ = std::max(now_, replica->inventory->last_now());
    replica->judged_ahead = true;   // until the journal is known to have what is judged now
  }
  const std::vector<Batch> batches = without_refused();
  judging_.lock_ahead(batches, *this, now_);
  swept_ = judging_.judge(batches, *this, now_);
  for (const ReplicaPtr& replica : replicas_) replica->judged_ahead = replica->has_news();
}

// The batches without the submissions that refuse_beforehand() has refused.
std::vector<Batch> PostgresLedger::Transaction::without_refused() const {
  std::vector<Batch> batches;
  for (const Batch& batch : batches_) {
    Batch& asked = batches.emplace_back(Batch{.events = batch.events, .entries = {}});
    for (Entry* entry : batch.entries) {
      if (!refuse_beforehand(*entry)) asked.entries.push_back(entry);
    }
  }
  return batches;
}

KeyTable& PostgresLedger::Transaction::keys_of(EventNumber first) { return replica_of(first)->keys; }

const Inventory* PostgresLedger::Transaction::inventory_in_memory(EventNumber number) const { return replica_of(number)->inventory.get(); }

// prepare() has recalled reservations already, because that takes round trips.
bool PostgresLedger::Transaction::recall_for(const Submission& submission) {
  return std::ranges::find(unreadable_, &submission) == unreadable_.end();
}

void PostgresLedger::Transaction::keep(KeptKey kept) { replica_of(kept.event)->kept.push_back(std::move(kept)); }

bool PostgresLedger::Transaction::has_news() const {
  return std::ranges::any_of(replicas_, [](const ReplicaPtr& replica) { return replica->has_news(); });
}

void PostgresLedger::Transaction::write(Connection& connection) {
  for (const ReplicaPtr& replica : replicas_) {
    if (replica->pending && replica->has_news()) look_after_import(connection, *replica);
  }
  batch_ = boost::uuids::random_generator()();
  bodies_.resize(replicas_.size());
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    Replica& replica = *replicas_[i];
    if (!replica.has_news()) continue;
    encode_body(replica.changes, replica.kept, bodies_[i]);
    JournalRow row{.position = replica.place.at.ordinal,
                   .event = replica.number,
                   .first_seq = replica.place.next(),
                   .changes = replica.changes.count,
                   .at = now_,
                   .body = bodies_[i]};
    HOLDFAST_CHECK(replica.inventory->seq() == row.first_seq + row.changes - 1);
    row.hash = chain(replica.place.at.hash, row);
    rows_.push_back(row);
    connection.send(k_append, Parameters()
                                  .event(row.event)
                                  .seq(row.first_seq)
                                  .int2(static_cast<std::int16_t>(row.position))
                                  .unsigned4(row.changes)
                                  .int8(row.at)
                                  .uuid(batch_)
                                  .bytes(as_bytes(row.hash))
                                  .bytes(row.body)
                                  .seq(replica.place.last.first_seq)
                                  .int2(replica.place.last.ordinal)
                                  .bytes(as_bytes(replica.place.at.hash)));
  }
}

void PostgresLedger::Transaction::commit(Connection& connection) {
  if (ledger_.options_.sync_projection) {
    connection.sync();
    receive_rows(connection);
    connection.end_sync();
    project_rows(connection);
  }
  commit_sent_ = true;
  connection.send(k_commit);
  connection.sync();
  if (!ledger_.options_.sync_projection) receive_rows(connection);
  const pg::Result committed = connection.receive();
  connection.end_sync();
  if (committed.tag() != "COMMIT") throw Error("HFRBK", "the transaction was rolled back");
  // Committed here, but perhaps not on the synchronous standby, which may be the next primary.
  if (connection.take_commit_warning()) throw Error("", "the wait for the synchronous standby was cancelled");
}

void PostgresLedger::Transaction::project_rows(Connection& connection) {
  for (const JournalRow& row : rows_) {
    try {
      project_within(connection, row.event);
    } catch (const DataError& error) {
      connection.reset();
      throw EventDamaged(*replica_of(row.event), error.what());
    }
  }
}

// The results of the rows that write() has sent.
void PostgresLedger::Transaction::receive_rows(Connection& connection) {
  for (const JournalRow& row : rows_) {
    try {
      connection.receive();
    } catch (const Error& error) {
      if (!error.is(k_not_null_violation)) throw;
      throw HistoryChanged("the row before change " + std::to_string(row.first_seq) + " in the journal of event " +
                           std::to_string(row.event) + " is not the one that this node knows");
    }
  }
}

// Each change of an import renews its lease, and the last one ends the import. Another node may have abandoned the import meanwhile and
// given its ids to others, so this checks first that it still belongs to this node.
void PostgresLedger::Transaction::look_after_import(Connection& connection, const Replica& replica) {
  const EventStatus status = replica.inventory->settings().status;
  bool is_ours = true;
  if (status == EventStatus::importing) {
    is_ours = renew_import(connection, replica.number, ledger_.node_);
  } else if (status == EventStatus::abandoned) {
    give_up_import(connection, replica.number, ledger_.node_);
  } else {
    is_ours = end_import(connection, replica.number, ledger_.node_);
  }
  if (!is_ours) throw Error("HFIMP", "the import of event " + std::to_string(replica.number) + " was abandoned by another node");
}

// After a lost answer to a commit: locks the events' rows, which waits for the session that held them, then looks for the journal rows.
PostgresLedger::Transaction::Settled PostgresLedger::Transaction::settle() {
  const auto until = Timer::now() + k_settle_max;
  while (Timer::now() < until) {
    try {
      auto connection = ledger_.pool_.take();
      connection->send(k_begin);
      for (const ReplicaPtr& replica : replicas_) connection->send(k_lock, Parameters().event(replica->number));
      const JournalRow& row = rows_.front();   // all rows are there, or none
      connection->send(k_find_batch, Parameters().event(row.event).seq(row.first_seq).int2(static_cast<std::int16_t>(row.position)));
      const std::vector<pg::Result> results = connection->round_trip();
      const pg::Result& found = results.back();
      const bool committed = found.rows() == 1 && found.uuid(0, 0) == batch_;
      // This commit follows the lost one, so with a synchronous standby it waits until the standby has both. A failover would take back a
      // commit that only this server has.
      connection->query(committed ? k_commit : k_rollback);
      if (connection->take_commit_warning()) throw Error("", "the wait for the synchronous standby was cancelled");
      if (committed) ++ledger_.counters_.settled;
      return committed ? Settled::there : Settled::not_there;
    } catch (const Error& error) {
      ledger_.pool_.failures().failed(Work::settlement, error.what());
      std::this_thread::sleep_for(std::chrono::milliseconds(20));   // the pool pauses for longer while the server is down
    }
  }
  return Settled::unknown;
}

void PostgresLedger::Transaction::publish(ExecutionReport& report) {
  ++ledger_.counters_.written;
  report.swept += swept_;
  for (const JournalRow& row : rows_) {
    Replica& replica = *replica_of(row.event);
    try {
      publish_row(replica, row, report);
    } catch (const std::exception& error) {   // the row is in the journal, so the answers hold
      ledger_.note_damage(replica, error.what());
    }
  }
  for (const ReplicaPtr& replica : replicas_) ledger_.forget_ended(*replica);
}

void PostgresLedger::Transaction::publish_row(Replica& replica, const JournalRow& row, ExecutionReport& report) {
  const ChangeBatch written = std::exchange(replica.changes, {});
  const std::vector<KeptKey> kept = std::exchange(replica.kept, {});
  replica.judged_ahead = false;
  report.changes += written.count;
  replica.follow_own(row, written);
  for (const KeptKey& key : kept) ledger_.recent_keys_.put(key.key.key, row.event, row.at);
  ledger_.after_own_row(replica, row, written);
}

// Drops replicas that were judged ahead of the journal, so that they are loaded again. The others stay.
void PostgresLedger::Transaction::undo() {
  for (const ReplicaPtr& replica : replicas_) {
    replica->changes.clear();
    replica->kept.clear();
    if (replica->judged_ahead) replica->drop();
  }
}

void PostgresLedger::Transaction::count_failure(const Error& error) {
  if (error.is(k_lock_not_available) && batches_.size() == 1) {
    try {
      auto connection = ledger_.pool_.take();
      const pg::Result ended = connection->query(k_end_stuck, Parameters().text(connection->application()));
      if (ended.rows() > 0)
        spdlog::warn("terminated {} sessions of nodes that do not read their answers: they may have held an event's row", ended.rows());
    } catch (const Error& second) {
      ledger_.pool_.failures().failed(Work::upkeep, second.what());
    }
  }
  if (!error.is(k_lock_not_available)) ledger_.pool_.failures().failed(Work::batch, error.what());
}

}   // namespace holdfast
