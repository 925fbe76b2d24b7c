#include "feed/webhooks/webhook_file.h"

#include "ledger/embedded/data_folder.h"

namespace holdfast::feed {
namespace {

constexpr const char* k_sql_create = R"(
  CREATE TABLE IF NOT EXISTS webhook_endpoint (
    ordinal          INTEGER PRIMARY KEY AUTOINCREMENT,
    id               TEXT NOT NULL UNIQUE,
    url              TEXT NOT NULL,
    kinds            INTEGER NOT NULL,
    secret           BLOB NOT NULL,
    previous_secret  BLOB NOT NULL,
    previous_until   INTEGER NOT NULL,
    description      TEXT NOT NULL,
    enabled          INTEGER NOT NULL,
    disabled_because TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    position         TEXT NOT NULL,
    last_success_at  INTEGER NOT NULL DEFAULT 0,
    last_failure_at  INTEGER NOT NULL DEFAULT 0,
    last_error       TEXT NOT NULL DEFAULT '',
    dead_dropped     INTEGER NOT NULL DEFAULT 0,
    made_key         BLOB NOT NULL DEFAULT x'',
    made_request     BLOB NOT NULL DEFAULT x'',
    once_key         BLOB NOT NULL DEFAULT x'',
    once_request     BLOB NOT NULL DEFAULT x''
  ) STRICT;
  CREATE TABLE IF NOT EXISTS webhook_message (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint   TEXT NOT NULL REFERENCES webhook_endpoint (id) ON DELETE CASCADE,
    id         TEXT NOT NULL,
    kind       INTEGER NOT NULL,
    grp        TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    body       TEXT NOT NULL,
    last_error TEXT NOT NULL,
    died_at    INTEGER,
    UNIQUE (endpoint, id)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS webhook_message_due ON webhook_message (endpoint, next_at) WHERE died_at IS NULL;
  CREATE INDEX IF NOT EXISTS webhook_message_group ON webhook_message (endpoint, grp, number) WHERE died_at IS NULL;
  CREATE INDEX IF NOT EXISTS webhook_message_dead ON webhook_message (endpoint, number) WHERE died_at IS NOT NULL;
)";

}  // namespace

std::unique_ptr<sql::SqliteDatabase> open_webhook_file(const std::string& path) {
  create_private_file_if_missing(path);
  auto database = std::make_unique<sql::SqliteDatabase>(path);
  sqlite::Database& webhooks = *database->file();
  webhooks.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
  sqlite::Transaction transaction(webhooks);
  webhooks.execute(k_sql_create);
  transaction.commit();
  return database;
}

// A position is a row, or `row.n`, and n changes of the row after it (row_positions.h): the number in front says which is further.
std::size_t move_webhooks_back(sqlite::Database& webhooks, Position last) {
  const std::string position = std::to_string(last);
  sqlite::Statement(webhooks,
                    "UPDATE webhook_endpoint SET position = ?1 WHERE CAST(position AS INTEGER) > ?2 OR (CAST(position AS INTEGER) = ?2 AND "
                    "position LIKE '%.%')")
      .bind_text(1, position)
      .bind(2, last)
      .run();
  return static_cast<std::size_t>(webhooks.changes());
}

}  // namespace holdfast::feed
