// What both source files of StateStore know of columns. Pure; any thread.
#pragma once

#include <optional>
#include <string_view>

#include "core/ids.h"

namespace holdfast {

inline constexpr int k_column_of_event_sum = 15;   // behind EventColumns

// Accepts an id only as to_string() writes it: in any other form, another program has changed it.
inline std::optional<Uuid> exact_uuid(std::string_view text) {
  const auto id = parse_uuid(text);
  return id && to_string(*id) == text ? id : std::nullopt;
}

}  // namespace holdfast
