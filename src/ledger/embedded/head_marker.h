// journal.head: how far the journal is known to reach, kept outside the journal's own files.
//
// SQLite opens a database whose -wal file was lost without an error, and has forgotten what was in it. So the writer notes the last row of
// each durable round here: one write into a preallocated file, without a sync, after the row has been synced. The note survives the end of
// the process. After a power loss it may be some seconds old, but it is never ahead of the journal. A journal that ends before the note has
// lost rows, and is refused.
//
// Beside it stands the newest revision of registry.db (registry_marker.h).
//
//   HeadMarker marker(HeadMarker::file_in(data), HeadMarker::Mode::write);
//   marker.reach(journal.head());   // after each commit
//   marker.stop();                  // synced: nothing was under way
//
// Both are kept in two slots (marker_file.h). For one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/marker_file.h"
#include "ledger/embedded/registry_marker.h"
#include "ledger/journal_row.h"

namespace holdfast {

class Journal;
class JournalRows;

class HeadMarker {
 public:
  using Mode = MarkerFile::Mode;
  static std::string file_in(const std::filesystem::path& folder) { return DataFolder::journal_head_in(folder); }

  // Creates or replaces the file; durable when it returns. Throws DataError.
  static void create(const std::string& path, const JournalHead& head, const std::optional<RegistryRevision>& registry = {});

  // Opens an existing file. Throws DataError, also if it is damaged.
  HeadMarker(const std::string& path, Mode mode);

  // The row that the journal must have.
  const JournalHead& head() const { return head_; }
  // Whether the last writer stopped cleanly, with everything synced.
  bool was_stopped() const { return stopped_; }

  // Notes the last durable row, without a sync. Throws DataError if it cannot be written.
  void reach(const JournalHead& head);
  // Notes that the writer stops cleanly; synced. Throws DataError.
  void stop();

 private:
  void write(MarkerSlot slot);

  MarkerFile file_;
  JournalHead head_;
  std::uint64_t ordinal_ = 0;
  bool stopped_ = false;
};

// The marker of a journal that is about to be written, checked against it. A journal from before there were markers gets one, once.
std::unique_ptr<HeadMarker> open_head_marker(const std::string& path, Journal& journal);

// The same for a reader; nullptr if there is no marker yet. Call it before opening the journal, which may grow meanwhile.
std::unique_ptr<HeadMarker> read_head_marker(const std::string& path);
// And then, of that: throws DataError if the journal ends before the marker's row, has another row there, or had a marker that is gone.
void check_reached(const HeadMarker* marker, JournalRows& journal);

}   // namespace holdfast
