// The file `reach`: how far the journal is known to reach, kept outside its segments.
//
// A lost last segment, or a last frame that the disk has damaged, looks like a write that never happened. So the writer notes each durable
// round here, without a sync: the note survives the end of the process. After a power cut it may be older, but it is never ahead of the
// journal. It is synced when a segment begins and on a clean stop.
//
// It also has the number of the segment in use. That is on disk before the first round is written in the segment, so a lost segment file is
// missed even after a power cut.
//
// Two slots are written in turn, each in its own block, with a checksum: a torn write leaves the one before. For one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "ledger/embedded/segments/disk.h"
#include "ledger/embedded/segments/format.h"

namespace holdfast::segments {

class ReachMarker {
 public:
  static constexpr const char* k_name = "reach";
  enum class State : std::uint32_t {
    creating = 0,   // the journal's first segment is being made; there is no round
    in_use = 1,
    stopped = 2,   // the last writer stopped cleanly, with everything on disk
  };

  // Makes the file, for a new journal, in state creating; durable when it returns. Replaces one. Throws DiskError.
  static void create(Disk& disk, const JournalId& journal, const Reach& reach);

  // Opens the file. Throws DiskError; LaterFormat; SegmentDamage if neither slot can be read.
  ReachMarker(Disk& disk, Disk::Mode mode);

  const JournalId& journal() const { return journal_; }
  const Reach& reach() const { return reach_; }
  State state() const { return state_; }
  // The number of the segment in use; 0 in state creating.
  std::uint64_t segment() const { return segment_; }

  // Notes the last durable round and the segment in use, without a sync. Throws DiskError.
  void note(const Reach& reach, std::uint64_t segment, State state = State::in_use);
  void sync() { file_->sync(); }

 private:
  std::unique_ptr<DiskFile> file_;
  JournalId journal_{};
  Reach reach_;
  State state_ = State::creating;
  std::uint64_t segment_ = 0;
  std::uint64_t ordinal_ = 0;   // of two slots, the one with the higher ordinal is newer
};

}   // namespace holdfast::segments
