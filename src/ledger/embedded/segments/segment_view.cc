#include "ledger/embedded/segments/segment_view.h"

#include <algorithm>
#include <cerrno>

#include "ledger/embedded/segments/frame_scan.h"
#include "ledger/embedded/segments/retention.h"

namespace holdfast::segments {
namespace {

using From = DiskFile::From;

// Each further try: the writer has begun or removed a segment between the listing and the opening.
constexpr int k_tries_max = 10;

}  // namespace

SegmentView::SegmentView(Disk& disk) : disk_(disk) { refresh(); }

void SegmentView::refresh() {
  for (int tries = 1;; ++tries) {
    try {
      if (try_refresh()) return;
    } catch (const DiskError& error) {
      if (error.code() != ENOENT || tries == k_tries_max) throw;
    }
    if (tries == k_tries_max) {
      damaged(ReachMarker::k_name, "it says that a segment is in use which is not in the folder");
    }
  }
}

// The marker is read after the listing. So it knows whatever was given up before the listing, and what is missing there is damage.
bool SegmentView::try_refresh() {
  const std::vector<std::uint64_t> numbers = numbers_of_segments(disk_);
  const ReachMarker marker(disk_, Disk::Mode::read);
  check_same(marker);
  if (numbers.empty() || numbers.back() < marker.segment()) return false;   // begun after the listing
  const Catalog::Snapshot shown = catalog_.snapshot();
  const bool is_same_segment = journal_ && shown.segments.back().header.number == marker.segment();
  End end = is_same_segment ? End{.segment = shown.segments.back(),
                                  .reach = shown.reach,
                                  .last_frame = last_frame_,
                                  .end_block = shown.end_block,
                                  .notes = notes_}
                            : begin(marker);
  read_published(marker, end);
  catalog_.show(kept(numbers, marker, end), end.reach, end.end_block);
  journal_ = marker.journal();
  notes_ = std::move(end.notes);
  last_frame_ = end.last_frame;
  return true;
}

void SegmentView::check_same(const ReachMarker& marker) const {
  if (marker.state() == ReachMarker::State::creating) {
    throw JournalNotReady("the journal in " + disk_.path_of("") + " is being created and has no rows yet. Try again in a moment.");
  }
  if (!journal_) return;
  const Reach shown = catalog_.reach();
  if (marker.journal() != *journal_ || marker.reach().round < shown.round) {
    damaged(ReachMarker::k_name, "it knew round " + std::to_string(shown.round) + " and now knows round " +
                                     std::to_string(marker.reach().round) + (marker.journal() == *journal_ ? "" : " of another journal") +
                                     ". Were the files replaced while they were read?");
  }
}

std::pair<Segment, Opening> SegmentView::open_in_use(std::uint64_t number, const JournalId& journal) const {
  Segment segment = open_segment(disk_, number, journal, Disk::Mode::read, From::cache);
  auto opening = read_opening(disk_, segment, From::cache);
  if (!opening) damaged(segment, k_first_frame, "its first frame is not what was written, and the segment is in use");
  segment.before = opening->before;
  return {std::move(segment), std::move(*opening)};
}

// The segment in use, with its opening only.
SegmentView::End SegmentView::begin(const ReachMarker& marker) const {
  auto [segment, opening] = open_in_use(marker.segment(), marker.journal());
  return {.segment = std::move(segment),
          .reach = opening.before,
          .last_frame = k_first_frame,
          .end_block = opening.end_block,
          .notes = std::move(opening.notes)};
}

void SegmentView::read_published(const ReachMarker& marker, End& end) const {
  FrameScan scan(*end.segment.file, end.segment.header, end.end_block, end.segment.blocks(), From::cache);
  while (end.reach.round < marker.reach().round) {
    if (scan.next() != FrameScan::Found::frame) {
      damaged(end.segment, scan.block(), "round " + std::to_string(end.reach.round + 1) + " was published, and is not what was written");
    }
    auto read = decode_frame(scan.header(), scan.bytes());
    if (!read) refuse(disk_, end.segment.name(), scan.offset(), scan.header(), read.error());
    if (scan.header().kind != FrameKind::round || read->before != end.reach || scan.header().block_before != end.last_frame) {
      damaged(end.segment, scan.block(), told_of_gap(end.reach, read->before, scan.header().round));
    }
    if (!read->rows.empty()) end.segment.index->add(end.reach.head.position, scan.block());
    put_in_force(read->notes, end.notes);
    end.reach = read->after;
    end.last_frame = scan.block();
    end.end_block = scan.block() + scan.header().blocks();
  }
  if (end.reach != marker.reach()) {
    damaged(ReachMarker::k_name, "it and the segments are not a pair: round " + std::to_string(marker.reach().round) +
                                     " is another one in " + end.segment.name());
  }
}

// The segments that are kept, with those that are shown already as they are.
std::vector<Segment> SegmentView::kept(const std::vector<std::uint64_t>& numbers, const ReachMarker& marker, const End& end) const {
  const std::uint64_t last = end.segment.header.number;
  const auto first = first_kept_in(end.notes);
  if (!first || *first > last) damaged(end.segment.name(), "its note of the first segment that is kept makes no sense");
  const SegmentList shown = catalog_.snapshot().segments;
  const std::uint64_t first_shown = shown.size() == 0 ? last : shown.front().header.number;
  std::vector<Segment> segments;
  for (std::uint64_t number = *first; number < last; ++number) {
    if (!std::ranges::binary_search(numbers, number)) damaged(name_of_segment(number), "it is missing, and there is a later one");
    const bool is_shown = number >= first_shown && number - first_shown < shown.size();
    segments.push_back(is_shown ? shown[number - first_shown] : open_in_use(number, marker.journal()).first);
  }
  segments.push_back(end.segment);
  return segments;
}

void SegmentView::damaged(const std::string& name, const std::string& what) const {
  throw SegmentDamage(told_of_damage(disk_, name, what));
}

void SegmentView::damaged(const Segment& segment, std::uint32_t block, const std::string& what) const {
  throw SegmentDamage(told_of_damage(disk_, segment.name(), std::uint64_t{block} * k_block, what));
}

}  // namespace holdfast::segments
