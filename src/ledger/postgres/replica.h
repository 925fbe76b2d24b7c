// One event on this node: the inventory that the node judges in, kept up to date from the journal, and the copy that readers see.
//
//   std::scoped_lock lock(replica.mutex);
//   replica.fold(row, find_ended);           // journal rows in order; throws if a row does not follow the last one
//
// The thread that holds `mutex` owns everything here, except published(), is_watched(), used_at(), touch() and next_expiry(): any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/inventory.h"
#include "core/keys.h"
#include "core/plan.h"
#include "ledger/journal_row.h"
#include "ledger/ledger.h"
#include "ledger/postgres/tables.h"
#include "ledger/published.h"

namespace holdfast::pg {

// The place of this node in an event's journal.
struct ReplicaPlace {
  JournalPlace at;               // after the last row that was folded
  RowKey last;                   // the key of that row; first_seq is 0 before the first row

  Seq next() const { return at.seq + 1; }   // the first change of the next row
  void advance(const JournalRow& row);
};

// A journal row does not follow the rows that this node knows: the database has another history, after a failover or a restore.
class HistoryChanged : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Finds a reservation that ended so long ago that memory has forgotten it. May throw pg::Error and DataError.
using FindEnded = std::function<std::optional<ReservationView>(const Uuid&)>;

class Replica {
 public:
  using Timer = std::chrono::steady_clock;

  Replica(EventNumber number_of_event, std::uint64_t hash_seed, std::size_t keys_max)
      : number(number_of_event), keys(keys_max), seed_(hash_seed), keys_max_(keys_max) {}

  // Called before readers see the event for the first time: a reader that finds the event must find its seats too. If it throws, the
  // event stays closed.
  std::function<void(const PublishedEvent&)> before_open;

  // Called for each row that fold() has shown to readers.
  std::function<void(const JournalRow&, const JournalBody&)> on_shown;

  // Called for each key that fold() reads, with its time.
  std::function<void(const KeptKey&, Millis)> on_key;

  // Folds the next journal row into inventory, keys, plan and, if the event is open, the readers' copy. Throws HistoryChanged if the row
  // does not follow the last one, DataError if it cannot be read.
  void fold(const JournalRow& row, const FindEnded& find_ended);
  // The same for a row that this node has just written: the inventory has its changes already.
  void follow_own(const JournalRow& row, const ChangeBatch& changes);
  // Makes the inventory of the event that this node is about to import.
  void begin_pending();
  // Whether the current batch has something to write.
  bool has_news() const { return changes.count > 0 || !kept.empty(); }
  // Shows the event to readers if its import has ended.
  void open_if_ready();
  // recall() brings an ended reservation back into memory, and forget_ended() forgets reservations that ended at or before change
  // `through` until at most `keep` are left: here and in the readers' copy. Never call them while a batch is judged. recall() throws
  // DataError if the reservation contradicts the inventory (Inventory::can_recall), and does nothing if it is in memory.
  void recall(const ReservationView& ended);
  void forget_ended(Seq through, std::size_t keep);
  // During a load: if the inventory has reached the readers' change, readers continue from a copy of the inventory.
  void meet_readers();
  // Ends a load. True: readers begin again from a copy of the inventory, because the load did not pass their change.
  bool join_readers();
  // How the readers' copy differs from the inventory, when no batch is pending (PublishedEvent::difference_from). Empty if they agree.
  std::string difference() const;
  // Forgets everything except the readers' copy. The event must be loaded before it is judged in again.
  void drop();
  // As drop(), and marks the event as damaged: it is not loaded, judged in or swept until `damage` is cleared.
  void set_aside(const std::string& why);
  bool is_loaded() const { return inventory != nullptr; }
  // Readers begin again from a copy of the inventory, because they have seen another history, or less than the inventory has.
  void show_anew();
  // Hides the event from readers: the database no longer has what they have seen, and has no open event instead.
  void hide();

  const EventNumber number;
  std::mutex mutex;
  std::unique_ptr<Inventory> inventory;   // nullptr: not loaded
  std::shared_ptr<const Plan> plan;   // nullptr while another node imports it
  std::unique_ptr<PlanBuilder> importing;   // its seats so far, during the import
  std::optional<NewEvent> pending;   // set while this node imports it
  KeyTable keys;
  ReplicaPlace place;
  Seq projected = 0;   // the tables have changes up to here
  std::string damage;   // why nothing is sold from it; empty: not damaged
  Timer::time_point damaged_at{};   // when the damage was last seen
  // The last row that readers have seen. drop() keeps it, because each load looks for it in the journal.
  std::optional<JournalPlace> last_shown;
  // Readers have seen changes that the database no longer has. They see nothing new until show_anew() or hide().
  bool history_changed = false;

  // Of the current batch.
  ChangeBatch changes;
  std::vector<KeptKey> kept;
  bool judged_ahead = false;   // the inventory has changes that the journal may not have

  std::shared_ptr<const PublishedEvent> published() const;
  std::shared_ptr<PublishedEvent> own_published() const;
  // Whether a listener or a request holds the readers' copy.
  bool is_watched() const;
  void touch() { used_at_.store(Timer::now().time_since_epoch().count(), std::memory_order_relaxed); }
  Timer::time_point used_at() const { return Timer::time_point(Timer::duration(used_at_.load(std::memory_order_relaxed))); }
  // No hold of the event ends before this time, as of the last commit.
  Millis next_expiry() const { return next_expiry_.load(std::memory_order_relaxed); }
  void note_expiry();

 private:
  void fold_change(const JournalRow& row, std::uint32_t at, const Change& change, const FindEnded& find_ended, MemorySteps& steps);
  void take_steps(const MemorySteps& steps);
  void end_import(bool abandoned);
  void note_shown();

  const std::uint64_t seed_;
  const std::size_t keys_max_;
  // The inventory was dropped and has not been loaded up to the readers' change. Their copy has other reservations in memory, and follows
  // nothing until it is a copy of the inventory again.
  bool readers_are_apart_ = false;
  std::atomic<Timer::rep> used_at_{0};
  std::atomic<Millis> next_expiry_{k_never};
  mutable std::mutex published_mutex_;
  std::shared_ptr<PublishedEvent> published_;
};

}   // namespace holdfast::pg
