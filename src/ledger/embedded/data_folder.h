// The folder of an embedded ledger: where its files are, and that one process at a time works with them.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

namespace holdfast {

// The data are not as they should be, or cannot be had. what() names the file, says what holds and what to do.
class DataError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Makes an empty file that only its owner can read (mode 0600, from its first byte), for SQLite to fill; -wal and -shm get the same mode.
// Throws DataError when it cannot, or when the file is there.
void create_private_file(const std::string& path);

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

}  // namespace holdfast
