// Makes segments ahead of their use: files of full size, zeroed, with a header, all of it on disk. So an append overwrites blocks that are
// there, and needs no new metadata.
//
//   Supply supply(disk, catalog, journal, SegmentSizes{}, draw_salt);
//   supply.prepare();   // on a background thread: supply_thread.h
//
// The last prepared segment is the reserve for a full disk: while no further one can be made, new work is refused, and what frees seats or
// ends sales that have begun goes on in it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "ledger/embedded/segments/catalog.h"
#include "ledger/embedded/segments/disk.h"

namespace holdfast::segments {

// How large segments are made: each twice as large as the one before, up to `most`. A new folder is not filled with zeros that nobody needs
// yet, and its starts read little. Both are multiples of k_block from k_segment_bytes_min to k_segment_bytes_max.
struct SegmentSizes {
  std::uint64_t first = k_first_segment_bytes;   // of segment 1; `most`, if that is smaller
  std::uint64_t most = k_segment_bytes;
  std::uint64_t of(std::uint64_t number) const;
};

// Any thread.
class Supply {
 public:
  static constexpr std::size_t k_ahead = 2;   // prepared segments: the next one, and the reserve
  enum class Prepared {
    enough,   // k_ahead are there
    one_more,   // one was made
    not_made,   // none could be made, and trouble() says why; or it was told to stop
  };
  // Why the last try has made no segment.
  struct Trouble {
    bool is_no_room = false;   // the disk is full; else it fails
    std::string what;   // a sentence without its full stop
  };

  // `draw_salt` gives unpredictable numbers; called by one thread at a time. Both references must outlive the supply.
  Supply(Disk& disk, Catalog& catalog, const JournalId& journal, SegmentSizes sizes, std::function<std::uint64_t()> draw_salt);

  // Makes one segment, which may take seconds, unless `ahead` of them are prepared. After a failure the next call tries again. Gives up,
  // and leaves no file, when a stop is requested; that is no trouble.
  Prepared prepare(std::size_t ahead = k_ahead, const std::stop_token& stop = {});
  // Returns when fewer than k_ahead segments are prepared, or when a stop is requested.
  void wait_until_wanted(const std::stop_token& stop);
  // For the writer, after it has begun a prepared segment.
  void want();
  // At a start, before the first prepare(): would it find room? If not, that is the trouble. Throws DiskError.
  void look_for_room();
  // What the last try failed of; nobody knows then whether there will be a further segment. Nothing: it did not fail.
  std::optional<Trouble> trouble() const;
  // Of the segment that it makes next.
  std::uint64_t next_bytes() const { return sizes_.of(catalog_.last_number() + 1); }

 private:
  bool make(std::uint64_t number, const std::stop_token& stop);
  void remove_if_there(const std::string& name);
  void discard(const std::string& name);
  void set_trouble(std::optional<Trouble> trouble);
  Trouble no_room() const;

  Disk& disk_;
  Catalog& catalog_;
  const JournalId journal_;
  const SegmentSizes sizes_;
  const std::function<std::uint64_t()> draw_salt_;
  std::mutex mutex_;   // one makes a segment
  mutable std::mutex trouble_mutex_;   // taken after mutex_, never held during a call to the disk
  std::optional<Trouble> trouble_;
  std::mutex wanted_mutex_;   // taken before the catalog's
  std::condition_variable_any wanted_;
};

}   // namespace holdfast::segments
