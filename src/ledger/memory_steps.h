// What a round does to an event's copy in memory besides its changes: it recalls and forgets ended reservations.
//
// Copies agree on which reservations are in memory only if they apply changes, recalls and forgettings in one order. So the writer recalls
// and forgets through the round's MemorySteps, which notes each step with its place between the changes. Readers' copies apply the same list
// (PublishedEvent::follow):
//
//   MemorySteps steps;
//   steps.recall(inventory, changes.count, ended);     // now, in the writer's copy
//   judge(inventory, …, changes);
//   published.follow(changes.bytes, changes.count, now, steps);
//
// Not for several threads at once.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "core/inventory.h"

namespace holdfast {

class MemorySteps {
 public:
  // Brings an ended reservation back into the writer's copy. `after`: the number of the round's changes that the copy has. Requires
  // Inventory::can_recall.
  void recall(Inventory& writer, std::uint32_t after, const ReservationView& ended) { take(writer, after, ended); }
  // As Inventory::forget_ended.
  void forget_ended(Inventory& writer, std::uint32_t after, Seq through, std::size_t keep) {
    take(writer, after, Forgetting{through, keep});
  }

  bool empty() const { return steps_.empty(); }
  void clear() { steps_.clear(); }

  // For a copy that follows: applies the steps from `next` on that stand before change `changes` (counted from 0) of the round. Returns the
  // place of the next step.
  std::size_t follow(Inventory& copy, std::size_t next, std::uint32_t changes) const {
    for (; next < steps_.size() && steps_[next].after <= changes; ++next) go(copy, steps_[next].what);
    return next;
  }

 private:
  struct Forgetting {
    Seq through;
    std::size_t keep;
  };
  using What = std::variant<ReservationView, Forgetting>;
  struct Step {
    std::uint32_t after;
    What what;
  };

  void take(Inventory& writer, std::uint32_t after, What what) {
    go(writer, what);
    steps_.push_back({after, std::move(what)});
  }
  static void go(Inventory& copy, const What& what) {
    if (const auto* ended = std::get_if<ReservationView>(&what)) {
      copy.recall(*ended);
    } else {
      const auto& forgetting = std::get<Forgetting>(what);
      copy.forget_ended(forgetting.through, forgetting.keep);
    }
  }

  std::vector<Step> steps_;
};

}   // namespace holdfast
