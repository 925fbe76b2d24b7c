// A small preallocated file with slots, written in place: journal.head (head_marker.h) and registry.head (registry_marker.h).
//
// What it notes has two slots, written in turn, each in its own block with a checksum: a torn write leaves the previous one. Of the two, the one
// with the higher ordinal is newer. Any thread; one at a time writes the slots of one pair.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "ledger/data_error.h"

namespace holdfast {

// One sector: 128 bytes. The bytes after the members are zero.
struct MarkerSlot {
  static constexpr std::uint64_t k_magic = 0x31646165486648;   // "HfHead1"

  std::uint64_t magic = k_magic;
  std::uint64_t ordinal = 0;
  std::int64_t number = 0;   // a row's position, or the registry's revision
  std::array<std::uint8_t, 32> bytes{};   // the row's hash, or the registry's id
  std::uint64_t stopped = 0;
  std::uint64_t checksum = 0;
  std::array<std::uint8_t, 56> rest{};

  std::uint64_t sum() const;
  bool is_whole() const { return magic == k_magic && checksum == sum(); }
};

class MarkerFile {
 public:
  enum class Mode { read, write };
  static constexpr std::size_t k_block = 4'096;

  // A file's content, zeros at first.
  class Content {
   public:
    explicit Content(int blocks) : bytes_(k_block * static_cast<std::size_t>(blocks), '\0') {}
    // Puts `slot` into the block `first_block` and the next one.
    void put(int first_block, MarkerSlot slot);
    const std::string& bytes() const { return bytes_; }

   private:
    std::string bytes_;
  };
  // Creates or replaces the file; durable when it returns. Throws DataError.
  static void create(const std::string& path, const Content& content);

  // Opens an existing file. Throws DataError.
  MarkerFile(const std::string& path, Mode mode);
  ~MarkerFile();
  MarkerFile(const MarkerFile&) = delete;
  MarkerFile& operator=(const MarkerFile&) = delete;

  const std::string& path() const { return path_; }
  bool has_blocks(int blocks) const;   // is of that size
  // Of the blocks `first_block` and the next one, the newer slot that is whole; nothing: neither is. Another process may write it meanwhile.
  std::optional<MarkerSlot> newest(int first_block) const;
  bool is_blank(int first_block) const;   // nothing was ever written into these two
  // Overwrites the older of the two slots, so that the newer one survives even if this write fails. `before`: the newer one, if any.
  void write(int first_block, const MarkerSlot& slot, const std::optional<MarkerSlot>& before) const;
  void sync() const;

  // Keeps other processes, and other objects of this one, out of the same section.
  class Lock {
   public:
    explicit Lock(const MarkerFile& file);   // waits. Throws DataError
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    const int file_;
  };

 private:
  std::string path_;
  int file_ = -1;
};

// journal.head, at this path, cannot be believed.
[[noreturn]] void refuse_damaged_head(const std::string& path);

// The command that lets the journal beside journal.head count as it is.
std::string repair_beside(const std::string& path);

}   // namespace holdfast
