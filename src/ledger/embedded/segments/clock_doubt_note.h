// The journal's note of a start with a clock far ahead (clock_doubt.h): until and ahead, signed varints.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "ledger/clock_doubt.h"
#include "ledger/embedded/segments/round.h"

namespace holdfast::segments {

std::string note_of_clock_doubt(const DoubtfulStart& start);
// The start in that note; nothing if there is no note. The error is what is wrong with it, the rest of a sentence.
std::expected<std::optional<DoubtfulStart>, std::string> clock_doubt_in(const Notes& notes);

}   // namespace holdfast::segments
