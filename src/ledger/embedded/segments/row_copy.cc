#include "ledger/embedded/segments/row_copy.h"

#include <algorithm>
#include <string>

#include "ledger/data_error.h"

namespace holdfast::segments {

SegmentWriter::Options with_room_for(std::uint64_t body_bytes, SegmentWriter::Options options) {
  const std::uint64_t round = Round::bytes_max(1, body_bytes);
  const std::uint64_t least = round + std::uint64_t{k_first_frame + k_opening_blocks_max} * k_block;
  options.round_bytes_max = std::max(options.round_bytes_max, round);
  if (least <= options.first_segment_bytes && least <= options.segment_bytes) return options;
  std::uint64_t bytes = options.segment_bytes;
  while (bytes < least) bytes *= 2;
  if (bytes > k_segment_bytes_max) {
    throw DataError("a row of " + std::to_string(body_bytes) +
                    " bytes is larger than a segment file may be, so it cannot be copied into one.");
  }
  options.first_segment_bytes = options.segment_bytes = bytes;
  return options;
}

void RowCopy::add(const JournalRow& row) {
  if (rows_ > 0 && Round::bytes_max(rows_ + 1, body_bytes_ + row.body.size()) > writer_.round_bytes_max()) write();
  ++rows_;
  body_bytes_ += row.body.size();
  const JournalHead head = round_.add_row(row.event, row.first_seq, row.changes, row.at, row.body);
  if (head.position == row.position && head.hash == row.hash) return;
  throw DataError("row " + std::to_string(row.position) + " cannot be copied: it does not follow on row " +
                  std::to_string(head.position - 1) + " by position and hash. Does another program write to the journal?");
}

void RowCopy::finish(const Notes& notes) {
  write();
  for (const auto& [kind, text] : notes) {
    if (kind != k_note_first_kept) round_.add_note(kind, text);
  }
  write();
}

void RowCopy::write() {
  if (!round_.is_empty()) writer_.append(round_);
  round_.begin(writer_.reach());
  rows_ = 0;
  body_bytes_ = 0;
}

}  // namespace holdfast::segments
