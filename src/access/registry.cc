#include "access/registry.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "access/registry_revision.h"
#include "core/bytes.h"
#include "ledger/data_error.h"
#include "sql/database.h"

namespace holdfast {
namespace {

using sql::Result;
using sql::Statement;
using sql::Values;

constexpr Statement k_keys{
    "registry_keys", "SELECT id, name, hash, scopes, created_at, expires_at, revoked_at FROM holdfast.api_key ORDER BY created_at, id"};
// A number that differs after each write of keys, also after one by hand. SQLite's data_version ignores writes of this
// connection.
constexpr Statement k_version{"registry_version", "SELECT version FROM holdfast.api_key_version", "PRAGMA data_version"};
// Serialises concurrent inserts: each counts the keys first.
constexpr Statement k_lock{"registry_lock", "SELECT version FROM holdfast.api_key_version FOR UPDATE", sql::k_not_in_sqlite};
constexpr Statement k_add{"registry_add", R"(
  INSERT INTO holdfast.api_key (id, name, hash, scopes, created_at, expires_at)
  SELECT $1, $2, $3, $4, $5, $6 WHERE (SELECT count(*) FROM holdfast.api_key) < $7)"};
constexpr Statement k_revoke{"registry_revoke", "UPDATE holdfast.api_key SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1"};
constexpr Statement k_secret{"registry_secret", "SELECT secret FROM holdfast.session_secret"};
// A new file gets its secret when it is created. So a file without one has lost it.
constexpr Statement k_create_secret{"registry_create_secret",
                                    "INSERT INTO holdfast.session_secret (secret) VALUES ($1) ON CONFLICT (one) DO NOTHING",
                                    sql::k_not_in_sqlite};

// What `read` reads of a result; nothing if a column has another type, as a table that was changed by hand may have.
template <typename Read>
auto readable(const Read& read) -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
}

// Nothing if the row means nothing. Throws std::runtime_error if a column has another type.
std::optional<ApiKey> key_of(const Result& rows, int row) {
  ApiKey key{.id = std::string(rows.text(row, 0)), .name = std::string(rows.text(row, 1)), .created_at = rows.integer(row, 4)};
  const auto scopes = parse_scopes(rows.text(row, 3));
  if (!scopes || !read_bytes(rows.text(row, 2), key.hash)) return std::nullopt;
  key.scopes = *scopes;
  key.expires_at = rows.integer_or_null(row, 5);
  key.revoked_at = rows.integer_or_null(row, 6);
  return key;
}

// For a message; the id may be what cannot be read.
std::string name_of_key(const Result& rows, int row) {
  const auto id = readable([&] { return std::string(rows.text(row, 0)); });
  return id ? "key " + *id : "row " + std::to_string(row + 1) + " of table api_key";
}

}  // namespace

std::string_view name_of(Scope scope) {
  switch (scope) {
    case Scope::read: return "read";
    case Scope::hold: return "hold";
    case Scope::sell: return "sell";
    case Scope::admin: return "admin";
  }
  return {};
}

std::string to_string(const Scopes& scopes) {
  std::string text;
  for (const Scope scope : k_scopes) {
    Scopes with = scopes;
    with.add(scope);
    if (with == scopes) text.append(text.empty() ? "" : ",").append(name_of(scope));
  }
  return text;
}

std::optional<Scopes> parse_scopes(std::string_view text) {
  Scopes scopes;
  for (;;) {
    const std::string_view name = text.substr(0, text.find(','));
    const auto* const scope = std::ranges::find(k_scopes, name, [](Scope each) { return name_of(each); });
    if (scope == std::end(k_scopes)) return std::nullopt;
    scopes.add(*scope);
    if (name.size() == text.size()) return scopes;
    text.remove_prefix(name.size() + 1);
  }
}

SessionSecret draw_session_secret() {
  SessionSecret secret;
  std::size_t filled = 0;
  while (filled < secret.size()) {
    const ssize_t got = ::getrandom(secret.data() + filled, secret.size() - filled, 0);
    if (got > 0) filled += static_cast<std::size_t>(got);
    else if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "the system gives no random bytes");
  }
  return secret;
}

Registry::Registry(std::unique_ptr<sql::Database> database) : database_(std::move(database)) {
  if (database_->query(k_secret).rows() == 0) database_->query(k_create_secret, Values().bytes(as_bytes(draw_session_secret())));
  (void)session_secret();
  (void)keys();
}

Registry::~Registry() = default;

void Registry::refuse_damaged(sql::Database& registry, const std::string& what) {
  const char* const otherwise = registry.file() == nullptr
                                    ? ", or delete the row, and create new keys with `holdfast keys create`."
                                    : ", or move it away, accept that with `holdfast keys accept`, and create new keys with `holdfast keys "
                                      "create`.";
  throw DataError("the registry in " + registry.place() + " is damaged: " + what +
                  ". Nothing was changed. It has the API keys and nothing that is sold. Restore it from a backup" + otherwise);
}

std::vector<ApiKey> Registry::keys() {
  const Result version = database_->query(k_version);   // before reading: what is written meanwhile counts as new
  const Result rows = database_->query(k_keys);
  std::vector<ApiKey> keys;
  keys.reserve(static_cast<std::size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) {
    auto key = readable([&] { return key_of(rows, i); });
    if (!key || !*key) refuse_damaged(*database_, name_of_key(rows, i) + " cannot be read");
    keys.push_back(std::move(**key));
  }
  if (version.rows() != 1) refuse_damaged(*database_, "api_key_version has no row");
  const auto seen = readable([&] { return version.integer(0, 0); });
  if (!seen) refuse_damaged(*database_, "the row of api_key_version cannot be read");
  version_seen_ = *seen;
  return keys;
}

bool Registry::has_changed() {
  const Result version = database_->query(k_version);
  return version.rows() != 1 || readable([&] { return version.integer(0, 0); }) != version_seen_;
}

bool Registry::add(const ApiKey& key) {
  const std::string scopes = to_string(key.scopes);
  Values values;
  values.text(key.id).text(key.name).bytes(as_bytes(key.hash)).text(scopes).integer(key.created_at).integer(key.expires_at);
  const auto transaction = database_->begin();
  transaction->send(k_lock);
  if (transaction->ask(k_add, values.integer(static_cast<std::int64_t>(k_api_keys_max))).affected() == 0) return false;
  version_seen_ = k_none_seen;
  commit_registry_change(*database_, *transaction);
  return true;
}

bool Registry::revoke(std::string_view id, Millis at) {
  const auto transaction = database_->begin();
  if (transaction->ask(k_revoke, Values().text(id).integer(at)).affected() == 0) return false;
  version_seen_ = k_none_seen;
  commit_registry_change(*database_, *transaction);
  return true;
}

SessionSecret Registry::session_secret() {
  const Result row = database_->query(k_secret);
  SessionSecret secret;
  const bool is_there = row.rows() == 1 && readable([&] { return read_bytes(row.text(0, 0), secret); }).value_or(false);
  if (!is_there) refuse_damaged(*database_, "the secret that signs sessions is missing");
  return secret;
}

}  // namespace holdfast
