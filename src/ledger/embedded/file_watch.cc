#include "ledger/embedded/file_watch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "ledger/embedded/data_folder.h"

namespace holdfast {
namespace {

constexpr const char* k_databases[] = {"journal.db", "state.db", "registry.db", "feed.db"};
constexpr const char* k_suffixes[] = {"", "-wal", "-shm"};
constexpr const char* k_others[] = {"journal.head", "lock"};
constexpr std::size_t k_log_bytes_a_look = std::size_t{16} * 1024 * 1024;   // as long as a log gets, unless a reader keeps it
constexpr int k_reads_max = 3;

// Whether a log that has bytes begins as SQLite begins one. (It takes no locks on logs, so opening one drops none.)
bool begins_as_a_log(const std::string& path) {
  for (int i = 0; i < k_reads_max; ++i) {
    std::array<std::uint8_t, 32> header{};
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return true;    // it cannot be looked at at the moment
    const ssize_t count = ::pread(file, header.data(), header.size(), 0);
    ::close(file);
    if (count != static_cast<ssize_t>(header.size()) || has_log_header(header)) return true;   // too short: its size tells
  }
  return false;   // and is not just being written
}

}  // namespace

FileWatch::FileWatch(const std::filesystem::path& folder) : folder_(folder), journals_log_(DataFolder::journal_in(folder)) {
  const auto add = [&](const std::string& name, bool is_log) {
    struct stat found{};
    const std::string path = (folder / name).string();
    if (::stat(path.c_str(), &found) == 0) files_.push_back({path, found.st_dev, found.st_ino, found.st_size, is_log});
  };
  for (const std::string database : k_databases) {
    for (const std::string suffix : k_suffixes) add(database + suffix, suffix == "-wal");
  }
  for (const char* other : k_others) add(other, false);
}

std::optional<FileWatch::Loss> FileWatch::look() {
  for (File& file : files_) {
    struct stat found{};
    const bool is_known = ::stat(file.path.c_str(), &found) == 0;
    if (!is_known && errno != ENOENT && errno != ENOTDIR) continue;   // it cannot be looked at at the moment
    if (!is_known || found.st_nlink == 0) return lost(file, "was deleted or moved");
    if (found.st_dev != file.device || found.st_ino != file.inode) return lost(file, "was replaced by another file");
    if (found.st_size < file.size) return Loss{told_of_damaged_log(file.path, "was cut short"), true};
    if (file.is_log && found.st_size > 0) {
      const bool has_header = begins_as_a_log(file.path);
      if (file.is_begun && !has_header) return Loss{told_of_damaged_log(file.path, "has lost its header"), true};
      file.is_begun = has_header;   // one that a power loss has left without is passed over by SQLite, and begun anew
    }
    file.size = std::max(file.size, found.st_size);
  }
  const std::string what = look_at_journals_log();
  if (what.empty()) return std::nullopt;
  return Loss{told_of_damaged_log(DataFolder::journal_in(folder_) + "-wal", what), true};
}

std::string FileWatch::look_at_journals_log() {
  try {
    return journals_log_.look(k_log_bytes_a_look);
  } catch (const DataError& error) {
    return std::string("cannot be read (") + error.what() + "), so that it may have been changed";
  }
}

FileWatch::Loss FileWatch::lost(const File& file, const char* what) const {
  const std::string process = std::to_string(::getpid());
  return {.what = file.path + " " + what +
                  " while the server works with it. Nothing more is sold: what is answered would be lost. Do not end this process (" +
                  process + ") yet: its files can be copied from /proc/" + process +
                  "/fd while it lives, each database with its -wal. Then stop it, put the files back into " + folder_.string() +
                  " or restore a backup (holdfast restore), and start again."};
}

}  // namespace holdfast
