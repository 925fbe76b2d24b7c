#include "ledger/embedded/segments/retention.h"

#include <cerrno>

#include "core/codec.h"

namespace holdfast::segments {

std::uint64_t first_segment_to_keep(const Catalog& catalog, Position through) {
  const SegmentList segments = catalog.snapshot().segments;
  std::size_t keep = 0;
  while (keep + 1 < segments.size() && segments[keep + 1].before->head.position <= through) ++keep;
  return segments[keep].header.number;
}

std::string note_of_first_kept(std::uint64_t number) {
  std::string text;
  Writer(text).varint(number);
  return text;
}

std::optional<std::uint64_t> first_kept_in(const Notes& notes) {
  const auto note = notes.find(k_note_first_kept);
  if (note == notes.end()) return 1;
  Reader reader(note->second);
  const std::uint64_t number = reader.varint();
  return reader.failed() || number == 0 ? std::nullopt : std::optional(number);
}

void remove_segment(Disk& disk, std::uint64_t number) {
  try {
    disk.remove(name_of_segment(number));
  } catch (const DiskError& error) {
    if (error.code() != ENOENT) throw;   // an earlier try has removed it, and may have failed to sync
  }
  disk.sync_folder();
}

void remove_segments_before(Disk& disk, Catalog& catalog, std::uint64_t number) {
  catalog.remove_before(number, [&](std::uint64_t removed) { remove_segment(disk, removed); });
}

}  // namespace holdfast::segments
