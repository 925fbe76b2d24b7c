#include "ledger/embedded/file_watch.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace holdfast {
namespace {

constexpr const char* k_databases[] = {"journal.db", "state.db", "registry.db", "feed.db"};
constexpr const char* k_suffixes[] = {"", "-wal", "-shm"};
constexpr const char* k_others[] = {"journal.head", "lock"};

}  // namespace

FileWatch::FileWatch(const std::filesystem::path& folder) : folder_(folder) {
  const auto add = [&](const std::string& name) {
    struct stat found{};
    const std::string path = (folder / name).string();
    if (::stat(path.c_str(), &found) == 0) files_.push_back({path, found.st_dev, found.st_ino, found.st_size});
  };
  for (const std::string database : k_databases) {
    for (const char* suffix : k_suffixes) add(database + suffix);
  }
  for (const char* other : k_others) add(other);
}

std::string FileWatch::look() {
  for (File& file : files_) {
    struct stat found{};
    const bool is_known = ::stat(file.path.c_str(), &found) == 0;
    if (!is_known && errno != ENOENT && errno != ENOTDIR) continue;   // it cannot be looked at at the moment
    const bool is_there = is_known && found.st_nlink > 0;
    const char* what = !is_there                                                   ? "was deleted or moved"
                       : found.st_dev != file.device || found.st_ino != file.inode ? "was replaced by another file"
                       : found.st_size < file.size                                 ? "was cut short by another program"
                                                                                   : nullptr;
    if (what == nullptr) {
      file.size = std::max(file.size, found.st_size);
      continue;
    }
    return file.path + " " + what +
           " while the server works with it. Nothing more is sold: what is answered would be lost. Do not end this process (" +
           std::to_string(::getpid()) + ") yet: its files can be copied from /proc/" + std::to_string(::getpid()) +
           "/fd while it lives, each database with its -wal. Then stop it, put the files back into " + folder_.string() +
           " or restore a backup (holdfast restore), and start again.";
  }
  return {};
}

}  // namespace holdfast
