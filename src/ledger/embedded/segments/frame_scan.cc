#include "ledger/embedded/segments/frame_scan.h"

#include <algorithm>

namespace holdfast::segments {
namespace {

constexpr std::uint32_t k_blocks_at_once = 64;

}  // namespace

FrameScan::FrameScan(DiskFile& file, const SegmentHeader& segment, std::uint32_t block, std::uint32_t end_block, DiskFile::From from)
    : file_(file), segment_(segment), end_block_(end_block), from_(from), block_(block) {}

FrameScan::Found FrameScan::next() {
  if (!frame_.empty()) {
    block_ += header_.blocks();
    frame_ = {};
  }
  if (block_ >= end_block_) return Found::end;
  const std::string_view first = view(block_, 1);
  const std::uint64_t bytes_left = std::uint64_t{end_block_ - block_} * k_block;
  claimed_ = read_frame_header(first, block_, bytes_left);
  if (claimed_) {
    const std::string_view frame = view(block_, claimed_->blocks()).substr(0, claimed_->length);
    if (is_whole(frame, segment_.salt)) {
      header_ = *claimed_;
      frame_ = frame;
      return Found::frame;
    }
    return Found::bad;
  }
  return std::ranges::all_of(first, [](char byte) { return byte == 0; }) ? Found::blank : Found::bad;
}

void FrameScan::skip_block() {
  ++block_;
  frame_ = {};
}

// The blocks' bytes; valid until the next call.
std::string_view FrameScan::view(std::uint32_t block, std::uint32_t count) {
  const auto in_window = static_cast<std::uint32_t>(window_.size() / k_block);
  if (block < window_block_ || block + count > window_block_ + in_window) {
    const std::uint32_t blocks = std::max(count, std::min(k_blocks_at_once, end_block_ - block));
    window_.resize(std::size_t{blocks} * k_block);
    window_block_ = block;
    file_.read(std::uint64_t{block} * k_block, window_, from_);
  }
  return std::string_view(window_).substr(std::size_t{block - window_block_} * k_block, std::size_t{count} * k_block);
}

}  // namespace holdfast::segments
