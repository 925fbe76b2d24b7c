// Reading an event's journal from a replica's place on.
//
//   const auto rows = connection.query(k_read_after, read_after(replica, 128));
//   fold_rows(rows, replica, find_in(connection));
//
// Call with the replica's mutex.
#pragma once

#include "ledger/postgres/database_clock.h"
#include "ledger/postgres/replica.h"
#include "sql/postgres_connection.h"

namespace holdfast::pg {

// Columns: the database's time, then first_seq, ordinal, changes, at, hash, body of a journal row. If there are no rows: one row of
// NULLs. In a transaction it must follow the statement that locks, so that the time is not from before the wait. The last row that the
// replica knows comes first, without its body, so that its hash can be compared.
inline constexpr Statement k_read_after{"read_after", R"(
  SELECT t.now, j.first_seq, j.ordinal, j.changes, j.at, j.hash, j.body
  FROM (SELECT )" HOLDFAST_DATABASE_NOW R"( AS now) t
  LEFT JOIN LATERAL (
    SELECT first_seq, ordinal, changes, at, hash, CASE WHEN first_seq = $2 AND ordinal = $3 AND $4 THEN ''::bytea ELSE body END AS body
    FROM holdfast.journal WHERE event = $1 AND (first_seq, ordinal) >= ($2, $3) ORDER BY event, first_seq, ordinal LIMIT $5
  ) j ON true)"};

// Finds ended reservations in the tables over this connection, which must outlive the function.
FindEnded find_in(Connection& connection);

// Parameters of k_read_after, for at most `limit` rows.
Parameters read_after(const Replica& replica, int limit);

// Folds the result of k_read_after. Returns the number of new rows. Throws like Replica::fold(), and HistoryChanged if the last known row
// is missing or has another hash.
std::size_t fold_rows(const Result& rows, Replica& replica, const FindEnded& find_ended);

}   // namespace holdfast::pg
