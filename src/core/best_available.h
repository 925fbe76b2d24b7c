// Best available: chooses the seats for a customer who names a quantity instead of seats.
//
//   const auto picked = pick_best(inventory, plan, {.quantity = 2, .adjacent = true}, now);
//   if (picked) …   // *picked: two seats side by side, in plan order
//
// Words. A row is a Plan's RowSegment: consecutive seats of one section and row. A seat is free when its state at `now` is
// available (a hold that is over does not count, recorded or not), otherwise taken. Two seats are side by side when one follows the
// other in their row and no wide gap (Plan::gaps) is between them. A candidate is a free seat of the wanted section and
// category, if the wish names them.
//
// `adjacent`: a choice is `quantity` candidates of one row, each side by side with the next.
//
//   1. The first row in the plan's order that has a choice gives the seats, whatever later rows have.
//   2. A choice that isolates a seat is taken only if all choices of the row do. A choice isolates a free seat beside it when that seat's
//      neighbour on the other side, side by side with it, is taken. The end of the row and the edge of a gap are borders, not taken seats:
//      the last seat of a row may stay free alone. A seat that was isolated before does not count.
//   3. Of these, the one nearest to the row's middle: from the middle of the choice to the middle of the whole row, gaps and other
//      categories included, counted in seats. On a tie, the one with the lower index.
//   If no row has a choice: no_adjacent_seats.
//
// Not `adjacent`: the first `quantity` candidates in the plan's order. If there are fewer: seat_unavailable.
//
// Taken seats are skipped at the speed of memchr() while no hold is over and unrecorded. O(seats) in the worst case.
#pragma once

#include <expected>
#include <functional>

#include "core/command.h"
#include "core/inventory.h"
#include "core/plan.h"

namespace holdfast {

// Whether a free seat counts as taken. Not called for taken seats.
using AlsoTaken = std::function<bool(SeatIndex)>;

// The seats in plan order, or why there are none. `inventory` must be the one in which commands are judged, with the plan's seats. The wish's
// section and category must exist in the plan. `also` may be nullptr.
std::expected<FewOf<SeatIndex>, Reason> pick_best(const Inventory& inventory, const Plan& plan, const BestAvailable& wish, Millis now,
                                                  const AlsoTaken* also = nullptr);

}   // namespace holdfast
