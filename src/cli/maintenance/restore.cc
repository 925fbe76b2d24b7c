#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "access/registry_file.h"
#include "access/registry_revision.h"
#include "cli/maintenance.h"
#include "cli/maintenance/followers.h"
#include "cli/maintenance/rows_at_rest.h"
#include "cli/maintenance/table_copies.h"
#include "feed/kafka/feed_file.h"
#include "ledger/embedded/conversion.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/head_marker.h"
#include "ledger/embedded/journal.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/registry_marker.h"
#include "ledger/embedded/segment_journal.h"
#include "ledger/embedded/segments/clock_doubt_note.h"
#include "ledger/embedded/segments/few_open_files.h"
#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/row_copy.h"
#include "ledger/embedded/segments/segment_writer.h"
#include "ledger/embedded/sqlite_rows.h"
#include "ledger/embedded/state_store.h"
#include "ledger/embedded/verify.h"
#include "ledger/seat_directory.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* k_state_tables[] = {"event",       "plan_part",       "seat",         "seat_state", "seat_change",
                                          "reservation", "idempotency_key", "journal_index"};
constexpr const char* k_check_tables[] = {"reservation_check", "event_check"};   // a backup of an earlier version has none

// Calls `add` for each row of the backup.
template <typename Add>
void each_row(SqliteRows& backup, const fs::path& file, Add add) {
  try {
    backup.read(backup.anchor(), [&](const JournalRow& row) {
      add(row);
      return true;
    });
  } catch (const JournalDamage& damage) {
    throw DataError(file.string() + " is damaged; nothing was restored: " + damage.what());
  }
}

void fill_database(const fs::path& data, const fs::path& file, SqliteRows& backup) {
  Journal journal(DataFolder::journal_in(data), Journal::Mode::create);
  journal.begin_after(backup.anchor());
  if (const auto doubtful = backup.doubtful_start()) journal.note_doubtful_start(*doubtful);
  journal.begin();
  each_row(backup, file, [&](const JournalRow& row) { journal.append(row.event, row.first_seq, row.changes, row.at, row.body); });
  journal.commit();
}

std::uint64_t largest_body_in(const fs::path& file) {
  sqlite::Database backup(file.string(), sqlite::Database::Mode::read_only);
  return static_cast<std::uint64_t>(backup.query_int("SELECT COALESCE(MAX(LENGTH(body)), 0) FROM journal"));
}

void fill_segments(const fs::path& data, const fs::path& file, SqliteRows& backup) {
  const auto options = segments::with_room_for(largest_body_in(file), {.draw_salt = draw_hash_seed});
  SegmentJournal::create(data, {.segment_bytes = options.segment_bytes, .first_segment_bytes = options.first_segment_bytes},
                         backup.anchor());
  segments::PosixDisk posix(DataFolder::journal_folder_in(data));
  segments::FewOpenFiles disk(posix);
  segments::SegmentWriter writer(disk, options);
  writer.settle();
  segments::RowCopy copy(writer);
  each_row(backup, file, [&](const JournalRow& row) { copy.add(row); });
  segments::Notes notes;
  if (const auto doubtful = backup.doubtful_start()) notes[segments::k_note_clock_doubt] = segments::note_of_clock_doubt(*doubtful);
  copy.finish(notes);
  writer.stop();
}

void fill_journal(const fs::path& data, const fs::path& file, JournalFormat format) {
  SqliteRows backup(file.string(), SqliteRows::Mode::read_backup);
  if (format == JournalFormat::sqlite) fill_database(data, file, backup);
  else fill_segments(data, file, backup);
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

// The files that say how far the journal has reached, and how new the registry is. Those of the other kind of journal would speak of data that
// are gone.
void place_markers(const fs::path& data, const fs::path& partial, JournalFormat format) {
  if (format == JournalFormat::sqlite) {
    fs::rename(HeadMarker::file_in(partial), HeadMarker::file_in(data));
    fs::remove(DataFolder::registry_head_in(data));
  } else {
    fs::rename(DataFolder::registry_head_in(partial), DataFolder::registry_head_in(data));
    fs::remove(HeadMarker::file_in(data));
  }
}

void create_markers(const fs::path& partial, const JournalHead& head, const std::optional<RegistryRevision>& registry,
                    JournalFormat format) {
  if (format == JournalFormat::sqlite) HeadMarker::create(HeadMarker::file_in(partial), head, registry);
  else RegistryMarker::create(partial, registry);
}

// What a restore needs to know of the backup and the folder before it changes anything.
RestoredKeys check_restorable(const DataFolder& folder, const fs::path& file) {
  if (kind_of_journal(folder.path()) || fs::exists(folder.state())) {
    throw DataError(folder.path().string() +
                    " has data already; nothing was changed. Restore into an empty folder, or move the journal (journal.db, or the folder "
                    "journal) and state.db away.");
  }
  for (const std::string& each : {folder.journal(), folder.state(), folder.registry()}) refuse_log_without_file(each);
  {
    sqlite::Database copy(file.string(), sqlite::Database::Mode::read_only);
    if (copy.query_int("PRAGMA application_id") != SqliteRows::k_backup_application_id)
      throw DataError(file.string() + " is not a backup of Holdfast.");
    refuse_other_format(copy, StateStore::k_format, "Nothing was restored");
  }
  return fs::exists(folder.registry())       ? RestoredKeys::kept
         : has_table(file, "session_secret") ? RestoredKeys::from_backup
                                             : RestoredKeys::none;
}

// Writes journal, tables, registry and markers to `partial`. Throws DataError if they do not agree.
void fill(const DataFolder& folder, const fs::path& partial, const fs::path& file, RestoredKeys keys, JournalFormat format) {
  fill_journal(partial, file, format);
  fill_state(partial, file);
  const std::unique_ptr<JournalRows> journal = open_rows_at_rest(partial);
  StateStore state(DataFolder::state_in(partial), StateStore::Mode::read);
  if (const VerifyReport report = verify(*journal, state); !report.problem.empty()) {
    throw DataError(file.string() + " is damaged; nothing was restored: " + report.problem);
  }
  if (keys == RestoredKeys::from_backup) fill_registry(partial, file);
  // With the registry's revision, so that a start after an interruption here refuses a registry that has lost changes.
  const std::string registry = keys == RestoredKeys::from_backup ? DataFolder::registry_in(partial) : folder.registry();
  create_markers(partial, journal->head(), keys == RestoredKeys::none ? std::nullopt : revision_of(registry), format);
}

// Gives everything its name, the journal last. What comes first makes a start refuse the folder until then: journal.head, which knows rows; or,
// beside journal/, the tables, because registry.head knows nothing of a folder without keys.
void place(const DataFolder& folder, const fs::path& partial, const fs::path& file, RestoredKeys keys, JournalFormat format) {
  const bool is_tables_first = format == JournalFormat::segments;
  const std::string tables = DataFolder::state_in(partial);
  const auto place_tables = [&] {
    fs::rename(tables, folder.state());
    sync_folder_of(folder.state());
  };
  if (is_tables_first) place_tables();
  place_markers(folder.path(), partial, format);
  if (keys == RestoredKeys::from_backup) fs::rename(DataFolder::registry_in(partial), folder.registry());
  if (has_table(file, "feed_position")) fill_feed(folder.path(), file);
  {
    const std::unique_ptr<JournalRows> journal = open_rows_at_rest(partial);
    StateStore state(is_tables_first ? folder.state() : tables, StateStore::Mode::read);
    put_followers_back(folder, *journal, state);
  }
  if (!is_tables_first) place_tables();
  sync_folder_of(folder.state());   // before the journal's name can be on disk
  fs::rename(path_of_journal(partial, format), path_of_journal(folder.path(), format));
}

}   // namespace

RestoredKeys restore(const fs::path& data, const fs::path& file, JournalFormat format) {
  const DataFolder folder(data);
  finish_interrupted_conversion(data);
  const RestoredKeys keys = check_restorable(folder, file);
  if (keys == RestoredKeys::kept) note_registry(folder);   // before the old marker is replaced, which has its revision
  // A start does not look into this folder, so an interrupted restore leaves nothing that could be mistaken for data.
  const fs::path partial = data / "restore.partial";
  fs::remove_all(partial);
  try {
    fs::create_directory(partial);
    give_to_owner_of_folder(partial.string());   // its files are given to its owner
    fill(folder, partial, file, keys, format);
    place(folder, partial, file, keys, format);
  } catch (...) {
    std::error_code ignored;   // the exception says what failed
    for (const char* const suffix : {"", "-wal", "-shm"}) fs::remove(folder.state() + suffix, ignored);
    fs::remove_all(partial, ignored);
    throw;
  }
  sync_folder_of(folder.state());
  fs::remove_all(partial);
  if (keys != RestoredKeys::none) note_registry(folder);
  return keys;
}

}   // namespace holdfast::cli
