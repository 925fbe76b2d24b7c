#include "simulation/segments_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "simulation/disk.h"
#include "simulation/real_file.h"

namespace holdfast::simulation {
namespace {

using segments::DiskError;
using Simulated = simulation::Disk;

[[noreturn]] void fail(const std::string& doing, const std::string& path, int code) {
  throw DiskError("cannot " + doing + " " + path + ": " + std::strerror(code), code);
}

void check(Simulated::Result result, const std::string& doing, const std::string& path) {
  if (result != Simulated::Result::ok) fail(doing, path, result == Simulated::Result::full ? ENOSPC : EIO);
}

void check_reading(const std::string& name, const std::string& doing, const std::string& path) {
  if (Simulated::get().fails_reading(name)) fail(doing, path, EIO);
}

}   // namespace

class SegmentsDisk::File : public segments::DiskFile {
 public:
  // Takes the descriptor.
  File(std::string path, std::string name, int file) : path_(std::move(path)), name_(std::move(name)), real_(file) {}
  ~File() override { ::close(real_.descriptor()); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  std::uint64_t size() override {
    check_reading(name_, "read the size of", path_);
    return static_cast<std::uint64_t>(real_.size());
  }

  void read(std::uint64_t offset, std::span<char> to, From from) override {
    check_reading(name_, "read", path_);
    const auto at = static_cast<std::int64_t>(offset);
    if (real_.read(at, to.data(), to.size()) < to.size()) throw DiskError("cannot read " + path_ + ": it ends before", EIO);
    if (from == From::disk) Simulated::get().show_disk(name_, at, to.data(), to.size());
  }

  void write(std::uint64_t offset, std::string_view bytes) override {
    check(Simulated::get().write(name_, real_, static_cast<std::int64_t>(offset), bytes), "write", path_);
  }

  void write_durably(std::uint64_t offset, std::string_view bytes) override {
    write(offset, bytes);
    sync();
  }

  void sync() override { check(Simulated::get().sync(name_, real_), "sync", path_); }

  void allocate(std::uint64_t bytes) override {
    check(Simulated::get().resize(name_, real_, static_cast<std::int64_t>(bytes)), "make room for", path_);
  }

 private:
  const std::string path_;
  const std::string name_;   // as the simulated disk knows it
  RealFile real_;
};

std::string SegmentsDisk::known_as(const std::string& name) const { return Simulated::get().name_of(path_of(name)); }

std::vector<std::string> SegmentsDisk::list() {
  check_reading(known_as(""), "list the folder", path_of(""));
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);   // a folder's order is the machine's
  return names;
}

std::unique_ptr<segments::DiskFile> SegmentsDisk::open(const std::string& name, Mode mode) {
  check_reading(known_as(name), "open", path_of(name));
  const int file = ::open(path_of(name).c_str(), (mode == Mode::write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  if (file < 0) fail("open", path_of(name), errno);
  Simulated::get().opened(known_as(name));
  return std::make_unique<File>(path_of(name), known_as(name), file);
}

std::unique_ptr<segments::DiskFile> SegmentsDisk::create(const std::string& name) {
  if (std::filesystem::exists(path_of(name))) fail("make", path_of(name), EEXIST);
  int file = -1;
  const auto make = [&] { file = ::open(path_of(name).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); };
  const Simulated::Result result = Simulated::get().create_name(known_as(name), make);
  if (result != Simulated::Result::ok && file >= 0) ::close(file);   // the process has ended in this call
  check(result, "make", path_of(name));
  return std::make_unique<File>(path_of(name), known_as(name), file);
}

void SegmentsDisk::rename(const std::string& from, const std::string& to) {
  check(Simulated::get().rename(known_as(from), known_as(to)), "rename", path_of(from));
}

void SegmentsDisk::remove(const std::string& name) {
  if (!std::filesystem::exists(path_of(name))) fail("remove", path_of(name), ENOENT);
  check(Simulated::get().remove_name(known_as(name)), "remove", path_of(name));
}

void SegmentsDisk::sync_folder() { check(Simulated::get().sync_names(known_as("")), "sync the folder", path_of("")); }

std::uint64_t SegmentsDisk::free_bytes() {
  check_reading(known_as(""), "read the free room of", path_of(""));
  return Simulated::get().free_bytes();
}

}   // namespace holdfast::simulation
