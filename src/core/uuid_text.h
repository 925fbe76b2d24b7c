// The text of a UUID without an allocation.
//
//   const UuidText text = uuid_text(id);
//   json.member("seatId", text.view());
#pragma once

#include <array>
#include <string_view>

#include "core/ids.h"

namespace holdfast {

// 36 characters, lower case.
struct UuidText {
  std::array<char, k_uuid_text_bytes> chars;
  std::string_view view() const { return {chars.data(), chars.size()}; }
};

UuidText uuid_text(const Uuid& id);

}  // namespace holdfast
