// Whether the files that a server has open are still those in its folder, and whether its journal is still what it wrote.
//
// A deleted or replaced file accepts every write, but is gone once the process ends, and with it what was answered. A journal that was cut off or
// overwritten is read only up to there at the next start. So the server checks once a second, and stops selling. It keeps running: until it
// ends, files that it has open can be saved from /proc/PID/fd, and sales can be read.
//
//   FileWatch watch(data, ledger.new_journal_watch());   // after all files have been opened
//   if (const auto lost = watch.look(); lost) …   // once a second
//
// For one thread. End it before the ledger.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ledger/embedded/journal_watch.h"

namespace holdfast {

class FileWatch {
 public:
  struct Loss {
    std::string what;   // a sentence with the way out
    bool is_damage = false;   // of the journal: the file is there, and not what was written
  };

  // Remembers the files of Holdfast that the folder has now. The journal's may become more and fewer: `journal` says which must be there.
  FileWatch(const std::filesystem::path& folder, std::unique_ptr<JournalWatch> journal);

  // What has happened to one of them; nothing if all is well. Finds a log that was cut short even if it has grown since, because it has no header
  // then, and compares the journal with its checksums, 16 MiB per call.
  std::optional<Loss> look();
  // Why the journal is not compared with its checksums at the moment (each look() tries again). Empty if it is.
  const std::string& unwatched() const { return journal_->unwatched(); }

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

  static std::optional<File> find(const std::string& path, const char* way_out);
  std::optional<Loss> look_at(File& file) const;
  std::optional<Loss> look_at_journals_files();
  Loss damaged(const File& file, const char* what) const;
  Loss lost(const std::string& path, const char* what) const;

  std::filesystem::path folder_;
  std::vector<File> files_;
  std::map<std::string, File> journals_files_;   // by path
  std::unique_ptr<JournalWatch> journal_;
};

}   // namespace holdfast
