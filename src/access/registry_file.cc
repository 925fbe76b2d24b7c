#include "access/registry_file.h"

#include <unistd.h>

#include <filesystem>
#include <memory>

#include "core/bytes.h"
#include "ledger/embedded/data_folder.h"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t k_application_id = 0x48665231;   // "HfR1"

constexpr const char* k_sql_create = R"(
  CREATE TABLE api_key (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, hash BLOB NOT NULL UNIQUE, scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE session_secret (secret BLOB NOT NULL) STRICT;
)";

// Throws: the registry is not the one that the folder knows. The error says what is wrong and what to do.
[[noreturn]] void lost(const std::string& path, const std::string& what) {
  const std::string folder = fs::path(path).parent_path().string();
  throw DataError(
      path + what +
      " Keys that were created are not in it, or keys that were revoked would be valid again, so it lets nobody in. Nothing was "
      "changed. Put back registry.db with its -wal file. Or accept what is there, then revoke keys and create them again: holdfast keys "
      "accept --data " +
      folder);
}

// Creates the complete file under another name, then links it to its real name, unless another process was faster.
bool create_if_missing(const std::string& path, bool must_exist) {
  if (fs::exists(path)) return false;
  if (must_exist) lost(path, " is missing, and the folder had one.");
  refuse_log_without_file(path);
  fs::create_directories(fs::path(path).parent_path());
  const std::string partial = path + ".partial-" + std::to_string(::getpid());
  std::error_code ignored;   // left by an earlier attempt
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(partial + suffix, ignored);
  create_private_file(partial);
  give_to_owner_of_folder(partial);
  {
    sqlite::Database database(partial, sqlite::Database::Mode::read_write);
    database.execute("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    sqlite::Transaction transaction(database);
    database.execute(k_sql_create);
    const SessionSecret secret = draw_session_secret();
    sqlite::Statement(database, "INSERT INTO session_secret VALUES (?1)").bind_blob(1, as_bytes(secret)).run();
    database.execute(("PRAGMA application_id = " + std::to_string(k_application_id)).c_str());
    database.execute(("PRAGMA user_version = " + std::to_string(RegistryFile::k_format)).c_str());
    transaction.commit();
  }
  std::error_code error;
  fs::create_hard_link(partial, path, error);   // unlike a rename, a link never replaces a file
  fs::remove(partial, ignored);
  if (error && error != std::errc::file_exists) throw DataError("cannot create " + path + ": " + error.message());
  return !error;
}

void check_format(sqlite::Database& registry) {
  if (registry.query_int("PRAGMA application_id") != k_application_id) {
    throw DataError(registry.path() + " is not a registry of Holdfast. Nothing was changed. Is this the right folder?");
  }
  refuse_other_format(registry, RegistryFile::k_format);
}

}  // namespace

struct RegistryFile::Opened {
  std::optional<RegistryRevision> noted;
  bool was_made;
  std::unique_ptr<sql::SqliteDatabase> database;
};

RegistryFile::Opened RegistryFile::open(const std::string& path, Older older) {
  Opened opened{.noted = noted_registry_revision(path), .was_made = false, .database = nullptr};
  opened.was_made = create_if_missing(path, opened.noted.has_value() && older == Older::refused);
  opened.database = std::make_unique<sql::SqliteDatabase>(path);
  sqlite::Database& file = *opened.database->file();
  if (const auto cut = file.find_cut()) refuse_damaged(*opened.database, *cut);
  check_format(file);
  return opened;
}

RegistryFile::RegistryFile(const std::string& path, Older older) : RegistryFile(open(path, older), older) {}

RegistryFile::RegistryFile(Opened opened, Older older)
    : Registry(std::move(opened.database)), noted_(opened.noted), was_made_(opened.was_made) {
  file().execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;");
  check_revision(older);
}

// If the registry is older than the marker notes, it has lost changes. If it is newer, a crash came between commit and note: note
// it now.
void RegistryFile::check_revision(Older older) {
  const std::optional<RegistryRevision> revision = registry_revision(file());
  const bool is_lost = noted_ && (!revision || revision->id != noted_->id || revision->number < noted_->number);
  if (is_lost && older == Older::refused) {
    const bool is_older = revision && revision->id == noted_->id;
    lost(file().path(), is_older ? " is older than the folder knows: it is as of change " + std::to_string(revision->number) +
                                       ", and change " + std::to_string(noted_->number) + " was answered. Was its -wal file lost?"
                                 : " is not the one that the folder had, or has lost its last changes. Was its -wal file lost?");
  }
  if (is_lost || !revision) set_registry_revision(file(), is_lost ? noted_ : std::nullopt);
  note_registry_revision(file());
}

}  // namespace holdfast
