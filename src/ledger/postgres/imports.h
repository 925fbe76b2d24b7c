// The table `import`: running imports, each with its node and the end of the node's lease.
//
//   begin_import(connection, 7, node);            // the last statement of the transaction that takes the ids
//   renew_import(connection, 7, node);            // with each part of the seats; false: another node has abandoned the import
//   end_import(connection, 7, node);              // with the last part
//
// A row ends in one of two ways. Its own node deletes it in the transaction that opens the event. Or the row becomes nobody's, because
// its lease is over or its node gives it up. Then any node gives the ids back in pieces, and deletes the row with the last piece. These
// functions use one connection, whose transaction they join unless they say otherwise. They throw Error.
#pragma once

#include <chrono>
#include <set>
#include <vector>

#include "core/ids.h"
#include "core/time.h"
#include "sql/postgres_connection.h"

namespace holdfast::pg {

inline constexpr Millis k_import_lease = 30'000;   // 30 s after begin_import() or the last renewal

// Adds the row. The lease begins with this statement.
void begin_import(Connection& connection, EventNumber event, const Uuid& node);
// False: the import is no longer this node's.
bool renew_import(Connection& connection, EventNumber event, const Uuid& node);
// Deletes the row. False: the import is no longer this node's.
bool end_import(Connection& connection, EventNumber event, const Uuid& node);
// Makes the import nobody's. False: it was not this node's.
bool give_up_import(Connection& connection, EventNumber event, const Uuid& node);
// Renews the leases of `events`, and returns those that are still this node's.
std::set<EventNumber> renew_imports(Connection& connection, const std::set<EventNumber>& events, const Uuid& node);

struct StaleImport {
  EventNumber event = 0;
  bool is_nobodys = false;   // its ids are being given back
};
// Up to 16 imports whose lease is over or that are nobody's: from the one after `last` on, then from the first.
std::vector<StaleImport> stale_imports(Connection& connection, EventNumber last);
// Makes an import nobody's if its lease is over. False: it was renewed, or has ended.
bool take_stale_import(Connection& connection, EventNumber event);
// Deletes the row of an import whose event has opened.
void forget_import(Connection& connection, EventNumber event);

// Gives back the ids of an import that is nobody's, each piece in its own transaction, until `until`; at least one piece. True: all are
// given back, and the row is deleted. False: there are more, another node does it, or the import is not nobody's.
bool give_back_ids(Connection& connection, EventNumber event, std::chrono::steady_clock::time_point until);

}   // namespace holdfast::pg
