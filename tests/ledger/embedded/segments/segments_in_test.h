// A journal of segments for tests: rounds that can be told apart, and what was answered of them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "ledger/embedded/segments/segment_reader.h"
#include "ledger/embedded/segments/segment_writer.h"

namespace holdfast::test {

inline constexpr segments::JournalId k_test_journal{0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
                                                    0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F};
inline constexpr std::uint64_t k_small_segment = 16 * segments::k_block;
inline constexpr Millis k_test_time = 1'771'949'700'000;

// A writer that is ready for appending.
class SettledWriter : public segments::SegmentWriter {
 public:
  SettledWriter(segments::Disk& disk, Options options) : SegmentWriter(disk, std::move(options)) { settle(); }
};

// Small segments; salts are drawn from `seed`, so that files are the same to the byte.
segments::SegmentWriter::Options small_segments(std::uint64_t seed = 1);

// The same, and each segment is twice as large as the one before: 16, 32 and 64 blocks, and 128 from the fourth on.
segments::SegmentWriter::Options growing_segments(std::uint64_t seed = 1);

// The row that each test expects at a position: some have bodies of several blocks.
JournalRow test_row(Position position, std::string& body);
// The round after `before`: one to three rows, now and then only a note.
segments::Round test_round(const segments::Reach& before);
inline constexpr segments::NoteKind k_test_note = 100;

// What was answered, by the writer of a journal that may crash.
struct Answered {
  segments::Reach reach;         // of the last answered round, or the last one that a start has shown
  std::uint64_t kept_from = 1;   // the segment that retention was last told to begin with
};

// Creates the journal if missing, opens it, and appends test rounds until round `last`: prepares segments as a background thread would,
// removes old ones now and then, and stops cleanly. Throws what a fault throws.
void live(segments::Disk& disk, std::uint64_t last, Answered& answered, std::uint64_t seed = 1);
void live(segments::Disk& disk, std::uint64_t last, Answered& answered, const segments::SegmentWriter::Options& options);

// Opens the journal and compares each row that it has with the expected one. Returns what is wrong; empty: it has all that was answered and
// nothing but the next round. Throws what opening throws.
std::string compare(segments::Disk& disk, const Answered& answered);

// The same for rows that are read from `first` on, up to `last`.
std::string compare_rows(const segments::SegmentReader& reader, Position first, Position last);

// All rows from `first` on.
std::vector<Position> positions_from(const segments::SegmentReader& reader, Position first);

}   // namespace holdfast::test
