// The past as the embedded ledger reads it: changes by event and over all events, after restarts and retention.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "cli/maintenance.h"
#include "ledger/ledger_in_test.h"
#include "ledger/logged_lines.h"

namespace holdfast::test {
namespace {

using test::told;   // beside those below
using testing::ElementsAre;

std::string told(const RecordedChange& change) {
  std::string text = std::to_string(change.event) + "#" + std::to_string(change.seq) + " " + name_of(change.kind);
  if (!change.customer.empty()) text += " of " + change.customer;
  if (!change.order.empty()) text += " for " + change.order;
  if (!change.seats.empty()) text += " seats";
  for (std::size_t i = 0; i < change.seats.size(); ++i) {
    text += " " + std::to_string(change.seats[i]);
    if (!change.versions.empty()) text += "@" + std::to_string(change.versions.at(i));
  }
  if (change.trace) text += " traced " + std::to_string(change.trace->packed[0]);
  if (change.ends) text += " ends";
  return text;
}

std::vector<std::string> told(const std::vector<RecordedChange>& changes) {
  std::vector<std::string> texts;
  for (const RecordedChange& change : changes) texts.push_back(told(change));
  return texts;
}

// All changes of an event, page by page.
std::vector<RecordedChange> all_changes(const Ledger& ledger, EventNumber event, std::size_t limit, Seq after = 0) {
  std::vector<RecordedChange> all;
  for (;;) {
    const auto page = ledger.read_changes(event, after, limit, ReadFrom::anywhere);
    EXPECT_TRUE(page.has_value());
    if (!page || page->changes.empty()) return all;
    EXPECT_LE(page->changes.size(), limit);
    for (const RecordedChange& change : page->changes) {
      EXPECT_EQ(change.seq, after + 1) << "numbered without gaps";
      after = change.seq;
      all.push_back(change);
    }
  }
}

// All changes of all events, page by page.
std::vector<RecordedChange> whole_journal(const Ledger& ledger, std::size_t limit, std::string cursor = {}) {
  std::vector<RecordedChange> all;
  for (;;) {
    const auto page = ledger.read_all_changes(cursor, limit, ReadFrom::anywhere);
    EXPECT_TRUE(page.has_value());
    if (!page || page->changes.empty()) return all;
    EXPECT_LE(page->changes.size(), limit);
    all.insert(all.end(), page->changes.begin(), page->changes.end());
    cursor = page->next;
  }
}

class ReadingChanges : public testing::Test {
 protected:
  // Every possible step of a reservation, in two events.
  void live() {
    event = it.create_event(20);
    other = it.create_event(10);
    const Uuid a = it.new_id(event);
    it.hold(event, a, {1, 2, 3});
    it.does(event, Add{a, round.keep({4})});
    it.does(event, Extend{a, k_hour / 2});
    it.release(event, a, {2});
    it.hold(other, it.new_id(other), {7}, "berta");
    it.consume(event, a);
    it.give_back(event, a, {3});
    const Uuid b = it.new_id(event);
    it.hold(event, b, {5, 6}, "carl", k_minute);
    time.pass(k_minute);
    it.sweep(event);
    it.consume(event, b, "order-2", true);
    it.block(event, {9});
    const Uuid c = it.new_id(event);
    it.hold(event, c, {10}, "dora");
    it.release(event, c);
  }
  static std::vector<std::string> changes_of_live() {
    return {"1#1 event_created",
            "1#2 seats_appended",
            "1#3 event_configured",
            "1#4 held of anna seats 1@1 2@1 3@1",
            "1#5 seats_added of anna seats 4@1",
            "1#6 extended of anna",
            "1#7 released of anna seats 2@2",
            "1#8 consumed of anna for order-1 seats 1@2 3@2 4@2",
            "1#9 returned of anna for order-1 seats 3@3",
            "1#10 held of carl seats 5@1 6@1",
            "1#11 expired of carl seats 5@2 6@2",
            "1#12 consumed of carl for order-2 seats 5@3 6@3 ends",
            "1#13 blocked seats 9@1",
            "1#14 held of dora seats 10@1",
            "1#15 released of dora seats 10@2 ends"};
  }

  LedgerFolder folder;
  TestTime time;
  LedgerInTest it{folder, time};
  Round round;
  EventNumber event = 0;
  EventNumber other = 0;
};

TEST_F(ReadingChanges, OfAnEventHaveCustomersAndTheChangedSeatsWithVersions) {
  live();
  const auto changes = all_changes(it.ledger(), event, 1'000);
  EXPECT_EQ(told(changes), changes_of_live());
  EXPECT_EQ(changes[4].expires_at, changes[3].expires_at) << "seats are added for as long as the reservation held then";
  EXPECT_GT(changes[5].expires_at, changes[4].expires_at) << "though it was extended later";
  EXPECT_THAT(told(all_changes(it.ledger(), other, 1'000)),
              ElementsAre("2#1 event_created", "2#2 seats_appended", "2#3 event_configured", "2#4 held of berta seats 7@1"));
}

TEST_F(ReadingChanges, AreTheSameFromMemoryFromTheTailAndFromTheIndex) {
  live();
  EXPECT_TRUE(it.ledger().read_changes(event, 0, 100, ReadFrom::memory).has_value());
  it.reopen();   // nothing recent is in memory
  const auto in_memory = it.ledger().read_changes(event, 0, 100, ReadFrom::memory);
  ASSERT_FALSE(in_memory.has_value());
  EXPECT_EQ(in_memory.error().kind, ReadProblem::Kind::not_in_memory);
  EXPECT_EQ(told(all_changes(it.ledger(), event, 1'000)), changes_of_live());
  it.wait_for_tables();
  EXPECT_EQ(told(all_changes(it.ledger(), event, 1'000)), changes_of_live());
  EXPECT_TRUE(it.ledger().read_changes(event, 15, 100, ReadFrom::memory)->changes.empty()) << "up to date: no file is needed";
}

TEST_F(ReadingChanges, HaveTheTraceOfTheRequestThatCausedThem) {
  event = it.create_event(20);
  const auto hold = [&](SeatIndex seat) {
    return Part{event, Hold{.reservation = it.new_id(event), .customer = "anna", .seats = round.keep({seat}), .duration = k_hour}};
  };
  round.add({.parts = {hold(1)}});
  round.add({.parts = {hold(2)}, .trace = TraceParent{.packed = {7}}});
  round.add({.parts = {hold(3)}, .trace = TraceParent{.packed = {8}}});
  round.run(it.ledger());
  for (const bool in_memory : {true, false}) {
    if (!in_memory) it.reopen();
    EXPECT_THAT(told(all_changes(it.ledger(), event, 2, 3)),
                ElementsAre("1#4 held of anna seats 1@1", "1#5 held of anna seats 2@1 traced 7", "1#6 held of anna seats 3@1 traced 8"));
  }
}

// A row as it was written before versions and traces were kept.
TEST_F(ReadingChanges, OfRowsFromBeforeVersionsWereKeptHaveNone) {
  event = it.create_event(20);
  const Uuid a = it.new_id(event);
  it.close();
  {
    std::string changes;
    Writer writer(changes);
    encode_change({.kind = ChangeKind::held, .reservation = a, .expires_at = k_begin + k_hour, .text = "anna", .seats = round.keep({1, 2})},
                  k_begin, writer);
    std::string body;
    Writer body_writer(body);
    body_writer.text(changes);
    body_writer.varint(0);   // keys
    append_row(folder, event, 4, 1, k_begin, body);
  }
  it.reopen();
  it.consume(event, a);
  EXPECT_THAT(told(all_changes(it.ledger(), event, 10, 3)),
              ElementsAre("1#4 held of anna seats 1 2", "1#5 consumed of anna for order-1 seats 1@2 2@2"));
  it.close();
  EXPECT_EQ(verify_folder(folder).problem, "");
}

TEST_F(ReadingChanges, ComeInPagesOfAnySizeWithoutGaps) {
  live();
  for (const std::size_t limit : {1u, 2u, 3u, 7u, 15u, 16u}) EXPECT_EQ(told(all_changes(it.ledger(), event, limit)), changes_of_live());
  it.reopen();
  for (const std::size_t limit : {1u, 2u, 3u, 7u, 15u, 16u}) EXPECT_EQ(told(all_changes(it.ledger(), event, limit)), changes_of_live());
}

TEST_F(ReadingChanges, OfOneBatchCanBeReadInParts) {
  event = it.create_event(50);
  for (int i = 0; i < 10; ++i)
    round.add(event, Hold{.reservation = it.new_id(event), .customer = "anna", .seats = round.keep({SeatIndex(i)}), .duration = k_hour});
  round.run(it.ledger());
  ASSERT_EQ(it.ledger().event(event)->seq(), 13u);
  for (const bool in_memory : {true, false}) {
    if (!in_memory) it.reopen();
    for (const std::size_t limit : {1u, 3u, 4u, 10u}) {
      EXPECT_EQ(all_changes(it.ledger(), event, limit, 6).size(), 7u);
      EXPECT_EQ(whole_journal(it.ledger(), limit).size(), 13u);
    }
  }
}

TEST_F(ReadingChanges, OfAllEventsKeepTheOrderOfEach) {
  live();
  for (const bool in_memory : {true, false}) {
    if (!in_memory) it.reopen();
    for (const std::size_t limit : {1u, 2u, 5u, 100u}) {
      std::map<EventNumber, std::vector<std::string>> by_event;
      for (const RecordedChange& change : whole_journal(it.ledger(), limit)) {
        EXPECT_EQ(change.event_id, it.ledger().event(change.event)->card().id);
        by_event[change.event].push_back(told(change));
      }
      EXPECT_EQ(by_event[event], changes_of_live());
      EXPECT_EQ(by_event[other].size(), 4u);
    }
  }
}

bool has(const StoredRowInTest& row, const RecordedChange& change) {
  const auto seq = static_cast<std::int64_t>(change.seq);
  return change.event == row.event && seq >= row.first_seq && seq < row.first_seq + row.changes;
}

TEST_F(ReadingChanges, OfADamagedRowAreUnreadableAndAllOthersAreComplete) {
  live();
  it.wait_for_tables();
  it.reopen();   // nothing recent is in memory
  const auto whole = whole_journal(it.ledger(), 100);
  StoredJournal journal(folder);
  const Position rows = journal.last_position();
  ASSERT_GT(rows, 15);
  using Row = StoredRowInTest;
  const std::pair<const char*, std::function<void(Row&)>> falsehoods[] = {
      {"the next event", [](Row& row) { ++row.event; }},
      {"an impossible event", [](Row& row) { row.event = -1; }},
      {"other changes", [](Row& row) { ++row.first_seq; }},
      {"more changes", [](Row& row) { ++row.changes; }},
      {"no changes", [](Row& row) { row.changes = 0; }},
      {"another time", [](Row& row) { ++row.at; }},
      {"no body", [](Row& row) { row.body.clear(); }},
      {"another first byte", [](Row& row) { row.body.front() = '\xFF'; }},
      {"another last byte", [](Row& row) { row.body.back() = 'Z'; }},
      {"a hash of zeros", [](Row& row) { row.hash.assign(32, '\0'); }},
      {"no hash", [](Row& row) { row.hash.clear(); }}};
  for (const auto& [name, falsehood] : falsehoods) {
    for (Position position = 1; position <= rows; ++position) {
      SCOPED_TRACE(std::string(name) + " in row " + std::to_string(position));
      const StoredRowInTest row = journal.row(position);
      journal.falsify(position, falsehood);
      for (const std::size_t limit : {1U, 3U, 100U}) {
        const auto told_now = whole_journal(it.ledger(), limit);
        ASSERT_EQ(told_now.size(), whole.size());
        for (std::size_t i = 0; i < whole.size(); ++i) {
          EXPECT_EQ(told_now[i].event_id, whole[i].event_id);
          EXPECT_EQ(told_now[i].seq, whole[i].seq);
          EXPECT_EQ(told_now[i].cursor, whole[i].cursor);
          EXPECT_EQ(told_now[i].is_unreadable, has(row, whole[i]));
          if (!has(row, whole[i])) {
            EXPECT_EQ(told(told_now[i]), told(whole[i]));
          }
        }
      }
      const auto its_event = static_cast<EventNumber>(row.event);
      const auto first = static_cast<Seq>(row.first_seq);
      const auto of_event = it.ledger().read_changes(its_event, first - 1, 10, ReadFrom::anywhere);
      ASSERT_FALSE(of_event.has_value());
      EXPECT_EQ(of_event.error().kind, ReadProblem::Kind::unavailable);
      if (first > 1) {
        EXPECT_EQ(it.ledger().read_changes(its_event, 0, 100, ReadFrom::anywhere)->changes.size(), first - 1) << "up to it";
      }
      EXPECT_THAT(it.ledger().damaged_rows().text(), testing::HasSubstr("row " + std::to_string(position) + ", "));
      journal.put(row);
      EXPECT_EQ(told(whole_journal(it.ledger(), 100)), told(whole)) << "once it is what was written";
      EXPECT_EQ(it.ledger().damaged_rows().text(), "");
    }
  }
}

TEST_F(ReadingChanges, EndBeforeAMissingRow) {
  live();
  it.wait_for_tables();
  it.reopen();
  const auto whole = whole_journal(it.ledger(), 100);
  journal_of(folder).remove(7);
  const auto before = it.ledger().read_all_changes("", 100, ReadFrom::anywhere);
  ASSERT_TRUE(before.has_value());
  ASSERT_FALSE(before->changes.empty());
  EXPECT_EQ(before->next, "7");
  const auto behind = it.ledger().read_all_changes(before->next, 100, ReadFrom::anywhere);
  ASSERT_FALSE(behind.has_value());
  EXPECT_EQ(behind.error().kind, ReadProblem::Kind::unavailable);
  const auto rest = it.ledger().read_all_changes("8", 100, ReadFrom::anywhere);
  ASSERT_TRUE(rest.has_value());
  EXPECT_LT(before->changes.size() + rest->changes.size(), whole.size());
}

// Every reader comes to the row again and again, webhooks every few seconds.
TEST_F(ReadingChanges, ThatEndAtARowOfAnUnknownEventAreReportedOnceUntilItCanBeRead) {
  live();
  it.wait_for_tables();
  it.reopen();
  StoredJournal journal(folder);
  const StoredRowInTest seventh = journal.row(7);
  const LoggedLines log;
  for (const std::size_t times : {1U, 2U}) {
    journal.remove(7);
    for (int readers = 0; readers < 5; ++readers) {
      EXPECT_EQ(it.ledger().read_all_changes("7", 100, ReadFrom::anywhere).error().kind, ReadProblem::Kind::unavailable);
      EXPECT_EQ(it.ledger().read_all_changes("5", 100, ReadFrom::anywhere)->next, "7") << "what comes before it";
    }
    EXPECT_EQ(log.with("row 7 is missing").size(), times);
    EXPECT_THAT(it.ledger().damaged_rows().text(), testing::HasSubstr("row 7 is missing"));
    EXPECT_EQ(it.ledger().damaged_rows().count(), 1u);
    journal.put(seventh);
    EXPECT_TRUE(it.ledger().read_all_changes("7", 100, ReadFrom::anywhere).has_value());
    EXPECT_EQ(log.with("row 7 is what was written again").size(), times);
    EXPECT_EQ(it.ledger().damaged_rows().text(), "");
    EXPECT_EQ(it.ledger().damaged_rows().count(), 0u);
  }
}

TEST_F(ReadingChanges, FromLatestOnAreOnlyNewOnes) {
  live();
  const auto latest = it.ledger().read_all_changes("latest", 10, ReadFrom::memory);
  ASSERT_TRUE(latest.has_value());
  EXPECT_TRUE(latest->changes.empty());
  const std::uint64_t progress = it.ledger().progress();
  it.block(other, {1});
  EXPECT_GT(it.ledger().progress(), progress);
  EXPECT_THAT(told(whole_journal(it.ledger(), 10, latest->next)), ElementsAre("2#5 blocked seats 1@1"));
}

TEST_F(ReadingChanges, RefuseACursorThatTheLedgerDidNotGive) {
  live();
  for (const char* cursor : {"0", "-1", "x", "1-", "1-0", "1-x", "999999", "1-99", "1 ", "+1", "99999999999999999999", "Latest"}) {
    const auto page = it.ledger().read_all_changes(cursor, 10, ReadFrom::anywhere);
    ASSERT_FALSE(page.has_value()) << cursor;
    EXPECT_EQ(page.error().kind, ReadProblem::Kind::bad_cursor) << cursor;
  }
}

TEST_F(ReadingChanges, OlderThanTheRetentionAreArchivedAndTheRestStays) {
  live();
  time.pass(3 * k_day);
  it.hold(event, it.new_id(event), {15}, "emil");
  const auto options = EmbeddedOptions{.data = folder, .journal_retention_days = 2, .clock = &time};
  it.reopen(options);
  it.hold(event, it.new_id(event), {16}, "frieda");   // the checkpointer follows it, and removes old rows
  const auto archived = [&] {
    const auto page = it.ledger().read_changes(event, 0, 10, ReadFrom::anywhere);
    return !page && page.error().kind == ReadProblem::Kind::archived && page.error().oldest == 16;
  };
  ASSERT_TRUE(eventually(archived));
  EXPECT_THAT(told(all_changes(it.ledger(), event, 10, 15)), ElementsAre("1#16 held of emil seats 15@1", "1#17 held of frieda seats 16@1"));
  EXPECT_EQ(it.ledger().read_changes(other, 0, 10, ReadFrom::anywhere).error().oldest, 5u) << "none is kept: the next one";
  EXPECT_TRUE(it.ledger().read_changes(other, 4, 10, ReadFrom::anywhere)->changes.empty());
  EXPECT_TRUE(eventually([&] {   // out of the index first, then out of the journal
    const auto page = it.ledger().read_all_changes("", 10, ReadFrom::anywhere);
    return !page && page.error().kind == ReadProblem::Kind::archived;
  }));
}

TEST_F(ReadingChanges, OlderThanTheRetentionStayUntilEveryReaderHasReadThem) {
  live();
  time.pass(3 * k_day);
  std::atomic<Position> read_through{2};
  std::atomic<int> asked{0};
  const auto removable = [&] {
    ++asked;
    return read_through.load();
  };
  const auto options = EmbeddedOptions{.data = folder, .journal_retention_days = 2, .journal_removable_through = removable, .clock = &time};
  it.reopen(options);
  time.pass(k_hour);   // after a start with a clock so far ahead nothing is removed earlier
  it.hold(event, it.new_id(event), {15}, "emil");   // the checkpointer follows it, and removes old rows
  const auto anchor = [&] { return journal_of(folder).anchor(); };
  ASSERT_TRUE(eventually([&] { return anchor() == 2; }));
  for (const SeatIndex seat : {16U, 17U}) {   // when it asks for the second time, it has finished the first
    const int before = asked;
    it.hold(event, it.new_id(event), {seat}, "frieda");
    ASSERT_TRUE(eventually([&] { return asked > before; })) << "it looks again";
  }
  EXPECT_EQ(anchor(), 2) << "rows that are old enough, but needed";
  read_through = 4;
  it.hold(event, it.new_id(event), {18}, "gerda");
  EXPECT_TRUE(eventually([&] { return anchor() == 4; }));
  it.close();   // it calls functions of this test
}

TEST(RecentRows, AreAWindowOfBoundedSizeOnTheJournalsEnd) {
  RecentRows recent(4'000);
  recent.begin_after(100);
  for (Position position = 101; position <= 200; ++position) {
    recent.append({.position = position,
                   .event = static_cast<EventNumber>(position % 2 + 1),
                   .first_seq = static_cast<Seq>(position - 100 + position % 2) / 2 * 3,
                   .changes = 3,
                   .at = 1,
                   .bytes = std::string(50, 'x')});
  }
  EXPECT_EQ(recent.head(), 200);
  EXPECT_TRUE(recent.rows_from(101, 10).empty()) << "dropped";
  EXPECT_TRUE(recent.rows_from(201, 10).empty());
  EXPECT_EQ(recent.rows_from(196, 9).size(), 3u);
  EXPECT_EQ(recent.rows_from(200, 9).size(), 1u);
  EXPECT_TRUE(recent.rows_of(1, 4, 10).empty()) << "dropped";
  EXPECT_TRUE(recent.rows_of(3, 1, 10).empty()) << "no such event";
  const KeptRows rows = recent.rows_of(1, 148, 4);   // the second change of 147 to 149, and three of 150 to 152
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows.front()->first_seq, 147u);
  EXPECT_TRUE(recent.rows_of(1, 153, 4).empty()) << "not there yet";
}

// Else its head would stay behind, and the next row would end the process.
TEST(RecentRows, HaveEveryPositionAlsoOfARowWhoseChangesAreHereAlready) {
  RecentRows recent;
  recent.begin_after(100);
  const auto append = [&](Position position, Seq first_seq) {
    recent.append({.position = position, .event = 1, .first_seq = first_seq, .changes = 2, .at = 1, .bytes = "x"});
  };
  append(101, 1);
  append(102, 1);   // once more
  EXPECT_EQ(recent.head(), 102);
  append(103, 3);
  append(0, 1);
  EXPECT_EQ(recent.head(), 103);
  const KeptRows all = recent.rows_from(101, 100);
  ASSERT_EQ(all.size(), 3u);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i]->position, static_cast<Position>(101 + i));
  const KeptRows of_event = recent.rows_of(1, 1, 100);
  ASSERT_EQ(of_event.size(), 2u);
  EXPECT_EQ(of_event[0]->position, 101);
  EXPECT_EQ(of_event[1]->position, 103);
}

// ---------------------------------------------------------------------------------------------------------------- history

std::vector<std::string> told(const std::vector<SeatChange>& history) {
  std::vector<std::string> texts;
  for (const SeatChange& change : history) {
    std::string text =
        std::to_string(change.version) + " #" + std::to_string(change.seq) + " " + name_of(change.kind) + " " + name_of(change.state);
    if (change.reservation) text += " of " + change.customer;
    if (!change.order.empty()) text += " for " + change.order;
    texts.push_back(text);
  }
  return texts;
}

TEST_F(ReadingChanges, OfASeatAreItsHistoryUpToTheLastAnswer) {
  live();
  const auto history = [&](SeatIndex seat, std::uint32_t after = 0, std::size_t limit = 100) {
    return told(it.ledger().seat_history({event, seat}, after, limit).value());
  };
  EXPECT_THAT(history(3), ElementsAre("1 #4 held held of anna", "2 #8 consumed sold of anna for order-1",
                                      "3 #9 returned available of anna for order-1"));
  EXPECT_THAT(history(2), ElementsAre("1 #4 held held of anna", "2 #7 released available of anna"));
  EXPECT_THAT(history(6),
              ElementsAre("1 #10 held held of carl", "2 #11 expired available of carl", "3 #12 consumed sold of carl for order-2"));
  EXPECT_THAT(history(9), ElementsAre("1 #13 blocked blocked"));
  EXPECT_THAT(history(0), ElementsAre());
  EXPECT_THAT(history(3, 1, 1), ElementsAre("2 #8 consumed sold of anna for order-1"));
  // It has the latest answers, although the tables are behind.
  for (std::uint32_t i = 0; i < 100; ++i) {
    const Uuid id = it.new_id(event);
    it.hold(event, id, {0}, "zoe");
    ASSERT_EQ(it.ledger().seat_history({event, 0}, 0, 1'000)->size(), 2 * i + 1);
    it.release(event, id);
    ASSERT_EQ(it.ledger().seat_history({event, 0}, 0, 1'000)->size(), 2 * i + 2);
  }
}

TEST_F(ReadingChanges, OfASeatOutliveTheJournalsRows) {
  live();
  const auto before = told(it.ledger().seat_history({event, 3}, 0, 100).value());
  time.pass(3 * k_day);
  it.reopen(EmbeddedOptions{.data = folder, .journal_retention_days = 2, .clock = &time});
  time.pass(k_hour);   // after a start with a clock so far ahead nothing is removed earlier
  it.hold(event, it.new_id(event), {16}, "frieda");
  ASSERT_TRUE(eventually([&] { return !it.ledger().read_changes(event, 0, 10, ReadFrom::anywhere); }));
  EXPECT_EQ(told(it.ledger().seat_history({event, 3}, 0, 100).value()), before);
}

TEST_F(ReadingChanges, AreInTablesThatARebuildMakesAgain) {
  live();
  const auto history = told(it.ledger().seat_history({event, 3}, 0, 100).value());
  it.close();
  cli::rebuild(folder, [](Position, Position) {});
  EXPECT_EQ(verify_folder(folder).problem, "");
  it.reopen();
  EXPECT_EQ(told(it.ledger().seat_history({event, 3}, 0, 100).value()), history);
  EXPECT_EQ(told(all_changes(it.ledger(), event, 1'000)), changes_of_live());
}

// ---------------------------------------------------------------------------------------------------------------- lists

class ReadingReservations : public testing::Test {
 protected:
  // Customers and status, as a list shows them, page by page.
  std::vector<std::string> list(const ReservationFilter& filter, std::size_t limit = 100) {
    std::vector<std::string> all;
    std::string cursor;
    do {
      const auto page = it.ledger().list_reservations(filter, cursor, limit);
      EXPECT_TRUE(page.has_value());
      if (!page) break;
      EXPECT_LE(page->items.size(), limit);
      for (const ListedReservation& listed : page->items) all.push_back(listed.view.customer + " " + name_of(listed.view.status));
      cursor = page->next;
    } while (!cursor.empty());
    return all;
  }

  LedgerFolder folder;
  TestTime time;
  LedgerInTest it{folder, time};
};

TEST_F(ReadingReservations, AreFoundByCustomerEventAndStatusInTheOrderOfEventAndCreation) {
  const EventNumber event = it.create_event(20);
  const EventNumber other = it.create_event(20);
  const auto hold = [&](EventNumber in, SeatIndex seat, std::string_view customer, Millis duration = k_hour) {
    const Uuid id = it.new_id(in);
    EXPECT_EQ(told(it.hold(in, id, {seat}, customer, duration)), "accepted");
    return id;
  };
  hold(other, 1, "anna");
  const Uuid sold = hold(event, 1, "anna");
  const Uuid released = hold(event, 2, "anna");
  hold(event, 3, "berta", k_minute);
  hold(event, 4, "berta");
  it.consume(event, sold);
  it.release(event, released);
  time.pass(k_minute);   // nobody has recorded the expiry

  for (const bool again : {false, true}) {
    if (again) it.reopen();
    for (const std::size_t limit : {1u, 2u, 100u}) {
      EXPECT_THAT(list({}, limit), ElementsAre("anna consumed", "anna released", "berta expired", "berta active", "anna active"));
      EXPECT_THAT(list({.customer = "anna"}, limit), ElementsAre("anna consumed", "anna released", "anna active"));
      EXPECT_THAT(list({.event = other}, limit), ElementsAre("anna active"));
      EXPECT_THAT(list({.event = event}, limit), ElementsAre("anna consumed", "anna released", "berta expired", "berta active"));
      EXPECT_THAT(list({.status = ReservationStatus::active}, limit), ElementsAre("berta active", "anna active"));
      EXPECT_THAT(list({.status = ReservationStatus::expired}, limit), ElementsAre("berta expired"));
      EXPECT_THAT(list({.status = ReservationStatus::released}, limit), ElementsAre("anna released"));
      EXPECT_THAT(list({.customer = "anna", .event = event, .status = ReservationStatus::consumed}, limit), ElementsAre("anna consumed"));
      EXPECT_THAT(list({.customer = "berta", .event = other}, limit), ElementsAre());
      EXPECT_THAT(list({.customer = "nobody"}, limit), ElementsAre());
    }
  }
}

// A page that ends within a part continues after the last shown item, even if some of the part have ended since.
TEST_F(ReadingReservations, CursorsStayValidWhenOtherReservationsEnd) {
  const EventNumber event = it.create_event(10);
  std::vector<Uuid> ids;
  for (SeatIndex seat = 0; seat < 5; ++seat) {
    ids.push_back(it.new_id(event));
    it.hold(event, ids.back(), {seat}, "anna");
  }
  const ReservationFilter active{.status = ReservationStatus::active};
  const auto part = it.ledger().list_reservations(active, "", 10);
  ASSERT_TRUE(part.has_value());
  ASSERT_EQ(part->items.size(), 5u);
  it.release(event, ids[0]);
  it.release(event, ids[2]);
  const auto rest = [&](std::size_t item) {
    std::vector<Uuid> left;
    for (const ListedReservation& listed : it.ledger().list_reservations(active, part->items[item].cursor, 10)->items) {
      left.push_back(listed.view.id);
    }
    return left;
  };
  EXPECT_THAT(rest(1), ElementsAre(ids[3], ids[4]));
  EXPECT_THAT(rest(2), ElementsAre(ids[3], ids[4])) << "also behind one that has ended";
  EXPECT_THAT(rest(4), ElementsAre());
}

TEST_F(ReadingReservations, ThatExistThroughoutAreShownOnceWhileOthersComeAndGo) {
  const EventNumber event = it.create_event(100);
  std::vector<Uuid> stay;
  for (SeatIndex seat = 0; seat < 40; ++seat) {
    stay.push_back(it.new_id(event));
    it.hold(event, stay.back(), {seat}, "stays");
  }
  std::vector<Uuid> shown;
  std::string cursor;
  for (SeatIndex step = 0; step == 0 || !cursor.empty(); ++step) {
    const auto page = it.ledger().list_reservations({}, cursor, 3);
    ASSERT_TRUE(page.has_value());
    for (const ListedReservation& listed : page->items) shown.push_back(listed.view.id);
    cursor = page->next;
    // Between two pages some end, some are extended, some are sold, and new ones come.
    if (step < 13) {
      it.hold(event, it.new_id(event), {60 + step}, "new");
      it.consume(event, stay[step * 3]);
      it.release(event, stay[step * 3 + 1]);
      it.does(event, Extend{stay[step * 3 + 2], 2 * k_hour});
    }
  }
  ASSERT_GE(shown.size(), stay.size());
  EXPECT_TRUE(std::equal(stay.begin(), stay.end(), shown.begin())) << "each once, in the order of creation";
  std::ranges::sort(shown);
  EXPECT_EQ(std::ranges::unique(shown).begin(), shown.end());
}

TEST_F(ReadingReservations, ExaminesTenThousandForOnePageAndNoMore) {
  const EventNumber event = it.create_event(1);
  for (int i = 0; i < 4; ++i) {
    Round round;
    for (int j = 0; j < 2'500; ++j) {
      const Uuid id = it.new_id(event);
      round.add(event, Hold{.reservation = id, .customer = "anna", .seats = round.keep({0}), .duration = k_hour});
      round.add(event, Release{id, {}});
    }
    round.run(it.ledger());
  }
  it.wait_for_tables();   // on a busy machine this may take longer than a list waits for the tables
  const auto sold = [&](const std::string& cursor) {
    const auto page = it.ledger().list_reservations({.status = ReservationStatus::consumed}, cursor, 10);
    EXPECT_TRUE(page->items.empty());
    return page->next;
  };
  EXPECT_EQ(sold(""), "") << "all of them fit into the first page";
  it.hold(event, it.new_id(event), {0}, "berta");
  it.wait_for_tables();
  const std::string next = sold("");
  EXPECT_NE(next, "") << "there is one more to look through";
  EXPECT_EQ(sold(next), "");
  EXPECT_EQ(list({.customer = "berta"}).size(), 1u);
  EXPECT_EQ(it.ledger().list_reservations({.status = ReservationStatus::active}, "", 10)->items.size(), 1u) << "by an index of its own";
}

TEST_F(ReadingReservations, AreFoundByTheirOrder) {
  const EventNumber event = it.create_event(20);
  const EventNumber later = it.create_event(20);
  const auto sell = [&](EventNumber in, SeatIndex seat, std::string_view order) {
    const Uuid id = it.new_id(in);
    EXPECT_EQ(told(it.hold(in, id, {seat})), "accepted");
    EXPECT_EQ(told(it.consume(in, id, order)), "accepted");
    return id;
  };
  const Uuid first = sell(event, 1, "order-1");
  sell(event, 2, "order-1");
  const Uuid returned = sell(event, 3, "order-2");
  ASSERT_EQ(told(it.give_back(event, returned, {}, "order-2")), "accepted");
  sell(event, 4, "order-3");
  const Uuid latest = sell(later, 1, "order-3");
  it.hold(event, it.new_id(event), {5});
  const std::vector<std::string> orders = {"order-2", "order-1", "no-order", "order-3", "order-1"};
  for (const bool again : {false, true}) {
    if (again) it.reopen();
    EXPECT_THAT(it.ledger().find_orders(orders).value(), ElementsAre(returned, first, std::nullopt, latest, first));
  }
  EXPECT_TRUE(it.ledger().find_orders({})->empty());
}

// Folders of earlier versions have no index of orders; the first start creates it.
TEST_F(ReadingReservations, AreFoundByOrderInTablesThatHadNoIndexOfOrders) {
  const EventNumber event = it.create_event(3);
  const Uuid id = it.new_id(event);
  it.hold(event, id, {1});
  it.consume(event, id, "order-1");
  it.close();
  const auto indexes = [&] {
    sqlite::Database tables((folder / "state.db").string(), sqlite::Database::Mode::read_write);
    return tables.query_int("SELECT count(*) FROM sqlite_schema WHERE name = 'reservation_by_order'");
  };
  {
    sqlite::Database tables((folder / "state.db").string(), sqlite::Database::Mode::read_write);
    tables.execute("DROP INDEX reservation_by_order");
  }
  ASSERT_EQ(indexes(), 0);
  it.reopen();
  EXPECT_THAT(it.ledger().find_orders(std::vector<std::string>{"order-1"}).value(), ElementsAre(id));
  it.close();
  EXPECT_EQ(indexes(), 1);
}

TEST_F(ReadingReservations, RefuseACursorThatTheLedgerDidNotGive) {
  it.create_event(1);
  for (const char* cursor : {"x", "1", "1-", "-1", "0-1", "1-x", "1-1x", "1-99999999999999999999", "99999999999-1"}) {
    const auto page = it.ledger().list_reservations({}, cursor, 10);
    ASSERT_FALSE(page.has_value()) << cursor;
    EXPECT_EQ(page.error().kind, ReadProblem::Kind::bad_cursor);
  }
}

TEST_F(ReadingReservations, AreUnavailableNotWrongWhileTheTablesCannotBeWritten) {
  it.reopen(EmbeddedOptions{.data = folder, .clock = &time, .tables_patience = std::chrono::milliseconds(50)});
  const EventNumber event = it.create_event(10);
  ASSERT_TRUE(eventually([&] { return it.ledger().list_reservations({}, "", 10).has_value(); }));
  sqlite::Database blocker((folder / "state.db").string(), sqlite::Database::Mode::read_write);
  blocker.execute("BEGIN IMMEDIATE");   // the checkpointer waits for it
  EXPECT_EQ(told(it.hold(event, it.new_id(event), {1})), "accepted") << "sales go on";
  const auto page = it.ledger().list_reservations({}, "", 10);
  ASSERT_FALSE(page.has_value());
  EXPECT_EQ(page.error().kind, ReadProblem::Kind::unavailable);
  EXPECT_EQ(it.ledger().read_changes(event, 3, 10, ReadFrom::anywhere)->changes.size(), 1u) << "changes need no tables";
  blocker.execute("ROLLBACK");
  EXPECT_TRUE(eventually([&] { return it.ledger().list_reservations({}, "", 10).has_value(); }));
  EXPECT_EQ(it.ledger().list_reservations({}, "", 10)->items.size(), 1u);
}

}  // namespace
}  // namespace holdfast::test
