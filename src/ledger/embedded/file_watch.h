// Whether the files that a server has open are still those of its folder.
//
// A file that was deleted or replaced takes every write, and nobody will find it again: a server would go on answering what is lost
// with its end. So it looks, once a second, and stops selling. It keeps running, because until it ends the files can be saved from
// /proc/PID/fd.
//
//   FileWatch watch(data);                               // after all files have been opened
//   if (std::string what = watch.look(); !what.empty())  // once a second
//
// For one thread.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace holdfast {

class FileWatch {
 public:
  // Remembers the files of Holdfast that are in the folder now.
  explicit FileWatch(const std::filesystem::path& folder);

  // What has become of one of them, as a sentence with the way out; empty: nothing. A file whose end was cut off counts too.
  std::string look();

 private:
  struct File {
    std::string path;
    dev_t device;
    ino_t inode;
    off_t size;   // the most that was seen
  };

  std::filesystem::path folder_;
  std::vector<File> files_;
};

}  // namespace holdfast
