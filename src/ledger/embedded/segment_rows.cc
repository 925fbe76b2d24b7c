#include "ledger/embedded/segment_rows.h"

#include <algorithm>

#include "core/codec.h"
#include "ledger/change_pages.h"
#include "ledger/embedded/segments/damage.h"
#include "ledger/embedded/segments/reach_marker.h"
#include "ledger/embedded/segments/recovery.h"

namespace holdfast {
namespace {

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

}  // namespace

SegmentRows::SegmentRows(segments::Disk& disk) : disk_(disk), path_(disk.path_of("")) {
  guarded([&] { load(); });
}

void SegmentRows::load() {
  const segments::ReachMarker marker(disk_, segments::Disk::Mode::read);
  segments::Recovered found = segments::recover(disk_, marker, segments::Disk::Mode::read);
  for (std::size_t i = 0; i < found.last; ++i) bytes_ += static_cast<std::int64_t>(found.segments[i].header.bytes);
  bytes_ += std::int64_t{found.end_block} * static_cast<std::int64_t>(segments::k_block);
  for (segments::Segment& segment : found.segments) catalog_.add(std::move(segment));
  catalog_.publish(found.reach, found.end_block);
  notes_ = std::move(found.notes);
  head_ = found.reach.head;
  anchor_ = catalog_.snapshot().segments.front().before->head;
}

std::string SegmentRows::told_of(const std::string& what) const { return segments::told_of_damage(disk_, "", what); }

// ---------------------------------------------------------------------------------------------------------------- checked rows

// The reader checks the chain from frame to frame; the first row is left.
void SegmentRows::each_chained(const JournalHead& after, const Visit& visit) {
  guarded([&] {
    bool is_first = true;
    const bool is_kept = reader_.read(after.position + 1, [&](const JournalRow& row) {
      if (is_first && row.hash != chain(after.hash, row)) damaged(told_of_broken_chain(row.position));
      is_first = false;
      return visit(row);
    });
    if (!is_kept) damaged(told_of_missing_row(after.position + 1));
  });
}

std::optional<ChainHash> SegmentRows::hash_at(Position position) {
  return guarded([&] { return reader_.hash_at(position); });
}

Millis SegmentRows::last_time() {
  Millis last = 0;
  each_stored(head_.position, [&](const StoredRow& row) {
    last = row.row.at;
    return true;
  });
  return last;
}

std::optional<Position> SegmentRows::oldest() {
  return anchor_.position == head_.position ? std::nullopt : std::optional(anchor_.position + 1);
}

CountedRows SegmentRows::count(Position first, std::int64_t rows_max) {
  CountedRows counted{.last = oldest() ? head_.position : 0};
  each_stored(first, [&](const StoredRow& row) {
    if (counted.rows == rows_max) return false;
    ++counted.rows;
    counted.changes += row.row.changes;
    return true;
  });
  return counted;
}

// ---------------------------------------------------------------------------------------------------------------- rows as they are

// Goes on behind each damaged frame, whose rows are visited as unreadable.
void SegmentRows::each_stored(Position first, const VisitStored& visit) {
  bool goes_on = true;
  std::optional<ChainHash> before;
  const auto visit_row = [&](const JournalRow& row) {
    goes_on = visit({.row = row, .before = before, .is_checked = true});
    before = row.hash;
    return goes_on;
  };
  Position next = std::max(first, anchor_.position + 1);
  while (goes_on && next <= head_.position) {
    try {
      reader_.read(next, visit_row);
      return;
    } catch (const SegmentDamage& damage) {
      if (damage.first_lost == 0) throw JournalDamage(damage.what());   // not of rows
      before.reset();
      for (Position lost = damage.first_lost; goes_on && lost < damage.next; ++lost) {
        goes_on = visit({.row = {.position = lost, .body = {}}, .wrong = "is lost: its round is not what was written"});
      }
      next = damage.next;
    }
  }
}

void SegmentRows::each_stored_of(EventNumber event, Seq next, Position first, const VisitStored& visit) {
  each_stored(first, [&](const StoredRow& row) {
    const bool is_asked_for = !row.wrong.empty() || (row.row.event == event && row.row.first_seq + row.row.changes > next);
    return !is_asked_for || visit(row);
  });
}

void SegmentRows::each_stored_at(std::span<const Position> positions, const VisitStored& visit) {
  for (const Position position : positions) {
    bool goes_on = false;
    each_stored(position, [&](const StoredRow& row) {
      goes_on = row.row.position == position && visit(row);
      return false;
    });
    if (!goes_on) return;
  }
}

// ---------------------------------------------------------------------------------------------------------------- notes

std::optional<DoubtfulStart> SegmentRows::doubtful_start() {
  const auto note = notes_.find(segments::k_note_clock_doubt);
  if (note == notes_.end()) return std::nullopt;
  Reader reader(note->second);
  const DoubtfulStart start{.until = reader.signed_varint(), .ahead = reader.signed_varint()};
  if (reader.failed()) damaged("its note of a start with a clock far ahead cannot be read");
  return start;
}

}  // namespace holdfast
