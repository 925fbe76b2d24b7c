// The layer between the markers of a data folder and the simulated disk. journal.head and registry.head are written by calls of the C library.
// The linker puts these functions in their place (-Wl,--wrap, CMakeLists.txt), in the test program only: files of the simulated disk go through it,
// all others to the system. SQLite is a shared library, and has a layer of its own.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "core/check.h"
#include "simulation/disk.h"
#include "simulation/real_file.h"

extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names
ssize_t __real_pwrite(int file, const void* bytes, std::size_t count, off_t offset);
ssize_t __real_pread(int file, void* to, std::size_t count, off_t offset);
int __real_fdatasync(int file);
int __real_fsync(int file);
ssize_t __wrap_pwrite(int file, const void* bytes, std::size_t count, off_t offset);
ssize_t __wrap_pread(int file, void* to, std::size_t count, off_t offset);
int __wrap_fdatasync(int file);
int __wrap_fsync(int file);
// NOLINTEND(bugprone-reserved-identifier)
}

namespace holdfast::simulation {

void RealFile::write(std::int64_t offset, std::string_view bytes) {
  HOLDFAST_CHECK(__real_pwrite(descriptor_, bytes.data(), bytes.size(), offset) == static_cast<ssize_t>(bytes.size()));
}

std::size_t RealFile::read(std::int64_t offset, char* to, std::size_t bytes) {
  const ssize_t got = __real_pread(descriptor_, to, bytes, offset);
  HOLDFAST_CHECK(got >= 0);
  return static_cast<std::size_t>(got);
}

std::int64_t RealFile::size() {
  struct stat found{};
  HOLDFAST_CHECK(::fstat(descriptor_, &found) == 0);
  return found.st_size;
}

void RealFile::resize(std::int64_t bytes) { HOLDFAST_CHECK(::ftruncate(descriptor_, bytes) == 0); }

namespace {

// The name of a file or folder of the simulated disk; empty: it is another's.
std::string name_of(int file) {
  Disk& disk = Disk::get();
  if (!disk.has_begun()) return {};
  std::array<char, 4'096> path{};
  const ssize_t length = ::readlink(("/proc/self/fd/" + std::to_string(file)).c_str(), path.data(), path.size());
  if (length <= 0 || !disk.has({path.data(), static_cast<std::size_t>(length)})) return {};
  std::string name = disk.name_of({path.data(), static_cast<std::size_t>(length)});
  return name.empty() ? "." : name;
}

int told(Disk::Result result) {
  if (result == Disk::Result::ok) return 0;
  errno = result == Disk::Result::full ? ENOSPC : EIO;
  return -1;
}

int sync(const std::string& name, int file) {
  struct stat found{};
  HOLDFAST_CHECK(::fstat(file, &found) == 0);
  if (S_ISDIR(found.st_mode)) return told(Disk::get().sync_names(name));
  RealFile real(file);
  return told(Disk::get().sync(name, real));
}

}   // namespace
}   // namespace holdfast::simulation

using holdfast::simulation::Disk;

ssize_t __wrap_pwrite(int file, const void* bytes, std::size_t count, off_t offset) {
  const std::string name = holdfast::simulation::name_of(file);
  if (name.empty()) return __real_pwrite(file, bytes, count, offset);
  holdfast::simulation::RealFile real(file);
  const int result = holdfast::simulation::told(Disk::get().write(name, real, offset, {static_cast<const char*>(bytes), count}));
  return result == 0 ? static_cast<ssize_t>(count) : -1;
}

ssize_t __wrap_pread(int file, void* to, std::size_t count, off_t offset) {
  const std::string name = holdfast::simulation::name_of(file);
  if (!name.empty() && Disk::get().fails_reading(name)) {
    errno = EIO;
    return -1;
  }
  return __real_pread(file, to, count, offset);
}

int __wrap_fdatasync(int file) {
  const std::string name = holdfast::simulation::name_of(file);
  return name.empty() ? __real_fdatasync(file) : holdfast::simulation::sync(name, file);
}

int __wrap_fsync(int file) {
  const std::string name = holdfast::simulation::name_of(file);
  return name.empty() ? __real_fsync(file) : holdfast::simulation::sync(name, file);
}
