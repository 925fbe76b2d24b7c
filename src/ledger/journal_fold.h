// The inventory and the plan that an event's first journal row begins. Later rows are folded into them.
//
//   auto inventory = new_inventory(row, body, seed);
//   for_each_change(body.changes, row.changes, row.at, [&](std::uint32_t i, const Change& change) {
//     fold_change(row, row.first_seq + i, change, *inventory);
//   });
//
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <memory>

#include "core/inventory.h"
#include "core/plan.h"
#include "ledger/contradiction.h"
#include "ledger/journal_row.h"

namespace holdfast {

// The inventory and the plan of an event whose first row this is; nullptr if the row does not begin with event_created.
std::unique_ptr<Inventory> new_inventory(const JournalRow& row, const JournalBody& body, std::uint64_t hash_seed);
std::unique_ptr<PlanBuilder> new_plan(const JournalRow& row, const JournalBody& body);

// Folds change `seq` of a row. Throws Contradiction if it does not fit the inventory, which then is as before.
void fold_change(const JournalRow& row, Seq seq, const Change& change, Inventory& inventory);

// Adds the seats of a change seats_appended to the plan. Throws Contradiction if they cannot be read, or are not as many as the change says:
// the plan is of no use then. `plan`: nullptr if there is none that could grow.
void append_seats(Seq seq, const Change& change, PlanBuilder* plan);

}   // namespace holdfast
