// Pieces of a call to execute(): as many entries as surely fit into one round of the journal, in their order.
//
//   const Need need = need_of(batches, bench, now);                     // usually all fit
//   PieceCutter cutter(batches);
//   while (!cutter.at_end()) {
//     const Piece piece = cutter.cut(bytes_max, bench, now);            // one entry at least
//     …ask the journal for piece.need, judge piece.batches at `now`, write, publish…
//     cutter.pass(piece);
//   }
//
// A submission is never divided, so a set over several events stays all or nothing. A need holds for what is judged at `now`, before
// anything else is: later, more expiries may be due.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/time.h"
#include "ledger/embedded/journal_room.h"
#include "ledger/judging.h"
#include "ledger/ledger.h"

namespace holdfast {

// What is judged at once at most: bytes of the bodies of its rows. A round of a journal of segments has 2 MiB, with all that is around them.
inline constexpr std::uint64_t k_piece_bytes_max = 1'792 * 1'024;

// Whether the command needs more room and frees none (journal_room.h). A Configure settles if it closes or abandons the event, or sets
// nothing. Unblock grows: what it frees is for new holds, which are refused at the same time.
bool is_growing(const Command& command);
bool is_growing(const Submission& submission);

// What a round may take at most.
struct Need {
  std::uint64_t rows = 0;
  std::uint64_t body_bytes = 0;   // of all rows, expiries included
  std::uint64_t expiry_bytes = 0;   // of these, by expiries that are due
  bool grows = false;

  Work work() const { return grows ? Work::growing : Work::settling; }
};

Need need_of(std::span<const Batch> batches, const JudgesBench& bench, Millis now);

struct Piece {
  std::vector<Batch> batches;
  std::size_t entries = 0;
  Need need;
};

class PieceCutter {
 public:
  // `batches` must outlive it.
  explicit PieceCutter(std::span<const Batch> batches) : batches_(batches) { skip_empty(); }

  bool at_end() const { return batch_ == batches_.size(); }
  // From the first entry that has not passed, while the bodies have at most `bytes_max` bytes; one entry at least, whatever it has.
  Piece cut(std::uint64_t bytes_max, const JudgesBench& bench, Millis now) const;
  void pass(const Piece& piece);

 private:
  void skip_empty();

  std::span<const Batch> batches_;
  std::size_t batch_ = 0;
  std::size_t entry_ = 0;   // of the batch
};

}   // namespace holdfast
