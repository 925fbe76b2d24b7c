// The inventory and the plan that an event's first journal row begins. Later rows are folded into them.
//
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <memory>

#include "core/inventory.h"
#include "core/plan.h"
#include "ledger/journal_row.h"

namespace holdfast {

// The inventory and the plan of an event whose first row this is; nullptr if the row does not begin with event_created.
std::unique_ptr<Inventory> new_inventory(const JournalRow& row, const JournalBody& body, std::uint64_t hash_seed);
std::unique_ptr<PlanBuilder> new_plan(const JournalRow& row, const JournalBody& body);

}  // namespace holdfast
