// The bytes of the journal's segment files, version 1. docs/internals/journal.md has them one by one, and the reasons.
//
// A segment is a file of fixed size, in blocks of 4 KiB. Block 0 is its header. Then come frames, each from a block boundary on: an
// opening, which says where the journal stood before this segment, and then rounds. The rest is zeros. Pure functions; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "ledger/journal_row.h"

namespace holdfast::segments {

inline constexpr std::size_t k_block = 4'096;
inline constexpr std::uint32_t k_version = 1;
inline constexpr std::uint64_t k_first_segment_bytes = std::uint64_t{4} * 1024 * 1024;   // of segment 1, unless told otherwise
inline constexpr std::uint64_t k_segment_bytes = std::uint64_t{64} * 1024 * 1024;   // of a segment at most, unless told otherwise
inline constexpr std::uint64_t k_segment_bytes_min = 16 * k_block;
inline constexpr std::uint64_t k_segment_bytes_max = std::uint64_t{1} * 1024 * 1024 * 1024;
inline constexpr std::uint32_t k_first_frame = 1;   // its block: the opening's
inline constexpr std::size_t k_frame_header = 96;
inline constexpr std::size_t k_file_header = 128;   // of a segment, and each slot of the file reach

using JournalId = std::array<std::uint8_t, 16>;   // drawn when the journal is created; tells its files from those of another one

// How far a journal reaches: the last round, and position and hash of the last row.
struct Reach {
  std::uint64_t round = 0;
  JournalHead head;
  bool operator==(const Reach&) const = default;
};

// What a later version adds without a new version number. A program that does not know a compatible feature ignores it; one that does not
// know an incompatible feature refuses what has it. There is none yet. Bits, in each kind of header.
struct Features {
  std::uint32_t compatible = 0;
  std::uint32_t incompatible = 0;
  bool operator==(const Features&) const = default;
};
inline constexpr std::uint32_t k_incompatible_known = 0;
// What is wrong with a header that has them; empty: nothing.
std::string refusal_of(const Features& features);

// What the header of a segment and a slot of the file reach begin with: checksum, eight letters, version, features. Their other fields
// begin at k_after_begin.
inline constexpr std::size_t k_after_begin = 28;
// Completes a header of k_file_header bytes whose other fields are there.
void put_begin(std::string_view letters, const Features& features, char* header);
// Why bytes cannot be read, the rest of a sentence. Bytes of a later program are whole: their checksum fits.
struct Unreadable {
  bool is_later = false;
  std::string what;
};
std::expected<Features, Unreadable> read_begin(std::string_view letters, const char* header);

struct SegmentHeader {
  std::uint64_t number = 0;   // 1, 2, 3, …
  std::uint64_t bytes = 0;   // the file's size, a multiple of k_block
  JournalId journal{};
  std::uint64_t salt = 0;   // of the checksums of its frames, drawn at random: bytes of another file never pass as a frame
  Features features{};
};

std::string name_of_segment(std::uint64_t number);   // 0000000001.segment
std::optional<std::uint64_t> number_of_segment(std::string_view name);   // nothing: the file is not a segment

// The first block of a segment.
std::string encode(const SegmentHeader& header);
// `block` is the first block.
std::expected<SegmentHeader, Unreadable> decode_segment_header(std::string_view block);

enum class FrameKind : std::uint32_t { opening = 1, round = 2 };   // a later version may have more

struct FrameHeader {
  FrameKind kind = FrameKind::round;
  std::uint32_t length = 0;   // of header and records, without padding
  std::uint32_t block = 0;   // where it stands in its segment
  std::uint32_t block_before = 0;   // the frame before it in this segment; of an opening, in the segment before (0: there is none)
  std::uint64_t round = 0;   // of an opening, the last round before it
  JournalHead before;   // the last row before it
  std::uint32_t rows = 0;
  Features features{};

  std::uint32_t blocks() const { return static_cast<std::uint32_t>((length + k_block - 1) / k_block); }
};

// Writes the header and the checksum into the first k_frame_header bytes of `frame`. `frame` has header.length bytes; padding is not in it.
void put_frame_header(const FrameHeader& header, std::uint64_t salt, char* frame);
// The header that `bytes` begins with, if it can be that of a frame at `block` of a segment that has `bytes_left` bytes from there on. Its
// checksum has not been checked, and its kind may be one of a later version: only a whole frame says something by its kind. `bytes` has at
// least k_frame_header bytes.
std::optional<FrameHeader> read_frame_header(std::string_view bytes, std::uint32_t block, std::uint64_t bytes_left);
// Whether `frame`, of the length in its header, is what was written.
bool is_whole(std::string_view frame, std::uint64_t salt);

// XXH64, as all checksums of the journal's files.
std::uint64_t checksum(std::string_view bytes, std::uint64_t seed);

// Numbers are little-endian.
template <typename Number>
void put(char* to, Number value) {
  for (std::size_t i = 0; i < sizeof value; ++i) to[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xFF);
}
template <typename Number>
Number get(const char* from) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) value |= std::uint64_t{static_cast<std::uint8_t>(from[i])} << (8 * i);
  return static_cast<Number>(value);
}

}   // namespace holdfast::segments
