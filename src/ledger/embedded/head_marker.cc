#include "ledger/embedded/head_marker.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "core/hash.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/journal.h"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_block = 4'096;
constexpr int k_blocks = 4;
constexpr int k_reads_max = 3;
constexpr int k_head_block = 0;       // and the next one
constexpr int k_registry_block = 2;   // and the next one
constexpr std::uint64_t k_magic = 0x31646165486648;   // "HfHead1"
constexpr std::uint64_t k_seed = 0x486648;            // for the checksum

off_t offset_of(int block) { return static_cast<off_t>(block) * static_cast<off_t>(k_block); }

[[noreturn]] void cannot(const std::string& doing, const std::string& path, int error) {
  throw DataError("cannot " + doing + " " + path + ": " + std::strerror(error));
}

// The command that lets the journal beside this file count as it is.
std::string repair_beside(const std::string& path) {
  return "holdfast repair --accept-loss --data " + fs::path(path).parent_path().string();
}

}  // namespace

// One sector: 128 bytes. The bytes after the members are zero.
struct HeadMarker::Slot {
  std::uint64_t magic = k_magic;
  std::uint64_t ordinal = 0;   // of two slots, the one with the higher ordinal is newer
  std::int64_t number = 0;     // a row's position, or the registry's revision
  std::array<std::uint8_t, 32> bytes{};   // the row's hash, or the registry's id
  std::uint64_t stopped = 0;
  std::uint64_t checksum = 0;
  std::array<std::uint8_t, 56> rest{};

  std::uint64_t sum() const { return hash_bytes({reinterpret_cast<const char*>(this), offsetof(Slot, checksum)}, k_seed); }
  bool is_whole() const { return magic == k_magic && checksum == sum(); }
};

HeadMarker::Slot HeadMarker::slot_of(const RegistryRevision& revision) {
  Slot slot{.number = revision.number};
  std::memcpy(slot.bytes.data(), revision.id.data(), revision.id.size());
  return slot;
}

void HeadMarker::create(const std::string& path, const JournalHead& head, const std::optional<RegistryRevision>& registry) {
  const std::string partial = path + ".partial";
  std::string content(k_block * k_blocks, '\0');
  const auto put = [&](int first_block, Slot slot) {
    for (slot.ordinal = 0; slot.ordinal < 2; ++slot.ordinal) {
      slot.checksum = slot.sum();
      std::memcpy(content.data() + (static_cast<std::size_t>(first_block) + slot.ordinal) * k_block, &slot, sizeof slot);
    }
  };
  put(k_head_block, {.number = head.position, .bytes = head.hash});
  if (registry) put(k_registry_block, slot_of(*registry));
  const int file = ::open(partial.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) cannot("make", partial, errno);
  errno = ENOSPC;   // in case the write was cut short
  const bool is_written = ::pwrite(file, content.data(), content.size(), 0) == static_cast<ssize_t>(content.size()) && ::fsync(file) == 0;
  const int error = errno;
  ::close(file);
  if (!is_written) cannot("write", partial, error);
  give_to_owner_of_folder(partial);
  if (::rename(partial.c_str(), path.c_str()) != 0) cannot("make", path, errno);
  sync_folder_of(path);
}

HeadMarker::HeadMarker(const std::string& path, Mode mode)
    : path_(path), file_(::open(path.c_str(), (mode == Mode::write ? O_RDWR : O_RDONLY) | O_CLOEXEC)) {
  static_assert(sizeof(Slot) == 128);
  if (file_ < 0) cannot("open", path_, errno);
  try {
    struct stat found{};
    if (::fstat(file_, &found) != 0) cannot("read", path_, errno);
    if (found.st_size != static_cast<off_t>(k_block * k_blocks)) damaged();
    std::optional<Slot> slot;
    for (int i = 0; !slot && i < k_reads_max; ++i) slot = newest(k_head_block);   // a writer may be in the middle of a write
    if (!slot) damaged();
    head_ = {slot->number, slot->bytes};
    ordinal_ = slot->ordinal;
    stopped_ = slot->stopped != 0;
  } catch (...) {
    ::close(file_);
    throw;
  }
}

HeadMarker::~HeadMarker() { ::close(file_); }

std::optional<HeadMarker::Slot> HeadMarker::newest(int first_block) const {
  std::optional<Slot> newest;
  for (int block = first_block; block < first_block + 2; ++block) {
    Slot slot;
    const ssize_t got = ::pread(file_, &slot, sizeof slot, offset_of(block));
    if (got < 0) cannot("read", path_, errno);
    if (got != static_cast<ssize_t>(sizeof slot) || !slot.is_whole()) continue;
    if (!newest || newest->ordinal < slot.ordinal) newest = slot;
  }
  return newest;
}

// Overwrites the older of the two slots, so that the newer one survives even if this write fails.
void HeadMarker::write(int first_block, const Slot& slot, const std::optional<Slot>& before) {
  Slot next = slot;
  next.ordinal = before ? before->ordinal + 1 : 0;
  next.checksum = next.sum();
  const ssize_t written = ::pwrite(file_, &next, sizeof next, offset_of(first_block + static_cast<int>(next.ordinal % 2)));
  if (written != static_cast<ssize_t>(sizeof next)) cannot("write", path_, written < 0 ? errno : EIO);
}

void HeadMarker::reach(const JournalHead& head) {
  write(k_head_block, {.number = head.position, .bytes = head.hash}, Slot{.ordinal = ordinal_});
  ++ordinal_;
  head_ = head;
  stopped_ = false;
}

void HeadMarker::stop() {
  write(k_head_block, {.number = head_.position, .bytes = head_.hash, .stopped = 1}, Slot{.ordinal = ordinal_});
  ++ordinal_;
  stopped_ = true;
  sync();
}

void HeadMarker::sync() {
  if (::fdatasync(file_) != 0) cannot("sync", path_, errno);
}

std::optional<RegistryRevision> HeadMarker::registry() const {
  std::optional<Slot> slot;
  for (int i = 0; !slot && i < k_reads_max; ++i) slot = newest(k_registry_block);
  if (!slot) {
    std::array<char, 2 * k_block> both{};
    if (::pread(file_, both.data(), both.size(), offset_of(k_registry_block)) != static_cast<ssize_t>(both.size()))
      cannot("read", path_, EIO);
    if (std::ranges::any_of(both, [](char byte) { return byte != 0; })) damaged();
    return std::nullopt;
  }
  RegistryRevision revision{.number = slot->number};
  std::memcpy(revision.id.data(), slot->bytes.data(), revision.id.size());
  return revision;
}

void HeadMarker::note_registry(const RegistryRevision& revision) {
  while (::flock(file_, LOCK_EX) != 0) {
    if (errno != EINTR) cannot("lock", path_, errno);
  }
  struct Unlock {
    int file;
    ~Unlock() { ::flock(file, LOCK_UN); }
  } const unlock{file_};
  const std::optional<RegistryRevision> known = registry();
  if (known && known->id == revision.id && known->number >= revision.number) return;   // another process was faster
  write(k_registry_block, slot_of(revision), newest(k_registry_block));
  sync();
}

void HeadMarker::damaged() const {
  throw DataError(path_ +
                  " is damaged, so nobody knows how far the journal reached. Nothing was changed. Put it back with the other files from a "
                  "backup (holdfast restore); or, if journal.db is known to be whole, let the journal count as it is: " +
                  repair_beside(path_));
}

// ---------------------------------------------------------------------------------------------------------------- with a journal

void check_reached(const HeadMarker* marker, JournalRows& journal) {
  const std::string& path = journal.path();
  if (marker == nullptr) {
    const std::string missing = HeadMarker::file_in(fs::path(path).parent_path());
    if (!journal.has_marker() || fs::exists(missing)) return;   // it never had one, or it was created in the meantime
    throw DataError(missing +
                    " is missing, which says how far journal.db reached: rows may be missing at its end. Nothing was changed and nothing "
                    "is sold from it. Put it back (all files of the folder belong together), or all files from a backup (holdfast "
                    "restore). If journal.db is known to be whole: " +
                    repair_beside(path));
  }
  const Position known = marker->head().position;
  const Position last = journal.head().position;
  if (known > last) {
    throw DataError(path + " ends at row " + std::to_string(last) + ", and journal.head knows that row " + std::to_string(known) +
                    " was on disk: " + std::to_string(known - last) + " rows are missing, and what was answered with them. Was " + path +
                    "-wal deleted or left behind? Nothing was changed and nothing is sold from it. Put back the whole journal.db with its "
                    "-wal file, or all files from a backup (holdfast restore). If you have neither, accept the loss of the missing rows: " +
                    repair_beside(path));
  }
  if (known < journal.anchor().position) return;   // after a power loss, the marker may be older than the oldest row kept
  if (journal.hash_at(known) != marker->head().hash) {
    throw DataError(
        path + " and journal.head are not a pair: row " + std::to_string(known) +
        " is another one. Nothing was changed. Put back what belongs together, or all files from a backup (holdfast restore). If "
        "journal.db is the right one: " +
        repair_beside(path));
  }
}

std::unique_ptr<HeadMarker> read_head_marker(const std::string& path) {
  if (!fs::exists(path)) return nullptr;
  return std::make_unique<HeadMarker>(path, HeadMarker::Mode::read);
}

std::unique_ptr<HeadMarker> open_head_marker(const std::string& path, Journal& journal) {
  if (!fs::exists(path)) {
    check_reached(nullptr, journal);
    HeadMarker::create(path, journal.head());
  }
  auto marker = std::make_unique<HeadMarker>(path, HeadMarker::Mode::write);
  check_reached(marker.get(), journal);
  if (!journal.has_marker()) journal.note_marker();   // after the file exists: after a crash in between, the folder still starts
  return marker;
}

}  // namespace holdfast
