// A disk that fails when it is told to, and of which a picture can be taken as a crash would leave it: a layer between SQLite and
// the real files, which becomes SQLite's default when it is first asked for.
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
    no_sync,    // syncs: SQLITE_IOERR_FSYNC; what was written is there all the same
  };

  static Disk& get();

  // After `operations` more of the kind that the fault is about, on files whose path contains `name`, that kind
  // fails, until heal().
  void fail(const std::string& name, Fault fault, int operations);
  void heal();
  // Writes and syncs of files whose path contains the name of the last fail(), since then.
  int operations() const;

  // Copies journal.db and state.db with their logs, while nothing else is written to any file.
  void copy_as_after_kill(const std::filesystem::path& from, const std::filesystem::path& to);

  // Remembers from now on what is written to files below `folder` and not synced, so that it can be lost.
  void watch(const std::filesystem::path& folder);
  void stop_watching();
  // As after a kill; then, of each file, the last writes that were not synced are undone: all for `share` 1, none for 0.
  void copy_as_after_power_loss(const std::filesystem::path& from, const std::filesystem::path& to, double share);

 private:
  Disk();
};

}  // namespace holdfast::test
