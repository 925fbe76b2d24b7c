// The journal's view of its folder: the only way in which it reaches a disk. PosixDisk is the real one; tests have one that crashes, loses
// writes and fails.
//
//   std::unique_ptr<DiskFile> file = disk.create("00000001.segment.partial");
//   file->allocate(64 * 1024 * 1024);
//   file->write(0, bytes);            // into the page cache: a crash may keep any part of it
//   file->sync();                     // now on disk, except for its name
//   disk.rename("00000001.segment.partial", "00000001.segment");
//   disk.sync_folder();               // and its name too
//
// Every function throws DiskError when the system reports an error. A read or write is whole or an error, never short.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/data_error.h"

namespace holdfast::segments {

// An operation on a file failed. what() is a sentence with the operation, the file's path and the system's reason.
class DiskError : public DataError {
 public:
  DiskError(const std::string& what, int code) : DataError(what), code_(code) {}
  int code() const { return code_; }   // errno
  // ENOSPC or EDQUOT: there is no room, for the file system or for this user.
  bool is_no_room() const;

 private:
  int code_;
};

// One open file. Calls for different ranges may come from different threads at once.
class DiskFile {
 public:
  enum class From {
    cache,   // as other programs see it
    disk,    // what the disk has, if the file system can tell; else as `cache`. The page cache may show bytes that a failed sync never
             // brought to the disk
  };
  virtual ~DiskFile() = default;

  virtual std::uint64_t size() = 0;
  // Fills `to` with the bytes at `offset`. From::disk: `offset` and the size of `to` are multiples of k_block (format.h). Reading past the
  // end is an error.
  virtual void read(std::uint64_t offset, std::span<char> to, From from) = 0;
  virtual void write(std::uint64_t offset, std::string_view bytes) = 0;
  // Writes and returns when the bytes are on disk. After an error nobody knows which of them are.
  virtual void write_durably(std::uint64_t offset, std::string_view bytes) = 0;
  // Returns when all that was written is on disk. After an error it may not be, although a later sync succeeds.
  virtual void sync() = 0;
  // Gives a new file `bytes` bytes of room and size. They read as zeros, but writing them may still be slower than overwriting.
  virtual void allocate(std::uint64_t bytes) = 0;
};

// One folder. Names are of files in it. Any thread; one at a time works on a name.
class Disk {
 public:
  enum class Mode { read, write };
  virtual ~Disk() = default;

  virtual std::vector<std::string> list() = 0;   // in any order
  virtual std::unique_ptr<DiskFile> open(const std::string& name, Mode mode) = 0;
  // A new, empty file that only its owner can read. It is an error if the name is taken.
  virtual std::unique_ptr<DiskFile> create(const std::string& name) = 0;
  virtual void rename(const std::string& from, const std::string& to) = 0;   // replaces `to`
  virtual void remove(const std::string& name) = 0;
  // Returns when the names that were created, renamed and removed are so on disk.
  virtual void sync_folder() = 0;
  virtual std::uint64_t free_bytes() = 0;
  // The path of a file, for messages; an empty name: of the folder.
  virtual std::string path_of(const std::string& name) const = 0;
};

}   // namespace holdfast::segments
