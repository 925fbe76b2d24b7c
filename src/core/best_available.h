// Best available: which seats a customer gets who names a quantity and not the seats.
//
//   const auto picked = pick_best(inventory, plan, {.quantity = 2, .adjacent = true}, now);
//   if (picked) …   // *picked: two seats side by side, in plan order
//
// Words. A row is a Plan's RowSegment: consecutive seats of one section and row. A seat is free when its state at `now` is
// available (a hold that is over does not count, recorded or not), else taken. Two seats are side by side when one follows the
// other in their row and no wide gap (Plan::gaps) is between them. A candidate is a free seat of the section and of the category
// that are asked for, if any are.
//
// `adjacent`: a choice is `quantity` candidates of one row, each side by side with the next.
//
//   1. The first row in the plan's order that has a choice gives the seats, whatever the rows behind it have.
//   2. Of its choices, one that isolates a seat is only taken when all do. A choice isolates a free seat beside it when that seat's
//      neighbour on the other side, side by side with it, is taken. The end of the row and the edge of a gap are borders, not taken seats:
//      the last seat of a row may stay free alone. A seat that was alone before counts for nothing.
//   3. Then the nearest to the row's middle: the middle of the choice to the middle of the whole row, gaps and other categories included,
//      counted in seats. On a tie the lower index.
//   No row has a choice: no_adjacent_seats.
//
// Not `adjacent`: the first `quantity` candidates in the plan's order. There are fewer: seat_unavailable.
//
// Taken seats are skipped at the speed of memchr() while no hold is over and unrecorded. O(seats) in the worst case.
#pragma once

#include <expected>
#include <functional>

#include "core/command.h"
#include "core/inventory.h"
#include "core/plan.h"

namespace holdfast {

// Seats that are to count as taken beside those that are. Not called for seats that are taken anyway.
using AlsoTaken = std::function<bool(SeatIndex)>;

// The seats in plan order, or why there are none. `inventory` must be the one that commands are judged in, and have the plan's
// seats; the wish's section and category must be the plan's. `also` may be nullptr.
std::expected<FewOf<SeatIndex>, Reason> pick_best(const Inventory& inventory, const Plan& plan, const BestAvailable& wish, Millis now,
                                                  const AlsoTaken* also = nullptr);

}  // namespace holdfast
