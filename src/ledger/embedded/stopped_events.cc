#include "ledger/embedded/stopped_events.h"

namespace holdfast {
namespace {

constexpr const char* k_sql_has_table = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'stopped_event'";
constexpr const char* k_sql_create =
    "CREATE TABLE IF NOT EXISTS stopped_event (event INTEGER PRIMARY KEY, position INTEGER NOT NULL, why TEXT NOT NULL) STRICT";
constexpr const char* k_sql_load = "SELECT event, position, why FROM stopped_event";
constexpr const char* k_sql_save = "INSERT OR REPLACE INTO stopped_event VALUES (?1, ?2, ?3)";
constexpr const char* k_sql_remove = "DELETE FROM stopped_event WHERE event = ?1";

void set_format(sqlite::Database& state, std::int64_t format) {
  state.execute(("PRAGMA user_version = " + std::to_string(format)).c_str());
}

}  // namespace

StoppedEvents load_stopped_events(sqlite::Database& state) {
  StoppedEvents stopped;
  if (state.query_int(k_sql_has_table) == 0) return stopped;
  sqlite::Statement rows(state, k_sql_load);
  while (rows.step()) {
    stopped[static_cast<EventNumber>(rows.integer(0))] = {.through = rows.integer(1), .why = std::string(rows.text(2))};
  }
  return stopped;
}

void save_stopped_event(sqlite::Database& state, EventNumber event, const StoppedEvent& stopped) {
  state.execute(k_sql_create);
  set_format(state, k_state_format_with_stopped_events);
  sqlite::Statement(state, k_sql_save).bind(1, std::int64_t{event}).bind(2, stopped.through).bind_text(3, stopped.why).run();
}

void remove_stopped_event(sqlite::Database& state, EventNumber event, std::int64_t format_without) {
  sqlite::Statement(state, k_sql_remove).bind(1, std::int64_t{event}).run();
  if (state.query_int("SELECT count(*) FROM stopped_event") > 0) return;
  state.execute("DROP TABLE stopped_event");
  set_format(state, format_without);
}

std::string told_of(const StoppedEvents& stopped, const std::string& state) {
  const auto& [event, first] = *stopped.begin();
  std::string text = "the tables of event " + std::to_string(event);
  if (stopped.size() > 1) text += " and of " + std::to_string(stopped.size() - 1) + " more";
  text += " in " + state + " stand still at journal row " + std::to_string(first.through) + ": " + first.why;
  return text +
         ". The tables of other events follow the journal, and a server that runs goes on selling. If the journal still has its first row, "
         "stop the server and make the tables again with `holdfast rebuild`. Otherwise do not stop it before its sales are read "
         "(GET /v1/changes): neither a rebuild nor a start is possible then, only a backup (holdfast restore)";
}

}  // namespace holdfast
