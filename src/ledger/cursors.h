// The cursors of lists, the same for every ledger. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/ids.h"

namespace holdfast {

// Where a reading of all changes goes on: at change `skip` of what stands at `position` of their order, from 1. As text:
// position, or position-skip
struct ChangePlace {
  std::int64_t position = 1;
  std::uint32_t skip = 0;
};
std::optional<ChangePlace> parse_change_place(std::string_view text);
std::string text_of(const ChangePlace& place);

// Where a list of reservations goes on: after the one that change `seq` of `event` made. As text: event-seq
struct ReservationPlace {
  EventNumber event = 0;
  Seq seq = 0;
};
std::optional<ReservationPlace> parse_reservation_place(std::string_view text);
std::string text_of(const ReservationPlace& place);

}  // namespace holdfast
