#include <filesystem>
#include <memory>

#include "cli/maintenance.h"
#include "cli/maintenance/new_tables.h"
#include "cli/maintenance/rows_at_rest.h"
#include "ledger/embedded/conversion.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/head_marker.h"
#include "ledger/embedded/journal_files.h"

namespace holdfast::cli {

namespace fs = std::filesystem;

Position rebuild(const fs::path& data, const std::function<void(Position, Position)>& progress) {
  const DataFolder folder(data);
  finish_interrupted_conversion(data);
  if (!kind_of_journal(data)) throw DataError("there is no journal in " + data.string() + " to rebuild the tables from.");
  const std::unique_ptr<JournalRows> journal = open_rows_at_rest(data);
  check_reached(read_head_marker(HeadMarker::file_in(data)).get(), *journal);
  rebuild_tables_from(folder, *journal, progress);
  return journal->head().position;
}

}   // namespace holdfast::cli
