#include <filesystem>
#include <memory>

#include "cli/maintenance.h"
#include "cli/maintenance/new_tables.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/head_marker.h"
#include "ledger/embedded/journal_files.h"

namespace holdfast::cli {

namespace fs = std::filesystem;

Position rebuild(const fs::path& data, const std::function<void(Position, Position)>& progress) {
  const DataFolder folder(data);
  if (!fs::exists(folder.journal())) throw DataError("there is no journal.db in " + data.string() + " to rebuild the tables from.");
  const std::unique_ptr<JournalRows> journal = open_journal_rows(data);
  check_reached(read_head_marker(HeadMarker::file_in(data)).get(), *journal);
  rebuild_tables_from(folder, *journal, progress);
  return journal->head().position;
}

}   // namespace holdfast::cli
