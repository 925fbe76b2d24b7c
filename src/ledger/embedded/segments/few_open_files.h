// A folder whose files take few descriptors: those that were not used for long are closed, and opened again when they are used.
//
//   PosixDisk posix(folder);
//   FewOpenFiles disk(posix);
//   SegmentWriter writer(disk, options);   // thousands of old segments, at most 64 of them open
//
// A file with bytes that are not synced stays open, so that no error of a sync is missed. A file that was removed while it was closed
// cannot be read any more: that is a DiskError with ENOENT. Any thread, as a Disk.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "ledger/embedded/segments/disk.h"

namespace holdfast::segments {

class FewOpenFiles : public Disk {
 public:
  static constexpr std::size_t k_usual = 64;   // files that a journal has open, whatever it keeps

  // At most `limit` of the files from open() are open at once, beside those in use at that moment or with bytes to be synced; at least 1.
  // Files from create() are the caller's as long as he keeps them. `disk` must outlive this, and this its files.
  explicit FewOpenFiles(Disk& disk, std::size_t limit = k_usual);
  ~FewOpenFiles() override;
  FewOpenFiles(const FewOpenFiles&) = delete;
  FewOpenFiles& operator=(const FewOpenFiles&) = delete;

  std::vector<std::string> list() override { return disk_.list(); }
  std::unique_ptr<DiskFile> open(const std::string& name, Mode mode) override;
  std::unique_ptr<DiskFile> create(const std::string& name) override { return disk_.create(name); }
  void rename(const std::string& from, const std::string& to) override { disk_.rename(from, to); }
  void remove(const std::string& name) override { disk_.remove(name); }
  void sync_folder() override { disk_.sync_folder(); }
  std::uint64_t free_bytes() override { return disk_.free_bytes(); }
  std::string path_of(const std::string& name) const override { return disk_.path_of(name); }

 private:
  class File;
  class Recent;

  Disk& disk_;
  const std::unique_ptr<Recent> recent_;
};

}   // namespace holdfast::segments
