#include "ledger/embedded/segment_watch.h"

#include <memory>

#include "ledger/embedded/segments/frame_scan.h"

namespace holdfast {
namespace {

using segments::DiskFile;
using segments::FrameScan;
using segments::k_block;
using segments::k_first_frame;

std::string overwritten_at(std::uint64_t offset) { return "was overwritten at byte " + std::to_string(offset); }

// Block 0 does not change once the segment is made.
bool has_header(DiskFile& file, const segments::SegmentHeader& expected) {
  std::string block(k_block, '\0');
  file.read(0, block, DiskFile::From::cache);
  const auto found = segments::decode_segment_header(block);
  return found && found->number == expected.number && found->salt == expected.salt && found->journal == expected.journal;
}

}  // namespace

std::string SegmentWatch::look(std::size_t bytes_max) {
  const segments::Catalog::Snapshot snapshot = catalog_.snapshot();
  if (snapshot.segments.size() == 0) return {};
  const std::uint64_t number = snapshot.segments.back().header.number;
  if (number != number_) block_ = k_first_frame;
  number_ = number;
  const std::string name = segments::name_of_segment(number);
  std::unique_ptr<DiskFile> file;
  try {
    file = disk_.open(name, segments::Disk::Mode::read);
    unwatched_.clear();
  } catch (const segments::DiskError& error) {   // a file that is gone is missed by its name
    unwatched_ = error.what();
    return {};
  }
  std::string what;
  try {
    what = compare(snapshot, *file, bytes_max);
  } catch (const segments::DiskError& error) {
    what = std::string("cannot be read (") + error.what() + "), so it may have been changed";
  }
  return what.empty() ? "" : told_of_damaged_journal(data_, disk_.path_of(name), what);
}

// What the writer has published does not change any more, so nothing is seen here half written.
std::string SegmentWatch::compare(const segments::Catalog::Snapshot& snapshot, DiskFile& file, std::size_t bytes_max) {
  const segments::SegmentHeader& header = snapshot.segments.back().header;
  if (!has_header(file, header)) return "has lost its header";
  if (block_ >= snapshot.end_block) block_ = k_first_frame;
  FrameScan scan(file, header, block_, snapshot.end_block, DiskFile::From::cache);
  for (std::size_t bytes = 0; bytes <= bytes_max;) {
    const FrameScan::Found found = scan.next();
    if (found == FrameScan::Found::end) {
      block_ = k_first_frame;
      return {};
    }
    if (found != FrameScan::Found::frame) return overwritten_at(scan.offset());
    block_ = scan.block() + scan.header().blocks();
    if (block_ == snapshot.end_block && scan.header().round != snapshot.reach.round) return overwritten_at(scan.offset());
    bytes += scan.header().blocks() * k_block;
  }
  return {};
}

}  // namespace holdfast
