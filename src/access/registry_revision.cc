#include "access/registry_revision.h"

#include <cstring>
#include <filesystem>
#include <memory>

#include "access/registry.h"
#include "core/bytes.h"

namespace holdfast {
namespace {

constexpr const char* k_sql_create = "CREATE TABLE IF NOT EXISTS registry_revision (id BLOB NOT NULL, number INTEGER NOT NULL) STRICT";

std::unique_ptr<RegistryMarker> marker_beside(const std::string& registry, RegistryMarker::Mode mode) {
  return RegistryMarker::find(std::filesystem::path(registry).parent_path(), mode);
}

bool has_table(sqlite::Database& registry) {
  return registry.query_int("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'registry_revision'") == 1;
}

}  // namespace

std::optional<RegistryRevision> registry_revision(sqlite::Database& registry) {
  if (!has_table(registry)) return std::nullopt;
  sqlite::Statement row(registry, "SELECT id, number FROM registry_revision");
  RegistryRevision revision;
  if (!row.step() || !read_bytes(row.blob(0), revision.id)) return std::nullopt;
  revision.number = row.integer(1);
  return revision;
}

void commit_registry_change(sql::Database& registry, sql::Transaction& transaction) {
  sqlite::Database* const file = registry.file();
  if (file != nullptr && has_table(*file)) file->execute("UPDATE registry_revision SET number = number + 1");
  transaction.commit();
  if (file != nullptr) note_registry_revision(*file);
}

void note_registry_revision(sqlite::Database& registry) {
  const std::optional<RegistryRevision> revision = registry_revision(registry);
  if (!revision) return;
  if (const auto marker = marker_beside(registry.path(), RegistryMarker::Mode::write)) marker->note(*revision);
}

std::optional<RegistryRevision> noted_registry_revision(const std::string& path) {
  const auto marker = marker_beside(path, RegistryMarker::Mode::read);
  return marker == nullptr ? std::nullopt : marker->revision();
}

void set_registry_revision(sqlite::Database& registry, const std::optional<RegistryRevision>& accepted) {
  RegistryRevision revision;
  if (accepted) {
    revision = {accepted->id, accepted->number + 1};
  } else {
    const SessionSecret random = draw_session_secret();
    std::memcpy(revision.id.data(), random.data(), revision.id.size());
    revision.number = 1;
  }
  sqlite::Transaction transaction(registry);
  registry.execute(k_sql_create);
  if (!accepted && registry_revision(registry)) return;   // another process was faster
  registry.execute("DELETE FROM registry_revision");
  sqlite::Statement(registry, "INSERT INTO registry_revision VALUES (?1, ?2)")
      .bind_blob(1, as_bytes(revision.id))
      .bind(2, revision.number)
      .run();
  transaction.commit();
}

}  // namespace holdfast
