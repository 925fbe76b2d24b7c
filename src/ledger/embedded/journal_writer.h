// The journal of an embedded ledger while it is open: the writer appends rounds, and others of the process read and remove rows beside it.
//
//   const std::unique_ptr<JournalWriter> journal = open_journal(folder, options);   // looks, and changes nothing that is there
//   replay(journal->rows());
//   journal->settle(doubt);                                  // from here on it may be written
//   if (const auto taken = journal->can_take(1, bytes, Work::growing); !taken) refuse(taken.error().what);
//   journal->begin();
//   journal->append(event, first_seq, changes, at, body);
//   journal->commit();                                       // on disk
//   journal->tend();                                         // once the round's answers do not wait for it
//   journal->stop(false);                                    // nothing was under way
//
// Two kinds: journal.db (SqliteJournal) and a folder of segment files (SegmentJournal). The functions belong to the writer's thread unless
// they say otherwise.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/clock_doubt.h"
#include "ledger/data_error.h"
#include "ledger/embedded/journal_room.h"
#include "ledger/embedded/journal_rows.h"
#include "ledger/embedded/journal_watch.h"
#include "ledger/journal_row.h"

namespace holdfast {

// A round could not be written, and nobody knows what of it is on disk. Nothing more is accepted; the process must end, and the next start
// finds out. what() says what holds and what to do.
class JournalBroken : public DataError {
 public:
  using DataError::DataError;
};

// What the tables' thread does with the journal, by connections of its own. After a failure it is made anew. One thread.
class JournalUpkeep {
 public:
  JournalUpkeep() = default;
  virtual ~JournalUpkeep() = default;
  JournalUpkeep(const JournalUpkeep&) = delete;
  JournalUpkeep& operator=(const JournalUpkeep&) = delete;

  virtual JournalRows& rows() = 0;
  // Does what is left to do beside the writing of rounds, so that the writer need not; `is_busy`: rounds come. Throws if the disk fails.
  virtual void tend(bool is_busy) = 0;
  // The oldest rows, without their bodies, that may be removed together: up to `through`, written before `older_than`, at most `limit`. Never the
  // last row, which tells where the journal is. Empty: none for now.
  virtual std::vector<JournalRow> old_rows(Position through, Millis older_than, std::size_t limit) = 0;
  // Removes rows from old_rows(), now or later. They must be in state.db durably, and delivered.
  virtual void remove(std::span<const JournalRow> oldest) = 0;
};

class JournalWriter {
 public:
  JournalWriter() = default;
  virtual ~JournalWriter() = default;   // ends what it has begun; without stop(), the next start assumes a crash
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  // ---- the start
  // The journal as it was found, for checks and replay; later also with what this object has written. Whatever kind it is, it ends with the row
  // that it is known to have reached: the opening has thrown otherwise.
  virtual JournalRows& rows() = 0;
  // Makes it safe to go on: what was found is brought to the disk, `doubt` is noted, and room for rounds is prepared. The first call that changes
  // anything. Throws DataError or sqlite::Error, and then nothing may be served.
  virtual void settle(const std::optional<DoubtfulStart>& doubt) = 0;

  // ---- rounds
  // The last row.
  virtual const JournalHead& head() const = 0;
  // Whether a round of at most `rows` rows, with bodies of at most `body_bytes` bytes in all, can be written now. Ask before judging.
  virtual std::expected<void, NotTaken> can_take(std::uint64_t rows, std::uint64_t body_bytes, Work work) = 0;
  // begin, append …, commit.
  virtual void begin() = 0;
  virtual void append(EventNumber event, Seq first_seq, std::uint32_t changes, Millis at, std::string_view body) = 0;
  // Returns when it is on disk. Throws JournalBroken.
  virtual void commit() = 0;
  // After a round has been shown to readers: what the writer does now and then. Does not throw; damage is found (damage()), a failed disk is
  // broken().
  virtual void tend() = 0;
  // Why it accepts nothing more although no round has failed, a sentence; empty: it does.
  virtual std::string broken() const = 0;

  // ---- beside the writer. Any thread
  // Reads what has been committed, with connections of its own.
  virtual std::unique_ptr<JournalRows> new_rows() const = 0;
  virtual std::unique_ptr<JournalUpkeep> new_upkeep() = 0;
  // Why new work is refused for want of room, a sentence; empty: there is room.
  virtual std::string room_trouble() const = 0;
  // Damage that somebody has found in its rows or files, a sentence with the file's name; empty: none. It stays, and the files stay as they are
  // from then on, as far as the kind allows.
  virtual std::string damage() const = 0;
  virtual void found_damage(const std::string& what) = 0;
  // The files that must stay in their folder while it is open, as paths; those of readers too. They may become more and fewer.
  virtual std::vector<std::string> files() const = 0;
  // A watch over its files and their content, for a settled journal. It must end before this.
  virtual std::unique_ptr<JournalWatch> new_watch() const = 0;

  // ---- the end
  // Ends cleanly, after all others have ended: says on disk that nothing was under way, unless `is_broken` or damage was found. May find
  // damage. Does not throw.
  virtual void stop(bool is_broken) = 0;
};

}   // namespace holdfast
