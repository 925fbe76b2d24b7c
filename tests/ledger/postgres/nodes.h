// Several nodes over one new database, for tests of their effects on each other and of failures.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "ledger/ledger_in_test.h"
#include "ledger/postgres/postgres_ledger.h"
#include "ledger/postgres/schema.h"
#include "support/services.h"
#include "support/sql.h"

namespace holdfast::test {

class PostgresNodes : public testing::Test {
 protected:
  static constexpr std::size_t k_seats = 200;

  void SetUp() override {
    pg::migrate({.url = database_.url()});
    first_ = node();
    second_ = node();
  }

  std::unique_ptr<PostgresLedger> node(PostgresOptions options = {}) {
    if (options.url.empty()) options.url = database_.url();
    return std::make_unique<PostgresLedger>(std::move(options));
  }
  // By the first node.
  EventNumber create_event(std::size_t seats = k_seats) {
    const Uuid id = uuid_of(++last_event_);
    const EventNumber number = Desk(*first_).create_event(id, plan_of(id, seats));
    EXPECT_NE(number, 0u);
    return number;
  }

  static bool bring(PostgresLedger& ledger, EventNumber event) { return ledger.bring({.event = event, .as_of_now = true}); }
  static bool shows(const PostgresLedger& ledger, EventNumber event, SeatIndex seat, SeatState state) {
    const auto published = ledger.event(event);
    return published != nullptr && published->seat(seat, ledger.now()).state == state;
  }

  std::string of_event(const std::string& statement, EventNumber event) {
    return Sql(database_.url()).value(statement, {std::to_string(event)});
  }
  // Runs an INSERT, UPDATE or DELETE with the event as $1, as another program would.
  void by_hand(const std::string& statement, EventNumber event) {
    of_event("with done as (" + statement + " returning 1) select count(*) from done", event);
  }
  // Runs an administrator's statement on a connection of its own.
  void run(const std::string& statements) { Sql(database_.url()).run(statements); }
  std::string head(EventNumber event) {
    return of_event("select max(first_seq + changes - 1) from holdfast.journal where event = $1", event);
  }
  bool has_in_tables(EventNumber event, const std::string& seq) {
    return of_event("select coalesce(max(seq), 0) from holdfast.step where event = $1", event) == seq;
  }

  // A failover takes back rows in tables and journal alike: here the journal's last row, and the event's tables start over. All
  // at once, because nodes are running.
  void take_back_last_row(EventNumber event) {
    take_back(event, "first_seq = (select max(first_seq) from holdfast.journal where event = " + std::to_string(event) + ")");
  }
  // Removes the event as if it had never existed.
  void take_back_event(EventNumber event) {
    const std::string number = std::to_string(event);
    take_back(event, "true; delete from holdfast.event where number = " + number + "; delete from holdfast.event_directory where event = " +
                         number + "; delete from holdfast.seat_directory where event = " + number);
  }

  void take_back(EventNumber event, const std::string& rows) {
    const std::string number = std::to_string(event);
    std::string statements = "begin; select from holdfast.event_state where event = " + number + " for update;";
    for (const char* table : {"step", "event_state", "seat", "plan_part", "reservation", "seat_change", "kept_keys", "change_order"}) {
      statements += std::string("delete from holdfast.") + table + " where event = " + number + ";";
    }
    run(statements + "delete from holdfast.journal where event = " + number + " and " + rows + "; commit");
  }

  // Whether the event's journal begins at change 1 and has no gap and no change twice.
  void expect_no_gaps(EventNumber event) {
    EXPECT_EQ(of_event("select count(*) from (select first_seq, lag(first_seq + changes, 1, 1::bigint) over (order by first_seq, ordinal) "
                       "as due from holdfast.journal where event = $1) j where first_seq <> due",
                       event),
              "0");
  }

  PostgresDatabase database_;
  std::unique_ptr<PostgresLedger> first_;
  std::unique_ptr<PostgresLedger> second_;
  std::uint64_t last_event_ = 0;
};

}   // namespace holdfast::test
