// One event as this node has it: the inventory that the node judges in, brought up to date from the journal, and what readers see
// of it.
//
//   std::scoped_lock lock(replica.mutex);
//   replica.fold(row, find_ended);           // journal rows in order; refuses one that does not follow the last
//
// Whoever holds `mutex` owns all of it but `published` and `used_at`, which have their own.
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

// Where this node is in an event's journal.
struct ReplicaPlace {
  JournalPlace at;               // after this row
  RowKey last;                   // its key; none before the first row

  Seq next() const { return at.seq + 1; }   // the first change of the next row
  void advance(const JournalRow& row);
};

// A journal row that does not follow what this node knows: the history is another one.
class HistoryChanged : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Finds a reservation that ended so long ago that memory has forgotten it.
using FindEnded = std::function<std::optional<ReservationView>(const Uuid&)>;

class Replica {
 public:
  using Timer = std::chrono::steady_clock;

  Replica(EventNumber number_of_event, std::uint64_t hash_seed, std::size_t keys_max)
      : number(number_of_event), keys(keys_max), seed_(hash_seed), keys_max_(keys_max) {}

  // Is called before readers are shown the event for the first time: whoever finds the event must find its seats too. What it throws leaves the
  // event closed.
  std::function<void(const PublishedEvent&)> before_open;

  // Is told of each row that readers have been told of by fold().
  std::function<void(const JournalRow&, const JournalBody&)> on_shown;

  // Is told of each key that comes with fold(), with its time.
  std::function<void(const KeptKey&, Millis)> on_key;

  // Folds the next journal row into inventory, keys, plan and, when the event is open, what readers see. Throws HistoryChanged
  // when the row does not follow the last one, DataError when it cannot be read.
  void fold(const JournalRow& row, const FindEnded& find_ended);
  // What this node has just written itself: the inventory has it already.
  void follow_own(const JournalRow& row, const ChangeBatch& changes);
  // The inventory of the event that this node is about to import.
  void begin_pending();
  // Whether the batch at hand has something to write.
  bool has_news() const { return changes.count > 0 || !kept.empty(); }
  // Shows the event to readers, once its import has ended.
  void open_if_ready();
  // Bring an ended reservation back into memory, and forget those that ended at or before change `through` until no more than
  // `keep` are left: here and in what readers see. Not while a batch is judged. recall() throws DataError for one that cannot be
  // (Inventory::can_recall), and does nothing when it is here.
  void recall(const ReservationView& ended);
  void forget_ended(Seq through, std::size_t keep);
  // While it is loaded: where the inventory has come to the change that readers are at, they go on from there with a replica of
  // it.
  void meet_readers();
  // Ends a load. True: readers begin anew, because the journal did not come by where they were.
  bool join_readers();
  // How what readers see differs from what is judged in, when nothing is on its way (PublishedEvent::difference_from); empty: it
  // does not.
  std::string difference() const;
  // Forgets everything but what readers see: it is loaded anew before it is judged in again.
  void drop();
  // As drop(), and it is not loaded, judged in or swept until somebody has cleared `damage`.
  void set_aside(const std::string& why);
  bool is_loaded() const { return inventory != nullptr; }
  // Readers have seen another history, or less than the inventory has: they begin anew with it.
  void show_anew();
  // Readers see nothing of it any more: the database does not have what they have seen, and what it has is not open to them.
  void hide();

  const EventNumber number;
  std::mutex mutex;
  std::unique_ptr<Inventory> inventory;   // nullptr: not loaded
  std::shared_ptr<const Plan> plan;   // nullptr while it is importing elsewhere
  std::unique_ptr<PlanBuilder> importing;   // its seats, while they come in
  std::optional<NewEvent> pending;   // this node imports it
  KeyTable keys;
  ReplicaPlace place;
  Seq projected = 0;   // the tables have changes up to here
  std::string damage;   // why nothing is sold from it; empty: it is whole
  Timer::time_point damaged_at{};   // when that was seen last
  // The last row that readers have seen. drop() does not forget it: it is looked for after each load.
  std::optional<JournalPlace> last_shown;
  // Readers have seen changes that the database does not have any more. They are told of nothing until show_anew() or hide().
  bool history_changed = false;

  // The batch at hand.
  ChangeBatch changes;
  std::vector<KeptKey> kept;
  bool judged_ahead = false;   // the inventory has changes that the journal may not have

  std::shared_ptr<const PublishedEvent> published() const;
  std::shared_ptr<PublishedEvent> own_published() const;
  // Somebody holds what readers see of it: a listener, a request on its way.
  bool is_watched() const;
  void touch() { used_at_.store(Timer::now().time_since_epoch().count(), std::memory_order_relaxed); }
  Timer::time_point used_at() const { return Timer::time_point(Timer::duration(used_at_.load(std::memory_order_relaxed))); }
  // No hold of the event ends before; of the last commit.
  Millis next_expiry() const { return next_expiry_.load(std::memory_order_relaxed); }
  void note_expiry();

 private:
  void fold_change(const JournalRow& row, std::uint32_t at, const Change& change, const FindEnded& find_ended, MemorySteps& steps);
  void take_steps(const MemorySteps& steps);
  void end_import(bool abandoned);
  void note_shown();

  const std::uint64_t seed_;
  const std::size_t keys_max_;
  // The inventory was dropped, and has not been loaded up to where readers are: what they see has other reservations in memory,
  // and follows nothing until it is a replica of the inventory again.
  bool readers_are_apart_ = false;
  std::atomic<Timer::rep> used_at_{0};
  std::atomic<Millis> next_expiry_{k_never};
  mutable std::mutex published_mutex_;
  std::shared_ptr<PublishedEvent> published_;
};

}   // namespace holdfast::pg
