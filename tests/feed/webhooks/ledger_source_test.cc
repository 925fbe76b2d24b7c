// Changes for webhooks as a ledger reads them: all of them, once each, from any position, also from one that an earlier version stored;
// and after old ones were removed or damaged.
#include "feed/webhooks/ledger_source.h"

#include <gmock/gmock.h>

#include <limits>

#include "feed/webhooks/row_positions.h"
#include "ledger/data_error.h"
#include "ledger/ledger_in_test.h"
#include "ledger/passing_ledger.h"

namespace holdfast::test {
namespace {

using feed::SourceChange;
using feed::SourcePage;
using feed::SourcePosition;
using Positions = feed::LedgerChangeSource::Positions;
using testing::HasSubstr;
using testing::IsEmpty;

// The number of all changes, by reading them.
std::uint64_t count_from(const Ledger& ledger, std::string cursor) {
  std::uint64_t count = 0;
  for (;;) {
    auto page = ledger.read_all_changes(cursor, 100, ReadFrom::anywhere).value();
    count += page.changes.size();
    if (page.changes.empty() && page.next == cursor) return count;
    cursor = page.next;
  }
}

struct LedgerSource : testing::Test {
  LedgerSource() {
    event = it.create_event(20);
    for (SeatIndex seat = 0; seat < 5; ++seat) EXPECT_TRUE(it.hold(event, it.new_id(event), {seat}, "anna", k_minute).accepted());
    time.pass(2 * k_minute);
    EXPECT_TRUE(it.sweep(event).accepted());   // five changes in one row
    EXPECT_TRUE(it.block(event, {7, 9}).accepted());
    const EventNumber other = it.create_event(20);
    const Uuid sold = it.new_id(other);
    EXPECT_TRUE(it.hold(other, sold, {3, 4}).accepted());
    EXPECT_TRUE(it.consume(other, sold).accepted());
    EXPECT_TRUE(it.give_back(other, sold, {4}).accepted());
  }

  static std::vector<SourceChange> behind(feed::ChangeSource& from, SourcePosition position, std::size_t limit,
                                          feed::KindSet kinds = feed::k_all_kinds) {
    std::vector<SourceChange> all;
    for (int pages = 0; pages < 1'000; ++pages) {
      SourcePage page = from.next(position, limit, kinds);
      EXPECT_LE(page.changes.size(), limit);
      for (SourceChange& each : page.changes) all.push_back(std::move(each));
      if (page.at_end) return all;
      EXPECT_NE(page.end, position) << "a page that is not the last one leads on";
      position = page.end;
    }
    ADD_FAILURE() << "no end";
    return all;
  }
  // The numbers of all changes, in the journal's order, by what the journal itself says of its rows.
  struct InJournal {
    Uuid event;
    Seq seq;
    SourcePosition position;   // as versions up to 0.3 stored it: the row; or the row before it, and how many of its changes
    bool operator==(const InJournal&) const = default;
  };
  std::vector<InJournal> in_journal() {
    std::vector<InJournal> all;
    const std::unique_ptr<JournalRows> journal = open_journal_rows(folder);
    journal->read(journal->anchor(), [&](const JournalRow& row) {
      for (std::uint32_t i = 1; i <= row.changes; ++i) {
        const std::string part = std::to_string(row.position - 1) + "." + std::to_string(i);
        all.push_back(
            {it.ledger().event(row.event)->card().id, row.first_seq + i - 1, i == row.changes ? std::to_string(row.position) : part});
      }
      return true;
    });
    return all;
  }
  // The same by what a source says.
  static std::vector<InJournal> places(const std::vector<SourceChange>& changes) {
    std::vector<InJournal> all;
    for (const SourceChange& each : changes) all.push_back({each.event, each.seq, each.position});
    return all;
  }
  // All of a change except its position.
  static std::vector<std::string> told(const std::vector<SourceChange>& changes) {
    std::vector<std::string> lines;
    for (const SourceChange& each : changes) {
      lines.push_back(to_string(each.event) + " " + std::to_string(each.seq) + " " + name_of(each.kind) + " " + std::to_string(each.at) +
                      " " + (each.reservation ? to_string(*each.reservation) : "-") + " " + each.json);
    }
    return lines;
  }

  LedgerFolder folder;
  TestTime time;
  LedgerInTest it{folder, time};
  EventNumber event = 0;
  feed::LedgerChangeSource source{it.ledger(), [this](const std::string& cursor) { return count_from(it.ledger(), cursor); }};
};

TEST_F(LedgerSource, TellsEachChangeOfTheJournalOnceWhateverAPageHolds) {
  const auto whole = behind(source, "", 100);
  ASSERT_GT(whole.size(), 15U);
  const auto expected = in_journal();
  ASSERT_EQ(whole.size(), expected.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(whole[i].event, expected[i].event);
    EXPECT_EQ(whole[i].seq, expected[i].seq);
  }
  for (const std::size_t limit : {1U, 2U, 3U, 7U}) EXPECT_EQ(told(behind(source, "", limit)), told(whole)) << limit;
  EXPECT_THAT(behind(source, source.end(), 100), IsEmpty());
}

TEST_F(LedgerSource, TellsAnExpiryWithTheSeatsThatItFrees) {
  const auto expiries = behind(source, "", 100, feed::kind_bit(ChangeKind::expired));
  ASSERT_EQ(expiries.size(), 5U);
  for (const SourceChange& each : expiries) {
    EXPECT_THAT(each.json,
                HasSubstr(R"("reservationId":")" + to_string(*each.reservation) + R"(","customerId":"anna","seats":[{"index":)"));
    EXPECT_THAT(each.json, HasSubstr(R"(","state":"a"}]})"));
  }
}

TEST_F(LedgerSource, ContinuesAfterAnyChange) {
  const auto all = behind(source, "", 100);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto rest = behind(source, all[i].position, 2);
    EXPECT_EQ(told(rest), told({all.begin() + static_cast<std::ptrdiff_t>(i) + 1, all.end()})) << all[i].position;
    EXPECT_EQ(source.behind(all[i].position), rest.size()) << all[i].position;
  }
}

TEST_F(LedgerSource, SkipsUnwantedKinds) {
  EXPECT_EQ(behind(source, "", 2, feed::kind_bit(ChangeKind::expired)).size(), 5U);
  const SourcePage none = source.next("", 100, feed::kind_bit(ChangeKind::extended));
  EXPECT_THAT(none.changes, IsEmpty());
  EXPECT_TRUE(none.at_end);
  EXPECT_EQ(source.behind(none.end), 0U);
}

TEST_F(LedgerSource, ReturnsNewChangesAtOnce) {
  const SourcePosition end = source.end();
  ASSERT_TRUE(it.block(event, {11}).accepted());
  const auto news = behind(source, end, 100);
  ASSERT_EQ(news.size(), 1U);
  EXPECT_EQ(news[0].kind, ChangeKind::blocked);
  EXPECT_NE(source.end(), end);
}

TEST_F(LedgerSource, ContinuesWithTheOldestKeptChangeAndReportsLostOnes) {
  const SourcePosition begin = source.next("", 1, feed::k_all_kinds).changes.at(0).position;
  const SourcePosition fourth = behind(source, "", 100).at(3).position;
  it.wait_for_tables();
  it.close();
  remove_old_rows(folder, 4);
  it.reopen();
  feed::LedgerChangeSource reopened(it.ledger(), [](const std::string&) { return 0; });
  const SourcePage exact = reopened.next(fourth, 100, feed::k_all_kinds);
  EXPECT_FALSE(exact.lost) << "the next row is the first that is kept";
  EXPECT_EQ(exact.changes.at(0).seq, 5U);
  const SourcePage late = reopened.next(begin, 100, feed::k_all_kinds);
  EXPECT_TRUE(late.lost);
  EXPECT_EQ(told(late.changes), told(exact.changes));
  EXPECT_FALSE(reopened.next("", 100, feed::k_all_kinds).lost) << "whoever begins has lost nothing";
}

TEST_F(LedgerSource, RefusesAMalformedPosition) {
  for (const char* position : {"x", "-1", "1.", "1-x", "1-0", " 1", "99999999999999999999", "1000"}) {
    EXPECT_THROW(source.next(position, 1, feed::k_all_kinds), std::exception) << position;
  }
}

TEST_F(LedgerSource, TellsTheRestOfAnEventWhoseFirstRowIsDamaged) {
  const auto whole = behind(source, "", 100);
  it.wait_for_tables();
  it.reopen();   // nothing recent is in memory
  feed::LedgerChangeSource reopened(it.ledger(), [](const std::string&) { return 0; });
  journal_of(folder).falsify(1, [](StoredRowInTest& row) { ++row.at; });
  const auto told_now = behind(reopened, "", 100);
  ASSERT_EQ(places(told_now), places(whole));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(told_now[i].is_unreadable, i == 0);
    if (i > 0) {
      EXPECT_EQ(told_now[i].json, whole[i].json);
    }
  }
}

// Its message would keep a place of each webhook's queue for ever.
TEST_F(LedgerSource, SaysOfADamagedChangeOfAnAbandonedImportThatItIsNoMore) {
  const Uuid id = uuid_of(77);
  const auto plan = plan_of(id, 5, "import-");
  const EventNumber import = it.ledger().reserve_event({.card = {.number = 0, .id = id}, .settings = {}, .plan = plan}).value();
  std::string bytes;
  Writer writer(bytes);
  plan->encode_header(writer);
  ASSERT_TRUE(it.does(import, Create{.plan_header = bytes}).accepted());
  ASSERT_TRUE(it.does(import, Configure{.status = EventStatus::abandoned}).accepted());
  it.ledger().abandon_event(import);
  const Position last = journal_of(folder).last_position();
  it.wait_for_tables();
  it.reopen();   // nothing recent is in memory
  journal_of(folder).falsify(last, [](StoredRowInTest& row) { ++row.at; });
  feed::LedgerChangeSource rows(it.ledger(), [](const std::string&) { return 0; }, Positions::rows);
  const SourceChange damaged = behind(rows, "", 100).back();
  ASSERT_TRUE(damaged.is_unreadable);
  ASSERT_EQ(damaged.event, id);
  EXPECT_FALSE(rows.tell(damaged.event, damaged.seq).has_value());
  // Elsewhere an event that is not known may become known.
  feed::LedgerChangeSource cursors(it.ledger(), [](const std::string&) { return 0; });
  EXPECT_THROW(cursors.tell(damaged.event, damaged.seq), std::exception);
}

TEST_F(LedgerSource, TellsWhatComesBeforeAMissingRowAndNamesThePlaceAsItIsStored) {
  it.wait_for_tables();
  it.reopen();   // nothing recent is in memory
  feed::LedgerChangeSource reopened(it.ledger(), [](const std::string&) { return 0; }, Positions::rows);
  const auto why_not_behind = [&](const SourcePosition& position) {
    try {
      reopened.next(position, 100, feed::k_all_kinds);
      return std::string("it can be read");
    } catch (const std::exception& error) {
      return std::string(error.what());
    }
  };
  EXPECT_THAT(why_not_behind("1000"), HasSubstr("`1000` is not a place"));
  journal_of(folder).remove(3);
  const SourcePage before = reopened.next("", 100, feed::k_all_kinds);
  EXPECT_THAT(places(before.changes), testing::SizeIs(2));
  EXPECT_EQ(before.end, "2");
  EXPECT_FALSE(before.at_end);
  EXPECT_THAT(why_not_behind("2"), HasSubstr("after position `2` cannot be read"));
}

// After the first reading every cursor is of rows that were archived meanwhile. The rows that are kept may be unreadable.
struct ArchivedMeanwhile final : PassingLedger {
  ArchivedMeanwhile(Ledger& inner, bool keeps_readable) : PassingLedger(inner), keeps_readable_(keeps_readable) {}
  Reading<ChangePage> read_all_changes(std::string_view cursor, std::size_t limit, ReadFrom from) const override {
    const bool is_of_kept = cursor == k_cursor_oldest;
    if (readings_++ == 0 || (is_of_kept && keeps_readable_)) return PassingLedger::read_all_changes(cursor, limit, from);
    return std::unexpected(ReadProblem{.kind = is_of_kept ? ReadProblem::Kind::unavailable : ReadProblem::Kind::archived});
  }

 private:
  const bool keeps_readable_;
  mutable int readings_ = 0;
};

TEST_F(LedgerSource, TellsWhatItHasReadWhenRowsAreArchivedBeforeItsPageIsFull) {
  const auto all = told(source.next("", 100, feed::k_all_kinds).changes);
  for (const bool keeps_readable : {false, true}) {
    ArchivedMeanwhile ledger(it.ledger(), keeps_readable);
    feed::LedgerChangeSource meanwhile(ledger, [](const std::string&) { return 0; });
    const SourcePage before = meanwhile.next("", 100, feed::k_all_kinds);
    EXPECT_EQ(told(before.changes), all);
    EXPECT_FALSE(before.at_end);
    EXPECT_FALSE(before.lost) << "the next page says so";
    EXPECT_THAT(source.next(before.end, 100, feed::k_all_kinds).changes, IsEmpty()) << "it ends behind what it told";
    if (keeps_readable) {
      const SourcePage kept = meanwhile.next(before.end, 100, feed::k_all_kinds);
      EXPECT_TRUE(kept.lost);
      EXPECT_EQ(told(kept.changes), all);
    } else {
      EXPECT_THROW(meanwhile.next(before.end, 100, feed::k_all_kinds), std::exception);
    }
  }
}

// What ended long ago is read from the tables, which may be damaged there.
TEST(LedgerSourceOfEnded, TellsWhatCannotBeReadAsUnreadableWithItsReservationAndEverythingElse) {
  const LedgerFolder folder;
  const TestTime time;
  LedgerInTest it(folder, time, {.data = {}, .ended_in_memory_max = 3});
  const EventNumber event = it.create_event(40);
  std::vector<Uuid> ids;
  for (SeatIndex seat = 0; seat < 20; ++seat) {
    ids.push_back(it.new_id(event));
    EXPECT_TRUE(it.hold(event, ids.back(), {seat}).accepted());
    EXPECT_TRUE(it.release(event, ids.back()).accepted());
  }
  it.wait_for_tables();
  // Nothing: reservations that ended are forgotten some rounds later.
  for (int i = 0; i < 1'100; ++i) it.does(event, Sweep{1});
  it.wait_for_tables();
  const auto with_seats = [&](const std::string& seats) {
    change_by_hand((folder / "state.db").string(),
                   ("UPDATE reservation SET seats = '" + seats + "' WHERE id = '" + to_string(ids[0]) + "'").c_str());
  };
  with_seats("[0,");

  feed::LedgerChangeSource source(it.ledger(), [](const std::string&) { return 0; });
  Seq damaged = 0;
  for (int times = 0; times < 2; ++times) {
    const SourcePage page = source.next("", 1'000, feed::k_all_kinds);
    EXPECT_EQ(page.changes.size(), it.ledger().event(event)->seq());
    for (const SourceChange& each : page.changes) {
      EXPECT_EQ(each.is_unreadable, each.reservation == ids[0] && each.kind == ChangeKind::released) << each.seq;
      EXPECT_EQ(each.json.empty(), each.is_unreadable) << each.seq;
      if (each.is_unreadable) damaged = each.seq;
    }
  }
  EXPECT_THAT(source.next("", 1'000, feed::kind_bit(ChangeKind::extended)).changes, IsEmpty()) << "its kind is known, and nobody wants it";
  const Uuid id = it.ledger().event(event)->card().id;
  EXPECT_EQ(source.unreadable().events, 1U) << "although other changes of the event can be read";
  EXPECT_THROW(source.tell(id, damaged), std::exception);
  with_seats("[0]");
  EXPECT_EQ(source.tell(id, damaged)->reservation, ids[0]);
  EXPECT_EQ(source.unreadable().events, 0U);
  for (const SourceChange& each : source.next("", 1'000, feed::k_all_kinds).changes) EXPECT_FALSE(each.is_unreadable) << each.seq;
}

struct RowPositions : LedgerSource {
  std::unique_ptr<JournalReader> counting = it.ledger().new_reader();
  feed::LedgerChangeSource rows{it.ledger(), [this](const std::string& cursor) { return counting->count_changes_from(cursor); },
                                Positions::rows};
};

TEST_F(RowPositions, AreThoseThatEarlierVersionsStored) {
  const auto expected = in_journal();
  for (const std::size_t limit : {1U, 2U, 3U, 7U, 100U}) EXPECT_EQ(places(behind(rows, "", limit)), expected) << limit;
  EXPECT_EQ(rows.end(), expected.back().position);
  EXPECT_EQ(rows.next("", 100, feed::k_all_kinds).end, expected.back().position);
}

TEST_F(RowPositions, OfEarlierVersionsLoseNoChangeAndTellNoneTwice) {
  const auto all = in_journal();
  ASSERT_TRUE(std::ranges::any_of(all, [](const auto& each) { return each.position.find('.') != std::string::npos; }));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::vector<InJournal> rest(all.begin() + static_cast<std::ptrdiff_t>(i) + 1, all.end());
    EXPECT_EQ(places(behind(rows, all[i].position, 2)), rest) << all[i].position;
    EXPECT_EQ(rows.behind(all[i].position), rest.size()) << all[i].position;
  }
  for (const char* before_all : {"", "0"}) {
    EXPECT_EQ(places(behind(rows, before_all, 2)), all);
    EXPECT_EQ(rows.behind(before_all), all.size());
  }
}

TEST_F(RowPositions, NameTheSamePlacesAsCursors) {
  using feed::cursor_of_row_position;
  using feed::row_position_of_cursor;
  for (const auto& [position, cursor] : {std::pair{"", ""}, {"0", "1"}, {"0.1", "1-1"}, {"6", "7"}, {"6.2", "7-2"}}) {
    EXPECT_EQ(cursor_of_row_position(position), cursor);
    EXPECT_EQ(row_position_of_cursor(cursor), position);
  }
  for (const char* cursor : {"oldest", "latest", "0", "7-0", "7.2"}) EXPECT_THROW(row_position_of_cursor(cursor), DataError) << cursor;
}

TEST_F(RowPositions, ThatAreNoneAreRefused) {
  for (const char* position :
       {"x", "-1", "1.", "1.x", "1.1.1", " 1", "1-1", "9223372036854775807", "99999999999999999999", "1000", "latest"}) {
    EXPECT_THROW(rows.next(position, 1, feed::k_all_kinds), std::exception) << position;
  }
}

TEST_F(RowPositions, SayWhichRowsTheEnabledEndpointThatIsLastStillNeeds) {
  const auto at = [](const char* position, bool enabled) {
    feed::EndpointReport report;
    report.endpoint.position = position;
    report.endpoint.enabled = enabled;
    return report;
  };
  const auto through = [](const std::vector<feed::EndpointReport>& endpoints) { return feed::needless_through(endpoints); };
  EXPECT_EQ(through({at("9", true), at("6.3", true), at("2", false)}), 6) << "part of row 7 is still to come";
  EXPECT_EQ(through({at("9", true), at("", true)}), 0) << "from the first row that there is";
  EXPECT_EQ(through({}), std::numeric_limits<Position>::max());
  EXPECT_EQ(through({at("2", false)}), std::numeric_limits<Position>::max());
  EXPECT_THROW(through({at("x", true)}), DataError);
}

}   // namespace
}   // namespace holdfast::test
