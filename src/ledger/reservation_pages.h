// A page of a list of reservations while it is being filled, in the order of event and creation.
//
//   ReservationPageInWork made(filter, limit, after);
//   for (row of the tables behind made.last()) {
//     if (!made.has_room()) break;
//     made.add(row.event, row.created_seq, view);
//   }
//   return std::move(made.page);
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <utility>

#include "ledger/cursors.h"
#include "ledger/reading.h"

namespace holdfast {

class ReservationPageInWork {
 public:
  static constexpr std::size_t k_looked_at_max = 10'000;   // for one page, whatever the filter leaves out

  // `after`: where the page begins.
  ReservationPageInWork(const ReservationFilter& filter, std::size_t limit, ReservationPlace after)
      : filter_(filter), limit_(limit), last_(after) {}

  // Ask before each reservation. False: the page is full, and says where the next one begins.
  bool has_room() {
    if (page.items.size() < limit_ && looked_at_ < k_looked_at_max) return true;
    page.next = text_of(last_);
    return false;
  }
  // `view`: as it is now.
  void add(EventNumber event, Seq created_seq, ReservationView view) {
    ++looked_at_;
    last_ = {event, created_seq};
    if (!filter_.status || view.status == *filter_.status) page.items.push_back({event, std::move(view), text_of(last_)});
  }

  const ReservationPlace& last() const { return last_; }   // that was looked at
  std::size_t looked_at() const { return looked_at_; }

  ReservationPage page;

 private:
  const ReservationFilter& filter_;
  const std::size_t limit_;
  ReservationPlace last_;
  std::size_t looked_at_ = 0;
};

}  // namespace holdfast
