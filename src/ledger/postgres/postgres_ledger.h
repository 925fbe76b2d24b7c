// The ledger of several equal nodes over one PostgreSQL database. The database has one journal per event; a node has a replica of each
// event that it has loaded. docs/internals/postgresql-ledger.md describes the whole.
//
//   PostgresLedger ledger({.url = "postgresql://holdfast@db/tickets"});
//   const ExecutionReport report = ledger.execute(batches);
//
// execute() runs one transaction of two round trips for up to 16 batches. The first locks the events' rows and reads the journal rows
// that the replicas have not seen. Then core judges. The second writes one journal row per event and commits. The journal's primary key
// is the guard: a node that has not seen every row cannot write. Nodes do not know each other.
//
// Any thread, and one thread per lane for execute(). If the database does not take a batch, the batch is judged again. If the answer to a
// commit was lost, the node looks for the rows. Commands whose outcome is not known in time are answered `unavailable`. The process never
// ends because of the database.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "ledger/data_error.h"
#include "ledger/failing_events.h"
#include "ledger/judging.h"
#include "ledger/ledger.h"
#include "ledger/postgres/database_clock.h"
#include "ledger/postgres/projector.h"
#include "ledger/postgres/reading.h"
#include "ledger/postgres/recent_keys.h"
#include "ledger/postgres/replica.h"
#include "sql/postgres_pool.h"

namespace holdfast {

struct PostgresOptions {
  std::string url;
  unsigned lanes = 8;                                // writing threads, each with a connection
  std::size_t connections_max = 20;                  // for lanes, readers and the ledger's own threads
  std::size_t idempotency_keys_max = k_idempotency_keys_max;   // of one event
  std::size_t ended_in_memory_max = 200'000;         // ended reservations per event
  std::size_t events_in_memory_max = 1'000;          // replicas; the least recently used is evicted after `kept_for` without use
  bool sync_projection = false;                      // writes the tables in the batch's own transaction
  std::int64_t journal_retention_days = 0;           // 0: all of the journal is kept
  std::function<Seq(EventNumber)> relayed{};         // the last change of an event that webhooks and the Kafka feed have delivered
  JudgingOptions judging{};
  std::chrono::milliseconds patience{4'000};         // for a batch that the database does not take
  std::chrono::milliseconds kept_for{60'000};        // a replica is not evicted for so long after its last use
  std::chrono::milliseconds damaged_for{30'000};     // before a damaged event is tried again
};

// What the ledger has done with its database since the start.
struct PostgresStats {
  pg::PoolStats connections;
  std::uint64_t batches_written = 0;    // transactions that committed journal rows
  std::uint64_t batches_refused = 0;    // transactions that had nothing to write
  std::uint64_t batches_again = 0;      // judged again because the database did not take them
  std::uint64_t commits_settled = 0;    // commits whose answer was lost and whose rows were found
  std::uint64_t batches_failed = 0;     // answered `unavailable`
  std::uint64_t rows_followed = 0;      // journal rows of other nodes
  std::uint64_t replicas_loaded = 0;
  std::uint64_t replicas = 0;
  std::uint64_t histories_changed = 0;
  std::uint64_t events_left_out = 0;    // events that cannot be followed, swept or repaired at the moment, while others can
  std::chrono::milliseconds expiries_due{0};   // how long the oldest due expiry of the loaded events has waited
  pg::ProjectorStats projector{};
};

class PostgresLedger : public Ledger {
 public:
  // Checks the server and its schema. Throws pg::Error or DataError, which say what to do.
  explicit PostgresLedger(PostgresOptions options);
  ~PostgresLedger() override;

  unsigned lanes() const override { return options_.lanes; }
  ExecutionReport execute(std::span<const Batch> batches) override;
  std::expected<EventNumber, CreationProblem> reserve_event(NewEvent event) override;
  void abandon_event(EventNumber number) override;
  std::vector<EventNumber> events_to_sweep(std::size_t limit, Lane lane) override;
  std::optional<std::chrono::milliseconds> until_next_expiry(Lane lane) override;

  Millis now() const override { return clock_.now(); }
  Millis undoubted_now() const override;
  const SeatDirectory& seats() const override { return directory_; }
  std::shared_ptr<const PublishedEvent> event(EventNumber number) const override;
  std::optional<EventNumber> event_by_id(const Uuid& id) const override;
  std::vector<EventNumber> events() const override;
  std::optional<ReservationView> reservation(const Uuid& id) const override;
  std::string trouble() const override;

  bool has_all_in_memory() const override { return false; }
  bool bring(const Wanted& wanted) override;
  // As of the projector's last pass, normally less than 0.1 s ago.
  std::vector<EventHead> heads() override;
  // Why a failover could lose answered commands: several hosts, and no synchronous standby. Empty if no reason is known.
  std::string exposure() const;

  std::uint64_t progress() const override { return progress_; }
  Reading<ChangePage> read_changes(EventNumber event, Seq after, std::size_t limit, ReadFrom from) const override {
    return reader_->read_changes(event, after, limit, from);
  }
  Reading<ChangePage> read_all_changes(std::string_view cursor, std::size_t limit, ReadFrom from) const override {
    return reader_->read_all_changes(cursor, limit, from);
  }
  Reading<std::vector<SeatChange>> seat_history(SeatPlace place, std::uint32_t after, std::size_t limit) const override {
    return reader_->seat_history(place, after, limit);
  }
  Reading<ReservationPage> list_reservations(const ReservationFilter& filter, std::string_view cursor, std::size_t limit) const override {
    return reader_->list_reservations(filter, cursor, limit);
  }
  Reading<std::vector<std::optional<Uuid>>> find_orders(std::span<const std::string> orders) const override {
    return reader_->find_orders(orders);
  }

  PostgresStats stats() const;
  // What is wrong while the ledger still sells: damaged events, tables that do not follow. Empty if nothing is.
  std::string degradation() const;
  // A sentence on why the database's clock may be a day or more ahead. Empty if nothing suggests it.
  std::string clock_doubt() const { return projector_->clock_doubt(); }
  // A sentence about damaged events, which are not sold from. Empty if there are none.
  std::string damage() const;
  bool is_damaged(EventNumber number) const override;
  pg::Pool& pool() { return pool_; }
  // Sets a function that is called, on any thread, after readers have seen changes of other nodes. Returns once the previous function is
  // no longer being called.
  void on_news(std::function<void()> call);

 private:
  class Transaction;
  class Follower;
  friend class Transaction;
  friend class Follower;

  using ReplicaPtr = std::shared_ptr<pg::Replica>;

  // Replicas (replicas.cc; what requests ask for: bringing.cc).
  ReplicaPtr find_replica(EventNumber number) const;
  ReplicaPtr replica_of(EventNumber number);
  void load(pg::Connection& connection, pg::Replica& replica);
  void take_loaded(pg::Replica& replica, pg::LoadedEvent loaded);
  void begin_anew(pg::Connection& connection, pg::Replica& replica);
  // Reads and folds journal rows that the replica has not seen. Returns their number.
  std::size_t catch_up(pg::Connection& connection, pg::Replica& replica);
  // Loads the replica if it is not loaded, otherwise catches up. Loads it again if its history has changed. Throws DataError for damage.
  void freshen(pg::Connection& connection, pg::Replica& replica);
  bool is_fresh(pg::Connection& connection, const pg::Replica& replica);
  bool is_another_history(pg::Replica& replica, Seq seq, std::int16_t ordinal, std::string_view hash);
  bool exists(pg::Connection& connection, EventNumber number);
  bool bring_number(pg::Connection& connection, EventNumber number, bool as_of_now);
  void bring_seats(pg::Connection& connection, const Wanted& wanted);
  void bring_reservation(pg::Connection& connection, const Uuid& id, bool as_of_now);
  void recall_ended(pg::Connection& connection, pg::Replica& replica, const pg::FoundReservation& found);
  void bring_events(pg::Connection& connection);
  void list_event(EventNumber number, const Uuid& id);
  void unlist_event(EventNumber number, const Uuid& id);
  bool follows_order(pg::Connection& connection);
  void make_findable(EventNumber number, const PublishedEvent& event);
  void note_damage(pg::Replica& replica, const std::string& what);
  // Calls `work`. False: it has found damage of the event (DataError), which is now noted. Call with the replica's mutex.
  template <typename Work>
  bool unless_damaged(pg::Replica& replica, Work work) {
    try {
      work();
      return true;
    } catch (const DataError& error) {
      note_damage(replica, error.what());
      return false;
    }
  }
  void try_damaged_again();
  void evict();
  void take_away(pg::Replica& replica);
  void forget_ended(pg::Replica& replica);
  // Throws DataError if the event contradicts itself; then call note_damage().
  void after_publishing(pg::Replica& replica);

  void execute_some(std::span<const Batch> batches, ExecutionReport& report);
  void after_own_row(pg::Replica& replica, const JournalRow& row, const ChangeBatch& written);
  void remember(const JournalRow& row, const JournalBody& body);
  void ask_clock(pg::Connection& connection);
  void observe_clock(Millis at, std::int64_t sent);
  std::string clock_trouble() const;
  Millis keys_kept_longer() const;
  std::string left_out() const;

  // Events (events.cc).
  std::expected<EventNumber, CreationProblem> reserve_event_on(pg::Connection& connection, NewEvent& event,
                                                               std::span<const SeatIndex> order, const pg::Statement& take_number);
  std::vector<std::string> take_ids(pg::Connection& connection, EventNumber number, const Plan& plan, std::span<const SeatIndex> order);
  bool close_import(pg::Connection& connection, EventNumber number);
  bool has_imports();
  void renew_imports(pg::Connection& connection);
  void abandon_stale_imports(pg::Connection& connection);

  // Work of every second (housekeeping.cc; the imports have threads of their own).
  void keep_house(pg::Connection& connection);
  // Works on one event of many, on its own connection. A failure is noted in `failing` and does not stop the work on other events. Throws
  // only if the database does not answer. `work` returns false if it has skipped the event.
  void work_alone(FailingEvents& failing, EventNumber event, const std::function<bool(pg::Connection&)>& work);
  void abandon_import(pg::Connection& connection, EventNumber number, bool is_nobodys, std::chrono::steady_clock::time_point until);
  bool try_damaged(pg::Connection& connection, EventNumber number);
  void sweep_one(pg::Connection& connection, EventNumber event);
  void sweep_unserved(pg::Connection& connection);
  void look_at_standbys(pg::Connection& connection);

  PostgresOptions options_;
  pg::Pool pool_;
  const Uuid node_;
  const std::uint64_t hash_seed_;
  pg::DatabaseClock clock_;
  SeatDirectory directory_;
  pg::RecentKeys recent_keys_;

  mutable std::shared_mutex replicas_mutex_;
  std::unordered_map<EventNumber, ReplicaPtr> replicas_;
  std::unordered_map<std::string, EventNumber> by_id_;   // of all open events, loaded here or not
  std::vector<EventNumber> listed_;   // open events, ascending
  std::set<EventNumber> leaving_;   // evicted, but some of their seats may still be in the directory
  std::condition_variable_any left_;

  mutable std::mutex trouble_mutex_;
  std::string clock_trouble_;
  Millis clock_stepped_ = 0;
  std::unordered_map<EventNumber, std::string> damaged_;
  std::string exposure_;

  FailingEvents not_followed_{"following other nodes"};
  FailingEvents not_kept_{"keeping house"};

  std::mutex heads_mutex_;
  std::map<EventNumber, Seq> heads_;
  std::int64_t heads_as_of_ = 0;   // position in change_order
  std::uint64_t histories_of_heads_ = 0;   // counters_.histories when heads_ was last cleared

  std::mutex imports_mutex_;
  std::set<EventNumber> imports_;   // of this node, whose leases are renewed
  EventNumber last_stale_import_ = 0;   // the last one that abandon_stale_imports() has tried

  std::atomic<std::uint64_t> progress_{0};
  const Millis sweep_spread_;   // milliseconds; different on each node, so that not all sweep at once

  struct Counters {
    std::atomic<std::uint64_t> written{0}, refused{0}, again{0}, settled{0}, failed{0}, followed{0}, loaded{0}, histories{0};
  } counters_;

  std::unique_ptr<pg::Projector> projector_;
  std::unique_ptr<pg::Reader> reader_;
  std::unique_ptr<Follower> follower_;   // last member: its threads use the others
};

}   // namespace holdfast
