// Cursors of lists, the same in every ledger. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/ids.h"

namespace holdfast {

// Where a reading of all changes continues: after the first `skip` changes of what stands at `position` in their order, which begins at 1. As
// text: position, or position-skip
struct ChangePlace {
  std::int64_t position = 1;
  std::uint32_t skip = 0;
};
std::optional<ChangePlace> parse_change_place(std::string_view text);
std::string text_of(const ChangePlace& place);

// Where a list of reservations continues: after the one that change `seq` of `event` created. As text: event-seq
struct ReservationPlace {
  EventNumber event = 0;
  Seq seq = 0;
};
std::optional<ReservationPlace> parse_reservation_place(std::string_view text);
std::string text_of(const ReservationPlace& place);

}   // namespace holdfast
