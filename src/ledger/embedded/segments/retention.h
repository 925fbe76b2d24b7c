// Removes whole segments whose rows nobody needs any more.
//
//   const std::uint64_t keep = first_segment_to_keep(catalog, delivered);   // of what the tables have on disk and all readers have passed
//   round.add_note(k_note_first_kept, note_of_first_kept(keep));
//   writer.append(round);                                                   // from now on a start does not miss the segments before it
//   remove_segments_before(disk, catalog, keep);
//
// A crash in between leaves files too many, which the next start removes, never one too few. The note never goes back. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ledger/embedded/segments/catalog.h"
#include "ledger/embedded/segments/disk.h"
#include "ledger/embedded/segments/round.h"

namespace holdfast::segments {

// The number of the first segment with a row after `through`; at most that of the segment in use.
std::uint64_t first_segment_to_keep(const Catalog& catalog, Position through);
std::string note_of_first_kept(std::uint64_t number);
// The number in that note; 1 if there is none, nothing if it cannot be read.
std::optional<std::uint64_t> first_kept_in(const Notes& notes);
// Removes a segment's file, durably. It is well if it is gone already.
void remove_segment(Disk& disk, std::uint64_t number);
// Removes the files of segments in use before `number`, the oldest first, each of them durably before the next; before them, those that an
// interrupted removal has left. The note with `number` is on disk. Throws DiskError; the rest stays, in the catalog too, and the next call
// goes on there.
void remove_segments_before(Disk& disk, Catalog& catalog, std::uint64_t number);

}   // namespace holdfast::segments
