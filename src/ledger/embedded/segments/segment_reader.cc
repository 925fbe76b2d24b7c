#include "ledger/embedded/segments/segment_reader.h"

#include <algorithm>

namespace holdfast::segments {
namespace {

using Found = FrameScan::Found;

}  // namespace

Position SegmentReader::oldest() const { return catalog_.snapshot().segments.front().before->head.position + 1; }

bool SegmentReader::read(Position first, const Visit& visit) const {
  const Catalog::Snapshot snapshot = catalog_.snapshot();
  const SegmentList& segments = snapshot.segments;
  // The last segment that begins before the row.
  std::size_t index = segments.size();
  while (index > 0 && segments[index - 1].before->head.position >= first) --index;
  if (index == 0) return false;
  Reading reading{.first = first, .visit = visit};
  for (--index; index < segments.size() && !reading.is_done; ++index) {
    const bool is_last = index + 1 == segments.size();
    read_segment(segments[index], is_last ? snapshot.end_block : segments[index].blocks(),
                 is_last ? snapshot.reach : *segments[index + 1].before, reading);
  }
  return true;
}

std::optional<ChainHash> SegmentReader::hash_at(Position position) const {
  const Catalog::Snapshot snapshot = catalog_.snapshot();
  if (position > snapshot.reach.head.position) return std::nullopt;
  for (const Segment& segment : snapshot.segments) {
    if (segment.before->head.position == position) return segment.before->head.hash;
  }
  std::optional<ChainHash> hash;
  read(position, [&](const JournalRow& row) {
    hash = row.hash;
    return false;
  });
  return hash;
}

// Reads frames until the segment's end, which is at `end`.
void SegmentReader::read_segment(const Segment& segment, std::uint32_t end_block, const Reach& end, Reading& reading) const {
  const std::uint32_t block = segment.index->find(reading.first);
  if (block == k_first_frame) reading.at = segment.before;
  FrameScan scan(*segment.file, segment.header, block, end_block, DiskFile::From::cache);
  Found found = scan.next();
  while (!reading.is_done) {
    if (found != Found::frame && reading.at == end) return;
    const std::string wrong = found == Found::frame ? read_frame(segment, scan, reading) : "what follows is not what was written";
    found = wrong.empty() ? scan.next() : pass_damage(segment, scan, end, reading, wrong);
  }
}

// Visits the frame's rows. Returns what is wrong with it; empty: nothing.
std::string SegmentReader::read_frame(const Segment& segment, const FrameScan& scan, Reading& reading) {
  const auto read = decode_frame(scan.header(), scan.bytes());
  if (!read) return "round " + std::to_string(scan.header().round) + " is whole, and " + read.error();
  if (reading.at && *reading.at != read->before) {
    return "round " + std::to_string(scan.header().round) + " does not follow on round " + std::to_string(reading.at->round);
  }
  if (!read->rows.empty()) segment.index->add(read->before.head.position, scan.block());
  reading.at = read->after;
  for (const JournalRow& row : read->rows) {
    if (row.position < reading.first) continue;
    if (!reading.visit(row)) {
      reading.is_done = true;
      break;
    }
  }
  return {};
}

// Moves on to the next whole frame, or to the end. Throws SegmentDamage if rows are lost that were asked for; those before `first` were
// not.
FrameScan::Found SegmentReader::pass_damage(const Segment& segment, FrameScan& scan, const Reach& end, Reading& reading,
                                            const std::string& what) const {
  const Reach at = reading.at.value_or(*segment.before);
  const std::uint64_t offset = scan.offset();
  Found found = Found::bad;
  do {
    scan.skip_block();
    found = scan.next();
  } while (found == Found::bad || found == Found::blank || (found == Found::frame && scan.header().round <= at.round));
  const Reach next = found == Found::frame ? Reach{scan.header().round - 1, scan.header().before} : end;
  if (next.head.position >= reading.first) {
    SegmentDamage damage(told_of_damage(disk_, segment.name(), offset, what));
    damage.first_lost = std::max(at.head.position + 1, reading.first);
    damage.next = next.head.position + 1;
    throw damage;
  }
  reading.at = next;
  return found;
}

}   // namespace holdfast::segments
