// The disk of a simulated machine: a folder of real files whose unsynced bytes a power failure loses, sector by sector, and whose calls fail on
// command. It stands between SQLite and the files, as SQLite's default VFS.
//
// The files show what the page cache has. Beside them the disk remembers what each sector had before the writes that are not synced. A crash
// copies the folder as the end of the process, or of the machine, would leave it: the next life starts in the copy. The old process may go on
// until its objects are gone; nothing that it still writes counts.
//
//   Disk& disk = Disk::get();
//   disk.begin(base, seed, pass);
//   disk.plan_crash(17, Disk::End::power);   // in the 18th call from now
//   …
//   if (disk.has_crashed()) disk.start_again();   // disk.folder() is another one now
//
// A call is one that changes a file, or syncs it. journal.head is not written through SQLite: the disk looks at it around each call.
// For one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "simulation/choices.h"

namespace holdfast::simulation {

class Disk {
 public:
  enum class End { kill, power };   // of the process: the page cache stays; of the machine: it is gone
  enum class Fault { write_error, torn_write, full, sync_error, read_error };
  static constexpr int k_faults = 5;
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

  // The node has stopped cleanly, and has synced journal.head.
  void note_clean_stop();

  // What happens to the files while nobody works with them. Returns what happened, in words; empty if there is no file for it.
  std::string rot(bool spares_tables);   // one bit of one file; not of state.db, if it is spared
  std::string lose_file();
  void undo_damage();   // the folder is as it was before, whatever a refused start has done to it

  // How often each fault was met, by kind and file.
  const std::map<std::string, std::uint64_t>& faults() const { return faults_; }

  // ---- for the layer below SQLite; `name` is a file's, without its folder. The result is SQLite's.
  struct Real {   // what the call does to the file
    std::function<int(const char* bytes, int count, std::int64_t offset)> write;
    std::function<int(char* bytes, int count, std::int64_t offset)> read;
    std::function<std::int64_t()> size;
  };
  bool has(const std::string& path) const;
  void opened(const std::string& path);
  int write(const std::string& path, const Real& real, const char* bytes, int count, std::int64_t offset);
  int truncate(const std::string& path, const Real& real, std::int64_t size, const std::function<int()>& effect);
  int sync(const std::string& path, const Real& real);
  int remove(const std::string& path, const std::function<int()>& effect);
  int read(const std::string& path, const std::function<int()>& effect);
  void wait(Millis millis) { pass_(millis); }
  std::uint64_t draw() { return choices_.draw(); }

 private:
  static constexpr std::int64_t k_sector = 512;
  using Versions = std::vector<std::string>;   // of a sector, the oldest first; each 0 to 512 bytes long
  struct File {
    std::map<std::int64_t, Versions> before;   // by sector, what unsynced writes have replaced
    std::map<std::int64_t, std::string> dropped;   // by sector, what the disk has although it was synced, or so it seemed
    std::int64_t size_synced = 0;
  };
  struct Planned {
    std::uint64_t at;   // the number of the call
    std::uint64_t times = 1;
  };
  struct Saved {
    std::map<std::string, std::string> contents;   // by name
    std::map<std::string, File> files;
  };

  Disk();
  bool ends_in_this_call();
  bool fails(Fault fault, const std::string& path);
  void note_before(File& file, const Real& real, std::int64_t offset, std::int64_t count);
  void note_marker();
  void adopt_renamed();
  void drop_part(File& file);
  void lose_unsynced(const std::filesystem::path& file, const File& known);
  std::string pick_file(bool spares_tables);
  void save();

  std::filesystem::path base_;
  std::filesystem::path folder_;
  std::filesystem::path next_;   // what a crash has left; empty: none has happened
  int lives_ = 0;
  Choices choices_{0};
  std::function<void(Millis)> pass_;
  std::map<std::string, File> files_;
  std::map<std::string, File> files_of_next_;
  std::string marker_;   // journal.head, as it was seen last
  std::uint64_t calls_ = 0;
  std::uint64_t reads_ = 0;
  std::optional<std::uint64_t> crash_at_;
  End end_ = End::kill;
  std::map<Fault, Planned> planned_;
  bool failed_ = false;
  Millis slowness_ = 0;
  Saved before_damage_;
  std::map<std::string, std::uint64_t> faults_;
};

}   // namespace holdfast::simulation
