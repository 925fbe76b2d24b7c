// The registry of a single machine: registry.db, a file of its own beside journal.db and state.db.
//
// A file of its own, because `holdfast keys` writes it while a server has the others, and because it is the one that must be kept from
// people's eyes (mode 0600).
//
//   EmbeddedRegistry registry(DataFolder::registry_in(data));
//   for (const ApiKey& key : registry.keys()) …
#pragma once

#include "access/registry.h"
#include "access/registry_revision.h"
#include "sql/sqlite.h"

namespace holdfast {

class EmbeddedRegistry final : public Registry {
 public:
  static constexpr std::int64_t k_format = 1;
  static constexpr const char* k_tables[] = {"api_key", "session_secret", "registry_revision"};   // what a backup takes

  // What becomes of a registry that is older than the folder knows, or gone, or another one.
  enum class Older { refused, accepted };

  // Opens the file; makes it, with a new secret, when it is not there. Several processes may do so at once. Throws DataError or
  // sqlite::Error; DataError also when it has lost changes that were answered (registry_revision.h), unless that is accepted.
  explicit EmbeddedRegistry(const std::string& path, Older older = Older::refused);

  bool was_made() const { return was_made_; }   // by this constructor

  std::vector<ApiKey> keys() override;
  bool has_changed() override;
  bool add(const ApiKey& key) override;
  bool revoke(std::string_view id, Millis at) override;
  SessionSecret session_secret() override;

  sqlite::Database& database() { return database_; }

 private:
  static constexpr std::int64_t k_none_seen = -1;

  void check();
  void check_revision(Older older);
  std::int64_t data_version();
  [[noreturn]] void damaged(const std::string& what) const;

  std::optional<RegistryRevision> noted_;   // as of the opening
  bool was_made_;
  sqlite::Database database_;
  std::int64_t version_seen_ = k_none_seen;   // PRAGMA data_version as of the last keys()
};

}  // namespace holdfast
