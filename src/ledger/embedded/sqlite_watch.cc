#include "ledger/embedded/sqlite_watch.h"

#include <stdexcept>

namespace holdfast {

SqliteWatch::SqliteWatch(std::string path, std::vector<std::string> files) : path_(std::move(path)), files_(std::move(files)) {
  open_log();
}

// If this fails, the files are still watched.
void SqliteWatch::open_log() {
  try {
    log_.emplace(path_);
    unwatched_.clear();
  } catch (const std::runtime_error& error) {   // from SQLite, or the log's file
    unwatched_ = error.what();
  }
}

std::string SqliteWatch::look(std::size_t bytes_max) {
  if (!log_) open_log();
  const std::string what = log_ ? log_->look(bytes_max) : "";
  return what.empty() ? "" : told_of_damaged_log(path_ + "-wal", what);
}

}  // namespace holdfast
