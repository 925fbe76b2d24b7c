#include "simulation/disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "core/check.h"

namespace holdfast::simulation {
namespace {

namespace fs = std::filesystem;

constexpr const char* k_marker = "journal.head";

std::string content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void put_content(const fs::path& file, const std::string& content) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  HOLDFAST_CHECK(out.good());
}

std::string sector_in(const std::string& content, std::int64_t sector, std::int64_t size) {
  const auto from = static_cast<std::size_t>(sector * size);
  return from >= content.size() ? std::string() : content.substr(from, static_cast<std::size_t>(size));
}

// Files that a crash leaves behind. SQLite makes its index of the log (-shm) again, and the lock is the process's.
bool survives(const std::string& name) { return name != "lock" && !name.ends_with("-shm"); }

}   // namespace

const char* Disk::name_of(Fault fault) {
  switch (fault) {
    case Fault::write_error: return "write error";
    case Fault::torn_write: return "torn write";
    case Fault::full: return "disk full";
    case Fault::sync_error: return "sync error";
    case Fault::read_error: return "read error";
  }
  return "";
}

void Disk::begin(const fs::path& base, std::uint64_t seed, std::function<void(Millis)> pass) {
  base_ = base;
  choices_ = Choices(seed);
  pass_ = std::move(pass);
  lives_ = 0;
  folder_ = base_ / "life-0";
  next_.clear();
  fs::create_directories(folder_);
  files_.clear();
  marker_.clear();
  calls_ = reads_ = 0;
  slowness_ = 0;
  before_damage_ = {};
  faults_.clear();
  heal();
  sqlite3_randomness(0, nullptr);   // SQLite draws its salts from us again
}

void Disk::plan_crash(std::uint64_t call, End end) {
  crash_at_ = calls_ + call;
  end_ = end;
}

void Disk::plan_fault(Fault fault, std::uint64_t call, std::uint64_t times) {
  planned_[fault] = {(fault == Fault::read_error ? reads_ : calls_) + call, times};
}

bool Disk::heal() {
  crash_at_.reset();
  planned_.clear();
  return std::exchange(failed_, false);
}

// ---------------------------------------------------------------------------------------------------------------- crashes

void Disk::crash(End end) {
  HOLDFAST_CHECK(!has_crashed());
  end_ = end;
  crash_at_.reset();
  adopt_renamed();
  note_marker();
  next_ = base_ / ("life-" + std::to_string(++lives_));
  fs::create_directories(next_);
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    if (survives(name)) fs::copy_file(entry.path(), next_ / name);
  }
  files_of_next_ = end == End::kill ? files_ : std::map<std::string, File>();
  ++faults_[end == End::kill ? "process killed" : "power lost"];
  if (end == End::kill) return;
  for (const auto& [name, file] : files_) {
    if (survives(name) && fs::exists(next_ / name)) lose_unsynced(next_ / name, file);
  }
}

void Disk::start_again() {
  HOLDFAST_CHECK(has_crashed());
  fs::remove_all(folder_);
  folder_ = std::exchange(next_, {});
  files_ = std::exchange(files_of_next_, {});
  marker_ = content_of(folder_ / k_marker);
  heal();
}

// Of the versions that a sector had since the last sync, any may be on disk: all of them the oldest, all the newest, or each another.
void Disk::lose_unsynced(const fs::path& file, const File& known) {
  std::string content = content_of(file);
  const auto size_now = static_cast<std::int64_t>(content.size());
  const std::uint64_t luck = choices_.below(4);
  const auto put = [&](std::int64_t sector, const std::string& version) {
    const auto from = static_cast<std::size_t>(sector * k_sector);
    if (content.size() < from + version.size()) content.resize(from + version.size());
    std::ranges::copy(version, content.begin() + static_cast<std::ptrdiff_t>(from));
    // What a sector had not yet, it has as zeros.
    const std::size_t end = std::min(content.size(), from + static_cast<std::size_t>(k_sector));
    if (from + version.size() < end)
      std::fill(content.begin() + static_cast<std::ptrdiff_t>(from + version.size()), content.begin() + static_cast<std::ptrdiff_t>(end),
                '\0');
  };
  std::uint64_t lost = 0;
  for (const auto& [sector, version] : known.dropped) {
    put(sector, version);
    ++lost;
  }
  for (const auto& [sector, versions] : known.before) {
    const std::size_t chosen = luck == 0 ? 0 : luck == 1 ? versions.size() : static_cast<std::size_t>(choices_.below(versions.size() + 1));
    if (chosen == versions.size()) continue;
    put(sector, versions[chosen]);
    ++lost;
  }
  const bool grows_late = luck == 0 || (luck != 1 && choices_.one_in(2));
  const std::int64_t size = known.size_synced == size_now || !grows_late ? size_now : known.size_synced;
  content.resize(static_cast<std::size_t>(size));
  if (lost > 0) faults_["sectors lost"] += lost;
  put_content(file, content);
}

// A file that was renamed by other means than SQLite's keeps what it has unsynced.
void Disk::adopt_renamed() {
  for (auto file = files_.begin(); file != files_.end();) {
    constexpr std::string_view k_partial = ".partial";
    const std::string& name = file->first;
    if (!name.ends_with(k_partial) || fs::exists(folder_ / name)) {
      ++file;
      continue;
    }
    const std::string final_name = name.substr(0, name.size() - k_partial.size());
    if (fs::exists(folder_ / final_name)) files_.try_emplace(final_name, std::move(file->second));
    file = files_.erase(file);
  }
}

// Each note of the marker is a write without a sync.
void Disk::note_marker() {
  std::string now = content_of(folder_ / k_marker);
  if (now == marker_) return;
  File& file = files_[k_marker];
  file.size_synced = static_cast<std::int64_t>(now.size());
  const auto sectors = static_cast<std::int64_t>(now.size()) / k_sector;
  for (std::int64_t sector = 0; !marker_.empty() && sector < sectors; ++sector) {
    const std::string before = sector_in(marker_, sector, k_sector);
    if (before != sector_in(now, sector, k_sector)) file.before[sector].push_back(before);
  }
  marker_ = std::move(now);
}

void Disk::note_clean_stop() {
  marker_ = content_of(folder_ / k_marker);
  files_.erase(k_marker);
}

// ---------------------------------------------------------------------------------------------------------------- damage at rest

std::string Disk::pick_file(bool spares_tables) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    if (spares_tables && name.starts_with("state.db")) continue;
    if (survives(name) && fs::file_size(entry.path()) > 0) names.push_back(name);
  }
  std::ranges::sort(names);   // a folder's order is the machine's
  return names.empty() ? std::string() : choices_.of(names);
}

std::string Disk::rot(bool spares_tables) {
  const std::string name = pick_file(spares_tables);
  if (name.empty()) return {};
  const std::string content = content_of(folder_ / name);
  std::string changed = content;
  const std::size_t bit = static_cast<std::size_t>(choices_.below(content.size() * 8));
  changed[bit / 8] = static_cast<char>(static_cast<unsigned char>(changed[bit / 8]) ^ (1U << (bit % 8)));
  save();
  put_content(folder_ / name, changed);
  ++faults_["bit rot of " + name];
  return "bit " + std::to_string(bit) + " of " + name + " has changed";
}

std::string Disk::lose_file() {
  const std::string name = pick_file(false);
  if (name.empty()) return {};
  save();
  fs::remove(folder_ / name);
  ++faults_["loss of " + name];
  return name + " is lost";
}

void Disk::save() {
  before_damage_ = {.contents = {}, .files = files_};
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    if (survives(name)) before_damage_.contents[name] = content_of(entry.path());
  }
}

void Disk::undo_damage() {
  fs::remove_all(folder_);
  fs::create_directories(folder_);
  for (const auto& [name, content] : before_damage_.contents) put_content(folder_ / name, content);
  files_ = std::exchange(before_damage_, {}).files;
  marker_ = content_of(folder_ / k_marker);
}

// ---------------------------------------------------------------------------------------------------------------- calls

bool Disk::has(const std::string& path) const { return path.starts_with(base_.string() + "/"); }

void Disk::opened(const std::string& path) {
  adopt_renamed();
  const std::string name = fs::path(path).filename().string();
  if (files_.contains(name)) return;
  std::error_code error;
  const auto size = fs::file_size(path, error);
  files_[name].size_synced = error ? 0 : static_cast<std::int64_t>(size);
}

// Counts the call. True if the process or the machine ends in it.
bool Disk::ends_in_this_call() {
  const std::uint64_t number = calls_++;
  return crash_at_ && *crash_at_ <= number;
}

bool Disk::fails(Fault fault, const std::string& path) {
  const auto planned = planned_.find(fault);
  if (planned == planned_.end() || planned->second.times == 0) return false;
  if (planned->second.at >= (fault == Fault::read_error ? reads_ : calls_)) return false;
  --planned->second.times;
  failed_ = true;
  ++faults_[std::string(name_of(fault)) + " of " + fs::path(path).filename().string()];
  return true;
}

void Disk::note_before(File& file, const Real& real, std::int64_t offset, std::int64_t count) {
  const std::int64_t size = real.size();
  for (std::int64_t sector = offset / k_sector; sector * k_sector < offset + count; ++sector) {
    std::string bytes(static_cast<std::size_t>(std::clamp<std::int64_t>(size - sector * k_sector, 0, k_sector)), '\0');
    if (!bytes.empty()) real.read(bytes.data(), static_cast<int>(bytes.size()), sector * k_sector);
    Versions& versions = file.before[sector];
    if (const auto dropped = file.dropped.extract(sector)) versions.push_back(dropped.mapped());
    versions.push_back(std::move(bytes));
  }
}

int Disk::write(const std::string& path, const Real& real, const char* bytes, int count, std::int64_t offset) {
  if (has_crashed()) return SQLITE_IOERR_WRITE;
  const bool ends = ends_in_this_call();
  const std::uint64_t part =
      ends ? choices_.below(3) : 2;   // of the call's effect that happens before the end: nothing, half, or all of it
  const auto write_some = [&](int some) {
    if (some == 0) return SQLITE_OK;
    note_before(files_[fs::path(path).filename().string()], real, offset, some);
    return real.write(bytes, some, offset);
  };
  if (ends) {
    write_some(count * static_cast<int>(part) / 2);
    crash(end_);
    return SQLITE_IOERR_WRITE;
  }
  if (fails(Fault::full, path)) return SQLITE_FULL;
  if (fails(Fault::write_error, path)) return SQLITE_IOERR_WRITE;
  if (fails(Fault::torn_write, path)) {
    write_some(count / 2);
    return SQLITE_IOERR_WRITE;
  }
  return write_some(count);
}

int Disk::truncate(const std::string& path, const Real& real, std::int64_t size, const std::function<int()>& effect) {
  if (has_crashed()) return SQLITE_IOERR_TRUNCATE;
  const bool ends = ends_in_this_call();
  int result = SQLITE_OK;
  if (!ends || choices_.one_in(2)) {
    const std::int64_t before = real.size();
    if (before > size) note_before(files_[fs::path(path).filename().string()], real, size, before - size);
    result = effect();
  }
  if (!ends) return result;
  crash(end_);
  return SQLITE_IOERR_TRUNCATE;
}

// Which sectors a failed sync drops is chance, and of each one its oldest version is what the disk has.
void Disk::drop_part(File& file) {
  for (auto sector = file.before.begin(); sector != file.before.end();) {
    if (choices_.one_in(2)) {
      ++sector;
      continue;
    }
    file.dropped[sector->first] = sector->second.front();
    sector = file.before.erase(sector);
  }
}

int Disk::sync(const std::string& path, const Real& real) {
  if (has_crashed()) return SQLITE_IOERR_FSYNC;
  note_marker();
  File& file = files_[fs::path(path).filename().string()];
  const bool ends = ends_in_this_call();
  if (ends && choices_.one_in(2)) {
    crash(end_);
    return SQLITE_IOERR_FSYNC;
  }
  if (!ends && fails(Fault::sync_error, path)) {
    drop_part(file);
    return SQLITE_IOERR_FSYNC;
  }
  file.before.clear();
  file.size_synced = real.size();
  if (ends) {
    crash(end_);
    return SQLITE_IOERR_FSYNC;
  }
  if (slowness_ > 0) pass_(static_cast<Millis>(choices_.below(static_cast<std::uint64_t>(slowness_))));
  return SQLITE_OK;
}

int Disk::remove(const std::string& path, const std::function<int()>& effect) {
  if (has_crashed()) return SQLITE_IOERR_DELETE;
  const bool ends = ends_in_this_call();
  int result = SQLITE_OK;
  if (!ends || choices_.one_in(2)) {
    result = effect();
    files_.erase(fs::path(path).filename().string());
  }
  if (!ends) return result;
  crash(end_);
  return SQLITE_IOERR_DELETE;
}

int Disk::read(const std::string& path, const std::function<int()>& effect) {
  ++reads_;
  if (!has_crashed() && fails(Fault::read_error, path)) return SQLITE_IOERR_READ;
  return effect();
}

}   // namespace holdfast::simulation
