// Reads the rows of a journal of segments, beside its writer, up to the last durable round and never beyond.
//
//   SegmentReader reader(disk, catalog);
//   reader.read(1'000, [&](const JournalRow& row) { use(row); return true; });   // rows 1,000, 1,001, …
//
// Each frame is checked: its checksum, its place, and the chain of its rows' hashes. Any thread; several readings at once.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "ledger/embedded/segments/catalog.h"
#include "ledger/embedded/segments/damage.h"
#include "ledger/embedded/segments/disk.h"
#include "ledger/embedded/segments/frame_scan.h"
#include "ledger/embedded/segments/round.h"

namespace holdfast::segments {

class SegmentReader {
 public:
  using Visit = std::function<bool(const JournalRow&)>;   // false: stop. The row's body is valid until it returns

  // Both must outlive the reader.
  SegmentReader(const Disk& disk, const Catalog& catalog) : disk_(disk), catalog_(catalog) {}

  // The position of the first row that is kept; one after the last row if none is.
  Position oldest() const;
  // Visits each row from position `first` on, in order. Finds the first one by an index in memory: reads at most k_apart blocks before it,
  // or, the first time after a start, its segment from the beginning. False if `first` is before oldest(): retention has removed it. Throws
  // DiskError; SegmentDamage, after it has visited the rows before the damage. Reading can then go on with SegmentDamage::next.
  bool read(Position first, const Visit& visit) const;
  // The hash of the row at `position`, which may also be oldest() - 1; nothing if the journal does not have it. Throws as read() does.
  std::optional<ChainHash> hash_at(Position position) const;

 private:
  // Where one reading is.
  struct Reading {
    Position first = 0;
    const Visit& visit;
    std::optional<Reach> at{};   // behind the last frame; nothing: no frame was read yet
    bool is_done = false;
  };

  void read_segment(const Segment& segment, std::uint32_t end_block, const Reach& end, Reading& reading) const;
  static std::string read_frame(const Segment& segment, const FrameScan& scan, Reading& reading);
  FrameScan::Found pass_damage(const Segment& segment, FrameScan& scan, const Reach& end, Reading& reading, const std::string& what) const;

  const Disk& disk_;
  const Catalog& catalog_;
};

}   // namespace holdfast::segments
