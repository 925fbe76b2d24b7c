#include "ledger/embedded/conversion.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/head_marker.h"
#include "ledger/embedded/journal.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/registry_marker.h"
#include "ledger/embedded/segment_rows.h"
#include "ledger/embedded/segments/clock_doubt_note.h"
#include "ledger/embedded/segments/few_open_files.h"
#include "ledger/embedded/segments/segment_writer.h"
#include "ledger/embedded/segments/unsynced_disk.h"
#include "ledger/embedded/state_store.h"
#include "ledger/embedded/verify.h"
#include "ledger/seat_directory.h"

namespace holdfast {
namespace {

namespace fs = std::filesystem;
using segments::Round;
using segments::SegmentWriter;

constexpr std::string_view k_checking = "checking journal.db";
constexpr std::string_view k_writing = "converting the journal";
constexpr std::string_view k_comparing = "comparing the converted journal";
constexpr const char* k_converted = ".converted";
// Of a round with many rows. A reading of one row reads its round whole, and finds it to this many bytes (SegmentIndex::k_apart); with the
// padding, rounds take 3 % more than their rows.
constexpr std::uint64_t k_round_bytes = std::uint64_t{64} * 1024;
constexpr std::uint64_t k_blocks_before_rounds = segments::k_first_frame + segments::k_opening_blocks_max;   // of a segment
constexpr std::uint64_t k_segments_prepared = segments::Supply::k_ahead;   // by the start

struct Paths {
  explicit Paths(const fs::path& data)
      : data(data),
        journal(DataFolder::journal_in(data)),
        head(DataFolder::journal_head_in(data)),
        segments(DataFolder::journal_folder_in(data)) {}

  fs::path data;
  std::string journal;
  std::string head;
  std::string segments;
  std::string log = journal + "-wal";
  std::string log_index = journal + "-shm";
  std::string partial = segments + ".partial";
  std::string complete = segments + ".new";
  std::string kept = journal + k_converted;
};

// ---------------------------------------------------------------------------------------------------------------- names

// A change of a name is on disk before the next step.
void rename_durably(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) throw DataError("cannot rename " + from + " to " + to + ": " + error.message());
  sync_folder_of(to);
}

void rename_if_there(const std::string& from, const std::string& to) {
  if (fs::exists(from)) rename_durably(from, to);
}

void remove_durably(const std::string& path) {
  if (!fs::exists(path)) return;
  std::error_code error;
  fs::remove_all(path, error);
  if (error) throw DataError("cannot remove " + path + ": " + error.message());
  sync_folder_of(path);
}

void make_private_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0) throw DataError("cannot make " + path + ": " + std::strerror(errno));
  give_to_owner_of_folder(path);
}

// ---------------------------------------------------------------------------------------------------------------- before it

// A start would refuse these after the conversion, too, and say that nothing was changed.
void check_as_a_start(const Paths& paths, Journal& journal) {
  check_reached(read_head_marker(paths.head).get(), journal);
  const std::string tables = DataFolder::state_in(paths.data);
  if (fs::exists(tables)) {
    StateStore state(tables, StateStore::Mode::read);
    return check_pair(journal, state);
  }
  if (journal.head() == JournalHead{}) return;
  throw DataError(tables +
                  " is missing. Nothing was changed. Put it back if it was moved; its tables can be made again from the journal with: "
                  "holdfast rebuild --data " +
                  paths.data.string());
}

class Reporter {
 public:
  Reporter(const ConversionOptions& options, const JournalRows& journal)
      : progress_(options.progress), of_(journal.head().position - journal.anchor().position) {}

  void begin(std::string_view doing) {
    doing_ = doing;
    rows_ = 0;
    report();
  }
  void row() {
    ++rows_;
    if (rows_ % k_rows_a_report == 0 || rows_ == of_) report();
  }

 private:
  using Timer = std::chrono::steady_clock;
  static constexpr std::chrono::seconds k_logged_every{10};

  void report() {
    const StartProgress progress{.doing = doing_, .done = rows_, .of = of_};
    if (progress_) progress_(progress);
    if (Timer::now() < logged_at_ + k_logged_every) return;
    logged_at_ = Timer::now();
    spdlog::info("{}", told_of(progress));
  }

  const OnStartProgress& progress_;
  const std::int64_t of_;
  Timer::time_point logged_at_ = Timer::now();
  std::string_view doing_;
  std::int64_t rows_ = 0;
};

struct Measured {
  std::uint64_t bytes = 0;   // of rounds with all rows
  std::uint64_t largest = 0;   // of the round with the largest row
};

// Reads all rows, so that nothing is begun if one is damaged.
Measured measure(Journal& journal, Reporter& reporter) {
  Measured measured;
  std::uint64_t body_bytes = 0;
  std::uint64_t rows = 0;
  reporter.begin(k_checking);
  journal.read(journal.anchor(), [&](const JournalRow& row) {
    ++rows;
    body_bytes += row.body.size();
    measured.largest = std::max(measured.largest, Round::bytes_max(1, row.body.size()));
    reporter.row();
    return true;
  });
  // Each round but those of larger rows is full but for a row and a block.
  const std::uint64_t packed = Round::bytes_max(rows, body_bytes);
  measured.bytes = packed + (packed / k_round_bytes + 1) * 2 * segments::k_block;
  return measured;
}

// A row of an earlier version may be larger than a round that is written today. Then all segments are large enough for it.
ConversionOptions with_room_for(std::uint64_t round, ConversionOptions options) {
  const std::uint64_t least = round + k_blocks_before_rounds * segments::k_block;
  if (round <= SegmentWriter::k_round_bytes_max && least <= options.first_segment_bytes && least <= options.segment_bytes) return options;
  std::uint64_t bytes = options.segment_bytes;
  while (bytes < least) bytes *= 2;
  if (bytes > segments::k_segment_bytes_max) {
    throw DataError("a row of journal.db takes " + std::to_string(round) +
                    " bytes, and a segment file has room for less. Nothing was changed. Use the version that wrote it, and ask for help.");
  }
  options.first_segment_bytes = options.segment_bytes = bytes;
  return options;
}

std::uint64_t file_bytes(const std::string& path) {
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(path, error);
  return error ? 0 : bytes;   // it is not there
}

void refuse_without_room(const Paths& paths, std::uint64_t needed) {
  const std::uint64_t free = segments::PosixDisk(paths.data).free_bytes();
  if (free >= needed) return;
  throw DataError(
      fmt::format("journal.db in {} is to be converted to segment files, which take {} bytes beside it, and the disk has {} bytes "
                  "free. Nothing was changed. Free {} bytes, then start again.",
                  paths.data.string(), needed, free, needed - free));
}

void refuse_earlier_conversion(const Paths& paths) {
  for (const std::string& kept : {paths.kept, paths.kept + "-wal", paths.head + k_converted}) {
    if (!fs::exists(kept)) continue;
    throw DataError(kept +
                    " is there, from an earlier conversion, so journal.db cannot be converted: it would take its place. Nothing was "
                    "changed. Move it away, or delete it if nobody needs it, then start again.");
  }
}

// ---------------------------------------------------------------------------------------------------------------- segments

// Gathers rows into rounds.
class Copy {
 public:
  explicit Copy(SegmentWriter& writer) : writer_(writer), round_(writer.reach()) {}

  void add(const JournalRow& row) {
    body_bytes_ += row.body.size();
    ++rows_;
    if (rows_ > 1 && Round::bytes_max(rows_, body_bytes_) > std::min(k_round_bytes, writer_.round_bytes_max())) {
      write();
      rows_ = 1;
      body_bytes_ = row.body.size();
    }
    round_.add_row(row.event, row.first_seq, row.changes, row.at, row.body);
  }
  void add_note(segments::NoteKind kind, std::string_view text) { round_.add_note(kind, text); }
  void write() {
    if (!round_.is_empty()) writer_.append(round_);
    round_.begin(writer_.reach());
    rows_ = 0;
    body_bytes_ = 0;
  }

 private:
  SegmentWriter& writer_;
  Round round_;
  std::uint64_t rows_ = 0;
  std::uint64_t body_bytes_ = 0;
};

segments::JournalId draw_journal_id() {
  segments::JournalId id;
  for (std::size_t at = 0; at < id.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t drawn = draw_hash_seed();
    std::memcpy(id.data() + at, &drawn, sizeof drawn);
  }
  return id;
}

// Writes all rows to a new journal in `folder`; all of it is on disk when it returns.
void write_segments(Journal& journal, const std::string& folder, const ConversionOptions& options, std::uint64_t largest,
                    Reporter& reporter) {
  segments::UnsyncedDisk unsynced(folder);
  segments::FewOpenFiles disk(unsynced);
  const SegmentWriter::Options writing{.segment_bytes = options.segment_bytes,
                                       .first_segment_bytes = options.first_segment_bytes,
                                       .round_bytes_max = std::max(largest, SegmentWriter::k_round_bytes_max),
                                       .draw_salt = draw_hash_seed};
  SegmentWriter::create(disk, writing, draw_journal_id(), {.round = 0, .head = journal.anchor()});
  SegmentWriter writer(disk, writing);
  writer.settle();
  Copy copy(writer);
  reporter.begin(k_writing);
  journal.read(journal.anchor(), [&](const JournalRow& row) {
    copy.add(row);
    reporter.row();
    return true;
  });
  if (const auto doubt = journal.doubtful_start()) copy.add_note(segments::k_note_clock_doubt, segments::note_of_clock_doubt(*doubt));
  copy.write();
  writer.stop();
  unsynced.sync_all();
}

bool is_same(const std::optional<DoubtfulStart>& one, const std::optional<DoubtfulStart>& other) {
  return one.has_value() == other.has_value() && (!one || (one->until == other->until && one->ahead == other->ahead));
}

// Reads the new journal from the disk. The hash of its last row is one over all rows: reading has checked each against the row before it.
void compare(Journal& journal, const std::string& folder, Reporter& reporter) {
  segments::PosixDisk posix(folder);
  segments::FewOpenFiles disk(posix);
  SegmentRows rows(disk);
  std::int64_t count = 0;
  reporter.begin(k_comparing);
  rows.read(rows.anchor(), [&](const JournalRow&) {
    ++count;
    reporter.row();
    return true;
  });
  const bool has_all =
      rows.anchor() == journal.anchor() && rows.head() == journal.head() && count == journal.head().position - journal.anchor().position;
  if (!has_all || !is_same(rows.doubtful_start(), journal.doubtful_start())) throw DataError(folder + " does not read as it was written");
}

// ---------------------------------------------------------------------------------------------------------------- the steps

std::string without_full_stop(std::string sentence) {
  if (sentence.ends_with('.')) sentence.pop_back();
  return sentence;
}

// The error before it is the one to be told; the next conversion removes what stays.
void discard(const std::string& path) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

void make_new_journal(Journal& journal, const Paths& paths, const ConversionOptions& options, std::uint64_t largest, Reporter& reporter) {
  try {
    make_private_folder(paths.partial);
    write_segments(journal, paths.partial, options, largest, reporter);
    compare(journal, paths.partial, reporter);
    rename_durably(paths.partial, paths.complete);
  } catch (const DataError& error) {
    discard(paths.partial);
    throw DataError(paths.journal + " could not be converted to segment files: " + without_full_stop(error.what()) +
                    ". It is as it was, and nothing was lost. Free space or repair the disk, then start again.");
  } catch (...) {
    discard(paths.partial);
    throw;
  }
}

// All rows are in the file then, and it is on disk. If another program reads it meanwhile, its log may stay.
void settle(std::unique_ptr<Journal> journal, const Paths& paths) {
  try {
    journal->settle();
  } catch (...) {
    discard(paths.complete);
    throw;
  }
  journal->keep_log_at_close(false);
  journal.reset();
  sync_folder_of(paths.journal);
}

}  // namespace

void convert_journal(const DataFolder& folder, const ConversionOptions& options) {
  const Paths paths(folder.path());
  if (fs::exists(paths.segments)) throw DataError(paths.journal + " and " + paths.segments + " are both there. Nothing was changed.");
  refuse_earlier_conversion(paths);
  auto journal = std::make_unique<Journal>(paths.journal, Journal::Mode::write);
  journal->keep_log_at_close();   // until all checks are over
  check_as_a_start(paths, *journal);
  Reporter reporter(options, *journal);
  const Measured measured = measure(*journal, reporter);
  const ConversionOptions fitting = with_room_for(measured.largest, options);
  for (const std::string& left : {paths.partial, paths.complete}) remove_durably(left);   // of an interrupted conversion
  refuse_without_room(paths, bytes_of_converted(measured.bytes, fitting) + file_bytes(paths.log));
  spdlog::info("{} is being converted to segment files, in {}", paths.journal, paths.segments);
  make_new_journal(*journal, paths, fitting, measured.largest, reporter);
  settle(std::move(journal), paths);
  rename_durably(paths.journal, paths.kept);   // from here on, the new journal is the folder's
  finish_interrupted_conversion(folder.path());
}

// journal/ comes last: nothing is missing then.
void finish_interrupted_conversion(const fs::path& data) {
  const Paths paths(data);
  if (fs::exists(paths.journal) || !fs::exists(paths.kept) || !fs::exists(paths.complete)) return;
  if (fs::exists(paths.segments)) {
    throw DataError(paths.segments + " and " + paths.complete +
                    " are both there, and nobody knows which one is the journal. Nothing was "
                    "changed. Move the one away that does not belong to " +
                    DataFolder::state_in(data) + ".");
  }
  if (!fs::exists(DataFolder::registry_head_in(data))) {
    const auto noted = RegistryMarker::find(data, RegistryMarker::Mode::read);   // in journal.head
    RegistryMarker::create(data, noted == nullptr ? std::nullopt : noted->revision());
  }
  rename_if_there(paths.head, paths.head + k_converted);
  rename_if_there(paths.log, paths.kept + "-wal");
  remove_durably(paths.log_index);
  rename_durably(paths.complete, paths.segments);
  spdlog::info("{} has the journal from now on; {} is kept as it was", paths.segments, paths.kept);
}

void convert_if_wanted(const DataFolder& folder, const JournalOptions& options) {
  finish_interrupted_conversion(folder.path());
  if (!options.converts || !fs::exists(folder.journal())) return;
  convert_journal(
      folder,
      {.segment_bytes = options.segment_bytes, .first_segment_bytes = options.first_segment_bytes, .progress = options.on_progress});
}

std::uint64_t bytes_of_converted(std::uint64_t bytes, const ConversionOptions& options) {
  const segments::SegmentSizes sizes{.first = options.first_segment_bytes, .most = options.segment_bytes};
  std::uint64_t number = 1;
  std::uint64_t total = 0;
  for (std::uint64_t taken = 0; taken < bytes; ++number) {
    const std::uint64_t room = sizes.of(number) - k_blocks_before_rounds * segments::k_block;
    total += sizes.of(number);
    taken += room - std::min(k_round_bytes, room / 2);   // the last round may not fit
  }
  for (std::uint64_t prepared = 0; prepared < k_segments_prepared; ++prepared) total += sizes.of(number++);
  return total;
}

}  // namespace holdfast
