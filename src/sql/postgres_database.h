// PostgreSQL behind the interface of database.h: each query and each transaction takes a connection of a pool.
#pragma once

#include "sql/database.h"
#include "sql/postgres_pool.h"

namespace holdfast::sql {

class PostgresDatabase final : public Database {
 public:
  // `pool` must outlive it; a pool that the ledger's batches do not wait for.
  explicit PostgresDatabase(pg::Pool& pool) : pool_(pool) {}

  Result query(const Statement& statement, const Values& values = {}) override;
  std::unique_ptr<Transaction> begin() override;
  std::string place() const override { return pg::without_password(pool_.settings().url); }
  sqlite::Database* file() override { return nullptr; }

 private:
  pg::Pool& pool_;
};

}  // namespace holdfast::sql
