// A reservation's history, page by page (reservation_history.cc says how it is found).
#pragma once

#include <optional>
#include <vector>

#include "ledger/ledger.h"

namespace holdfast::api {

inline constexpr std::size_t k_changes_examined_max = 100'000;   // for one page: some 50 ms; then it ends, and the next goes on

// Where a page begins: after change `seq`. `ended`: the reservation had ended by then.
struct HistoryPlace {
  Seq seq = 0;
  bool ended = false;
};

struct HistoryPage {
  std::vector<RecordedChange> changes;
  std::optional<HistoryPlace> next{};   // nothing: this is the last page
};

// At most `limit` changes of a reservation: from its beginning, or after `place`. A page may have fewer, even none, and one after it. A
// beginning that is older than what the journal keeps is ReadProblem::archived. Blocks on the ledger's files.
Reading<HistoryPage> read_history(const Ledger& ledger, const PublishedEvent& event, const ReservationView& view,
                                  std::optional<HistoryPlace> place, std::size_t limit);

}  // namespace holdfast::api
