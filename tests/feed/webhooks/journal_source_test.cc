// Changes for webhooks from a real journal: all of them, once each, from any position; and after old rows were removed.
#include "feed/webhooks/journal_source.h"

#include <gmock/gmock.h>

#include <limits>
#include <numeric>

#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

using feed::SourceChange;
using feed::SourcePage;
using feed::SourcePosition;
using testing::HasSubstr;

struct WebhookSource : testing::Test {
  WebhookSource() {
    event = it.create_event(20);
    for (SeatIndex seat = 0; seat < 5; ++seat) {
      EXPECT_TRUE(it.hold(event, it.new_id(event), {seat}, "anna", k_minute).accepted());
    }
    time.pass(2 * k_minute);
    EXPECT_TRUE(it.sweep(event).accepted());   // five changes in one row
    EXPECT_TRUE(it.block(event, {7, 9}).accepted());
    seqs_expected.resize(it.ledger().event(event)->seq());
    std::iota(seqs_expected.begin(), seqs_expected.end(), Seq{1});
  }

  // Everything after `position`, `limit` changes at a time.
  std::vector<Seq> seqs_behind(SourcePosition position, std::size_t limit, feed::KindSet kinds = feed::k_all_kinds) {
    std::vector<Seq> seqs;
    for (int pages = 0; pages < 1'000; ++pages) {
      const SourcePage page = source.next(position, limit, kinds);
      for (const SourceChange& each : page.changes) seqs.push_back(each.seq);
      if (page.at_end) return seqs;
      EXPECT_NE(page.end, position) << "a page that is not the last one leads on";
      position = page.end;
    }
    ADD_FAILURE() << "no end";
    return seqs;
  }

  LedgerFolder folder;
  TestTime time;
  LedgerInTest it{folder, time};
  EventNumber event = 0;
  feed::JournalChangeSource source{it.ledger(), DataFolder::journal_in(folder.path())};
  std::vector<Seq> seqs_expected;
};

TEST_F(WebhookSource, ReturnsEveryChangeOnceAtAnyPageSize) {
  for (const std::size_t limit : {1U, 2U, 3U, 7U, 100U}) EXPECT_EQ(seqs_behind("", limit), seqs_expected) << limit;
  EXPECT_TRUE(seqs_behind(source.end(), 100).empty());
}

TEST_F(WebhookSource, ContinuesAfterAnyChange) {
  const SourcePage all = source.next("", 100, feed::k_all_kinds);
  ASSERT_EQ(all.changes.size(), seqs_expected.size());
  for (const SourceChange& each : all.changes) {
    const std::vector<Seq> rest(seqs_expected.begin() + static_cast<std::ptrdiff_t>(each.seq), seqs_expected.end());
    EXPECT_EQ(seqs_behind(each.position, 2), rest) << each.position;
    EXPECT_EQ(source.behind(each.position), rest.size()) << each.position;
  }
}

TEST_F(WebhookSource, SkipsUnwantedKinds) {
  EXPECT_EQ(seqs_behind("", 100, feed::kind_bit(ChangeKind::expired)).size(), 5U);
  const SourcePage none = source.next("", 100, feed::kind_bit(ChangeKind::returned));
  EXPECT_TRUE(none.changes.empty());
  EXPECT_TRUE(none.at_end);
  EXPECT_EQ(source.behind(none.end), 0U);
}

TEST_F(WebhookSource, ReturnsAnExpiryWithTheSeatsThatItFrees) {
  const SourcePage page = source.next("", 100, feed::kind_bit(ChangeKind::expired));
  ASSERT_EQ(page.changes.size(), 5U);
  for (const SourceChange& each : page.changes) {
    EXPECT_THAT(each.json,
                HasSubstr(R"("reservationId":")" + to_string(*each.reservation) + R"(","customerId":"anna","seats":[{"index":)"));
    EXPECT_THAT(each.json, HasSubstr(R"(","state":"a"}]})"));
  }
}

TEST_F(WebhookSource, ContinuesAfterRetentionAndReportsLostChanges) {
  const SourcePosition begin = source.next("", 1, feed::k_all_kinds).changes.at(0).position;
  EXPECT_EQ(begin, "1");
  {
    Journal journal(DataFolder::journal_in(folder.path()), Journal::Mode::write);
    const std::vector<JournalRow> old = journal.old_rows(4, k_begin + k_day, 4);
    ASSERT_EQ(old.size(), 4U);
    journal.remove(old);
  }
  const SourcePage exact = source.next("4", 100, feed::k_all_kinds);
  EXPECT_FALSE(exact.lost) << "the next row is the first that is kept";
  EXPECT_EQ(exact.changes.at(0).seq, 5U);
  const SourcePage late = source.next(begin, 100, feed::k_all_kinds);
  EXPECT_TRUE(late.lost);
  EXPECT_EQ(late.changes.at(0).seq, 5U);
  EXPECT_FALSE(source.next("", 100, feed::k_all_kinds).lost) << "whoever begins has lost nothing";
}

TEST_F(WebhookSource, NeedsTheRowsAfterTheSlowestEnabledEndpoint) {
  const auto at = [](const char* position, bool enabled) {
    feed::EndpointReport report;
    report.endpoint.position = position;
    report.endpoint.enabled = enabled;
    return report;
  };
  const auto through = [](const std::vector<feed::EndpointReport>& endpoints) {
    return feed::JournalChangeSource::needless_through(endpoints);
  };
  EXPECT_EQ(through({at("9", true), at("6.3", true), at("2", false)}), 6) << "part of row 7 is still to come";
  EXPECT_EQ(through({at("9", true), at("", true)}), 0) << "from the first row that there is";
  EXPECT_EQ(through({}), std::numeric_limits<Position>::max());
  EXPECT_EQ(through({at("2", false)}), std::numeric_limits<Position>::max());
  EXPECT_THROW(through({at("x", true)}), DataError);
}

TEST_F(WebhookSource, RefusesAMalformedPosition) {
  for (const char* position : {"x", "-1", "1.", "1.x", "1.1.1", " 1", "99999999999999999999", "1000"}) {
    EXPECT_THROW(source.next(position, 1, feed::k_all_kinds), DataError) << position;
  }
}

// Reservations that ended long ago are read from the tables, which may be damaged there.
TEST(WebhookSourceOfEnded, MarksOnlyUnreadableChanges) {
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
  // Empty rounds: ended reservations are forgotten some rounds later.
  for (int i = 0; i < 1'100; ++i) it.does(event, Sweep{1});
  it.wait_for_tables();
  const std::string sql = "UPDATE reservation SET seats = '[0,' WHERE id = '" + to_string(ids[0]) + "'";
  change_by_hand((folder / "state.db").string(), sql.c_str());

  feed::JournalChangeSource source(it.ledger(), DataFolder::journal_in(folder.path()));
  const SourcePage page = source.next("", 1'000, feed::k_all_kinds);
  EXPECT_EQ(page.changes.size(), it.ledger().event(event)->seq());
  for (const SourceChange& each : page.changes) {
    EXPECT_EQ(each.is_unreadable, each.reservation == ids[0]) << each.seq;
    EXPECT_EQ(each.json.empty(), each.is_unreadable) << each.seq;
  }
  EXPECT_EQ(source.unreadable().events, 1U);
  change_by_hand((folder / "state.db").string(), ("UPDATE reservation SET seats = '[0]' WHERE id = '" + to_string(ids[0]) + "'").c_str());
  for (const SourceChange& each : source.next("", 1'000, feed::k_all_kinds).changes) EXPECT_FALSE(each.is_unreadable) << each.seq;
}

TEST_F(WebhookSource, ReturnsTheRestOfAnEventWithADamagedFirstRow) {
  it.wait_for_tables();
  const auto whole = source.next("", 100, feed::k_all_kinds).changes;
  change_by_hand(DataFolder::journal_in(folder.path()), "UPDATE journal SET at = at + 1 WHERE position = 1");
  const auto told_now = source.next("", 100, feed::k_all_kinds).changes;
  ASSERT_EQ(told_now.size(), whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(told_now[i].seq, whole[i].seq);
    EXPECT_EQ(told_now[i].event, whole[i].event);
    EXPECT_EQ(told_now[i].is_unreadable, i == 0);
    if (i > 0) EXPECT_EQ(told_now[i].json, whole[i].json);
  }
}

}  // namespace
}  // namespace holdfast::test
