// The journal of a folder for its tools.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/segment_rows.h"

namespace holdfast::cli {

// Which kind of journal the folder has, by its files' names alone: one that is damaged, or was not quite made, counts. Throws DataError if it has both.
inline std::optional<JournalFormat> kind_of_journal(const std::filesystem::path& data) {
  const bool has_segments = std::filesystem::exists(DataFolder::journal_folder_in(data));
  return has_segments && !std::filesystem::exists(DataFolder::journal_in(data)) ? JournalFormat::segments : find_journal(data);
}

// For who holds the lock, the rows that a start would find: nobody else writes them. Throws as open_journal_rows().
inline std::unique_ptr<JournalRows> open_rows_at_rest(const std::filesystem::path& data) {
  return kind_of_journal(data) == JournalFormat::segments ? open_segment_rows_at_rest(data) : open_journal_rows(data);
}

}   // namespace holdfast::cli
