// The journal of an embedded ledger in a folder of segment files, `journal/` (docs/internals/journal.md).
//
// A round is one write and sync. Segments are made ahead by a thread of its own, old ones are removed by the tables' thread: it posts a note
// of the first segment that is kept, the writer's next round brings that to the disk, and then the files go. So an idle ledger keeps them
// until its next round. What cannot be removed is tried again, and refuses nothing.
//
// journal_writer.h has the contract and the threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "ledger/embedded/journal_writer.h"
#include "ledger/embedded/segment_rows.h"
#include "ledger/embedded/segments/few_open_files.h"
#include "ledger/embedded/segments/posted_notes.h"
#include "ledger/embedded/segments/segment_writer.h"
#include "ledger/embedded/segments/supply_thread.h"

namespace holdfast {

class SegmentJournal final : public JournalWriter {
 public:
  struct Options {
    segments::Disk* disk = nullptr;   // how it reaches the folder, which must outlive the journal; nullptr: the real one
    std::uint64_t segment_bytes = segments::k_segment_bytes;   // of segments that are made from now on, at most
    std::uint64_t first_segment_bytes = segments::k_first_segment_bytes;
    std::function<std::uint64_t()> draw{};   // unpredictable numbers, called by one thread at a time; empty: of the system
    // False: no thread makes segments. They are made in settle(), tend(), and in can_take() where one is missing.
    bool has_thread = true;
  };

  // Whether the data folder has a journal of segments. False also if its creation was interrupted. Throws JournalDamage if nobody can tell;
  // DataError.
  static bool exists(const std::filesystem::path& data, const Options& options);
  // Makes an empty journal where exists() is false; a crash in between leaves it so. With `start`, rows go on after that one. Throws DataError.
  static void create(const std::filesystem::path& data, const Options& options, const JournalHead& start = {});

  // Opens the journal of a data folder. Throws JournalDamage if it is not whole; segments::LaterFormat; DataError.
  SegmentJournal(const std::filesystem::path& data, Options options);
  ~SegmentJournal() override;

  JournalRows& rows() override;
  void settle(const std::optional<DoubtfulStart>& doubt) override;

  const JournalHead& head() const override { return writer_.reach().head; }
  std::expected<void, NotTaken> can_take(std::uint64_t rows, std::uint64_t body_bytes, Work work) override;
  void begin() override;
  void append(EventNumber event, Seq first_seq, std::uint32_t changes, Millis at, std::string_view body) override;
  void commit() override;
  void tend() override;
  std::string broken() const override { return {}; }

  std::unique_ptr<JournalRows> new_rows() const override;
  std::unique_ptr<JournalUpkeep> new_upkeep() override;
  std::string room_trouble() const override;
  std::string damage() const override;
  void found_damage(const std::string& what) override;
  // Ask again when one of them is missing: retention may have removed it meanwhile.
  std::vector<std::string> files() const override;
  std::unique_ptr<JournalWatch> new_watch() const override;

  void stop(bool is_broken) override;

 private:
  class Upkeep;

  segments::Notes notes() const;
  void write_round();
  void publish_notes();
  void give_up_before(std::uint64_t number);
  std::uint64_t given_up_before() const;

  const std::filesystem::path data_;
  const Options options_;
  const std::unique_ptr<segments::Disk> posix_;   // nullptr: options_.disk
  segments::FewOpenFiles disk_;
  segments::SegmentWriter writer_;
  segments::PostedNotes posted_{nullptr};   // nobody is woken: the next round brings them
  segments::Round round_;
  std::unique_ptr<SegmentRows> rows_;
  bool is_settled_ = false;

  mutable std::mutex mutex_;
  segments::Notes notes_;   // in force, as of the last round
  std::uint64_t given_up_before_ = 1;   // the first segment that is kept, by the note that was posted last
  std::string damage_;
  std::string not_removed_;   // why the last removal has failed; empty: it has not

  std::optional<segments::SupplyThread> supplying_;   // last: it ends first
};

}   // namespace holdfast
