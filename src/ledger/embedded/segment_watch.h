// The watch over a journal of segments: reads the published frames of the segment in use again, by the file's name, and compares their checksums.
//
// A file that another one was renamed over is noticed too. Older segments are not read again here: their readers check them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "ledger/embedded/journal_watch.h"
#include "ledger/embedded/segments/catalog.h"
#include "ledger/embedded/segments/disk.h"

namespace holdfast {

class SegmentWatch final : public JournalWatch {
 public:
  // All must outlive it. `disk` opens files anew, so that a replaced file is noticed. `data` is the data folder, for what look() says.
  SegmentWatch(std::filesystem::path data, segments::Disk& disk, const segments::Catalog& catalog,
               std::function<std::vector<std::string>()> files)
      : data_(std::move(data)), disk_(disk), catalog_(catalog), files_(std::move(files)) {}

  std::vector<std::string> files() const override { return files_(); }
  std::string look(std::size_t bytes_max) override;
  const std::string& unwatched() const override { return unwatched_; }

 private:
  std::string compare(const segments::Catalog::Snapshot& snapshot, segments::DiskFile& file, std::size_t bytes_max);

  const std::filesystem::path data_;
  segments::Disk& disk_;
  const segments::Catalog& catalog_;
  const std::function<std::vector<std::string>()> files_;
  std::uint64_t number_ = 0;   // of the segment that was looked at last
  std::uint32_t block_ = segments::k_first_frame;   // the frame of it to go on with
  std::string unwatched_;
};

}   // namespace holdfast
