// The journal of a data folder, whichever of the two kinds it is.
//
//   const std::unique_ptr<JournalWriter> journal = open_journal(folder, {});   // of the process that holds the folder's lock
//   const std::unique_ptr<JournalRows> rows = open_journal_rows("data");       // of any process
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/journal_rows.h"
#include "ledger/embedded/journal_writer.h"
#include "ledger/embedded/segments/format.h"
#include "ledger/start_progress.h"

namespace holdfast {

namespace segments {
class Disk;
}

enum class JournalFormat {
  sqlite,   // journal.db, with journal.head
  segments,   // a folder journal/, with registry.head
};

struct JournalOptions {
  JournalFormat for_new = JournalFormat::sqlite;   // what a folder gets that has no journal
  // Whether a start converts journal.db to segment files (conversion.h).
  bool converts = false;
  OnStartProgress on_progress{};   // how far that is
  // Of journal/ alone:
  segments::Disk* disk = nullptr;   // how it reaches the folder, which must live as long as the journal; nullptr: the real one
  std::function<std::uint64_t()> draw{};   // unpredictable numbers; empty: of the system
  bool has_thread = true;   // that makes segments ahead; false: they are made between rounds
  std::uint64_t segment_bytes = segments::k_segment_bytes;   // of segments that are made from now on, at most
  std::uint64_t first_segment_bytes = segments::k_first_segment_bytes;
};

// What the folder has; nothing: no journal, or one whose creation was interrupted. Throws DataError if it has both, or if nobody can tell.
std::optional<JournalFormat> find_journal(const std::filesystem::path& data, const JournalOptions& options = {});
// What a folder without a journal gets: segments also if it has had some, or if their creation was interrupted. So a journal.db is never made
// where journal/ is only missing.
JournalFormat format_for_new(const std::filesystem::path& data, const JournalOptions& options);
// The path of its file or folder.
std::string path_of_journal(const std::filesystem::path& data, JournalFormat format);

// Opens the journal of the folder, or makes an empty one. Nothing that is there is changed before JournalWriter::settle(). Throws DataError or
// sqlite::Error, which name the file and say what to do.
std::unique_ptr<JournalWriter> open_journal(const DataFolder& folder, const JournalOptions& options);

// The rows of a folder's journal, which another process may write. Throws DataError or sqlite::Error if it is missing, cut short, or of another
// format.
std::unique_ptr<JournalRows> open_journal_rows(const std::filesystem::path& data);

}   // namespace holdfast
