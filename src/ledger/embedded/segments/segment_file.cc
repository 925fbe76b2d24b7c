#include "ledger/embedded/segments/segment_file.h"

#include <algorithm>
#include <string>

#include "ledger/embedded/segments/damage.h"
#include "ledger/embedded/segments/frame_scan.h"

namespace holdfast::segments {

std::vector<std::uint64_t> numbers_of_segments(Disk& disk) {
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : disk.list()) {
    if (const auto number = number_of_segment(name)) numbers.push_back(*number);
  }
  std::ranges::sort(numbers);
  return numbers;
}

Segment open_segment(Disk& disk, std::uint64_t number, const JournalId& journal, Disk::Mode mode, DiskFile::From from) {
  const std::string name = name_of_segment(number);
  const auto damaged = [&](const std::string& what) { throw SegmentDamage(told_of_damage(disk, name, what)); };
  Segment segment{.header = {}, .file = disk.open(name, mode)};
  const std::uint64_t size = segment.file->size();
  if (size < k_block) damaged("it is cut off after " + std::to_string(size) + " bytes, in its header");
  std::string block(k_block, '\0');
  segment.file->read(0, block, from);
  const auto header = decode_segment_header(block);
  if (!header) refuse(disk, name, header.error());
  if (size != header->bytes) damaged("it has " + std::to_string(size) + " bytes, and its header says " + std::to_string(header->bytes));
  if (header->number != number) damaged("it is segment " + std::to_string(header->number) + " under another name");
  if (header->journal != journal) damaged("it is of another journal");
  segment.header = *header;
  return segment;
}

std::optional<Opening> read_opening(const Disk& disk, const Segment& segment, DiskFile::From from) {
  FrameScan scan(*segment.file, segment.header, k_first_frame, segment.blocks(), from);
  if (scan.next() != FrameScan::Found::frame) return std::nullopt;
  const std::uint64_t offset = scan.offset();
  const auto damaged = [&](const std::string& what) { throw SegmentDamage(told_of_damage(disk, segment.name(), offset, what)); };
  auto read = decode_frame(scan.header(), scan.bytes());
  if (!read) refuse(disk, segment.name(), offset, scan.header(), read.error());
  if (scan.header().kind != FrameKind::opening) damaged("its first frame is not an opening");
  return Opening{.before = read->before,
                 .notes = std::move(read->notes),
                 .last_frame_before = scan.header().block_before,
                 .end_block = k_first_frame + scan.header().blocks()};
}

}  // namespace holdfast::segments
