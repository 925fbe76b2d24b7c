// `holdfast migrate`, `verify` and `rebuild` for a ledger in PostgreSQL.
#include <fmt/format.h>

#include <cstdio>

#include "cli/commands.h"
#include "ledger/data_error.h"
#include "ledger/postgres/projection.h"
#include "ledger/postgres/schema.h"
#include "ledger/postgres/verify.h"

namespace holdfast::cli {
namespace {

void add(pg::EventVerified& all, pg::EventVerified one) {
  for (std::string& problem : one.problems) all.problems.push_back(std::move(problem));
  all.rows += one.rows;
  all.changes += one.changes;
  all.seats += one.seats;
  all.reservations += one.reservations;
  all.changes_behind += one.changes_behind;
  all.journal_is_whole = all.journal_is_whole && one.journal_is_whole;
  all.views_were_compared = all.views_were_compared && one.views_were_compared;
}

}  // namespace

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

int verify_ledger(const std::string& url, std::optional<EventNumber> only) {
  check_ledger_url(url);
  pg::Connection connection(pg::for_verifying({.url = url}));
  pg::check_server(connection);
  const std::vector<EventNumber> events = only ? std::vector<EventNumber>{*only} : pg::events_to_verify(connection);
  pg::EventVerified all;
  for (const EventNumber event : events) add(all, pg::verify_event(connection, event));
  for (const std::string& problem : all.problems) fmt::print("NOT VERIFIED: {}\n", problem);
  if (!all.problems.empty()) return 1;
  fmt::print("verified: the chains of {} journal rows with {} changes of {} events are unbroken.\n", all.rows, all.changes, events.size());
  if (all.journal_is_whole) {
    fmt::print(
        "verified: a replay from the beginning gives exactly the tables, for each event as of its own change ({} changes are not in\n"
        "          the tables yet): {} seats with state, version and owner, {} reservations. No seat has two owners.\n",
        all.changes_behind, all.seats, all.reservations);
  } else {
    fmt::print(
        "not proved: old rows were removed from the journals of some events, so their tables could not be compared with a replay.\n");
  }
  if (!all.views_were_compared) {
    fmt::print(
        "not proved: whether the view Reservations shows all seats of larger reservations: this role may not read "
        "holdfast.reservation_row (GRANT SELECT).\n");
  }
  return 0;
}

int rebuild_ledger_tables(const std::string& url, EventNumber event) {
  check_ledger_url(url);
  pg::Settings settings = pg::for_verifying({.url = url});
  settings.read_write = true;
  settings.application = "holdfast rebuild";
  pg::Connection connection(settings);
  pg::check_server(connection);
  pg::forget_tables(connection, event);
  pg::StepReport report;
  do {
    report = pg::project(connection, event);   // a running node may do some of the work
  } while (report.result != pg::StepReport::Result::up_to_date);
  pg::order_changes(connection, {&event, 1});
  fmt::print("the tables of event {} were rebuilt from {} changes of its journal\n", event, report.place.seq);
  return 0;
}

}  // namespace holdfast::cli
