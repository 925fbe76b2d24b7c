// The schema of the PostgreSQL ledger: migrating a database to the newest version, and checking that a server is fit for a ledger.
//
//   pg::migrate({.url = "postgresql://…"});      // `holdfast migrate`, and tests
//   pg::check_server(connection);                // at the start of a node
//
// A program works on its own version of the schema, and on later versions that have only added to it (decision 56). Functions of one
// thread.
#pragma once

#include <span>
#include <string>

#include "sql/postgres_connection.h"

namespace holdfast::pg {

struct SchemaStep;

inline constexpr int k_schema_version = 2;

// The version of a database's schema.
struct SchemaState {
  int version = 0;           // 0: no schema
  int compatible_from = 0;   // the oldest version whose programs can work on it; at most `version`
};

struct Migration {
  int from = 0;   // 0: there was no schema
  int to = 0;     // if later than the newest step: a later program had migrated the database, which was left alone
  bool views = false;   // views for other programs were created or replaced
  std::string views_left{};   // why the views of an earlier revision stay: the role may not replace them. Empty: none stay
};

// Migrates the database to k_schema_version, one transaction per version, and then its views to their newest revision. Never goes back.
// Leaves alone a database of a later version that this program can work on.
//
// Safe to run from several nodes at once, which wait for each other, and while nodes sell: they wait at most 1.5 s for a lock of the
// migration. Views that the role may not replace stay; Migration says so.
//
// Throws Error. Throws DataError, with the remedy, if the server is not fit, the schema's version is too new for this program, the role
// may not create the schema, or a name is taken: then nothing was changed. Also if views could not be replaced for 5 minutes because of
// another transaction's lock: then the versions are complete.
Migration migrate(const Settings& settings);
// The same with other steps, for tests. The last step is the newest version.
Migration migrate(const Settings& settings, std::span<const SchemaStep> steps);

// Throws DataError, with the remedy, if this program cannot work on the schema, or the server is not fit for a ledger. A fit server has
// version 13 or later, fsync on, UTF-8, and honours READ COMMITTED.
void check_server(Connection& connection);
// Checks only the schema. `version` is the program's; tests pass others.
void check_schema(Connection& connection, int version = k_schema_version);

// Settings of a server.
struct ServerFacts {
  int version_number = 0;   // 150012
  std::string version{};   // 15.12, or 15.2-YB-2024.2.1.0-b0
  bool fsync = true;
  std::string encoding = "UTF8";
  std::string effective_isolation{};   // of a READ COMMITTED transaction, if the server reports it (YugabyteDB); otherwise empty
};
// Why such a server is not fit for a ledger. Empty if it is fit.
std::string unfitness_of(const ServerFacts& facts);

}   // namespace holdfast::pg
