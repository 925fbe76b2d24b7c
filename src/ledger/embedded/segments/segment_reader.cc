#include "ledger/embedded/segments/segment_reader.h"

#include <algorithm>
#include <cerrno>
#include <iterator>

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
  for (--index; index < segments.size() && !reading.is_done; ++index) read_kept(snapshot, index, reading);
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

bool SegmentReader::last_row_of(std::uint64_t number, const Visit& visit) const {
  const Catalog::Snapshot snapshot = catalog_.snapshot();
  const auto segment = std::ranges::find(snapshot.segments, number, [](const Segment& each) { return each.header.number; });
  if (segment == snapshot.segments.end()) return false;
  const Position last = (std::next(segment) == snapshot.segments.end() ? snapshot.reach : *std::next(segment)->before).head.position;
  if (last == segment->before->head.position) return false;
  bool is_visited = false;
  read(last, [&](const JournalRow& row) {
    is_visited = true;
    visit(row);
    return false;
  });
  return is_visited;   // retention may have been faster
}

void SegmentReader::rows_at(std::span<const Position> positions, const Visit& visit) const {
  for (std::size_t next = 0; next < positions.size();) {
    const Position first = positions[next];
    const auto visit_if_asked = [&](const JournalRow& row) {
      if (row.position == positions[next]) {
        next = visit(row) ? next + 1 : positions.size();
      }
      return next < positions.size() && positions[next] <= row.position + k_read_on;
    };
    read(first, visit_if_asked);
    if (next < positions.size() && positions[next] == first) ++next;   // it is not there
  }
}

void SegmentReader::read_kept(const Catalog::Snapshot& snapshot, std::size_t index, Reading& reading) const {
  const Segment& segment = snapshot.segments[index];
  const bool is_last = index + 1 == snapshot.segments.size();
  const Reach& end = is_last ? snapshot.reach : *snapshot.segments[index + 1].before;
  try {
    read_segment(segment, is_last ? snapshot.end_block : segment.blocks(), end, reading);
  } catch (const DiskError& error) {
    if (error.code() != ENOENT || reading.is_visiting || !catalog_.may_be_gone(segment.header.number)) throw;
    const Position next = std::max(oldest(), end.head.position + 1);
    throw RowsGone(disk_.path_of(segment.name()) + " was removed while it was read: rows before " + std::to_string(next) + " are gone.",
                   next);
  }
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
std::string SegmentReader::read_frame(const Segment& segment, const FrameScan& scan, Reading& reading) const {
  const auto read = decode_frame(scan.header(), scan.bytes());
  if (!read && read.error().is_later) refuse(disk_, segment.name(), scan.offset(), scan.header(), read.error());
  if (!read) return "round " + std::to_string(scan.header().round) + " is whole, and " + read.error().what;
  if (reading.at && *reading.at != read->before) {
    return "round " + std::to_string(scan.header().round) + " does not follow on round " + std::to_string(reading.at->round);
  }
  if (!read->rows.empty()) segment.index->add(read->before.head.position, scan.block());
  reading.at = read->after;
  for (const JournalRow& row : read->rows) {
    if (row.position < reading.first) continue;
    reading.is_visiting = true;
    reading.is_done = !reading.visit(row);
    reading.is_visiting = false;
    if (reading.is_done) break;
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
