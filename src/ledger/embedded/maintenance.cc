#include "ledger/embedded/maintenance.h"

#include <span>

#include "ledger/embedded/checkpointer.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/embedded_feed_store.h"
#include "ledger/embedded/embedded_registry.h"
#include "ledger/embedded/state_store.h"
#include "ledger/embedded/verify.h"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t k_backup_application_id = 0x48664231;   // "HfB1"
constexpr const char* k_state_tables[] = {"event",       "plan_part",       "seat",         "seat_state", "seat_change",
                                          "reservation", "idempotency_key", "journal_index"};

// A file as ATTACH takes it, so that it is only read: the server's log must stay the server's.
std::string read_only_uri(const std::string& path) {
  static constexpr char k_hex[] = "0123456789ABCDEF";
  std::string uri = "file:";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || c == '/' ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      uri += c;
    } else {
      uri.append("%").append(1, k_hex[byte >> 4]).append(1, k_hex[byte & 15]);
    }
  }
  return uri + "?mode=ro";
}

// Tables of a file that not every folder has: registry.db came later, feed.db is there where there is a feed.
void copy_tables_into(sqlite::Database& copy, const std::string& file, std::span<const char* const> tables) {
  if (!fs::exists(file)) return;
  const std::string uri = read_only_uri(file);
  sqlite::Statement(copy, "ATTACH ?1 AS source").bind_text(1, uri).run();
  {
    sqlite::Transaction transaction(copy);
    for (const std::string table : tables) {
      copy.execute(("CREATE TABLE " + table + " AS SELECT * FROM source." + table).c_str());
    }
    transaction.commit();
  }
  copy.execute("DETACH source");
}

// A copy is the tables of state.db with the journal's beside them: the tables, and how far was published, first, so that they are never
// ahead of the journal.
void copy_into(sqlite::Database& copy, const fs::path& data) {
  sqlite::Database state(DataFolder::state_in(data), sqlite::Database::Mode::read_only);
  sqlite3_backup* copying = sqlite3_backup_init(copy.handle(), "main", state.handle(), "main");
  if (copying == nullptr) copy.fail("write");
  const int copied = sqlite3_backup_step(copying, -1);
  sqlite3_backup_finish(copying);
  if (copied != SQLITE_DONE) copy.fail("write");
  copy_tables_into(copy, EmbeddedFeedStore::file_in(data), EmbeddedFeedStore::k_tables);
  const std::string journal = read_only_uri(DataFolder::journal_in(data));
  sqlite::Statement(copy, "ATTACH ?1 AS source").bind_text(1, journal).run();
  {
    sqlite::Transaction transaction(copy);
    copy.execute("CREATE TABLE journal AS SELECT * FROM source.journal ORDER BY position");
    copy.execute("CREATE TABLE journal_meta AS SELECT * FROM source.meta");
    copy.execute(("PRAGMA main.application_id = " + std::to_string(k_backup_application_id)).c_str());
    transaction.commit();
  }
  copy.execute("DETACH source");
  copy_tables_into(copy, DataFolder::registry_in(data), EmbeddedRegistry::k_tables);
  copy.execute("PRAGMA journal_mode = DELETE");   // one file, nothing beside it
}

void fill_journal(const fs::path& data, const fs::path& file) {
  Journal journal(DataFolder::journal_in(data), Journal::Mode::create);
  sqlite::Database& database = journal.database();
  sqlite::Statement(database, "ATTACH ?1 AS source").bind_text(1, file.string()).run();
  {
    sqlite::Transaction transaction(database);
    database.execute("INSERT INTO main.journal SELECT * FROM source.journal ORDER BY position");
    database.execute("INSERT OR REPLACE INTO main.meta SELECT * FROM source.journal_meta");
    transaction.commit();
  }
  database.execute("DETACH source");
}

void fill_state(const fs::path& data, const fs::path& file) {
  StateStore state(DataFolder::state_in(data), StateStore::Mode::create);
  sqlite::Database& database = state.database();
  sqlite::Statement(database, "ATTACH ?1 AS source").bind_text(1, file.string()).run();
  {
    sqlite::Transaction transaction(database);
    for (const char* table : k_state_tables) {
      database.execute((std::string("INSERT INTO main.") + table + " SELECT * FROM source." + table).c_str());
    }
    database.execute("INSERT OR REPLACE INTO main.meta SELECT * FROM source.meta");
    transaction.commit();
  }
  database.execute("DETACH source");
}

void fill_registry(const fs::path& data, const fs::path& file) {
  EmbeddedRegistry registry(DataFolder::registry_in(data));
  sqlite::Database& database = registry.database();
  sqlite::Statement(database, "ATTACH ?1 AS source").bind_text(1, file.string()).run();
  {
    sqlite::Transaction transaction(database);
    for (const std::string table : EmbeddedRegistry::k_tables) {
      database.execute(("DELETE FROM main." + table).c_str());
      database.execute(("INSERT INTO main." + table + " SELECT * FROM source." + table).c_str());
    }
    transaction.commit();
  }
  database.execute("DETACH source");
}

bool has_table(const fs::path& file, std::string_view name) {
  sqlite::Database copy(file.string(), sqlite::Database::Mode::read_only);
  sqlite::Statement table(copy, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1");
  table.bind_text(1, name);
  return table.step();
}

// What was published after the backup is published again, as far as it is still there; in a folder that knows more, this says how far.
void fill_feed(const fs::path& data, const fs::path& file) {
  const std::string path = EmbeddedFeedStore::file_in(data);
  const bool is_new = !fs::exists(path);
  EmbeddedFeedStore feed(path);
  sqlite::Statement(feed.database(), "ATTACH ?1 AS source").bind_text(1, file.string()).run();
  feed.restore(is_new);
  feed.database().execute("DETACH source");
}

}  // namespace

void backup(const fs::path& data, const fs::path& file) {
  if (!fs::exists(DataFolder::journal_in(data)) || !fs::exists(DataFolder::state_in(data))) {
    throw DataError("there are no data of Holdfast in " + data.string() + " (journal.db and state.db).");
  }
  if (fs::exists(file)) throw DataError(file.string() + " exists; a backup is never written over another file. Choose another name.");
  const fs::path partial = file.string() + ".partial";
  std::error_code ignored;   // of an attempt before
  fs::remove(partial, ignored);
  try {
    create_private_file(partial.string());   // it has the secret that signs sessions
    {
      sqlite::Database copy(partial.string(), sqlite::Database::Mode::create);
      copy_into(copy, data);
    }
    fs::rename(partial, file);
  } catch (...) {
    fs::remove(partial, ignored);
    throw;
  }
}

RestoredKeys restore(const fs::path& data, const fs::path& file) {
  const DataFolder folder(data);
  if (fs::exists(folder.journal()) || fs::exists(folder.state())) {
    throw DataError("there are data in " + data.string() +
                    "; nothing was changed. Restore into an empty folder, or move journal.db and state.db away.");
  }
  {
    sqlite::Database copy(file.string(), sqlite::Database::Mode::read_only);
    if (copy.query_int("PRAGMA application_id") != k_backup_application_id)
      throw DataError(file.string() + " is not a backup of Holdfast.");
    if (const auto format = copy.query_int("PRAGMA user_version"); format != StateStore::k_format) {
      throw DataError(file.string() + " has format " + std::to_string(format) + "; this version of Holdfast reads format " +
                      std::to_string(StateStore::k_format) + ". Nothing was restored. Use the version that wrote it, or a later one.");
    }
  }
  const RestoredKeys keys = fs::exists(folder.registry())       ? RestoredKeys::kept
                            : has_table(file, "session_secret") ? RestoredKeys::from_backup
                                                                : RestoredKeys::none;
  // Beside the place where a start looks, so that one that is cut off leaves nothing that could be taken for data.
  const fs::path partial = data / "restore.partial";
  fs::remove_all(partial);
  try {
    fs::create_directory(partial);
    fill_journal(partial, file);
    fill_state(partial, file);
    {
      Journal journal(DataFolder::journal_in(partial), Journal::Mode::read);
      StateStore state(DataFolder::state_in(partial), StateStore::Mode::read);
      if (const VerifyReport report = verify(journal, state); !report.problem.empty()) {
        throw DataError(file.string() + " is damaged, nothing was restored: " + report.problem);
      }
    }
    if (keys == RestoredKeys::from_backup) {
      fill_registry(partial, file);
      fs::rename(DataFolder::registry_in(partial), folder.registry());
    }
    if (has_table(file, "feed_position")) fill_feed(data, file);
    fs::rename(DataFolder::state_in(partial), folder.state());   // which alone is refused at a start
    fs::rename(DataFolder::journal_in(partial), folder.journal());
  } catch (...) {
    std::error_code ignored;   // the reason is that which is thrown
    fs::remove_all(partial, ignored);
    throw;
  }
  fs::remove_all(partial);
  return keys;
}

Position rebuild(const fs::path& data, const std::function<void(Position, Position)>& progress) {
  const DataFolder folder(data);
  if (!fs::exists(folder.journal())) throw DataError("there is no journal.db in " + data.string() + " to make the tables from.");
  Journal journal(folder.journal(), Journal::Mode::write);
  if (journal.anchor().position != 0) {
    throw DataError(folder.journal() +
                    " does not have its first rows any more; the tables cannot be made from it. Put back both files from a backup.");
  }
  journal.read(journal.anchor(), [](const JournalRow&) { return true; });   // the whole chain, before anything is replaced
  for (const char* suffix : {"", "-wal", "-shm"}) {
    if (fs::exists(folder.state() + suffix)) fs::rename(folder.state() + suffix, folder.state() + ".replaced" + suffix);
  }
  StateStore state(folder.state(), StateStore::Mode::create);
  follow_all(journal, state, [&](Position done) { progress(done, journal.head().position); });
  return journal.head().position;
}

}  // namespace holdfast
