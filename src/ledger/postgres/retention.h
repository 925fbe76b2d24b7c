// Removing what is old from the journal, event by event.
#pragma once

#include <cstdint>
#include <functional>

#include "core/ids.h"
#include "sql/postgres_connection.h"

namespace holdfast::pg {

// Removes journal rows that are older than so many days by the database's clock, that the tables have, and whose changes
// `relayed` says were delivered. The row that the tables are as of and what comes after it always stay. What stood before the
// oldest row that is kept is in journal_anchor, and what was removed has no place in change_order any more. Small transactions;
// an event that another node is at is left for the next time. Returns how many rows. Throws Error.
std::uint64_t clear_journal(Connection& connection, std::int64_t days, const std::function<Seq(EventNumber)>& relayed);

}  // namespace holdfast::pg
