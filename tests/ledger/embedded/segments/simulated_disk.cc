#include "ledger/embedded/segments/simulated_disk.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ledger/embedded/segments/format.h"

namespace holdfast::test {

using segments::DiskError;
using segments::DiskFile;

namespace {

[[noreturn]] void fail(const std::string& doing, int code) { throw DiskError("cannot " + doing + ": " + std::strerror(code), code); }

}  // namespace

class SimulatedDisk::Handle : public DiskFile {
 public:
  Handle(SimulatedDisk& disk, std::string path, std::shared_ptr<File> file) : disk_(disk), path_(std::move(path)), file_(std::move(file)) {}

  std::uint64_t size() override { return file_->cached.size(); }

  void read(std::uint64_t offset, std::span<char> to, From from) override {
    if (disk_.crashed_) throw Crash();
    if (disk_.failing_reads_.contains(disk_.reads_++) || disk_.is_worn(path_, offset, to.size())) fail("read " + path_, EIO);
    if (offset + to.size() > file_->cached.size()) fail("read " + path_ + ": it ends before", EIO);
    std::ranges::copy(std::string_view(file_->cached).substr(offset, to.size()), to.begin());
    if (from != From::disk || !disk_.passes_cache_) return;
    for (std::size_t at = offset; at < offset + to.size(); ++at) {   // sector by sector, unless its newest bytes still have to be written
      const std::size_t end = std::min((at / k_sector + 1) * k_sector, offset + to.size());
      const std::size_t known = std::clamp(file_->on_disk.size(), at, end);
      if (!file_->dirty.contains(at / k_sector)) {
        std::ranges::copy(std::string_view(file_->on_disk).substr(std::min(at, file_->on_disk.size()), known - at),
                          to.begin() + static_cast<std::ptrdiff_t>(at - offset));
        std::ranges::fill(to.subspan(known - offset, end - known), '\0');
      }
      at = end - 1;
    }
  }

  void write(std::uint64_t offset, std::string_view bytes) override {
    const auto put_half = [&] { put(offset, bytes.substr(0, bytes.size() / 2)); };
    disk_.call(
        [&] {
          put_half();
          disk_.look();
          put(offset, bytes);
        },
        put_half);
  }

  void write_durably(std::uint64_t offset, std::string_view bytes) override {
    write(offset, bytes);
    sync();
  }

  void sync() override {
    disk_.call(
        [&] {
          file_->on_disk.resize(file_->cached.size(), '\0');
          for (const std::size_t sector : file_->dirty) bring(*file_, sector);
          file_->dirty.clear();
        },
        [&] { disk_.fail_sync(*file_); });
  }

  void allocate(std::uint64_t bytes) override {
    disk_.call([&] {
      if (bytes > disk_.free_) fail("make room for " + path_, ENOSPC);
      disk_.free_ -= bytes;
      file_->cached.resize(bytes, '\0');
    });
  }

 private:
  void put(std::uint64_t offset, std::string_view bytes) {
    if (bytes.empty()) return;
    if (file_->cached.size() < offset + bytes.size()) file_->cached.resize(offset + bytes.size(), '\0');
    std::ranges::copy(bytes, file_->cached.begin() + static_cast<std::ptrdiff_t>(offset));
    for (std::size_t sector = offset / k_sector; sector <= (offset + bytes.size() - 1) / k_sector; ++sector) file_->dirty.insert(sector);
  }

  SimulatedDisk& disk_;
  const std::string path_;
  const std::shared_ptr<File> file_;
};

void SimulatedDisk::bring(File& file, std::size_t sector) {
  const std::size_t from = sector * k_sector;
  const std::size_t size = std::min(k_sector, file.cached.size() - from);
  if (file.on_disk.size() < from + size) file.on_disk.resize(from + size, '\0');
  file.on_disk.replace(from, size, file.cached, from, size);
}

void SimulatedDisk::fail_sync(File& file) {
  std::set<std::size_t> still_dirty;
  for (const std::size_t sector : file.dirty) {
    const std::uint64_t fate = parts_ ? (*parts_)() % 3 : 0;
    if (fate == 1) bring(file, sector);
    if (fate == 2) still_dirty.insert(sector);
  }
  file.dirty = std::move(still_dirty);
}

bool SimulatedDisk::is_worn(const std::string& path, std::uint64_t offset, std::size_t bytes) const {
  return std::ranges::any_of(worn_, [&](const auto& worn) {
    const std::uint64_t begin = worn.second * segments::k_block;
    return worn.first == path && begin < offset + bytes && offset < begin + segments::k_block;
  });
}

void SimulatedDisk::call(const std::function<void()>& effect, const std::function<void()>& failed_effect) {
  if (crashed_) throw Crash();
  look();
  const std::size_t number = calls_++;
  if (const auto failure = failures_.find(number); failure != failures_.end()) {
    if (failed_effect) failed_effect();
    fail("do call " + std::to_string(number), failure->second);
  }
  const bool ends = crash_ && crash_->first == number;
  if (!ends || crash_->second == When::after) effect();
  if (!ends) return look();
  crashed_ = true;
  throw Crash();
}

void SimulatedDisk::look() {
  if (look_) look_();
}

std::shared_ptr<SimulatedDisk::File> SimulatedDisk::find(const std::string& name) const {
  const auto found = names_.find(name);
  if (found == names_.end()) fail("open " + path_of(name), ENOENT);
  return found->second;
}

std::vector<std::string> SimulatedDisk::list() {
  if (crashed_) throw Crash();
  std::vector<std::string> names;
  for (const auto& [name, file] : names_) names.push_back(name);
  return names;
}

std::unique_ptr<DiskFile> SimulatedDisk::open(const std::string& name, Mode) {
  if (crashed_) throw Crash();
  return std::make_unique<Handle>(*this, path_of(name), find(name));
}

std::unique_ptr<DiskFile> SimulatedDisk::create(const std::string& name) {
  call([&] {
    if (names_.contains(name)) fail("make " + path_of(name), EEXIST);
    names_[name] = std::make_shared<File>();
    unsynced_names_.push_back(names_);
  });
  return std::make_unique<Handle>(*this, path_of(name), find(name));
}

void SimulatedDisk::rename(const std::string& from, const std::string& to) {
  call([&] {
    const std::shared_ptr<File> file = find(from);
    names_.erase(from);
    names_[to] = file;
    unsynced_names_.push_back(names_);
  });
}

void SimulatedDisk::remove(const std::string& name) {
  call([&] {
    free_ += find(name)->cached.size();
    names_.erase(name);
    unsynced_names_.push_back(names_);
  });
}

void SimulatedDisk::sync_folder() {
  call([&] {
    names_on_disk_ = names_;
    unsynced_names_.clear();
  });
}

void SimulatedDisk::lose_power(std::uint64_t seed, std::size_t sectors_a_block) {
  std::mt19937_64 random(seed);
  if (!unsynced_names_.empty()) {
    const std::size_t arrived = random() % (unsynced_names_.size() + 1);
    if (arrived > 0) names_on_disk_ = unsynced_names_[arrived - 1];
  }
  std::optional<std::size_t> block;
  bool arrives = false;
  lose_power([&](std::size_t sector) {
    if (block != sector / sectors_a_block) arrives = random() % 2 == 0;
    block = sector / sectors_a_block;
    return arrives;
  });
}

void SimulatedDisk::lose_power(const std::function<bool(std::size_t sector)>& arrives) {
  for (const auto& [name, file] : names_on_disk_) {
    for (const std::size_t sector : file->dirty) {
      if (arrives(sector)) bring(*file, sector);
    }
    file->dirty.clear();
    file->cached = file->on_disk;
  }
  names_ = names_on_disk_;
  unsynced_names_.clear();
  restart();
}

void SimulatedDisk::end_process() { restart(); }

void SimulatedDisk::restart() {
  crashed_ = false;
  crash_.reset();
  failures_.clear();
  failing_reads_.clear();
  calls_ = 0;
  reads_ = 0;
}

std::string& SimulatedDisk::content(const std::string& name) { return find(name)->cached; }

void SimulatedDisk::put(const std::string& name, std::string content) {
  names_[name] = std::make_shared<File>(File{.cached = content, .on_disk = content, .dirty = {}});
  names_on_disk_ = names_;
}

void SimulatedDisk::take(const std::string& name) {
  names_.erase(name);
  names_on_disk_ = names_;
}

void SimulatedDisk::flip_bit(const std::string& name, std::uint64_t bit) {
  std::string bytes = content(name);
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
  put(name, std::move(bytes));
}

void SimulatedDisk::resize(const std::string& name, std::size_t bytes) {
  std::string resized = content(name);
  resized.resize(bytes, '\0');
  put(name, std::move(resized));
}

SimulatedDisk SimulatedDisk::copy() const {
  SimulatedDisk disk;
  for (const auto& [name, file] : names_) disk.put(name, file->cached);
  return disk;
}

}   // namespace holdfast::test
