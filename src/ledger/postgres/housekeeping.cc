// What each node does once a second, for all nodes.
#include <set>

#include "ledger/postgres/postgres_ledger.h"
#include "ledger/postgres/tables.h"

namespace holdfast {
namespace {

constexpr std::size_t k_unserved_at_once = 16;
constexpr Millis k_unserved_after = 1'000;   // before that, nodes that have loaded the event record its expiries

}  // namespace

void PostgresLedger::keep_house(pg::Connection& connection) {
  bring_events(connection);
  look_at_standbys(connection);
  evict();
  try_damaged_again();
  sweep_unserved(connection);
}

// Several hosts in the URL mean that the operator relies on a failover. Without a synchronous standby it may lose the last commits.
void PostgresLedger::look_at_standbys(pg::Connection& connection) {
  const std::string& url = options_.url;
  const std::size_t hosts = url.find("://");
  const std::string_view authority = std::string_view(url).substr(hosts == std::string::npos ? 0 : hosts + 3);
  if (authority.substr(0, authority.find('/')).find(',') == std::string_view::npos) return;
  constexpr pg::Statement k_standbys{"standbys", "SELECT current_setting('synchronous_standby_names') <> ''"};
  const bool is_safe = connection.query(k_standbys).boolean(0, 0);
  const std::scoped_lock lock(trouble_mutex_);
  exposure_ =
      is_safe ? ""
              : "several database hosts are named, and none is a synchronous standby (synchronous_standby_names is empty): a failover may "
                "lose the last commits, including answered ones";
}

void PostgresLedger::work_alone(FailingEvents& failing, EventNumber event, const std::function<bool(pg::Connection&)>& work) {
  if (!failing.may_try(event)) return;
  auto connection = pool_.take();
  try {
    if (work(*connection)) failing.worked(event);
  } catch (const pg::Error& error) {
    connection->reset();
    // The server may be down, or too slow for this event. A new connection shows which: it throws if the server is down.
    const bool is_lost = !connection->is_usable();
    connection.give_back();
    if (is_lost) pool_.take();
    failing.failed(event, error.what());
  } catch (const std::exception& error) {
    failing.failed(event, error.what());
  }
}

// Loads events with due expiries that no node has in memory, so that the engine sweeps them. For an event that has no due expiry, corrects
// its next expiry in the tables.
void PostgresLedger::sweep_unserved(pg::Connection& connection) {
  std::set<EventNumber> damaged;   // they stay in the index, and must not keep out other events
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
    return;   // note_damage() has logged it
  }
  const ReplicaPtr replica = replica_of(event);
  const std::scoped_lock lock(replica->mutex);
  if (!replica->is_loaded()) return;
  const Millis next = replica->inventory->next_expiry();
  if (next > now()) pg::raise_next_expiry(connection, event, replica->place.at.seq, next);
}

}  // namespace holdfast
