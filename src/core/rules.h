// The rules: what may happen to an event's seats. Every ledger judges with this code and no other.
//
//   ChangeBatch changes;
//   Outcome outcome = judge(inventory, Hold{.reservation = id, .customer = "customer-123", .seats = seats, .duration = 900'000}, now, changes);
//   if (outcome.accepted()) …   // `changes` has what must be made durable before anybody hears of it
//
// Judging an accepted command folds its changes into the inventory at once. A refused command changes nothing.
// `now` counts as the inventory's latest time when it is earlier.
#pragma once

#include "core/best_available.h"
#include "core/change.h"
#include "core/command.h"
#include "core/inventory.h"
#include "core/plan.h"

namespace holdfast {

// `plan` is the event's, and only HoldBest asks for it; nullptr while the event is importing or was abandoned.
Outcome judge(Inventory& inventory, const Command& command, Millis now, ChangeBatch& changes, const Plan* plan = nullptr);

// What judge() would answer to this hold, without doing it.
Outcome preview(const Inventory& inventory, const Hold& hold, Millis now);

// The seats that judge() would take for this command, one part of its submission, if it were judged now: of Hold, HoldBest and
// Add. None when it would be refused, and for every other command. Seats that `also` names count as taken; it may be nullptr.
FewOf<SeatIndex> seats_to_take(const Inventory& inventory, const Command& command, Millis now, const Plan* plan, const AlsoTaken* also);

// The Hold that HoldBest becomes once its seats are chosen. Valid as long as both.
Hold hold_of(const HoldBest& best, Seats picked);

// Asks the memory for what judging this command will touch, so that it is there when it is judged. Changes nothing and may be
// left out; with millions of seats a batch is judged about twice as fast when it is done: before command i is judged, for each
// step the command that comes k_prefetch_ahead[step] after it.
inline constexpr std::size_t k_prefetch_ahead[] = {32, 24, 16, 8};
void prefetch(const Inventory& inventory, const Command& command, std::size_t step);

}   // namespace holdfast
