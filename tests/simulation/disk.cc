#include "simulation/disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "core/check.h"

namespace holdfast::simulation {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t k_endless_room = std::uint64_t{1} << 40;
constexpr std::string_view k_segments = "journal/";   // the folder whose names can be lost

std::string content_of(const fs::path& file) {
  std::string content(fs::file_size(file), '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(content.data(), static_cast<std::streamsize>(content.size()));
  HOLDFAST_CHECK(in.good());
  return content;
}

void put_content(const fs::path& file, const std::string& content) {
  fs::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  HOLDFAST_CHECK(out.good());
}

// Of a file, for counting: segments have numbers.
std::string kind_of(const std::string& name) { return name.find(".segment") == std::string::npos ? name : "a segment"; }

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
  prefix_ = base.string() + "/life-";
  choices_ = Choices(seed);
  pass_ = std::move(pass);
  lives_ = 0;
  folder_ = base_ / "life-0";
  next_.clear();
  fs::create_directories(folder_);
  files_.clear();
  names_.clear();
  gone_ = 0;
  calls_ = reads_ = 0;
  slowness_ = 0;
  passes_cache_ = true;
  room_.reset();
  before_damage_ = {};
  faults_.clear();
  heal();
  sqlite3_randomness(0, nullptr);   // SQLite draws its salts from us again
}

// Of a path in any life's folder: what follows the folder.
std::string Disk::name_of(std::string_view path) const {
  const std::size_t end = path.find('/', prefix_.size());
  return end == std::string_view::npos ? std::string() : std::string(path.substr(end + 1));
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

std::uint64_t Disk::free_bytes() {
  if (!room_) return k_endless_room;
  std::uint64_t taken = 0;
  for (const std::string& name : names_of_files()) {
    if (name.starts_with(k_segments)) taken += fs::file_size(folder_ / name);
  }
  return *room_ > taken ? *room_ - taken : 0;
}

// ---------------------------------------------------------------------------------------------------------------- crashes

void Disk::crash(End end) {
  HOLDFAST_CHECK(!has_crashed());
  end_ = end;
  crash_at_.reset();
  adopt_renamed();
  next_ = base_ / ("life-" + std::to_string(++lives_));
  fs::create_directories(next_);
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.is_directory()) fs::create_directories(next_ / entry.path().filename());
  }
  for (const std::string& name : names_of_files()) fs::copy_file(folder_ / name, next_ / name);
  ++faults_[end == End::kill ? "process killed" : "power lost"];
  if (end == End::kill) {
    files_of_next_ = files_;
    names_of_next_ = names_;
    return;
  }
  std::map<std::string, File> files = files_;
  lose_names(files);
  for (const auto& [name, file] : files) {
    if (survives(name) && fs::exists(next_ / name)) lose_unsynced(next_ / name, file);
  }
  files_of_next_.clear();
  names_of_next_.clear();
}

void Disk::start_again() {
  HOLDFAST_CHECK(has_crashed());
  fs::remove_all(folder_);
  folder_ = std::exchange(next_, {});
  files_ = std::exchange(files_of_next_, {});
  names_ = std::exchange(names_of_next_, {});
  heal();
}

// The folder's changes arrive in their order: the first ones are on disk, the others never happened.
void Disk::lose_names(std::map<std::string, File>& files) {
  const auto arrived = static_cast<std::size_t>(choices_.below(names_.size() + 1));
  const std::size_t lost = names_.size() - arrived;
  for (std::size_t i = names_.size(); i-- > arrived;) {
    const NameChange& change = names_[i];
    if (change.before.empty()) {
      fs::remove(next_ / change.after);
      files.erase(change.after);
    } else if (!change.after.empty()) {
      fs::rename(next_ / change.after, next_ / change.before);
      files[change.before] = std::move(files[change.after]);
      files.erase(change.after);
    }
    if (change.gone.empty()) continue;
    const std::string& name = change.after.empty() ? change.before : change.after;
    fs::copy_file(change.gone, next_ / name);
    files[name] = change.gone_file;
  }
  if (lost > 0) faults_["names lost"] += lost;
}

std::map<std::int64_t, Disk::Versions> Disk::by_sector(const File& file) {
  std::map<std::int64_t, Versions> versions;
  for (const Replaced& replaced : file.replaced) {
    for (std::int64_t i = 0; i < replaced.sectors; ++i) {
      const auto from = std::min(static_cast<std::size_t>(i * k_sector), replaced.bytes.size());
      versions[replaced.sector + i].push_back(replaced.bytes.substr(from, static_cast<std::size_t>(k_sector)));
    }
  }
  return versions;
}

// Of the versions that a sector had since the last sync, any may be on disk: all of them the oldest, all the newest, or each another.
void Disk::lose_unsynced(const fs::path& path, const File& file) {
  if (file.replaced.empty() && file.dropped.empty() && static_cast<std::uint64_t>(file.size_synced) == fs::file_size(path)) return;
  std::string content = content_of(path);
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
  for (const auto& [sector, version] : file.dropped) {
    put(sector, version);
    ++lost;
  }
  for (const auto& [sector, versions] : by_sector(file)) {
    const std::size_t chosen = luck == 0 ? 0 : luck == 1 ? versions.size() : static_cast<std::size_t>(choices_.below(versions.size() + 1));
    if (chosen == versions.size()) continue;
    put(sector, versions[chosen]);
    ++lost;
  }
  const bool grows_late = luck == 0 || (luck != 1 && choices_.one_in(2));
  const std::int64_t size = file.size_synced == size_now || !grows_late ? size_now : file.size_synced;
  content.resize(static_cast<std::size_t>(size));
  if (lost > 0) faults_["sectors lost"] += lost;
  put_content(path, content);
}

// A file that was renamed by other means than ours keeps what it has unsynced.
void Disk::adopt_renamed() {
  constexpr std::string_view k_partial = ".partial";
  for (auto file = files_.begin(); file != files_.end();) {
    const std::string& name = file->first;
    if (!name.ends_with(k_partial) || name.starts_with(k_segments) || fs::exists(folder_ / name)) {
      ++file;
      continue;
    }
    const std::string final_name = name.substr(0, name.size() - k_partial.size());
    if (fs::exists(folder_ / final_name)) files_.try_emplace(final_name, std::move(file->second));
    file = files_.erase(file);
  }
}

// ---------------------------------------------------------------------------------------------------------------- damage at rest

// In an order that is the same on every machine.
std::vector<std::string> Disk::names_of_files() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
    std::string name = name_of(entry.path().native());
    if (!entry.is_directory() && survives(name)) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

std::string Disk::pick_file(bool spares_tables) {
  std::vector<std::string> names = names_of_files();
  std::erase_if(names, [&](const std::string& name) {
    return (spares_tables && name.starts_with("state.db")) || fs::file_size(folder_ / name) == 0;
  });
  return names.empty() ? std::string() : choices_.of(names);
}

// Most of a segment is zeros that nobody has written to yet: mostly another bit is chosen.
std::string Disk::rot(bool spares_tables) {
  const std::string name = pick_file(spares_tables);
  if (name.empty()) return {};
  std::string content = content_of(folder_ / name);
  std::size_t bit = 0;
  for (int tries = 0; tries < 16; ++tries) {
    bit = static_cast<std::size_t>(choices_.below(content.size() * 8));
    if (content[bit / 8] != 0) break;
  }
  save();
  content[bit / 8] = static_cast<char>(static_cast<unsigned char>(content[bit / 8]) ^ (1U << (bit % 8)));
  put_content(folder_ / name, content);
  ++faults_["bit rot of " + kind_of(name)];
  return "bit " + std::to_string(bit) + " of " + name + " has changed";
}

std::string Disk::lose_file() {
  const std::string name = pick_file(false);
  if (name.empty()) return {};
  save();
  fs::remove(folder_ / name);
  ++faults_["loss of " + kind_of(name)];
  return name + " is lost";
}

std::string Disk::swap_segments() {
  std::vector<std::string> names = names_of_files();
  std::erase_if(names, [](const std::string& name) { return !name.starts_with(k_segments) || !name.ends_with(".segment"); });
  if (names.size() < 2) return {};
  save();
  const std::string one = choices_.of(names);
  std::erase(names, one);
  const std::string other = choices_.of(names);
  const fs::path aside = base_ / "swapped";
  fs::rename(folder_ / one, aside);
  fs::rename(folder_ / other, folder_ / one);
  fs::rename(aside, folder_ / other);
  ++faults_["two segments swapped"];
  return one + " and " + other + " are swapped";
}

void Disk::save() {
  before_damage_ = {.contents = {}, .files = files_, .names = names_};
  for (const std::string& name : names_of_files()) before_damage_.contents[name] = content_of(folder_ / name);
}

void Disk::undo_damage() {
  fs::remove_all(folder_);
  fs::create_directories(folder_);
  for (const auto& [name, content] : before_damage_.contents) put_content(folder_ / name, content);
  files_ = std::move(before_damage_.files);
  names_ = std::move(before_damage_.names);
  before_damage_ = {};
}

// ---------------------------------------------------------------------------------------------------------------- calls

// What was there before the first call is on disk.
Disk::File& Disk::file_of(const std::string& name) {
  const auto known = files_.find(name);
  if (known != files_.end()) return known->second;
  std::error_code error;
  const auto size = fs::file_size(folder_ / name, error);
  return files_.emplace(name, File{.replaced = {}, .dropped = {}, .size_synced = error ? 0 : static_cast<std::int64_t>(size)})
      .first->second;
}

Disk::File Disk::take_file(const std::string& name) {
  File file = std::move(file_of(name));
  files_.erase(name);
  return file;
}

void Disk::opened(const std::string& name) {
  adopt_renamed();
  file_of(name);
}

// Counts the call. True if the process or the machine ends in it.
bool Disk::ends_in_this_call() {
  const std::uint64_t number = calls_++;
  return crash_at_ && *crash_at_ <= number;
}

bool Disk::fails(Fault fault, const std::string& name) {
  if (planned_.empty()) return false;
  const auto planned = planned_.find(fault);
  if (planned == planned_.end() || planned->second.times == 0) return false;
  if (planned->second.at >= (fault == Fault::read_error ? reads_ : calls_)) return false;
  --planned->second.times;
  failed_ = true;
  ++faults_[std::string(name_of(fault)) + " of " + kind_of(name)];
  return true;
}

Disk::Result Disk::fails_as(std::initializer_list<Fault> faults, const std::string& name) {
  for (const Fault fault : faults) {
    if (fails(fault, name)) return fault == Fault::full ? Result::full : Result::failed;
  }
  return Result::ok;
}

void Disk::note_replaced(File& file, Real& real, std::int64_t offset, std::int64_t count) {
  if (count <= 0) return;
  const std::int64_t first = offset / k_sector;
  const std::int64_t sectors = (offset + count - 1) / k_sector + 1 - first;
  for (auto dropped = file.dropped.lower_bound(first); dropped != file.dropped.end() && dropped->first < first + sectors;) {
    file.replaced.push_back({.sector = dropped->first, .sectors = 1, .bytes = std::move(dropped->second)});
    dropped = file.dropped.erase(dropped);
  }
  std::string bytes(static_cast<std::size_t>(sectors * k_sector), '\0');
  bytes.resize(real.read(first * k_sector, bytes.data(), bytes.size()));
  file.replaced.push_back({.sector = first, .sectors = sectors, .bytes = std::move(bytes)});
}

Disk::Result Disk::write(const std::string& name, Real& real, std::int64_t offset, std::string_view bytes) {
  if (has_crashed()) return Result::failed;
  const bool ends = ends_in_this_call();
  const std::uint64_t part =
      ends ? choices_.below(3) : 2;   // of the call's effect that happens before the end: nothing, half, or all of it
  const auto write_some = [&](std::string_view some) {
    if (some.empty()) return;
    note_replaced(file_of(name), real, offset, static_cast<std::int64_t>(some.size()));
    real.write(offset, some);
  };
  if (ends) {
    write_some(bytes.substr(0, bytes.size() * part / 2));
    crash(end_);
    return Result::failed;
  }
  if (const Result result = fails_as({Fault::full, Fault::write_error}, name); result != Result::ok) return result;
  if (fails(Fault::torn_write, name)) {
    write_some(bytes.substr(0, bytes.size() / 2));
    return Result::failed;
  }
  write_some(bytes);
  return Result::ok;
}

Disk::Result Disk::resize(const std::string& name, Real& real, std::int64_t bytes) {
  if (has_crashed()) return Result::failed;
  const bool ends = ends_in_this_call();
  const std::int64_t before = real.size();
  const bool grows = bytes > before;
  if (!ends && grows) {
    if (const Result result = fails_as({Fault::full, Fault::write_error}, name); result != Result::ok) return result;
    if (room_ && name.starts_with(k_segments) && free_bytes() < static_cast<std::uint64_t>(bytes - before)) return Result::full;
  }
  if (!ends || choices_.one_in(2)) {
    if (!grows) note_replaced(file_of(name), real, bytes, before - bytes);
    real.resize(bytes);
  }
  if (!ends) return Result::ok;
  crash(end_);
  return Result::failed;
}

// Which sectors a failed sync drops is chance, and of each one its oldest version is what the disk has.
void Disk::drop_part(File& file) {
  const std::map<std::int64_t, Versions> all = by_sector(file);
  file.replaced.clear();
  for (const auto& [sector, versions] : all) {
    if (choices_.one_in(2)) {
      for (const std::string& version : versions) file.replaced.push_back({.sector = sector, .sectors = 1, .bytes = version});
    } else {
      file.dropped[sector] = versions.front();
    }
  }
}

Disk::Result Disk::sync(const std::string& name, Real& real) {
  if (has_crashed()) return Result::failed;
  const bool ends = ends_in_this_call();
  if (ends && choices_.one_in(2)) {
    crash(end_);
    return Result::failed;
  }
  File& file = file_of(name);
  if (!ends && fails(Fault::sync_error, name)) {
    drop_part(file);
    return Result::failed;
  }
  file.replaced.clear();
  file.size_synced = real.size();
  if (ends) {
    crash(end_);
    return Result::failed;
  }
  if (slowness_ > 0) pass_(static_cast<Millis>(choices_.below(static_cast<std::uint64_t>(slowness_))));
  return Result::ok;
}

Disk::Result Disk::remove(const std::string& name, const std::function<void()>& effect) {
  return change_names(name, {}, [&] {
    effect();
    files_.erase(name);
  });
}

bool Disk::fails_reading(const std::string& name) {
  ++reads_;
  return !has_crashed() && fails(Fault::read_error, name);
}

void Disk::show_disk(const std::string& name, std::int64_t offset, char* bytes, std::size_t count) const {
  const auto file = files_.find(name);
  if (!passes_cache_ || file == files_.end()) return;
  const std::int64_t end = offset + static_cast<std::int64_t>(count);
  for (const auto& [sector, version] : file->second.dropped) {
    const std::int64_t from = sector * k_sector;
    if (from < offset || from + k_sector > end) continue;   // whole blocks are read
    char* const to = bytes + (from - offset);
    std::fill_n(to, k_sector, '\0');
    std::ranges::copy(version, to);
  }
}

// ---------------------------------------------------------------------------------------------------------------- names

Disk::Result Disk::change_names(const std::string& name, std::initializer_list<Fault> faults, const std::function<void()>& effect) {
  if (has_crashed()) return Result::failed;
  const bool ends = ends_in_this_call();
  if (!ends) {
    if (const Result result = fails_as(faults, name); result != Result::ok) return result;
  }
  if (!ends || choices_.one_in(2)) effect();
  if (!ends) return Result::ok;
  crash(end_);
  return Result::failed;
}

// The content stays as long as the folder is not synced, for whoever has the file open too.
fs::path Disk::put_aside(const std::string& name) {
  fs::path aside = base_ / ("gone-" + std::to_string(gone_++));
  fs::rename(folder_ / name, aside);
  return aside;
}

Disk::Result Disk::create_name(const std::string& name, const std::function<void()>& effect) {
  return change_names(name, {Fault::full, Fault::write_error}, [&] {
    effect();
    files_[name] = {};
    names_.push_back({.before = {}, .after = name});
  });
}

Disk::Result Disk::rename(const std::string& from, const std::string& to) {
  return change_names(from, {Fault::full, Fault::write_error}, [&] {
    NameChange change{.before = from, .after = to};
    if (fs::exists(folder_ / to)) {
      change.gone_file = take_file(to);
      change.gone = put_aside(to);
    }
    File file = take_file(from);
    fs::rename(folder_ / from, folder_ / to);
    files_[to] = std::move(file);
    names_.push_back(std::move(change));
  });
}

Disk::Result Disk::remove_name(const std::string& name) {
  return change_names(name, {Fault::write_error}, [&] {
    NameChange change{.before = name, .after = {}, .gone_file = take_file(name)};
    change.gone = put_aside(name);
    names_.push_back(std::move(change));
  });
}

Disk::Result Disk::sync_names(const std::string& folder) {
  return change_names(folder, {Fault::sync_error}, [&] {
    if (folder + "/" != k_segments) return;   // names in other folders are durable at once
    for (const NameChange& change : names_) {
      if (!change.gone.empty() && before_damage_.contents.empty()) fs::remove(change.gone);   // undo_damage() may need it
    }
    names_.clear();
  });
}

}   // namespace holdfast::simulation
