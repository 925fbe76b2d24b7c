// The segments of a journal that is open, shared by its writer, its readers and the thread that prepares segments.
//
// Readers take a snapshot, which has everything up to the last durable round and nothing beyond. Files stay open as long as somebody holds
// them: a removed segment can still be read by a reading that has begun. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "ledger/embedded/segments/disk.h"
#include "ledger/embedded/segments/format.h"

namespace holdfast::segments {

// Where frames begin in a segment, one in k_apart blocks at least, so that a reading does not begin at the segment's start. Any thread.
class SegmentIndex {
 public:
  static constexpr std::uint32_t k_apart = 16;

  // The frame at `block` has rows after position `before`.
  void add(Position before, std::uint32_t block);
  // A frame's block at or before the one with the row at `position`; k_first_frame if none is known.
  std::uint32_t find(Position position) const;

 private:
  mutable std::mutex mutex_;
  std::map<Position, std::uint32_t> blocks_;
};

struct Segment {
  SegmentHeader header;
  std::shared_ptr<DiskFile> file;
  std::shared_ptr<SegmentIndex> index = std::make_shared<SegmentIndex>();
  std::optional<Reach> before{};   // how far the journal reached before it; nothing: it is only prepared

  std::string name() const { return name_of_segment(header.number); }
  std::uint32_t blocks() const { return static_cast<std::uint32_t>(header.bytes / k_block); }
};

class Catalog {
 public:
  struct Snapshot {
    std::vector<Segment> segments;   // in use, by rising number
    Reach reach;                     // published
    std::uint32_t end_block = 0;     // of the last segment: the first block behind the published frames
  };

  Snapshot snapshot() const;
  Reach reach() const;

  // ---- for the writer and its preparation
  void add(Segment segment);   // with the next number
  // The next prepared segment begins.
  Segment begin_next(const Reach& before);
  std::optional<Segment> next_prepared() const;
  std::size_t prepared() const;
  std::uint64_t last_number() const;   // prepared ones included; 0: there is none
  void publish(const Reach& reach, std::uint32_t end_block);
  // Forgets segments before `number`; returns their numbers.
  std::vector<std::uint64_t> remove_before(std::uint64_t number);

 private:
  mutable std::mutex mutex_;
  std::vector<Segment> segments_;
  std::size_t in_use_ = 0;   // the others are prepared
  Reach reach_;
  std::uint32_t end_block_ = 0;
};

}   // namespace holdfast::segments
