#include "cli/maintenance.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>

#include "access/registry_file.h"
#include "access/registry_revision.h"
#include "core/bytes.h"
#include "feed/kafka/feed_file.h"
#include "feed/webhooks/webhook_file.h"
#include "ledger/embedded/checkpointer.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/head_marker.h"
#include "ledger/embedded/journal.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/sqlite_rows.h"
#include "ledger/embedded/state_store.h"
#include "ledger/embedded/stopped_events.h"
#include "ledger/embedded/verify.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* k_state_tables[] = {"event",       "plan_part",       "seat",         "seat_state", "seat_change",
                                          "reservation", "idempotency_key", "journal_index"};
constexpr const char* k_check_tables[] = {"reservation_check", "event_check"};   // a backup of an earlier version has none

constexpr const char* k_database_suffixes[] = {"", "-wal", "-shm"};

// The URI by which ATTACH opens a file read-only, so that the server's write-ahead log is left alone.
std::string read_only_uri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {   // all other characters stand for themselves: https://www.sqlite.org/uri.html
    c == '%' ? uri += "%25" : c == '?' ? uri += "%3f" : c == '#' ? uri += "%23" : uri += c;
  }
  return uri + "?mode=ro";
}

// `database`: the name of an attached one, or `main`.
bool has_table(sqlite::Database& file, const std::string& database, std::string_view name) {
  sqlite::Statement table(file, "SELECT 1 FROM " + database + ".sqlite_master WHERE type = 'table' AND name = ?1");
  table.bind_text(1, name);
  return table.step();
}

// Calls `copy` in one transaction, in which `source` is the database at this path or URI.
void copy_from(sqlite::Database& database, const std::string& source, const std::function<void()>& copy) {
  sqlite::Statement(database, "ATTACH ?1 AS source").bind_text(1, source).run();
  {
    sqlite::Transaction transaction(database);
    copy();
    transaction.commit();
  }
  database.execute("DETACH source");
}

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

void copy_journal_into(sqlite::Database& copy, const fs::path& data) {
  const std::unique_ptr<JournalRows> journal = open_journal_rows(data);
  journal->pin();
  sqlite::Transaction transaction(copy);
  try {
    copy_rows_into(copy, *journal);
  } catch (const JournalDamage& damage) {
    throw DataError("the data in " + data.string() + " are damaged, so no backup was written: " + damage.what());
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
  if (marker == nullptr) return;
  check_reached(marker, journal);
  const auto copied = registry_revision(state.database());
  if (!noted || (copied && copied->id == noted->id && copied->number >= noted->number)) return;
  throw DataError(DataFolder::registry_in(data) +
                  " is missing, or has lost changes, so no backup was written. Put it back with its -wal file, or accept it as it is: "
                  "holdfast keys accept --data " +
                  data.string());
}

bool has_table(const fs::path& file, std::string_view name) {
  sqlite::Database database(file.string(), sqlite::Database::Mode::read_only);
  return has_table(database, "main", name);
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

// Moves readers of the journal that are beyond its end back to the end: new changes will be written there, and none may be skipped.
// Returns how many were moved.
std::size_t put_followers_back(const DataFolder& folder, JournalRows& journal, StateStore& state) {
  std::size_t further = 0;
  if (fs::exists(folder.registry()) && has_table(folder.registry(), "webhook_endpoint")) {
    further += feed::move_webhooks_back(*feed::open_webhook_file(folder.registry())->file(), journal.head().position);
  }
  const std::string feed = feed::kafka::feed_file_in(folder.path());
  if (!fs::exists(feed)) return further;
  std::map<EventNumber, Seq> heads;
  state.each_event_head([&](EventNumber event, Seq last) { heads[event] = last; });
  journal.read(state.as_of(), [&](const JournalRow& row) {
    heads[row.event] = row.first_seq + row.changes - 1;
    return true;
  });
  return further + feed::kafka::move_feed_back(*feed::kafka::open_feed_file(feed)->file(), heads);
}

// Opening a registry throws if it has lost changes, and notes its revision otherwise.
void note_registry(const DataFolder& folder) { const RegistryFile registry(folder.registry()); }

}   // namespace

void backup(const fs::path& data, const fs::path& file) {
  if (!fs::exists(DataFolder::journal_in(data)) || !fs::exists(DataFolder::state_in(data))) {
    throw DataError(data.string() + " has no data of Holdfast (journal.db and state.db).");
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
    create_private_file(partial.string());   // it contains the secret that signs sessions
    {
      sqlite::Database copy(partial.string(), sqlite::Database::Mode::create);
      copy_into(copy, data);
    }
    check_copy(partial, data, marker.get(), noted);
    fs::rename(partial, file);
  } catch (...) {
    fs::remove(partial, ignored);
    throw;
  }
}

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

namespace {

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

// Rebuilds state.db from a journal whose end has been checked. The old one stays where it is until the new one is complete.
void rebuild_tables_from(const DataFolder& folder, JournalRows& journal, const std::function<void(Position, Position)>& progress) {
  if (journal.anchor().position != 0) {
    throw DataError(folder.journal() +
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

}   // namespace

Position rebuild(const fs::path& data, const std::function<void(Position, Position)>& progress) {
  const DataFolder folder(data);
  if (!fs::exists(folder.journal())) throw DataError("there is no journal.db in " + data.string() + " to rebuild the tables from.");
  const std::unique_ptr<JournalRows> journal = open_journal_rows(data);
  check_reached(read_head_marker(HeadMarker::file_in(data)).get(), *journal);
  rebuild_tables_from(folder, *journal, progress);
  return journal->head().position;
}

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
