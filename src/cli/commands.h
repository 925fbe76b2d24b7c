// The subcommands. Each prints its result and returns the exit status: 0 done, 1 failed, 3 the event exists already (import only). Each
// throws UsageError for wrong usage, which main() turns into status 2, and what the ledger throws, which becomes status 1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/options.h"
#include "core/ids.h"

namespace holdfast::cli {

struct ImportOptions {
  std::string data;     // a folder; exactly one of the two is set
  std::string server;   // a URL
  std::string name;
  std::string id;
  bool keep_ids = false;
  std::string plan;
};

// Where a ledger and its API keys are. At most one of the two is set.
struct LedgerPlace {
  std::string data;     // folder of an embedded ledger
  std::string ledger;   // URL of a PostgreSQL ledger
};

struct NewKeyOptions {
  std::string name;
  std::string scopes;                         // "read,hold"
  std::optional<std::int64_t> expires_days;   // nullopt: never
};

// Which rows of a folder's journal to print.
struct JournalRange {
  std::string data;
  std::optional<std::int64_t> from;   // position of the first row; nothing: of dump the oldest, of tail the next one that is written
  std::optional<std::int64_t> to;   // of the last one; nothing: the last that is there
  std::string event;   // id or number of the only event; empty: all
};

// Throws UsageError unless `url` is a URL of PostgreSQL. The error does not repeat the URL, which may contain a password.
void check_ledger_url(const std::string& url);

int serve(const ServeOptions& options);
int import_plan(const ImportOptions& options);
int backup_data(const std::string& data, const std::string& file);
int restore_data(const std::string& data, const std::string& file);
int rebuild_tables(const std::string& data);
int verify_data(const std::string& data);
// Lists what the folder has lost, and changes nothing. Returns 1 if that is anything.
int list_loss_of(const std::string& data);
int accept_loss_of(const std::string& data);
// Returns 1 also if rows are damaged or missing: they are printed as such, and those behind them too.
int dump_journal(const JournalRange& range);
// Prints new rows until the process is ended by a signal. Throws DataError when the journal is replaced.
int tail_journal(const JournalRange& range);
int migrate_ledger(const std::string& url);
// Verifies all events, or only one.
int verify_ledger(const std::string& url, std::optional<EventNumber> only);
int rebuild_ledger_tables(const std::string& url, EventNumber event);
int create_key(const LedgerPlace& place, const NewKeyOptions& options);
int list_keys(const LedgerPlace& place);
int accept_keys(const std::string& data);
int revoke_key(const LedgerPlace& place, const std::string& id);

}  // namespace holdfast::cli
