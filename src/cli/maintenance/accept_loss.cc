#include <algorithm>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

#include "access/registry_revision.h"
#include "cli/maintenance.h"
#include "cli/maintenance/followers.h"
#include "cli/maintenance/new_tables.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/head_marker.h"
#include "ledger/embedded/journal.h"
#include "ledger/embedded/state_store.h"
#include "ledger/embedded/verify.h"

namespace holdfast::cli {

namespace fs = std::filesystem;

AcceptedLoss accept_loss(const fs::path& data, const std::function<void(Position, Position)>& progress) {
  const DataFolder folder(data);
  if (!fs::exists(folder.journal())) throw DataError("there is no journal.db in " + data.string() + ".");
  Journal journal(folder.journal(), Journal::Mode::write);
  journal.read(journal.anchor(), [](const JournalRow&) { return true; });   // the rest must be undamaged
  journal.settle();   // a sync of an earlier process may have failed
  AcceptedLoss loss{.last_row = journal.head().position, .known_row = journal.head().position};
  const std::string path = HeadMarker::file_in(data);
  std::optional<RegistryRevision> registry;
  try {
    if (const auto marker = read_head_marker(path)) loss.known_row = std::max(loss.known_row, marker->head().position);
    registry = noted_registry_revision(folder.registry());
  } catch (const DataError&) {
    registry = std::nullopt;   // damaged: the next start notes the registry's revision
  }
  bool fits = false;
  try {
    StateStore state(folder.state(), StateStore::Mode::read);
    loss.known_row = std::max(loss.known_row, state.as_of().position);
    fits = verify(journal, state).problem.empty();
  } catch (const std::runtime_error&) {
    fits = false;   // missing or damaged
  }
  if (!fits) rebuild_tables_from(folder, journal, progress);
  {
    StateStore state(folder.state(), StateStore::Mode::read);
    loss.followers = put_followers_back(folder, journal, state);
  }
  if (fs::exists(path)) fs::copy_file(path, path + ".replaced", fs::copy_options::overwrite_existing);
  HeadMarker::create(path, journal.head(), registry);   // lost keys are accepted separately, by `keys accept`
  journal.note_marker();
  return loss;
}

}   // namespace holdfast::cli
