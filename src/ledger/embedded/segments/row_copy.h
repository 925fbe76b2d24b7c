// Copies rows into a journal of segments as they are: positions, times and hashes stay, rounds are counted anew.
//
//   const auto options = with_room_for(largest_body, usual);
//   SegmentWriter::create(disk, options, new_id, {.round = 0, .head = from.anchor()});
//   SegmentWriter writer(disk, options);
//   writer.settle();
//   RowCopy copy(writer);
//   from.read(from.anchor(), [&](const JournalRow& row) { copy.add(row); return true; });
//   copy.finish(notes);
//   writer.stop();
//
// Many rows share a round, so a copy takes about as much room as its rows, and few syncs. Belongs to the writer's thread.
#pragma once

#include <cstdint>

#include "ledger/embedded/segments/round.h"
#include "ledger/embedded/segments/segment_writer.h"
#include "ledger/journal_row.h"

namespace holdfast::segments {

// `options` for a journal whose rows have bodies of at most `body_bytes`. A row of an earlier version may be larger than a round that is
// written today: then all segments are large enough for it. Throws DataError if none can be.
SegmentWriter::Options with_room_for(std::uint64_t body_bytes, SegmentWriter::Options options);

class RowCopy {
 public:
  // Goes on after the writer's last row.
  explicit RowCopy(SegmentWriter& writer) : writer_(writer), round_(writer.reach()) {}

  // Adds the row that follows on the one before it. It may be on disk only with a later row, or with finish(). Throws DataError if it does not
  // have the next position or the hash that it must have there; and what SegmentWriter::append() throws. Nothing can be added afterwards.
  void add(const JournalRow& row);
  // Brings all rows to the disk, and then the notes, but for that of the first kept segment: it has a number of the old journal.
  void finish(const Notes& notes = {});

 private:
  void write();

  SegmentWriter& writer_;
  Round round_;
  std::uint64_t rows_ = 0;   // in the round
  std::uint64_t body_bytes_ = 0;
};

}   // namespace holdfast::segments
