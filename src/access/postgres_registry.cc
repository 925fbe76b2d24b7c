#include "access/postgres_registry.h"

#include <algorithm>

#include "ledger/data_error.h"

namespace holdfast {
namespace {

using pg::Connection;
using pg::Parameters;
using pg::Result;
using pg::Statement;

constexpr Statement k_keys{
    "registry_keys", "SELECT id, name, hash, scopes, created_at, expires_at, revoked_at FROM holdfast.api_key ORDER BY created_at, id"};
constexpr Statement k_version{"registry_version", "SELECT version FROM holdfast.api_key_version"};
// Whoever adds a key waits here for whoever does so too: the number of keys is counted before.
constexpr Statement k_lock{"registry_lock", "SELECT version FROM holdfast.api_key_version FOR UPDATE"};
constexpr Statement k_add{"registry_add", R"(
  INSERT INTO holdfast.api_key (id, name, hash, scopes, created_at, expires_at)
  SELECT $1, $2, $3, $4, $5, $6 WHERE (SELECT count(*) FROM holdfast.api_key) < $7)"};
constexpr Statement k_revoke{"registry_revoke", "UPDATE holdfast.api_key SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1"};
constexpr Statement k_make_secret{"registry_make_secret",
                                  "INSERT INTO holdfast.session_secret (secret) VALUES ($1) ON CONFLICT (one) DO NOTHING"};
constexpr Statement k_secret{"registry_secret", "SELECT secret FROM holdfast.session_secret"};

template <std::size_t Size>
std::string_view as_bytes(const std::array<std::uint8_t, Size>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// False when `bytes` has another size.
template <std::size_t Size>
bool copy_to(std::array<std::uint8_t, Size>& to, std::string_view bytes) {
  if (bytes.size() != Size) return false;
  std::ranges::copy(bytes, reinterpret_cast<char*>(to.data()));
  return true;
}

}  // namespace

PostgresRegistry::PostgresRegistry(pg::Pool& pool) : pool_(pool) {
  asked([&](Connection& connection) {
    const Result row = connection.query(k_secret);
    if (row.rows() == 0) connection.query(k_make_secret, Parameters().bytes(as_bytes(draw_session_secret())));
    return true;
  });
  (void)session_secret();
  (void)keys();
}

// Asks the database; that it has no tables is said in words that lead on.
template <typename Ask>
auto PostgresRegistry::asked(Ask ask) -> decltype(ask(std::declval<Connection&>())) {
  try {
    auto lease = pool_.take();
    return ask(*lease);
  } catch (const pg::Error& error) {
    if (!error.is(pg::k_undefined_table) && !error.is("3F000")) throw;
    throw DataError(pg::without_password(pool_.settings().url) +
                    " has no tables of Holdfast, or older ones. Make them with `holdfast migrate --ledger URL`.");
  }
}

void PostgresRegistry::damaged(const std::string& what) const {
  throw DataError("the registry in " + pg::without_password(pool_.settings().url) + " is damaged: " + what +
                  ". Nothing was changed. It has the API keys and nothing that is sold: put its tables back from a backup, or remove the "
                  "row and make new keys with `holdfast keys create`.");
}

std::vector<ApiKey> PostgresRegistry::keys() {
  return asked([&](Connection& connection) {
    // The version first, and in a snapshot of its own: what is written meanwhile counts as new.
    connection.send(k_version);
    connection.send(k_keys);
    connection.sync();
    const Result version = connection.receive();
    const Result rows = connection.receive();
    connection.end_sync();
    std::vector<ApiKey> keys;
    keys.reserve(static_cast<std::size_t>(rows.rows()));
    for (int i = 0; i < rows.rows(); ++i) {
      ApiKey key{.id = std::string(rows.text(i, 0)), .name = std::string(rows.text(i, 1)), .created_at = rows.int8(i, 4)};
      const auto scopes = parse_scopes(rows.text(i, 3));
      if (!scopes || !copy_to(key.hash, rows.bytes(i, 2))) damaged("key " + key.id + " cannot be read");
      key.scopes = *scopes;
      if (!rows.is_null(i, 5)) key.expires_at = rows.int8(i, 5);
      if (!rows.is_null(i, 6)) key.revoked_at = rows.int8(i, 6);
      keys.push_back(std::move(key));
    }
    if (version.rows() != 1) damaged("api_key_version has no row");
    version_seen_ = version.int8(0, 0);
    return keys;
  });
}

bool PostgresRegistry::has_changed() {
  return asked([&](Connection& connection) {
    const Result version = connection.query(k_version);
    return version.rows() != 1 || version.int8(0, 0) != version_seen_;
  });
}

bool PostgresRegistry::add(const ApiKey& key) {
  return asked([&](Connection& connection) {
    Parameters values;
    values.text(key.id).text(key.name).bytes(as_bytes(key.hash)).text(to_string(key.scopes)).int8(key.created_at);
    key.expires_at ? values.int8(*key.expires_at) : values.null(pg::k_oid_int8);
    connection.send(pg::k_begin);
    connection.send(k_lock);
    connection.send(k_add, values.int8(static_cast<std::int64_t>(k_api_keys_max)));
    connection.send(pg::k_commit);
    connection.sync();
    connection.receive();
    connection.receive();
    const bool added = connection.receive().affected() == 1;
    connection.receive();
    connection.end_sync();
    version_seen_ = k_none_seen;
    return added;
  });
}

bool PostgresRegistry::revoke(std::string_view id, Millis at) {
  return asked([&](Connection& connection) {
    const bool found = connection.query(k_revoke, Parameters().text(id).int8(at)).affected() == 1;
    version_seen_ = k_none_seen;
    return found;
  });
}

SessionSecret PostgresRegistry::session_secret() {
  return asked([&](Connection& connection) {
    const Result row = connection.query(k_secret);
    SessionSecret secret;
    if (row.rows() != 1 || !copy_to(secret, row.bytes(0, 0))) damaged("the secret that signs sessions is missing");
    return secret;
  });
}

}  // namespace holdfast
