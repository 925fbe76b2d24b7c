// One round of the journal: its rows and notes, as the bytes of one frame.
//
//   Round round(writer.reach());
//   round.add_row(event, first_seq, changes, at, body);
//   round.add_note(k_note_clock_doubt, bytes);
//   writer.append(round);                     // on disk
//
// The next round can be gathered while this one is being written: Round next(round.after()).
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "ledger/embedded/segments/format.h"
#include "ledger/journal_row.h"

namespace holdfast::segments {

// What the journal keeps beside its rows: the newest text by kind. A note stays when the segment that has it is removed: each segment
// begins with all of them. Kinds are only added, never reused; a program keeps notes that it does not know.
using NoteKind = std::uint64_t;
using Notes = std::map<NoteKind, std::string>;
inline constexpr NoteKind k_note_first_kept = 1;   // the number of the first segment that is kept, a varint; retention.h
inline constexpr NoteKind k_note_clock_doubt = 2;   // a start with a clock far ahead; clock_doubt_note.h
inline constexpr NoteKind k_note_tables = 3;   // position and digest of the tables, when they were last synced
inline constexpr std::size_t k_notes_max = 16;   // kinds
inline constexpr std::size_t k_note_bytes_max = 512;
inline constexpr std::size_t k_row_overhead_max = 68;   // bytes of a row's record beside its body
inline constexpr std::size_t k_note_overhead_max = 24;   // bytes of a note's record beside its text
// Of an opening, with as many notes as there can be.
inline constexpr std::uint32_t k_opening_blocks_max =
    static_cast<std::uint32_t>((k_frame_header + k_notes_max * (k_note_bytes_max + k_note_overhead_max) + k_block - 1) / k_block);

// Puts newer notes beside those in force: each replaces the one of its kind, and an empty text ends it.
void put_in_force(const Notes& newer, Notes& notes);

// Belongs to one thread at a time.
class Round {
 public:
  // A round that follows on `before`.
  explicit Round(const Reach& before) { begin(before); }
  // Empties it, to be filled again; its memory is kept.
  void begin(const Reach& before);

  // Adds a row; its position is the next one, its hash chained to the row before. Returns it.
  JournalHead add_row(EventNumber event, Seq first_seq, std::uint32_t changes, Millis at, std::string_view body);
  // `text` has at most k_note_bytes_max bytes; an empty one ends the note of that kind.
  void add_note(NoteKind kind, std::string_view text);

  const Reach& before() const { return before_; }
  // How far the journal reaches with this round.
  Reach after() const { return {before_.round + 1, head_}; }
  bool is_empty() const { return frame_.size() == k_frame_header; }
  // On disk, padding included.
  std::size_t bytes() const { return (frame_.size() + k_block - 1) / k_block * k_block; }
  // The most that bytes() can be with `rows` rows whose bodies have `body_bytes` bytes in all, and `notes` notes. It can be asked before
  // there are rows: SegmentWriter::can_take.
  static std::uint64_t bytes_max(std::uint64_t rows, std::uint64_t body_bytes, std::uint64_t notes = 0);
  const Notes& notes() const { return notes_; }

  // For the writer: the bytes of the frame with its header, padded to whole blocks. Valid until the round changes; add nothing afterwards.
  std::string_view finish(FrameKind kind, const SegmentHeader& segment, std::uint32_t block, std::uint32_t block_before);

 private:
  Reach before_;
  JournalHead head_;
  std::uint32_t rows_ = 0;
  Notes notes_;
  std::string frame_;
  std::string numbers_;
};

// A frame's content. Bodies of rows are valid as long as the frame's bytes.
struct RoundRead {
  Reach before;
  Reach after;
  std::vector<JournalRow> rows;
  Notes notes;
};
// Reads a frame whose checksum is right, and checks the chain of its rows.
std::expected<RoundRead, Unreadable> decode_frame(const FrameHeader& header, std::string_view frame);

}   // namespace holdfast::segments
