// The frames of a journal in segment files, for tests that change them by hand: they are written again, each with a checksum that fits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ledger/embedded/segments/format.h"
#include "support/stored_rows.h"

namespace holdfast::test {

// Reads all of it when it is made. Belongs to one thread; a server may use the files as long as frames keep their size.
class StoredSegments {
 public:
  explicit StoredSegments(const std::filesystem::path& folder);

  std::int64_t anchor() const;
  std::vector<StoredRowInTest> rows() const;
  void put(const StoredRowInTest& row);
  void remove(std::int64_t position);
  void remove_after(std::int64_t position);
  // As if the journal had begun behind this row, as one does that was made of an older one.
  void remove_through(std::int64_t position);
  void set_anchor(std::int64_t position, const std::string& hash);
  void forget_notes();

 private:
  struct Frame {
    segments::FrameHeader header;
    std::vector<StoredRowInTest> rows;
    std::map<std::uint64_t, std::string> notes;
  };
  struct File {
    segments::SegmentHeader header;
    std::vector<Frame> frames;
  };

  void change_rows(const std::function<void(Frame&)>& change);
  void store() const;

  const std::filesystem::path folder_;
  std::vector<File> files_;   // from the first one that is kept
};

}  // namespace holdfast::test
