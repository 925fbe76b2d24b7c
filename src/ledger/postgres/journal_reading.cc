#include "ledger/postgres/journal_reading.h"

#include "ledger/data_error.h"
#include "ledger/postgres/stored.h"

namespace holdfast::pg {

FindEnded find_in(Connection& connection) {
  return [&connection](const Uuid& id) -> std::optional<ReservationView> {
    auto found = find_reservation(connection, id);
    return found ? std::optional(std::move(found->view)) : std::nullopt;
  };
}

Parameters read_after(const Replica& replica, int limit) {
  const ReplicaPlace& place = replica.place;
  const bool knows_last = place.last.first_seq > 0;
  return Parameters()
      .event(replica.number)
      .seq(knows_last ? place.last.first_seq : place.next())
      .int2(knows_last ? place.last.ordinal : place.at.ordinal)
      .boolean(knows_last)
      .int8(limit);
}

std::size_t fold_rows(const Result& rows, Replica& replica, const FindEnded& find_ended) {
  const bool is_empty = rows.is_null(0, 1);
  int next = 0;
  if (const ReplicaPlace& place = replica.place; place.last.first_seq > 0) {
    const bool is_there = !is_empty && rows.seq(0, 1) == place.last.first_seq && rows.int2(0, 2) == place.last.ordinal;
    if (!is_there || read_row(rows, 0, 1, replica.number).hash != place.at.hash) {
      throw HistoryChanged("the journal row with change " + std::to_string(place.last.first_seq) + " of event " +
                           std::to_string(replica.number) + " is not the one that this node knows");
    }
    next = 1;
  }
  if (is_empty) return 0;
  const int count = rows.rows();
  for (int i = next; i < count; ++i) replica.fold(read_row(rows, i, 1, replica.number), find_ended);
  return static_cast<std::size_t>(count - next);
}

}  // namespace holdfast::pg
