// What a journal has, for a reader whose writer is another process, or another part of this one. It only reads.
//
//   SegmentView view(disk);
//   SegmentReader reader(disk, view.catalog());
//   view.refresh();                              // now and then: shows what has been published since
//   reader.read(1'000, visit);
//
// The file `reach` says what is published. A frame beyond it, which may be half written or never answered, is not looked at. Rows that
// retention has given up are gone after the next refresh: SegmentReader::read() says so, and oldest() says where the rest begins. A reading
// that has begun goes on to its end. refresh() belongs to one thread at a time; catalog() to any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ledger/embedded/segments/catalog.h"
#include "ledger/embedded/segments/damage.h"
#include "ledger/embedded/segments/disk.h"
#include "ledger/embedded/segments/reach_marker.h"
#include "ledger/embedded/segments/round.h"
#include "ledger/embedded/segments/segment_file.h"

namespace holdfast::segments {

// The journal has no rows to show yet: it is being created. Try again in a moment.
class JournalNotReady : public DataError {
 public:
  using DataError::DataError;
};

class SegmentView {
 public:
  // Shows what is published. `disk` must outlive it. Throws as refresh() does; JournalNotReady; DiskError with ENOENT if there is none.
  explicit SegmentView(Disk& disk);
  SegmentView(const SegmentView&) = delete;
  SegmentView& operator=(const SegmentView&) = delete;

  // Shows what is published by now. It reads what is new, and the first time the last segment. Throws DiskError; LaterFormat; SegmentDamage if what was
  // published is not there, or the folder is no longer the journal that it was. The view then shows what it did before.
  void refresh();

  const Catalog& catalog() const { return catalog_; }
  // In force at the last refresh.
  const Notes& notes() const { return notes_; }

 private:
  // The end of what is published.
  struct End {
    Segment segment;
    Reach reach;
    std::uint32_t last_frame = 0;   // its block
    std::uint32_t end_block = 0;   // the first block behind it
    Notes notes;
  };

  bool try_refresh();
  void check_same(const ReachMarker& marker) const;
  std::pair<Segment, Opening> open_in_use(std::uint64_t number, const JournalId& journal) const;
  End begin(const ReachMarker& marker) const;
  void read_published(const ReachMarker& marker, End& end) const;
  std::vector<Segment> kept(const std::vector<std::uint64_t>& numbers, const ReachMarker& marker, const End& end) const;
  [[noreturn]] void damaged(const std::string& name, const std::string& what) const;
  [[noreturn]] void damaged(const Segment& segment, std::uint32_t block, const std::string& what) const;

  Disk& disk_;
  Catalog catalog_;
  std::optional<JournalId> journal_;   // nothing: nothing has been shown yet
  Notes notes_;
  std::uint32_t last_frame_ = 0;   // block of the last published frame
};

}   // namespace holdfast::segments
