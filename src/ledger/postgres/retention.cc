#include "ledger/postgres/retention.h"

#include "core/bytes.h"
#include "ledger/postgres/database_clock.h"
#include "ledger/postgres/tables.h"

namespace holdfast::pg {
namespace {

constexpr std::int32_t k_rows_at_once = 500;
constexpr std::int64_t k_events_at_once = 1'000;

constexpr Statement k_time_before{"time_before", "SELECT " HOLDFAST_DATABASE_NOW " - $1 * 86400000"};
constexpr Statement k_old_events{"events_with_old_rows",
                                 "SELECT e.number FROM holdfast.event e CROSS JOIN LATERAL (SELECT at FROM holdfast.journal "
                                 "WHERE event = e.number ORDER BY first_seq, ordinal LIMIT 1) j "
                                 "WHERE e.number >= $1 AND j.at < $2 ORDER BY e.number LIMIT $3"};
constexpr Statement k_lock{"retention_lock", "SELECT FROM holdfast.event_state WHERE event = $1 FOR UPDATE SKIP LOCKED"};
constexpr Statement k_oldest{"oldest_rows",
                             "SELECT first_seq, ordinal, changes, at, hash FROM holdfast.journal WHERE event = $1 "
                             "ORDER BY first_seq, ordinal LIMIT $2"};
constexpr Statement k_body{"row_after_anchor", "SELECT body FROM holdfast.journal WHERE event = $1 AND first_seq = $2 AND ordinal = $3"};
constexpr Statement k_anchor{"set_anchor",
                             "INSERT INTO holdfast.journal_anchor (event, first_seq, ordinal, hash) VALUES ($1, $2, $3, $4) "
                             "ON CONFLICT (event) DO UPDATE SET first_seq = $2, ordinal = $3, hash = $4"};
constexpr Statement k_remove{"remove_rows", "DELETE FROM holdfast.journal WHERE event = $1 AND (first_seq, ordinal) < ($2, $3)"};
constexpr Statement k_remove_order{"remove_order",
                                   "DELETE FROM holdfast.change_order WHERE event = $1 AND last_seq < $2 AND first_seq < "
                                   "(SELECT first_seq FROM holdfast.change_order WHERE event = $1 ORDER BY first_seq DESC LIMIT 1)"};

// The newest row with at <= $1 of each event, then the newest of these. An event whose last row is younger is bisected by
// (first_seq, ordinal), as one number: times never fall within an event. Rows from `high` on are younger, the row at `low` is not.
constexpr Statement k_newest_until{"newest_row_until", R"(
  WITH RECURSIVE ends AS (
    SELECT e.number AS event, o.at AS first_at, o.first_seq * 32768 + o.ordinal AS first, n.at AS last_at,
           n.first_seq * 32768 + n.ordinal AS last
    FROM holdfast.event e
    CROSS JOIN LATERAL (SELECT first_seq, ordinal, at FROM holdfast.journal WHERE event = e.number
                        ORDER BY first_seq DESC, ordinal DESC LIMIT 1) n
    CROSS JOIN LATERAL (SELECT first_seq, ordinal, at FROM holdfast.journal WHERE event = e.number ORDER BY first_seq, ordinal LIMIT 1) o
  ), bisected AS (
    SELECT event, first AS low, first_at AS at, last AS high FROM ends WHERE first_at <= $1 AND last_at > $1
    UNION ALL
    SELECT b.event, CASE WHEN m.at <= $1 THEN m.place ELSE b.low END, CASE WHEN m.at <= $1 THEN m.at ELSE b.at END,
           CASE WHEN m.at <= $1 THEN b.high ELSE b.middle END
    FROM (SELECT event, low, at, high, low + (high - low) / 2 AS middle FROM bisected WHERE high - low > 1) b
    CROSS JOIN LATERAL (SELECT first_seq * 32768 + ordinal AS place, at FROM holdfast.journal
                        WHERE event = b.event AND (first_seq, ordinal) >= (b.middle / 32768, b.middle % 32768)
                        ORDER BY first_seq, ordinal LIMIT 1) m
  )
  SELECT greatest((SELECT max(last_at) FROM ends WHERE last_at <= $1), (SELECT max(at) FROM bisected)))"};
constexpr Statement k_now{"retention_now", "SELECT " HOLDFAST_DATABASE_NOW};

// Whether the hash of the row before `row` in a result of k_oldest is the one that `row` was chained to. A damaged hash as the anchor would make
// the rows that stay look damaged.
bool fits_before(Connection& connection, EventNumber event, const Result& rows, int row) {
  const auto hash_at = [&](int at) {
    ChainHash hash{};
    read_bytes(rows.bytes(at, 4), hash);   // stays zero, which fits no row, if it has another size
    return hash;
  };
  const Result body = connection.query(k_body, Parameters().event(event).seq(rows.seq(row, 0)).int2(rows.int2(row, 1)));
  if (body.rows() != 1) return false;
  return hash_at(row) == chain(hash_at(row - 1), {.position = rows.int2(row, 1),
                                                  .event = event,
                                                  .first_seq = rows.seq(row, 0),
                                                  .changes = rows.unsigned4(row, 2),
                                                  .at = rows.int8(row, 3),
                                                  .body = body.bytes(0, 0)});
}

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
  while (gone > 0 && !fits_before(connection, event, rows, gone)) --gone;
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

}   // namespace

Millis clock_ahead_of_journal(Connection& connection, Millis settled) {
  const Millis now = connection.query(k_now).int8(0, 0);
  const Result newest = connection.query(k_newest_until, Parameters().int8(now - settled));
  return newest.is_null(0, 0) ? 0 : now - newest.int8(0, 0);
}

std::uint64_t clear_journal(Connection& connection, std::int64_t days, const std::function<Seq(EventNumber)>& relayed) {
  std::uint64_t removed = 0;
  connection.reset_on_error([&] {
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
  });
  return removed;
}

}   // namespace holdfast::pg
