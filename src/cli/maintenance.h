// Backup, restore and repair of a data folder, over all its stores.
//
//   backup("/var/lib/holdfast", "/backup/holdfast.db");
//   const RestoredKeys keys = restore("/srv/new", "/backup/holdfast.db");
//
// Each function works on its own connections, and may be called from any thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cli/maintenance/lost_seats.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/segments/salvage.h"
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

// What the journal of a folder has lost, and what is given up with it if that is accepted.
struct Loss {
  struct Event {
    LostEvent seats;   // as far as rows behind the damage can be read
    segments::EventLoss counted;   // its changes
  };
  // What a start would refuse, or has lost rows; each a sentence. Empty: nothing.
  std::vector<std::string> damage;
  std::string refusal;   // why it cannot be accepted, a sentence without its full stop; empty: it can
  Position last_row = 0;   // that is kept
  Position known_row = 0;   // the last that anything in the folder knows of; at least last_row
  std::vector<segments::Stretch> unreadable;   // lost rows that cannot be read
  std::vector<segments::Stretch> readable;   // lost rows behind the damage: each was judged by the rows before it
  std::vector<Event> events;   // with readable lost rows, by number

  bool is_nothing() const { return damage.empty() && known_row == last_row; }
};

// Looks what a folder that no server uses has lost. Changes nothing, except that it ends a conversion or a repair that a crash has interrupted
// at its last names. Throws DataError or sqlite::Error.
Loss survey_loss(const std::filesystem::path& data);

// What accept_loss() has given up: the rows after `last_row`, at least up to `known_row`.
struct AcceptedLoss {
  Position last_row = 0;
  Position known_row = 0;
  std::size_t followers = 0;   // webhooks, and events of the Kafka feed, that had read lost rows; they continue from the journal's end
  std::string kept_as{};   // where the damaged journal is kept; empty: it was not replaced
  bool has_accepted_registry = false;   // registry.head was missing or damaged; registry.db counts as it is
};

// Accepts what the journal has lost, so that a server can start on the folder again. Of journal.db the rest must be undamaged. Of a folder of
// segments the rows before the damage are kept, and the damaged folder under another name. Rebuilds tables that have more rows than the journal.
// Keeps replaced files as *.replaced. A crash leaves a folder that a start refuses, and then it can be called again, or one that is done. Throws
// DataError or sqlite::Error.
AcceptedLoss accept_loss(const std::filesystem::path& data, const std::function<void(Position done, Position of)>& progress);

}   // namespace holdfast::cli
