// The table `import`: events whose seats are on their way in, each with the node that brings them and the end of its lease.
//
//   begin_import(connection, 7, node);            // in the transaction that takes the ids, as its last statement
//   renew_import(connection, 7, node);            // with each part of the seats; false: another node has taken the import over
//   end_import(connection, 7, node);              // with the last one
//
// A row has one of two ends. Its own node deletes it in the transaction that opens the event. Or it becomes nobody's, when its lease is over or
// its node gives it up; then any node gives the ids back in pieces, and deletes the row with the last of them. Functions of one connection; they
// throw Error.
#pragma once

#include <chrono>
#include <set>
#include <vector>

#include "core/ids.h"
#include "core/time.h"
#include "sql/postgres_connection.h"

namespace holdfast::pg {

inline constexpr Millis k_import_lease = 30'000;

// The lease begins with this statement.
void begin_import(Connection& connection, EventNumber event, const Uuid& node);
// False: the import is not this node's any more.
bool renew_import(Connection& connection, EventNumber event, const Uuid& node);
bool end_import(Connection& connection, EventNumber event, const Uuid& node);
// Makes it nobody's. False: it was not this node's.
bool give_up_import(Connection& connection, EventNumber event, const Uuid& node);
// Renews these, and returns those of them that are still this node's.
std::set<EventNumber> renew_imports(Connection& connection, const std::set<EventNumber>& events, const Uuid& node);

struct StaleImport {
  EventNumber event = 0;
  bool is_nobodys = false;   // its ids are being given back
};
// Imports whose lease is over, and those that are nobody's: a few, from the one after `last` on, and then from the first.
std::vector<StaleImport> stale_imports(Connection& connection, EventNumber last);
// Makes an import whose lease is over nobody's. False: it has been renewed, or has ended.
bool take_stale_import(Connection& connection, EventNumber event);
// Deletes the row of an import whose event has opened.
void forget_import(Connection& connection, EventNumber event);

// Gives ids of an import that is nobody's back, each piece in a transaction of its own, until `until`; at least one piece. True: these were the
// last of them, and the row is gone. False: there are more, or another node is at it, or it is not nobody's.
bool give_back_ids(Connection& connection, EventNumber event, std::chrono::steady_clock::time_point until);

}   // namespace holdfast::pg
