// The schema of the PostgreSQL ledger: its versions, in order, and bringing a database to the newest; and what a server must be
// like.
//
//   pg::migrate({.url = "postgresql://…"});      // `holdfast migrate`, and tests
//   pg::check_server(connection);                // at the start of a node
//
// A program works on its own version of the schema, and on later ones that have only added to it (decision 56).
#pragma once

#include <span>
#include <string>

#include "sql/postgres_connection.h"

namespace holdfast::pg {

struct SchemaStep;

inline constexpr int k_schema_version = 2;

// What a database says of its schema.
struct SchemaState {
  int version = 0;           // 0: there is no schema
  int compatible_from = 0;   // the oldest version whose programs can work on it; not later than `version`
};

struct Migration {
  int from = 0;   // 0: there was no schema
  int to = 0;     // later than the newest step: a later program migrated the database, and it was left alone
  bool views = false;   // views for other programs were made or replaced
  std::string views_left{};   // why the role may not replace those of an earlier revision, which stay; empty: none stay
};

// Brings the database to k_schema_version, one transaction a version, and then its views to their newest revision, never back. Safe to run
// from several nodes at once, which wait for each other, and beside nodes that sell: while it waits for a lock on what they write, they wait
// 1.5 s at most. The views of others it leaves, and says so. A database of a later version that this program can work on is left alone. Throws
// Error; DataError, with what to do, when the server is not fit, this program cannot work on the database's later version, the role may not make the schema, or what would be
// made is there already as something else: then nothing was changed. DataError too when views could not be replaced for 5 minutes, because
// somebody kept a lock: then the versions are there.
Migration migrate(const Settings& settings);
// The same with other steps, for tests: the last one is the newest version.
Migration migrate(const Settings& settings, std::span<const SchemaStep> steps);

// Throws DataError, which says what to do, unless this program can work on the schema and the server is one that a
// ledger can rest on: version 13 or later, fsync on, UTF-8, READ COMMITTED honoured.
void check_server(Connection& connection);
// Only the schema. `version`: of the program; tests pass others.
void check_schema(Connection& connection, int version = k_schema_version);

// What a server says of itself.
struct ServerFacts {
  int version_number = 0;   // 150012
  std::string version{};   // 15.12, or 15.2-YB-2024.2.1.0-b0
  bool fsync = true;
  std::string encoding = "UTF8";
  std::string effective_isolation{};   // of a READ COMMITTED transaction, where the server says so (YugabyteDB); else empty
};
// Why a ledger cannot rest on such a server; empty when it can.
std::string unfitness_of(const ServerFacts& facts);

}   // namespace holdfast::pg
