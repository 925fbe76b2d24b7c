// One event as readers see it: its plan, and a copy of its inventory. The copy follows after each commit, before the outcomes of that commit
// are sent. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <expected>
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

// The number of published changes of each kind, and the number of seats whose states they set. Counts only grow, and begin with the process,
// not with the event.
struct ChangeTally {
  static constexpr std::size_t k_change_kinds = static_cast<std::size_t>(ChangeKind::unblocked) + 1;   // none is 0
  std::array<std::uint64_t, k_change_kinds> changes{};   // by ChangeKind
  std::array<std::uint64_t, k_change_kinds> seats{};
};

// Gets the seats that each change touched, as it is published. Called on the publishing thread (on_begin: on the thread that calls watch()),
// with the event locked, so it must be quick and must not call the event.
class SeatWatcher {
 public:
  virtual ~SeatWatcher() = default;
  // The beginning: the states of all seats after change `seq`. The next call is about change `seq` + 1.
  virtual void on_begin(Seq seq, std::span<const SeatState> states) = 0;
  // After each change, in order. `seats`: those whose state it set, possibly none; `states`: of all seats after the change.
  virtual void on_change(Seq seq, Seats seats, std::span<const SeatState> states) = 0;
};

class PublishedEvent {
 public:
  // `replica` is at the same change as the ledger's own inventory.
  PublishedEvent(std::unique_ptr<Inventory> replica, std::shared_ptr<const Plan> plan);

  const EventCard& card() const { return card_; }
  const std::shared_ptr<const Plan>& plan() const { return plan_; }
  std::size_t seat_count() const { return plan_->size(); }

  EventSettings settings() const;
  EventStatus status() const;
  Seq seq() const;
  StateCounts counts() const;   // as recorded
  ChangeTally tally() const;
  // Whether a sweep may have something to record, as of the last commit.
  bool has_expiries(Millis now) const { return next_expiry() <= now; }
  // No expiry that was due before this time waits to be recorded; k_never if there is none. As of the last commit.
  Millis next_expiry() const { return next_expiry_.load(std::memory_order_relaxed); }

  // As of `now`.
  SeatReading seat(SeatIndex seat, Millis now) const;
  std::optional<ReservationView> reservation(const Uuid& id, Millis now) const;
  // Adjacent seats of the plan at one moment. Ask for a few thousand at once: changes wait meanwhile.
  void seats(SeatIndex first, std::size_t count, Millis now, std::vector<SeatReading>& readings) const;

  // Recorded states, at most k_states_age_max old. Calls within that time share a copy.
  std::shared_ptr<const StatesReading> states(Millis now) const;
  // Recorded states as of change `least` or a later one, such as the current seq(): then they have every change that was answered before. The
  // last copy if it has that change; otherwise a new one, unless the last copy is less than `apart` old. Then: how long to wait before asking
  // again. So a busy event is copied once each `apart` at most, however many ask.
  std::expected<std::shared_ptr<const StatesReading>, Millis> states_since(Seq least, Millis now, Millis apart) const;

  static constexpr Millis k_states_age_max = 100;

  // Replaces the watcher; nullptr: none. There is at most one. The current watcher may be passed again: then it begins anew.
  void watch(std::shared_ptr<SeatWatcher> watcher) const;

  // ---- for the ledger

  // Applies what the ledger's own inventory went through: the changes of one committed journal row, and between them the noted `steps`. A
  // round may have steps without changes. Nothing else changes the copy.
  void follow(std::string_view changes, std::uint32_t count, Millis at, const MemorySteps& steps);
  // The ledger's event is another one by now, or gone. Nothing follows this one any more.
  void withdraw() { is_withdrawn_.store(true, std::memory_order_relaxed); }
  bool is_withdrawn() const { return is_withdrawn_.load(std::memory_order_relaxed); }
  void set_next_expiry(Millis at) { next_expiry_.store(at, std::memory_order_relaxed); }
  // The ledger has loaded its inventory again: continues with a replica of it, of the same plan. The watcher begins anew if the replica is at
  // another change or has other states (after a failover that lost changes, or a restore).
  void begin_anew(std::unique_ptr<Inventory> replica);
  // How the copy differs from the ledger's own inventory after the same round, in a few words; empty if a cheap comparison finds nothing.
  std::string difference_from(const Inventory& own) const;

 private:
  std::shared_ptr<const StatesReading> copy_states(Millis now) const;   // with states_mutex_

  const std::shared_ptr<const Plan> plan_;
  const EventCard card_;   // its own, because replicas are replaced
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
