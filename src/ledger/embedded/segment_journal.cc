#include "ledger/embedded/segment_journal.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/check.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/segment_watch.h"
#include "ledger/embedded/segments/clock_doubt_note.h"
#include "ledger/embedded/segments/damage.h"
#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/retention.h"
#include "ledger/seat_directory.h"

namespace holdfast {
namespace {

using segments::DiskError;
using segments::SegmentWriter;

SegmentWriter::Options writer_options(const SegmentJournal::Options& options) {
  return {.segment_bytes = options.segment_bytes,
          .first_segment_bytes = options.first_segment_bytes,
          .draw_salt = options.draw ? options.draw : draw_hash_seed};
}

std::unique_ptr<segments::Disk> open_folder(const std::filesystem::path& data, const SegmentJournal::Options& options) {
  return options.disk != nullptr ? nullptr : std::make_unique<segments::PosixDisk>(DataFolder::journal_folder_in(data));
}

template <typename Do>
auto told_as_damage(Do work) -> decltype(work()) {
  try {
    return work();
  } catch (const segments::SegmentDamage& damage) {
    throw JournalDamage(damage.what());
  }
}

void make_folder(const std::filesystem::path& data) {
  const std::string folder = DataFolder::journal_folder_in(data);
  if (::mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    throw DataError("cannot make the folder " + folder + ": " + std::strerror(errno) + ". Holdfast needs to write to its data folder.");
  }
  give_to_owner_of_folder(folder);
  sync_folder_of(folder);
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------------- the start

bool SegmentJournal::exists(const std::filesystem::path& data, const Options& options) {
  if (options.disk == nullptr && !std::filesystem::exists(DataFolder::journal_folder_in(data))) return false;
  const auto posix = open_folder(data, options);
  return told_as_damage([&] { return SegmentWriter::exists(posix ? *posix : *options.disk); });
}

void SegmentJournal::create(const std::filesystem::path& data, const Options& options, const JournalHead& start) {
  if (options.disk == nullptr) make_folder(data);
  const auto posix = open_folder(data, options);
  const SegmentWriter::Options made = writer_options(options);
  segments::JournalId id{};
  const std::array<std::uint64_t, 2> drawn{made.draw_salt(), made.draw_salt()};
  static_assert(sizeof drawn == sizeof id);
  std::memcpy(id.data(), drawn.data(), id.size());
  told_as_damage([&] { SegmentWriter::create(posix ? *posix : *options.disk, made, id, {.round = 0, .head = start}); });
}

SegmentJournal::SegmentJournal(const std::filesystem::path& data, Options options)
    : data_(data),
      options_(std::move(options)),
      posix_(open_folder(data, options_)),
      disk_(posix_ ? *posix_ : *options_.disk),
      writer_(told_as_damage([&] { return SegmentWriter(disk_, writer_options(options_)); })),
      round_(writer_.reach()),
      notes_(writer_.notes()),
      given_up_before_(segments::first_kept_in(notes_).value_or(1)) {
  rows_ = SegmentRows::of_writer(disk_, writer_.catalog(), [this] { return notes(); });
}

SegmentJournal::~SegmentJournal() = default;

JournalRows& SegmentJournal::rows() {
  rows_->renew();
  return *rows_;
}

void SegmentJournal::settle(const std::optional<DoubtfulStart>& doubt) {
  writer_.settle();
  is_settled_ = true;
  if (writer_.torn_blocks() > 0) {
    spdlog::warn("{}: {} bytes of a round that was cut off by a crash, and never answered, were removed", disk_.path_of(""),
                 writer_.torn_blocks() * segments::k_block);
  }
  if (!writer_.not_removed().empty()) spdlog::error("{}; it is tried again", writer_.not_removed());
  while (writer_.supply().prepare() == segments::Supply::Prepared::one_more) {}   // so that the first round need not wait
  if (doubt) posted_.post(segments::k_note_clock_doubt, segments::note_of_clock_doubt(*doubt));
  // On a full disk the note waits for the next round: without one, nothing is recorded that it could be about.
  if (doubt && can_take(0, 0, Work::settling)) {
    begin();
    write_round();
  }
  if (options_.has_thread) supplying_.emplace(writer_.supply());
}

// ---------------------------------------------------------------------------------------------------------------- rounds

// Notes that others have posted go with the round, and have room in it.
std::expected<void, NotTaken> SegmentJournal::can_take(std::uint64_t rows, std::uint64_t body_bytes, Work work) {
  const std::uint64_t bytes = segments::Round::bytes_max(rows, body_bytes, posted_.take());
  auto taken = writer_.can_take(bytes, work);
  if (taken || options_.has_thread || taken.error().reason == NotTaken::Reason::too_large) return taken;
  writer_.supply().prepare();
  return writer_.can_take(bytes, work);
}

void SegmentJournal::begin() {
  round_.begin(writer_.reach());
  posted_.add_to(round_);
}

void SegmentJournal::append(EventNumber event, Seq first_seq, std::uint32_t changes, Millis at, std::string_view body) {
  round_.add_row(event, first_seq, changes, at, body);
}

void SegmentJournal::commit() {
  try {
    write_round();
  } catch (const std::exception& error) {
    posted_.failed(std::current_exception());
    const bool says_all = dynamic_cast<const DiskError*>(&error) != nullptr;
    throw JournalBroken(says_all ? error.what()
                                 : std::string("the journal could not be written: ") + error.what() +
                                       " What was answered is on disk; what was not answered did not happen. Start again.");
  }
}

void SegmentJournal::write_round() {
  writer_.append(round_);
  posted_.written();
  if (!round_.notes().empty()) publish_notes();
}

void SegmentJournal::publish_notes() {
  const std::scoped_lock lock(mutex_);
  notes_ = writer_.notes();
}

void SegmentJournal::tend() {
  if (!options_.has_thread) writer_.supply().prepare();
}

// ---------------------------------------------------------------------------------------------------------------- beside the writer

segments::Notes SegmentJournal::notes() const {
  const std::scoped_lock lock(mutex_);
  return notes_;
}

std::unique_ptr<JournalRows> SegmentJournal::new_rows() const {
  return SegmentRows::of_writer(disk_, writer_.catalog(), [this] { return notes(); });
}

std::string SegmentJournal::room_trouble() const { return writer_.room_trouble(); }

std::string SegmentJournal::damage() const {
  const std::scoped_lock lock(mutex_);
  return damage_;
}

void SegmentJournal::found_damage(const std::string& what) {
  const std::scoped_lock lock(mutex_);
  if (damage_.empty()) damage_ = what;
}

std::vector<std::string> SegmentJournal::files() const {
  std::vector<std::string> files{disk_.path_of(segments::ReachMarker::k_name)};
  for (const std::uint64_t number : writer_.catalog().numbers_that_stay())
    files.push_back(disk_.path_of(segments::name_of_segment(number)));
  return files;
}

// By the disk itself, which opens a file anew for each look: one that another file was renamed over must not pass for what this process has open.
std::unique_ptr<JournalWatch> SegmentJournal::new_watch() const {
  return std::make_unique<SegmentWatch>(data_, posix_ ? *posix_ : *options_.disk, writer_.catalog(), [this] { return files(); });
}

// ---------------------------------------------------------------------------------------------------------------- upkeep

// Gives the rows of one old segment after the other, and counts as removed what it was told to remove. The files follow when the note that
// does without them is on disk.
class SegmentJournal::Upkeep final : public JournalUpkeep {
 public:
  explicit Upkeep(SegmentJournal& journal) : journal_(journal), rows_(journal.new_rows()) {}

  JournalRows& rows() override { return *rows_; }

  void tend(bool) override {
    if (!journal_.damage().empty()) return;   // the files stay as they are
    const std::uint64_t first_kept = segments::first_kept_in(journal_.notes()).value_or(1);
    std::string failed;
    try {
      segments::remove_segments_before(journal_.disk_, journal_.writer_.catalog(), first_kept);
    } catch (const DiskError& error) {
      failed = error.what();
    }
    const std::scoped_lock lock(journal_.mutex_);
    if (!failed.empty() && journal_.not_removed_ != failed) spdlog::error("{}; it is tried again", failed);
    journal_.not_removed_ = failed;
  }

  std::vector<JournalRow> old_rows(Position through, Millis older_than, std::size_t limit) override {
    if (!find_oldest() || last_ > through || !is_old(older_than)) return {};
    std::vector<JournalRow> old;
    const segments::SegmentReader reader(journal_.disk_, journal_.writer_.catalog());
    try {
      reader.read(removed_ + 1, [&](const JournalRow& row) {
        if (row.position > last_ || old.size() == limit) return false;
        old.push_back(row);
        old.back().body = {};
        return true;
      });
    } catch (const DataError& error) {
      stays(error);   // rows before that one can go, but the segment cannot
    }
    return old;
  }

  void remove(std::span<const JournalRow> oldest) override {
    if (oldest.empty()) return;
    HOLDFAST_CHECK(oldest.front().position == removed_ + 1 && oldest.back().position <= last_);
    removed_ = oldest.back().position;
    if (removed_ < last_) return;
    journal_.give_up_before(segment_ + 1);
  }

 private:
  // The first segment that has rows which are not removed, if it is not the one in use and not the one with the last row.
  bool find_oldest() {
    const auto snapshot = journal_.writer_.catalog().snapshot();
    const segments::SegmentList& in_use = snapshot.segments;
    removed_ = std::max(removed_, in_use.front().before->head.position);
    const std::uint64_t given_up_before = journal_.given_up_before();   // also by another upkeep, before a failure
    for (std::size_t i = 0; i + 1 < in_use.size(); ++i) {
      const Position last = in_use[i + 1].before->head.position;
      if (in_use[i].header.number < given_up_before) removed_ = std::max(removed_, last);
      if (last <= removed_) continue;
      if (last == snapshot.reach.head.position) return false;
      if (segment_ != in_use[i].header.number) {
        segment_ = in_use[i].header.number;
        last_time_.reset();
        stays_ = false;
      }
      last_ = last;
      return true;
    }
    return false;
  }

  // Reads the segment's last row once.
  bool is_old(Millis older_than) {
    if (stays_) return false;
    if (!last_time_) {
      try {
        const segments::SegmentReader reader(journal_.disk_, journal_.writer_.catalog());
        reader.last_row_of(segment_, [&](const JournalRow& row) {
          last_time_ = row.at;
          return false;
        });
      } catch (const DataError& error) {
        stays(error);
      }
    }
    return last_time_ && *last_time_ < older_than;
  }

  // Rows that cannot be read are told by those who need them. The tables cannot forget them, so the segment is kept.
  void stays(const DataError& error) {
    stays_ = true;
    spdlog::error("{} is kept, and so are later segments, although their rows are old: {}", segments::name_of_segment(segment_),
                  error.what());
  }

  SegmentJournal& journal_;
  const std::unique_ptr<JournalRows> rows_;
  Position removed_ = 0;   // the last row that was removed, or is before the first one
  // Of the segment with the next one:
  std::uint64_t segment_ = 0;   // its number
  Position last_ = 0;   // its last row
  std::optional<Millis> last_time_;   // of that row
  bool stays_ = false;   // it is damaged
};

// The note never goes back.
void SegmentJournal::give_up_before(std::uint64_t number) {
  const std::scoped_lock lock(mutex_);
  if (number <= given_up_before_) return;
  given_up_before_ = number;
  posted_.post(segments::k_note_first_kept, segments::note_of_first_kept(number));
}

std::uint64_t SegmentJournal::given_up_before() const {
  const std::scoped_lock lock(mutex_);
  return given_up_before_;
}

std::unique_ptr<JournalUpkeep> SegmentJournal::new_upkeep() { return std::make_unique<Upkeep>(*this); }

// ---------------------------------------------------------------------------------------------------------------- the end

void SegmentJournal::stop(bool is_broken) {
  supplying_.reset();
  if (is_broken || !is_settled_ || !damage().empty()) return;
  try {
    writer_.stop();
  } catch (const std::exception& error) {
    spdlog::error("{}", error.what());
  }
}

}   // namespace holdfast
