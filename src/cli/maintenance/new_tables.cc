#include "cli/maintenance/new_tables.h"

#include <filesystem>
#include <string>

#include "ledger/embedded/checkpointer.h"
#include "ledger/embedded/state_store.h"
#include "ledger/embedded/verify.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* k_database_suffixes[] = {"", "-wal", "-shm"};

// A database is a file and, if it was not closed cleanly, its log.
void remove_database(const std::string& path) {
  for (const char* const suffix : k_database_suffixes) fs::remove(path + suffix);
}
// Replaces `to`: a log of the old file would be replayed into the new one.
void rename_database(const std::string& from, const std::string& to) {
  if (!fs::exists(from)) throw DataError(from + " has vanished. Does another program use this folder?");
  remove_database(to);
  for (const char* const suffix : k_database_suffixes) {
    if (fs::exists(from + suffix)) fs::rename(from + suffix, to + suffix);
  }
}

// Makes new tables beside state.db. Throws DataError if the journal contradicts itself.
void make_tables(const std::string& file, JournalRows& journal, const std::function<void(Position, Position)>& progress) {
  try {
    StateStore state(file, StateStore::Mode::create);
    follow_all(journal, state, [&](Position done) { progress(done, journal.head().position); });
    state.load_events(0, [](const StoredEvent&) {});   // as a start does: throws if one contradicts itself
  } catch (const TableDamage& damage) {
    throw ContradictoryJournal(told_of_contradictory_journal(journal, damage.found()));
  }
}

}   // namespace

void rebuild_tables_from(const DataFolder& folder, JournalRows& journal, const std::function<void(Position, Position)>& progress) {
  if (journal.anchor().position != 0) {
    throw DataError(journal.path() +
                    " no longer has its first rows, so the tables cannot be rebuilt from it. Restore both files from a backup.");
  }
  const std::string partial = folder.state() + ".partial";
  remove_database(partial);   // left by an earlier attempt
  try {
    make_tables(partial, journal, progress);
  } catch (...) {
    remove_database(partial);
    throw;
  }
  const std::string replaced = folder.state() + ".replaced";
  const bool has_old = fs::exists(folder.state());
  if (has_old) rename_database(folder.state(), replaced);
  try {
    rename_database(partial, folder.state());
  } catch (...) {
    if (has_old) rename_database(replaced, folder.state());
    throw;
  }
  sync_folder_of(folder.state());
}

}   // namespace holdfast::cli
