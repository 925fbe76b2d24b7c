#include "access/embedded_registry.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

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
constexpr const char* k_sql_keys = "SELECT id, name, hash, scopes, created_at, expires_at, revoked_at FROM api_key ORDER BY created_at, id";
constexpr const char* k_sql_add = "INSERT INTO api_key VALUES (?1,?2,?3,?4,?5,?6,NULL)";
constexpr const char* k_sql_revoke = "UPDATE api_key SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1";

template <std::size_t Size>
std::string_view as_bytes(const std::array<std::uint8_t, Size>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Of a registry that is not what the folder knows: what is wrong with it, and the ways out.
[[noreturn]] void lost(const std::string& path, const std::string& what) {
  const std::string folder = fs::path(path).parent_path().string();
  throw DataError(
      path + what +
      " Keys that were made are not in it, or keys that were revoked would be good again, so nobody is let in by it. Nothing was "
      "changed. Put back registry.db with its -wal file. Or accept what is there, then revoke and make keys anew: holdfast keys "
      "accept --data " +
      folder);
}

// Makes a whole file under a name of its own, and gives it its real one only if nobody was faster.
bool make_if_missing(const std::string& path, bool must_exist) {
  if (fs::exists(path)) return false;
  if (must_exist) lost(path, " is missing, and the folder had one.");
  refuse_log_without_file(path);
  fs::create_directories(fs::path(path).parent_path());
  const std::string partial = path + ".partial-" + std::to_string(::getpid());
  std::error_code ignored;   // of an attempt before
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
    database.execute(("PRAGMA user_version = " + std::to_string(EmbeddedRegistry::k_format)).c_str());
    transaction.commit();
  }
  std::error_code error;
  fs::create_hard_link(partial, path, error);   // unlike a rename, it replaces nothing
  fs::remove(partial, ignored);
  if (error && error != std::errc::file_exists) throw DataError("cannot make " + path + ": " + error.message());
  return !error;
}

}  // namespace

EmbeddedRegistry::EmbeddedRegistry(const std::string& path, Older older)
    : noted_(noted_registry_revision(path)),
      was_made_(make_if_missing(path, noted_.has_value() && older == Older::refused)),
      database_(path, sqlite::Database::Mode::read_write) {
  if (const auto cut = database_.find_cut()) damaged(*cut);
  check();
  database_.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;");
  check_revision(older);
}

// Older than noted, it has lost changes. Newer, a change was made and not noted before a crash: it is noted now.
void EmbeddedRegistry::check_revision(Older older) {
  const std::optional<RegistryRevision> revision = registry_revision(database_);
  const bool is_lost = noted_ && (!revision || revision->id != noted_->id || revision->number < noted_->number);
  if (is_lost && older == Older::refused) {
    const bool is_older = revision && revision->id == noted_->id;
    lost(database_.path(), is_older ? " is older than the folder knows: it is as of change " + std::to_string(revision->number) +
                                          ", and change " + std::to_string(noted_->number) + " was answered. Was its -wal file lost?"
                                    : " is not the one that the folder had, or has lost its last changes. Was its -wal file lost?");
  }
  if (is_lost || !revision) set_registry_revision(database_, is_lost ? noted_ : std::nullopt);
  note_registry_revision(database_);
}

void EmbeddedRegistry::check() {
  if (database_.query_int("PRAGMA application_id") != k_application_id) {
    throw DataError(database_.path() + " is not a registry of Holdfast. Nothing was changed. Is this the right folder?");
  }
  if (const auto format = database_.query_int("PRAGMA user_version"); format != k_format) {
    throw DataError(database_.path() + " has format " + std::to_string(format) + "; this version of Holdfast reads format " +
                    std::to_string(k_format) + ". Nothing was changed. Use the version that wrote it, or a later one.");
  }
  (void)session_secret();
  (void)keys();
}

void EmbeddedRegistry::damaged(const std::string& what) const {
  throw DataError(
      database_.path() + " is damaged: " + what +
      ". Nothing was changed. It has the API keys and nothing that is sold: put it back from a backup, or move it away, accept that with "
      "`holdfast keys accept`, and make new keys with `holdfast keys create`.");
}

std::vector<ApiKey> EmbeddedRegistry::keys() {
  const std::int64_t version = data_version();   // before reading: what is written meanwhile counts as new
  std::vector<ApiKey> keys;
  sqlite::Statement rows(database_, k_sql_keys);
  while (rows.step()) {
    ApiKey key{.id = std::string(rows.text(0)), .name = std::string(rows.text(1)), .created_at = rows.integer(4)};
    const auto scopes = parse_scopes(rows.text(3));
    if (!scopes || rows.blob(2).size() != key.hash.size()) damaged("key " + key.id + " cannot be read");
    key.scopes = *scopes;
    std::ranges::copy(rows.blob(2), reinterpret_cast<char*>(key.hash.data()));
    if (!rows.is_null(5)) key.expires_at = rows.integer(5);
    if (!rows.is_null(6)) key.revoked_at = rows.integer(6);
    keys.push_back(std::move(key));
  }
  version_seen_ = version;
  return keys;
}

// Differs when another connection has written; what this one writes it knows.
std::int64_t EmbeddedRegistry::data_version() { return database_.query_int("PRAGMA data_version"); }

bool EmbeddedRegistry::has_changed() { return data_version() != version_seen_; }

bool EmbeddedRegistry::add(const ApiKey& key) {
  sqlite::Transaction transaction(database_);
  if (database_.query_int("SELECT count(*) FROM api_key") >= static_cast<std::int64_t>(k_api_keys_max)) return false;
  const std::string scopes = to_string(key.scopes);
  sqlite::Statement insert(database_, k_sql_add);
  insert.bind_text(1, key.id).bind_text(2, key.name).bind_blob(3, as_bytes(key.hash)).bind_text(4, scopes).bind(5, key.created_at);
  key.expires_at ? insert.bind(6, *key.expires_at) : insert.bind_null(6);
  insert.run();
  raise_registry_revision(database_);
  transaction.commit();
  version_seen_ = k_none_seen;
  note_registry_revision(database_);
  return true;
}

bool EmbeddedRegistry::revoke(std::string_view id, Millis at) {
  sqlite::Transaction transaction(database_);
  sqlite::Statement(database_, k_sql_revoke).bind_text(1, id).bind(2, at).run();
  const bool found = sqlite3_changes(database_.handle()) == 1;
  if (found) raise_registry_revision(database_);
  transaction.commit();
  version_seen_ = k_none_seen;
  if (found) note_registry_revision(database_);
  return found;
}

SessionSecret EmbeddedRegistry::session_secret() {
  sqlite::Statement row(database_, "SELECT secret FROM session_secret");
  SessionSecret secret;
  if (!row.step() || row.blob(0).size() != secret.size()) damaged("the secret that signs sessions is missing");
  std::ranges::copy(row.blob(0), reinterpret_cast<char*>(secret.data()));
  return secret;
}

}  // namespace holdfast
