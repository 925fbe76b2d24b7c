// Whether the files that a server has open are still those of its folder, and its logs still what it wrote.
//
// A file that was deleted or replaced takes every write, and nobody will find it again: a server would go on answering what is lost
// with its end. A log that was cut off or overwritten is read up to there at the next start. So the server looks, once a second, and
// stops selling. It keeps running, because until it ends lost files can be saved from /proc/PID/fd, and what was sold can be read.
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
    std::string what;         // a sentence with the way out
    bool is_damage = false;   // of the journal: the file is there, and not what was written
  };

  // Remembers the files of Holdfast that are in the folder now.
  explicit FileWatch(const std::filesystem::path& folder);

  // What has become of one of them. A file whose end was cut off counts too, also when it has grown again since: a log then has no header,
  // and that of the journal is compared with its checksums, 16 MiB at a look.
  std::optional<Loss> look();
  // Why the journal's log is not compared with its checksums at the moment: it cannot be opened, which each look tries again. Empty: it is.
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
  std::string look_at_journals_log();
  Loss damaged(const File& file, const char* what) const;
  Loss lost(const File& file, const char* what) const;

  std::filesystem::path folder_;
  std::vector<File> files_;
  std::optional<LogWatch> journals_log_;
  std::string unwatched_;
};

}   // namespace holdfast
