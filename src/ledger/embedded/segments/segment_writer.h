// Writes a journal of segments: one durable write a round.
//
//   PosixDisk disk(folder);
//   if (!SegmentWriter::exists(disk)) SegmentWriter::create(disk, options, journal_id, {});
//   SegmentWriter writer(disk, options);          // recovers
//   if (const auto taken = writer.can_take(bytes, Work::growing); !taken) refuse(taken.error().what);   // before anything is judged
//   Round round(writer.reach());
//   round.add_row(event, first_seq, changes, at, body);
//   writer.append(round);                         // on disk; readers see it
//   writer.stop();                                // the next start knows that nothing was under way
//
// It has no threads. append(), can_take(), room() and stop() belong to one thread at a time; supply() and catalog() to any. After a failed
// write or sync nobody knows what is on disk: nothing more is accepted, and the process must end. The next start finds out.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>

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
// The round is beyond a limit: larger than round_bytes_max(), or with it more than k_notes_max notes were in force. Nothing was written.
class RoundRefused : public DataError {
 public:
  using DataError::DataError;
};

// What a round is for. While room is short, one goes on longer than the other.
enum class Work {
  growing,   // new holds, events and their changes: they need more room, and free none
  settling,   // payments, releases, returns, extensions and expiries: they free seats, or end sales that have begun
};

// Why a round cannot be taken. Nothing has changed, and the next answer may be another.
struct NotTaken {
  enum class Reason {
    too_large,   // larger than round_bytes_max(): make smaller rounds
    preparing,   // the next segment is being made. Ask again in a moment
    no_room,   // the disk is full
    failing,   // the next segment cannot be made for another reason, or the journal accepts nothing any more
  };
  Reason reason = Reason::failing;
  std::string what;   // says what holds and what to do
};

class SegmentWriter {
 public:
  static constexpr std::uint64_t k_round_bytes_max = std::uint64_t{2} * 1024 * 1024;   // of a round, however large the segments are

  struct Options {
    std::uint64_t segment_bytes = k_segment_bytes;   // SegmentSizes::most, of segments that are made from now on
    std::uint64_t first_segment_bytes = k_first_segment_bytes;   // SegmentSizes::first
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

  // Recovers the journal and makes it ready for appending: first the names in the folder, then the journal's end are brought to the disk.
  // Throws SegmentDamage if it is not whole; DiskError.
  SegmentWriter(Disk& disk, Options options);
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;

  // Writes the round, which must begin at reach(); on disk when it returns. Begins the next segment if the round does not fit in the one in
  // use, and makes that itself if none is prepared. Throws RoundRefused, SegmentNotMade or NoRoom, and then nothing has changed. Throws
  // DiskError if writing failed, and from then on the same sentence for every call.
  void append(Round& round);

  const Reach& reach() const { return reach_; }
  const Notes& notes() const { return notes_; }
  // The largest Round::bytes() that append() takes: what fits into each further segment, and at most k_round_bytes_max.
  std::uint64_t round_bytes_max() const;
  // Whether a round of at most `bytes` (Round::bytes_max) can be appended now without a segment that has yet to be made: ask before
  // judging, so that nothing is refused afterwards. The last prepared segment is the reserve: growing work does not begin it, and is
  // refused while the supply is in trouble. Settling work goes on to its end.
  std::expected<void, NotTaken> can_take(std::uint64_t bytes, Work work) const;
  Room room() const;
  // Notes a clean stop; on disk when it returns. Call it last. Throws DiskError.
  void stop();

  Supply& supply() { return *supply_; }
  Catalog& catalog() { return catalog_; }
  // What the last start dropped: blocks of a write that nobody was answered for.
  std::uint64_t torn_blocks() const { return torn_blocks_; }

 private:
  static constexpr std::uint64_t k_blocks_before_rounds = k_first_frame + k_opening_blocks_max;

  void check_limits(const Round& round) const;
  NotTaken not_taken(Work work) const;
  void make_segment();
  void begin_segment();
  void write(Round& round, FrameKind kind, const Segment& segment, std::uint32_t block);
  template <typename Write>
  void guarded(Write write);

  Disk& disk_;
  ReachMarker marker_;
  Catalog catalog_;
  std::optional<Supply> supply_;   // always there after the constructor
  Segment segment_;   // in use
  std::uint32_t last_frame_ = 0;   // its block
  std::uint32_t next_block_ = 0;
  Reach reach_;
  Notes notes_;
  std::uint64_t torn_blocks_ = 0;
  std::string broken_;   // why nothing more is accepted; empty: all is well
  int broken_code_ = 0;
};

}   // namespace holdfast::segments
