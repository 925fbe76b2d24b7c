#include "ledger/embedded/segments/few_open_files.h"

#include <algorithm>
#include <list>
#include <mutex>

#include "core/check.h"

namespace holdfast::segments {

// The open files, the one that was used last first.
class FewOpenFiles::Recent {
 public:
  Recent(Disk& disk, std::size_t limit) : disk_(disk), limit_(limit) { HOLDFAST_CHECK(limit > 0); }

  // The file to use now: it stays open as long as the caller has it.
  std::shared_ptr<DiskFile> use(File& file);
  void forget(const File& file);

 private:
  void close_old();

  Disk& disk_;
  const std::size_t limit_;
  std::mutex mutex_;   // never held during a call to the disk, but for closing
  std::list<File*> open_;
  friend class File;
};

class FewOpenFiles::File : public DiskFile {
 public:
  File(Recent& recent, std::string name, Mode mode, std::shared_ptr<DiskFile> file)
      : recent_(recent), name_(std::move(name)), mode_(mode), file_(std::move(file)) {}
  ~File() override { recent_.forget(*this); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  std::uint64_t size() override { return recent_.use(*this)->size(); }
  void read(std::uint64_t offset, std::span<char> to, From from) override { recent_.use(*this)->read(offset, to, from); }
  void write(std::uint64_t offset, std::string_view bytes) override {
    begin_write();
    recent_.use(*this)->write(offset, bytes);
  }
  void write_durably(std::uint64_t offset, std::string_view bytes) override {
    const std::uint64_t writes = begin_write();
    recent_.use(*this)->write_durably(offset, bytes);
    end_sync(writes);
  }
  void sync() override {
    const std::uint64_t writes = count_writes();
    recent_.use(*this)->sync();
    end_sync(writes);
  }
  void allocate(std::uint64_t bytes) override {
    begin_write();
    recent_.use(*this)->allocate(bytes);
  }

 private:
  std::uint64_t begin_write() {
    const std::scoped_lock lock(recent_.mutex_);
    return ++writes_;
  }
  std::uint64_t count_writes() {
    const std::scoped_lock lock(recent_.mutex_);
    return writes_;
  }
  void end_sync(std::uint64_t writes) {
    const std::scoped_lock lock(recent_.mutex_);
    synced_ = std::max(synced_, writes);
  }

  Recent& recent_;
  const std::string name_;
  const Mode mode_;
  // The rest under the mutex of recent_.
  std::shared_ptr<DiskFile> file_;   // null: closed
  std::uint64_t writes_ = 0;
  std::uint64_t synced_ = 0;   // of them, these are on disk
  friend class Recent;
};

std::shared_ptr<DiskFile> FewOpenFiles::Recent::use(File& file) {
  std::unique_lock lock(mutex_);
  if (!file.file_) {
    lock.unlock();
    std::shared_ptr<DiskFile> opened = disk_.open(file.name_, file.mode_);
    lock.lock();
    if (!file.file_) file.file_ = std::move(opened);   // another thread may have been faster
  }
  std::shared_ptr<DiskFile> used = file.file_;
  open_.remove(&file);
  open_.push_front(&file);
  close_old();
  return used;
}

void FewOpenFiles::Recent::forget(const File& file) {
  const std::scoped_lock lock(mutex_);
  std::erase(open_, &file);
}

// From the one that was not used for longest. Under mutex_.
void FewOpenFiles::Recent::close_old() {
  for (auto at = open_.end(); open_.size() > limit_ && at != open_.begin();) {
    --at;
    File& file = **at;
    if (at == open_.begin() || file.writes_ != file.synced_) continue;
    file.file_.reset();
    at = open_.erase(at);
  }
}

FewOpenFiles::FewOpenFiles(Disk& disk, std::size_t limit) : disk_(disk), recent_(std::make_unique<Recent>(disk, limit)) {}
FewOpenFiles::~FewOpenFiles() = default;

std::unique_ptr<DiskFile> FewOpenFiles::open(const std::string& name, Mode mode) {
  auto file = std::make_unique<File>(*recent_, name, mode, disk_.open(name, mode));
  recent_->use(*file);
  return file;
}

}  // namespace holdfast::segments
