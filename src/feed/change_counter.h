// How far relays are in the changes of all events, and how much is left to do.
//
// Any thread. The functions throw Error.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/ids.h"
#include "sql/postgres_pool.h"

namespace holdfast::pg {

// The number of changes from a cursor of read_all_changes on: exact up to 10,000 rows of holdfast.change_order, else estimated. Throws
// std::runtime_error if `cursor` is not a cursor.
std::uint64_t count_changes_from(Pool& pool, std::string_view cursor);

// The last change of an event that every enabled webhook and the Kafka feed have read; the largest Seq if there are no readers. The retention of the
// journal uses it. There is a feed if this node has one, or if any node has had one: its position is in the database, and any node may continue
// from there.
Seq relayed_through(Pool& pool, EventNumber event, bool feeds_here);

}   // namespace holdfast::pg
