#include "ledger/postgres/retention.h"

#include <string>
#include <vector>

#include "ledger/postgres/tables.h"

namespace holdfast::pg {
namespace {

constexpr std::int32_t k_rows_at_once = 500;
constexpr std::int64_t k_events_at_once = 1'000;

constexpr Statement k_time_before{"time_before", "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint - $1 * 86400000"};
constexpr Statement k_old_events{"events_with_old_rows",
                                 "SELECT e.number FROM holdfast.event e CROSS JOIN LATERAL (SELECT at FROM holdfast.journal "
                                 "WHERE event = e.number ORDER BY first_seq, ordinal LIMIT 1) j "
                                 "WHERE e.number >= $1 AND j.at < $2 ORDER BY e.number LIMIT $3"};
constexpr Statement k_lock{"retention_lock", "SELECT FROM holdfast.event_state WHERE event = $1 FOR UPDATE SKIP LOCKED"};
constexpr Statement k_oldest{"oldest_rows",
                             "SELECT first_seq, ordinal, changes, at, hash FROM holdfast.journal WHERE event = $1 "
                             "ORDER BY first_seq, ordinal LIMIT $2"};
constexpr Statement k_anchor{"set_anchor",
                             "INSERT INTO holdfast.journal_anchor (event, first_seq, ordinal, hash) VALUES ($1, $2, $3, $4) "
                             "ON CONFLICT (event) DO UPDATE SET first_seq = $2, ordinal = $3, hash = $4"};
constexpr Statement k_remove{"remove_rows", "DELETE FROM holdfast.journal WHERE event = $1 AND (first_seq, ordinal) < ($2, $3)"};
constexpr Statement k_remove_order{"remove_order",
                                   "DELETE FROM holdfast.change_order WHERE event = $1 AND last_seq < $2 AND first_seq < "
                                   "(SELECT first_seq FROM holdfast.change_order WHERE event = $1 ORDER BY first_seq DESC LIMIT 1)"};

constexpr Statement k_clock_ahead{"clock_ahead_of_journal",
                                  "SELECT coalesce(n.at - (SELECT max(j.at) FROM holdfast.event e CROSS JOIN LATERAL (SELECT at FROM "
                                  "holdfast.journal WHERE event = e.number AND at <= n.at - $1 ORDER BY first_seq DESC, ordinal DESC "
                                  "LIMIT 1) j), 0) FROM (SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at) n"};

// Removes rows of one event in one transaction. 0: there are none, or another node has the event.
std::uint64_t clear_some(Connection& connection, EventNumber event, Millis before, Seq relayed) {
  connection.query(k_begin);
  const bool is_ours = connection.query(k_lock, Parameters().event(event)).rows() == 1;
  const auto place = place_of(connection, event);
  const Result rows = connection.query(k_oldest, Parameters().event(event).int4(k_rows_at_once));
  // A row goes only if the next row exists and is in the tables too. So the row that the tables are as of stays.
  int gone = 0;
  for (; is_ours && place && gone + 1 < rows.rows(); ++gone) {
    const auto last = [&](int row) { return rows.seq(row, 0) + rows.unsigned4(row, 2) - 1; };
    const bool next_is_in_tables = last(gone + 1) < place->seq || (last(gone + 1) == place->seq && rows.int4(gone + 1, 2) > 0);
    if (rows.int8(gone, 3) >= before || last(gone) > relayed || !next_is_in_tables) break;
  }
  if (gone > 0) {
    const Seq first_seq = rows.seq(gone, 0);
    const std::int16_t ordinal = rows.int2(gone, 1);
    connection.query(k_anchor, Parameters().event(event).seq(first_seq).int2(ordinal).bytes(rows.bytes(gone - 1, 4)));
    connection.query(k_remove, Parameters().event(event).seq(first_seq).int2(ordinal));
    connection.query(k_remove_order, Parameters().event(event).seq(first_seq));
  }
  connection.query(k_commit);
  return static_cast<std::uint64_t>(gone);
}

}  // namespace

Millis clock_ahead_of_journal(Connection& connection, Millis settled) {
  return connection.query(k_clock_ahead, Parameters().int8(settled)).int8(0, 0);
}

std::uint64_t clear_journal(Connection& connection, std::int64_t days, const std::function<Seq(EventNumber)>& relayed) {
  std::uint64_t removed = 0;
  try {
    const Millis before = connection.query(k_time_before, Parameters().int8(days)).int8(0, 0);
    for (EventNumber next = 1; next > 0;) {
      const Result events = connection.query(k_old_events, Parameters().event(next).int8(before).int8(k_events_at_once));
      for (int row = 0; row < events.rows(); ++row) {
        const EventNumber event = events.event(row, 0);
        const Seq delivered = relayed(event);
        for (std::uint64_t some = k_rows_at_once - 1; some == k_rows_at_once - 1;)
          removed += some = clear_some(connection, event, before, delivered);
      }
      next = events.rows() == k_events_at_once ? events.event(events.rows() - 1, 0) + 1 : 0;
    }
  } catch (...) {
    connection.reset();
    throw;
  }
  return removed;
}

}  // namespace holdfast::pg
