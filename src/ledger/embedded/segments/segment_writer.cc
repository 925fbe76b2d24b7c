#include "ledger/embedded/segments/segment_writer.h"

#include <algorithm>

#include "core/check.h"
#include "ledger/embedded/segments/retention.h"

namespace holdfast::segments {

namespace {

// A process that was killed between a rename and the folder's sync leaves a name that only the cache has. Nothing may be answered in such
// a file.
Disk& with_names_on_disk(Disk& disk) {
  disk.sync_folder();
  return disk;
}

}  // namespace

SegmentWriter::SegmentWriter(Disk& disk, Options options) : disk_(with_names_on_disk(disk)), marker_(disk, Disk::Mode::write) {
  Recovered found = recover(disk_, marker_, Disk::Mode::write);
  for (const Torn& torn : found.torn) torn_blocks_ += torn.blocks;
  mend(found);
  supply_.emplace(disk, catalog_, marker_.journal(), options.sizes(), std::move(options.draw_salt));
  for (Segment& segment : found.segments) catalog_.add(segment);
  segment_ = found.segments[found.last];
  last_frame_ = found.last_frame;
  next_block_ = found.end_block;
  reach_ = found.reach;
  notes_ = std::move(found.notes);
  catalog_.publish(reach_, next_block_);
  marker_.note(reach_, segment_.header.number);
  marker_.sync();
  for (const std::uint64_t number : found.given_up) remove_segment(disk_, number);
  supply_->look_for_room();
}

void SegmentWriter::append(Round& round) {
  if (!broken_.empty()) throw DiskError(broken_, broken_code_);
  HOLDFAST_CHECK(round.before() == reach_);
  check_limits(round);
  const auto blocks = static_cast<std::uint32_t>(round.bytes() / k_block);
  if (next_block_ + blocks > segment_.blocks()) begin_segment();
  guarded([&] {
    write(round, FrameKind::round, segment_, next_block_);
    marker_.note(round.after(), segment_.header.number);
  });
  if (round.after().head.position > reach_.head.position) segment_.index->add(reach_.head.position, next_block_);
  last_frame_ = next_block_;
  next_block_ += blocks;
  reach_ = round.after();
  put_in_force(round.notes(), notes_);
  catalog_.publish(reach_, next_block_);
}

std::uint64_t SegmentWriter::round_bytes_max() const {
  const std::uint64_t made = supply_->next_bytes();
  return std::min(std::min(made, catalog_.prepared_bytes_min().value_or(made)) - k_blocks_before_rounds * k_block, k_round_bytes_max);
}

std::expected<void, NotTaken> SegmentWriter::can_take(std::uint64_t bytes, Work work) const {
  if (!broken_.empty()) return std::unexpected(NotTaken{NotTaken::Reason::failing, broken_});
  if (const std::uint64_t most = round_bytes_max(); bytes > most) {
    return std::unexpected(NotTaken{NotTaken::Reason::too_large, "a round of " + std::to_string(bytes) + " bytes is larger than the " +
                                                                     std::to_string(most) +
                                                                     " that the journal takes. Make smaller rounds."});
  }
  const bool fits_here = bytes <= room().bytes;
  const std::size_t needed = (fits_here ? 0U : 1U) + (work == Work::growing ? 1U : 0U);   // growing work leaves the reserve
  const bool waits = work == Work::growing && supply_->trouble().has_value();
  if (catalog_.prepared() < needed || waits) return std::unexpected(not_taken(work));
  return {};
}

NotTaken SegmentWriter::not_taken(Work work) const {
  const std::optional<Supply::Trouble> trouble = supply_->trouble();
  if (!trouble) {
    return {NotTaken::Reason::preparing, "the journal's next segment is being made. Nothing is lost. Try again in a moment."};
  }
  const std::string goes_on = work == Work::growing ? ". What frees seats or ends begun sales goes on." : ". What was answered is on disk.";
  if (trouble->is_no_room) return {NotTaken::Reason::no_room, trouble->what + goes_on + " Free space; the rest then goes on by itself."};
  return {NotTaken::Reason::failing, trouble->what + goes_on + " Repair the disk; the rest then goes on by itself."};
}

void SegmentWriter::check_limits(const Round& round) const {
  if (const std::uint64_t most = round_bytes_max(); round.bytes() > most) {
    throw RoundRefused("a round of " + std::to_string(round.bytes()) + " bytes is too large for the journal's segments, which take " +
                       std::to_string(most) + " bytes. Nothing was written. Make smaller rounds, or larger segments.");
  }
  if (round.notes().empty()) return;
  Notes notes = notes_;
  put_in_force(round.notes(), notes);
  if (notes.size() > k_notes_max) {
    throw RoundRefused("a round would make " + std::to_string(notes.size()) + " notes of the journal, which has " +
                       std::to_string(k_notes_max) + " at most. Nothing was written.");
  }
}

void SegmentWriter::make_segment() {
  if (supply_->prepare(1) != Supply::Prepared::not_made) return;
  const std::optional<Supply::Trouble> trouble = supply_->trouble();
  if (!trouble) return;   // another thread's try has made one meanwhile
  const std::string holds = trouble->what + ". What was answered is on disk, and nothing of this round is.";
  if (trouble->is_no_room) throw NoRoom(holds + " Free space; the journal then goes on.");
  throw SegmentNotMade(holds + " Repair the disk; the journal then goes on.");
}

// The opening has its own write: together with a round, a torn write could leave the round whole behind a bad opening, which is damage.
void SegmentWriter::begin_segment() {
  if (!catalog_.next_prepared()) make_segment();
  const Segment next = *catalog_.next_prepared();
  Round opening(reach_);
  for (const auto& [kind, text] : notes_) opening.add_note(kind, text);
  const auto blocks = static_cast<std::uint32_t>(opening.bytes() / k_block);
  guarded([&] {
    write(opening, FrameKind::opening, next, k_first_frame);
    marker_.note(reach_, next.header.number);   // on disk before a round is: the segment's file will be missed
    marker_.sync();
  });
  segment_ = catalog_.begin_next(reach_);
  last_frame_ = k_first_frame;
  next_block_ = k_first_frame + blocks;
  supply_->want();
}

void SegmentWriter::write(Round& round, FrameKind kind, const Segment& segment, std::uint32_t block) {
  segment.file->write_durably(std::uint64_t{block} * k_block, round.finish(kind, segment.header, block, last_frame_));
}

// Runs a write. If it fails, nobody knows what is on disk, and nothing more is written.
template <typename Write>
void SegmentWriter::guarded(Write write) {
  try {
    write();
  } catch (const DiskError& error) {
    broken_ =
        std::string("the journal could not be written: ") + error.what() +
        ". What was answered is on disk; the last requests without an answer may be too. Free space or repair the disk, then start again.";
    broken_code_ = error.code();
    throw DiskError(broken_, broken_code_);
  }
}

SegmentWriter::Room SegmentWriter::room() const {
  return {.bytes = std::uint64_t{segment_.blocks() - next_block_} * k_block,
          .prepared = catalog_.prepared(),
          .is_short = supply_->trouble().has_value()};
}

void SegmentWriter::stop() {
  if (!broken_.empty()) return;   // the marker says what was durable
  guarded([&] {
    marker_.note(reach_, segment_.header.number, ReachMarker::State::stopped);
    marker_.sync();
  });
}

}  // namespace holdfast::segments
