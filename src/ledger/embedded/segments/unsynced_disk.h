// A folder that counts for nothing until all of it is written: syncs wait for the end, when there is one for each file.
//
//   UnsyncedDisk disk("data/journal.partial");
//   write(disk);          // a journal, as into any other folder
//   disk.sync_all();      // on disk, and out of the page cache: what is read next comes from the disk
//
// For one thread. Throws DiskError.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ledger/embedded/segments/posix_disk.h"

namespace holdfast::segments {

class UnsyncedDisk final : public Disk {
 public:
  // The folder exists.
  explicit UnsyncedDisk(std::filesystem::path folder) : disk_(std::move(folder)) {}

  std::vector<std::string> list() override { return disk_.list(); }
  std::unique_ptr<DiskFile> open(const std::string& name, Mode mode) override;
  std::unique_ptr<DiskFile> create(const std::string& name) override;
  void rename(const std::string& from, const std::string& to) override { disk_.rename(from, to); }
  void remove(const std::string& name) override { disk_.remove(name); }
  void sync_folder() override {}
  std::uint64_t free_bytes() override { return disk_.free_bytes(); }
  std::string path_of(const std::string& name) const override { return disk_.path_of(name); }

  void sync_all();

 private:
  PosixDisk disk_;
};

}   // namespace holdfast::segments
