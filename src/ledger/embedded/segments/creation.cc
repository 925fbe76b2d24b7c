// How a journal comes to be: SegmentWriter::exists() and create().
#include <algorithm>
#include <string>

#include "core/check.h"
#include "ledger/embedded/segments/damage.h"
#include "ledger/embedded/segments/frame_scan.h"
#include "ledger/embedded/segments/segment_writer.h"

namespace holdfast::segments {
namespace {

// Whether the file can be what an interrupted creation has left: segment 1, with its opening, a torn one or none, and zeros.
bool is_unfinished(Disk& disk, const std::string& name) {
  if (name != name_of_segment(1)) return false;
  const std::unique_ptr<DiskFile> file = disk.open(name, Disk::Mode::read);
  const std::uint64_t size = file->size();
  std::string block(k_block, '\0');
  if (size < k_block) return false;
  file->read(0, block, DiskFile::From::cache);
  const auto header = decode_segment_header(block);
  if (!header || header->bytes != size) return false;
  FrameScan scan(*file, *header, k_first_frame, static_cast<std::uint32_t>(size / k_block), DiskFile::From::cache);
  if (scan.next() == FrameScan::Found::frame && (scan.header().kind != FrameKind::opening || scan.header().blocks() != 1)) return false;
  for (;;) {
    scan.skip_block();
    const FrameScan::Found found = scan.next();
    if (found == FrameScan::Found::end) return true;
    if (found != FrameScan::Found::blank) return false;
  }
}

// Removes what an interrupted creation has left. A marker from elsewhere may lie beside a journal: nothing that may be of use is removed.
void remove_unfinished(Disk& disk) {
  disk.sync_folder();
  std::vector<std::string> unfinished;
  for (const std::string& name : disk.list()) {
    if (!number_of_segment(name)) continue;
    if (!is_unfinished(disk, name)) {
      throw SegmentDamage(told_of_damage(disk, ReachMarker::k_name,
                                         "it says that the journal is being created, and " + name + " has more than a creation writes"));
    }
    unfinished.push_back(name);
  }
  for (const std::string& name : unfinished) disk.remove(name);
  disk.sync_folder();
}

}  // namespace

bool SegmentWriter::exists(Disk& disk) {
  const std::vector<std::string> names = disk.list();
  if (std::ranges::find(names, ReachMarker::k_name) != names.end()) {
    return ReachMarker(disk, Disk::Mode::read).state() != ReachMarker::State::creating;
  }
  if (std::ranges::any_of(names, [](const std::string& name) { return number_of_segment(name).has_value(); })) {
    throw SegmentDamage(told_of_damage(disk, ReachMarker::k_name, "it is missing, so nobody knows how far the journal reached"));
  }
  return false;
}

// The marker comes first and says that the journal is being created. So segments without a marker are always damage.
void SegmentWriter::create(Disk& disk, const Options& options, const JournalId& journal, const Reach& start) {
  HOLDFAST_CHECK(!exists(disk));
  remove_unfinished(disk);
  ReachMarker::create(disk, journal, start);
  Catalog catalog;
  Supply supply(disk, catalog, journal, options.sizes(), options.draw_salt);
  if (supply.prepare() == Supply::Prepared::not_made) {
    const Supply::Trouble trouble = *supply.trouble();
    if (trouble.is_no_room) throw NoRoom(trouble.what + ". There is no journal yet. Free space and start again.");
    throw SegmentNotMade(trouble.what + ". There is no journal yet. Repair the disk and start again.");
  }
  const Segment first = *catalog.next_prepared();
  Round opening(start);
  first.file->write_durably(std::uint64_t{k_first_frame} * k_block, opening.finish(FrameKind::opening, first.header, k_first_frame, 0));
  ReachMarker marker(disk, Disk::Mode::write);
  marker.note(start, first.header.number);
  marker.sync();
}

}  // namespace holdfast::segments
