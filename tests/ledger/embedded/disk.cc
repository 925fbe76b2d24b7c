#include "ledger/embedded/disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <vector>

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

// An unsynced write: the bytes that it replaced.
struct Unsynced {
  std::int64_t offset;
  std::string before;     // shorter than the write if the file grew
  std::int64_t size_before;
  std::int64_t size;   // of the write

  std::int64_t end() const { return offset + size; }
};

struct State {
  std::shared_mutex frozen;   // held shared by every operation that changes a file
  mutable std::mutex mutex;
  std::string failing;
  Disk::Fault fault{};
  int left = -1;   // operations until the first failure; -1: none planned
  int operations = 0;
  std::string watched;
  std::map<std::string, std::vector<Unsynced>> unsynced;
  std::map<std::string, std::vector<Unsynced>> lost;   // by failed syncs
};

State& state() {
  static auto* the = new State;   // used by threads that end after main
  return *the;
}

struct File {
  sqlite3_file base;
  const std::string* path;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File* of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }

enum class Kind { write, sync };

// Counts an operation. True if it should fail.
bool fails(const File* file, Kind kind) {
  State& disk = state();
  const std::scoped_lock lock(disk.mutex);
  if (disk.failing.empty() || file->path->find(disk.failing) == std::string::npos) return false;
  ++disk.operations;
  if (disk.left < 0 || (kind == Kind::sync) != (disk.fault == Disk::Fault::no_sync)) return false;
  if (disk.left > 0) {
    --disk.left;
    return false;
  }
  return true;
}

Disk::Fault fault() {
  const std::scoped_lock lock(state().mutex);
  return state().fault;
}

bool is_watched(const File* file) { return !state().watched.empty() && file->path->starts_with(state().watched); }

void note_unsynced(File* file, std::int64_t offset, std::int64_t count) {
  const std::scoped_lock lock(state().mutex);
  if (!is_watched(file)) return;
  Unsynced write{.offset = offset, .before = {}, .size_before = 0, .size = count};
  sqlite3_int64 size = 0;
  file->real()->pMethods->xFileSize(file->real(), &size);
  write.size_before = size;
  const std::int64_t old = std::max<std::int64_t>(0, std::min<std::int64_t>(count, size - offset));
  write.before.resize(static_cast<std::size_t>(old));
  if (old > 0) file->real()->pMethods->xRead(file->real(), write.before.data(), static_cast<int>(old), offset);
  std::vector<Unsynced>& unsynced = state().unsynced[*file->path];
  std::vector<Unsynced>& lost = state().lost[*file->path];
  const auto is_rewritten = [&](const Unsynced& one) { return offset <= one.offset && one.end() <= offset + count; };
  std::ranges::copy_if(lost, std::back_inserter(unsynced), is_rewritten);
  std::erase_if(lost, is_rewritten);
  unsynced.push_back(std::move(write));
}

// The kernel takes what a failed sync has not written for written.
void note_lost(const File* file) {
  const std::scoped_lock lock(state().mutex);
  const auto unsynced = state().unsynced.extract(*file->path);
  if (!unsynced) return;
  std::ranges::move(unsynced.mapped(), std::back_inserter(state().lost[*file->path]));
}

void note_synced(const File* file) {
  const std::scoped_lock lock(state().mutex);
  state().unsynced.erase(*file->path);
}

int close_file(sqlite3_file* file) {
  const int result = of(file)->real()->pMethods->xClose(of(file)->real());
  delete of(file)->path;
  return result;
}

int write_file(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  const std::shared_lock moving(state().frozen);
  sqlite3_file* real = of(file)->real();
  note_unsynced(of(file), offset, count);
  if (!fails(of(file), Kind::write)) return real->pMethods->xWrite(real, bytes, count, offset);
  if (fault() == Disk::Fault::full) return SQLITE_FULL;
  real->pMethods->xWrite(real, bytes, count / 2, offset);
  return SQLITE_IOERR_WRITE;
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  const std::shared_lock moving(state().frozen);
  sqlite3_int64 before = 0;
  of(file)->real()->pMethods->xFileSize(of(file)->real(), &before);
  if (before > size) note_unsynced(of(file), size, before - size);
  return of(file)->real()->pMethods->xTruncate(of(file)->real(), size);
}

int sync_file(sqlite3_file* file, int flags) {
  const std::shared_lock moving(state().frozen);
  if (fails(of(file), Kind::sync)) {
    note_lost(of(file));
    return SQLITE_IOERR_FSYNC;
  }
  const int result = of(file)->real()->pMethods->xSync(of(file)->real(), flags);
  note_synced(of(file));
  return result;
}

int read_file(sqlite3_file* f, void* to, int count, sqlite3_int64 at) {
  return of(f)->real()->pMethods->xRead(of(f)->real(), to, count, at);
}
int file_size(sqlite3_file* f, sqlite3_int64* size) { return of(f)->real()->pMethods->xFileSize(of(f)->real(), size); }
int lock_file(sqlite3_file* f, int level) { return of(f)->real()->pMethods->xLock(of(f)->real(), level); }
int unlock_file(sqlite3_file* f, int level) { return of(f)->real()->pMethods->xUnlock(of(f)->real(), level); }
int check_lock(sqlite3_file* f, int* out) { return of(f)->real()->pMethods->xCheckReservedLock(of(f)->real(), out); }
int control(sqlite3_file* f, int op, void* arg) { return of(f)->real()->pMethods->xFileControl(of(f)->real(), op, arg); }
int sector_size(sqlite3_file* f) { return of(f)->real()->pMethods->xSectorSize(of(f)->real()); }
int characteristics(sqlite3_file* f) { return of(f)->real()->pMethods->xDeviceCharacteristics(of(f)->real()); }
int shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
  return of(f)->real()->pMethods->xShmMap(of(f)->real(), page, size, extend, out);
}
int shm_lock(sqlite3_file* f, int at, int n, int flags) { return of(f)->real()->pMethods->xShmLock(of(f)->real(), at, n, flags); }
void shm_barrier(sqlite3_file* f) { of(f)->real()->pMethods->xShmBarrier(of(f)->real()); }
int shm_unmap(sqlite3_file* f, int remove) { return of(f)->real()->pMethods->xShmUnmap(of(f)->real(), remove); }

const sqlite3_io_methods k_methods = {2,         close_file,  read_file,  write_file, truncate_file, sync_file,       file_size,
                                      lock_file, unlock_file, check_lock, control,    sector_size,   characteristics, shm_map,
                                      shm_lock,  shm_barrier, shm_unmap,  nullptr,    nullptr};

sqlite3_vfs* g_real = nullptr;

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  of(file)->base.pMethods = nullptr;
  of(file)->path = nullptr;
  const int result = g_real->xOpen(g_real, name, of(file)->real(), flags, out_flags);
  if (result != SQLITE_OK) return result;
  of(file)->path = new std::string(name == nullptr ? "" : name);
  of(file)->base.pMethods = &k_methods;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs*, const char* name, int sync_folder) {
  const std::shared_lock moving(state().frozen);
  {
    const std::scoped_lock lock(state().mutex);
    state().unsynced.erase(name);
    state().lost.erase(name);
  }
  return g_real->xDelete(g_real, name, sync_folder);
}

constexpr const char* k_files[] = {"journal.db", "journal.db-wal", "journal.head", "registry.head", "state.db", "state.db-wal"};

void copy_files(const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  for (const char* file : k_files) {
    if (fs::exists(from / file)) fs::copy_file(from / file, to / file, fs::copy_options::overwrite_existing);
  }
  if (!fs::exists(from / "journal")) return;
  fs::create_directories(to / "journal");
  for (const auto& entry : fs::directory_iterator(from / "journal")) {   // segments come and go meanwhile
    std::error_code is_gone;
    fs::copy_file(entry.path(), to / "journal" / entry.path().filename(), fs::copy_options::overwrite_existing, is_gone);
  }
}

void undo(const fs::path& file, const std::vector<Unsynced>& writes, double share) {
  const auto keep = static_cast<std::size_t>(static_cast<double>(writes.size()) * (1 - share));
  for (std::size_t i = writes.size(); i-- > keep;) {
    {
      std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
      out.seekp(writes[i].offset);
      out.write(writes[i].before.data(), static_cast<std::streamsize>(writes[i].before.size()));
    }
    fs::resize_file(file, static_cast<std::uintmax_t>(writes[i].size_before));
  }
}

// Later writes that are on disk keep the file's size.
void take_back(const fs::path& file, std::vector<Unsynced> writes) {
  std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
  for (auto write = writes.rbegin(); write != writes.rend(); ++write) {
    write->before.resize(static_cast<std::size_t>(write->size));
    out.seekp(write->offset);
    out.write(write->before.data(), write->size);
  }
}

}  // namespace

Disk::Disk() {
  g_real = sqlite3_vfs_find(nullptr);
  static sqlite3_vfs vfs;
  vfs = *g_real;
  vfs.szOsFile = static_cast<int>(sizeof(File)) + g_real->szOsFile;
  vfs.zName = "holdfast-test";
  vfs.xOpen = open_file;
  vfs.xDelete = delete_file;
  sqlite3_vfs_register(&vfs, 1);
}

Disk& Disk::get() {
  static Disk disk;
  return disk;
}

void Disk::fail(const std::string& name, Fault fault, int operations) {
  const std::scoped_lock lock(state().mutex);
  state().failing = name;
  state().fault = fault;
  state().left = operations;
  state().operations = 0;
}

void Disk::heal() {
  const std::scoped_lock lock(state().mutex);
  state().left = -1;
}

int Disk::operations() const {
  const std::scoped_lock lock(state().mutex);
  return state().operations;
}

void Disk::copy_as_after_kill(const fs::path& from, const fs::path& to) {
  const std::unique_lock frozen(state().frozen);
  copy_files(from, to);
}

void Disk::watch(const fs::path& folder) {
  const std::scoped_lock lock(state().mutex);
  state().watched = folder.string();
  state().unsynced.clear();
  state().lost.clear();
}

void Disk::stop_watching() { watch({}); }

void Disk::copy_as_after_power_loss(const fs::path& from, const fs::path& to, double share) {
  const std::unique_lock frozen(state().frozen);
  const std::scoped_lock lock(state().mutex);
  copy_files(from, to);
  for (const char* file : k_files) {
    const auto lost = state().lost.find((from / file).string());
    if (lost != state().lost.end() && fs::exists(to / file)) take_back(to / file, lost->second);
    const auto writes = state().unsynced.find((from / file).string());
    if (writes != state().unsynced.end() && fs::exists(to / file)) undo(to / file, writes->second, share);
  }
}

}  // namespace holdfast::test
