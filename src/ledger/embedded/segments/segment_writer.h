// Writes a journal of segments: one durable write a round.
//
//   PosixDisk disk(folder);
//   if (!SegmentWriter::exists(disk)) SegmentWriter::create(disk, options, journal_id, {});
//   SegmentWriter writer(disk, options);          // recovers, and changes nothing
//   SegmentReader(disk, writer.catalog()).read(…);   // what it has found
//   writer.settle();                              // from here on it may be written
//   if (const auto taken = writer.can_take(bytes, Work::growing); !taken) refuse(taken.error().what);   // before anything is judged
//   Round round(writer.reach());
//   round.add_row(event, first_seq, changes, at, body);
//   writer.append(round);                         // on disk; readers see it
//   writer.stop();                                // the next start knows that nothing was under way
//
// It has no threads. supply(), catalog() and room_trouble() belong to any thread, the rest to one at a time. After a failed write or sync nobody knows what
// is on disk: nothing more is accepted, and the process must end. The next start finds out.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "ledger/embedded/journal_room.h"
#include "ledger/embedded/segments/catalog.h"
#include "ledger/embedded/segments/disk.h"
#include "ledger/embedded/segments/reach_marker.h"
#include "ledger/embedded/segments/recovery.h"
#include "ledger/embedded/segments/round.h"
#include "ledger/embedded/segments/supply.h"

namespace holdfast::segments {

// There is no prepared segment, and none could be made. Nothing of the round was written, and the same round can be appended again.
class SegmentNotMade : public DataError {
 public:
  using DataError::DataError;
};
// The same, because the disk is full.
class NoRoom : public SegmentNotMade {
 public:
  using SegmentNotMade::SegmentNotMade;
};
// The round is beyond a limit: larger than round_bytes_max(), with more notes in force than k_notes_max, or with a note of a first kept
// segment that is before the one in force, or not in use yet. Nothing was written.
class RoundRefused : public DataError {
 public:
  using DataError::DataError;
};

class SegmentWriter {
 public:
  static constexpr std::uint64_t k_round_bytes_max = std::uint64_t{2} * 1024 * 1024;   // of a round, unless told otherwise

  struct Options {
    std::uint64_t segment_bytes = k_segment_bytes;   // SegmentSizes::most, of segments that are made from now on
    std::uint64_t first_segment_bytes = k_first_segment_bytes;   // SegmentSizes::first
    std::uint64_t round_bytes_max = k_round_bytes_max;   // more for rows of other journals, which may be larger
    std::function<std::uint64_t()> draw_salt{};   // unpredictable numbers; required. Called on the thread that prepares

    SegmentSizes sizes() const { return {.first = first_segment_bytes, .most = segment_bytes}; }
  };
  // What is left for further rounds.
  struct Room {
    std::uint64_t bytes = 0;   // for rounds, in the segment in use
    std::size_t prepared = 0;   // further segments
    bool is_short = false;   // no further segment could be made: only what frees seats or ends begun sales should go on
  };

  // Whether the folder has a journal. False also if its creation was interrupted. Throws SegmentDamage if its marker is missing or damaged.
  static bool exists(Disk& disk);
  // Creates a journal that goes on after `start`; durable when it returns. `journal` is drawn at random. Where exists() is false; a crash
  // in between leaves it so. Throws DiskError, NoRoom, or SegmentDamage if the folder has segments that no interrupted creation has left.
  static void create(Disk& disk, const Options& options, const JournalId& journal, const Reach& start);

  // Recovers the journal. Changes nothing on disk, so that a start can still be refused. Throws SegmentDamage if it is not whole;
  // LaterFormat; DiskError.
  SegmentWriter(Disk& disk, Options options);
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;

  // Makes the journal ready for appending: brings the names in the folder and the journal's end to the disk, zeroes what is torn, notes the
  // end, and removes what an interrupted removal has left. Call it once, before append(), stop() and supply().prepare(). Throws DiskError,
  // and then the next start finds out. A file that cannot be removed is no error: not_removed().
  void settle();
  // What settle() could not remove, a sentence without its full stop; empty: nothing. remove_segments_before() tries again.
  const std::string& not_removed() const { return not_removed_; }

  // Writes the round, which must begin at reach(); on disk when it returns. Begins the next segment if the round does not fit in the one in
  // use, and makes that itself if none is prepared. Throws RoundRefused, SegmentNotMade or NoRoom, and then nothing has changed. Throws
  // DiskError if writing failed, and from then on the same sentence for every call.
  void append(Round& round);

  const Reach& reach() const { return reach_; }
  const Notes& notes() const { return notes_; }
  // The largest Round::bytes() that append() takes: what fits into each further segment, and at most Options::round_bytes_max.
  std::uint64_t round_bytes_max() const;
  // Whether a round of at most `bytes` (Round::bytes_max) can be appended now without a segment that has yet to be made: ask before
  // judging, so that nothing is refused afterwards. The last prepared segment is the reserve: growing work does not begin it, and is
  // refused while the supply is in trouble. Settling work goes on to its end.
  std::expected<void, NotTaken> can_take(std::uint64_t bytes, Work work) const;
  Room room() const;
  // Notes a clean stop; on disk when it returns. Call it last. Throws DiskError.
  void stop();

  // Why growing work is refused or soon will be, a sentence; empty: further segments can be made. Any thread.
  std::string room_trouble() const;

  Supply& supply() { return *supply_; }
  Catalog& catalog() { return catalog_; }
  const Catalog& catalog() const { return catalog_; }
  // What this start drops: blocks of a write that nobody was answered for.
  std::uint64_t torn_blocks() const { return torn_blocks_; }

 private:
  static constexpr std::uint64_t k_blocks_before_rounds = k_first_frame + k_opening_blocks_max;

  void check_limits(const Round& round) const;
  void check_notes(const Notes& newer) const;
  NotTaken not_taken(Work work) const;
  static NotTaken not_taken(const Supply::Trouble& trouble, Work work);
  void make_segment();
  void begin_segment();
  void write(Round& round, FrameKind kind, const Segment& segment, std::uint32_t block);
  template <typename Write>
  void guarded(Write write);

  Disk& disk_;
  ReachMarker marker_;
  Catalog catalog_;
  const std::uint64_t round_bytes_limit_;
  std::optional<Supply> supply_;   // always there after the constructor
  Segment segment_;   // in use
  std::uint32_t last_frame_ = 0;   // its block
  std::uint32_t next_block_ = 0;
  Reach reach_;
  Notes notes_;
  std::uint64_t torn_blocks_ = 0;
  std::optional<Recovered> found_;   // until settle()
  std::string not_removed_;
  std::string broken_;   // why nothing more is accepted; empty: all is well
  int broken_code_ = 0;
};

}   // namespace holdfast::segments
