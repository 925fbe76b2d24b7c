// Reads the rows of a journal of segments, beside its writer, up to the last durable round and never beyond.
//
//   SegmentReader reader(disk, catalog);
//   reader.read(1'000, [&](const JournalRow& row) { use(row); return true; });   // rows 1,000, 1,001, …
//
// Each frame is checked: its checksum, its place, and the chain of its rows' hashes. Any thread; several readings at once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "ledger/embedded/segments/catalog.h"
#include "ledger/embedded/segments/damage.h"
#include "ledger/embedded/segments/disk.h"
#include "ledger/embedded/segments/frame_scan.h"
#include "ledger/embedded/segments/round.h"

namespace holdfast::segments {

// Retention has removed rows while they were read, and their file was not open. what() names the file. Reading can go on with `next`; rows
// from there on may be gone too by then. A view shows what is left after a refresh.
class RowsGone : public DataError {
 public:
  RowsGone(const std::string& what, Position next_kept) : DataError(what), next(next_kept) {}
  Position next = 0;
};

class SegmentReader {
 public:
  using Visit = std::function<bool(const JournalRow&)>;   // false: stop. The row's body is valid until it returns

  // Both must outlive the reader.
  SegmentReader(const Disk& disk, const Catalog& catalog) : disk_(disk), catalog_(catalog) {}

  // The position of the first row that is kept; one after the last row if none is.
  Position oldest() const;
  // Visits each row from position `first` on, in order. Finds the first one by an index in memory: reads at most k_apart blocks before it,
  // or, the first time after a start, its segment from the beginning. False if `first` is before oldest(): retention has removed it. Throws
  // DiskError; LaterFormat; SegmentDamage, after it has visited the rows before the damage. Reading can then go on with SegmentDamage::next. Throws
  // RowsGone if retention is faster than the reading, and files are opened on demand (few_open_files.h).
  bool read(Position first, const Visit& visit) const;
  // The hash of the row at `position`, which may also be oldest() - 1; nothing if the journal does not have it. Throws as read() does.
  std::optional<ChainHash> hash_at(Position position) const;
  // Visits the last row in segment `number`. False if the segment has no row, or is not kept. Throws as read() does.
  bool last_row_of(std::uint64_t number, const Visit& visit) const;
  // Visits the rows at `positions`, which rise. Those that are not kept, or not there yet, are left out. Throws as read() does: rows that
  // come behind the damage are then not visited.
  void rows_at(std::span<const Position> positions, const Visit& visit) const;

 private:
  static constexpr Position k_read_on = 64;   // rows that rows_at() passes rather than look for the next one anew

  // Where one reading is.
  struct Reading {
    Position first = 0;
    const Visit& visit;
    std::optional<Reach> at{};   // behind the last frame; nothing: no frame was read yet
    bool is_done = false;
    bool is_visiting = false;   // an error is then the visitor's
  };

  void read_kept(const Catalog::Snapshot& snapshot, std::size_t index, Reading& reading) const;
  void read_segment(const Segment& segment, std::uint32_t end_block, const Reach& end, Reading& reading) const;
  std::string read_frame(const Segment& segment, const FrameScan& scan, Reading& reading) const;
  FrameScan::Found pass_damage(const Segment& segment, FrameScan& scan, const Reach& end, Reading& reading, const std::string& what) const;

  const Disk& disk_;
  const Catalog& catalog_;
};

}   // namespace holdfast::segments
