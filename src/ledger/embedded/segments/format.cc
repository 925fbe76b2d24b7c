#include "ledger/embedded/segments/format.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace holdfast::segments {
namespace {

constexpr std::string_view k_segment_letters = "HfSegmnt";
constexpr std::uint32_t k_frame_magic = 0x64526648;   // "HfRd"
constexpr std::string_view k_suffix = ".segment";
constexpr std::size_t k_digits = 10;

}  // namespace

std::uint64_t checksum(std::string_view bytes, std::uint64_t seed) { return XXH64(bytes.data(), bytes.size(), seed); }

std::string name_of_segment(std::uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < k_digits) digits.insert(0, k_digits - digits.size(), '0');
  return digits.append(k_suffix);
}

std::optional<std::uint64_t> number_of_segment(std::string_view name) {
  if (!name.ends_with(k_suffix)) return std::nullopt;
  name.remove_suffix(k_suffix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size() || number == 0) return std::nullopt;
  return name_of_segment(number).size() == name.size() + k_suffix.size() ? std::optional(number) : std::nullopt;
}

std::string refusal_of(const Features& features) {
  const std::uint32_t unknown = features.incompatible & ~k_incompatible_known;
  if (unknown == 0) return {};
  return "it needs a later program: this one does not know its incompatible features (bits " + std::to_string(unknown) + ")";
}

void put_begin(std::string_view letters, const Features& features, char* header) {
  std::memcpy(header + 8, letters.data(), letters.size());
  put(header + 16, k_version);
  put(header + 20, features.compatible);
  put(header + 24, features.incompatible);
  put(header, checksum({header + 8, k_file_header - 8}, 0));
}

std::expected<Features, Unreadable> read_begin(std::string_view letters, const char* header) {
  if (std::string_view(header + 8, letters.size()) != letters) return std::unexpected(Unreadable{.what = "it does not begin as it should"});
  if (get<std::uint64_t>(header) != checksum({header + 8, k_file_header - 8}, 0)) {
    return std::unexpected(Unreadable{.what = "the checksum of its header does not match"});
  }
  if (const auto version = get<std::uint32_t>(header + 16); version != k_version) {
    return std::unexpected(Unreadable{
        .is_later = true,
        .what = "it has format version " + std::to_string(version) + ", and this program reads version " + std::to_string(k_version)});
  }
  const Features features{get<std::uint32_t>(header + 20), get<std::uint32_t>(header + 24)};
  if (std::string refusal = refusal_of(features); !refusal.empty()) {
    return std::unexpected(Unreadable{.is_later = true, .what = std::move(refusal)});
  }
  return features;
}

std::string encode(const SegmentHeader& header) {
  std::string block(k_block, '\0');
  char* const at = block.data();
  put(at + k_after_begin, static_cast<std::uint32_t>(k_block));
  put(at + 32, header.number);
  put(at + 40, header.bytes);
  std::ranges::copy(header.journal, reinterpret_cast<std::uint8_t*>(at) + 48);
  put(at + 64, header.salt);
  put_begin(k_segment_letters, header.features, at);
  return block;
}

std::expected<SegmentHeader, Unreadable> decode_segment_header(std::string_view block) {
  const char* const at = block.data();
  const auto features = read_begin(k_segment_letters, at);
  if (!features) return std::unexpected(features.error());
  SegmentHeader header{.number = get<std::uint64_t>(at + 32),
                       .bytes = get<std::uint64_t>(at + 40),
                       .salt = get<std::uint64_t>(at + 64),
                       .features = *features};
  std::memcpy(header.journal.data(), at + 48, header.journal.size());
  if (get<std::uint32_t>(at + k_after_begin) != k_block || header.number == 0 || header.bytes % k_block != 0 ||
      header.bytes < k_segment_bytes_min || header.bytes > k_segment_bytes_max) {
    return std::unexpected(Unreadable{.what = "its header has numbers that there cannot be"});
  }
  return header;
}

void put_frame_header(const FrameHeader& header, std::uint64_t salt, char* frame) {
  put(frame + 8, k_frame_magic);
  put(frame + 12, header.length);
  put(frame + 16, header.block);
  put(frame + 20, static_cast<std::uint32_t>(header.kind));
  put(frame + 24, header.round);
  put(frame + 32, header.before.position);
  std::ranges::copy(header.before.hash, reinterpret_cast<std::uint8_t*>(frame) + 40);
  put(frame + 72, header.rows);
  put(frame + 76, header.block_before);
  put(frame + 80, header.features.compatible);
  put(frame + 84, header.features.incompatible);
  put(frame + 88, std::uint64_t{0});
  put(frame, checksum({frame + 8, header.length - 8}, salt));
}

std::optional<FrameHeader> read_frame_header(std::string_view bytes, std::uint32_t block, std::uint64_t bytes_left) {
  const char* const at = bytes.data();
  if (get<std::uint32_t>(at + 8) != k_frame_magic) return std::nullopt;
  FrameHeader header{.kind = static_cast<FrameKind>(get<std::uint32_t>(at + 20)),
                     .length = get<std::uint32_t>(at + 12),
                     .block = get<std::uint32_t>(at + 16),
                     .block_before = get<std::uint32_t>(at + 76),
                     .round = get<std::uint64_t>(at + 24),
                     .before = {get<std::int64_t>(at + 32), {}},
                     .rows = get<std::uint32_t>(at + 72),
                     .features = {get<std::uint32_t>(at + 80), get<std::uint32_t>(at + 84)}};
  std::memcpy(header.before.hash.data(), at + 40, header.before.hash.size());
  if (header.length < k_frame_header || header.length > bytes_left || header.block != block) return std::nullopt;
  return header;
}

bool is_whole(std::string_view frame, std::uint64_t salt) {
  const char* const at = frame.data();
  return get<std::uint64_t>(at) == checksum(frame.substr(8), salt);
}

}  // namespace holdfast::segments
