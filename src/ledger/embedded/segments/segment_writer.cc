#include "ledger/embedded/segments/segment_writer.h"

#include <algorithm>

#include "core/check.h"
#include "ledger/embedded/segments/retention.h"

namespace holdfast::segments {

SegmentWriter::SegmentWriter(Disk& disk, Options options)
    : disk_(disk),
      marker_(disk, Disk::Mode::write),
      round_bytes_limit_(options.round_bytes_max),
      found_(recover(disk, marker_, Disk::Mode::write)) {
  for (const Torn& torn : found_->torn) torn_blocks_ += torn.blocks;
  supply_.emplace(disk, catalog_, marker_.journal(), options.sizes(), std::move(options.draw_salt));
  for (const Segment& segment : found_->segments) catalog_.add(segment);
  for (const std::uint64_t number : found_->given_up) catalog_.add_left_over(number);
  segment_ = found_->segments[found_->last];
  last_frame_ = found_->last_frame;
  next_block_ = found_->end_block;
  reach_ = found_->reach;
  notes_ = found_->notes;
  catalog_.publish(reach_, next_block_);
}

// A process that was killed between a rename and the folder's sync leaves a name that only the cache has. Nothing may be answered in such
// a file, so the names come first.
void SegmentWriter::settle() {
  HOLDFAST_CHECK(found_.has_value());
  disk_.sync_folder();
  mend(*found_);
  marker_.note(reach_, segment_.header.number);
  marker_.sync();
  found_.reset();
  try {
    remove_segments_before(disk_, catalog_, 0);   // only what is left over
  } catch (const DiskError& error) {
    not_removed_ = error.what();
  }
  supply_->look_for_room();
}

void SegmentWriter::append(Round& round) {
  HOLDFAST_CHECK(!found_);   // settle() comes first
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
  return std::min(std::min(made, catalog_.prepared_bytes_min().value_or(made)) - k_blocks_before_rounds * k_block, round_bytes_limit_);
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
  return not_taken(*trouble, work);
}

NotTaken SegmentWriter::not_taken(const Supply::Trouble& trouble, Work work) {
  const std::string goes_on = work == Work::growing ? ". What frees seats or ends begun sales goes on." : ". What was answered is on disk.";
  if (trouble.is_no_room) return {NotTaken::Reason::no_room, trouble.what + goes_on + " Free space; the rest then goes on by itself."};
  return {NotTaken::Reason::failing, trouble.what + goes_on + " Repair the disk; the rest then goes on by itself."};
}

std::string SegmentWriter::room_trouble() const {
  const std::optional<Supply::Trouble> trouble = supply_->trouble();
  return trouble ? not_taken(*trouble, Work::growing).what : std::string();
}

void SegmentWriter::check_limits(const Round& round) const {
  if (const std::uint64_t most = round_bytes_max(); round.bytes() > most) {
    throw RoundRefused("a round of " + std::to_string(round.bytes()) + " bytes is too large for the journal's segments, which take " +
                       std::to_string(most) + " bytes. Nothing was written. Make smaller rounds, or larger segments.");
  }
  if (!round.notes().empty()) check_notes(round.notes());
}

void SegmentWriter::check_notes(const Notes& newer) const {
  Notes notes = notes_;
  put_in_force(newer, notes);
  if (notes.size() > k_notes_max) {
    throw RoundRefused("a round would make " + std::to_string(notes.size()) + " notes of the journal, which has " +
                       std::to_string(k_notes_max) + " at most. Nothing was written.");
  }
  const auto before = first_kept_in(notes_);
  const auto after = first_kept_in(notes);
  if (!after || *after < before || *after > segment_.header.number) {
    throw RoundRefused("a round would make segment " + (after ? std::to_string(*after) : "without a number") +
                       " the first one that is kept; it is segment " + std::to_string(before.value_or(0)) + ", and segment " +
                       std::to_string(segment_.header.number) + " is in use. Nothing was written.");
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
  HOLDFAST_CHECK(!found_);
  if (!broken_.empty()) return;   // the marker says what was durable
  guarded([&] {
    marker_.note(reach_, segment_.header.number, ReachMarker::State::stopped);
    marker_.sync();
  });
}

}  // namespace holdfast::segments
