// The folder of an embedded ledger: where its files are, and that one process at a time works with them.
#pragma once

#include <filesystem>
#include <string>

#include "ledger/data_error.h"

namespace holdfast {

// Makes an empty file that only its owner can read (mode 0600, from its first byte), for SQLite to fill; -wal and -shm get the same mode.
// Throws DataError when it cannot, or when the file is there.
void create_private_file(const std::string& path);

// A file that root has made for a server that is not: gives it to its folder's owner. Throws DataError.
void give_to_owner_of_folder(const std::string& path);

// Makes the names of the files beside `path` durable: a new one is lost with the power unless its folder is synced. Throws DataError.
void sync_folder_of(const std::string& path);

// SQLite would take a log that was left behind (-wal) for that of a new file beside it. Throws DataError when `path` is not there and its log is.
void refuse_log_without_file(const std::string& path);

class DataFolder {
 public:
  // Makes the folder when it is not there, and takes its lock. Throws DataError when another process has it.
  explicit DataFolder(std::filesystem::path folder);
  ~DataFolder();
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  std::string journal() const { return journal_in(folder_); }
  std::string state() const { return state_in(folder_); }
  std::string registry() const { return registry_in(folder_); }
  const std::filesystem::path& path() const { return folder_; }

  static std::string journal_in(const std::filesystem::path& folder) { return (folder / "journal.db").string(); }
  static std::string state_in(const std::filesystem::path& folder) { return (folder / "state.db").string(); }
  static std::string registry_in(const std::filesystem::path& folder) { return (folder / "registry.db").string(); }

 private:
  std::filesystem::path folder_;
  int lock_ = -1;
};

}   // namespace holdfast
