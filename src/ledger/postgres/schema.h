// The schema of the PostgreSQL ledger: its versions, in order, and bringing a database to the newest.
#pragma once

#include <string>

#include "ledger/postgres/connection.h"

namespace holdfast::pg {

inline constexpr int k_schema_version = 1;

struct Migration {
  int from = 0;   // 0: there was no schema
  int to = 0;
};

// Brings the database to k_schema_version, one transaction a version, never back. Safe to run from several nodes at once: they wait for
// each other. Throws Error, or DataError when the database is of a later version than this program.
Migration migrate(const Settings& settings);

// Throws DataError, which says what to do, unless the schema is there in this program's version and the server is one that a ledger can
// rest on (fsync on, READ COMMITTED, version 13 or later).
void check_server(Connection& connection);

}  // namespace holdfast::pg
