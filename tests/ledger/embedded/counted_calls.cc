#include "ledger/embedded/counted_calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <map>
#include <set>
#include <utility>

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

struct State {
  bool is_on = false;
  std::string folder;
  std::optional<CountedCalls::Fault> fault;
  std::size_t calls = 0;
  std::set<std::string> unsynced;   // files whose content is not on disk
  std::map<std::string, std::set<std::string>> names;   // by folder: those that were made, changed or removed since it was synced
  std::vector<std::string> too_early;
  std::optional<std::size_t> free;
  bool cannot_exchange = false;
};

State& state() {
  static auto* the = new State;
  return *the;
}

bool is_below(const std::string& path, const std::string& folder) { return path == folder || path.starts_with(folder + "/"); }

bool is_watched(const std::string& path) { return state().is_on && is_below(path, state().folder); }

std::string path_of(int file) {
  std::error_code error;
  return fs::read_symlink("/proc/self/fd/" + std::to_string(file), error).string();
}

std::string path_at(int folder, const char* name) {
  if (name[0] == '/' || folder == AT_FDCWD) return name;
  return path_of(folder) + "/" + name;
}

// True: the call fails.
bool counts() {
  const std::size_t call = state().calls++;
  if (!state().fault || state().fault->at != call) return false;
  if (state().fault->does == CountedCalls::Fault::Kind::ends) ::_exit(CountedCalls::k_ended);
  errno = state().fault->code;
  return true;
}

void is_changed(const std::string& path) { state().unsynced.insert(path); }
void name_is_changed(const std::string& path) { state().names[fs::path(path).parent_path().string()].insert(path); }

// SQLite makes these as it likes.
bool is_of_log(const std::string& path) { return path.ends_with("-wal") || path.ends_with("-shm"); }

void check_renamed(const std::string& from, const std::string& to) {
  const auto report = [&](const std::string& what) { state().too_early.push_back(from + " to " + to + ", and not on disk: " + what); };
  for (const std::string& path : state().unsynced) {
    if (is_below(path, from)) report(path);
  }
  for (const auto& [folder, names] : state().names) {
    for (const std::string& name : names) {
      if (is_below(folder, from) || (folder == state().folder && name != from && !is_of_log(name))) report("the name " + name);
    }
  }
}

// Only the folder's own names count for its next start.
void is_renamed(const std::string& from, const std::string& to) {
  if (fs::path(from).parent_path() == state().folder) check_renamed(from, to);
  if (state().unsynced.erase(from) != 0) is_changed(to);
  name_is_changed(from);
  name_is_changed(to);
}

template <typename Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

int open_at(int folder, const char* name, int flags, mode_t mode) {
  static auto* const next = real<int(int, const char*, int, ...)>("openat");
  const std::string path = path_at(folder, name);
  const bool makes = (flags & O_CREAT) != 0 && is_watched(path) && ::access(path.c_str(), F_OK) != 0;
  if (makes && counts()) return -1;
  const int file = next(folder, name, flags, mode);
  if (makes && file >= 0) {
    is_changed(path);
    name_is_changed(path);
  }
  return file;
}

template <typename Call>
auto changing(int file, Call call) -> decltype(call()) {
  if (!state().is_on) return call();
  const std::string path = path_of(file);
  if (!is_watched(path)) return call();
  if (counts()) return -1;
  const auto result = call();
  if (result >= 0) is_changed(path);
  return result;
}

template <typename Call>
int syncing(int file, Call call) {
  if (!state().is_on) return call();
  const std::string path = path_of(file);
  if (!is_watched(path)) return call();
  if (counts()) return -1;
  state().unsynced.erase(path);
  state().names.erase(path);
  return 0;   // a process that ends loses nothing, and the disk is slow
}

template <typename Call>
int naming(const std::string& path, Call call) {
  if (!is_watched(path)) return call();
  if (counts()) return -1;
  const int result = call();
  if (result == 0) {
    state().unsynced.erase(path);   // of a file that is removed
    state().names.erase(path);
    name_is_changed(path);
  }
  return result;
}

template <typename Call>
int renaming(const std::string& from, const std::string& to, Call call) {
  if (!is_watched(from)) return call();
  if (counts()) return -1;
  const int result = call();
  if (result == 0) is_renamed(from, to);
  return result;
}

int tell_free(int result, struct statvfs* found) {
  if (result == 0 && state().free) found->f_bavail = *state().free / found->f_frsize;
  return result;
}

}  // namespace

void CountedCalls::watch(const fs::path& folder, const std::optional<Fault>& fault) {
  State fresh;
  fresh.is_on = true;
  fresh.folder = folder.string();
  fresh.fault = fault;
  fresh.free = state().free;
  fresh.cannot_exchange = state().cannot_exchange;
  state() = std::move(fresh);
}
void CountedCalls::stop() { state().is_on = false; }
std::size_t CountedCalls::calls() { return state().calls; }
std::vector<std::string> CountedCalls::renamed_too_early() { return state().too_early; }
void CountedCalls::set_cannot_exchange(bool cannot) { state().cannot_exchange = cannot; }
void CountedCalls::set_free(const std::optional<std::size_t>& bytes) { state().free = bytes; }

}  // namespace holdfast::test

// In place of those of the C library.
using namespace holdfast::test;   // NOLINT(google-build-using-namespace)

extern "C" {

int open(const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return open_at(AT_FDCWD, name, flags, mode);
}
int open64(const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return open_at(AT_FDCWD, name, flags, mode);
}
int openat(int folder, const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return open_at(folder, name, flags, mode);
}
int openat64(int folder, const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return open_at(folder, name, flags, mode);
}

ssize_t write(int file, const void* bytes, size_t count) {
  static auto* const next = real<ssize_t(int, const void*, size_t)>("write");
  return changing(file, [&] { return next(file, bytes, count); });
}
ssize_t pwrite(int file, const void* bytes, size_t count, off_t offset) {
  static auto* const next = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  return changing(file, [&] { return next(file, bytes, count, offset); });
}
ssize_t pwrite64(int file, const void* bytes, size_t count, off64_t offset) { return pwrite(file, bytes, count, offset); }
int ftruncate(int file, off_t size) noexcept {
  static auto* const next = real<int(int, off_t)>("ftruncate");
  return changing(file, [&] { return next(file, size); });
}
int ftruncate64(int file, off64_t size) noexcept { return ftruncate(file, size); }
int fallocate(int file, int mode, off_t offset, off_t count) {
  static auto* const next = real<int(int, int, off_t, off_t)>("fallocate");
  return changing(file, [&] { return next(file, mode, offset, count); });
}
int fallocate64(int file, int mode, off64_t offset, off64_t count) { return fallocate(file, mode, offset, count); }
int fsync(int file) {
  static auto* const next = real<int(int)>("fsync");
  return syncing(file, [&] { return next(file); });
}
int fdatasync(int file) {
  static auto* const next = real<int(int)>("fdatasync");
  return syncing(file, [&] { return next(file); });
}
int rename(const char* from, const char* to) noexcept {
  static auto* const next = real<int(const char*, const char*)>("rename");
  return renaming(from, to, [&] { return next(from, to); });
}
int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  static auto* const next = real<int(int, const char*, int, const char*)>("renameat");
  return renaming(path_at(from_folder, from), path_at(to_folder, to), [&] { return next(from_folder, from, to_folder, to); });
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  static auto* const next = real<int(int, const char*, int, const char*, unsigned)>("renameat2");
  return renaming(path_at(from_folder, from), path_at(to_folder, to), [&] {
    if (!state().cannot_exchange) return next(from_folder, from, to_folder, to, flags);
    errno = EINVAL;
    return -1;
  });
}
int remove(const char* name) noexcept {
  static auto* const next = real<int(const char*)>("remove");
  return naming(name, [&] { return next(name); });
}
int unlink(const char* name) noexcept {
  static auto* const next = real<int(const char*)>("unlink");
  return naming(name, [&] { return next(name); });
}
int unlinkat(int folder, const char* name, int flags) noexcept {
  static auto* const next = real<int(int, const char*, int)>("unlinkat");
  return naming(path_at(folder, name), [&] { return next(folder, name, flags); });
}
int mkdir(const char* name, mode_t mode) noexcept {
  static auto* const next = real<int(const char*, mode_t)>("mkdir");
  return naming(name, [&] { return next(name, mode); });
}
int rmdir(const char* name) noexcept {
  static auto* const next = real<int(const char*)>("rmdir");
  return naming(name, [&] { return next(name); });
}
int fstatvfs(int file, struct statvfs* found) noexcept {
  static auto* const next = real<int(int, struct statvfs*)>("fstatvfs");
  return tell_free(next(file, found), found);
}
int fstatvfs64(int file, struct statvfs64* found) noexcept {
  static_assert(sizeof(struct statvfs64) == sizeof(struct statvfs));
  return fstatvfs(file, reinterpret_cast<struct statvfs*>(found));
}

}   // extern "C"
