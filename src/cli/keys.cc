// `holdfast keys create`, `list`, `revoke`: who may call. Also while a server works with the folder, which notices within a second.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "api/call.h"
#include "api/tokens.h"
#include "cli/commands.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/embedded_registry.h"

namespace holdfast::cli {
namespace {

constexpr Millis k_millis_per_day = 24 * 3'600 * k_millis_per_second;

Millis wall_time() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// A name is shown in lists: one line of text.
void check_name(const std::string& name) {
  const bool has_control = std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  if (name.size() > k_api_key_name_bytes_max || api::is_blank(name) || has_control) {
    throw UsageError("--name must have 1 to 100 bytes, not only white space and no control characters");
  }
}

// Never made by a wrong --data: a registry without keys beside it would be found by nobody.
EmbeddedRegistry open_existing(const std::string& data) {
  const std::string path = DataFolder::registry_in(data);
  if (!std::filesystem::exists(path)) throw DataError("there is no registry.db in " + data + ": no keys were made there.");
  return EmbeddedRegistry(path);
}

std::string state_of(const ApiKey& key, Millis now) {
  if (key.revoked_at) return "revoked " + rfc3339(*key.revoked_at);
  if (!key.expires_at) return "never expires";
  return (now < *key.expires_at ? "expires " : "expired ") + rfc3339(*key.expires_at);
}

}  // namespace

int create_key(const std::string& data, const NewKeyOptions& options) {
  check_name(options.name);
  const auto scopes = parse_scopes(options.scopes);
  if (!scopes) throw UsageError("--scopes must be a list of read, hold, sell and admin; it is `" + options.scopes + "`");
  if (options.expires_days && (*options.expires_days < 1 || *options.expires_days > k_api_key_days_max)) {
    throw UsageError("--expires-days must be a whole number from 1 to " + std::to_string(k_api_key_days_max));
  }
  const std::string token = api::new_api_token();
  const Millis now = wall_time();
  ApiKey key{
      .id = api::new_api_key_id(), .name = options.name, .hash = *api::hash_of_api_token(token), .scopes = *scopes, .created_at = now};
  if (options.expires_days) key.expires_at = now + *options.expires_days * k_millis_per_day;
  EmbeddedRegistry registry(DataFolder::registry_in(data));
  if (!registry.add(key)) throw std::runtime_error("there are " + std::to_string(k_api_keys_max) + " keys already, the revoked included");
  std::fprintf(stderr, "key %s (%s) may %s and %s. Its token is shown this once:\n", key.id.c_str(), key.name.c_str(),
               to_string(key.scopes).c_str(), state_of(key, now).c_str());
  std::printf("%s\n", token.c_str());
  return 0;
}

int list_keys(const std::string& data) {
  const Millis now = wall_time();
  for (const ApiKey& key : open_existing(data).keys()) {
    std::printf("%s  %-20s  %-35s  %s\n", key.id.c_str(), to_string(key.scopes).c_str(), state_of(key, now).c_str(), key.name.c_str());
  }
  return 0;
}

int revoke_key(const std::string& data, const std::string& id) {
  if (!open_existing(data).revoke(id, wall_time())) throw UsageError("there is no key " + id + "; `holdfast keys list` names them");
  std::printf("key %s is revoked; a running server notices within a second\n", id.c_str());
  return 0;
}

}  // namespace holdfast::cli
