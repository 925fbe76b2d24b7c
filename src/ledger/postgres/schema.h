// The schema of the PostgreSQL ledger: its versions, in order, and bringing a database to the newest; and what a server must be
// like.
//
//   pg::migrate({.url = "postgresql://…"});      // `holdfast migrate`, and tests
//   pg::check_server(connection);                // at the start of a node
#pragma once

#include <string>

#include "ledger/postgres/connection.h"

namespace holdfast::pg {

inline constexpr int k_schema_version = 2;

struct Migration {
  int from = 0;   // 0: there was no schema
  int to = 0;
};

// Brings the database to k_schema_version, one transaction a version, never back. Safe to run from several nodes at once: they
// wait for each other. Throws Error; DataError, with what to do, when the server is not fit, the database is of a later version
// than this program, the role may not, or what would be made is there already as something else. Then nothing was changed.
Migration migrate(const Settings& settings);

// Throws DataError, which says what to do, unless the schema is there in this program's version and the server is one that a
// ledger can rest on: version 13 or later, fsync on, UTF-8, READ COMMITTED honoured.
void check_server(Connection& connection);

// What a server says of itself.
struct ServerFacts {
  int version_number = 0;            // 150012
  std::string version{};             // 15.12, or 15.2-YB-2024.2.1.0-b0
  bool fsync = true;
  std::string encoding = "UTF8";
  std::string effective_isolation{};   // of a READ COMMITTED transaction, where the server says so (YugabyteDB); else empty
};
// Why a ledger cannot rest on such a server; empty when it can.
std::string unfitness_of(const ServerFacts& facts);

}  // namespace holdfast::pg
