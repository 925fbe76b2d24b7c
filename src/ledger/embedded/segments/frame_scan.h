// Reads the frames of one segment, one after the other.
//
//   FrameScan scan(file, header, k_first_frame, end_block, DiskFile::From::cache);
//   while (scan.next() == FrameScan::Found::frame) use(scan.header(), scan.bytes());
//
// Only what begins at a block boundary, has that block's number and the right checksum is a frame. Belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ledger/embedded/segments/disk.h"
#include "ledger/embedded/segments/format.h"

namespace holdfast::segments {

class FrameScan {
 public:
  enum class Found {
    frame,   // header() and bytes(), of whatever kind; the next call looks behind it
    blank,   // the block is all zeros
    bad,     // anything else: a torn or damaged frame, or a block inside one
    end,     // the block is `end_block`
  };

  // Looks from `block` on and not beyond `end_block`. `file` must outlive it.
  FrameScan(DiskFile& file, const SegmentHeader& segment, std::uint32_t block, std::uint32_t end_block, DiskFile::From from);

  // After blank and bad it looks at the same block again, unless skip_block() comes between. Throws DiskError.
  Found next();
  void skip_block();

  // The block that next() has looked at.
  std::uint32_t block() const { return block_; }
  std::uint64_t offset() const { return std::uint64_t{block_} * k_block; }
  const FrameHeader& header() const { return header_; }
  // After Found::bad: the header that the block begins with, if it can be one. Nothing vouches for it.
  const std::optional<FrameHeader>& claimed() const { return claimed_; }
  std::string_view bytes() const { return frame_; }   // without padding; valid until the next call

 private:
  std::string_view view(std::uint32_t block, std::uint32_t count);

  DiskFile& file_;
  const SegmentHeader segment_;
  const std::uint32_t end_block_;
  const DiskFile::From from_;
  std::uint32_t block_;
  FrameHeader header_;
  std::optional<FrameHeader> claimed_;
  std::string_view frame_;   // not empty: next() moves behind it
  std::string window_;       // the blocks from window_block_ on
  std::uint32_t window_block_ = 0;
};

}   // namespace holdfast::segments
