// Tables that are made anew from a journal.
#pragma once

#include <functional>

#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/journal_rows.h"

namespace holdfast::cli {

// Rebuilds state.db from a journal whose end has been checked. The old one stays where it is until the new one is complete, and is then kept
// as state.db.replaced. `progress` is called after each part. Throws DataError or sqlite::Error, and then leaves state.db as it was.
void rebuild_tables_from(const DataFolder& folder, JournalRows& journal, const std::function<void(Position done, Position of)>& progress);

}   // namespace holdfast::cli
