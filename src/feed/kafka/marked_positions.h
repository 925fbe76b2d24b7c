// How far a transaction to Kafka came, as the metadata of an offset that is committed with it. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "feed/kafka/ports.h"

namespace holdfast::feed::kafka {

inline constexpr std::size_t k_positions_max = 101;   // so that they fit into an offset's metadata, 4,096 bytes

struct MarkedPosition {
  FeedPosition position;
  std::uint32_t mark = 0;   // mark_of() its last change
  bool operator==(const MarkedPosition&) const = default;
};

// At most k_positions_max of them.
std::string encode_positions(const std::vector<MarkedPosition>& positions);
// Nothing if the text is not one of encode_positions().
std::optional<std::vector<MarkedPosition>> decode_positions(std::string_view text);

}  // namespace holdfast::feed::kafka
