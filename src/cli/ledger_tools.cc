// `holdfast verify` and `rebuild` for a ledger in PostgreSQL.
#include <cstdio>

#include "cli/commands.h"
#include "ledger/data_error.h"
#include "ledger/postgres/projection.h"
#include "ledger/postgres/schema.h"
#include "ledger/postgres/verify.h"

namespace holdfast::cli {
namespace {

unsigned long long number(std::uint64_t value) { return static_cast<unsigned long long>(value); }

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
  for (const std::string& problem : all.problems) std::printf("NOT VERIFIED: %s\n", problem.c_str());
  if (!all.problems.empty()) return 1;
  std::printf("verified: the chains of %llu journal rows with %llu changes of %zu events are unbroken.\n", number(all.rows),
              number(all.changes), events.size());
  if (all.journal_is_whole) {
    std::printf(
        "verified: a replay from the beginning gives exactly the tables, for each event as of its own change (%llu changes are not in\n"
        "          the tables yet): %llu seats with state, version and owner, %llu reservations. No seat has two owners.\n",
        number(all.changes_behind), number(all.seats), number(all.reservations));
  } else {
    std::printf(
        "not proved: old rows were removed from the journals of some events, so their tables could not be compared with a replay.\n");
  }
  if (!all.views_were_compared) {
    std::printf(
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
  std::uint64_t changes = 0;
  pg::StepReport report;
  do {
    report = pg::project(connection, event);   // a running node may do some of the work
    changes = report.place.seq;
  } while (report.result != pg::StepReport::Result::up_to_date);
  pg::order_changes(connection, {&event, 1});
  std::printf("the tables of event %u were rebuilt from %llu changes of its journal\n", event, number(changes));
  return 0;
}

}  // namespace holdfast::cli
