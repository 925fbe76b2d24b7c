// The ledger of a single machine: inventories in memory, one writer, group commit to its journal.
//
// execute() judges a batch in memory, appends the accepted changes to the journal, commits once, and only then shows the verdicts. If a commit
// fails, memory and disk disagree: the batch is answered `unavailable`, nothing more is judged, and the process must end and recover
// (broken() says why).
//
// Before it judges, it asks the journal for room. What surely fits into one round is a piece (pieces.h); a larger call is done piece by
// piece. Without room, what grows is refused as `no_room`, and what frees seats or ends begun sales goes on.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <queue>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "core/inventory.h"
#include "core/keys.h"
#include "ledger/clock_doubt.h"
#include "ledger/embedded/checkpointer.h"
#include "ledger/embedded/clock.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/journal_reader.h"
#include "ledger/embedded/journal_writer.h"
#include "ledger/embedded/pieces.h"
#include "ledger/embedded/row_ages.h"
#include "ledger/embedded/state_store.h"
#include "ledger/embedded/unreadable_reservations.h"
#include "ledger/embedded/verify.h"
#include "ledger/failing_events.h"
#include "ledger/judging.h"
#include "ledger/ledger.h"
#include "ledger/recent_rows.h"

namespace holdfast {

struct EmbeddedOptions {
  std::filesystem::path data;
  JournalOptions journal{};   // its format, if the folder has none, and what tests choose
  std::size_t idempotency_keys_max = k_idempotency_keys_max;
  std::size_t ended_in_memory_max = 200'000;   // ended reservations by event; older ones are read from state.db
  std::int64_t journal_retention_days = 0;   // 0: the journal is kept whole
  std::function<Position()> journal_removable_through{};   // as Checkpointer::Options says; must hold as long as the ledger
  const ClockSource* clock = nullptr;   // nullptr: the system's
  JudgingOptions judging{};   // the seat lock, which must live as long as the ledger
  std::int64_t journal_bytes_verified_max = k_journal_bytes_verified_at_start;   // a start replays a journal of up to this size whole
  std::chrono::milliseconds tables_patience{10'000};   // how long a list or a history waits for state.db to follow
  // How far state.db may be behind: while it lacks older rows, each round waits for it. 0: no limit.
  std::chrono::milliseconds state_lag_max{0};
  std::chrono::milliseconds round_held_back_max{200};
  std::chrono::milliseconds room_awaited_max{200};   // how long a round waits for the journal to make room, before holds are refused
  // For tests: the ledger gets what this returns instead of the journal that was opened.
  std::function<std::unique_ptr<JournalWriter>(std::unique_ptr<JournalWriter>)> around_journal{};
  bool has_tables_thread = true;   // false: state.db follows only when somebody waits for it, and in step_tables()
};

class EmbeddedLedger : public Ledger, private JudgesBench {
 public:
  // Locks the folder, checks the files, loads the tables and replays the journal after them. An event whose tables stand still, or are false, is
  // replayed from the first row instead (event_loader.h). Throws DataError or sqlite::Error, which name the file and say what to do.
  explicit EmbeddedLedger(EmbeddedOptions options);
  ~EmbeddedLedger() override;   // brings state.db up to date, and stops the journal

  ExecutionReport execute(std::span<const Batch> batches) override;
  std::expected<EventNumber, CreationProblem> reserve_event(NewEvent event) override;
  void abandon_event(EventNumber number) override;
  std::vector<EventNumber> events_to_sweep(std::size_t limit, Lane lane) override;
  std::optional<std::chrono::milliseconds> until_next_expiry(Lane lane) override;

  Millis now() const override { return clock_.now(); }
  Millis undoubted_now() const override { return std::min(now() - time_may_be_ahead(), wall_time()); }
  const SeatDirectory& seats() const override { return directory_; }
  std::shared_ptr<const PublishedEvent> event(EventNumber number) const override;
  std::optional<EventNumber> event_by_id(const Uuid& id) const override;
  std::vector<EventNumber> events() const override;
  std::optional<ReservationView> reservation(const Uuid& id) const override;
  std::string trouble() const override;

  std::uint64_t progress() const override { return static_cast<std::uint64_t>(recent_.head()); }
  Reading<ChangePage> read_changes(EventNumber event, Seq after, std::size_t limit, ReadFrom from) const override;
  Reading<ChangePage> read_all_changes(std::string_view cursor, std::size_t limit, ReadFrom from) const override;
  Reading<std::vector<SeatChange>> seat_history(SeatPlace place, std::uint32_t after, std::size_t limit) const override;
  Reading<ReservationPage> list_reservations(const ReservationFilter& filter, std::string_view cursor, std::size_t limit) const override;
  Reading<std::vector<std::optional<Uuid>>> find_orders(std::span<const std::string> orders) const override;

  // Compares the clock with the wall clock; returns a step to report. One thread calls it about once a second.
  std::optional<Millis> compare_clocks() { return clock_.compare(); }
  // Why the time may be wrong by a day or more, in a sentence; empty if nothing suggests it.
  std::string clock_doubt() const;
  // How long the oldest expiry of open events had waited to be recorded, as of the last look_at_expiries(). Any thread.
  std::chrono::milliseconds expiries_due() const { return std::chrono::milliseconds(expiries_due_); }
  // Looks at every event. One thread calls it about once a second.
  void look_at_expiries();
  // Stops judging for this reason; reading continues. `is_damage`: of the journal, whose files stay as they are to the end. Any thread.
  void stop_selling(std::string because, bool is_damage = false);
  // A watch over its journal's files. It must end before the ledger.
  std::unique_ptr<JournalWatch> new_journal_watch() const { return journal_->new_watch(); }
  // Damage that readers of the journal, or the thread that tends it, have found; begins with a file's name. Empty: none.
  std::string journal_damage() const { return journal_->damage(); }
  // Why new holds, events and changes of events are refused for want of room, a sentence; empty: there is room. Any thread.
  std::string room_trouble() const { return journal_->room_trouble(); }
  // Rows that readers of the journal have found damaged.
  const DamagedRows& damaged_rows() const { return *damaged_rows_; }
  // Reservations that ended long ago and that commands and readers found unreadable in state.db, except those of stopped events.
  const UnreadableReservations& unreadable_reservations() const { return unreadable_; }
  // Events with recently requested changes that could not be read.
  FailingEvents::Summary untold() const { return untold_.summary(); }
  // Without a thread for state.db: a step of its work. False if nothing is left to do, or if it failed. The writer's thread.
  bool step_tables() { return checkpointer_->turn(); }
  // A reader of its journal with its own connections, which reports to damaged_rows() as well. It must end before the ledger.
  std::unique_ptr<JournalReader> new_reader() const;
  // The number of journal rows that state.db lacks.
  Position rows_behind() const { return checkpointer_->behind(); }
  // The last journal row that state.db has.
  Position state_through() const { return checkpointer_->followed(); }
  // The total time that rounds have waited for state.db.
  std::chrono::nanoseconds held_back() const { return std::chrono::nanoseconds(held_back_ns_); }
  // False while state.db cannot be written; sales continue, and writing is retried.
  bool state_follows() const { return checkpointer_->trouble().empty(); }
  // Events whose tables in state.db stand still, because a change contradicts their rows. Sales continue; lists and histories of these events,
  // and calls that need their ended reservations from the tables, are refused.
  StoppedEvents stopped_events() const { return checkpointer_->stopped(); }

 private:
  struct Event {
    std::unique_ptr<Inventory> inventory;
    std::shared_ptr<const Plan> plan;   // nullptr while it is importing, unless it is being imported by this process
    std::shared_ptr<PublishedEvent> published;
    ChangeBatch changes;   // of the batch at hand
    MemorySteps steps;   // between them
    std::vector<KeptKey> kept;
    bool touched = false;
    Millis queued_expiry = k_never;   // what stands in expiries_ for it
  };
  struct DueEvent {
    Millis at;
    EventNumber event;
    bool operator>(const DueEvent& other) const { return at > other.at; }
  };

  // Start.
  std::unique_ptr<JournalWriter> open_files();
  Millis wall_time() const;
  Millis time_may_be_ahead() const { return doubt_.ahead(now(), wall_time()); }
  void load();
  void abandon_unfinished_imports();

  // One batch.
  void hold_back();
  void execute_piece(std::span<const Batch> batches, Millis now, ExecutionReport& report);
  void execute_in_pieces(std::span<const Batch> batches, ExecutionReport& report);
  std::expected<void, NotTaken> record_due(std::span<const EventNumber> events, ExecutionReport& report);
  std::expected<void, NotTaken> ask_room(const Need& need);
  void execute_what_can_be(const Piece& piece, const NotTaken& why, Millis now, ExecutionReport& report);
  template <typename Stays>
  std::vector<Batch> refuse_unless(std::span<const Batch> batches, Stays stays, const NotTaken& why, Millis now);
  void sweep_again(const Submission& submission, Millis now);
  static void refuse_too_large(const Piece& piece);
  static void refuse(std::span<const Batch> batches, const Outcome& outcome);
  static void refuse(Entry& entry, const Outcome& outcome);
  Millis next_now();
  Bench bench_of(EventNumber number) override;
  KeyTable& keys_of(EventNumber) override { return keys_; }
  const Inventory* inventory_in_memory(EventNumber number) const override;
  bool recall_for(const Submission& submission) override;
  void keep(KeptKey kept) override { event_at(kept.event).kept.push_back(std::move(kept)); }
  bool commit(Millis now);
  void publish(Millis now);
  void show_round(Event& event, Millis now);
  void open_if_ready(Event& event);
  void forget_old();
  void queue_expiry(Event& event);
  Event& event_at(EventNumber number);

  // Reading what was (embedded_reading.cc).
  void name_event(EventNumber number, const Uuid& id);
  bool complete(RecordedChange& change, ReadFrom from) const;
  bool complete_or_mark(RecordedChange& change, ReadFrom from) const;
  void await_tables() const;
  // Whether memory has all reservations of the event, also those that ended long ago: the start has replayed it whole, and none is forgotten
  // while its tables stand still.
  bool needs_no_tables(EventNumber number) const { return checkpointer_->is_stopped_since_start(number); }
  void refuse_stopped(EventNumber number) const;
  void refuse_unsure(const std::optional<Uuid>& sold_for_order) const;
  template <typename Read>
  auto noting_false_rows(Read read) const;
  std::optional<ReservationView> read_ended(const Uuid& id, StateStore& tables, const Inventory* into) const;
  ReservationView as_it_is_now(const StoredReservation& row) const;

  EmbeddedOptions options_;
  DataFolder folder_;
  SystemClockSource system_clock_;
  std::uint64_t hash_seed_;
  std::unique_ptr<JournalWriter> journal_;
  std::unique_ptr<StateStore> archive_;   // read only, of the writer: reservations that ended long ago
  LedgerClock clock_;
  ClockDoubt doubt_;
  SeatDirectory directory_;

  // The writer's.
  std::vector<std::unique_ptr<Event>> events_;   // by number
  KeyTable keys_;
  Judging judging_;
  std::vector<EventNumber> touched_;
  std::priority_queue<DueEvent, std::vector<DueEvent>, std::greater<>> expiries_;
  Millis last_now_ = 0;
  std::string body_;
  bool awaited_room_in_vain_ = false;
  std::uint64_t executions_ = 0;
  RowAges row_ages_;
  std::atomic<std::int64_t> held_back_ns_{0};   // anybody's to read
  Position committed_from_ = 0;   // the last row before those of the batch at hand

  // Shared with readers.
  mutable std::shared_mutex published_mutex_;
  std::vector<std::shared_ptr<PublishedEvent>> published_;   // by number; nullptr: not there, or not open
  std::unordered_map<std::string, EventNumber> by_id_;   // also of events that are being imported
  std::unordered_map<EventNumber, NewEvent> pending_;   // reserved, not created yet
  std::vector<Uuid> ids_;   // by number; of every event that the journal has
  EventNumber next_number_ = 1;
  std::vector<EventNumber> unused_numbers_;   // below it, of creations that were refused
  std::string broken_;
  std::atomic<bool> is_broken_{false};   // for the writer: broken_ is not empty
  std::atomic<Millis> expiries_due_{0};

  mutable std::mutex readers_archive_mutex_;
  std::unique_ptr<StateStore> readers_archive_;
  RecentRows recent_;
  mutable FailingEvents untold_{"changes of all events"};
  mutable UnreadableReservations unreadable_;
  std::shared_ptr<DamagedRows> damaged_rows_;
  std::unique_ptr<JournalReader> journal_reader_;
  mutable std::mutex tables_mutex_;
  std::unique_ptr<StateStore> tables_;   // for lists and histories, whose pages take longer than what readers_archive_ answers

  std::unique_ptr<Checkpointer> checkpointer_;   // last: it ends first
};

}   // namespace holdfast
