// Bringing a database to the schema of this program, and judging whether a ledger can rest on a server.
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
constexpr std::chrono::minutes k_patience{5};   // for another node that migrates; and for a version's script
// Everybody who writes to a table queues behind who waits for it: so that is short. It is longer than a server waits before it ends its own
// autovacuum for others (deadlock_timeout).
constexpr const char* k_wait_shortly = "SET LOCAL lock_timeout = '1500ms'; ";
constexpr std::chrono::seconds k_pause{2};   // in which those who queued go on

constexpr Statement k_facts{
    "server_facts",
    "SELECT current_setting('server_version_num')::integer, current_setting('server_version'), current_setting('fsync') = 'on', "
    "current_setting('server_encoding'), coalesce(current_setting('yb_effective_transaction_isolation_level', true), '')"};
constexpr Statement k_has_schema{"has_schema",
                                 "SELECT to_regnamespace('holdfast') IS NOT NULL, to_regclass('holdfast.schema_version') IS NOT NULL"};
// The column compatible_from is there from version 3 on, and may be NULL: a row as JSON can be asked for a column that it does not have.
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
// to_regclass() may remember, within a transaction that has waited for another's, that there was none.
#define HOLDFAST_HAS_TABLE(name)                                                                                     \
  "SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace " \
  "WHERE n.nspname = 'holdfast' AND c.relname = '" name "')"
constexpr Statement k_has_revision{"has_view_revision", HOLDFAST_HAS_TABLE("view_revision")};
constexpr Statement k_revision{"view_revision", "SELECT coalesce(max(revision), 0) FROM holdfast.view_revision"};
constexpr Statement k_has_rows{"has_reservation_rows", HOLDFAST_HAS_TABLE("reservation_row")};
// The rows of the next reservations of several seats after ($1, $2), and the last of these. Rows that a trigger has added are passed over.
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

// Any number that no other program is likely to lock in the same database: "holdfast" in ASCII.
constexpr const char* k_begin_alone = "BEGIN; SELECT pg_catalog.pg_advisory_xact_lock(7525078929098667892)";

SchemaState state_of(Connection& connection) {
  const Result there = connection.query(k_has_schema);
  if (!there.boolean(0, 0)) return {};
  if (!there.boolean(0, 1)) {
    throw DataError(
        "the database has a schema `holdfast` that is not of this program: it has no table schema_version. Nothing was changed. Rename "
        "that schema, or give Holdfast a database of its own.");
  }
  const Result row = connection.query(k_version_there);
  return row.rows() == 0 ? SchemaState{} : SchemaState{.version = row.int4(0, 0), .compatible_from = row.int4(0, 1)};
}

// Whether a program of `version` finds a later schema that it can work on. Throws for one that it cannot.
bool is_later(const SchemaState& schema, int version) {
  if (schema.version <= version) return false;
  if (schema.compatible_from <= version) return true;
  throw DataError("the schema of the database has version " + std::to_string(schema.version) +
                  ", which takes a program of schema version " + std::to_string(schema.compatible_from) + " or later; this one has " +
                  std::to_string(version) +
                  ". Nothing was changed; nodes of later programs go on. Use the program that migrated the database, or a later one. To go "
                  "back to this one, restore a backup from before the migration.");
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
      " already, which Holdfast would make as a view for programs that read it. Nothing was changed, and what is there is not "
      "read. Move it out of the way (ALTER TABLE … SET SCHEMA …, or RENAME), or give Holdfast a database of its own, and migrate "
      "again.");
}

Settings for_scripts(const Settings& settings) {
  Settings patient = settings;
  patient.statement_timeout = patient.lock_timeout = k_patience;
  patient.deadline = k_patience + std::chrono::seconds(5);
  patient.idle_in_transaction = std::chrono::seconds(30);
  patient.durable = true;
  return patient;
}

// The number before a dot, and the one after it.
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
    return "the server runs with fsync=off: what it says is committed can be lost with its power. Holdfast answers for what it "
           "has answered, so it does not start on it. Set fsync=on and restart PostgreSQL.";
  }
  if (facts.encoding != "UTF8") {
    return "the database has the encoding " + facts.encoding +
           "; Holdfast needs UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.";
  }
  // YugabyteDB speaks of itself as 15.2-YB-2025.2.0.0-b0. Before 2025.2 it takes READ COMMITTED for REPEATABLE READ unless it is
  // told otherwise: then a writer that has waited for an event's row would judge by what was there before it waited.
  const std::size_t yugabyte = facts.version.find("-YB-");
  const bool takes_it_as_said = facts.effective_isolation.empty() || facts.effective_isolation == "read committed";
  const bool is_old = yugabyte != std::string::npos && facts.effective_isolation.empty() &&
                      numbers_of(std::string_view(facts.version).substr(yugabyte + 4)) < std::pair{2025, 2};
  if (!takes_it_as_said || is_old) {
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

// Versions 1 and 2 have no column for it, so that programs which know no other still read and write the table.
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
        " of the schema removes a table that views or other objects stand on which are not Holdfast's. Nothing was changed. Note their "
        "definitions (pg_get_viewdef) and who may read them, drop them, migrate, and make them again on what is there then "
        "(docs/postgresql.md). The server names them: " +
        error.what());
  }
}

int revision_of_views(Connection& connection) {
  return connection.query(k_has_revision).boolean(0, 0) ? connection.query(k_revision).int4(0, 0) : 0;
}

// Every piece a transaction of its own: nobody who writes reservations waits for it, and what is interrupted goes on when it is begun again.
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

// Runs `script` in a transaction, if it is needed still when no other node migrates. It takes locks: they are waited for shortly and tried for
// again, so that those who write or read go on between. False: it was not needed.
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
                        " minutes some transaction has kept what they stand on (" + error.what() +
                        "). The schema is as nodes need it, and the views answer as before. Look in pg_stat_activity for the oldest "
                        "xact_start, and run `holdfast migrate` again.");
      }
    }
    std::this_thread::sleep_for(k_pause);
  }
}

// Why the role may not replace them; empty: it may.
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

// Unless they are of the newest revision, or of a later one, already. Nodes do not need them: a role that may not replace them is no failure.
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
    const SchemaState there = state_of(connection);   // another node may have done it meanwhile
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
  if (migration.to == newest) bring_views(connection, migration);   // a later program's views are its own
  return migration;
}

}   // namespace holdfast::pg
