// The disk of a simulated machine: a folder of real files whose unsynced bytes a power failure loses, sector by sector, and whose calls fail on
// command. It stands between the program and its files: below SQLite as its default VFS (vfs.cc), below the journal's segments as their port
// (segments_disk.h), and below the markers in place of calls of the C library (system_calls.cc).
//
// The files show what the page cache has. Beside them the disk remembers what their sectors had before the writes that are not synced, and which
// names of the folder journal/ are not. A crash leaves the folder as the end of the process, or of the machine, would leave it: the next life
// starts in it. The old process may go on until its objects are gone; nothing that it still writes counts.
//
//   Disk& disk = Disk::get();
//   disk.begin(base, seed, pass);
//   disk.plan_crash(17, Disk::End::power);   // in the 18th call from now
//   …
//   if (disk.has_crashed()) disk.start_again();   // disk.folder() is another one now
//
// A call is one that changes a file or a folder, or syncs it. A file's name is its path below the folder. For one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "simulation/choices.h"

namespace holdfast::simulation {

class Disk {
 public:
  enum class End { kill, power };   // of the process: the page cache stays; of the machine: it is gone
  enum class Fault { write_error, torn_write, full, sync_error, read_error };
  enum class Result { ok, failed, full };
  static const char* name_of(Fault fault);

  static Disk& get();

  // A new disk in an empty folder. `pass` lets virtual time pass: a sync may take long, and whoever waits for a lock waits.
  void begin(const std::filesystem::path& base, std::uint64_t seed, std::function<void(Millis)> pass);

  // Where the node's files are.
  const std::filesystem::path& folder() const { return folder_; }

  // The process or the machine ends in the call with this number from now, from 0 on: before, during, or after its effect.
  void plan_crash(std::uint64_t call, End end);
  // It ends now, between two calls.
  void crash(End end);
  bool has_crashed() const { return !next_.empty(); }
  End last_end() const { return end_; }
  // The node lives on in what the crash has left. The old process must be gone.
  void start_again();

  // From the call (or reading) with this number on, `times` of them fail. A failed sync drops a part of what it should have synced: the page
  // cache shows it, the disk does not have it, and a later sync does not bring it.
  void plan_fault(Fault fault, std::uint64_t call, std::uint64_t times);
  // No crash and no fault is planned any more. Returns whether a fault had happened since it was planned.
  bool heal();
  bool has_failed() const { return failed_; }
  // A sync takes up to this long.
  void set_slowness(Millis most) { slowness_ = most; }
  // Whether a reading past the page cache sees the disk. Some file systems read the cache all the same.
  void set_passes_cache(bool passes) { passes_cache_ = passes; }
  // The files of journal/ have at most so many bytes in all; nothing: there is no end of room.
  void set_room(std::optional<std::uint64_t> bytes) { room_ = bytes; }
  std::uint64_t free_bytes();

  // What happens to the files while nobody works with them. Returns what happened, in words; empty if there is no file for it.
  std::string rot(bool spares_tables);   // one bit of one file; not of state.db, if it is spared
  std::string lose_file();
  std::string swap_segments();   // two files of journal/ have each other's content
  void undo_damage();   // the folder is as it was before, whatever a refused start has done to it

  // How often each fault was met, by kind and file.
  const std::map<std::string, std::uint64_t>& faults() const { return faults_; }

  // ---- for the layers above. Names are as name_of() gives them
  // What a call does to the file.
  class Real {
   public:
    virtual ~Real() = default;
    virtual void write(std::int64_t offset, std::string_view bytes) = 0;
    // Returns how many bytes there were.
    virtual std::size_t read(std::int64_t offset, char* to, std::size_t bytes) = 0;
    virtual std::int64_t size() = 0;
    virtual void resize(std::int64_t bytes) = 0;
  };
  bool has_begun() const { return !prefix_.empty(); }
  // Whether the file is the simulated machine's.
  bool has(std::string_view path) const { return !prefix_.empty() && path.starts_with(prefix_); }
  std::string name_of(std::string_view path) const;
  void opened(const std::string& name);
  Result write(const std::string& name, Real& real, std::int64_t offset, std::string_view bytes);
  Result resize(const std::string& name, Real& real, std::int64_t bytes);
  Result sync(const std::string& name, Real& real);
  // The name is gone durably.
  Result remove(const std::string& name, const std::function<void()>& effect);
  // Counts a reading; true if it fails.
  bool fails_reading(const std::string& name);
  // A reading past the page cache has read these bytes: shows in them what the disk has.
  void show_disk(const std::string& name, std::int64_t offset, char* bytes, std::size_t count) const;

  // The names of journal/: lost by a power failure, the newest first, until the folder is synced.
  Result create_name(const std::string& name, const std::function<void()>& effect);
  Result rename(const std::string& from, const std::string& to);
  Result remove_name(const std::string& name);
  Result sync_names(const std::string& folder);

  void wait(Millis millis) { pass_(millis); }
  std::uint64_t draw() { return choices_.draw(); }

 private:
  static constexpr std::int64_t k_sector = 512;
  // What a write that is not synced has replaced.
  struct Replaced {
    std::int64_t sector = 0;   // the first one
    std::int64_t sectors = 0;
    std::string bytes;   // shorter than the sectors where the file ended
  };
  using Versions = std::vector<std::string>;   // of a sector, the oldest first; each 0 to 512 bytes long
  struct File {
    std::vector<Replaced> replaced;
    std::map<std::int64_t, std::string> dropped;   // by sector, what the disk has although it was synced, or so it seemed
    std::int64_t size_synced = 0;
  };
  struct Planned {
    std::uint64_t at;   // the number of the call
    std::uint64_t times = 1;
  };
  struct NameChange {
    std::string before;   // the name that was; empty: the file was made
    std::string after;   // empty: the file was removed
    std::filesystem::path gone{};   // what had the name `after`, or `before` if it was removed: its content now; empty: nothing
    File gone_file{};   // and what of it is not synced
  };
  struct Saved {
    std::map<std::string, std::string> contents;   // by name
    std::map<std::string, File> files;
    std::vector<NameChange> names;
  };

  Disk();
  bool ends_in_this_call();
  bool fails(Fault fault, const std::string& name);
  Result fails_as(std::initializer_list<Fault> faults, const std::string& name);
  Result change_names(const std::string& name, std::initializer_list<Fault> faults, const std::function<void()>& effect);
  std::filesystem::path put_aside(const std::string& name);
  File& file_of(const std::string& name);
  File take_file(const std::string& name);
  void note_replaced(File& file, Real& real, std::int64_t offset, std::int64_t count);
  static std::map<std::int64_t, Versions> by_sector(const File& file);
  void adopt_renamed();
  void drop_part(File& file);
  void lose_names(std::map<std::string, File>& files);
  void lose_unsynced(const std::filesystem::path& path, const File& file);
  std::vector<std::string> names_of_files() const;
  std::string pick_file(bool spares_tables);
  void save();

  std::filesystem::path base_;
  std::string prefix_;   // of the paths of all files; empty: no run has begun
  std::filesystem::path folder_;
  std::filesystem::path next_;   // what a crash has left; empty: none has happened
  int lives_ = 0;
  Choices choices_{0};
  std::function<void(Millis)> pass_;
  std::map<std::string, File> files_;
  std::vector<NameChange> names_;   // that are not synced, the oldest first
  std::map<std::string, File> files_of_next_;
  std::vector<NameChange> names_of_next_;
  std::uint64_t gone_ = 0;   // files put aside
  std::uint64_t calls_ = 0;
  std::uint64_t reads_ = 0;
  std::optional<std::uint64_t> crash_at_;
  End end_ = End::kill;
  std::map<Fault, Planned> planned_;
  bool failed_ = false;
  Millis slowness_ = 0;
  bool passes_cache_ = true;
  std::optional<std::uint64_t> room_;
  Saved before_damage_;
  std::map<std::string, std::uint64_t> faults_;
};

}   // namespace holdfast::simulation
