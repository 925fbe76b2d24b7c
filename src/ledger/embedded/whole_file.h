// New databases of a data folder, whole or not there at all.
#pragma once

#include <filesystem>
#include <string>

#include "ledger/embedded/data_folder.h"

namespace holdfast {

// Creates the file under another name first, so that a crash never leaves half a file. Its name is on disk when this returns. `File` is created by File(path, File::Mode::create).
template <typename File>
void create_whole(const std::string& path) {
  const std::string partial = path + ".partial";
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(partial + suffix);   // left by an earlier attempt
  File(partial, File::Mode::create);
  std::filesystem::rename(partial, path);
  sync_folder_of(path);
}

}   // namespace holdfast
