// Migrating a database to the schema of this program, and checking that a server is fit for a ledger.
#include <charconv>
#include <string_view>
#include <thread>

#include "ledger/data_error.h"
#include "ledger/postgres/schema.h"
#include "ledger/postgres/schema_sql.h"

namespace holdfast::pg {
namespace {

constexpr int k_server_version_min = 13'00'00;
constexpr std::string_view k_dependent_objects = "2BP01";
constexpr std::chrono::minutes k_patience{5};   // for another node that migrates, and for a version's script
// Short, because all writers of a table queue behind a session that waits for a lock on it. Longer than deadlock_timeout, after which the
// server cancels an autovacuum that blocks others.
constexpr const char* k_wait_shortly = "SET LOCAL lock_timeout = '1500ms'; ";
constexpr std::chrono::seconds k_pause{2};   // so that queued writers can continue

constexpr Statement k_facts{
    "server_facts",
    "SELECT current_setting('server_version_num')::integer, current_setting('server_version'), current_setting('fsync') = 'on', "
    "current_setting('server_encoding'), coalesce(current_setting('yb_effective_transaction_isolation_level', true), '')"};
constexpr Statement k_has_schema{"has_schema",
                                 "SELECT to_regnamespace('holdfast') IS NOT NULL, to_regclass('holdfast.schema_version') IS NOT NULL"};
// The column compatible_from exists from version 3 on, and may be NULL. Reading it from the row as JSON works without the column too.
constexpr Statement k_version_there{
    "schema_version_there",
    "SELECT version, coalesce((to_jsonb(s) ->> 'compatible_from')::integer, version) FROM holdfast.schema_version s "
    "ORDER BY version DESC LIMIT 1"};
constexpr Statement k_taken{
    "public_names_taken",
    "SELECT relname::text FROM pg_class WHERE relnamespace = to_regnamespace('public') AND relname = ANY ($1::text[]) "
    "ORDER BY relname"};
constexpr Statement k_may_create{"may_create",
                                 "SELECT has_database_privilege(current_database(), 'CREATE'), to_regnamespace('public') IS NOT NULL AND "
                                 "has_schema_privilege(to_regnamespace('public'), 'CREATE'), current_user::text, current_database()::text"};

constexpr Statement k_may_replace_views{
    "may_replace_views",
    "SELECT coalesce(string_agg(DISTINCT pg_get_userbyid(relowner)::text, ', ') FILTER (WHERE NOT pg_has_role(relowner, 'USAGE')), ''), "
    "coalesce(has_schema_privilege(to_regnamespace('holdfast'), 'CREATE'), false), "
    "coalesce(has_schema_privilege(to_regnamespace('public'), 'CREATE'), false), current_user::text FROM pg_class WHERE oid IN "
    "(to_regclass('holdfast.reservation'), to_regclass('holdfast.reservation_row'), to_regclass('holdfast.view_revision'), "
    "to_regclass('public.reservations'), to_regclass('public.tickets_blocked'))"};
// Not to_regclass(): in a transaction that has waited for another one, it may still report that the table does not exist.
#define HOLDFAST_HAS_TABLE(name)                                                                                     \
  "SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace " \
  "WHERE n.nspname = 'holdfast' AND c.relname = '" name "')"
constexpr Statement k_has_revision{"has_view_revision", HOLDFAST_HAS_TABLE("view_revision")};
constexpr Statement k_revision{"view_revision", "SELECT coalesce(max(revision), 0) FROM holdfast.view_revision"};
constexpr Statement k_has_rows{"has_reservation_rows", HOLDFAST_HAS_TABLE("reservation_row")};
// Adds the rows of the next reservations of several seats after ($1, $2), and returns the last of these reservations. Skips rows that a
// trigger has added.
constexpr Statement k_fill{
    "fill_reservation_rows",
    "WITH piece AS MATERIALIZED (SELECT event, created_seq, kind, id, seats FROM holdfast.reservation "
    "WHERE (event, created_seq) > ($1::integer, $2::bigint) AND cardinality(seats) > 1 ORDER BY event, created_seq LIMIT 2000), "
    "added AS (INSERT INTO holdfast.reservation_row (id, event, seat, reservation) "
    "SELECT " HOLDFAST_ROW_ID("r.id", "s.uuid") ", r.event, u.seat, r.id FROM piece r "
    "CROSS JOIN LATERAL unnest(r.seats) u(seat) "
    "CROSS JOIN LATERAL (SELECT uuid FROM holdfast.seat WHERE event = r.event AND seat = u.seat LIMIT 1) s "
    "WHERE r.kind = 0 AND s.uuid IS NOT NULL ON CONFLICT DO NOTHING) "
    "SELECT event, created_seq FROM piece ORDER BY event DESC, created_seq DESC LIMIT 1"};

// A number that no other program is likely to lock in the same database: "holdfast" in ASCII.
constexpr const char* k_begin_alone = "BEGIN; SELECT pg_catalog.pg_advisory_xact_lock(7525078929098667892)";

SchemaState state_of(Connection& connection) {
  const Result there = connection.query(k_has_schema);
  if (!there.boolean(0, 0)) return {};
  if (!there.boolean(0, 1)) {
    throw DataError(
        "the database has a schema `holdfast` of another program: it has no table schema_version. Nothing was changed. Rename that schema, "
        "or give Holdfast a database of its own.");
  }
  const Result row = connection.query(k_version_there);
  return row.rows() == 0 ? SchemaState{} : SchemaState{.version = row.int4(0, 0), .compatible_from = row.int4(0, 1)};
}

// Whether the schema is later than `version` and a program of `version` can work on it. Throws if the schema is later and the program
// cannot.
bool is_later(const SchemaState& schema, int version) {
  if (schema.version <= version) return false;
  if (schema.compatible_from <= version) return true;
  throw DataError(
      "the schema of the database has version " + std::to_string(schema.version) + ", which needs a program of schema version " +
      std::to_string(schema.compatible_from) + " or later; this program has " + std::to_string(version) +
      ". Nothing was changed, and nodes of later programs continue. Use the program that migrated the database, or a later one. To "
      "return to this one, restore a backup from before the migration.");
}

void check_rights(Connection& connection) {
  const Result may = connection.query(k_may_create);
  const std::string role(may.text(0, 2));
  if (!may.boolean(0, 0)) {
    throw DataError("the role " + role + " may not create a schema in the database " + std::string(may.text(0, 3)) +
                    ". Nothing was changed. As its owner: GRANT CREATE ON DATABASE " + std::string(may.text(0, 3)) + " TO " + role);
  }
  if (!may.boolean(0, 1)) {
    throw DataError("the role " + role +
                    " may not create views in the schema public, where other programs look for Reservations, tickets and tickets_blocked. "
                    "Nothing was changed. As the database's owner: GRANT USAGE, CREATE ON SCHEMA public TO " +
                    role);
  }
}

void check_room(Connection& connection) {
  check_rights(connection);
  std::vector<std::string> names(std::begin(k_public_names), std::end(k_public_names));
  const Result taken = connection.query(k_taken, Parameters().texts(std::span<const std::string>(names)));
  if (taken.rows() == 0) return;
  std::string list;
  for (int row = 0; row < taken.rows(); ++row) list.append(row > 0 ? ", " : "").append("public.").append(taken.text(row, 0));
  throw DataError(
      "the database has " + list +
      " already, where Holdfast creates views for other programs. Nothing was changed. Move the existing objects (ALTER TABLE … SET "
      "SCHEMA …, or RENAME), or give Holdfast a database of its own, and migrate again.");
}

Settings for_scripts(const Settings& settings) {
  Settings patient = settings;
  patient.statement_timeout = patient.lock_timeout = k_patience;
  patient.deadline = k_patience + std::chrono::seconds(5);
  patient.idle_in_transaction = std::chrono::seconds(30);
  patient.durable = true;
  return patient;
}

// The numbers before and after the first dot.
std::pair<int, int> numbers_of(std::string_view text) {
  std::pair<int, int> numbers{0, 0};
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, numbers.first);
  if (first.ec == std::errc{} && first.ptr != end && *first.ptr == '.') std::from_chars(first.ptr + 1, end, numbers.second);
  return numbers;
}

}   // namespace

std::string unfitness_of(const ServerFacts& facts) {
  if (facts.version_number < k_server_version_min) {
    return "the server is PostgreSQL " + facts.version + "; Holdfast needs 13 or later.";
  }
  if (!facts.fsync) {
    return "the server runs with fsync=off, so a power failure can lose committed transactions. Holdfast must not lose what it has "
           "answered, so it does not start. Set fsync=on and restart PostgreSQL.";
  }
  if (facts.encoding != "UTF8") {
    return "the database has the encoding " + facts.encoding +
           "; Holdfast needs UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.";
  }
  // YugabyteDB reports a version like 15.2-YB-2025.2.0.0-b0. Before 2025.2 it runs READ COMMITTED as REPEATABLE READ unless configured
  // otherwise. Then a writer that has waited for an event's row would judge by the state before its wait.
  const std::size_t yugabyte = facts.version.find("-YB-");
  const bool honours_it = facts.effective_isolation.empty() || facts.effective_isolation == "read committed";
  const bool is_old = yugabyte != std::string::npos && facts.effective_isolation.empty() &&
                      numbers_of(std::string_view(facts.version).substr(yugabyte + 4)) < std::pair{2025, 2};
  if (!honours_it || is_old) {
    return "the server does not honour READ COMMITTED (" + facts.version +
           "): YugabyteDB before 2025.2 needs yb_enable_read_committed_isolation=true on its tablet servers.";
  }
  return {};
}

namespace {

void check_fitness(Connection& connection) {
  const auto results = connection.round_trip({{k_begin}, {k_facts}, {k_commit}});
  const Result& facts = results[1];
  const std::string unfit = unfitness_of({.version_number = facts.int4(0, 0),
                                          .version = std::string(facts.text(0, 1)),
                                          .fsync = facts.boolean(0, 2),
                                          .encoding = std::string(facts.text(0, 3)),
                                          .effective_isolation = std::string(facts.text(0, 4))});
  if (!unfit.empty()) throw DataError(unfit);
}

}   // namespace

void check_server(Connection& connection) {
  check_fitness(connection);
  check_schema(connection);
}

void check_schema(Connection& connection, int version) {
  const SchemaState schema = state_of(connection);
  if (is_later(schema, version) || schema.version == version) return;
  const std::string has =
      schema.version == 0 ? "has no schema of Holdfast yet" : "has version " + std::to_string(schema.version) + " of Holdfast's schema";
  throw DataError("the database " + has + "; this version of Holdfast needs version " + std::to_string(version) +
                  ". Run `holdfast migrate --ledger URL` once, from any node.");
}

namespace {

// Versions 1 and 2 do not add the column compatible_from, because their programs do not know it.
void record(Connection& connection, int version, int compatible_from) {
  const std::string number = std::to_string(version);
  if (version <= 2) {
    connection.run_script("INSERT INTO holdfast.schema_version (version) VALUES (" + number + ")");
    return;
  }
  connection.run_script(
      "ALTER TABLE holdfast.schema_version ADD COLUMN IF NOT EXISTS compatible_from integer; "
      "INSERT INTO holdfast.schema_version (version, compatible_from) VALUES (" +
      number + ", " + std::to_string(compatible_from) + ")");
}

void run_step(Connection& connection, const SchemaStep& step, int version) {
  try {
    for (const char* script : step.scripts) connection.run_script(script);
  } catch (const Error& error) {
    if (!error.is(k_dependent_objects)) throw;
    throw DataError(
        "version " + std::to_string(version) +
        " of the schema removes a table on which views or other objects depend that are not Holdfast's. Nothing was changed. Note their "
        "definitions (pg_get_viewdef) and grants, drop them, migrate, and create them again on the new tables (docs/postgresql.md). The "
        "server names them: " +
        error.what());
  }
}

int revision_of_views(Connection& connection) {
  return connection.query(k_has_revision).boolean(0, 0) ? connection.query(k_revision).int4(0, 0) : 0;
}

// Each piece is a transaction of its own. Writers of reservations do not wait for it, and after an interruption the next call continues.
void fill_reservation_rows(Connection& connection) {
  EventNumber event = 0;
  for (Seq seq = 0;;) {
    connection.run_script(k_begin_alone);
    const Result last = connection.query(k_fill, Parameters().event(event).seq(seq));
    connection.run_script("COMMIT");
    if (last.rows() == 0) break;
    event = last.event(0, 0);
    seq = last.seq(0, 1);
  }
  connection.run_script("ANALYZE holdfast.reservation_row");
}

// Runs `script` in a transaction of its own, alone among migrating nodes, if `is_needed` still says so. The script takes locks: it waits
// for them shortly and tries again, so that readers and writers can continue between. False: it was not needed.
template <typename IsNeeded>
bool run_between_others(Connection& connection, const std::string& script, IsNeeded is_needed) {
  const auto end = std::chrono::steady_clock::now() + k_patience;
  for (;;) {
    connection.run_script(k_begin_alone);
    const bool is = is_needed();
    try {
      if (is) connection.run_script(k_wait_shortly + script);
      connection.run_script("COMMIT");
      return is;
    } catch (const Error& error) {
      if (!error.is(k_lock_not_available)) throw;
      connection.run_script("ROLLBACK");
      if (std::chrono::steady_clock::now() + k_pause >= end) {
        throw DataError("the views for other programs could not be replaced: for " + std::to_string(k_patience.count()) +
                        " minutes another transaction has locked their tables (" + error.what() +
                        "). The schema is complete for nodes, and the views work as before. Look in pg_stat_activity for the oldest "
                        "xact_start, and run `holdfast migrate` again.");
      }
    }
    std::this_thread::sleep_for(k_pause);
  }
}

// Why the role may not replace the views. Empty if it may.
std::string lack_of_rights_to_views(Connection& connection) {
  const Result may = connection.query(k_may_replace_views);
  const std::string role = "the role " + std::string(may.text(0, 3));
  const std::string owners(may.text(0, 0));
  if (!owners.empty()) return role + " does not own them and their tables; " + owners + " does";
  for (const auto& [column, schema] : {std::pair(1, "holdfast"), std::pair(2, "public")}) {
    if (!may.boolean(0, column)) return role + " may not create in the schema " + schema;
  }
  return {};
}

// Replaces the views if they have an earlier revision. Nodes do not need the views, so a role that may not replace them is not a failure.
void bring_views(Connection& connection, Migration& migration) {
  const auto is_behind = [&] { return revision_of_views(connection) < k_views_revision; };
  if (!is_behind()) return;
  migration.views_left = lack_of_rights_to_views(connection);
  if (!migration.views_left.empty()) return;
  run_between_others(connection, k_reservation_rows, [&] { return !connection.query(k_has_rows).boolean(0, 0); });
  fill_reservation_rows(connection);
  const std::string revision = std::to_string(k_views_revision);
  const std::string record_revision =
      "INSERT INTO holdfast.view_revision (revision) VALUES (" + revision + ") ON CONFLICT (one) DO UPDATE SET revision = " + revision;
  migration.views = run_between_others(connection, k_views_3 + record_revision, is_behind);
}

}   // namespace

Migration migrate(const Settings& settings) { return migrate(settings, schema_steps()); }

Migration migrate(const Settings& settings, std::span<const SchemaStep> steps) {
  const int newest = static_cast<int>(steps.size());
  Connection connection(for_scripts(settings));
  check_fitness(connection);
  const SchemaState found = state_of(connection);
  Migration migration{.from = found.version, .to = is_later(found, newest) ? found.version : newest};
  for (int version = found.version + 1; version <= newest; ++version) {
    connection.run_script(k_begin_alone);
    const SchemaState there = state_of(connection);   // another node may have migrated meanwhile
    if (there.version >= version) {
      if (is_later(there, newest)) migration.to = there.version;
      connection.run_script("COMMIT");
      migration.from = there.version;
      continue;
    }
    const SchemaStep& step = steps[static_cast<std::size_t>(version - 1)];
    if (version == 1) check_room(connection);
    run_step(connection, step, version);
    record(connection, version, step.is_additive ? there.compatible_from : version);
    connection.run_script("COMMIT");
  }
  if (migration.to == newest) bring_views(connection, migration);   // a later program has its own views
  return migration;
}

}   // namespace holdfast::pg
