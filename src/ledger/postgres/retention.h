// Removing old rows from the journal, event by event; and whether the clock can be trusted for that.
#pragma once

#include <cstdint>
#include <functional>

#include "core/ids.h"
#include "core/time.h"
#include "sql/postgres_connection.h"

namespace holdfast::pg {

// Removes journal rows that are older than `days` by the database's clock, are in the tables, and whose changes were delivered: `relayed`
// returns the last delivered change of an event. The row that the tables are as of always stays, and so does every row after it.
// journal_anchor keeps the key and hash before the oldest remaining row, which must fit that hash: otherwise fewer rows go. The removed rows also leave change_order. Works in small
// transactions, and skips an event that another node is clearing. Returns the number of removed rows. Throws Error.
std::uint64_t clear_journal(Connection& connection, std::int64_t days, const std::function<Seq(EventNumber)>& relayed);

// How far the database's clock is ahead of the newest journal row that is at least `settled` old; 0 when there is no such row. Younger rows
// do not count: they may have been written by the clock that is in doubt, by this node or by another. Bisects each event that has younger
// rows, so it reads a few dozen rows of an event at most. Throws Error.
Millis clock_ahead_of_journal(Connection& connection, Millis settled);

}   // namespace holdfast::pg
