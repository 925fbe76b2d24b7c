#include "ledger/embedded/segments/unsynced_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

namespace holdfast::segments {
namespace {

class UnsyncedFile final : public DiskFile {
 public:
  explicit UnsyncedFile(std::unique_ptr<DiskFile> file) : file_(std::move(file)) {}

  std::uint64_t size() override { return file_->size(); }
  // The disk does not have it yet.
  void read(std::uint64_t offset, std::span<char> to, From) override { file_->read(offset, to, From::cache); }
  void write(std::uint64_t offset, std::string_view bytes) override { file_->write(offset, bytes); }
  void write_durably(std::uint64_t offset, std::string_view bytes) override { file_->write(offset, bytes); }
  void sync() override {}
  void allocate(std::uint64_t bytes) override { file_->allocate(bytes); }

 private:
  const std::unique_ptr<DiskFile> file_;
};

// Only pages that are on disk can leave the cache. A kernel that keeps them does no harm.
void forget_cached(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw DiskError("cannot open " + path + ": " + std::strerror(errno), errno);
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  ::close(file);
}

}  // namespace

std::unique_ptr<DiskFile> UnsyncedDisk::open(const std::string& name, Mode mode) {
  return std::make_unique<UnsyncedFile>(disk_.open(name, mode));
}

std::unique_ptr<DiskFile> UnsyncedDisk::create(const std::string& name) { return std::make_unique<UnsyncedFile>(disk_.create(name)); }

void UnsyncedDisk::sync_all() {
  for (const std::string& name : disk_.list()) {
    disk_.open(name, Mode::write)->sync();
    forget_cached(disk_.path_of(name));
  }
  disk_.sync_folder();
}

}  // namespace holdfast::segments
