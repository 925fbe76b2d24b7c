#include "ledger/embedded/segments/damage.h"

namespace holdfast::segments {
namespace {

std::string way_out(const Disk& disk) {
  return ". Nothing was changed and nothing is sold from it. Put back the files that belong together, or all files from a backup (holdfast "
         "restore). If you have neither, keep a copy of " +
         disk.path_of("") + " and accept the loss of what cannot be read: holdfast repair --accept-loss";
}

}  // namespace

std::string told_of_damage(const Disk& disk, const std::string& name, std::uint64_t offset, const std::string& what) {
  return disk.path_of(name) + " is damaged at byte " + std::to_string(offset) + ": " + what + way_out(disk);
}

std::string told_of_damage(const Disk& disk, const std::string& name, const std::string& what) {
  return disk.path_of(name) + " is damaged: " + what + way_out(disk);
}

}  // namespace holdfast::segments
