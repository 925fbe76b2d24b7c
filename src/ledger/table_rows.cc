#include "ledger/table_rows.h"

namespace holdfast {

ReservationView view_of(const ReservationRow& row) {
  ReservationView view{.id = row.id,
                       .kind = row.kind,
                       .status = row.status,
                       .created_at = row.created_at,
                       .expires_at = row.expires_at,
                       .customer = row.customer,
                       .order = row.order};
  for (const SeatIndex seat : row.seats) view.seats.push_back({seat, false});
  return view;
}

}  // namespace holdfast
