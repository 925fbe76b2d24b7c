// What readers see of one event: its plan, and a copy of its inventory that follows the ledger, brought up to date after each
// commit and before the outcomes of that commit leave. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/change.h"
#include "core/inventory.h"
#include "core/plan.h"
#include "ledger/memory_steps.h"

namespace holdfast {

struct SeatReading {
  SeatState state;
  std::uint32_t version;
  std::optional<Uuid> reservation;
};

// One letter a seat in plan order, as of a change.
struct StatesReading {
  Seq seq = 0;
  std::string states;
};

// How many changes of each kind readers have been told of, and how many seats' states those set. Counts only grow; they begin with the
// process, not with the event.
struct ChangeTally {
  static constexpr std::size_t k_change_kinds = static_cast<std::size_t>(ChangeKind::unblocked) + 1;   // none is 0
  std::array<std::uint64_t, k_change_kinds> changes{};   // by ChangeKind
  std::array<std::uint64_t, k_change_kinds> seats{};
};

// Is told which seats each change touched, as they are published. Called on the thread that publishes (of on_begin: that calls watch()), with
// the event locked: it must be quick and ask the event nothing.
class SeatWatcher {
 public:
  virtual ~SeatWatcher() = default;
  // Where it begins: the states of all seats after change `seq`. The next call is about the change after that.
  virtual void on_begin(Seq seq, std::span<const SeatState> states) = 0;
  // After each change, in their order. `seats`: those whose state it set (none: it set none); `states`: of all seats, after it.
  virtual void on_change(Seq seq, Seats seats, std::span<const SeatState> states) = 0;
};

class PublishedEvent {
 public:
  // `replica` stands at the same change as the ledger's own inventory.
  PublishedEvent(std::unique_ptr<Inventory> replica, std::shared_ptr<const Plan> plan);

  const EventCard& card() const { return card_; }
  const std::shared_ptr<const Plan>& plan() const { return plan_; }
  std::size_t seat_count() const { return plan_->size(); }

  EventSettings settings() const;
  EventStatus status() const;
  Seq seq() const;
  StateCounts counts() const;   // as recorded
  ChangeTally tally() const;
  // Whether a sweep may find something to record. Relaxed: as of the last commit.
  bool has_expiries(Millis now) const { return next_expiry() <= now; }
  // No expiry waits to be recorded that was due before this time; k_never when there is none. Relaxed: as of the last commit.
  Millis next_expiry() const { return next_expiry_.load(std::memory_order_relaxed); }

  // What holds at `now`.
  SeatReading seat(SeatIndex seat, Millis now) const;
  std::optional<ReservationView> reservation(const Uuid& id, Millis now) const;
  // Of seats that stand side by side in the plan, at one moment; a few thousand at once, because changes wait for it.
  void seats(SeatIndex first, std::size_t count, Millis now, std::vector<SeatReading>& readings) const;

  // Recorded states, at most k_states_age_max behind. Copies made within that time are shared.
  std::shared_ptr<const StatesReading> states(Millis now) const;

  // From here on `watcher` is told, instead of the one before; nullptr: nobody is. At most one watches. The one that watches may
  // be given again: then it begins anew.
  void watch(std::shared_ptr<SeatWatcher> watcher) const;

  // ---- for the ledger

  // Goes through what the ledger's own inventory went through: the changes of one committed journal row, and between them what
  // `steps` has noted. A round may have steps and no changes. Nothing else changes the copy.
  void follow(std::string_view changes, std::uint32_t count, Millis at, const MemorySteps& steps);
  // The event is not what the ledger has any more, or not there: nothing follows it, and what comes under its number is another one.
  void withdraw() { is_withdrawn_.store(true, std::memory_order_relaxed); }
  bool is_withdrawn() const { return is_withdrawn_.load(std::memory_order_relaxed); }
  void set_next_expiry(Millis at) { next_expiry_.store(at, std::memory_order_relaxed); }
  // The ledger has loaded its inventory anew: goes on with a replica of that, of the same plan. If it is of another change or has
  // other states (a failover that lost changes, a restore), whoever watches begins anew.
  void begin_anew(std::unique_ptr<Inventory> replica);
  // How the copy differs from the ledger's own inventory after the same round, as far as a cheap look tells, in a few words;
  // empty: it does not.
  std::string difference_from(const Inventory& own) const;

 private:
  static constexpr Millis k_states_age_max = 100;

  Seats seats_set_by(const Change& change) const;

  const std::shared_ptr<const Plan> plan_;
  const EventCard card_;   // here, because a replica goes when another takes its place
  std::atomic<bool> is_withdrawn_{false};
  std::atomic<Millis> next_expiry_{k_never};
  mutable std::mutex mutex_;
  std::unique_ptr<Inventory> replica_;
  ChangeTally tally_;   // under mutex_
  mutable std::shared_ptr<SeatWatcher> watcher_;   // under mutex_
  mutable std::mutex states_mutex_;   // taken before mutex_
  mutable std::shared_ptr<const StatesReading> states_;
  mutable Millis states_at_ = 0;
};

}   // namespace holdfast
