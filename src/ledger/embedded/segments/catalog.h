// The segments of a journal that is open, shared by its writer, its readers and the thread that prepares segments.
//
// Readers take a snapshot, which has everything up to the last durable round and nothing beyond. Files stay open as long as somebody holds
// them: a removed segment can still be read by a reading that has begun. Any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
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

// Segments by rising number. They are shared and do not change: a copy costs no more than a pointer's. Any thread.
class SegmentList {
 public:
  explicit SegmentList(std::vector<Segment> segments = {}) : segments_(std::make_shared<const std::vector<Segment>>(std::move(segments))) {}
  std::size_t size() const { return segments_->size(); }
  const Segment& operator[](std::size_t index) const { return (*segments_)[index]; }
  const Segment& front() const { return segments_->front(); }
  const Segment& back() const { return segments_->back(); }
  auto begin() const { return segments_->begin(); }
  auto end() const { return segments_->end(); }

 private:
  std::shared_ptr<const std::vector<Segment>> segments_;
};

class Catalog {
 public:
  struct Snapshot {
    SegmentList segments;   // in use
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
  // Of the smallest prepared segment; nothing: there is none.
  std::optional<std::uint64_t> prepared_bytes_min() const;
  std::uint64_t last_number() const;   // prepared ones included; 0: there is none
  void publish(const Reach& reach, std::uint32_t end_block);
  // For a view: what is in use now, one segment at least, in place of what was. Readers see all of it or nothing.
  void show(std::vector<Segment> in_use, const Reach& reach, std::uint32_t end_block);
  // A file that an interrupted removal has left, of a segment before those in use.
  void add_left_over(std::uint64_t number);
  // Removes what is left over, and the segments in use before `number`, the oldest first, but never the last one: forgets each after
  // `remove_file` has removed its file durably. If that throws, the segment and those behind it stay. One removes at a time.
  void remove_before(std::uint64_t number, const std::function<void(std::uint64_t number)>& remove_file);
  // Whether the file of this segment, which is or was in use, may be gone: its removal has begun, or another process may remove it.
  bool may_be_gone(std::uint64_t number) const;
  // The files that must be there: of all segments, prepared ones included, except those that may be gone.
  std::vector<std::uint64_t> numbers_that_stay() const;

 private:
  const Segment* last() const;
  SegmentList with(Segment segment) const;
  void note_gone_before(std::uint64_t number);
  std::optional<std::uint64_t> first_left_over() const;

  std::mutex removing_;   // taken before mutex_
  mutable std::mutex mutex_;   // never held during a call to the disk
  SegmentList in_use_;
  std::deque<Segment> prepared_;
  std::deque<std::uint64_t> left_over_;   // rising
  Reach reach_;
  std::uint32_t end_block_ = 0;
  std::uint64_t gone_before_ = 1;   // may_be_gone()
};

}   // namespace holdfast::segments
