#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "access/registry_file.h"
#include "access/registry_revision.h"
#include "cli/maintenance.h"
#include "cli/maintenance/followers.h"
#include "cli/maintenance/table_copies.h"
#include "feed/kafka/feed_file.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/head_marker.h"
#include "ledger/embedded/journal.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/sqlite_rows.h"
#include "ledger/embedded/state_store.h"
#include "ledger/embedded/verify.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* k_state_tables[] = {"event",       "plan_part",       "seat",         "seat_state", "seat_change",
                                          "reservation", "idempotency_key", "journal_index"};
constexpr const char* k_check_tables[] = {"reservation_check", "event_check"};   // a backup of an earlier version has none

void fill_journal(const fs::path& data, const fs::path& file) {
  SqliteRows backup(file.string(), SqliteRows::Mode::read_backup);
  Journal journal(DataFolder::journal_in(data), Journal::Mode::create);
  journal.begin_after(backup.anchor());
  if (const auto doubtful = backup.doubtful_start()) journal.note_doubtful_start(*doubtful);
  journal.begin();
  try {
    backup.read(backup.anchor(), [&](const JournalRow& row) {
      journal.append(row.event, row.first_seq, row.changes, row.at, row.body);
      return true;
    });
  } catch (const JournalDamage& damage) {
    throw DataError(file.string() + " is damaged; nothing was restored: " + damage.what());
  }
  journal.commit();
}

void fill_state(const fs::path& data, const fs::path& file) {
  StateStore state(DataFolder::state_in(data), StateStore::Mode::create);
  sqlite::Database& database = state.database();
  copy_from(database, file.string(), [&] {
    for (const char* const table : k_state_tables)
      database.execute(fmt::format("INSERT INTO main.{0} SELECT * FROM source.{0}", table).c_str());
    for (const char* const table : k_check_tables) {
      if (has_table(database, "source", table))
        database.execute(fmt::format("INSERT INTO main.{0} SELECT * FROM source.{0}", table).c_str());
    }
    database.execute("INSERT OR REPLACE INTO main.meta SELECT * FROM source.meta");
  });
}

void fill_registry(const fs::path& data, const fs::path& file) {
  RegistryFile registry(DataFolder::registry_in(data));
  sqlite::Database& database = registry.file();
  copy_from(database, file.string(), [&] {
    for (const char* const table : RegistryFile::k_tables) {
      if (!has_table(database, "source", table)) continue;
      database.execute(fmt::format("DELETE FROM main.{}", table).c_str());
      database.execute(fmt::format("INSERT INTO main.{0} SELECT * FROM source.{0}", table).c_str());
    }
  });
}

// Restores how far the feed had published, and the payments that it had refused: changes that were published after the backup are published
// again, if they still exist.
void fill_feed(const fs::path& data, const fs::path& file) {
  const std::string path = feed::kafka::feed_file_in(data);
  const bool is_new = !fs::exists(path);
  const auto opened = feed::kafka::open_feed_file(path);
  sqlite::Database& feed = *opened->file();
  const std::string source = file.string();
  sqlite::Statement(feed, "ATTACH ?1 AS source").bind_text(1, source).run();
  feed::kafka::restore_feed_file(feed, is_new);
  feed.execute("DETACH source");
}

std::optional<RegistryRevision> revision_of(const std::string& registry) {
  sqlite::Database database(registry, sqlite::Database::Mode::read_only);
  return registry_revision(database);
}

// Opening a registry throws if it has lost changes, and notes its revision otherwise.
void note_registry(const DataFolder& folder) { const RegistryFile registry(folder.registry()); }

}   // namespace

RestoredKeys restore(const fs::path& data, const fs::path& file) {
  const DataFolder folder(data);
  if (fs::exists(folder.journal()) || fs::exists(folder.state())) {
    throw DataError(data.string() +
                    " has data already; nothing was changed. Restore into an empty folder, or move journal.db and state.db away.");
  }
  for (const std::string& each : {folder.journal(), folder.state(), folder.registry()}) refuse_log_without_file(each);
  {
    sqlite::Database copy(file.string(), sqlite::Database::Mode::read_only);
    if (copy.query_int("PRAGMA application_id") != SqliteRows::k_backup_application_id)
      throw DataError(file.string() + " is not a backup of Holdfast.");
    refuse_other_format(copy, StateStore::k_format, "Nothing was restored");
  }
  const RestoredKeys keys = fs::exists(folder.registry())       ? RestoredKeys::kept
                            : has_table(file, "session_secret") ? RestoredKeys::from_backup
                                                                : RestoredKeys::none;
  if (keys == RestoredKeys::kept) note_registry(folder);   // before the old journal.head is replaced, which has its revision
  // A start does not look into this folder, so an interrupted restore leaves nothing that could be mistaken for data.
  const fs::path partial = data / "restore.partial";
  fs::remove_all(partial);
  try {
    fs::create_directory(partial);
    fill_journal(partial, file);
    fill_state(partial, file);
    {
      const std::unique_ptr<JournalRows> journal = open_journal_rows(partial);
      StateStore state(DataFolder::state_in(partial), StateStore::Mode::read);
      if (const VerifyReport report = verify(*journal, state); !report.problem.empty()) {
        throw DataError(file.string() + " is damaged; nothing was restored: " + report.problem);
      }
      if (keys == RestoredKeys::from_backup) fill_registry(partial, file);
      // With the registry's revision, so that a start after an interruption here refuses a registry that has lost changes.
      const std::string registry = keys == RestoredKeys::from_backup ? DataFolder::registry_in(partial) : folder.registry();
      HeadMarker::create(HeadMarker::file_in(partial), journal->head(), keys == RestoredKeys::none ? std::nullopt : revision_of(registry));
      // journal.head first: a start refuses a folder that has nothing else.
      fs::rename(HeadMarker::file_in(partial), HeadMarker::file_in(data));
      if (keys == RestoredKeys::from_backup) fs::rename(DataFolder::registry_in(partial), folder.registry());
      if (has_table(file, "feed_position")) fill_feed(data, file);
      put_followers_back(folder, *journal, state);
    }
    fs::rename(DataFolder::state_in(partial), folder.state());
    fs::rename(DataFolder::journal_in(partial), folder.journal());
    sync_folder_of(folder.journal());
  } catch (...) {
    std::error_code ignored;   // the exception says what failed
    fs::remove_all(partial, ignored);
    throw;
  }
  fs::remove_all(partial);
  if (keys != RestoredKeys::none) note_registry(folder);
  return keys;
}

}   // namespace holdfast::cli
