#include "ledger/embedded/segments/recovery.h"

#include <algorithm>
#include <optional>
#include <string>

#include "ledger/embedded/segments/frame_scan.h"
#include "ledger/embedded/segments/retention.h"
#include "ledger/embedded/segments/segment_file.h"

namespace holdfast::segments {
namespace {

using Found = FrameScan::Found;
using From = DiskFile::From;

class Recovery {
 public:
  Recovery(Disk& disk, const ReachMarker& marker, Disk::Mode mode) : disk_(disk), marker_(marker), mode_(mode) {}

  Recovered run() {
    list_numbers();
    find_last();
    check_segment_in_use();
    read_last();
    find_kept();
    find_torn();
    check_marker();
    return std::move(found_);
  }

 private:
  void list_numbers();
  bool open_before(std::uint64_t number);
  void find_last();
  void check_segment_in_use();
  void read_last();
  void find_kept();
  std::uint64_t first_kept() const;
  void check_end(std::size_t index);
  void find_torn();
  void look_behind(std::size_t index, std::uint32_t block);
  std::uint32_t end_of_torn(std::size_t index, const FrameScan& scan);
  void check_torn(std::size_t index, std::uint32_t first, std::uint32_t end, const FrameScan& scan);
  void check_marker();
  std::optional<Reach> reach_at(std::uint64_t round);
  RoundRead decoded(const Segment& segment, const FrameScan& scan);
  void keep_notes(const Notes& notes);
  [[noreturn]] void damaged(const Segment& segment, std::uint32_t block, const std::string& what) const {
    throw SegmentDamage(told_of_damage(disk_, segment.name(), std::uint64_t{block} * k_block, what));
  }
  [[noreturn]] void damaged(const std::string& name, const std::string& what) const {
    throw SegmentDamage(told_of_damage(disk_, name, what));
  }

  Disk& disk_;
  const ReachMarker& marker_;
  const Disk::Mode mode_;
  std::vector<std::uint64_t> numbers_;   // of all files, rising
  Recovered found_;
  std::vector<std::optional<Opening>> openings_;   // one a segment of found_
};

void Recovery::list_numbers() {
  numbers_ = numbers_of_segments(disk_);
  if (numbers_.empty()) damaged("", "it has no segment, and the file reach knows that there was one");
}

// Opens the segment before those that are open. Whether its first frame is whole.
bool Recovery::open_before(std::uint64_t number) {
  if (!std::ranges::binary_search(numbers_, number)) damaged(name_of_segment(number), "it is missing, and there is a later one");
  Segment segment = open_segment(disk_, number, marker_.journal(), mode_, From::disk);
  std::optional<Opening> opening = read_opening(disk_, segment, From::disk);
  const bool is_in_use = opening.has_value();
  if (is_in_use) segment.before = opening->before;
  found_.segments.insert(found_.segments.begin(), std::move(segment));
  openings_.insert(openings_.begin(), std::move(opening));
  return is_in_use;
}

// From the end: those behind the last one in use are prepared.
void Recovery::find_last() {
  for (std::uint64_t number = numbers_.back(); !open_before(number); --number) {
    if (number == numbers_.front()) damaged(found_.segments.back(), k_first_frame, "its first frame is not what was written");
  }
}

void Recovery::check_segment_in_use() {
  const std::uint64_t used = marker_.segment();
  const std::uint64_t last = found_.segments[found_.last].header.number;
  if (used <= last) return;
  if (used > numbers_.back()) damaged(name_of_segment(used), "it is missing, and the file reach knows that it was in use");
  damaged(found_.segments[static_cast<std::size_t>(used - last)], k_first_frame,
          "its first frame is not what was written, and the file reach knows that the segment was in use");
}

// The segments before the last one, as far back as they are kept. Those before may be damaged or missing: they were given up.
void Recovery::find_kept() {
  const std::uint64_t first = first_kept();
  for (std::uint64_t number = found_.segments[0].header.number; number > first; --number) {
    if (!open_before(number - 1)) {
      damaged(found_.segments[0], k_first_frame, "its first frame is not what was written, and the next segment is in use");
    }
    ++found_.last;
    check_end(0);
  }
  for (const std::uint64_t number : numbers_) {
    if (number < first) found_.given_up.push_back(number);
  }
}

std::uint64_t Recovery::first_kept() const {
  const Segment& last = found_.segments[found_.last];
  const std::optional<std::uint64_t> number = first_kept_in(found_.notes);
  if (!number || *number > last.header.number) damaged(last.name(), "its note of the first segment that is kept makes no sense");
  return *number;
}

// A segment before the last: does it end where the next one says? If not, it may be from an older backup.
void Recovery::check_end(std::size_t index) {
  const Segment& segment = found_.segments[index];
  const Opening& next = *openings_[index + 1];
  FrameScan scan(*segment.file, segment.header, next.last_frame_before, segment.blocks(), From::disk);
  if (next.last_frame_before < k_first_frame || scan.next() != Found::frame) {
    damaged(segment, next.last_frame_before,
            "its last frame, with round " + std::to_string(next.before.round) + ", is not what was written, or missing");
  }
  if (decoded(segment, scan).after != next.before) {
    damaged(segment, next.last_frame_before,
            "it does not end with round " + std::to_string(next.before.round) +
                " as the next segment says. Is it from an older backup, or the next one?");
  }
}

void Recovery::read_last() {
  const Segment& segment = found_.segments[found_.last];
  FrameScan scan(*segment.file, segment.header, k_first_frame, segment.blocks(), From::disk);
  found_.reach = *segment.before;
  while (scan.next() == Found::frame) {
    const RoundRead read = decoded(segment, scan);
    if (scan.block() > k_first_frame) {
      if (scan.header().kind != FrameKind::round) damaged(segment, scan.block(), "an opening is not at its beginning");
      if (read.before != found_.reach || scan.header().block_before != found_.last_frame) {
        damaged(segment, scan.block(), told_of_gap(found_.reach, read.before, scan.header().round));
      }
    }
    keep_notes(read.notes);
    found_.reach = read.after;
    found_.last_frame = scan.block();
    found_.end_block = scan.block() + scan.header().blocks();
  }
}

// One write was under way at most: of the next round, behind the last frame, or of the next segment's opening.
void Recovery::find_torn() {
  for (std::size_t i = found_.last; i < found_.segments.size(); ++i) look_behind(i, i == found_.last ? found_.end_block : k_first_frame);
}

void Recovery::look_behind(std::size_t index, std::uint32_t block) {
  const Segment& segment = found_.segments[index];
  FrameScan scan(*segment.file, segment.header, block, segment.blocks(), From::disk);
  std::uint32_t end = block;
  for (Found found = scan.next(); found != Found::end; found = scan.next()) {
    if (found == Found::frame) {
      decoded(segment, scan);
      damaged(segment, block,
              "what follows round " + std::to_string(found_.reach.round) + " is not what was written, and round " +
                  std::to_string(scan.header().round) + " is whole behind it, at byte " + std::to_string(scan.offset()) + " of " +
                  segment.name());
    }
    if (scan.block() == block) end = end_of_torn(index, scan);
    if (found == Found::bad) {
      check_torn(index, block, end, scan);
      const bool continues = !found_.torn.empty() && found_.torn.back().block + found_.torn.back().blocks == scan.block();
      if (continues) ++found_.torn.back().blocks;
      else found_.torn.push_back({.segment = index, .block = scan.block(), .blocks = 1});
    }
    scan.skip_block();
  }
}

// How far the write that was under way can have reached. `scan` is at its first block. A sector of 512 bytes arrives whole or not at all,
// so the header is as it was written, or missing: then the length is unknown.
std::uint32_t Recovery::end_of_torn(std::size_t index, const FrameScan& scan) {
  const Segment& segment = found_.segments[index];
  const bool is_round = index == found_.last;
  if (index > found_.last + 1) return scan.block();   // a write would have begun in the segment before
  if (!scan.claimed()) return is_round ? segment.blocks() : std::min(segment.blocks(), scan.block() + k_opening_blocks_max);
  const FrameHeader& header = *scan.claimed();
  const bool follows = header.kind == (is_round ? FrameKind::round : FrameKind::opening) && header.before == found_.reach.head &&
                       header.round == found_.reach.round + (is_round ? 1 : 0) && header.block_before == found_.last_frame;
  if (!follows) {
    damaged(segment, scan.block(),
            "it is not what was written, and its header, of round " + std::to_string(header.round) + ", does not follow on round " +
                std::to_string(found_.reach.round));
  }
  return scan.block() + header.blocks();
}

// A block that is not zeros, where a write from `first` to `end` may have been torn. Can it be a part of that write?
void Recovery::check_torn(std::size_t index, std::uint32_t first, std::uint32_t end, const FrameScan& scan) {
  const Segment& segment = found_.segments[index];
  if (!found_.torn.empty() && found_.torn.back().segment != index) {
    damaged(segment, scan.block(),
            "it is not zeros, and neither is byte " + std::to_string(std::uint64_t{found_.torn.back().block} * k_block) + " of " +
                found_.segments[found_.torn.back().segment].name() + ". Only one write can have been under way");
  }
  if (scan.block() == first && first < end) return;
  // A later round begins only after the one before is on disk. All of the header must fit: a client's bytes may look like a part of one.
  if (const auto& header = scan.claimed(); header && header->kind == FrameKind::round && header->block_before >= first &&
                                           header->block_before < scan.block() && header->before.position >= found_.reach.head.position &&
                                           header->round > found_.reach.round + (index == found_.last ? 1 : 0) &&
                                           header->round - found_.reach.round <= scan.block() - first + 1) {
    damaged(segment, first,
            "what follows round " + std::to_string(found_.reach.round) + " is not what was written, and round " +
                std::to_string(header->round) + " begins behind it, at byte " + std::to_string(scan.offset()));
  }
  if (scan.block() >= end) {
    damaged(segment, scan.block(),
            "it is not zeros, and the write behind round " + std::to_string(found_.reach.round) + " did not reach there");
  }
}

void Recovery::check_marker() {
  const Reach& known = marker_.reach();
  if (known.round > found_.reach.round) {
    damaged(found_.segments[found_.last], found_.end_block,
            "the journal ends at row " + std::to_string(found_.reach.head.position) + " (round " + std::to_string(found_.reach.round) +
                "), and the file reach knows that row " + std::to_string(known.head.position) + " (round " + std::to_string(known.round) +
                ") was on disk");
  }
  const std::optional<Reach> found = reach_at(known.round);
  if (found && *found != known) {
    damaged(ReachMarker::k_name, "it and the segments are not a pair: round " + std::to_string(known.round) + " is another one");
  }
  if (marker_.state() == ReachMarker::State::stopped && (found_.reach != known || !found_.torn.empty())) {
    damaged(found_.segments[found_.torn.empty() ? found_.last : found_.torn[0].segment],
            found_.torn.empty() ? found_.last_frame : found_.torn[0].block,
            "the file reach knows that the writer stopped cleanly after round " + std::to_string(known.round) + ", and more was written");
  }
}

// How far the journal reached with a round; nothing if the round is before the first segment.
std::optional<Reach> Recovery::reach_at(std::uint64_t round) {
  std::size_t index = found_.last + 1;
  while (index > 0 && found_.segments[index - 1].before->round > round) --index;
  if (index == 0) return std::nullopt;
  const Segment& segment = found_.segments[--index];
  FrameScan scan(*segment.file, segment.header, k_first_frame, index == found_.last ? found_.end_block : segment.blocks(), From::disk);
  while (scan.next() == Found::frame) {
    const RoundRead read = decoded(segment, scan);
    if (read.after.round == round) return read.after;
  }
  damaged(segment, scan.block(), "round " + std::to_string(round) + " is missing");
}

RoundRead Recovery::decoded(const Segment& segment, const FrameScan& scan) {
  auto read = decode_frame(scan.header(), scan.bytes());
  if (!read) refuse(disk_, segment.name(), scan.offset(), scan.header(), read.error());
  return std::move(*read);
}

void Recovery::keep_notes(const Notes& notes) {
  const auto before = first_kept_in(found_.notes);
  put_in_force(notes, found_.notes);
  if (const auto after = first_kept_in(found_.notes); before && after && *after < *before) {
    damaged(found_.segments[found_.last].name(), "its note of the first segment that is kept goes back");
  }
  if (found_.notes.size() > k_notes_max) {
    damaged(found_.segments[found_.last].name(), "it has more than " + std::to_string(k_notes_max) + " notes in force");
  }
}

// Zeroes torn blocks durably. If that fails, the cache may show zeros that the disk does not have, and the next start may see the cache
// only. It must find the torn bytes again: they are put back into the cache.
void zero(DiskFile& file, std::uint64_t offset, std::size_t bytes) {
  std::string torn(bytes, '\0');
  file.read(offset, torn, From::disk);
  try {
    file.write_durably(offset, std::string(bytes, '\0'));
  } catch (const DiskError&) {
    try {
      file.write(offset, torn);
    } catch (const DiskError&) {}   // the first failure is the one to be told
    throw;
  }
}

}   // namespace

Recovered recover(Disk& disk, const ReachMarker& marker, Disk::Mode mode) { return Recovery(disk, marker, mode).run(); }

void mend(Recovered& recovered) {
  for (const Torn& torn : recovered.torn) {
    zero(*recovered.segments[torn.segment].file, std::uint64_t{torn.block} * k_block, std::size_t{torn.blocks} * k_block);
  }
  recovered.torn.clear();
  // The last frame may be in the page cache only, marked clean by a failed sync, and no file system tells whether reading has passed the
  // cache. Rewritten, the frame is dirty, and the sync brings it to the disk.
  Segment& last = recovered.segments[recovered.last];
  std::string frame(std::size_t{recovered.end_block - recovered.last_frame} * k_block, '\0');
  const std::uint64_t offset = std::uint64_t{recovered.last_frame} * k_block;
  last.file->read(offset, frame, From::disk);
  last.file->write_durably(offset, frame);
}

}   // namespace holdfast::segments
