#include "ledger/embedded/segments/row_copy.h"

#include <string>

#include "ledger/data_error.h"

namespace holdfast::segments {

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
