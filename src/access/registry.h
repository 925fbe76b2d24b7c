// The port to what is kept about callers: API keys, and the secret that signs visitors' sessions.
//
// It stands beside the ledger, because keys are made and revoked while a server sells. A token is never kept, only its SHA-256:
// who reads the registry can call nothing with it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"

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

// One thread at a time. Calls throw std::exception, whose what() names the file or server and what to do, when the registry
// cannot be read or written.
class Registry {
 public:
  virtual ~Registry() = default;

  // All keys, oldest first; the revoked stay, so that a registry in which keys were ever configured is never taken for an open
  // one.
  virtual std::vector<ApiKey> keys() = 0;
  // Whether keys() may differ from its last result. Cheap.
  virtual bool has_changed() = 0;
  // False when there are k_api_keys_max already. The id and the hash must be new.
  virtual bool add(const ApiKey& key) = 0;
  // False when there is no such key. One that was revoked before keeps its time.
  virtual bool revoke(std::string_view id, Millis at) = 0;
  // Made once, with the registry.
  virtual SessionSecret session_secret() = 0;
};

}   // namespace holdfast
