#include "ledger/embedded/segments/recovery.h"

#include <algorithm>
#include <optional>
#include <string>

#include "core/codec.h"
#include "ledger/embedded/segments/frame_scan.h"

namespace holdfast::segments {
namespace {

using Found = FrameScan::Found;
using From = DiskFile::From;

class Recovery {
 public:
  Recovery(Disk& disk, const ReachMarker& marker, Disk::Mode mode) : disk_(disk), marker_(marker), mode_(mode) {}

  Recovered run() {
    find_segments();
    find_last();
    for (std::size_t i = 0; i < found_.last; ++i) check_end(i);
    read_last();
    for (std::size_t i = found_.last; i < found_.segments.size(); ++i) look_behind(i, i == found_.last ? found_.end_block : k_first_frame);
    check_first_kept();
    check_marker();
    return std::move(found_);
  }

 private:
  // The first frame of a segment, which says where the journal stood; nothing if it is not whole.
  struct Opening {
    RoundRead read;
    std::uint32_t last_frame_before = 0;   // in the segment before
  };

  void find_segments();
  Segment open_segment(std::uint64_t number);
  std::optional<Opening> opening_of(const Segment& segment);
  void find_last();
  void check_end(std::size_t index);
  void read_last();
  void look_behind(std::size_t index, std::uint32_t block);
  void check_first_kept();
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
  Recovered found_;
  std::vector<std::optional<Opening>> openings_;   // one a segment
};

void Recovery::find_segments() {
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : disk_.list()) {
    if (const auto number = number_of_segment(name)) numbers.push_back(*number);
  }
  std::ranges::sort(numbers);
  if (numbers.empty()) damaged("", "it has no segment, and the file reach knows that there was one");
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] != numbers[0] + i) damaged(name_of_segment(numbers[0] + i), "it is missing, and there is a later one");
    found_.segments.push_back(open_segment(numbers[i]));
    openings_.push_back(opening_of(found_.segments.back()));
  }
}

Segment Recovery::open_segment(std::uint64_t number) {
  const std::string name = name_of_segment(number);
  Segment segment{.header = {}, .file = disk_.open(name, mode_)};
  const std::uint64_t size = segment.file->size();
  if (size < k_block) damaged(name, "it is cut off after " + std::to_string(size) + " bytes, in its header");
  std::string block(k_block, '\0');
  segment.file->read(0, block, From::disk);
  const auto header = decode_segment_header(block);
  if (!header) damaged(name, header.error());
  if (size != header->bytes) {
    damaged(name, "it has " + std::to_string(size) + " bytes, and its header says " + std::to_string(header->bytes));
  }
  if (header->number != number) damaged(name, "it is segment " + std::to_string(header->number) + " under another name");
  if (header->journal != marker_.journal()) damaged(name, "it is of another journal");
  if (!found_.segments.empty() && header->bytes != found_.segments[0].header.bytes) damaged(name, "its size is not that of the others");
  segment.header = *header;
  return segment;
}

std::optional<Recovery::Opening> Recovery::opening_of(const Segment& segment) {
  FrameScan scan(*segment.file, segment.header, k_first_frame, segment.blocks(), From::disk);
  if (scan.next() != Found::frame) return std::nullopt;
  RoundRead read = decoded(segment, scan);
  if (scan.header().kind != FrameKind::opening) damaged(segment, k_first_frame, "its first frame is not an opening");
  return Opening{std::move(read), scan.header().block_before};
}

void Recovery::find_last() {
  const auto last = std::ranges::find_if(openings_.rbegin(), openings_.rend(), [](const auto& opening) { return opening.has_value(); });
  if (last == openings_.rend()) damaged(found_.segments.back(), k_first_frame, "its first frame is not what was written");
  found_.last = static_cast<std::size_t>(openings_.rend() - last) - 1;
  for (std::size_t i = 0; i <= found_.last; ++i) {
    if (!openings_[i])
      damaged(found_.segments[i], k_first_frame, "its first frame is not what was written, and the next segment is in use");
    found_.segments[i].before = openings_[i]->read.before;
  }
}

// A segment before the last: does it end where the next one says? If not, it may be from an older backup.
void Recovery::check_end(std::size_t index) {
  const Segment& segment = found_.segments[index];
  const Opening& next = *openings_[index + 1];
  FrameScan scan(*segment.file, segment.header, next.last_frame_before, segment.blocks(), From::disk);
  if (next.last_frame_before < k_first_frame || scan.next() != Found::frame) {
    damaged(segment, next.last_frame_before,
            "its last frame, with round " + std::to_string(next.read.before.round) + ", is not what was written, or missing");
  }
  if (decoded(segment, scan).after != next.read.before) {
    damaged(segment, next.last_frame_before,
            "it does not end with round " + std::to_string(next.read.before.round) +
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
        damaged(segment, scan.block(),
                "round " + std::to_string(scan.header().round) + " does not follow on round " + std::to_string(found_.reach.round));
      }
    }
    keep_notes(read.notes);
    found_.reach = read.after;
    found_.last_frame = scan.block();
    found_.end_block = scan.block() + scan.header().blocks();
  }
}

// Behind the last frame there may be one torn write, and nothing that is whole.
void Recovery::look_behind(std::size_t index, std::uint32_t block) {
  const Segment& segment = found_.segments[index];
  FrameScan scan(*segment.file, segment.header, block, segment.blocks(), From::disk);
  for (Found found = scan.next(); found != Found::end; found = scan.next()) {
    if (found == Found::frame) {
      damaged(segment, block,
              "what follows round " + std::to_string(found_.reach.round) + " is not what was written, and round " +
                  std::to_string(scan.header().round) + " is whole behind it, at byte " + std::to_string(scan.offset()) + " of " +
                  segment.name());
    }
    if (found == Found::bad) {
      const bool continues = !found_.torn.empty() && found_.torn.back().segment == index &&
                             found_.torn.back().block + found_.torn.back().blocks == scan.block();
      if (continues) ++found_.torn.back().blocks;
      else found_.torn.push_back({.segment = index, .block = scan.block(), .blocks = 1});
    }
    scan.skip_block();
  }
}

void Recovery::check_first_kept() {
  if (const auto note = found_.notes.find(k_note_first_kept); note != found_.notes.end()) {
    Reader reader(note->second);
    found_.first_kept = reader.varint();
    if (reader.failed()) damaged(found_.segments[found_.last].name(), "its note of the first segment that is kept cannot be read");
  }
  if (found_.segments[0].header.number > found_.first_kept) damaged(name_of_segment(found_.first_kept), "it is missing");
}

void Recovery::check_marker() {
  const Reach& known = marker_.reach();
  if (const std::uint64_t used = marker_.segment(); used > found_.segments[found_.last].header.number) {
    if (used > found_.segments.back().header.number) {
      damaged(name_of_segment(used), "it is missing, and the file reach knows that it was in use");
    }
    const Segment& segment = found_.segments[static_cast<std::size_t>(used - found_.segments[0].header.number)];
    damaged(segment, k_first_frame, "its first frame is not what was written, and the file reach knows that the segment was in use");
  }
  if (known.round > found_.reach.round) {
    damaged(found_.segments[found_.last], found_.end_block,
            "the journal ends with round " + std::to_string(found_.reach.round) + " (row " + std::to_string(found_.reach.head.position) +
                "), and the file reach knows that round " + std::to_string(known.round) + " (row " + std::to_string(known.head.position) +
                ") was on disk");
  }
  const std::optional<Reach> found = reach_at(known.round);
  if (found && *found != known) {
    damaged(ReachMarker::k_name, "it and the segments are not a pair: round " + std::to_string(known.round) + " is another one");
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
  if (!read) damaged(segment, scan.block(), "round " + std::to_string(scan.header().round) + " is whole, and " + read.error());
  return std::move(*read);
}

void Recovery::keep_notes(const Notes& notes) {
  for (const auto& [kind, text] : notes) {
    if (text.empty()) found_.notes.erase(kind);
    else found_.notes[kind] = text;
  }
}

}  // namespace

Recovered recover(Disk& disk, const ReachMarker& marker, Disk::Mode mode) { return Recovery(disk, marker, mode).run(); }

void mend(Recovered& recovered) {
  for (const Torn& torn : recovered.torn) {
    DiskFile& file = *recovered.segments[torn.segment].file;
    file.write_durably(std::uint64_t{torn.block} * k_block, std::string(std::size_t{torn.blocks} * k_block, '\0'));
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
