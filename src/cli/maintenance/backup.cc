#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "access/registry_file.h"
#include "access/registry_revision.h"
#include "cli/maintenance.h"
#include "cli/maintenance/table_copies.h"
#include "core/bytes.h"
#include "feed/kafka/feed_file.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/head_marker.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/segments/segment_reader.h"
#include "ledger/embedded/sqlite_rows.h"
#include "ledger/embedded/state_store.h"
#include "ledger/embedded/stopped_events.h"
#include "ledger/embedded/verify.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

constexpr int k_tries_max = 5;

// Copies tables of a file that not every folder has: only folders of later versions have registry.db, only those with a feed have feed.db.
void copy_tables_into(sqlite::Database& copy, const std::string& file, std::span<const char* const> tables) {
  if (!fs::exists(file)) return;
  copy_from(copy, read_only_uri(file), [&] {
    for (const char* const table : tables) {
      if (!has_table(copy, "source", table)) continue;   // an earlier version wrote the file
      copy.execute(fmt::format("CREATE TABLE {0} AS SELECT * FROM source.{0}", table).c_str());
    }
  });
}

void copy_rows_into(sqlite::Database& copy, JournalRows& journal) {
  copy.execute(
      "CREATE TABLE journal (position INTEGER PRIMARY KEY, event INTEGER NOT NULL, first_seq INTEGER NOT NULL, changes INTEGER NOT NULL, "
      "at INTEGER NOT NULL, body BLOB NOT NULL, hash BLOB NOT NULL) STRICT");
  sqlite::Statement insert(copy, "INSERT INTO journal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
  journal.read(journal.anchor(), [&](const JournalRow& row) {
    insert.bind(1, row.position)
        .bind(2, std::int64_t{row.event})
        .bind(3, static_cast<std::int64_t>(row.first_seq))
        .bind(4, std::int64_t{row.changes})
        .bind(5, row.at)
        .bind_blob(6, row.body)
        .bind_blob(7, as_bytes(row.hash))
        .run();
    return true;
  });
}

// Without has_marker: an earlier version, which has no marker, may restore the backup.
void copy_notes_into(sqlite::Database& copy, JournalRows& journal) {
  copy.execute("CREATE TABLE journal_meta (name TEXT, value)");
  sqlite::Statement insert(copy, "INSERT INTO journal_meta VALUES (?1, ?2)");
  const auto note = [&](std::string_view name, std::int64_t value) { insert.bind_text(1, name).bind(2, value).run(); };
  note("anchor_position", journal.anchor().position);
  insert.bind_text(1, "anchor_hash").bind_blob(2, as_bytes(journal.anchor().hash)).run();
  const auto doubtful = journal.doubtful_start();
  if (!doubtful) return;
  note("clock_doubt_until", doubtful->until);
  note("clock_doubt_ahead", doubtful->ahead);
}

// Retention has removed rows that were to be copied. The copy can begin anew.
class Overtaken : public DataError {
 public:
  using DataError::DataError;
};

void copy_journal_into(sqlite::Database& copy, const fs::path& data) {
  const std::unique_ptr<JournalRows> journal = open_journal_rows(data);
  journal->pin();
  const Position in_tables = copy.query_int("SELECT value FROM meta WHERE name = 'position'");
  if (journal->anchor().position > in_tables) throw Overtaken("rows after row " + std::to_string(in_tables) + " are gone");
  sqlite::Transaction transaction(copy);
  try {
    copy_rows_into(copy, *journal);
  } catch (const JournalDamage& damage) {
    throw DataError("the data in " + data.string() + " are damaged, so no backup was written: " + damage.what());
  } catch (const segments::RowsGone& gone) {
    throw Overtaken(gone.what());
  }
  copy_notes_into(copy, *journal);
  copy.execute(("PRAGMA main.application_id = " + std::to_string(SqliteRows::k_backup_application_id)).c_str());
  transaction.commit();
}

// A copy has the tables of state.db and of the journal. The tables of state.db, and the feed's positions, are copied first, so that they
// are never ahead of the journal.
void copy_into(sqlite::Database& copy, const fs::path& data) {
  sqlite::Database state(DataFolder::state_in(data), sqlite::Database::Mode::read_only);
  sqlite3_backup* copying = sqlite3_backup_init(copy.handle(), "main", state.handle(), "main");
  if (copying == nullptr) copy.fail("write");
  const int copied = sqlite3_backup_step(copying, -1);
  sqlite3_backup_finish(copying);
  if (copied != SQLITE_DONE) copy.fail("write");
  copy_tables_into(copy, feed::kafka::feed_file_in(data), feed::kafka::k_feed_tables);
  copy_journal_into(copy, data);
  copy_tables_into(copy, DataFolder::registry_in(data), RegistryFile::k_tables);
  copy.execute("PRAGMA journal_mode = DELETE");   // a single file
}

// Writes the copy, again from the beginning if retention is faster.
void write_copy(const fs::path& partial, const fs::path& data) {
  for (int tries = 1;; ++tries) {
    create_private_file(partial.string());   // it contains the secret that signs sessions
    try {
      sqlite::Database copy(partial.string(), sqlite::Database::Mode::create);
      copy_into(copy, data);
      return;
    } catch (const Overtaken& overtaken) {
      if (tries == k_tries_max) {
        throw DataError("no backup was written: " + std::to_string(tries) +
                        " times the journal's oldest rows were removed while they were copied (" + overtaken.what() +
                        "). Try again, or set retention to more days.");
      }
    }
    fs::remove(partial);
  }
}

StoppedEvents stopped_events_in(const fs::path& copy) {
  sqlite::Database database(copy.string(), sqlite::Database::Mode::read_only);
  return load_stopped_events(database);
}

// Throws DataError unless the copy passes the checks of restore(), and has everything that the folder was known to have at the beginning.
void check_copy(const fs::path& copy, const fs::path& data, const HeadMarker* marker, const std::optional<RegistryRevision>& noted) {
  // Its format is another one then, so this comes first.
  if (const StoppedEvents stopped = stopped_events_in(copy); !stopped.empty()) {
    throw DataError("no backup was written: " + told_of(stopped, DataFolder::state_in(data)) + ".");
  }
  SqliteRows journal(copy.string(), SqliteRows::Mode::read_backup);
  StateStore state(copy.string(), StateStore::Mode::read_backup);
  const VerifyReport report = verify(journal, state);
  if (!report.problem.empty())
    throw DataError("the data in " + data.string() + " are damaged, so no backup was written: " + report.problem);
  if (marker != nullptr) check_reached(marker, journal);
  const auto copied = registry_revision(state.database());
  if (!noted || (copied && copied->id == noted->id && copied->number >= noted->number)) return;
  throw DataError(DataFolder::registry_in(data) +
                  " is missing, or has lost changes, so no backup was written. Put it back with its -wal file, or accept it as it is: "
                  "holdfast keys accept --data " +
                  data.string());
}

}   // namespace

void backup(const fs::path& data, const fs::path& file) {
  if (!find_journal(data) || !fs::exists(DataFolder::state_in(data))) {
    throw DataError(data.string() + " has no data of Holdfast (a journal and state.db).");
  }
  if (fs::exists(file)) throw DataError(file.string() + " exists. A backup never overwrites a file: choose another name.");
  const fs::path partial = file.string() + ".partial";
  std::error_code ignored;   // left by an earlier attempt
  fs::remove(partial, ignored);
  const std::unique_ptr<HeadMarker> marker = read_head_marker(HeadMarker::file_in(data));
  // Read before copying, because keys may change meanwhile.
  const std::optional<RegistryRevision> noted = noted_registry_revision(DataFolder::registry_in(data));
  check_reached(marker.get(), *open_journal_rows(data));
  try {
    write_copy(partial, data);
    check_copy(partial, data, marker.get(), noted);
    fs::rename(partial, file);
  } catch (...) {
    fs::remove(partial, ignored);
    throw;
  }
}

}   // namespace holdfast::cli
