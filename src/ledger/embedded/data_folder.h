// The folder of an embedded ledger: the paths of its files, and the lock that admits one process at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "ledger/data_error.h"
#include "sql/sqlite.h"

namespace holdfast {

// Creates an empty file that only its owner can read (mode 0600 from the start), for SQLite to fill; -wal and -shm get the same mode. Throws
// DataError if it cannot, or if the file exists.
void create_private_file(const std::string& path);
// The same for a file of the data folder, unless it exists; several may do so at once. Never opens one that exists: closing a second descriptor
// of it would drop the locks that this process has on it.
void create_private_file_if_missing(const std::string& path);

// Gives a file that root created to the owner of its folder, as whom the server runs. Throws DataError.
void give_to_owner_of_folder(const std::string& path);

// Syncs the folder of `path`: without it a new file's name can be lost in a power failure. Throws DataError.
void sync_folder_of(const std::string& path);

// SQLite would apply a leftover log (-wal) to a new file of that name. Throws DataError if `path` is missing and its log exists.
void refuse_log_without_file(const std::string& path);

// Throws DataError unless the file has this format (PRAGMA user_version); `unchanged` says what still holds.
void refuse_other_format(sqlite::Database& file, std::int64_t format, const char* unchanged = "Nothing was changed");

class DataFolder {
 public:
  // Another process that holds the lock for no longer than this has only looked (is_in_use).
  static constexpr std::chrono::milliseconds k_lock_patience{200};

  // Creates the folder if missing, and takes its lock. Throws DataError if another process holds it.
  explicit DataFolder(std::filesystem::path folder);
  ~DataFolder();
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  std::string journal() const { return journal_in(folder_); }
  std::string state() const { return state_in(folder_); }
  std::string registry() const { return registry_in(folder_); }
  const std::filesystem::path& path() const { return folder_; }

  // Whether a process works with the folder at the moment, as far as this one may look. It changes nothing.
  static bool is_in_use(const std::filesystem::path& folder);

  static std::string journal_in(const std::filesystem::path& folder) { return (folder / "journal.db").string(); }
  static std::string journal_head_in(const std::filesystem::path& folder) { return (folder / "journal.head").string(); }
  static std::string journal_folder_in(const std::filesystem::path& folder) { return (folder / "journal").string(); }   // of segments
  static std::string state_in(const std::filesystem::path& folder) { return (folder / "state.db").string(); }
  static std::string registry_in(const std::filesystem::path& folder) { return (folder / "registry.db").string(); }
  static std::string registry_head_in(const std::filesystem::path& folder) { return (folder / "registry.head").string(); }

 private:
  std::filesystem::path folder_;
  int lock_ = -1;
};

}   // namespace holdfast
