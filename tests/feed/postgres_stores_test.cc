// What only the stores in PostgreSQL have: leases by the database's clock, writes of relays that are fenced, and a database without tables.
#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <limits>
#include <thread>
#include <vector>

#include "access/registry.h"
#include "feed/change_counter.h"
#include "feed/kafka/store.h"
#include "feed/lease.h"
#include "feed/webhooks/store.h"
#include "ledger/postgres/schema.h"
#include "sql/postgres_database.h"
#include "support/services.h"
#include "support/sql.h"
#include "support/waiting.h"

namespace holdfast::test {
namespace {

using feed::Lease;
using feed::LeaseLost;
using testing::HasSubstr;

constexpr std::chrono::minutes k_long{5};

struct PostgresStores : testing::Test {
  PostgresStores() { pg::migrate({.url = database.url()}); }

  // Ends its time at once, so that no test waits for a clock.
  void end_time() { sql.run("UPDATE holdfast.lease SET until = clock_timestamp() - interval '1 ms'"); }

  PostgresDatabase database;
  pg::Pool pool{{.url = database.url()}, {.connections_max = 4}};
  sql::PostgresDatabase tables{pool};
  Sql sql{database.url()};
};

using PostgresLease = PostgresStores;

TEST_F(PostgresLease, HasOneHolderAtATimeAndRisingEpochs) {
  Lease first(tables, "a", k_long);
  Lease second(tables, "a", k_long);
  EXPECT_EQ(first.acquire(), 1);
  EXPECT_EQ(second.acquire(), std::nullopt);
  EXPECT_TRUE(first.renew());
  EXPECT_FALSE(second.renew()) << "it holds nothing";
  first.release();
  EXPECT_EQ(second.acquire(), 2) << "given back: nobody waits";
  EXPECT_FALSE(first.renew());
  EXPECT_EQ(first.acquire(), std::nullopt);
}

TEST_F(PostgresLease, IsIndependentOfLeasesWithOtherNames) {
  EXPECT_TRUE(Lease(tables, "a", k_long).acquire());
  EXPECT_TRUE(Lease(tables, "b", k_long).acquire());
}

TEST_F(PostgresLease, AfterItsTimeAnotherTakesItAndTheFirstCannotRenewIt) {
  Lease first(tables, "a", k_long);
  Lease second(tables, "a", k_long);
  ASSERT_EQ(first.acquire(), 1);
  end_time();
  EXPECT_EQ(second.acquire(), 2);
  EXPECT_FALSE(first.renew());
  first.release();
  EXPECT_TRUE(second.renew()) << "what one gives back that one does not hold stays";
}

TEST_F(PostgresLease, ItsHolderMayRenewItLateAsLongAsNobodyHasTakenIt) {
  Lease first(tables, "a", k_long);
  Lease second(tables, "a", k_long);
  ASSERT_TRUE(first.acquire());
  end_time();
  EXPECT_TRUE(first.renew());
  EXPECT_EQ(second.acquire(), std::nullopt);
}

TEST_F(PostgresLease, ItsTimePassesByTheDatabasesClock) {
  Lease first(tables, "a", std::chrono::milliseconds(200));
  Lease second(tables, "a", k_long);
  const auto began = Clock::now();
  ASSERT_TRUE(first.acquire());
  ASSERT_TRUE(eventually([&] { return second.acquire().has_value(); }));
  EXPECT_GE(Clock::now() - began, std::chrono::milliseconds(200));
}

TEST_F(PostgresLease, OneOfManyConcurrentCallersGetsIt) {
  for (int round = 1; round <= 20; ++round) {
    std::vector<std::future<std::optional<feed::Epoch>>> asked;
    for (int i = 0; i < 4; ++i) {
      asked.push_back(std::async(std::launch::async, [&] { return Lease(tables, "a", k_long).acquire(); }));
    }
    std::vector<feed::Epoch> got;
    for (auto& each : asked) {
      if (const auto epoch = each.get()) got.push_back(*epoch);
    }
    EXPECT_THAT(got, testing::ElementsAre(round));
    end_time();
  }
}

// Checking the epoch locks the lease until the write is committed: so a holder's write is complete before the next holder reads.
TEST_F(PostgresLease, CannotBeTakenBetweenCheckAndCommitOfAWrite) {
  Lease first(tables, "a", k_long);
  Lease second(tables, "a", k_long);
  ASSERT_EQ(first.acquire(), 1);
  end_time();
  sql.run("BEGIN; SELECT holdfast.assert_lease('a', 1)");
  std::atomic<bool> taken{false};
  auto taking = std::async(std::launch::async, [&] {
    const auto epoch = second.acquire();
    taken = true;
    return epoch;
  });
  Sql other(database.url());
  ASSERT_TRUE(eventually([&] {
    return other.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()") != "0";
  }));
  EXPECT_FALSE(taken);
  sql.run("COMMIT");
  EXPECT_EQ(taking.get(), 2);
}

// ---- writes of relays

using PostgresWebhooks = PostgresStores;

feed::QueuedMessage message(const std::string& id) {
  return {.id = id, .kind = ChangeKind::held, .group = "g", .attempts = 1, .next_at = 5, .body = "{}"};
}

TEST_F(PostgresWebhooks, WritesOfAFormerEpochDoNothing) {
  feed::WebhookStore store(std::make_unique<sql::PostgresDatabase>(pool));
  feed::Endpoint endpoint{.id = {}, .url = "https://a/", .position = "1"};
  ASSERT_EQ(store.create(endpoint, {}), feed::WebhookStore::Made::created);
  Lease lease(tables, feed::k_lease_webhooks, k_long);
  const feed::Epoch past = lease.acquire().value();
  store.enqueue(past, endpoint.id, std::vector{message("m1"), message("m2")});
  const std::int64_t number = store.of_group(endpoint.id, "g", 1).at(0).number;
  end_time();
  Lease next(tables, feed::k_lease_webhooks, k_long);
  const feed::Epoch now = next.acquire().value();

  const auto picture = [&] {
    return sql.value(
        "SELECT (SELECT string_agg(e::text, ';' ORDER BY ordinal) FROM holdfast.webhook_endpoint e) || "
        "(SELECT string_agg(m::text, ';' ORDER BY number) FROM holdfast.webhook_message m)");
  };
  const std::string before = picture();
  EXPECT_THROW(store.save(past, endpoint.id, {.position = "9", .last_failure_at = 9, .last_error = "no"}), LeaseLost);
  EXPECT_THROW(store.disable(past, endpoint.id, endpoint.url, "no"), LeaseLost);
  EXPECT_THROW(store.enqueue(past, endpoint.id, std::vector{message("m3")}), LeaseLost);
  EXPECT_THROW(store.settle(past, endpoint.id, number, 9), LeaseLost);
  EXPECT_THROW(store.postpone(past, endpoint.id, number, 9, 9, "no"), LeaseLost);
  EXPECT_THROW(store.bury(past, endpoint.id, number, 9, 9, "no", 1), LeaseLost);
  EXPECT_THROW(store.save(now + 1, endpoint.id, {.position = "9"}), LeaseLost) << "nor of one that has not begun";
  EXPECT_EQ(picture(), before);

  store.settle(now, endpoint.id, number, 9);
  store.save(now, endpoint.id, {.position = "2"});
  EXPECT_EQ(store.find(endpoint.id)->pending, 1U);
  EXPECT_EQ(store.find(endpoint.id)->endpoint.position, "2");
  EXPECT_EQ(pool.stats().busy, 0U);
}

// A relay settles messages one by one while another thread revives dead ones again and again: at each moment exactly the first
// message of the group has a time.
TEST_F(PostgresWebhooks, SettlingAndRevivingAtOnceKeepTheOrderOfAGroup) {
  feed::WebhookStore store(std::make_unique<sql::PostgresDatabase>(pool));
  feed::Endpoint endpoint{.id = {}, .url = "https://a/"};
  ASSERT_EQ(store.create(endpoint, {}), feed::WebhookStore::Made::created);
  Lease lease(tables, feed::k_lease_webhooks, k_long);
  const feed::Epoch epoch = lease.acquire().value();
  std::vector<feed::QueuedMessage> messages;
  for (int i = 0; i < 60; ++i) messages.push_back(message("m" + std::to_string(i)));
  store.enqueue(epoch, endpoint.id, messages);

  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::jthread reviving([&] {
    while (!done) store.revive(endpoint.id, {}, 5);
  });
  std::jthread looking([&] {
    Sql own(database.url());
    while (!done) {
      const std::string times = own.value(
          "SELECT coalesce(string_agg(CASE WHEN next_at = 5 THEN 't' ELSE '-' END, '' ORDER BY number), '') "
          "FROM holdfast.webhook_message WHERE died_at IS NULL");
      if (!times.empty() && times != "t" + std::string(times.size() - 1, '-')) ++wrong;
    }
  });
  for (int i = 0; i < 200; ++i) {
    const auto first = store.of_group(endpoint.id, "g", 1);
    if (first.empty()) break;
    i % 4 == 0 ? store.settle(epoch, endpoint.id, first[0].number, 5) : store.bury(epoch, endpoint.id, first[0].number, 9, 5, "no", 100);
  }
  done = true;
  reviving.join();
  looking.join();
  EXPECT_EQ(wrong, 0);
}

// ---- how far behind a place in the changes is

TEST_F(PostgresStores, ChangesAfterACursorAreCountedOrEstimatedIfMany) {
  sql.run("INSERT INTO holdfast.change_order VALUES (1, 1, 1, 4), (2, 2, 1, 1), (3, 1, 5, 9)");
  EXPECT_EQ(pg::count_changes_from(pool, ""), 10U);
  EXPECT_EQ(pg::count_changes_from(pool, "oldest"), 10U);
  EXPECT_EQ(pg::count_changes_from(pool, "2"), 6U);
  EXPECT_EQ(pg::count_changes_from(pool, "3-2"), 3U);
  EXPECT_EQ(pg::count_changes_from(pool, "4"), 0U);
  for (const char* wrong : {"x", "1-", "1-x", "1-1-1", " 1"}) EXPECT_THROW(pg::count_changes_from(pool, wrong), std::exception) << wrong;
  sql.run("INSERT INTO holdfast.change_order SELECT i, 3, i * 2, i * 2 + 1 FROM generate_series(4, 20003) i");
  EXPECT_NEAR(static_cast<double>(pg::count_changes_from(pool, "4")), 40'000, 1);
}

TEST_F(PostgresStores, TheJournalIsNeededFromTheSlowestWebhookAndTheFeedOn) {
  constexpr Seq k_all = std::numeric_limits<Seq>::max();
  sql.run("INSERT INTO holdfast.change_order VALUES (1, 1, 1, 4), (2, 2, 1, 1), (3, 1, 5, 9), (4, 1, 10, 10)");
  EXPECT_EQ(pg::relayed_through(pool, 1, false), k_all) << "nobody reads";
  feed::WebhookStore store(std::make_unique<sql::PostgresDatabase>(pool));
  const auto add = [&](std::uint8_t number, const std::string& position) {
    feed::Endpoint endpoint{.id = {}, .url = "https://a/", .position = position};
    endpoint.id.data[0] = number;
    EXPECT_EQ(store.create(endpoint, {}), feed::WebhookStore::Made::created);
    return endpoint.id;
  };
  add(1, "5");
  EXPECT_EQ(pg::relayed_through(pool, 1, false), 10U);
  const Uuid slow = add(2, "3-2");
  EXPECT_EQ(pg::relayed_through(pool, 1, false), 4U) << "part of what is at 3 is still to come";
  EXPECT_EQ(pg::relayed_through(pool, 2, false), 1U);
  EXPECT_EQ(pg::relayed_through(pool, 3, false), 0U);
  store.change(slow, [](feed::Endpoint& each) { each.enabled = false; });
  EXPECT_EQ(pg::relayed_through(pool, 1, false), 10U) << "a disabled one keeps nothing";
  EXPECT_EQ(pg::relayed_through(pool, 1, true), 0U) << "nothing of it was published";
  sql.run("INSERT INTO holdfast.feed_position VALUES (1, 7)");
  EXPECT_EQ(pg::relayed_through(pool, 1, true), 7U);
  add(3, "");
  EXPECT_EQ(pg::relayed_through(pool, 1, true), 0U) << "from the first change on";
}

TEST_F(PostgresStores, TheJournalIsNeededByTheFeedOfAnyNodeEvenIfItIsAway) {
  constexpr Seq k_all = std::numeric_limits<Seq>::max();
  constexpr bool k_this_one_feeds = false;
  EXPECT_EQ(pg::relayed_through(pool, 1, k_this_one_feeds), k_all);
  feed::kafka::FeedStore feed(std::make_unique<sql::PostgresDatabase>(pool));
  const auto lease = feed.make_lease("another node", std::chrono::seconds(10));
  const feed::Epoch epoch = lease->acquire().value();
  EXPECT_EQ(pg::relayed_through(pool, 1, k_this_one_feeds), 0U) << "it has published nothing yet";
  feed.save(epoch, std::vector<feed::kafka::FeedPosition>{{.event = 1, .seq = 7}});
  EXPECT_EQ(pg::relayed_through(pool, 1, k_this_one_feeds), 7U);
  EXPECT_EQ(pg::relayed_through(pool, 2, k_this_one_feeds), 0U);
  lease->release();
  EXPECT_EQ(pg::relayed_through(pool, 1, k_this_one_feeds), 7U) << "it goes on from there";
  sql.run("DELETE FROM holdfast.lease WHERE name = 'kafka'");   // as operations.md has it
  EXPECT_EQ(pg::relayed_through(pool, 1, k_this_one_feeds), k_all);
}

// ---- a database without tables, and one that ends connections

TEST(PostgresStoresWithoutTables, TheRegistrySaysHowToCreateThem) {
  const PostgresDatabase database;
  pg::Pool pool({.url = database.url()}, {.connections_max = 1});
  try {
    Registry registry(std::make_unique<sql::PostgresDatabase>(pool));
    FAIL() << "there is no registry";
  } catch (const std::exception& error) {
    EXPECT_THAT(error.what(), HasSubstr("holdfast migrate --ledger"));
    EXPECT_THAT(error.what(), HasSubstr("127.0.0.1"));
  }
}

TEST_F(PostgresStores, TheRegistryGoesOnAfterTheServerHasEndedItsConnections) {
  Registry registry(std::make_unique<sql::PostgresDatabase>(pool));
  const SessionSecret secret = registry.session_secret();
  sql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
  EXPECT_TRUE(eventually([&] {
    try {
      return registry.session_secret() == secret;
    } catch (const pg::Error&) {
      return false;   // over a connection that was ended; then there is a new one
    }
  }));
}

}   // namespace
}   // namespace holdfast::test
