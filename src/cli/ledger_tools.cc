// `holdfast verify` and `rebuild` for a ledger in PostgreSQL.
#include <fmt/format.h>

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
