// Reading an event's journal on from a replica's place.
#pragma once

#include "ledger/postgres/replica.h"
#include "sql/postgres_connection.h"

namespace holdfast::pg {

// Columns: the database's time, then first_seq, ordinal, changes, at, hash, body of a row; one row with NULLs when there is none.
// The time is read by this statement, which must stand after the one that locks: there it would be from before the wait. The last
// row that is known comes first, without its body, so that its hash can be compared.
inline constexpr Statement k_read_after{"read_after", R"(
  SELECT t.now, j.first_seq, j.ordinal, j.changes, j.at, j.hash, j.body
  FROM (SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now) t
  LEFT JOIN LATERAL (
    SELECT first_seq, ordinal, changes, at, hash, CASE WHEN first_seq = $2 AND ordinal = $3 AND $4 THEN ''::bytea ELSE body END AS body
    FROM holdfast.journal WHERE event = $1 AND (first_seq, ordinal) >= ($2, $3) ORDER BY event, first_seq, ordinal LIMIT $5
  ) j ON true)"};

// What FindEnded asks: the tables, by this connection.
FindEnded find_in(Connection& connection);

Parameters read_after(const Replica& replica, int limit);

// Folds what k_read_after gave. Returns how many rows were new. Throws as Replica::fold does, and HistoryChanged when the row
// that is known is not there or another one.
std::size_t fold_rows(const Result& rows, Replica& replica, const FindEnded& find_ended);

}   // namespace holdfast::pg
