// The rules: what may happen to an event's seats. Every ledger judges with this code and no other.
//
//   ChangeBatch changes;
//   Outcome outcome = judge(inventory, Hold{.reservation = id, .customer = "customer-123", .seats = seats, .duration = 900'000}, now, changes);
//   if (outcome.accepted()) …   // `changes` must be durable before anybody learns of the outcome
//
// Judging an accepted command folds its changes into the inventory at once. A refused command changes nothing. If `now` is earlier than the
// inventory's latest time, it counts as that time. Not thread-safe, like the inventory.
#pragma once

#include "core/best_available.h"
#include "core/change.h"
#include "core/command.h"
#include "core/inventory.h"
#include "core/plan.h"

namespace holdfast {

// `plan`: the event's, needed by HoldBest only; nullptr while the event is importing or was abandoned.
Outcome judge(Inventory& inventory, const Command& command, Millis now, ChangeBatch& changes, const Plan* plan = nullptr);

// What judge() would answer to this hold, without executing it.
Outcome preview(const Inventory& inventory, const Hold& hold, Millis now);

// The seats that judge() would take for this command, one part of its submission, if it were judged now: of Hold, HoldBest and Add. None if it
// would be refused, and for every other command. Seats of `also` count as taken; it may be nullptr.
FewOf<SeatIndex> seats_to_take(const Inventory& inventory, const Command& command, Millis now, const Plan* plan, const AlsoTaken* also);

// The Hold that a HoldBest becomes once its seats are chosen. Valid as long as both arguments.
Hold hold_of(const HoldBest& best, Seats picked);

// Prefetches the memory that judging this command will touch. Optional and without effect on results; with millions of seats it makes a batch
// about twice as fast. Before command i is judged, call it for each step with the command that comes k_prefetch_ahead[step] after it.
inline constexpr std::size_t k_prefetch_ahead[] = {32, 24, 16, 8};
void prefetch(const Inventory& inventory, const Command& command, std::size_t step);

}   // namespace holdfast
