// The journal of an embedded ledger in journal.db, with journal.head beside it.
//
// A round is a transaction: SQLite's commit syncs it into the write-ahead log, and then journal.head notes how far the journal reaches. The log
// is checked before it is moved into the file, by the tables' thread or by the writer (tend()): log_watch.h says why. What is damaged is
// never moved.
//
// journal_writer.h has the contract and the threads.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "ledger/embedded/head_marker.h"
#include "ledger/embedded/journal.h"
#include "ledger/embedded/journal_writer.h"
#include "ledger/embedded/log_watch.h"

namespace holdfast {

class SqliteJournal final : public JournalWriter {
 public:
  // Makes an empty journal.db with its journal.head in a folder that has none. A crash in between leaves it so. Throws as refuse_lost() does;
  // sqlite::Error.
  static void create(const std::filesystem::path& data);
  // Throws DataError if a folder without journal.db had one: its log is there, or journal.head knows rows.
  static void refuse_lost(const std::filesystem::path& data);

  // Opens the journal of a folder. Throws DataError if it is not whole, or ends before what journal.head knows; sqlite::Error.
  explicit SqliteJournal(const std::filesystem::path& data);

  JournalRows& rows() override { return journal_; }
  void settle(const std::optional<DoubtfulStart>& doubt) override;

  const JournalHead& head() const override { return journal_.head(); }
  std::expected<void, NotTaken> can_take(std::uint64_t rows, std::uint64_t body_bytes, Work work) override;   // whatever it is
  void begin() override;
  void append(EventNumber event, Seq first_seq, std::uint32_t changes, Millis at, std::string_view body) override;
  void commit() override;
  // Moves what the tables' thread has left in the log, so that the log begins anew.
  void tend() override;
  std::string broken() const override { return broken_; }

  std::unique_ptr<JournalRows> new_rows() const override;
  std::unique_ptr<JournalUpkeep> new_upkeep() override;
  std::string room_trouble() const override { return {}; }
  std::string damage() const override;
  void found_damage(const std::string& what) override;
  std::vector<std::string> files() const override;
  std::unique_ptr<JournalWatch> new_watch() const override;

  // Looks at the log once more: SQLite moves it into the file when the journal is closed, and perhaps nobody has looked at it since another
  // program overwrote it.
  void stop(bool is_broken) override;

 private:
  class Upkeep;

  const std::string& path() const { return journal_.path(); }
  template <typename Write>
  void guarded(Write write);
  void move_log(Journal& journal, LogWatch& log);
  std::optional<LogWatch::Place> take_short_log();

  const std::filesystem::path folder_;
  Journal journal_;
  std::unique_ptr<HeadMarker> marker_;   // from settle() on
  std::unique_ptr<LogWatch> log_;   // of the writer, likewise
  std::string broken_;

  // Shared with the tables' thread.
  std::atomic<int> wal_frames_{0};
  std::atomic<bool> log_is_short_{false};
  std::atomic<bool> leaves_log_{false};   // it stays as it is, so that damage in it does not reach the file
  mutable std::mutex mutex_;
  std::string damage_;
  LogWatch::Place looked_at_;   // of the log, before it was moved
};

}   // namespace holdfast
