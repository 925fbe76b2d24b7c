// The subcommands. Each returns the process's exit status: 0 done, 1 failed, 2 wrong usage, 3 the event exists already.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/options.h"
#include "core/ids.h"

namespace holdfast::cli {

struct ImportOptions {
  std::string data;     // either this,
  std::string server;   // or this
  std::string name;
  std::string id;
  bool keep_ids = false;
  std::string plan;
};

// Where a ledger is, and the keys with it: at most one of the two is not empty.
struct LedgerPlace {
  std::string data;     // folder of an embedded ledger
  std::string ledger;   // URL of a PostgreSQL ledger
};

struct NewKeyOptions {
  std::string name;
  std::string scopes;                         // "read,hold"
  std::optional<std::int64_t> expires_days;   // nothing: never
};

// Throws UsageError, which does not repeat it (it may have a password), unless it is a URL of PostgreSQL.
void check_ledger_url(const std::string& url);

int serve(const ServeOptions& options);
int import_plan(const ImportOptions& options);
int backup_data(const std::string& data, const std::string& file);
int restore_data(const std::string& data, const std::string& file);
int rebuild_tables(const std::string& data);
int verify_data(const std::string& data);
int accept_loss_of(const std::string& data);
int migrate_ledger(const std::string& url);
// All events, or only one.
int verify_ledger(const std::string& url, std::optional<EventNumber> only);
int rebuild_ledger_tables(const std::string& url, EventNumber event);
int create_key(const LedgerPlace& place, const NewKeyOptions& options);
int list_keys(const LedgerPlace& place);
int accept_keys(const std::string& data);
int revoke_key(const LedgerPlace& place, const std::string& id);

}  // namespace holdfast::cli
