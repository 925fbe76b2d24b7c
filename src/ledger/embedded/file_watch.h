// Whether the files that a server has open are still those in its folder, and whether its logs are still what it wrote.
//
// A deleted or replaced file accepts every write, but is gone once the process ends, and with it what was answered. A log that was cut off or
// overwritten is read only up to there at the next start. So the server checks once a second, and stops selling. It keeps running: until it
// ends, lost files can be saved from /proc/PID/fd, and sales can be read.
//
//   FileWatch watch(data);                    // after all files have been opened
//   if (const auto lost = watch.look(); lost) …   // once a second
//
// For one thread. It has a connection to journal.db: end it before the ledger.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ledger/embedded/log_watch.h"

namespace holdfast {

class FileWatch {
 public:
  struct Loss {
    std::string what;   // a sentence with the way out
    bool is_damage = false;   // of the journal: the file is there, and not what was written
  };

  // Remembers the files of Holdfast that the folder has now.
  explicit FileWatch(const std::filesystem::path& folder);

  // What has happened to one of them; nothing if all is well. Finds a file that was cut short even if it has grown since: its log has no header
  // then, and the journal's log is compared with its checksums, 16 MiB per call.
  std::optional<Loss> look();
  // Why the journal's log is not compared with its checksums at the moment (it cannot be opened; each look() retries). Empty if it is.
  const std::string& unwatched() const { return unwatched_; }

 private:
  struct File {
    std::string path;
    const char* way_out;   // when it is damaged; nullptr: as of the journal
    dev_t device;
    ino_t inode;
    off_t size;   // the most that was seen
    bool is_log;
    bool is_begun = false;   // of a log: it had its header
  };

  void open_journals_log();
  Loss damaged(const File& file, const char* what) const;
  Loss lost(const File& file, const char* what) const;

  std::filesystem::path folder_;
  std::vector<File> files_;
  std::optional<LogWatch> journals_log_;
  std::string unwatched_;
};

}   // namespace holdfast
