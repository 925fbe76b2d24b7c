#include "ledger/embedded/segments/reach_marker.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <expected>

#include "ledger/embedded/segments/damage.h"

namespace holdfast::segments {
namespace {

constexpr std::string_view k_letters = "HfMarker";
constexpr int k_reads_max = 3;
constexpr const char* k_partial = "reach.partial";

struct Slot {
  std::uint64_t ordinal = 0;
  Reach reach;
  JournalId journal{};
  ReachMarker::State state = ReachMarker::State::creating;
  std::uint64_t segment = 0;
  Features features{};
};

std::string encode(const Slot& slot) {
  std::string bytes(k_file_header, '\0');
  char* const at = bytes.data();
  put(at + k_after_begin, static_cast<std::uint32_t>(slot.state));
  put(at + 32, slot.ordinal);
  put(at + 40, slot.segment);
  put(at + 48, slot.reach.round);
  put(at + 56, slot.reach.head.position);
  std::memcpy(at + 64, slot.reach.head.hash.data(), slot.reach.head.hash.size());
  std::memcpy(at + 96, slot.journal.data(), slot.journal.size());
  put_begin(k_letters, slot.features, at);
  return bytes;
}

std::expected<Slot, Unreadable> decode(const char* at) {
  const auto features = read_begin(k_letters, at);
  if (!features) return std::unexpected(features.error());
  Slot slot{.ordinal = get<std::uint64_t>(at + 32),
            .reach = {get<std::uint64_t>(at + 48), {get<Position>(at + 56), {}}},
            .state = static_cast<ReachMarker::State>(get<std::uint32_t>(at + k_after_begin)),
            .segment = get<std::uint64_t>(at + 40),
            .features = *features};
  std::memcpy(slot.reach.head.hash.data(), at + 64, slot.reach.head.hash.size());
  std::memcpy(slot.journal.data(), at + 96, slot.journal.size());
  return slot;
}

std::uint64_t offset_of(std::uint64_t ordinal) { return ordinal % 2 * k_block; }

}  // namespace

void ReachMarker::create(Disk& disk, const JournalId& journal, const Reach& reach) {
  const std::vector<std::string> names = disk.list();
  if (std::ranges::find(names, k_partial) != names.end()) disk.remove(k_partial);
  const std::unique_ptr<DiskFile> file = disk.create(k_partial);
  std::string content(2 * k_block, '\0');
  for (std::uint64_t ordinal = 0; ordinal < 2; ++ordinal) {
    const std::string slot = encode({.ordinal = ordinal, .reach = reach, .journal = journal});
    std::ranges::copy(slot, content.begin() + static_cast<std::ptrdiff_t>(offset_of(ordinal)));
  }
  file->write(0, content);
  file->sync();
  disk.rename(k_partial, k_name);
  disk.sync_folder();
}

ReachMarker::ReachMarker(Disk& disk, Disk::Mode mode) : file_(disk.open(k_name, mode)) {
  std::optional<Slot> newest;
  for (int read = 0; !newest && read < k_reads_max; ++read) {   // a writer may be in the middle of a write
    std::array<char, 2 * k_block> both{};
    const std::uint64_t size = file_->size();
    if (size != both.size()) {
      throw SegmentDamage(told_of_damage(disk, k_name, "it has " + std::to_string(size) + " bytes, not " + std::to_string(both.size())));
    }
    file_->read(0, both, DiskFile::From::cache);
    for (std::uint64_t ordinal = 0; ordinal < 2; ++ordinal) {
      const auto slot = decode(both.data() + offset_of(ordinal));
      if (!slot && slot.error().is_later) refuse(disk, k_name, slot.error());
      if (slot && (!newest || newest->ordinal < slot->ordinal)) newest = *slot;
    }
  }
  if (!newest)
    throw SegmentDamage(told_of_damage(disk, k_name, "neither of its two slots can be read, so nobody knows how far the journal reached"));
  if (newest->state > State::stopped) {
    refuse(disk, k_name, {.is_later = true, .what = "it has a state that this program does not know"});
  }
  journal_ = newest->journal;
  reach_ = newest->reach;
  state_ = newest->state;
  segment_ = newest->segment;
  ordinal_ = newest->ordinal;
}

// Overwrites the older slot, so that the newer one survives even if this write fails.
void ReachMarker::note(const Reach& reach, std::uint64_t segment, State state) {
  file_->write(offset_of(ordinal_ + 1),
               encode({.ordinal = ordinal_ + 1, .reach = reach, .journal = journal_, .state = state, .segment = segment}));
  ++ordinal_;
  reach_ = reach;
  state_ = state;
  segment_ = segment;
}

}  // namespace holdfast::segments
