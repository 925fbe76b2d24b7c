// What relays have come past in the changes of all events, and what is still before them.
//
// Any thread. They throw Error.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/ids.h"
#include "sql/postgres_pool.h"

namespace holdfast::pg {

// How many changes there are from a cursor of read_all_changes on: exact up to 10,000 steps of holdfast.change_order, else estimated. Throws
// std::runtime_error when `cursor` is none.
std::uint64_t count_changes_from(Pool& pool, std::string_view cursor);

// The last change of an event that no enabled webhook has before it any more, nor the Kafka feed. The largest Seq when nobody reads: for the
// retention of the journal. There is a feed when this node has one, or any node has had one: its position is in the database, and the feed goes
// on from there, whichever node it is on.
Seq relayed_through(Pool& pool, EventNumber event, bool feeds_here);

}   // namespace holdfast::pg
