// Reading the changes of one journal row, one after the other.
//
//   const auto read = for_each_change(body.changes, row.changes, row.at, [&](std::uint32_t i, const Change& change) {
//     inventory.apply(change, row.at);   // change `row.first_seq + i`
//   });
//   if (read == ChangesRead::damaged) …
//
// A change's texts and seats are views that are valid until the next change. What `visit` throws passes through. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/change.h"

namespace holdfast {

enum class ChangesRead : std::uint8_t {
  all,
  all_and_more,   // bytes are left behind the last change
  damaged,   // the bytes cannot be read from some change on; the changes before it were visited
};

// Calls `visit(i, change)` for each of the first `count` changes in a row's bytes; `i` counts from 0. `at` is the row's time.
template <typename Visit>
ChangesRead for_each_change(std::string_view bytes, std::uint32_t count, Millis at, Visit&& visit) {
  Reader reader(bytes);
  ChangeDecoder decoder(at);
  Change change;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!decoder.decode(reader, change)) return ChangesRead::damaged;
    visit(i, change);
  }
  return reader.at_end() ? ChangesRead::all : ChangesRead::all_and_more;
}

// The same with what the row keeps beside its changes, as ChangeBatch has it: calls `visit(i, change, details)`.
template <typename Visit>
ChangesRead for_each_change(std::string_view bytes, std::string_view versions, std::string_view traces, std::uint32_t count, Millis at,
                            Visit&& visit) {
  DetailsDecoder decoder(versions, traces);
  ChangeDetails details;
  bool is_damaged = false;
  const ChangesRead read = for_each_change(bytes, count, at, [&](std::uint32_t i, const Change& change) {
    is_damaged = is_damaged || !decoder.decode(change, details);
    if (!is_damaged) visit(i, change, details);
  });
  if (is_damaged) return ChangesRead::damaged;
  return read == ChangesRead::all && !decoder.at_end() ? ChangesRead::all_and_more : read;
}

}   // namespace holdfast
