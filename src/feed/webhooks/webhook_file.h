// Webhooks' tables in registry.db, beside the journal of an embedded ledger: what WebhookStore (store.h) keeps.
//
//   webhook_endpoint (id, url, kinds, secret, …, position, …)
//   webhook_message  (number, endpoint, id, kind, grp, attempts, next_at, body, last_error, died_at)
//
// The file has mode 0600, because signing needs the secrets as they are. The registry has its tables in it, too (access/registry_file.h).
#pragma once

#include <memory>
#include <string>

#include "ledger/journal_row.h"
#include "sql/sqlite_database.h"

namespace holdfast::feed {

// Opens the file (DataFolder::registry_in), and creates it and the tables if missing. Throws sqlite::Error, or DataError if it cannot be created.
std::unique_ptr<sql::SqliteDatabase> open_webhook_file(const std::string& path);

// The journal ends at row `last` now: endpoints that were further go on from there. Returns their number. Nobody else may work with the
// file.
std::size_t move_webhooks_back(sqlite::Database& webhooks, Position last);

}   // namespace holdfast::feed
