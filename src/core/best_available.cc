#include "core/best_available.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <tuple>

#include "core/check.h"

namespace holdfast {
namespace {

class Picker {
 public:
  Picker(const Inventory& inventory, const Plan& plan, const BestAvailable& wish, Millis now, const AlsoTaken* also)
      : inventory_(inventory), plan_(plan), wish_(wish), now_(now), also_(also), some_are_over_(inventory.next_expiry() <= now) {}

  std::expected<FewOf<SeatIndex>, Reason> pick() const {
    FewOf<SeatIndex> picked;
    if (some_are_over_ || inventory_.counts().available >= wish_.quantity) {
      wish_.adjacent ? pick_side_by_side(picked) : pick_first(picked);
    }
    if (picked.size() == wish_.quantity) return picked;
    return std::unexpected(wish_.adjacent ? Reason::no_adjacent_seats : Reason::seat_unavailable);
  }

 private:
  void pick_side_by_side(FewOf<SeatIndex>& picked) const {
    for_each_row_with_candidates([&](const RowSegment& row, SeatIndex first_candidate) {
      const std::optional<SeatIndex> first = best_of_row(row, first_candidate);
      for (SeatIndex i = 0; first && i < wish_.quantity; ++i) picked.push_back(*first + i);
      return !first;
    });
  }

  void pick_first(FewOf<SeatIndex>& picked) const {
    for_each_row_with_candidates([&](const RowSegment& row, SeatIndex seat) {
      for (; seat < end_of(row) && picked.size() < wish_.quantity; seat = next_candidate(seat + 1, end_of(row))) picked.push_back(seat);
      return picked.size() < wish_.quantity;
    });
  }

  // Calls `visit(row, its first candidate)` for rows of the section, in the plan's order, until it returns false.
  template <typename Visit>
  void for_each_row_with_candidates(Visit visit) const {
    const auto rows = plan_.segments();
    const auto all = static_cast<SeatIndex>(plan_.size());
    for (std::size_t at = 0; at < rows.size(); ++at) {
      if (wish_.section && rows[at].section != *wish_.section) continue;
      const SeatIndex seat = next_candidate(rows[at].first, all);
      if (seat == all) return;
      while (end_of(rows[at]) <= seat) ++at;
      if (wish_.section && rows[at].section != *wish_.section) continue;
      if (!visit(rows[at], seat)) return;
    }
  }

  // The first seat of the row's best choice. `seat` is its first candidate.
  std::optional<SeatIndex> best_of_row(const RowSegment& row, SeatIndex seat) const {
    const auto gaps = plan_.gaps();
    auto gap = std::ranges::upper_bound(gaps, row.first);
    Best best;
    Stretch stretch{row.first, end_of(row)};
    while (seat < end_of(row)) {
      for (; gap != gaps.end() && *gap <= seat; ++gap) stretch.first = *gap;
      stretch.end = gap != gaps.end() ? std::min(*gap, end_of(row)) : end_of(row);
      SeatIndex run_end = seat + 1;
      while (run_end < stretch.end && is_candidate(run_end)) ++run_end;
      consider_run(row, stretch, seat, run_end, best);
      seat = next_candidate(run_end, end_of(row));
    }
    return best.first;
  }

  // Seats of a row without a gap among them.
  struct Stretch {
    SeatIndex first;
    SeatIndex end;
  };
  struct Best {
    std::optional<SeatIndex> first{};
    bool isolates = false;
    std::int64_t distance = 0;
  };

  // All choices among the candidates from `first` up to `end`, which are side by side.
  void consider_run(const RowSegment& row, const Stretch& stretch, SeatIndex first, SeatIndex end, Best& best) const {
    for (SeatIndex choice = first; choice + wish_.quantity <= end; ++choice) {
      const bool isolates = isolates_a_seat(stretch, choice);
      const std::int64_t distance = distance_to_middle(row, choice);
      if (best.first && std::tie(best.isolates, best.distance) <= std::tie(isolates, distance)) continue;
      best = {choice, isolates, distance};
    }
  }

  bool isolates_a_seat(const Stretch& stretch, SeatIndex choice) const {
    const SeatIndex after = choice + wish_.quantity;
    const bool before_it = choice >= stretch.first + 2 && is_free(choice - 1) && !is_free(choice - 2);
    const bool behind_it = after + 1 < stretch.end && is_free(after) && !is_free(after + 1);
    return before_it || behind_it;
  }

  // In half seats.
  std::int64_t distance_to_middle(const RowSegment& row, SeatIndex choice) const {
    const auto doubled_middle = [](std::int64_t first, std::int64_t count) { return 2 * first + count - 1; };
    return std::abs(doubled_middle(choice, wish_.quantity) - doubled_middle(row.first, row.count));
  }

  static SeatIndex end_of(const RowSegment& row) { return row.first + row.count; }

  bool is_free(SeatIndex seat) const {
    const SeatState state = some_are_over_ ? inventory_.state_of(seat, now_) : inventory_.recorded_state_of(seat);
    return state == SeatState::available && (also_ == nullptr || !(*also_)(seat));
  }
  bool is_wanted(SeatIndex seat) const { return !wish_.category || plan_.category_of(seat) == *wish_.category; }
  bool is_candidate(SeatIndex seat) const { return is_free(seat) && is_wanted(seat); }

  // The first candidate from `from` on; `end` if there is none before it.
  SeatIndex next_candidate(SeatIndex from, SeatIndex end) const {
    for (SeatIndex seat = from; seat < end; ++seat) {
      if (!some_are_over_) {
        const SeatState* const states = inventory_.states().data();
        const void* const found = std::memchr(states + seat, static_cast<int>(SeatState::available), end - seat);
        if (found == nullptr) return end;
        seat = static_cast<SeatIndex>(static_cast<const SeatState*>(found) - states);
      }
      if (is_candidate(seat)) return seat;
    }
    return end;
  }

  const Inventory& inventory_;
  const Plan& plan_;
  const BestAvailable& wish_;
  Millis now_;
  const AlsoTaken* also_;
  bool some_are_over_;   // some holds may be over but not recorded, so recorded states are not enough
};

}  // namespace

std::expected<FewOf<SeatIndex>, Reason> pick_best(const Inventory& inventory, const Plan& plan, const BestAvailable& wish, Millis now,
                                                  const AlsoTaken* also) {
  HOLDFAST_CHECK(plan.size() == inventory.seat_count() && wish.quantity > 0 && wish.quantity <= k_seats_per_reservation_max);
  HOLDFAST_CHECK(!wish.section || *wish.section < plan.sections().size());
  HOLDFAST_CHECK(!wish.category || *wish.category < plan.categories().size());
  return Picker(inventory, plan, wish, now, also).pick();
}

}  // namespace holdfast
