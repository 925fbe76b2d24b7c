#include "ledger/embedded/segments/posix_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/check.h"
#include "ledger/embedded/segments/format.h"

namespace holdfast::segments {
namespace {

constexpr std::size_t k_direct_at_once = std::size_t{256} * 1024;
constexpr mode_t k_owner_only = 0600;

[[noreturn]] void fail(const std::string& doing, const std::string& path, int error) {
  throw DiskError("cannot " + doing + " " + path + ": " + std::strerror(error), error);
}

// Repeats a call that a signal interrupts.
template <typename Call>
auto repeated(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class PosixFile : public DiskFile {
 public:
  // Takes the descriptor.
  PosixFile(std::string path, int file) : path_(std::move(path)), file_(file) {}
  ~PosixFile() override { ::close(file_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  std::uint64_t size() override {
    struct stat found{};
    if (::fstat(file_, &found) != 0) fail("read the size of", path_, errno);
    return static_cast<std::uint64_t>(found.st_size);
  }

  void read(std::uint64_t offset, std::span<char> to, From from) override {
    if (from == From::cache) return read_from(file_, offset, to);
    const Descriptor direct(open_again_past_cache());
    if (direct.number < 0) return read_from(file_, offset, to);
    HOLDFAST_CHECK(offset % k_block == 0 && to.size() % k_block == 0);
    struct Free {
      void operator()(char* bytes) const { std::free(bytes); }
    };
    const std::size_t room = std::min(to.size(), k_direct_at_once);
    const std::unique_ptr<char, Free> aligned(static_cast<char*>(std::aligned_alloc(k_block, room)));
    HOLDFAST_CHECK(aligned != nullptr);
    while (!to.empty()) {
      const std::size_t part = std::min(to.size(), room);
      read_from(direct.number, offset, {aligned.get(), part});
      std::memcpy(to.data(), aligned.get(), part);
      to = to.subspan(part);
      offset += part;
    }
  }

  void write(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = repeated([&] { return ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
      if (written < 0) fail("write", path_, errno);
      if (written == 0) fail("write", path_, EIO);
      bytes.remove_prefix(static_cast<std::size_t>(written));
      offset += static_cast<std::uint64_t>(written);
    }
  }

  void write_durably(std::uint64_t offset, std::string_view bytes) override {
    write(offset, bytes);
    sync();
  }

  void sync() override {
    if (repeated([&] { return ::fdatasync(file_); }) != 0) fail("sync", path_, errno);
  }

  void allocate(std::uint64_t bytes) override {
    const auto size = static_cast<off_t>(bytes);
    if (repeated([&] { return ::fallocate(file_, 0, 0, size); }) == 0) return;
    if (errno != EOPNOTSUPP) fail("make room for", path_, errno);
    if (repeated([&] { return ::ftruncate(file_, size); }) != 0) fail("make room for", path_, errno);   // room comes with the zeros
  }

 private:
  struct Descriptor {
    explicit Descriptor(int of) : number(of) {}
    ~Descriptor() {
      if (number >= 0) ::close(number);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    const int number;
  };

  // Only starts read past the cache. A descriptor for it is open as long as a reading: there may be thousands of files. -1: the file system
  // has no O_DIRECT, or the process may not use /proc.
  int open_again_past_cache() {
    const std::string self = "/proc/self/fd/" + std::to_string(file_);
    const int direct = repeated([&] { return ::open(self.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC); });
    const bool cannot = errno == EINVAL || errno == ENOENT || errno == EACCES || errno == EPERM;
    if (direct < 0 && !cannot) fail("open", path_, errno);
    return direct;
  }

  void read_from(int file, std::uint64_t offset, std::span<char> to) {
    while (!to.empty()) {
      const ssize_t got = repeated([&] { return ::pread(file, to.data(), to.size(), static_cast<off_t>(offset)); });
      if (got < 0) fail("read", path_, errno);
      if (got == 0) throw DiskError("cannot read " + path_ + ": it ends at byte " + std::to_string(offset), EIO);
      to = to.subspan(static_cast<std::size_t>(got));
      offset += static_cast<std::uint64_t>(got);
    }
  }

  const std::string path_;
  const int file_;
};

}   // namespace

bool DiskError::is_no_room() const { return code_ == ENOSPC || code_ == EDQUOT; }

PosixDisk::PosixDisk(std::filesystem::path folder) : path_(std::move(folder)) {
  folder_ = repeated([&] { return ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (folder_ < 0) fail("open the folder", path_.string(), errno);
}

PosixDisk::~PosixDisk() { ::close(folder_); }

std::string PosixDisk::path_of(const std::string& name) const { return name.empty() ? path_.string() : (path_ / name).string(); }

std::vector<std::string> PosixDisk::list() {
  const int copy = repeated([&] { return ::openat(folder_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (copy < 0) fail("list the folder", path_.string(), errno);
  DIR* const entries = ::fdopendir(copy);
  if (entries == nullptr) {
    const int error = errno;
    ::close(copy);
    fail("list the folder", path_.string(), error);
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(entries)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  const int error = errno;
  ::closedir(entries);
  if (error != 0) fail("list the folder", path_.string(), error);
  return names;
}

std::unique_ptr<DiskFile> PosixDisk::open(const std::string& name, Mode mode) {
  const int access = (mode == Mode::write ? O_RDWR : O_RDONLY) | O_CLOEXEC;
  const int file = repeated([&] { return ::openat(folder_, name.c_str(), access); });
  if (file < 0) fail("open", path_of(name), errno);
  return std::make_unique<PosixFile>(path_of(name), file);
}

std::unique_ptr<DiskFile> PosixDisk::create(const std::string& name) {
  const int file = repeated([&] { return ::openat(folder_, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, k_owner_only); });
  if (file < 0) fail("make", path_of(name), errno);
  auto made = std::make_unique<PosixFile>(path_of(name), file);
  if (struct stat folder{}; ::geteuid() == 0) {
    if (::fstat(folder_, &folder) != 0 || ::fchown(file, folder.st_uid, folder.st_gid) != 0) {
      fail("give to the owner of its folder", path_of(name), errno);
    }
  }
  return made;
}

void PosixDisk::rename(const std::string& from, const std::string& to) {
  if (::renameat(folder_, from.c_str(), folder_, to.c_str()) != 0) fail("rename", path_of(from), errno);
}

void PosixDisk::remove(const std::string& name) {
  if (::unlinkat(folder_, name.c_str(), 0) != 0) fail("remove", path_of(name), errno);
}

void PosixDisk::sync_folder() {
  if (repeated([&] { return ::fsync(folder_); }) != 0) fail("sync the folder", path_.string(), errno);
}

std::uint64_t PosixDisk::free_bytes() {
  struct statvfs found{};
  if (repeated([&] { return ::fstatvfs(folder_, &found); }) != 0) fail("read the free room of", path_.string(), errno);
  return std::uint64_t{found.f_bavail} * found.f_frsize;
}

}   // namespace holdfast::segments
