// A disk that fails on command, and that can be copied as a crash would leave it: a layer between SQLite and the real files. It
// becomes SQLite's default VFS at the first use.
//
//   Disk& disk = Disk::get();
//   disk.fail("journal.db", Disk::Fault::full, 3);   // the fourth write to a file of that name, and every one after it
//   …
//   disk.heal();
//   disk.copy_as_after_kill(from, to);               // between two operations, with what is written but not synced
//   disk.copy_as_after_power_loss(from, to, 0.5);    // and without the later half of what is not synced
//
// Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace holdfast::test {

class Disk {
 public:
  enum class Fault {
    full,       // writes: SQLITE_FULL
    torn,       // writes: half of it is written, then SQLITE_IOERR_WRITE
    no_sync,   // syncs: SQLITE_IOERR_FSYNC; the written bytes show, but a power loss takes them unless they are written again and synced
  };

  static Disk& get();

  // After `operations` more operations of the fault's kind on files whose path contains `name`, that kind fails until heal().
  void fail(const std::string& name, Fault fault, int operations);
  void heal();
  // Writes and syncs, since the last fail(), of files whose path contains its name.
  int operations() const;

  // Copies the journal and state.db with their logs, while no SQLite file is written to. Segments of a journal are copied as every program
  // sees them, also after a power loss: what a power loss takes of them is tested over a simulated disk.
  void copy_as_after_kill(const std::filesystem::path& from, const std::filesystem::path& to);

  // From now on, remembers unsynced writes to files below `folder`, so that they can be lost.
  void watch(const std::filesystem::path& folder);
  void stop_watching();
  // As after a kill. Then undoes what failed syncs have lost, and the last unsynced writes of each file: all for `share` 1, none for 0.
  void copy_as_after_power_loss(const std::filesystem::path& from, const std::filesystem::path& to, double share);

 private:
  Disk();
};

}   // namespace holdfast::test
