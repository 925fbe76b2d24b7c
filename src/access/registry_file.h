// The registry of a single machine: registry.db, a file of its own beside journal.db and state.db.
//
// A file of its own, because `holdfast keys` writes it while a server has the others, and because nobody else may read it (mode 0600).
//
//   RegistryFile registry(DataFolder::registry_in(data));
//   for (const ApiKey& key : registry.keys()) …
#pragma once

#include "access/registry.h"
#include "access/registry_revision.h"
#include "sql/sqlite_database.h"

namespace holdfast {

class RegistryFile final : public Registry {
 public:
  static constexpr std::int64_t k_format = 1;
  static constexpr const char* k_tables[] = {"api_key", "session_secret", "registry_revision"};   // what a backup takes

  // What to do with a registry that is older than the folder knows, or missing, or another one.
  enum class Older { refused, accepted };

  // Opens the file, or creates it with a new secret. Several processes may do so at once. Throws DataError or sqlite::Error; DataError also
  // if it has lost changes that were answered (registry_revision.h), unless that is accepted.
  explicit RegistryFile(const std::string& path, Older older = Older::refused);

  bool was_made() const { return was_made_; }   // by this constructor
  sqlite::Database& file() { return *database().file(); }

 private:
  struct Opened;

  RegistryFile(Opened opened, Older older);
  static Opened open(const std::string& path, Older older);
  void check_revision(Older older);

  const std::optional<RegistryRevision> noted_;   // as of the opening
  const bool was_made_;
};

}   // namespace holdfast
