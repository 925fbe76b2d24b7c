// `holdfast keys create`, `list`, `accept` and `revoke`. Servers that use the same folder or database notice a change within a second.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "access/registry_file.h"
#include "access/tokens.h"
#include "cli/commands.h"
#include "core/utf8.h"
#include "json/fields.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/postgres/schema.h"
#include "ledger/wall_time.h"
#include "sql/postgres_database.h"

namespace holdfast::cli {
namespace {

constexpr Millis k_millis_per_day = 24 * 3'600 * k_millis_per_second;

// Lists and logs show a name, so it must be one line of text.
void check_name(const std::string& name) {
  if (name.size() > k_api_key_name_bytes_max || is_blank(name) || !is_utf8(name) || has_control(name)) {
    throw UsageError(
        "--name must have 1 to 100 bytes of UTF-8, more than white space, and no control characters or marks of writing direction");
  }
}

// A registry, after the connections that it uses: nullptr for a folder.
using OpenRegistry = std::pair<std::unique_ptr<pg::Pool>, std::unique_ptr<Registry>>;

// A missing registry.db is created only if `make`: with a wrong --data, nobody would find it.
OpenRegistry open_registry(const LedgerPlace& place, bool make) {
  if (!place.ledger.empty()) {
    const pg::Settings settings{.url = place.ledger, .application = "holdfast keys"};
    pg::Connection connection(settings);
    pg::check_schema(connection);
    auto pool = std::make_unique<pg::Pool>(settings, pg::PoolOptions{.connections_max = 1});
    auto registry = std::make_unique<Registry>(std::make_unique<sql::PostgresDatabase>(*pool));
    return {std::move(pool), std::move(registry)};
  }
  const std::string path = DataFolder::registry_in(place.data);
  if (!make && !std::filesystem::exists(path) && !noted_registry_revision(path))
    throw DataError("there is no registry.db in " + place.data + ", so it has no keys.");
  return {nullptr, std::make_unique<RegistryFile>(path)};
}

void check_place(const LedgerPlace& place) {
  if (place.data.empty() == place.ledger.empty()) throw UsageError("either --data (a folder) or --ledger (a database) is needed");
  if (!place.ledger.empty()) check_ledger_url(place.ledger);
}

std::string state_of(const ApiKey& key, Millis now) {
  if (key.revoked_at) return "revoked " + rfc3339(*key.revoked_at);
  if (!key.expires_at) return "never expires";
  return (now < *key.expires_at ? "expires " : "expired ") + rfc3339(*key.expires_at);
}

}   // namespace

int create_key(const LedgerPlace& place, const NewKeyOptions& options) {
  check_place(place);
  check_name(options.name);
  const auto scopes = parse_scopes(options.scopes);
  if (!scopes) throw UsageError("--scopes must be a list of read, hold, sell and admin; it is `" + options.scopes + "`");
  if (options.expires_days && (*options.expires_days < 1 || *options.expires_days > k_api_key_days_max)) {
    throw UsageError("--expires-days must be a whole number from 1 to " + std::to_string(k_api_key_days_max));
  }
  const std::string token = new_api_token();
  const Millis now = wall_time();
  ApiKey key{.id = new_api_key_id(), .name = options.name, .hash = *hash_of_api_token(token), .scopes = *scopes, .created_at = now};
  if (options.expires_days) key.expires_at = now + *options.expires_days * k_millis_per_day;
  const auto [pool, registry] = open_registry(place, true);
  if (!registry->add(key))
    throw std::runtime_error("there are " + std::to_string(k_api_keys_max) +
                             " keys already, revoked ones included; no further key can be created");
  std::fprintf(stderr, "key %s (%s) may %s and %s. This is its token, which is not shown again:\n", key.id.c_str(), key.name.c_str(),
               to_string(key.scopes).c_str(), state_of(key, now).c_str());
  std::printf("%s\n", token.c_str());
  return 0;
}

int list_keys(const LedgerPlace& place) {
  check_place(place);
  const Millis now = wall_time();
  const auto [pool, registry] = open_registry(place, false);
  for (const ApiKey& key : registry->keys()) {
    std::printf("%s  %-20s  %-35s  %s\n", key.id.c_str(), to_string(key.scopes).c_str(), state_of(key, now).c_str(), key.name.c_str());
  }
  return 0;
}

int accept_keys(const std::string& data) {
  const std::string path = DataFolder::registry_in(data);
  const bool is_renewed = RegistryMarker::renew(data);
  if (!is_renewed && !noted_registry_revision(path))
    throw DataError("there is nothing to accept: the folder " + data + " has had no registry.db yet.");
  RegistryFile registry(path, RegistryFile::Older::accepted);
  const auto keys = registry.keys();
  std::printf(
      "registry.db is accepted as it is, with %zu keys. Revoke again the keys that had been revoked, and create the missing ones%s\n",
      keys.size(), keys.empty() ? ": without any key, a server on loopback admits every caller" : "");
  return 0;
}

int revoke_key(const LedgerPlace& place, const std::string& id) {
  check_place(place);
  if (!open_registry(place, false).second->revoke(id, wall_time()))
    throw UsageError("there is no key " + id + "; `holdfast keys list` names them");
  std::printf("key %s is revoked; running servers notice within a second\n", id.c_str());
  return 0;
}

}   // namespace holdfast::cli
