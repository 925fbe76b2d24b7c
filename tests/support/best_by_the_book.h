// Best available once more, in the simplest form, written from the text of the specification and not from the code:
//
//   "seats of one row, side by side where `adjacent` (consecutive in the plan's row, with no gap wider than 1.6 times the row's median
//   spacing), best rows first (the plan's order), nearest to the row's middle, lower index on a tie, and it leaves no single free seat
//   between two taken ones when another choice in that row avoids it. When no row has them side by side, `no_adjacent_seats` (the caller may
//   ask again with `adjacent: false`: then best seats first, in plan order)."
//
// Every choice of every row is tried and judged by itself. Only single free seats next to the choice count, because the choice
// leaves no others.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace holdfast::test {

struct BookSeat {
  std::string section{};
  std::string row{};
  std::string category{};
  double x = 0;
  double y = 0;
  bool free = true;   // available now
};

struct BookWish {
  std::size_t quantity = 1;
  std::optional<std::string> section{};
  std::optional<std::string> category{};
  bool adjacent = true;
};

// A seat of a row; a row is a list of these in plan order.
struct InRow {
  std::size_t index;
  bool beside_the_one_before;
};
using BookRow = std::vector<InRow>;

inline double median_of(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

inline std::vector<BookRow> rows_by_the_book(const std::vector<BookSeat>& seats) {
  std::vector<BookRow> rows;
  for (std::size_t i = 0; i < seats.size(); ++i) {
    const bool begins = i == 0 || seats[i].section != seats[i - 1].section || seats[i].row != seats[i - 1].row;
    if (begins) rows.emplace_back();
    rows.back().push_back({i, !begins});
  }
  for (BookRow& row : rows) {
    std::vector<double> spacing;
    for (std::size_t k = 1; k < row.size(); ++k) {
      const BookSeat &left = seats[row[k].index - 1], &right = seats[row[k].index];
      spacing.push_back(std::hypot(right.x - left.x, right.y - left.y));
    }
    if (spacing.empty() || median_of(spacing) == 0) continue;   // no positions, no gaps
    for (std::size_t k = 1; k < row.size(); ++k) row[k].beside_the_one_before = spacing[k - 1] <= 1.6 * median_of(spacing) + 1e-9;
  }
  return rows;
}

// Whether `row[k]` is a free seat between two taken ones.
inline bool is_single(const BookRow& row, std::size_t k, const std::vector<bool>& free) {
  const bool has_left = k > 0 && row[k].beside_the_one_before;
  const bool has_right = k + 1 < row.size() && row[k + 1].beside_the_one_before;
  return has_left && has_right && free[row[k].index] && !free[row[k - 1].index] && !free[row[k + 1].index];
}

// The seats, in plan order. Empty if there are none.
inline std::vector<std::size_t> best_by_the_book(const std::vector<BookSeat>& seats, const BookWish& wish) {
  const auto wanted = [&](std::size_t i) {
    return seats[i].free && (!wish.section || seats[i].section == *wish.section) && (!wish.category || seats[i].category == *wish.category);
  };
  if (!wish.adjacent) {
    std::vector<std::size_t> first;
    for (std::size_t i = 0; i < seats.size() && first.size() < wish.quantity; ++i) {
      if (wanted(i)) first.push_back(i);
    }
    return first.size() == wish.quantity ? first : std::vector<std::size_t>{};
  }
  std::vector<bool> free_before;
  for (const BookSeat& seat : seats) free_before.push_back(seat.free);
  for (const BookRow& row : rows_by_the_book(seats)) {
    using Rank = std::tuple<bool, double, std::size_t>;   // leaves a single seat, distance to the middle, index
    std::optional<Rank> best;
    for (std::size_t from = 0; from + wish.quantity <= row.size(); ++from) {
      bool possible = true;
      for (std::size_t k = from; k < from + wish.quantity; ++k) {
        possible = possible && wanted(row[k].index) && (k == from || row[k].beside_the_one_before);
      }
      if (!possible) continue;
      std::vector<bool> free = free_before;
      for (std::size_t k = from; k < from + wish.quantity; ++k) free[row[k].index] = false;
      const std::size_t last = from + wish.quantity - 1;
      const bool leaves_one = (from > 0 && is_single(row, from - 1, free)) || (last + 1 < row.size() && is_single(row, last + 1, free));
      const double middle = static_cast<double>(row.size() - 1) / 2, middle_of_choice = static_cast<double>(from + last) / 2;
      const Rank rank{leaves_one, std::abs(middle_of_choice - middle), row[from].index};
      if (!best || rank < *best) best = rank;
    }
    if (!best) continue;
    std::vector<std::size_t> chosen;
    for (std::size_t k = 0; k < wish.quantity; ++k) chosen.push_back(std::get<2>(*best) + k);
    return chosen;
  }
  return {};
}

}   // namespace holdfast::test
