#include "ledger/embedded/segments/salvage.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "ledger/embedded/segments/damage.h"
#include "ledger/embedded/segments/frame_scan.h"
#include "ledger/embedded/segments/reach_marker.h"
#include "ledger/embedded/segments/recovery.h"
#include "ledger/embedded/segments/retention.h"
#include "ledger/embedded/segments/row_copy.h"
#include "ledger/embedded/segments/segment_file.h"

namespace holdfast::segments {
namespace {

using Found = FrameScan::Found;
using From = DiskFile::From;

// A place that is not as it was written.
struct Place {
  std::string name;   // of the file
  std::uint64_t offset = 0;
  std::string what{};
};
std::string sentence(const Disk& disk, const Place& place) {
  return disk.path_of(place.name) + (place.offset == 0 ? "" : ", byte " + std::to_string(place.offset)) + ": " + place.what;
}

// A file of a disk that cannot read some of its places any more: a block that cannot be read is read as bytes that no frame has.
class WornFile : public DiskFile {
 public:
  explicit WornFile(std::unique_ptr<DiskFile> file) : file_(std::move(file)) {}

  std::uint64_t size() override { return file_->size(); }
  void read(std::uint64_t offset, std::span<char> to, From from) override {
    if (try_read(offset, to, from)) return;
    for (std::size_t at = 0; at < to.size(); at += k_block) {
      const std::span<char> block = to.subspan(at, std::min(k_block, to.size() - at));
      if (!try_read(offset + at, block, from)) std::ranges::fill(block, k_unreadable);
    }
  }
  void write(std::uint64_t offset, std::string_view bytes) override { file_->write(offset, bytes); }
  void write_durably(std::uint64_t offset, std::string_view bytes) override { file_->write_durably(offset, bytes); }
  void sync() override { file_->sync(); }
  void allocate(std::uint64_t bytes) override { file_->allocate(bytes); }

 private:
  static constexpr char k_unreadable = '\xFF';   // not zeros: such a block is bad, not blank

  // False: the place cannot be read.
  bool try_read(std::uint64_t offset, std::span<char> to, From from) {
    try {
      file_->read(offset, to, from);
      return true;
    } catch (const DiskError& error) {
      if (error.code() != EIO) throw;
      return false;
    }
  }

  const std::unique_ptr<DiskFile> file_;
};

// A file with a header that can be read. Nothing else is known of it.
struct Readable {
  SegmentHeader header;
  std::unique_ptr<DiskFile> file;
  std::uint32_t blocks = 0;   // that the file has, whatever its header says
};

std::optional<Readable> open_readable(Disk& disk, std::uint64_t number, Place& place) {
  place = {.name = name_of_segment(number)};
  Readable readable{.header = {}, .file = std::make_unique<WornFile>(disk.open(place.name, Disk::Mode::read))};
  const std::uint64_t size = readable.file->size();
  std::string block(k_block, '\0');
  if (size < k_block) {
    place.what = "the file ends in its header";
    return std::nullopt;
  }
  readable.file->read(0, block, From::cache);
  const auto header = decode_segment_header(block);
  if (!header) {
    if (header.error().is_later) refuse(disk, place.name, header.error());
    place.what = header.error().what;
    return std::nullopt;
  }
  if (header->number != number) {
    place.what = "it is segment " + std::to_string(header->number) + " under another name";
    return std::nullopt;
  }
  readable.header = *header;
  readable.blocks = static_cast<std::uint32_t>(std::min(size, header->bytes) / k_block);
  return readable;
}

// Visits the whole frames of all segments in order, past whatever lies between them.
struct Walk {
  std::function<void(std::uint64_t segment, const FrameHeader&, const RoundRead&)> frame;
  std::function<void(Place)> bad;
  JournalId journal;   // of others nothing is read
  std::uint64_t first = 1;   // segments before it are passed over

  void run(Disk& disk) const {
    for (const std::uint64_t number : numbers_of_segments(disk)) {
      if (number < first) continue;
      Place place;
      const std::optional<Readable> segment = open_readable(disk, number, place);
      if (segment && segment->header.journal == journal) {
        read(disk, *segment, place.name);
        continue;
      }
      if (segment) place.what = "it is of another journal";
      bad(std::move(place));
    }
  }

  void read(const Disk& disk, const Readable& segment, const std::string& name) const {
    FrameScan scan(*segment.file, segment.header, k_first_frame, segment.blocks, From::cache);
    for (Found found = scan.next(); found != Found::end; found = scan.next()) {
      if (found == Found::frame) {
        const auto read = decode_frame(scan.header(), scan.bytes());
        if (!read && read.error().is_later) refuse(disk, name, scan.offset(), scan.header(), read.error());
        if (read) frame(segment.header.number, scan.header(), *read);
        else bad({.name = name, .offset = scan.offset(), .what = "the frame is whole, and " + read.error().what});
        continue;
      }
      if (found == Found::bad) bad({.name = name, .offset = scan.offset(), .what = "it is not what was written"});
      scan.skip_block();
    }
  }
};

std::optional<ReachMarker> marker_of(Disk& disk, Survey& survey) {
  const std::vector<std::string> names = disk.list();
  if (std::ranges::find(names, ReachMarker::k_name) == names.end()) {
    survey.damage.push_back(disk.path_of(ReachMarker::k_name) + ": it is missing, so nobody knows whether rows are lost at the end");
    return std::nullopt;
  }
  try {
    return std::optional<ReachMarker>(std::in_place, disk, Disk::Mode::read);
  } catch (const SegmentDamage&) {
  } catch (const DiskError& error) {
    if (error.code() != EIO) throw;
  }
  survey.damage.push_back(disk.path_of(ReachMarker::k_name) + ": it cannot be read, so nobody knows whether rows are lost at the end");
  return std::nullopt;
}

// The marker's id if a segment has it, else that of the first segment that can be read.
JournalId id_of(Disk& disk, const std::optional<ReachMarker>& marker) {
  std::optional<JournalId> first;
  for (const std::uint64_t number : numbers_of_segments(disk)) {
    Place place;
    const std::optional<Readable> segment = open_readable(disk, number, place);
    if (!segment) continue;
    if (marker && segment->header.journal == marker->journal()) return marker->journal();
    if (!first) first = segment->header.journal;
  }
  return first.value_or(marker ? marker->journal() : JournalId{});
}

// The first segment that is kept, as the newest note says.
std::uint64_t first_kept_of(Disk& disk, const JournalId& journal) {
  std::uint64_t newest = 0;
  std::uint64_t first = 1;
  const Walk walk{.frame =
                      [&](std::uint64_t, const FrameHeader&, const RoundRead& read) {
                        if (read.after.round < newest || !read.notes.contains(k_note_first_kept)) return;
                        newest = read.after.round;
                        first = first_kept_in(read.notes).value_or(first);
                      },
                  .bad = [](const Place&) {},
                  .journal = journal};
  walk.run(disk);
  return first;
}

class Surveyor {
 public:
  Surveyor(Disk& disk, Survey& survey, std::uint64_t first_kept)
      : disk_(disk), survey_(survey), first_kept_(first_kept), segment_(first_kept - 1) {}

  void frame(std::uint64_t segment, const FrameHeader& header, const RoundRead& read) {
    // The round behind the opening says as well as the opening where the journal stood.
    const bool follows_opening = header.kind == FrameKind::round && header.block_before == k_first_frame;
    if (!at_ && segment == first_kept_ && (header.kind == FrameKind::opening || follows_opening)) begin(read.before);
    if (at_ && read.after.round < at_->round) return;   // of an older copy: what it says is known
    if (segment > segment_ + 1) bad({.name = name_of_segment(segment_ + 1), .what = "it is missing"});
    segment_ = segment;
    if (!at_ || read.before != *at_) lose_until(read.before);
    else if (place_) survey_.damage.push_back(sentence(disk_, *place_) + ". No row is lost by it");
    at_ = read.after;
    place_.reset();
    for (const JournalRow& row : read.rows) {
      if (is_damaged_) lose(row);
      else keep(row);
    }
    if (!is_damaged_) put_in_force(read.notes, survey_.notes);
  }
  void bad(Place place) {
    if (!place_) place_ = std::move(place);
  }
  // No further frame. `known` is what the marker knows.
  void end(const std::optional<Reach>& known) {
    if (known && known->round > at_.value_or(Reach{}).round) lose_until(*known);
  }

 private:
  // Where the journal stood before the first segment that is kept.
  void begin(const Reach& before) {
    survey_.start = before;
    survey_.kept = before.head;
    at_ = before;
  }

  void lose_until(const Reach& next) {
    const Reach at = at_.value_or(Reach{});
    is_damaged_ = true;
    const Place place = place_.value_or(Place{.name = name_of_segment(segment_), .what = "its last rounds are missing"});
    survey_.damage.push_back(sentence(disk_, place) + ". Round " + std::to_string(next.round) + " does not follow on round " +
                             std::to_string(at.round));
    if (next.head.position > at.head.position) survey_.unreadable.push_back({at.head.position + 1, next.head.position});
  }

  void keep(const JournalRow& row) {
    survey_.kept = {row.position, row.hash};
    survey_.largest_body = std::max<std::uint64_t>(survey_.largest_body, row.body.size());
    next_seq_[row.event] = row.first_seq + row.changes;
  }

  void lose(const JournalRow& row) {
    if (!survey_.readable.empty() && survey_.readable.back().last + 1 == row.position) survey_.readable.back().last = row.position;
    else survey_.readable.push_back({row.position, row.position});
    // Of an event that retention may have shortened, nobody knows where its changes begin.
    const bool begins_at_one = survey_.start && survey_.start->head.position == 0;
    const auto known = next_seq_.find(row.event);
    const Seq expected = known != next_seq_.end() ? known->second : begins_at_one ? Seq{1} : row.first_seq;
    EventLoss& loss = survey_.events.try_emplace(row.event, EventLoss{.first_lost = expected}).first->second;
    loss.readable += row.changes;
    if (row.first_seq > expected) loss.unreadable += row.first_seq - expected;
    next_seq_[row.event] = row.first_seq + row.changes;
  }

  Disk& disk_;
  Survey& survey_;
  const std::uint64_t first_kept_;
  std::uint64_t segment_;   // of the last frame
  std::optional<Reach> at_;   // behind the last frame; nothing: there was none
  std::optional<Place> place_;   // the first bad one behind it
  std::map<EventNumber, Seq> next_seq_;
  bool is_damaged_ = false;
};

}  // namespace

namespace {

// What a start refuses although all frames follow each other: in a prepared segment, in one that has just begun, in the marker.
void add_refusal(Disk& disk, const ReachMarker& marker, Survey& survey) {
  if (marker.state() == ReachMarker::State::creating) {
    survey.damage.push_back(disk.path_of(ReachMarker::k_name) + ": it says that the journal is being created, and there are segments");
    return;
  }
  try {
    recover(disk, marker, Disk::Mode::read);
  } catch (const SegmentDamage& damage) {
    survey.damage.push_back(without_way_out(disk, damage.what()) + ". No row is lost by it");
  } catch (const DiskError& error) {
    if (error.code() != EIO) throw;
    survey.damage.push_back(std::string(error.what()) + ". No row is lost by it");
  }
}

}  // namespace

Survey survey_journal(Disk& disk) {
  if (numbers_of_segments(disk).empty()) throw DataError(disk.path_of("") + " has no segment of a journal, so there is nothing to save.");
  Survey survey;
  const std::optional<ReachMarker> marker = marker_of(disk, survey);
  survey.journal = id_of(disk, marker);
  const std::uint64_t first_kept = first_kept_of(disk, survey.journal);
  Surveyor surveyor(disk, survey, first_kept);
  const Walk walk{
      .frame = [&](std::uint64_t segment, const FrameHeader& header, const RoundRead& read) { surveyor.frame(segment, header, read); },
      .bad = [&](Place place) { surveyor.bad(std::move(place)); },
      .journal = survey.journal,
      .first = first_kept};
  walk.run(disk);
  surveyor.end(marker && marker->journal() == survey.journal ? std::optional(marker->reach()) : std::nullopt);
  if (marker && survey.damage.empty()) add_refusal(disk, *marker, survey);
  return survey;
}

void each_readable_row(Disk& disk, const Survey& survey, const std::function<bool(const JournalRow&)>& visit) {
  Position last = survey.start ? survey.start->head.position : 0;
  bool goes_on = true;
  const Walk walk{.frame =
                      [&](std::uint64_t, const FrameHeader&, const RoundRead& read) {
                        for (const JournalRow& row : read.rows) {
                          if (!goes_on || row.position <= last) continue;   // given up, or of an older copy
                          last = row.position;
                          goes_on = visit(row);
                        }
                      },
                  .bad = [](const Place&) {},
                  .journal = survey.journal};
  walk.run(disk);
}

void write_kept(Disk& from, const Survey& survey, Disk& to, const SegmentWriter::Options& options, const JournalId& journal) {
  if (!survey.start) {
    throw DataError("the beginning of the journal in " + from.path_of("") +
                    " cannot be read, so no row can be kept. Restore it from a backup.");
  }
  if (SegmentWriter::exists(to)) throw DataError(to.path_of("") + " has a journal. What is saved needs a folder of its own.");
  const SegmentWriter::Options fitting = with_room_for(survey.largest_body, options);
  SegmentWriter::create(to, fitting, journal, {.round = 0, .head = survey.start->head});
  SegmentWriter writer(to, fitting);
  writer.settle();
  RowCopy copy(writer);
  JournalHead at = survey.start->head;
  const Walk walk{.frame =
                      [&](std::uint64_t, const FrameHeader&, const RoundRead& read) {
                        if (at == survey.kept || read.before.head != at) return;
                        for (const JournalRow& row : read.rows) copy.add(row);
                        at = read.after.head;
                      },
                  .bad = [](const Place&) {},
                  .journal = survey.journal};
  walk.run(from);
  copy.finish(survey.notes);
  if (writer.reach().head != survey.kept) {
    throw DataError("the journal in " + from.path_of("") + " has changed since it was surveyed: row " +
                    std::to_string(writer.reach().head.position + 1) + " is missing. Survey it again.");
  }
  writer.stop();
}

}  // namespace holdfast::segments
