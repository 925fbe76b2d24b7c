// What a journal's files say after the process or the machine has ended, whenever that was.
//
// What one torn write of one frame can leave behind the last whole frame is a write that nobody was answered for: it is dropped. Everything
// else that is not as it was written is damage, and refused with the file, the byte and the way out. docs/internals/journal.md has the
// rules as a table.
#pragma once

#include <cstdint>
#include <vector>

#include "ledger/embedded/segments/catalog.h"
#include "ledger/embedded/segments/damage.h"
#include "ledger/embedded/segments/disk.h"
#include "ledger/embedded/segments/reach_marker.h"
#include "ledger/embedded/segments/round.h"

namespace holdfast::segments {

// Blocks that are not zeros where nothing was answered.
struct Torn {
  std::size_t segment = 0;   // in Recovered::segments
  std::uint32_t block = 0;
  std::uint32_t blocks = 0;
};

struct Recovered {
  std::vector<Segment> segments;   // by number: those in use, then those that are prepared
  std::size_t last = 0;   // the last one in use
  Reach reach;
  Notes notes;
  std::uint32_t last_frame = 0;   // block of the last frame in that segment
  std::uint32_t end_block = 0;   // the first block behind it
  std::vector<Torn> torn;   // all of it in one segment
  std::vector<std::uint64_t> given_up;   // numbers of files that an interrupted removal has left, rising; they may be damaged
};

// Reads what is there, and changes nothing. It reads the last segment and the prepared ones whole, past the page cache, and of each other
// one that is kept its first and its last frame. `marker` was opened before. Throws SegmentDamage, LaterFormat or DiskError.
Recovered recover(Disk& disk, const ReachMarker& marker, Disk::Mode mode);

// Makes it safe to append: zeroes what is torn, and makes sure that the last segment is on disk as it was read. Returns when that is
// durable. A crash in between leaves something that recovers to the same. The files were opened for writing. Throws DiskError.
void mend(Recovered& recovered);

}   // namespace holdfast::segments
