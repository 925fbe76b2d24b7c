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

struct Database {
  const char* name;
  const char* way_out;   // the remedy if it was altered, once the server has been stopped; nullptr: the same as for the journal's log
};
constexpr Database k_databases[] = {
    {"journal.db", nullptr},
    {"state.db",
     "Make the tables again from the journal (holdfast rebuild), or restore a backup (holdfast restore) if old rows have been removed from "
     "it."},
    {"registry.db",
     "Put registry.db back with its -wal, or let what is there count (holdfast keys accept; move it away first if it is damaged), then "
     "revoke and create keys and webhooks again."},
    {"feed.db",
     "Move feed.db away with its -wal and -shm. What was in the last transaction is known from Kafka, the rest is published again under "
     "the same ids; payments that were refused are no longer listed."},
};
constexpr const char* k_suffixes[] = {"", "-wal", "-shm"};
constexpr const char* k_others[] = {"journal.head", "lock"};
constexpr std::size_t k_log_bytes_a_look = std::size_t{16} * 1024 * 1024;   // a log gets no longer, unless a reader prevents its restart
constexpr int k_reads_max = 3;

// Whether a log that is not empty begins as SQLite begins one. SQLite takes no locks on the log file, so opening and closing it
// drops none.
bool begins_as_a_log(const std::string& path) {
  for (int i = 0; i < k_reads_max; ++i) {
    std::array<std::uint8_t, 32> header{};
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return true;   // cannot be looked at right now
    const ssize_t count = ::pread(file, header.data(), header.size(), 0);
    ::close(file);
    if (count != static_cast<ssize_t>(header.size()) || has_log_header(header)) return true;   // too short: look() compares sizes
  }
  return false;   // and no other process is just writing the header
}

}   // namespace

FileWatch::FileWatch(const std::filesystem::path& folder) : folder_(folder) {
  const auto add = [&](const std::string& name, const char* way_out, bool is_log) {
    struct stat found{};
    const std::string path = (folder / name).string();
    if (::stat(path.c_str(), &found) == 0) files_.push_back({path, way_out, found.st_dev, found.st_ino, found.st_size, is_log});
  };
  for (const Database& database : k_databases) {
    for (const std::string suffix : k_suffixes) add(database.name + suffix, database.way_out, suffix == "-wal");
  }
  for (const char* other : k_others) add(other, nullptr, false);
  open_journals_log();
}

// If this fails, the other files are still watched.
void FileWatch::open_journals_log() {
  try {
    journals_log_.emplace(DataFolder::journal_in(folder_));
    unwatched_.clear();
  } catch (const std::runtime_error& error) {   // from SQLite, or the log's file
    unwatched_ = error.what();
  }
}

std::optional<FileWatch::Loss> FileWatch::look() {
  for (File& file : files_) {
    struct stat found{};
    const bool is_known = ::stat(file.path.c_str(), &found) == 0;
    if (!is_known && errno != ENOENT && errno != ENOTDIR) continue;   // cannot be looked at right now
    if (!is_known || found.st_nlink == 0) return lost(file, "was deleted or moved");
    if (found.st_dev != file.device || found.st_ino != file.inode) return lost(file, "was replaced by another file");
    if (found.st_size < file.size) return damaged(file, "was cut short");
    if (file.is_log && found.st_size > 0) {
      const bool has_header = begins_as_a_log(file.path);
      if (file.is_begun && !has_header) return damaged(file, "has lost its header");
      file.is_begun = has_header;   // after a power loss a log may lack its header: SQLite ignores and restarts it
    }
    file.size = std::max(file.size, found.st_size);
  }
  if (!journals_log_) open_journals_log();
  const std::string what = journals_log_ ? journals_log_->look(k_log_bytes_a_look) : "";
  if (what.empty()) return std::nullopt;
  return Loss{told_of_damaged_log(DataFolder::journal_in(folder_) + "-wal", what), true};
}

// Only damage to its own files must be kept out of the journal, which has what was sold.
FileWatch::Loss FileWatch::damaged(const File& file, const char* what) const {
  if (file.way_out == nullptr) return {.what = told_of_damaged_log(file.path, what), .is_damage = true};
  return {.what =
              file.path + " " + what +
              " by another program while the server works with it. Nothing more is sold; what was sold is in journal.db, and is not lost. "
              "Stop the server. " +
              file.way_out + " Then start it again."};
}

FileWatch::Loss FileWatch::lost(const File& file, const char* what) const {
  const std::string process = std::to_string(::getpid());
  return {.what = file.path + " " + what +
                  " while the server works with it. Nothing more is sold: what is answered would be lost. Do not end this process (" +
                  process + ") yet: its files can be copied from /proc/" + process +
                  "/fd while it lives, each database with its -wal. Then stop it, put the files back into " + folder_.string() +
                  " or restore a backup (holdfast restore), and start again."};
}

}   // namespace holdfast
