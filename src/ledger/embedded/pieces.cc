#include "ledger/embedded/pieces.h"

#include <algorithm>

#include "core/check.h"
#include "ledger/body_bytes.h"
#include "ledger/embedded/segments/segment_writer.h"

namespace holdfast {
namespace {

// A submission within the limits fits into a round, and a round into the smallest segment. Its due expiries are recorded before, if they are
// what does not fit.
constexpr std::uint64_t k_submission_rows_bytes = k_submission_bytes_max + k_events_per_command_max * k_row_body_bytes;
constexpr std::uint64_t k_around_bodies = segments::k_frame_header + k_events_per_command_max * segments::k_row_overhead_max +
                                          segments::k_notes_max * (segments::k_note_bytes_max + segments::k_note_overhead_max) +
                                          segments::k_block;
static_assert(k_submission_rows_bytes <= k_piece_bytes_max);
static_assert(k_piece_bytes_max + k_around_bodies <= segments::SegmentWriter::k_round_bytes_max);
static_assert(segments::SegmentWriter::k_round_bytes_max + (segments::k_first_frame + segments::k_opening_blocks_max) * segments::k_block <=
              std::min(segments::k_first_segment_bytes, segments::k_segment_bytes));

// Adds up what a round needs, batch by batch.
class Meter {
 public:
  Meter(const JudgesBench& bench, Millis now) : bench_(bench), now_(now) {}

  const Need& need() const { return need_; }
  void begin(const Batch& batch) {
    need_.rows += batch.events.size();
    need_.body_bytes += batch.events.size() * k_row_body_bytes;
    expiries_left_ = 0;
    for (const EventNumber event : batch.events) {
      const Inventory* const inventory = bench_.inventory_in_memory(event);
      if (inventory != nullptr && inventory->next_expiry() <= now_) expiries_left_ += expiry_bytes_max(*inventory);
    }
  }
  void add(const Submission& submission) {
    need_.body_bytes += body_bytes_max(submission);
    if (!need_.grows) need_.grows = is_growing(submission);
    if (expiries_left_ > 0) add_expiries(submission);
  }

 private:
  // Each expiry is recorded once, by whichever entry comes first.
  void add_expiries(const Submission& submission) {
    for (const Part& part : submission.parts) {
      const std::uint64_t bytes = std::min(expiry_bytes_max(part.command), expiries_left_);
      expiries_left_ -= bytes;
      need_.body_bytes += bytes;
      need_.expiry_bytes += bytes;
    }
  }

  const JudgesBench& bench_;
  const Millis now_;
  Need need_;
  std::uint64_t expiries_left_ = 0;   // that entries of this batch may still record; 0 if none is due
};

bool settles(const Configure& configure) {
  if (configure.status) return *configure.status == EventStatus::closed || *configure.status == EventStatus::abandoned;
  return !configure.name && !configure.starts_at && !configure.hold_seconds && !configure.max_hold_seconds &&
         !configure.seats_per_reservation && !configure.held_seats_per_customer;
}

}   // namespace

bool is_growing(const Command& command) {
  struct Grows {
    bool operator()(const Hold&) const { return true; }
    bool operator()(const HoldBest&) const { return true; }
    bool operator()(const Add&) const { return true; }
    bool operator()(const Block&) const { return true; }
    bool operator()(const Unblock&) const { return true; }
    bool operator()(const Create&) const { return true; }
    bool operator()(const AppendSeats&) const { return true; }
    bool operator()(const Configure& configure) const { return !settles(configure); }
    bool operator()(const Extend&) const { return false; }
    bool operator()(const Release&) const { return false; }
    bool operator()(const ReleaseLocks&) const { return false; }
    bool operator()(const Consume&) const { return false; }
    bool operator()(const Return&) const { return false; }
    bool operator()(const Sweep&) const { return false; }
  };
  return std::visit(Grows{}, command);
}

bool is_growing(const Submission& submission) {
  return std::ranges::any_of(submission.parts, [](const Part& part) { return is_growing(part.command); });
}

Need need_of(std::span<const Batch> batches, const JudgesBench& bench, Millis now) {
  Meter meter(bench, now);
  for (const Batch& batch : batches) {
    meter.begin(batch);
    for (const Entry* entry : batch.entries) meter.add(entry->submission);
  }
  return meter.need();
}

void PieceCutter::skip_empty() {
  while (batch_ < batches_.size() && entry_ >= batches_[batch_].entries.size()) {
    ++batch_;
    entry_ = 0;
  }
}

Piece PieceCutter::cut(std::uint64_t bytes_max, const JudgesBench& bench, Millis now) const {
  Piece piece;
  Meter meter(bench, now);
  std::size_t entry = entry_;
  for (std::size_t batch = batch_; batch < batches_.size(); ++batch, entry = 0) {
    const Batch& from = batches_[batch];
    if (entry >= from.entries.size()) continue;
    meter.begin(from);
    Batch part{.events = from.events, .entries = {}};
    for (; entry < from.entries.size(); ++entry) {
      meter.add(from.entries[entry]->submission);
      if (piece.entries > 0 && meter.need().body_bytes > bytes_max) break;
      part.entries.push_back(from.entries[entry]);
      piece.need = meter.need();
      ++piece.entries;
    }
    const bool is_full = entry < from.entries.size();
    if (!part.entries.empty()) piece.batches.push_back(std::move(part));
    if (is_full) break;
  }
  return piece;
}

void PieceCutter::pass(const Piece& piece) {
  for (std::size_t left = piece.entries; left > 0;) {
    HOLDFAST_CHECK(!at_end());
    const std::size_t here = std::min(left, batches_[batch_].entries.size() - entry_);
    entry_ += here;
    left -= here;
    skip_empty();
  }
}

}   // namespace holdfast
