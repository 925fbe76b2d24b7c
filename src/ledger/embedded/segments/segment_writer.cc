#include "ledger/embedded/segments/segment_writer.h"

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
  const std::uint64_t segment_bytes = found.segments[found.last].header.bytes;
  supply_.emplace(disk, catalog_, marker_.journal(), segment_bytes, std::move(options.draw_salt));
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
}

void SegmentWriter::append(Round& round) {
  if (!broken_.empty()) throw DiskError(broken_, broken_code_);
  HOLDFAST_CHECK(round.before() == reach_ && round.bytes() <= round_bytes_max());
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
  for (const auto& [kind, text] : round.notes()) {
    if (text.empty()) notes_.erase(kind);
    else notes_[kind] = text;
  }
  HOLDFAST_CHECK(notes_.size() <= k_notes_max);
  catalog_.publish(reach_, next_block_);
}

// The opening has its own write: together with a round, a torn write could leave the round whole behind a bad opening, which is damage.
void SegmentWriter::begin_segment() {
  if (!catalog_.next_prepared() && supply_->prepare() == Supply::Prepared::no_room) {
    throw NoRoom("the disk of " + disk_.path_of("") + " is full: the journal's next segment takes " +
                 std::to_string(segment_.header.bytes) + " bytes. What was answered is on disk. Free space; the journal then goes on.");
  }
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
          .is_short = supply_->is_out_of_room()};
}

void SegmentWriter::stop() {
  if (!broken_.empty()) return;   // the marker says what was durable
  guarded([&] {
    marker_.note(reach_, segment_.header.number, ReachMarker::State::stopped);
    marker_.sync();
  });
}

}  // namespace holdfast::segments
