// The layer between SQLite and the simulated disk: SQLite's default VFS, which lets the disk decide what each call does, and the system's own VFS
// do it. Locks and the shared memory of the log's index are the system's.
#include <sqlite3.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "core/check.h"
#include "simulation/disk.h"

namespace holdfast::simulation {
namespace {

sqlite3_vfs* g_system = nullptr;

struct File {
  sqlite3_file base;
  const std::string* name;   // nullptr: none of the disk's
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  const sqlite3_io_methods* methods() { return real()->pMethods; }
};

File* of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }

// The file itself. It is in memory: its calls do not fail.
class Real : public Disk::Real {
 public:
  explicit Real(sqlite3_file* file) : file_(of(file)) {}
  void write(std::int64_t offset, std::string_view bytes) override {
    HOLDFAST_CHECK(file_->methods()->xWrite(file_->real(), bytes.data(), static_cast<int>(bytes.size()), offset) == SQLITE_OK);
  }
  std::size_t read(std::int64_t offset, char* to, std::size_t bytes) override {
    const auto there = static_cast<std::size_t>(std::clamp<std::int64_t>(size() - offset, 0, static_cast<std::int64_t>(bytes)));
    if (there > 0) HOLDFAST_CHECK(file_->methods()->xRead(file_->real(), to, static_cast<int>(there), offset) == SQLITE_OK);
    return there;
  }
  std::int64_t size() override {
    sqlite3_int64 size = 0;
    HOLDFAST_CHECK(file_->methods()->xFileSize(file_->real(), &size) == SQLITE_OK);
    return size;
  }
  void resize(std::int64_t bytes) override { HOLDFAST_CHECK(file_->methods()->xTruncate(file_->real(), bytes) == SQLITE_OK); }

 private:
  File* file_;
};

int told(Disk::Result result, int failed) {
  switch (result) {
    case Disk::Result::ok: return SQLITE_OK;
    case Disk::Result::full: return SQLITE_FULL;
    case Disk::Result::failed: break;
  }
  return failed;
}

int close_file(sqlite3_file* file) {
  const int result = of(file)->methods()->xClose(of(file)->real());
  delete of(file)->name;
  return result;
}

int read_file(sqlite3_file* file, void* to, int count, sqlite3_int64 offset) {
  if (of(file)->name != nullptr && Disk::get().fails_reading(*of(file)->name)) return SQLITE_IOERR_READ;
  return of(file)->methods()->xRead(of(file)->real(), to, count, offset);
}

int write_file(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  if (of(file)->name == nullptr) return of(file)->methods()->xWrite(of(file)->real(), bytes, count, offset);
  Real real(file);
  const std::string_view all(static_cast<const char*>(bytes), static_cast<std::size_t>(count));
  return told(Disk::get().write(*of(file)->name, real, offset, all), SQLITE_IOERR_WRITE);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  if (of(file)->name == nullptr) return of(file)->methods()->xTruncate(of(file)->real(), size);
  Real real(file);
  return told(Disk::get().resize(*of(file)->name, real, size), SQLITE_IOERR_TRUNCATE);
}

int sync_file(sqlite3_file* file, int flags) {
  if (of(file)->name == nullptr) return of(file)->methods()->xSync(of(file)->real(), flags);
  Real real(file);
  return told(Disk::get().sync(*of(file)->name, real), SQLITE_IOERR_FSYNC);
}

int file_size(sqlite3_file* file, sqlite3_int64* size) { return of(file)->methods()->xFileSize(of(file)->real(), size); }
int lock_file(sqlite3_file* file, int level) { return of(file)->methods()->xLock(of(file)->real(), level); }
int unlock_file(sqlite3_file* file, int level) { return of(file)->methods()->xUnlock(of(file)->real(), level); }
int check_lock(sqlite3_file* file, int* held) { return of(file)->methods()->xCheckReservedLock(of(file)->real(), held); }
int control(sqlite3_file* file, int operation, void* about) {
  return of(file)->methods()->xFileControl(of(file)->real(), operation, about);
}
int sector_size(sqlite3_file* file) { return of(file)->methods()->xSectorSize(of(file)->real()); }
int characteristics(sqlite3_file* file) { return of(file)->methods()->xDeviceCharacteristics(of(file)->real()); }
int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** to) {
  return of(file)->methods()->xShmMap(of(file)->real(), page, size, extend, to);
}
int shm_lock(sqlite3_file* file, int at, int count, int flags) { return of(file)->methods()->xShmLock(of(file)->real(), at, count, flags); }
void shm_barrier(sqlite3_file* file) { of(file)->methods()->xShmBarrier(of(file)->real()); }
int shm_unmap(sqlite3_file* file, int removes) { return of(file)->methods()->xShmUnmap(of(file)->real(), removes); }

const sqlite3_io_methods k_methods = {.iVersion = 2,
                                      .xClose = close_file,
                                      .xRead = read_file,
                                      .xWrite = write_file,
                                      .xTruncate = truncate_file,
                                      .xSync = sync_file,
                                      .xFileSize = file_size,
                                      .xLock = lock_file,
                                      .xUnlock = unlock_file,
                                      .xCheckReservedLock = check_lock,
                                      .xFileControl = control,
                                      .xSectorSize = sector_size,
                                      .xDeviceCharacteristics = characteristics,
                                      .xShmMap = shm_map,
                                      .xShmLock = shm_lock,
                                      .xShmBarrier = shm_barrier,
                                      .xShmUnmap = shm_unmap,
                                      .xFetch = nullptr,
                                      .xUnfetch = nullptr};

int open_file(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  of(file)->base.pMethods = nullptr;
  of(file)->name = nullptr;
  Disk& disk = Disk::get();
  const bool is_ours = path != nullptr && disk.has(path);
  if (is_ours && disk.has_crashed()) return SQLITE_CANTOPEN;   // a dead process has nothing to look for
  if (is_ours) disk.opened(disk.name_of(path));
  const int result = g_system->xOpen(g_system, path, of(file)->real(), flags, out_flags);
  if (result != SQLITE_OK) return result;
  if (is_ours)
    of(file)->name = new std::string(disk.name_of(path));   // SQLite frees the memory of a file, and knows nothing of destructors
  of(file)->base.pMethods = &k_methods;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs*, const char* path, int syncs_folder) {
  Disk& disk = Disk::get();
  if (!disk.has(path)) return g_system->xDelete(g_system, path, syncs_folder);
  int result = SQLITE_OK;
  const Disk::Result allowed = disk.remove(disk.name_of(path), [&] { result = g_system->xDelete(g_system, path, 0); });
  return allowed == Disk::Result::ok ? result : SQLITE_IOERR_DELETE;
}

int randomness(sqlite3_vfs*, int count, char* to) {
  for (int i = 0; i < count; ++i) to[i] = static_cast<char>(Disk::get().draw());
  return count;
}

int sleep_virtually(sqlite3_vfs*, int microseconds) {
  Disk::get().wait(microseconds / 1'000);
  return microseconds;
}

}   // namespace

Disk& Disk::get() {
  static Disk disk;
  return disk;
}

Disk::Disk() {
  g_system = sqlite3_vfs_find(nullptr);
  HOLDFAST_CHECK(g_system != nullptr);
  static sqlite3_vfs vfs;
  vfs = *g_system;
  vfs.szOsFile = static_cast<int>(sizeof(File)) + g_system->szOsFile;
  vfs.zName = "holdfast-simulation";
  vfs.xOpen = open_file;
  vfs.xDelete = delete_file;
  vfs.xRandomness = randomness;
  vfs.xSleep = sleep_virtually;
  HOLDFAST_CHECK(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}

}   // namespace holdfast::simulation
