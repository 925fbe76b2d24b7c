#include "ledger/embedded/file_watch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/log_watch.h"

namespace holdfast {
namespace {

struct Database {
  const char* name;
  const char* way_out;   // the remedy if it was altered, once the server has been stopped
};
constexpr Database k_databases[] = {
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
constexpr const char* k_lock = "lock";
constexpr const char* k_way_out_of_damaged_note =
    "Put registry.head back, or let registry.db count as it is (holdfast keys accept), then revoke and create keys and webhooks again.";
constexpr std::size_t k_journal_bytes_a_look =
    std::size_t{16} * 1024 * 1024;   // a log gets no longer, unless a reader prevents its restart
constexpr int k_reads_max = 3;

// Whether stat() has failed because there is no such file; otherwise it cannot be looked at right now.
bool is_gone(int error) { return error == ENOENT || error == ENOTDIR; }

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

FileWatch::FileWatch(const std::filesystem::path& folder, std::unique_ptr<JournalWatch> journal)
    : folder_(folder), journal_(std::move(journal)) {
  const auto add = [&](const std::string& path, const char* way_out) {
    if (const auto file = find(path, way_out)) files_.push_back(*file);
  };
  for (const Database& database : k_databases) {
    for (const char* suffix : k_suffixes) add((folder / database.name).string() + suffix, database.way_out);
  }
  add(DataFolder::registry_head_in(folder), k_way_out_of_damaged_note);
  add((folder / k_lock).string(), nullptr);
  for (const std::string& path : journal_->files()) {
    if (const auto file = find(path, nullptr)) journals_files_.emplace(path, *file);
  }
}

std::optional<FileWatch::File> FileWatch::find(const std::string& path, const char* way_out) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return std::nullopt;
  return File{path, way_out, found.st_dev, found.st_ino, found.st_size, path.ends_with("-wal")};
}

std::optional<FileWatch::Loss> FileWatch::look() {
  for (File& file : files_) {
    if (auto loss = look_at(file)) return loss;
  }
  if (auto loss = look_at_journals_files()) return loss;
  std::string what = journal_->look(k_journal_bytes_a_look);
  if (what.empty()) return std::nullopt;
  return Loss{.what = std::move(what), .is_damage = true};
}

std::optional<FileWatch::Loss> FileWatch::look_at(File& file) const {
  struct stat found{};
  const bool is_known = ::stat(file.path.c_str(), &found) == 0;
  if (!is_known && !is_gone(errno)) return std::nullopt;   // cannot be looked at right now
  if (!is_known || found.st_nlink == 0) return lost(file.path, "was deleted or moved");
  if (found.st_dev != file.device || found.st_ino != file.inode) return lost(file.path, "was replaced by another file");
  if (found.st_size < file.size) return damaged(file, "was cut short");
  if (file.is_log && found.st_size > 0) {
    const bool has_header = begins_as_a_log(file.path);
    if (file.is_begun && !has_header) return damaged(file, "has lost its header");
    file.is_begun = has_header;   // after a power loss a log may lack its header: SQLite ignores and restarts it
  }
  file.size = std::max(file.size, found.st_size);
  return std::nullopt;
}

std::optional<FileWatch::Loss> FileWatch::look_at_journals_files() {
  const std::vector<std::string> paths = journal_->files();
  const std::set<std::string> wanted(paths.begin(), paths.end());
  std::erase_if(journals_files_, [&](const auto& known) { return !wanted.contains(known.first); });
  for (const std::string& path : wanted) {
    std::optional<Loss> loss;
    if (const auto known = journals_files_.find(path); known != journals_files_.end()) {
      loss = look_at(known->second);
    } else if (const auto file = find(path, nullptr)) {
      journals_files_.emplace(path, *file);
    } else if (is_gone(errno)) {
      loss = lost(path, "was deleted or moved");
    }
    if (!loss) continue;
    const std::vector<std::string> now = journal_->files();
    if (std::ranges::find(now, path) != now.end()) return loss;   // otherwise the journal itself has removed it meanwhile
  }
  return std::nullopt;
}

// Only damage to its own files must be kept out of the journal, which has what was sold.
FileWatch::Loss FileWatch::damaged(const File& file, const char* what) const {
  if (file.way_out == nullptr) return {.what = told_of_damaged_journal(folder_, file.path, what), .is_damage = true};
  return {.what =
              file.path + " " + what +
              " by another program while the server works with it. Nothing more is sold; what was sold is in the journal, and is not lost. "
              "Stop the server. " +
              file.way_out + " Then start it again."};
}

FileWatch::Loss FileWatch::lost(const std::string& path, const char* what) const {
  const std::string process = std::to_string(::getpid());
  return {.what = path + " " + what +
                  " while the server works with it. Nothing more is sold: what is answered would be lost. Do not end this process (" +
                  process + ") yet: the files that it has open can be copied from /proc/" + process +
                  "/fd while it lives, each database with its -wal. Then stop it, put the files back into " + folder_.string() +
                  " or restore a backup (holdfast restore), and start again."};
}

}   // namespace holdfast
