// The layer between SQLite and the simulated disk: SQLite's default VFS, which lets the disk decide what each call does, and the system's own VFS
// do it. Locks and the shared memory of the log's index are the system's.
#include <sqlite3.h>

#include <cstring>
#include <string>

#include "core/check.h"
#include "simulation/disk.h"

namespace holdfast::simulation {
namespace {

sqlite3_vfs* g_system = nullptr;

struct File {
  sqlite3_file base;
  const std::string* path;   // nullptr: none of the disk's
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  const sqlite3_io_methods* methods() { return real()->pMethods; }
};

File* of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }

Disk::Real real_of(File* file) {
  return {
      .write = [file](const char* bytes, int count,
                      std::int64_t offset) { return file->methods()->xWrite(file->real(), bytes, count, offset); },
      .read = [file](char* bytes, int count, std::int64_t offset) { return file->methods()->xRead(file->real(), bytes, count, offset); },
      .size =
          [file] {
            sqlite3_int64 size = 0;
            file->methods()->xFileSize(file->real(), &size);
            return std::int64_t{size};
          }};
}

int close_file(sqlite3_file* file) {
  const int result = of(file)->methods()->xClose(of(file)->real());
  delete of(file)->path;
  return result;
}

int read_file(sqlite3_file* file, void* to, int count, sqlite3_int64 offset) {
  const auto effect = [&] { return of(file)->methods()->xRead(of(file)->real(), to, count, offset); };
  return of(file)->path == nullptr ? effect() : Disk::get().read(*of(file)->path, effect);
}

int write_file(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  if (of(file)->path == nullptr) return of(file)->methods()->xWrite(of(file)->real(), bytes, count, offset);
  return Disk::get().write(*of(file)->path, real_of(of(file)), static_cast<const char*>(bytes), count, offset);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  const auto effect = [&] { return of(file)->methods()->xTruncate(of(file)->real(), size); };
  return of(file)->path == nullptr ? effect() : Disk::get().truncate(*of(file)->path, real_of(of(file)), size, effect);
}

int sync_file(sqlite3_file* file, int flags) {
  if (of(file)->path == nullptr) return of(file)->methods()->xSync(of(file)->real(), flags);
  return Disk::get().sync(*of(file)->path, real_of(of(file)));
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

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  of(file)->base.pMethods = nullptr;
  of(file)->path = nullptr;
  const bool is_ours = name != nullptr && Disk::get().has(name);
  if (is_ours) Disk::get().opened(name);
  const int result = g_system->xOpen(g_system, name, of(file)->real(), flags, out_flags);
  if (result != SQLITE_OK) return result;
  if (is_ours) of(file)->path = new std::string(name);   // SQLite frees the memory of a file, and knows nothing of destructors
  of(file)->base.pMethods = &k_methods;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs*, const char* name, int syncs_folder) {
  const auto effect = [&] { return g_system->xDelete(g_system, name, syncs_folder); };
  return Disk::get().has(name) ? Disk::get().remove(name, effect) : effect();
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
