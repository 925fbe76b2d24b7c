// state.db: tables that follow the journal. They make a start fast, have the reservations that ended long ago, and can be read with the sqlite3
// shell. They are never the truth: `holdfast rebuild` makes them again from a whole journal.
//
//   meta            (name, value)      -- format; position and hash of the journal row that the tables are as of; up to which row
//                                         journal_index was emptied (index_emptied_through; missing: never)
//   event           (number, id, name, …, seq)
//   plan_part       (event, first, body)    -- the seats as the journal packed them, to load a plan fast
//   seat            (event, seat, id, section, row, number, category, x, y)
//   seat_state      (event, seat, state, version, reservation)   -- only seats that ever changed
//   seats           a view of the two: every seat with its state
//   seat_change     (event, seat, version, seq, at, kind, reservation)   -- every change of every seat, also those that the journal has no more
//   reservation     (id, event, kind, customer, created_at, expires_at, status, order_id, seats, live, created_seq)
//   idempotency_key (key, request, event, at, outcomes)
//   journal_index   (event, first_seq, position)   -- where in the journal an event's changes are, as long as it has them
//   stopped_event   see stopped_events.h
//   reservation_check, event_check   see state_checks.h
//
// journal_index and idempotency_key depend on the journal alone, so they follow it for stopped events too.
//
// A StateStore belongs to one thread at a time; several may be open on one file, one of them writing.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/inventory.h"
#include "core/keys.h"
#include "core/plan.h"
#include "ledger/data_error.h"
#include "ledger/embedded/state_checks.h"
#include "ledger/embedded/stopped_events.h"
#include "ledger/journal_row.h"
#include "ledger/net_effect.h"
#include "ledger/reading.h"
#include "ledger/replay.h"
#include "sql/sqlite.h"

namespace holdfast {

// An event as the tables have it.
struct StoredEvent {
  std::unique_ptr<Inventory> inventory;
  std::shared_ptr<const Plan> plan;   // nullptr while it is importing or when it was abandoned
};

// A reservation as the tables have it, with the number of the change that made it.
struct StoredReservation {
  EventNumber event = 0;
  Seq created_seq = 0;
  ReservationView view;
};

// The tables, or one event's part of them, are not what the journal says. found() is what was found, without the file and what to do.
class TableDamage : public DataError {
 public:
  TableDamage(const std::string& what, std::string found) : DataError(what), found_(std::move(found)) {}
  const std::string& found() const { return found_; }

 private:
  std::string found_;
};

// The same of the tables of one event alone: those of the others can go on.
class EventDamage : public TableDamage {
 public:
  EventDamage(EventNumber event, const std::string& what, std::string found) : TableDamage(what, std::move(found)), event_(event) {}
  EventNumber event() const { return event_; }

 private:
  EventNumber event_;
};

// A row of a reservation is not what was written.
class ReservationDamage : public TableDamage {
 public:
  ReservationDamage(const Uuid& id, const std::string& what, std::string found) : TableDamage(what, std::move(found)), id_(id) {}
  const Uuid& reservation() const { return id_; }

 private:
  Uuid id_;
};

class StateStore {
 public:
  static constexpr int k_format = 1;   // without stopped events
  enum class Mode { create, write, read, read_backup };   // the tables of a backup

  // Throws sqlite::Error, or DataError when the file is not of this format.
  StateStore(const std::string& path, Mode mode);

  // Later reads are as of this moment, whatever another connection writes. For a store that only reads.
  void pin() {
    database_.execute("BEGIN");
    as_of();
    stopped_ = load_stopped_events(database_);
    checks_->look_again();
  }

  // Makes sure that what the tables have is on disk, and that it is no worse for a power loss from then on. A store opened with Mode::write
  // must be settled before anything relies on its commits, for a sync of an earlier connection or process may have failed: the log is written
  // again and synced, then moved into the file. Until then commits and closing leave the log as it is. Throws sqlite::Error.
  void settle();
  // Closing leaves the log as it is. After a failed call it may lack on disk what a later sync does not bring; the next settle() mends that.
  void keep_log_at_close() { database_.keep_log_at_close(true); }

  // The journal row that the tables are as of, except for those of stopped events.
  JournalHead as_of();

  // ---- following the journal; within begin() and commit()
  // commit() writes what the rows have come to, once for all of them. follow() and commit() throw EventDamage if they cannot, because of one
  // event; then only roll_back() is possible.
  void begin() { transaction_.emplace(database_); }
  bool follow(const JournalRow& row);   // false: the event is stopped, so its tables stand still
  void commit(const JournalHead& as_of);
  void roll_back();
  // Keeps idempotency keys in the tables for this much longer than they count.
  void keep_keys_longer(Millis by) { keys_kept_longer_ = by; }
  // Removes journal rows up to `through` from the index: the rows `old` before the journal removes them, within begin() and commit(); or all
  // that it has up to there, afterwards.
  void forget_rows(std::span<const JournalRow> old, Position through);
  void forget_rows_through(Position through);
  // The journal row up to which the index was emptied; the journal may still have rows before it.
  Position index_emptied_through();
  // While on, commit() returns once it and all earlier commits are on disk, if the store is settled and no call has failed since.
  void sync_commits(bool on);

  // ---- sums of rows (state_checks.h)
  // Makes the sums again from the tables as they are, if a program that does not know them has written last. For a store that writes, outside
  // begin() and commit(). Returns of how many reservations and events; nothing if they were current.
  std::optional<StateChecks::Made> make_missing_checks();
  bool has_current_sums() const { return checks_->are_current(); }
  // Compares all sums but those of stopped events. What is wrong, as a sentence without its full stop; empty: nothing.
  std::string find_false_row() const { return checks_->find_false(stopped_); }

  // ---- events whose tables stand still (stopped_events.h)
  // As this store knows them: as of its opening, of pin(), and what it has written itself.
  const StoppedEvents& stopped() const { return stopped_; }
  // Within begin() and commit(): from here on follow() leaves the event's tables alone.
  void stop(EventNumber event, StoppedEvent stopped);
  // Within begin() and commit(), for a stopped event: follows its next row that its tables lack; says that they have its rows up to
  // `through`; or that they lack none, so that it is not stopped any more. commit() then throws EventDamage if its rows do not have their sum.
  void follow_stopped(const JournalRow& row);
  void advance_stopped(EventNumber event, Position through);
  void go_on(EventNumber event);
  // Within begin() and commit(), for a stopped event of which the journal has no row: drops a sum without a row in table event, which no
  // event was ever written with. Then it is not stopped any more. False: there is no such sum, or table event has it, and nothing was changed.
  bool go_on_without(EventNumber event);
  // The largest number of an event that a sum or the index of the journal names, up to k_events_max; 0 if none does. For a store that writes.
  EventNumber last_known_event();

  // ---- reading
  // Every event that is not stopped by rising number, with its live reservations. If the tables of one contradict themselves, or are not what was
  // written by their sum, `on_damage` is called instead; it must not use this store. Without it, EventDamage is thrown.
  enum class Sums { compare, leave };
  void load_events(std::uint64_t hash_seed, const std::function<void(StoredEvent)>& visit,
                   const std::function<void(const EventDamage&)>& on_damage = {}, Sums sums = Sums::compare);
  // Throws EventDamage if the tables of this event contradict themselves. go_on() has their sum compared.
  void check_event(EventNumber event);
  // The seats so far of events that are still being imported and not stopped.
  void load_imports(const std::function<void(EventNumber, std::unique_ptr<PlanBuilder>)>& visit);
  // Every reservation, whatever its status, not compared with its sum. Does not say which seats it owns.
  void each_reservation(const std::function<void(const StoredReservation&)>& visit);
  // These throw ReservationDamage if a reservation that they name is not what was written.
  // A reservation that was sold for an order; nothing if there is none.
  std::optional<Uuid> find_order(std::string_view order);
  // Reservations after a place in the order of event and creation: of a customer, or the live ones, or all. Ends where `wants` returns false
  // for the event of the next one, which is neither compared with its sum nor read.
  void list_reservations(const std::optional<std::string>& customer, bool only_live, EventNumber after_event, Seq after_seq,
                         const std::function<bool(EventNumber)>& wants, const std::function<void(const StoredReservation&)>& visit);
  // The history of a seat after its version `after`, at most `limit`.
  std::vector<SeatChange> history_of(EventNumber event, SeatIndex seat, std::uint32_t after, std::size_t limit);
  // A reservation, whatever its status, as of the tables' position.
  std::optional<ReservationView> find_reservation(const Uuid& id);

  void each_seat_change(const std::function<void(EventNumber, const SeatChangeRow&)>& visit);
  void each_indexed_row(const std::function<void(EventNumber, Seq first_seq, Position)>& visit);
  // The plan of an event as packed in the journal: its header, then its parts.
  void each_plan_part(EventNumber event, const std::function<void(std::string_view)>& visit);
  void each_event_head(const std::function<void(EventNumber, Seq last)>& visit);
  void each_event_time(const std::function<void(EventNumber, Millis created_at, Millis at)>& visit);
  // What SQLite finds wrong in the file, above all indexes that do not match their tables, which a read by index would not notice. Empty:
  // nothing.
  std::string find_broken_index();
  // Whether table seat has exactly the rows of the plan.
  bool has_seats_of(EventNumber event, const Plan& plan);
  void load_keys(const std::function<void(const KeptKey&, Millis at)>& visit);
  // The last recorded time of all events.
  Millis last_now();

  sqlite::Database& database() { return database_; }

 private:
  struct Statements;
  // An event's rows since begin().
  struct Followed {
    NetEffect effect;
    Seq seq = 0;   // of the last change
    Millis at = 0;   // of the last row
    RowSum sum = 0;   // of the event's rows as they are being written, but for that in table event
    RowSum plan_header = 0;
  };
  // An event's row, and the sums of it and of the event's other rows.
  struct KnownEvent {
    EventRow row;
    RowSum plan_header = 0;
    RowSum others = 0;
  };

  void create_tables();
  void prepare();
  int move_long_log(int frames);
  // Calls `work`. What is wrong with the tables then is wrong with those of this event.
  template <typename Work>
  void concerning(EventNumber event, Work work);
  void fold(const JournalRow& row, const JournalBody& body);
  void keep_keys(const JournalRow& row, const JournalBody& body);
  Followed& followed_of(EventNumber event);
  std::optional<KnownEvent> find_event(EventNumber event);
  std::optional<SeatRow> find_seat(EventNumber event, SeatIndex seat);
  std::optional<ReservationRow> find_reservation_row(EventNumber event, const Uuid& id);
  // Each changes the sum of the event's rows by what it writes.
  void write(EventNumber event, Followed& followed);
  void write_event(EventNumber event, Followed& followed);
  void write_part(EventNumber event, const PlanPart& part, RowSum& sum);
  void insert_reservation(EventNumber event, const ReservationRow& row, RowSum& sum);
  void update_reservation(EventNumber event, const ReservationRow& before, const ReservationRow& row, RowSum& sum);
  void write_seat(EventNumber event, const NetEffect::Seat& seat, RowSum& sum);
  void write_seat_change(EventNumber event, const SeatChangeRow& row);
  void bind_reservation(sqlite::Statement& statement, int parameter, const Uuid& reservation);
  std::string_view text_of(const Uuid& reservation);
  StoredEvent load_event(sqlite::Statement& row, std::uint64_t hash_seed, Sums sums);
  std::unique_ptr<PlanBuilder> load_plan(EventNumber number, const Uuid& id, std::string_view header, RowSum& sum);
  void load_states(Inventory& inventory, std::map<Uuid, std::vector<SeatIndex>>& sold_to, std::map<Uuid, std::vector<SeatIndex>>& held_by,
                   RowSum& sum);
  void load_live_reservations(Inventory& inventory, const std::map<Uuid, std::vector<SeatIndex>>& sold_to, RowSum& sum);
  std::string select_events() const;
  std::string select_reservations(std::string_view more) const;
  ReservationView view_of(const ReservationColumns& row) const;
  // The first column of a row is that of select_reservations().
  StoredReservation stored_of(const sqlite::Statement& row) const;
  ReservationColumns as_written(const sqlite::Statement& row, int first = 0) const;
  void expect_sum(EventNumber event, const std::optional<RowSum>& written, RowSum sum) const;
  [[noreturn]] void damaged(const std::string& what) const;
  std::string told_of_damage(const std::string& what) const;

  sqlite::Database database_;
  std::optional<StateChecks> checks_;   // always, once the file is known to be one of Holdfast
  std::unique_ptr<Statements> statements_;
  std::unique_ptr<sqlite::Statement> by_id_;   // find_reservation()'s: judging waits for it
  std::optional<sqlite::Transaction> transaction_;
  bool is_settled_;
  Millis keys_kept_longer_ = 0;
  std::map<EventNumber, Followed> following_;
  StoppedEvents stopped_;
  std::vector<EventNumber> going_on_;   // with the next commit
  bool reads_again_ = false;   // at a roll-back: stopped events have changed, or a statement may not have ended
  std::string reservation_text_;   // that a statement is being run with

 public:
  ~StateStore();
};

}   // namespace holdfast
