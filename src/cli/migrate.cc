// `holdfast migrate`: the schema of the PostgreSQL ledger.
#include <cstdio>

#include "cli/commands.h"
#include "ledger/postgres/schema.h"

namespace holdfast::cli {

void check_ledger_url(const std::string& url) {
  if (url.starts_with("postgresql://") || url.starts_with("postgres://")) return;
  throw UsageError("--ledger must be a URL of PostgreSQL, such as postgresql://user@host/database");
}

int migrate_ledger(const std::string& url) {
  check_ledger_url(url);
  const pg::Migration done = pg::migrate({.url = url, .application = "holdfast migrate"});
  const std::string shown = pg::without_password(url);
  if (!done.views_left.empty()) {
    std::fprintf(stderr,
                 "warning: the views Reservations and tickets_blocked of %s stay at an earlier revision: %s. Nodes do not need them. To "
                 "replace them, run `holdfast migrate` once as their owner.\n",
                 shown.c_str(), done.views_left.c_str());
  }
  if (done.to > pg::k_schema_version) {
    std::printf("the schema of %s has version %d, later than this program's version %d but compatible with it; nothing was changed\n",
                shown.c_str(), done.to, pg::k_schema_version);
  } else if (done.from == done.to && done.views) {
    std::printf("the schema of %s has version %d already; its views for other programs were replaced\n", shown.c_str(), done.to);
  } else if (done.from == done.to) {
    std::printf("the schema of %s has version %d already; nothing was changed\n", shown.c_str(), done.to);
  } else if (done.from == 0) {
    std::printf("the schema of %s was created, in version %d\n", shown.c_str(), done.to);
  } else {
    std::printf("the schema of %s was upgraded from version %d to %d\n", shown.c_str(), done.from, done.to);
  }
  return 0;
}

}  // namespace holdfast::cli
