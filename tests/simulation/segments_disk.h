// The folder of a journal's segments on the simulated disk, as the journal's port. For one life of a node, and one thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ledger/embedded/segments/disk.h"

namespace holdfast::simulation {

class SegmentsDisk : public segments::Disk {
 public:
  // `folder` is one of the simulated disk's, and exists once it is used.
  explicit SegmentsDisk(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::vector<std::string> list() override;
  std::unique_ptr<segments::DiskFile> open(const std::string& name, Mode mode) override;
  std::unique_ptr<segments::DiskFile> create(const std::string& name) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove(const std::string& name) override;
  void sync_folder() override;
  std::uint64_t free_bytes() override;
  std::string path_of(const std::string& name) const override { return name.empty() ? folder_.string() : (folder_ / name).string(); }

 private:
  class File;
  std::string known_as(const std::string& name) const;

  const std::filesystem::path folder_;
};

}   // namespace holdfast::simulation
