// The registry of a ledger in PostgreSQL: tables that all nodes share. What one node, or `holdfast keys --ledger`, writes, every
// node sees when it next asks has_changed().
//
//   pg::Pool pool(settings, {.connections_max = 1});
//   PostgresRegistry registry(pool);
//   for (const ApiKey& key : registry.keys()) …
//
// Beside pg::Error its calls throw DataError: the schema is not there, or a row cannot be read.
#pragma once

#include "access/registry.h"
#include "sql/postgres_pool.h"

namespace holdfast {

class PostgresRegistry final : public Registry {
 public:
  // Makes the secret that signs sessions when there is none; several nodes may do so at once. `pool` must outlive it.
  explicit PostgresRegistry(pg::Pool& pool);

  std::vector<ApiKey> keys() override;
  bool has_changed() override;   // one row by its key, one round trip
  bool add(const ApiKey& key) override;
  bool revoke(std::string_view id, Millis at) override;
  SessionSecret session_secret() override;

 private:
  static constexpr std::int64_t k_none_seen = -1;

  template <typename Ask>
  auto asked(Ask ask) -> decltype(ask(std::declval<pg::Connection&>()));
  [[noreturn]] void damaged(const std::string& what) const;

  pg::Pool& pool_;
  std::int64_t version_seen_ = k_none_seen;   // of api_key_version, as of the last keys()
};

}  // namespace holdfast
