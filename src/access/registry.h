// What is kept about callers: API keys, and the secret that signs visitors' sessions.
//
// It is beside the ledger, because keys are created and revoked while a server sells. A token is never kept, only its SHA-256: nobody can
// call anything with what is read here.
//
//   Registry registry(std::make_unique<sql::PostgresDatabase>(pool));   // in a folder: RegistryFile (registry_file.h)
//   for (const ApiKey& key : registry.keys()) …
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"

namespace holdfast::sql {
class Database;
}

namespace holdfast {

// What a key may do. `admin` implies the others.
enum class Scope : std::uint8_t { read, hold, sell, admin };
inline constexpr Scope k_scopes[] = {Scope::read, Scope::hold, Scope::sell, Scope::admin};
std::string_view name_of(Scope scope);

class Scopes {
 public:
  void add(Scope scope) { bits_ |= bit(scope); }
  bool allow(Scope scope) const { return (bits_ & (bit(scope) | bit(Scope::admin))) != 0; }
  bool empty() const { return bits_ == 0; }
  bool operator==(const Scopes&) const = default;

 private:
  static constexpr unsigned bit(Scope scope) { return 1U << static_cast<unsigned>(scope); }
  unsigned bits_ = 0;
};

// "read,hold": the names as given to add(), in the order of k_scopes.
std::string to_string(const Scopes& scopes);
// Reads what to_string wrote, in any order. Nothing when it is empty or names something else.
std::optional<Scopes> parse_scopes(std::string_view text);

using TokenHash = std::array<std::uint8_t, 32>;   // SHA-256
using SessionSecret = std::array<std::uint8_t, 32>;   // key of an HMAC
// A new one, from the system's random bytes. Throws std::system_error when there are none.
SessionSecret draw_session_secret();

inline constexpr std::size_t k_api_keys_max = 10'000;   // revoked ones too
inline constexpr std::size_t k_api_key_name_bytes_max = 100;
inline constexpr std::int64_t k_api_key_days_max = 36'500;

struct ApiKey {
  std::string id;   // public: in lists and logs. At most 15 bytes
  std::string name;
  TokenHash hash{};
  Scopes scopes{};
  Millis created_at = 0;
  std::optional<Millis> expires_at{};   // by the wall clock, as created_at and revoked_at
  std::optional<Millis> revoked_at{};

  bool is_usable(Millis now) const { return !revoked_at && (!expires_at || now < *expires_at); }
};

// Tables in SQLite or PostgreSQL. In PostgreSQL all nodes share them: what one node, or `holdfast keys --ledger`, writes, every node sees
// when it next asks has_changed().
//
// One thread at a time. Calls throw DataError if a row means nothing or a column has another type, and the database's error if the registry
// cannot be read or written. what() names the file or server and says what to do.
class Registry {
 public:
  // The tables must exist. In PostgreSQL it creates the secret that signs sessions if there is none; several nodes may do so at once.
  explicit Registry(std::unique_ptr<sql::Database> database);
  virtual ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // All keys, oldest first. Revoked keys stay, so that a registry in which keys were ever configured is never taken for an open one.
  std::vector<ApiKey> keys();
  // Whether keys() may differ from its last result. Cheap; PostgreSQL: one round trip.
  bool has_changed();
  // False if there are k_api_keys_max already. The id and the hash must be new.
  bool add(const ApiKey& key);
  // False if there is no such key. One that was revoked before keeps its time.
  bool revoke(std::string_view id, Millis at);
  // Created once, with the registry.
  SessionSecret session_secret();

 protected:
  sql::Database& database() { return *database_; }
  [[noreturn]] static void refuse_damaged(sql::Database& registry, const std::string& what);

 private:
  static constexpr std::int64_t k_none_seen = -1;

  const std::unique_ptr<sql::Database> database_;
  std::int64_t version_seen_ = k_none_seen;   // as of the last keys()
};

}   // namespace holdfast
