// The past as the PostgreSQL ledger reads it: the same pages from memory and from the database, in order, without gaps.
#include <gtest/gtest.h>

#include <map>

#include "ledger/postgres/journal_in_test.h"
#include "ledger/postgres/projection.h"
#include "ledger/postgres/reading.h"
#include "ledger/postgres/retention.h"
#include "support/sql.h"

namespace holdfast::test {
namespace {

// Two events, with what readers see of them: copies of the writers' inventories, taken when show() is called.
class PostgresReading : public ::testing::Test {
 protected:
  void show() {
    for (JournalInTest* journal : {&first, &second}) {
      shown[journal->number()] =
          std::make_shared<PublishedEvent>(journal->inventory().replica(), std::make_shared<const Plan>(journal->plan()));
      projector.tell(journal->number(), journal->place().seq);
    }
  }
  Uuid hold(JournalInTest& journal, std::vector<SeatIndex> seats, std::string customer, Millis duration = 600'000) {
    const Uuid id = journal.new_id();
    EXPECT_TRUE(journal.does(Hold{.reservation = id, .customer = customer, .seats = seats, .duration = duration}).accepted());
    return id;
  }
  // Every change of an event, page by page.
  std::vector<RecordedChange> all_changes_of(EventNumber event, std::size_t limit) const {
    std::vector<RecordedChange> all;
    for (;;) {
      const auto page = reader.read_changes(event, all.size(), limit, ReadFrom::anywhere);
      EXPECT_TRUE(page.has_value());
      if (!page || page->changes.empty()) return all;
      all.insert(all.end(), page->changes.begin(), page->changes.end());
    }
  }

  PostgresDatabase database;
  pg::Settings settings = migrated(database);
  JournalInTest first{settings, 1, 100, 1};
  JournalInTest second{settings, 2, 100, 2};
  std::map<EventNumber, std::shared_ptr<const PublishedEvent>> shown;
  pg::Pool pool{settings, {.connections_max = 3}};
  pg::Projector projector{{.settings = settings}};
  Millis now = 0;
  pg::Reader reader{pool, projector,
                    [this](EventNumber event) {
                      const auto at = shown.find(event);
                      return at == shown.end() ? nullptr : at->second;
                    },
                    [this] { return now; }, std::chrono::seconds(60)};
};

TEST_F(PostgresReading, AnEventsChangesComeInOrderWithoutGapsAtAnyPageSize) {
  first.play(300);
  show();
  const auto all = all_changes_of(1, 1'000);
  ASSERT_EQ(all.size(), first.place().seq);
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(all[i].seq, i + 1);
    ASSERT_EQ(all[i].event_id, first.id());
  }
  const auto in_small_pages = all_changes_of(1, 7);
  ASSERT_EQ(in_small_pages.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(in_small_pages[i].kind, all[i].kind);
    EXPECT_EQ(in_small_pages[i].seats, all[i].seats);
    EXPECT_EQ(in_small_pages[i].customer, all[i].customer);
  }
}

TEST_F(PostgresReading, AChangeHasItsCustomerItsOrderAndItsSeats) {
  const Uuid id = hold(first, {3, 4}, "anna");
  first.does(Consume{.reservation = id, .order = "order-1"});
  first.does(Return{.reservation = id, .order = "order-1"});
  const Uuid late = hold(first, {5}, "ben", 1'000);
  first.pass(1'000);
  first.does(Sweep{.limit = 10});
  const Seq head = first.place().seq;
  for (const bool is_here : {true, false}) {   // with a replica, and on a node that does not have the event
    show();
    if (!is_here) shown.clear();
    const auto page = reader.read_changes(1, head - 5, 100, ReadFrom::anywhere);
    ASSERT_TRUE(page.has_value());
    ASSERT_EQ(page->changes.size(), 5u);
    const RecordedChange& sold = page->changes[1];
    EXPECT_EQ(sold.kind, ChangeKind::consumed);
    EXPECT_EQ(sold.customer, "anna");
    EXPECT_EQ(sold.order, "order-1");
    EXPECT_EQ(sold.seats, (FewOf<SeatIndex>{3, 4}));
    EXPECT_EQ(page->changes[2].order, "order-1");
    const RecordedChange& expired = page->changes[4];
    EXPECT_EQ(expired.kind, ChangeKind::expired);
    EXPECT_EQ(expired.reservation, late);
    EXPECT_EQ(expired.customer, "ben");
    EXPECT_EQ(expired.seats, (FewOf<SeatIndex>{5}));
    EXPECT_EQ(expired.event_id, first.id());
  }
}

TEST_F(PostgresReading, RecentChangesComeFromMemory) {
  hold(first, {3}, "anna");
  show();
  const Seq head = first.place().seq;
  EXPECT_EQ(reader.read_changes(1, head - 1, 10, ReadFrom::memory).error().kind, ReadProblem::Kind::not_in_memory);
  pg::Connection connection(settings);
  Sql sql(database.url());
  const auto row = [&](Seq seq) {
    constexpr pg::Statement body{"test_body", "SELECT changes, at, body FROM holdfast.journal WHERE event = 1 AND first_seq = $1"};
    const pg::Result found = connection.query(body, pg::Parameters().int8(static_cast<std::int64_t>(seq)));
    JournalRow read{.event = 1, .first_seq = seq, .changes = 1, .at = found.int8(0, 1), .body = found.bytes(0, 2)};
    JournalBody decoded;
    EXPECT_TRUE(decode_body(read, decoded));
    return KeptRow{.event = 1,
                   .first_seq = seq,
                   .changes = static_cast<std::uint32_t>(found.int4(0, 0)),
                   .at = read.at,
                   .bytes = std::string(decoded.changes),
                   .versions = std::string(decoded.versions),
                   .traces = std::string(decoded.traces)};
  };
  reader.remember(row(head));
  const auto page = reader.read_changes(1, head - 1, 10, ReadFrom::memory);
  ASSERT_TRUE(page.has_value());
  ASSERT_EQ(page->changes.size(), 1u);
  EXPECT_EQ(page->changes[0].customer, "anna");
  EXPECT_TRUE(reader.read_changes(1, head, 10, ReadFrom::memory)->changes.empty());
  EXPECT_FALSE(reader.read_changes(1, head - 2, 10, ReadFrom::memory).has_value());
  EXPECT_EQ(reader.read_changes(1, head - 2, 10, ReadFrom::anywhere)->changes.size(), 2u);
}

TEST_F(PostgresReading, AllChangesComeInAnOrderThatKeepsEachEvents) {
  first.play(200);
  second.play(200);
  show();
  std::map<EventNumber, Seq> last;
  std::string cursor(k_cursor_first);
  std::string before;
  std::size_t count = 0;
  const auto follow = [&](std::size_t limit) {
    for (;;) {
      const auto page = reader.read_all_changes(cursor, limit, ReadFrom::anywhere);
      ASSERT_TRUE(page.has_value());
      if (page->changes.empty()) return;
      ASSERT_LE(page->changes.size(), limit);
      for (const RecordedChange& change : page->changes) {
        ASSERT_EQ(change.seq, ++last[change.event]);
        ASSERT_EQ(change.event_id, change.event == 1 ? first.id() : second.id());
        ++count;
      }
      EXPECT_EQ(page->changes.back().cursor, page->next);
      // The cursor of a change in the middle leads to the next one.
      if (page->changes.size() > 2) {
        const auto rest = reader.read_all_changes(page->changes[1].cursor, 1, ReadFrom::anywhere);
        ASSERT_TRUE(rest.has_value());
        EXPECT_EQ(rest->changes.front().seq, page->changes[2].seq);
      }
      before = std::exchange(cursor, page->next);
    }
  };
  follow(37);
  EXPECT_EQ(count, first.place().seq + second.place().seq);
  EXPECT_EQ(reader.read_all_changes(k_cursor_latest, 10, ReadFrom::anywhere)->next, cursor);
  first.play(50);
  second.play(50);
  show();
  follow(1'000);
  EXPECT_EQ(count, first.place().seq + second.place().seq);
}

TEST_F(PostgresReading, ADamagedChangeIsUnreadableAndDoesNotStopTheOthers) {
  first.play(200);
  second.play(200);
  show();
  ASSERT_TRUE(projector.await_order(pg::Projector::Timer::now() + std::chrono::seconds(60)));
  Sql sql(database.url());
  const std::string row =
      "event = 1 AND first_seq = (SELECT first_seq FROM holdfast.journal WHERE event = 1 AND changes > 0 ORDER BY "
      "first_seq OFFSET 20 LIMIT 1) AND changes > 0";
  const Seq from = std::stoull(sql.value("SELECT first_seq FROM holdfast.journal WHERE " + row));
  const Seq end = from + std::stoull(sql.value("SELECT changes FROM holdfast.journal WHERE " + row));
  const auto unreadable = [&](std::size_t limit) {
    std::map<EventNumber, Seq> last;
    std::vector<std::pair<EventNumber, Seq>> found;
    for (std::string cursor(k_cursor_first);;) {
      const auto page = reader.read_all_changes(cursor, limit, ReadFrom::anywhere);
      EXPECT_TRUE(page.has_value());
      if (!page || page->changes.empty()) break;
      for (const RecordedChange& change : page->changes) {
        EXPECT_EQ(change.seq, ++last[change.event]);
        EXPECT_EQ(change.event_id, change.event == 1 ? first.id() : second.id());
        if (change.is_unreadable) found.emplace_back(change.event, change.seq);
      }
      cursor = page->next;
    }
    EXPECT_EQ(last[1], first.place().seq);
    EXPECT_EQ(last[2], second.place().seq);
    return found;
  };
  std::vector<std::pair<EventNumber, Seq>> expected;
  EXPECT_EQ(unreadable(1'000), expected);
  const std::string body = sql.value("SELECT encode(body, 'hex') FROM holdfast.journal WHERE " + row);
  sql.run("UPDATE holdfast.journal SET body = '\\xffffffff' WHERE " + row);
  for (Seq seq = from; seq < end; ++seq) expected.emplace_back(1, seq);
  for (const std::size_t limit : {7U, 1'000U}) EXPECT_EQ(unreadable(limit), expected) << limit;
  EXPECT_EQ(reader.read_changes(1, 0, 10'000, ReadFrom::anywhere)->changes.size(), from - 1) << "up to it";
  EXPECT_FALSE(reader.read_changes(1, from - 1, 10, ReadFrom::anywhere).has_value());
  EXPECT_TRUE(reader.read_changes(1, end - 1, 10, ReadFrom::anywhere).has_value());
  EXPECT_EQ(reader.untold().events, 1u);
  EXPECT_NE(reader.untold().text.find("event 1: "), std::string::npos);
  sql.run("UPDATE holdfast.journal SET body = decode('" + body + "', 'hex') WHERE " + row);
  EXPECT_EQ(unreadable(1'000), decltype(expected){});

  // The row of a reservation is unreadable, and memory has none of them.
  shown.clear();
  const std::string reservation = sql.value("SELECT id FROM holdfast.reservation WHERE event = 2 AND status <> 0 LIMIT 1");
  sql.run("UPDATE holdfast.reservation SET status = 99 WHERE id = '" + reservation + "'");
  const auto of_reservation = unreadable(1'000);
  EXPECT_FALSE(of_reservation.empty());
  for (const auto& [event, seq] : of_reservation) EXPECT_EQ(event, 2u);
  EXPECT_LT(of_reservation.size(), 10u);
}

TEST_F(PostgresReading, ACursorThatWasNeverGivenIsRefused) {
  show();
  for (const char* cursor : {"x", "0", "-1", "1-", "1-0", "999999", "1-999999", "1x"}) {
    const auto page = reader.read_all_changes(cursor, 10, ReadFrom::anywhere);
    ASSERT_FALSE(page.has_value()) << cursor;
    EXPECT_EQ(page.error().kind, ReadProblem::Kind::bad_cursor) << cursor;
  }
  for (const char* cursor : {"x", "1", "1-x", "0-1", "-"}) {
    const auto page = reader.list_reservations({}, cursor, 10);
    ASSERT_FALSE(page.has_value()) << cursor;
    EXPECT_EQ(page.error().kind, ReadProblem::Kind::bad_cursor) << cursor;
  }
}

TEST_F(PostgresReading, RowsRemovedByRetentionAreArchived) {
  first.play(100);
  show();
  ASSERT_TRUE(projector.await_order(pg::Projector::Timer::now() + std::chrono::seconds(60)));
  pg::Connection connection(settings);
  ASSERT_GT(pg::clear_journal(connection, 1, [](EventNumber event) { return event == 1 ? ~Seq{0} : Seq{0}; }), 0u);
  const auto page = reader.read_changes(1, 0, 10, ReadFrom::anywhere);
  ASSERT_FALSE(page.has_value());
  EXPECT_EQ(page.error().kind, ReadProblem::Kind::archived);
  const Seq oldest = page.error().oldest;
  EXPECT_GT(oldest, 1u);
  EXPECT_TRUE(reader.read_changes(1, oldest - 1, 10, ReadFrom::anywhere).has_value());
  const auto all = reader.read_all_changes(k_cursor_first, 10, ReadFrom::anywhere);
  ASSERT_FALSE(all.has_value());
  EXPECT_EQ(all.error().kind, ReadProblem::Kind::archived);
}

TEST_F(PostgresReading, ASeatsHistoryIsComplete) {
  const Uuid id = hold(first, {3}, "anna");
  first.does(Consume{.reservation = id, .order = "order-1"});
  first.does(Return{.reservation = id, .order = "order-1"});
  const std::vector<SeatIndex> seats{3};
  first.does(Block{.seats = seats});
  show();
  const auto history = reader.seat_history({1, 3}, 0, 10);
  ASSERT_TRUE(history.has_value());
  ASSERT_EQ(history->size(), 4u);
  const ChangeKind kinds[] = {ChangeKind::held, ChangeKind::consumed, ChangeKind::returned, ChangeKind::blocked};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ((*history)[i].kind, kinds[i]);
    EXPECT_EQ((*history)[i].version, i + 1);
  }
  EXPECT_EQ((*history)[0].customer, "anna");
  EXPECT_EQ((*history)[0].order, "");
  EXPECT_EQ((*history)[2].order, "order-1");
  EXPECT_FALSE((*history)[3].reservation.has_value());
  EXPECT_EQ(reader.seat_history({1, 3}, 2, 1)->front().version, 3u);
}

TEST_F(PostgresReading, ReservationsAreFoundByOrderInAnyEvent) {
  const Uuid one = hold(first, {3}, "anna");
  const Uuid two = hold(first, {4}, "anna");
  const Uuid other = hold(second, {3}, "berta");
  const Uuid of_both = hold(second, {5}, "anna");
  hold(second, {4}, "carla");
  first.does(Consume{.reservation = one, .order = "order-1"});
  first.does(Consume{.reservation = two, .order = "order-1"});
  first.does(Return{.reservation = one, .order = "order-1"});
  second.does(Consume{.reservation = other, .order = "order-2"});
  second.does(Consume{.reservation = of_both, .order = "order-1"});
  show();
  const std::vector<std::string> orders = {"order-2", "no-order", "order-1", "order-2", ""};
  const auto found = reader.find_orders(orders);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(*found, (std::vector<std::optional<Uuid>>{other, std::nullopt, of_both, other, std::nullopt})) << "of the latest event";
  EXPECT_EQ(reader.find_orders(std::vector<std::string>{"order-3"}), std::vector<std::optional<Uuid>>{std::nullopt});
}

// One event may be too large for one statement's time, and so may a few together.
TEST_F(PostgresReading, ReservationsAreFoundByOrderInEventsTooLargeForOneStatement) {
  std::vector<Uuid> ids;
  constexpr SeatIndex k_sold = 40;
  for (SeatIndex seat = 0; seat < k_sold; ++seat) {
    ids.push_back(hold(first, {seat}, "anna"));
    first.does(Consume{.reservation = ids.back(), .order = "order-" + std::to_string(seat)});
    const Uuid other = hold(second, {seat}, "berta");
    second.does(Consume{.reservation = other, .order = "other-" + std::to_string(seat)});
  }
  show();
  std::vector<std::string> orders;
  for (SeatIndex seat = 0; seat < k_sold; ++seat) orders.push_back("order-" + std::to_string(seat));
  orders.push_back("no-order");
  ASSERT_TRUE(reader.find_orders(orders).has_value()) << "the tables have all of them";
  // From here on each reservation found costs 5 ms, and a statement may take 100.
  Sql sql(database.url());
  sql.run("ALTER TABLE holdfast.reservation RENAME TO quick_reservation");
  sql.run(
      "CREATE FUNCTION holdfast.slowly() RETURNS boolean LANGUAGE plpgsql VOLATILE COST 1000 AS "
      "'BEGIN PERFORM pg_sleep(0.005); RETURN true; END'");
  sql.run("CREATE VIEW holdfast.reservation AS SELECT * FROM holdfast.quick_reservation WHERE holdfast.slowly()");
  pg::Settings hasty = settings;
  hasty.statement_timeout = milliseconds(100);
  pg::Pool slow{hasty, {.connections_max = 1}};
  const pg::Reader hurried{slow, projector, [](EventNumber) { return nullptr; }, [this] { return now; }, std::chrono::seconds(60)};
  const auto found = hurried.find_orders(orders);
  ASSERT_TRUE(found.has_value());
  for (SeatIndex seat = 0; seat < k_sold; ++seat) EXPECT_EQ((*found)[seat], ids[seat]);
  EXPECT_EQ(found->back(), std::nullopt);
}

TEST_F(PostgresReading, ReservationsAreListedByCustomerEventAndStatusInOrderOfCreation) {
  first.play(400);
  second.play(400);
  show();
  now = first.now();
  const auto all_of = [&](const ReservationFilter& filter, std::size_t limit) {
    std::vector<ListedReservation> items;
    std::string cursor;
    do {
      const auto page = reader.list_reservations(filter, cursor, limit);
      EXPECT_TRUE(page.has_value());
      if (!page) return items;
      items.insert(items.end(), page->items.begin(), page->items.end());
      cursor = page->next;
    } while (!cursor.empty());
    return items;
  };
  const auto all = all_of({}, 10);
  EXPECT_EQ(all.size(), first.inventory().reservation_count() + second.inventory().reservation_count());
  std::size_t matching = 0;
  const auto some = std::ranges::find_if(all, [](const ListedReservation& item) {
    return item.event == 2 && item.view.status == ReservationStatus::expired && !item.view.customer.empty();
  });
  ASSERT_NE(some, all.end());
  const ReservationFilter filter{.customer = some->view.customer, .event = 2, .status = ReservationStatus::expired};
  for (const ListedReservation& item : all) {
    const Inventory& inventory = item.event == 1 ? first.inventory() : second.inventory();
    const ReservationView expected = inventory.view(inventory.find(item.view.id), now);
    EXPECT_EQ(item.view.status, expected.status);
    EXPECT_EQ(item.view.customer, expected.customer);
    matching += item.event == 2 && expected.customer == *filter.customer && expected.status == ReservationStatus::expired;
  }
  EXPECT_GT(matching, 0u);
  EXPECT_EQ(all_of(filter, 3).size(), matching);
  // A node that does not have the events applies the clock to the tables.
  shown.clear();
  const auto from_tables = all_of({}, 1'000);
  ASSERT_EQ(from_tables.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(from_tables[i].view.id, all[i].view.id);
    EXPECT_EQ(from_tables[i].view.status, all[i].view.status) << holdfast::to_string(all[i].view.id);
    for (std::size_t seat = 0; seat < all[i].view.seats.size(); ++seat) {
      EXPECT_EQ(from_tables[i].view.seats[seat].owned, all[i].view.seats[seat].owned) << holdfast::to_string(all[i].view.id);
    }
  }
}

}  // namespace
}  // namespace holdfast::test
