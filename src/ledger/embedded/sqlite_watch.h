// The watch over journal.db: compares its write-ahead log with the log's checksums (log_watch.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ledger/embedded/journal_watch.h"
#include "ledger/embedded/log_watch.h"

namespace holdfast {

class SqliteWatch final : public JournalWatch {
 public:
  // `path` is journal.db's. It keeps a connection to it.
  SqliteWatch(std::string path, std::vector<std::string> files);

  std::vector<std::string> files() const override { return files_; }
  std::string look(std::size_t bytes_max) override;
  const std::string& unwatched() const override { return unwatched_; }

 private:
  void open_log();

  const std::string path_;
  const std::vector<std::string> files_;
  std::optional<LogWatch> log_;
  std::string unwatched_;
};

}   // namespace holdfast
