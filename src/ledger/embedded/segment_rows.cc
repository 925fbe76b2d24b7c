#include "ledger/embedded/segment_rows.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "ledger/change_pages.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/segments/clock_doubt_note.h"
#include "ledger/embedded/segments/damage.h"
#include "ledger/embedded/segments/few_open_files.h"
#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/reach_marker.h"
#include "ledger/embedded/segments/recovery.h"
#include "ledger/embedded/segments/segment_view.h"

namespace holdfast {
namespace {

using segments::Catalog;
using segments::Disk;
using segments::RowsGone;
using segments::SegmentDamage;

// Damage of segments is damage of the journal. Names the rows that are lost, if it is in rows.
template <typename Read>
auto guarded(Read read) -> decltype(read()) {
  try {
    return read();
  } catch (const SegmentDamage& damage) {
    if (damage.first_lost == 0) throw JournalDamage(damage.what());
    const std::string first = "row " + std::to_string(damage.first_lost);
    const std::string through = damage.next == damage.first_lost + 1 ? "" : " and all before row " + std::to_string(damage.next);
    throw JournalDamage(first + through + " cannot be read: " + damage.what());
  }
}

// A folder that nobody writes.
class AtRest : public SegmentRows::Source {
 public:
  explicit AtRest(Disk& disk) : disk_(disk) {
    const segments::ReachMarker marker(disk, Disk::Mode::read);
    segments::Recovered found = segments::recover(disk, marker, Disk::Mode::read);
    found.segments.resize(found.last + 1);
    catalog_.show(std::move(found.segments), found.reach, found.end_block);
    notes_ = std::move(found.notes);
  }
  const Disk& disk() const override { return disk_; }
  const Catalog& catalog() const override { return catalog_; }
  segments::Notes notes() const override { return notes_; }

 private:
  const Disk& disk_;
  Catalog catalog_;
  segments::Notes notes_;
};

class OfWriter : public SegmentRows::Source {
 public:
  OfWriter(const Disk& disk, const Catalog& catalog, std::function<segments::Notes()> notes)
      : disk_(disk), catalog_(catalog), notes_(std::move(notes)) {}
  const Disk& disk() const override { return disk_; }
  const Catalog& catalog() const override { return catalog_; }
  segments::Notes notes() const override { return notes_(); }

 private:
  const Disk& disk_;
  const Catalog& catalog_;
  const std::function<segments::Notes()> notes_;
};

// The real folder, with few open files.
struct Folder {
  explicit Folder(const std::filesystem::path& data) : posix(DataFolder::journal_folder_in(data)) {}
  segments::PosixDisk posix;
  segments::FewOpenFiles disk{posix};
};

class FolderAtRest : public SegmentRows::Source {
 public:
  explicit FolderAtRest(const std::filesystem::path& data) : folder_(data), rows_(folder_.disk) {}
  const Disk& disk() const override { return folder_.disk; }
  const Catalog& catalog() const override { return rows_.catalog(); }
  segments::Notes notes() const override { return rows_.notes(); }

 private:
  Folder folder_;
  AtRest rows_;
};

class FolderInUse : public SegmentRows::Source {
 public:
  explicit FolderInUse(const std::filesystem::path& data) : folder_(data), view_(folder_.disk) {}
  const Disk& disk() const override { return folder_.disk; }
  const Catalog& catalog() const override { return view_.catalog(); }
  segments::Notes notes() const override { return view_.notes(); }
  void refresh() override { view_.refresh(); }

 private:
  Folder folder_;
  segments::SegmentView view_;
};

template <typename Source, typename... From>
std::unique_ptr<SegmentRows::Source> open(From&&... from) {
  return guarded([&] { return std::make_unique<Source>(std::forward<From>(from)...); });
}

}  // namespace

SegmentRows::SegmentRows(Disk& disk) : SegmentRows(open<AtRest>(disk)) {}

SegmentRows::SegmentRows(std::unique_ptr<Source> source) : source_(std::move(source)), path_(source_->disk().path_of("")) { renew(); }

std::unique_ptr<SegmentRows> SegmentRows::of_writer(const Disk& disk, const Catalog& catalog, std::function<segments::Notes()> notes) {
  return std::make_unique<SegmentRows>(std::make_unique<OfWriter>(disk, catalog, std::move(notes)));
}

std::unique_ptr<JournalRows> open_segment_rows_at_rest(const std::filesystem::path& data) {
  return std::make_unique<SegmentRows>(open<FolderAtRest>(data));
}

// A server that begins in the middle of the recovery may make a whole journal look damaged.
std::unique_ptr<JournalRows> open_segment_rows(const std::filesystem::path& data) {
  if (!DataFolder::is_in_use(data)) {
    try {
      return open_segment_rows_at_rest(data);
    } catch (const DataError&) {
      if (!DataFolder::is_in_use(data)) throw;
    }
  }
  return std::make_unique<SegmentRows>(open<FolderInUse>(data));
}

std::string SegmentRows::told_of(const std::string& what) const { return segments::told_of_damage(source_->disk(), "", what); }

// ---------------------------------------------------------------------------------------------------------------- moments

void SegmentRows::refresh() {
  if (!pinned_) guarded([&] { source_->refresh(); });
}

void SegmentRows::renew() {
  const Catalog::Snapshot now = catalog().snapshot();
  head_ = now.reach.head;
  anchor_ = now.segments.front().before->head;
}

void SegmentRows::pin() {
  pinned_.reset();
  refresh();
  const Catalog::Snapshot now = source_->catalog().snapshot();
  pinned_.emplace();
  pinned_->show({now.segments.begin(), now.segments.end()}, now.reach, now.end_block);
  renew();
}

std::optional<Position> SegmentRows::oldest() {
  refresh();
  const Position first = reader().oldest();
  return first > catalog().reach().head.position ? std::nullopt : std::optional(first);
}

Position SegmentRows::removed_through() {
  refresh();
  return reader().oldest() - 1;
}

std::int64_t SegmentRows::bytes() {
  refresh();
  const Catalog::Snapshot now = catalog().snapshot();
  std::uint64_t bytes = std::uint64_t{now.end_block} * segments::k_block;
  for (std::size_t i = 0; i + 1 < now.segments.size(); ++i) bytes += now.segments[i].header.bytes;
  return static_cast<std::int64_t>(bytes);
}

// ---------------------------------------------------------------------------------------------------------------- checked rows

// The reader checks the chain from frame to frame; the first row is left.
void SegmentRows::each_chained(const JournalHead& after, const Visit& visit) {
  refresh();
  bool is_first = true;
  const bool is_kept = guarded([&] {
    return reader().read(after.position + 1, [&](const JournalRow& row) {
      if (is_first && row.hash != chain(after.hash, row)) damaged(told_of_broken_chain(row.position));
      is_first = false;
      return visit(row);
    });
  });
  if (!is_kept) damaged(told_of_missing_row(after.position + 1));
}

std::optional<ChainHash> SegmentRows::hash_at(Position position) {
  refresh();
  try {
    return guarded([&] { return reader().hash_at(position); });
  } catch (const RowsGone&) {
    if (pinned_) throw;
    return std::nullopt;
  }
}

Millis SegmentRows::last_time() {
  refresh();
  Millis last = 0;
  visit_stored(catalog().reach().head.position, [&](const StoredRow& row) {
    last = row.row.at;
    return true;
  });
  return last;
}

CountedRows SegmentRows::count(Position first, std::int64_t rows_max) {
  const bool has_rows = oldest().has_value();
  CountedRows counted{.last = has_rows ? catalog().reach().head.position : 0};
  visit_stored(first, [&](const StoredRow& row) {
    if (counted.rows == rows_max) return false;
    ++counted.rows;
    counted.changes += row.row.changes;
    return true;
  });
  return counted;
}

// ---------------------------------------------------------------------------------------------------------------- rows as they are

// Goes on behind each damaged frame, whose rows are visited as unreadable, and behind rows that are removed meanwhile.
void SegmentRows::visit_stored(Position first, const VisitStored& visit) const {
  const segments::SegmentReader reader = this->reader();
  const Position last = catalog().reach().head.position;
  bool goes_on = true;
  std::optional<ChainHash> before;
  const auto visit_row = [&](const JournalRow& row) {
    goes_on = visit({.row = row, .before = before, .is_checked = true});
    before = row.hash;
    return goes_on;
  };
  for (Position next = first; goes_on && next <= last;) {
    next = std::max(next, reader.oldest());
    try {
      if (reader.read(next, visit_row)) return;
    } catch (const SegmentDamage& damage) {
      if (damage.first_lost == 0) throw JournalDamage(damage.what());   // not of rows
      before.reset();
      for (Position lost = damage.first_lost; goes_on && lost < damage.next; ++lost) {
        goes_on = visit({.row = {.position = lost, .body = {}}, .wrong = "is lost: its round is not what was written"});
      }
      next = damage.next;
    } catch (const RowsGone& gone) {
      if (pinned_) throw;
      before.reset();
      next = gone.next;
    }
  }
}

void SegmentRows::each_stored(Position first, const VisitStored& visit) {
  refresh();
  visit_stored(first, visit);
}

void SegmentRows::each_stored_of(EventNumber event, Seq next, Position first, const VisitStored& visit) {
  refresh();
  visit_stored(first, [&](const StoredRow& row) {
    const bool is_asked_for = !row.wrong.empty() || (row.row.event == event && row.row.first_seq + row.row.changes > next);
    return !is_asked_for || visit(row);
  });
}

void SegmentRows::each_stored_at(std::span<const Position> positions, const VisitStored& visit) {
  refresh();
  bool goes_on = true;
  for (std::size_t next = 0; goes_on && next < positions.size();) {
    const std::size_t begin = next;
    visit_stored(positions[begin], [&](const StoredRow& row) {
      if (row.row.position < positions[next]) return true;   // on the way
      goes_on = row.row.position == positions[next] && visit(row);
      if (!goes_on) return false;
      ++next;
      return next < positions.size() && positions[next] > row.row.position && positions[next] <= row.row.position + k_read_on;
    });
    if (next == begin) return;   // it is missing
  }
}

// ---------------------------------------------------------------------------------------------------------------- notes

std::optional<DoubtfulStart> SegmentRows::doubtful_start() {
  refresh();
  const auto start = segments::clock_doubt_in(source_->notes());
  if (!start) damaged(start.error());
  return *start;
}

}  // namespace holdfast
