// Changes for webhooks as a ledger reads them: the same as from its journal, from any position; and after old ones were removed.
#include "feed/webhooks/ledger_source.h"

#include <gmock/gmock.h>

#include "feed/webhooks/journal_source.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

using feed::SourceChange;
using feed::SourcePage;
using feed::SourcePosition;
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

TEST_F(LedgerSource, ReturnsTheJournalsChangesAtAnyPageSize) {
  feed::JournalChangeSource journal(it.ledger(), DataFolder::journal_in(folder.path()));
  const auto expected = told(behind(journal, "", 100));
  ASSERT_GT(expected.size(), 15U);
  for (const std::size_t limit : {1U, 2U, 3U, 7U, 100U}) EXPECT_EQ(told(behind(source, "", limit)), expected) << limit;
  EXPECT_THAT(behind(source, source.end(), 100), IsEmpty());
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
  {
    Journal journal(DataFolder::journal_in(folder.path()), Journal::Mode::write);
    const std::vector<JournalRow> old = journal.old_rows(4, k_begin + k_day, 4);
    ASSERT_EQ(old.size(), 4U);
    journal.remove(old);
  }
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

}   // namespace
}   // namespace holdfast::test
