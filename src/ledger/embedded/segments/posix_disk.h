// The real folder, by POSIX calls.
//
// Interrupted calls are repeated (EINTR), short reads and writes continued. Files have mode 0600 and are closed in child processes. A file
// that root creates is given to the folder's owner, as whom the server runs. Reading past the page cache uses O_DIRECT. Some file systems
// refuse it or read the cache all the same: do not rely on it alone. An open file takes one descriptor.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ledger/embedded/segments/disk.h"

namespace holdfast::segments {

class PosixDisk : public Disk {
 public:
  // The folder exists. Throws DiskError if it cannot be opened.
  explicit PosixDisk(std::filesystem::path folder);
  ~PosixDisk() override;
  PosixDisk(const PosixDisk&) = delete;
  PosixDisk& operator=(const PosixDisk&) = delete;

  std::vector<std::string> list() override;
  std::unique_ptr<DiskFile> open(const std::string& name, Mode mode) override;
  std::unique_ptr<DiskFile> create(const std::string& name) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove(const std::string& name) override;
  void sync_folder() override;
  std::uint64_t free_bytes() override;
  std::string path_of(const std::string& name) const override;

 private:
  std::filesystem::path path_;
  int folder_ = -1;
};

}   // namespace holdfast::segments
