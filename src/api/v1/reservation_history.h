// The history of a reservation, page by page. reservation_history.cc says how it is found.
#pragma once

#include <optional>
#include <vector>

#include "ledger/ledger.h"

namespace holdfast::api {

inline constexpr std::size_t k_changes_examined_max = 100'000;   // for one page, about 50 ms; the next page continues there

// The place after change `seq`, where a page begins. `ended`: the reservation has ended by then.
struct HistoryPlace {
  Seq seq = 0;
  bool ended = false;
};

struct HistoryPage {
  std::vector<RecordedChange> changes;
  std::optional<HistoryPlace> next{};   // nothing: this is the last page
};

// At most `limit` changes of a reservation, from its beginning or after `place`. A page may be empty and still have a next one. If the
// reservation began before the oldest change that is kept, the problem is ReadProblem::archived. Blocks on the ledger's files.
Reading<HistoryPage> read_history(const Ledger& ledger, const PublishedEvent& event, const ReservationView& view,
                                  std::optional<HistoryPlace> place, std::size_t limit);

}  // namespace holdfast::api
