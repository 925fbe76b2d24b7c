// Backup, restore and repair of a data folder, over all its stores.
//
//   backup("/var/lib/holdfast", "/backup/holdfast.db");
//   const RestoredKeys keys = restore("/srv/new", "/backup/holdfast.db");
//
// Each function works on its own connections, and may be called from any thread.
#pragma once

#include <filesystem>
#include <functional>

#include "ledger/embedded/journal_files.h"
#include "ledger/journal_row.h"

namespace holdfast::cli {

// Copies the data of a folder into one file, also while a server uses them. The copy contains everything that was answered before the
// call. The file must not exist. Throws DataError or sqlite::Error, and then leaves no file.
void backup(const std::filesystem::path& data, const std::filesystem::path& file);

// Which API keys a folder has after a restore. Existing keys are kept: a backup must not bring back keys that were revoked since.
enum class RestoredKeys { from_backup, kept, none };

// Restores a backup into a folder without data, which no server may use. `format`: the kind of journal that the folder gets. Throws DataError
// or sqlite::Error, and then leaves no data. A crash leaves a folder without data, one that a start refuses, or one that is done.
RestoredKeys restore(const std::filesystem::path& data, const std::filesystem::path& file, JournalFormat format = JournalOptions{}.for_new);

// Rebuilds state.db from a complete journal, while no server uses the folder. Keeps the old one as state.db.replaced. Returns the position of
// the journal's last row. `progress` is called after each part. Throws DataError or sqlite::Error, and then leaves state.db as it was.
Position rebuild(const std::filesystem::path& data, const std::function<void(Position done, Position of)>& progress);

// What accept_loss() has given up: the rows after `last_row`, at least up to `known_row`.
struct AcceptedLoss {
  Position last_row = 0;
  Position known_row = 0;
  std::size_t followers = 0;   // webhooks, and events of the Kafka feed, that had read lost rows; they continue from the journal's end
};

// Accepts a journal that has lost its end, so that a server can start on the folder again. The rest of the journal must be undamaged. Rebuilds
// tables that have more rows than the journal. Keeps replaced files as *.replaced. Throws DataError or sqlite::Error.
AcceptedLoss accept_loss(const std::filesystem::path& data, const std::function<void(Position done, Position of)>& progress);

}   // namespace holdfast::cli
