// Opens the file of a segment and checks that it is the one that its name says.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ledger/embedded/segments/catalog.h"
#include "ledger/embedded/segments/disk.h"
#include "ledger/embedded/segments/format.h"
#include "ledger/embedded/segments/round.h"

namespace holdfast::segments {

// The numbers of the segments in the folder, rising. Throws DiskError.
std::vector<std::uint64_t> numbers_of_segments(Disk& disk);

// Opens segment `number` of `journal` and reads its header. Segment::before is empty. Throws DiskError; LaterFormat;
// SegmentDamage if the header is not whole or not that of this segment, or the file has another size.
Segment open_segment(Disk& disk, std::uint64_t number, const JournalId& journal, Disk::Mode mode, DiskFile::From from);

// The first frame of a segment, which says where the journal stood before it.
struct Opening {
  Reach before;
  Notes notes;   // all in force
  std::uint32_t last_frame_before = 0;   // its block in the segment before; 0: there is none
  std::uint32_t end_block = 0;   // the first block behind the opening
};
// Nothing: the first frame is not whole, or there is none. Throws DiskError; LaterFormat; SegmentDamage if it is whole and
// makes no sense.
std::optional<Opening> read_opening(const Disk& disk, const Segment& segment, DiskFile::From from);

}   // namespace holdfast::segments
