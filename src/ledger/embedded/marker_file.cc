#include "ledger/embedded/marker_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/hash.h"
#include "ledger/embedded/data_folder.h"

namespace holdfast {
namespace {

constexpr int k_reads_max = 3;
constexpr std::uint64_t k_seed = 0x486648;   // for the checksum

off_t offset_of(int block) { return static_cast<off_t>(block) * static_cast<off_t>(MarkerFile::k_block); }

[[noreturn]] void cannot(const std::string& doing, const std::string& path, int error) {
  throw DataError("cannot " + doing + " " + path + ": " + std::strerror(error));
}

}  // namespace

std::uint64_t MarkerSlot::sum() const {
  static_assert(sizeof(MarkerSlot) == 128);
  return hash_bytes({reinterpret_cast<const char*>(this), offsetof(MarkerSlot, checksum)}, k_seed);
}

void MarkerFile::Content::put(int first_block, MarkerSlot slot) {
  for (slot.ordinal = 0; slot.ordinal < 2; ++slot.ordinal) {
    slot.checksum = slot.sum();
    std::memcpy(bytes_.data() + (static_cast<std::size_t>(first_block) + slot.ordinal) * k_block, &slot, sizeof slot);
  }
}

void MarkerFile::create(const std::string& path, const Content& content) {
  const std::string partial = path + ".partial";
  const std::string& bytes = content.bytes();
  const int file = ::open(partial.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) cannot("make", partial, errno);
  errno = ENOSPC;   // in case the write was cut short
  const bool is_written = ::pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()) && ::fsync(file) == 0;
  const int error = errno;
  ::close(file);
  if (!is_written) cannot("write", partial, error);
  give_to_owner_of_folder(partial);
  if (::rename(partial.c_str(), path.c_str()) != 0) cannot("make", path, errno);
  sync_folder_of(path);
}

MarkerFile::MarkerFile(const std::string& path, Mode mode)
    : path_(path), file_(::open(path.c_str(), (mode == Mode::write ? O_RDWR : O_RDONLY) | O_CLOEXEC)) {
  if (file_ < 0) cannot("open", path_, errno);
}

MarkerFile::~MarkerFile() { ::close(file_); }

bool MarkerFile::has_blocks(int blocks) const {
  struct stat found{};
  if (::fstat(file_, &found) != 0) cannot("read", path_, errno);
  return found.st_size == offset_of(blocks);
}

std::optional<MarkerSlot> MarkerFile::newest(int first_block) const {
  std::optional<MarkerSlot> newest;
  for (int i = 0; !newest && i < k_reads_max; ++i) {   // a writer may be in the middle of a write
    for (int block = first_block; block < first_block + 2; ++block) {
      MarkerSlot slot;
      const ssize_t got = ::pread(file_, &slot, sizeof slot, offset_of(block));
      if (got < 0) cannot("read", path_, errno);
      if (got != static_cast<ssize_t>(sizeof slot) || !slot.is_whole()) continue;
      if (!newest || newest->ordinal < slot.ordinal) newest = slot;
    }
  }
  return newest;
}

bool MarkerFile::is_blank(int first_block) const {
  std::array<char, 2 * k_block> both{};
  if (::pread(file_, both.data(), both.size(), offset_of(first_block)) != static_cast<ssize_t>(both.size())) cannot("read", path_, EIO);
  return std::ranges::all_of(both, [](char byte) { return byte == 0; });
}

void MarkerFile::write(int first_block, const MarkerSlot& slot, const std::optional<MarkerSlot>& before) const {
  MarkerSlot next = slot;
  next.ordinal = before ? before->ordinal + 1 : 0;
  next.checksum = next.sum();
  const ssize_t written = ::pwrite(file_, &next, sizeof next, offset_of(first_block + static_cast<int>(next.ordinal % 2)));
  if (written != static_cast<ssize_t>(sizeof next)) cannot("write", path_, written < 0 ? errno : EIO);
}

void MarkerFile::sync() const {
  if (::fdatasync(file_) != 0) cannot("sync", path_, errno);
}

MarkerFile::Lock::Lock(const MarkerFile& file) : file_(file.file_) {
  while (::flock(file_, LOCK_EX) != 0) {
    if (errno != EINTR) cannot("lock", file.path_, errno);
  }
}

MarkerFile::Lock::~Lock() { ::flock(file_, LOCK_UN); }

void refuse_damaged_head(const std::string& path) {
  throw DataError(path +
                  " is damaged, so nobody knows how far the journal reached. Nothing was changed. Put it back with the other files from a "
                  "backup (holdfast restore); or, if journal.db is known to be whole, let the journal count as it is: " +
                  repair_beside(path));
}

std::string repair_beside(const std::string& path) {
  return "holdfast repair --accept-loss --data " + std::filesystem::path(path).parent_path().string();
}

}  // namespace holdfast
