// A journal whose files are not what was written, or are what this program cannot read.
#pragma once

#include <cstdint>
#include <string>

#include "ledger/embedded/segments/disk.h"
#include "ledger/embedded/segments/format.h"
#include "ledger/journal_row.h"

namespace holdfast::segments {

// what() names the file and the byte, and says what still holds and what to do.
class SegmentDamage : public DataError {
 public:
  using DataError::DataError;
  // For a reader: the rows from first_lost on and before next cannot be read. Reading can go on with `next`. Both are 0 if the damage is
  // not in what a reader reads.
  Position first_lost = 0;
  Position next = 0;
};

// A later version of the program has written a file in a way that this one does not know. Nothing is damaged: what() names the file, and
// says to use that version.
class LaterFormat : public DataError {
 public:
  using DataError::DataError;
};

// The sentence of a SegmentDamage: where, what, and the way out.
std::string told_of_damage(const Disk& disk, const std::string& name, std::uint64_t offset, const std::string& what);
// The same for a file as a whole.
std::string told_of_damage(const Disk& disk, const std::string& name, const std::string& what);
// The rest of such a sentence: round `round`, which begins at `before`, does not follow on `reach`. Names the rows that are missing between.
std::string told_of_gap(const Reach& reach, const Reach& before, std::uint64_t round);
// A sentence of these without its full stop and the way out: for those who list damage.
std::string without_way_out(const Disk& disk, std::string told);

// Throws LaterFormat, or SegmentDamage of the file as a whole.
[[noreturn]] void refuse(const Disk& disk, const std::string& name, const Unreadable& why);
// Throws LaterFormat, or SegmentDamage at `offset`, for a frame that is whole.
[[noreturn]] void refuse(const Disk& disk, const std::string& name, std::uint64_t offset, const FrameHeader& frame, const Unreadable& why);

}   // namespace holdfast::segments
