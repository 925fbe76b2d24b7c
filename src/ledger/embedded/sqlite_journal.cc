#include "ledger/embedded/sqlite_journal.h"

#include <spdlog/spdlog.h>

#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/sqlite_watch.h"
#include "ledger/embedded/whole_file.h"

namespace holdfast {
namespace {

constexpr int k_wal_frames_to_move = 2'000;        // 8 MB: moves the log into the file when there is little else to do
constexpr int k_wal_frames_to_move_busy = 4'000;   // 16 MB: moves it in any case; a log that is overwritten needs no new blocks
constexpr int k_wal_frames_max = 4'000;            // 16 MB: then the writer restarts the log

}  // namespace

// The log is checked before SQLite moves it into the file.
class SqliteJournal::Upkeep final : public JournalUpkeep {
 public:
  explicit Upkeep(SqliteJournal& writer) : writer_(writer), journal_(writer.path(), Journal::Mode::write), log_(writer.path()) {}

  JournalRows& rows() override { return journal_; }
  void tend(bool is_busy) override {
    const int frames = writer_.wal_frames_.load(std::memory_order_relaxed);
    if (frames > (is_busy ? k_wal_frames_to_move_busy : k_wal_frames_to_move)) writer_.move_log(journal_, log_);
  }
  std::vector<JournalRow> old_rows(Position through, Millis older_than, std::size_t limit) override {
    return journal_.old_rows(through, older_than, limit);
  }
  void remove(std::span<const JournalRow> oldest) override { journal_.remove(oldest); }

 private:
  SqliteJournal& writer_;
  Journal journal_;
  LogWatch log_;
};

// ---------------------------------------------------------------------------------------------------------------- start

// Makes the marker before the journal, because a journal that has had a marker and lacks it is refused.
void SqliteJournal::create(const std::filesystem::path& data) {
  refuse_lost(data);
  const std::string marker = HeadMarker::file_in(data);
  if (!std::filesystem::exists(marker)) HeadMarker::create(marker, {});
  create_whole<Journal>(DataFolder::journal_in(data));
}

void SqliteJournal::refuse_lost(const std::filesystem::path& data) {
  const std::string path = DataFolder::journal_in(data);
  refuse_log_without_file(path);
  const std::unique_ptr<HeadMarker> marker = read_head_marker(HeadMarker::file_in(data));
  if (marker == nullptr || marker->head().position == 0) return;
  throw DataError(path + " and state.db are missing, and journal.head knows that the journal reached row " +
                  std::to_string(marker->head().position) +
                  ". Nothing was changed. Put journal.db back, with its -wal file, or restore a backup (holdfast restore). To start over, "
                  "move journal.head away too.");
}

// A start that is refused changes nothing, so it does not move the log into the file either.
SqliteJournal::SqliteJournal(const std::filesystem::path& data)
    : folder_(data), journal_(DataFolder::journal_in(data), Journal::Mode::write) {
  journal_.keep_log_at_close();
  check_reached(read_head_marker(HeadMarker::file_in(folder_)).get(), journal_);
}

void SqliteJournal::settle(const std::optional<DoubtfulStart>& doubt) {
  journal_.settle();
  journal_.keep_log_at_close(false);
  if (doubt) journal_.note_doubtful_start(*doubt);
  marker_ = open_head_marker(HeadMarker::file_in(folder_), journal_);
  log_ = std::make_unique<LogWatch>(path());
  wal_frames_ = journal_.wal_frames();
}

// ---------------------------------------------------------------------------------------------------------------- rounds

std::expected<void, NotTaken> SqliteJournal::can_take(std::uint64_t, std::uint64_t, Work) { return {}; }

template <typename Write>
void SqliteJournal::guarded(Write write) try {
  write();
} catch (const sqlite::Error& error) {
  journal_.roll_back();
  throw JournalBroken(std::string("the journal could not be written: ") + error.what() +
                      ". What was answered is on disk; what was not answered did not happen. Free space or repair the disk, then start "
                      "again.");
}

void SqliteJournal::begin() {
  guarded([this] { journal_.begin(); });
}

void SqliteJournal::append(EventNumber event, Seq first_seq, std::uint32_t changes, Millis at, std::string_view body) {
  guarded([&] { journal_.append(event, first_seq, changes, at, body); });
}

void SqliteJournal::commit() {
  guarded([this] { journal_.commit(); });
  wal_frames_.store(journal_.wal_frames(), std::memory_order_relaxed);
  try {
    marker_->reach(journal_.head());
  } catch (const DataError& error) {
    throw JournalBroken(std::string("how far the journal reaches could not be noted: ") + error.what() +
                        ". What was answered is on disk; the last requests without an answer may be too. Repair the disk, then start "
                        "again.");
  }
}

// ---------------------------------------------------------------------------------------------------------------- the log

// On the tables' thread.
void SqliteJournal::move_log(Journal& journal, LogWatch& log) {
  if (leaves_log_) return;
  if (const std::string what = log.look_at_new(); !what.empty()) return found_damage(told_of_damaged_log(path() + "-wal", what));
  try {
    journal.checkpoint_wal();
  } catch (const sqlite::Error& error) {
    if (error.code() == SQLITE_IOERR) found_damage(told_of_failed_move(error));
    throw;
  }
  const std::scoped_lock lock(mutex_);
  looked_at_ = log.place();
  log_is_short_ = true;
}

// The place up to which the log has been checked, once it has been moved into the file except for its latest frames. Nothing: leave the log as
// it is.
std::optional<LogWatch::Place> SqliteJournal::take_short_log() {
  if (leaves_log_ || !log_is_short_.load(std::memory_order_relaxed) || !log_is_short_.exchange(false)) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  return looked_at_;
}

void SqliteJournal::tend() {
  if (journal_.wal_frames() <= k_wal_frames_max) return;
  const std::optional<LogWatch::Place> looked_at = take_short_log();
  if (!looked_at) return;
  try {
    log_->go_on_from(*looked_at);
    if (const std::string what = log_->look_at_new(); !what.empty()) return found_damage(told_of_damaged_log(path() + "-wal", what));
    journal_.checkpoint_wal();
  } catch (const sqlite::Error& error) {
    if (error.code() == SQLITE_IOERR) {
      leaves_log_ = true;
      broken_ = told_of_failed_move(error);
      return;
    }
    spdlog::error("{}; the log keeps growing, and the move is retried", error.what());
  } catch (const std::runtime_error& error) {   // from the log's file
    spdlog::error("{}; the log keeps growing, and the move is retried", error.what());
  }
}

// ---------------------------------------------------------------------------------------------------------------- beside the writer

std::unique_ptr<JournalRows> SqliteJournal::new_rows() const { return std::make_unique<SqliteRows>(path(), SqliteRows::Mode::read); }

std::unique_ptr<JournalUpkeep> SqliteJournal::new_upkeep() { return std::make_unique<Upkeep>(*this); }

std::string SqliteJournal::damage() const {
  const std::scoped_lock lock(mutex_);
  return damage_;
}

void SqliteJournal::found_damage(const std::string& what) {
  leaves_log_ = true;
  const std::scoped_lock lock(mutex_);
  if (damage_.empty()) damage_ = what;
}

std::vector<std::string> SqliteJournal::files() const { return {path(), path() + "-wal", path() + "-shm", HeadMarker::file_in(folder_)}; }

std::unique_ptr<JournalWatch> SqliteJournal::new_watch() const { return std::make_unique<SqliteWatch>(path(), files()); }

// ---------------------------------------------------------------------------------------------------------------- the end

void SqliteJournal::stop(bool is_broken) {
  if (log_ == nullptr) return;   // never settled: it is as it was found
  if (const std::string what = log_->look(LogWatch::k_all); !what.empty()) {
    found_damage(told_of_log_damaged_at_the_end(path() + "-wal", what));
  }
  log_.reset();
  if (leaves_log_) journal_.keep_log_at_close();
  if (is_broken || !broken_.empty() || !damage().empty()) return;
  try {
    marker_->stop();
  } catch (const std::exception& error) {
    spdlog::error("{}", error.what());
  }
}

}   // namespace holdfast
