#include "ledger/embedded/segments/damage.h"

namespace holdfast::segments {
namespace {

// It is true at a start, and beside a program that goes on with what can be read.
std::string way_out(const Disk& disk) {
  return ". Nothing was changed. End what uses these files, then put back those that belong together, or all from a backup (holdfast "
         "restore). If you have neither, keep a copy of " +
         disk.path_of("") + " and accept the loss of what cannot be read: holdfast repair --accept-loss";
}

std::string told_of_later(const Disk& disk, const std::string& name, const std::string& what) {
  return disk.path_of(name) + " was written by a later version of Holdfast: " + what +
         ". Nothing was changed. Use the version that wrote it, or a later one.";
}

}  // namespace

std::string told_of_damage(const Disk& disk, const std::string& name, std::uint64_t offset, const std::string& what) {
  return disk.path_of(name) + " is damaged at byte " + std::to_string(offset) + ": " + what + way_out(disk);
}

std::string told_of_damage(const Disk& disk, const std::string& name, const std::string& what) {
  return disk.path_of(name) + " is damaged: " + what + way_out(disk);
}

std::string told_of_gap(const Reach& reach, const Reach& before, std::uint64_t round) {
  std::string told = "round " + std::to_string(round) + " does not follow on round " + std::to_string(reach.round);
  const Position first = reach.head.position + 1;
  if (before.head.position == first) told += ": row " + std::to_string(first) + " is missing";
  if (before.head.position > first)
    told += ": rows " + std::to_string(first) + " to " + std::to_string(before.head.position) + " are missing";
  return told;
}

void refuse(const Disk& disk, const std::string& name, const Unreadable& why) {
  if (why.is_later) throw LaterFormat(told_of_later(disk, name, why.what));
  throw SegmentDamage(told_of_damage(disk, name, why.what));
}

void refuse(const Disk& disk, const std::string& name, std::uint64_t offset, const FrameHeader& frame, const Unreadable& why) {
  const std::string what = "round " + std::to_string(frame.round) + " is whole, and " + why.what;
  if (why.is_later) throw LaterFormat(told_of_later(disk, name, what));
  throw SegmentDamage(told_of_damage(disk, name, offset, what));
}

std::string without_way_out(const Disk& disk, std::string told) {
  const std::string end = way_out(disk);
  if (told.ends_with(end)) told.resize(told.size() - end.size());
  return told;
}

}  // namespace holdfast::segments
