// What a node does for the cluster every second, whichever node does it.
#include <algorithm>
#include <set>

#include "ledger/data_error.h"
#include "ledger/postgres/postgres_ledger.h"
#include "ledger/postgres/tables.h"

namespace holdfast {
namespace {

constexpr std::size_t k_unserved_at_once = 16;
constexpr Millis k_unserved_after = 1'000;   // nodes that serve the event have had this long

}  // namespace

void PostgresLedger::keep_house(pg::Connection& connection) {
  bring_events(connection);
  look_at_standbys(connection);
  evict();
  try_damaged_again();
  sweep_unserved(connection);
}

// With several hosts somebody counts on a failover; without a synchronous standby it may lose the last commits.
void PostgresLedger::look_at_standbys(pg::Connection& connection) {
  const std::string& url = options_.url;
  const std::size_t hosts = url.find("://");
  const std::string_view authority = std::string_view(url).substr(hosts == std::string::npos ? 0 : hosts + 3);
  if (authority.substr(0, authority.find('/')).find(',') == std::string_view::npos) return;
  constexpr pg::Statement k_standbys{"standbys", "SELECT current_setting('synchronous_standby_names') <> ''"};
  const bool is_safe = connection.query(k_standbys).boolean(0, 0);
  const std::scoped_lock lock(trouble_mutex_);
  exposure_ = is_safe
                  ? ""
                  : "several database hosts are named, and none is a synchronous standby (synchronous_standby_names): a failover may lose "
                    "the last commits, answered ones too";
}

void PostgresLedger::work_alone(FailingEvents& failing, EventNumber event, const std::function<bool(pg::Connection&)>& work) {
  if (!failing.may_try(event)) return;
  auto connection = pool_.take();
  try {
    if (work(*connection)) failing.worked(event);
  } catch (const pg::Error& error) {
    connection->reset();
    // The server may be away, or have been too slow for this event's load. A new connection tells which.
    const bool is_lost = !connection->is_usable();
    connection.give_back();
    if (is_lost) pool_.take();
    failing.failed(event, error.what());
  } catch (const std::exception& error) {
    failing.failed(event, error.what());
  }
}

// Events whose holds are over and that are in no node's memory are brought here, and the engine sweeps them. An event that is
// here has its next expiry put right in the tables.
void PostgresLedger::sweep_unserved(pg::Connection& connection) {
  std::set<EventNumber> damaged;   // they stay in the index, and must not keep others from their turn
  {
    const std::scoped_lock lock(trouble_mutex_);
    for (const auto& [number, what] : damaged_) damaged.insert(number);
  }
  const std::size_t limit = k_unserved_at_once + damaged.size() + not_kept_.summary().events;
  for (const EventNumber event : pg::events_with_expiries(connection, now() - k_unserved_after, limit)) {
    if (damaged.contains(event)) continue;
    work_alone(not_kept_, event, [&](pg::Connection& own) {
      sweep_one(own, event);
      return true;
    });
  }
}

void PostgresLedger::sweep_one(pg::Connection& connection, EventNumber event) {
  try {
    if (!bring_number(connection, event, true)) return;
  } catch (const DataError&) {
    return;   // it is named and in the log by now
  }
  const ReplicaPtr replica = replica_of(event);
  const std::scoped_lock lock(replica->mutex);
  if (!replica->is_loaded()) return;
  const Millis next = replica->inventory->next_expiry();
  if (next > now()) pg::raise_next_expiry(connection, event, replica->place.at.seq, next);
}

}  // namespace holdfast
