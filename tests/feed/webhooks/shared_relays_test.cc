// Several nodes with webhooks in one database: one relays at a time, the others take its place and take calls meanwhile. A node's
// writes after its lease have no effect.
#include <gmock/gmock.h>
#include <signal.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <numeric>
#include <set>
#include <sstream>

#include "feed/lease.h"
#include "feed/webhooks/scripted_source.h"
#include "feed/webhooks/store.h"
#include "ledger/postgres/schema.h"
#include "sql/postgres_database.h"
#include "support/process.h"
#include "support/services.h"
#include "support/sql.h"
#include "support/waiting.h"

namespace holdfast::feed {
namespace {

using test::eventually;
using testing::ElementsAre;
using testing::IsEmpty;
using Numbers = std::vector<std::uint64_t>;

constexpr std::chrono::seconds k_late_max{10};

Numbers from_to(std::uint64_t first, std::uint64_t last) {
  Numbers numbers(last + 1 - first);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

// The fate of a node's messages.
struct Deliveries {
  Numbers seqs() {
    const std::scoped_lock lock(mutex);
    return delivered;
  }
  std::vector<std::string> urls_seen() {
    const std::scoped_lock lock(mutex);
    return urls;
  }

  std::mutex mutex;
  Numbers delivered;
  std::vector<std::string> urls;
  std::atomic<bool> holds{false};      // messages wait …
  std::atomic<int> waiting{0};
  std::atomic<bool> rejects{false};    // … and are then refused
};

class DeliveriesSender : public Sender {
 public:
  DeliveriesSender(boost::asio::io_context& context, Deliveries& to) : context_(context), to_(to) {}
  boost::asio::awaitable<Attempt> send(Delivery delivery) override {
    if (to_.holds) {
      ++to_.waiting;
      while (to_.holds) {
        boost::asio::steady_timer timer(context_, std::chrono::milliseconds(2));
        co_await timer.async_wait(boost::asio::use_awaitable);
      }
      if (to_.rejects) co_return Attempt{.outcome = Attempt::Outcome::rejected, .status = 500, .error = "no"};
    }
    const std::scoped_lock lock(to_.mutex);
    to_.delivered.push_back(seq_of(delivery));
    to_.urls.push_back(delivery.url);
    co_return Attempt{.outcome = Attempt::Outcome::delivered, .status = 200};
  }
  boost::asio::awaitable<std::string> why_refused(std::string) override { co_return ""; }

 private:
  boost::asio::io_context& context_;
  Deliveries& to_;
};

struct Node {
  Node(const std::string& url, ChangeSource& source)
      : pool({.url = url}, {}),
        store(std::make_unique<sql::PostgresDatabase>(pool)),
        tables(pool),
        lease(tables, k_lease_webhooks),
        webhooks(
            {.stop_time = std::chrono::milliseconds(50)}, store, source,
            [this](boost::asio::io_context& context) { return std::make_unique<DeliveriesSender>(context, deliveries); }, &lease) {
    webhooks.start();
  }

  Deliveries deliveries;
  pg::Pool pool;
  WebhookStore store;
  sql::PostgresDatabase tables;
  Lease lease;
  Webhooks webhooks;
};

struct SharedRelays : testing::Test {
  SharedRelays() {
    pg::migrate({.url = database.url()});
    Endpoint endpoint{.id = id, .url = "https://first/", .secret = std::string(24, 's')};
    EXPECT_EQ(store.create(endpoint, {}), WebhookStore::Made::created);
  }

  SourcePosition position() { return store.find(id)->endpoint.position; }

  const Uuid id = id_of(1);
  test::PostgresDatabase database;
  pg::Pool pool{{.url = database.url()}, {}};
  WebhookStore store{std::make_unique<sql::PostgresDatabase>(pool)};
};

TEST_F(SharedRelays, OneNodeRelaysAndWhenItStopsTheNextContinues) {
  ScriptedSource source(100, 3);
  auto first = std::make_unique<Node>(database.url(), source);
  ASSERT_TRUE(eventually([&] { return first->webhooks.is_relaying(); }));
  Node second(database.url(), source);
  ASSERT_TRUE(eventually([&] { return position() == "100"; }));
  EXPECT_FALSE(second.webhooks.is_relaying());
  first->webhooks.stop();
  EXPECT_FALSE(first->webhooks.is_relaying());
  EXPECT_EQ(first->deliveries.seqs().size(), 100U);
  EXPECT_THAT(second.deliveries.seqs(), IsEmpty());
  source.grow_to(150);
  ASSERT_TRUE(eventually([&] { return position() == "150"; }));
  EXPECT_EQ(second.deliveries.seqs().size(), 50U) << "nothing twice: it was told to stop";
}

TEST_F(SharedRelays, NoticeOtherNodesChangesWithoutANotification) {
  ScriptedSource source(5, 1);
  Node node(database.url(), source);
  ASSERT_TRUE(eventually([&] { return position() == "5"; }));
  source.grow_to(10);   // nobody calls notify(): the change is of another node
  EXPECT_TRUE(eventually([&] { return position() == "10"; }));
  EXPECT_EQ(node.deliveries.seqs(), from_to(1, 10));
}

TEST_F(SharedRelays, CallsToANodeThatDoesNotRelayReachTheOneThatDoes) {
  ScriptedSource source(3, 1);
  Node relaying(database.url(), source);
  ASSERT_TRUE(eventually([&] { return relaying.webhooks.is_relaying() && position() == "3"; }));
  Node other(database.url(), source);

  ASSERT_TRUE(other.store.change(id, [](Endpoint& each) { each.url = "https://second/"; }));
  other.webhooks.changed(id);
  const auto began = test::Clock::now();
  // A message now and then, until one goes to the new address.
  std::uint64_t count = 3;
  ASSERT_TRUE(eventually([&] {
    source.grow_to(++count);
    relaying.webhooks.notify();
    return !relaying.deliveries.urls_seen().empty() && relaying.deliveries.urls_seen().back() == "https://second/";
  }));
  EXPECT_LT(test::Clock::now() - began, std::chrono::seconds(4) * test::k_slowness);

  Endpoint made{.id = id_of(2), .url = "https://third/", .secret = std::string(24, 't')};
  ASSERT_EQ(other.store.create(made, {}), WebhookStore::Made::created);
  other.webhooks.changed(made.id);
  ASSERT_TRUE(eventually([&] { return testing::Value(relaying.deliveries.urls_seen(), testing::Contains("https://third/")); }));

  ASSERT_TRUE(other.store.change(id, [](Endpoint& each) { each.enabled = false; }));
  other.webhooks.changed(id);
  ASSERT_TRUE(other.store.remove(made.id));
  other.webhooks.changed(made.id);
  EXPECT_THAT(other.deliveries.seqs(), IsEmpty());
}

TEST_F(SharedRelays, DeliverDeadMessagesThatAnotherNodeRevives) {
  ScriptedSource source(1, 1);
  Node relaying(database.url(), source);
  ASSERT_TRUE(eventually([&] { return relaying.webhooks.is_relaying() && position() == "1"; }));
  test::Sql(database.url())
      .run(
          "INSERT INTO holdfast.webhook_message (endpoint, id, kind, grp, attempts, next_at, body, last_error, died_at) "
          "VALUES ('" +
          to_string(id) + "', '" + to_string(id_of(200)) + "_77_', 1, 'g', 9, 0, '{}', '', 5)");
  Node other(database.url(), source);
  ASSERT_EQ(other.store.revive(id, {}, other.webhooks.now()), 1U);
  other.webhooks.changed(id);
  EXPECT_TRUE(eventually([&] { return relaying.deliveries.seqs() == Numbers{1, 77}; }));
  EXPECT_TRUE(eventually([&] { return store.queue(id).messages == 0; }));
}

// The lease is over in the database, but the node does not know it yet: only the epoch prevents its writes.
TEST_F(SharedRelays, ANodeThatHasLostItsLeaseUnawareWritesNothing) {
  ScriptedSource source(8, 8);
  Node first(database.url(), source);
  first.deliveries.holds = true;
  first.deliveries.rejects = true;
  ASSERT_TRUE(eventually([&] { return first.deliveries.waiting == 8; }));
  const feed::Epoch epoch = std::stoll(test::Sql(database.url()).value("SELECT epoch FROM holdfast.lease"));
  sql::PostgresDatabase tables(pool);
  Lease taken(tables, k_lease_webhooks, std::chrono::minutes(5));
  // Between two renewals of the first.
  ASSERT_TRUE(eventually([&] {
    test::Sql(database.url()).run("UPDATE holdfast.lease SET until = '-infinity'");
    return taken.acquire().has_value();
  }));
  first.deliveries.holds = false;   // all eight are refused, and should be kept in the queue
  ASSERT_TRUE(eventually([&] { return !first.webhooks.is_relaying(); }));
  EXPECT_EQ(store.queue(id).messages, 0U);
  EXPECT_EQ(position(), "");
  EXPECT_EQ(store.find(id)->last_failure_at, 0);
  EXPECT_THROW(store.save(epoch, id, {.position = "8"}), LeaseLost);
  taken.release();   // then the node may take it again, and has lost nothing
  ASSERT_TRUE(eventually([&] { return position() == "8"; }));
  EXPECT_EQ(first.deliveries.seqs().size(), 8U);
}

TEST_F(SharedRelays, WaitForTheDatabaseAndLoseNothing) {
  test::PostgresServer server;
  pg::migrate({.url = server.url()});
  pg::Pool own({.url = server.url()}, {});
  Endpoint endpoint{.id = id, .url = "https://first/", .secret = std::string(24, 's')};
  ASSERT_EQ(WebhookStore(std::make_unique<sql::PostgresDatabase>(own)).create(endpoint, {}), WebhookStore::Made::created);
  ScriptedSource source(20, 2);
  Node node(server.url(), source);
  ASSERT_TRUE(eventually([&] { return node.deliveries.seqs().size() == 20; }));
  server.kill();
  source.grow_to(40);
  ASSERT_TRUE(eventually([&] { return !node.webhooks.is_relaying(); })) << "it could not renew its lease";
  server.start();
  ASSERT_TRUE(eventually([&] {
    try {
      return WebhookStore(std::make_unique<sql::PostgresDatabase>(own)).find(id)->endpoint.position == "40";
    } catch (const std::exception&) {
      return false;   // not there yet
    }
  }));
  const Numbers seqs = node.deliveries.seqs();
  EXPECT_EQ(std::set<std::uint64_t>(seqs.begin(), seqs.end()).size(), 40U);
}

// ---- other processes

// A relaying_node and its output.
struct OtherProcess {
  OtherProcess(const std::string& url, std::uint64_t changes, std::uint64_t milliseconds)
      : process({.arguments = {HOLDFAST_RELAYING_NODE, url, std::to_string(changes), std::to_string(milliseconds)},
                 .environment = {},
                 .stdout_file = folder.path() / "out",
                 .stderr_file = folder.path() / "err",
                 .folder = {}}) {}

  std::vector<std::string> said() const {
    std::istringstream lines(test::read_file(folder.path() / "out"));
    std::vector<std::string> all;
    for (std::string line; std::getline(lines, line);) all.push_back(line);
    return all;
  }

  bool stands_still() const {
    const std::string stat = test::read_file("/proc/" + std::to_string(process.id()) + "/stat");
    return stat.find(") T ") != std::string::npos;
  }

  test::TempFolder folder;
  test::Process process;
};

TEST_F(SharedRelays, AnotherNodeTakesOverFromAKilledOneWithinSeconds) {
  ScriptedSource source(200, 1);
  OtherProcess first(database.url(), 200, 20);
  ASSERT_TRUE(eventually([&] { return first.said().size() > 5; }));
  Node second(database.url(), source);
  ASSERT_TRUE(eventually([&] { return first.said().size() > 20; }));
  EXPECT_FALSE(second.webhooks.is_relaying());
  first.process.signal(SIGKILL);
  const auto killed = test::Clock::now();
  ASSERT_TRUE(eventually([&] { return second.webhooks.is_relaying(); }));
  // The lease's end, and the nodes' turns to look for it. A busy machine may be late; waiting for a connection to time out would
  // take longer.
  EXPECT_LT(test::Clock::now() - killed, k_lease_time + 2 * k_lease_period + k_late_max);
  ASSERT_TRUE(eventually([&] { return position() == "200"; }));

  const std::vector<std::string> said = first.said();
  const std::uint64_t delivered = said.size() - 1;   // after "relays"
  const Numbers rest = second.deliveries.seqs();
  ASSERT_FALSE(rest.empty());
  EXPECT_LE(rest.front(), delivered + 1) << "nothing is left out";
  EXPECT_EQ(rest, from_to(rest.front(), 200)) << "and the order is kept";
}

TEST_F(SharedRelays, APausedNodeDisturbsNothingAfterItWasReplaced) {
  ScriptedSource source(200, 1);
  OtherProcess paused(database.url(), 200, 20);
  ASSERT_TRUE(eventually([&] { return paused.said().size() > 20; }));
  paused.process.signal(SIGSTOP);
  ASSERT_TRUE(eventually([&] { return paused.stands_still(); }));
  const std::size_t said_before = paused.said().size();
  Node second(database.url(), source);
  ASSERT_TRUE(eventually([&] { return position() == "200"; }));
  const std::string before = test::Sql(database.url()).value("SELECT e::text FROM holdfast.webhook_endpoint e");
  paused.process.signal(SIGCONT);
  ASSERT_TRUE(eventually([&] { return paused.said().back() == "waits"; }));
  EXPECT_LE(paused.said().size(), said_before + 2)
      << "what was on its way when it was paused, and that it does not relay any more: " << testing::PrintToString(paused.said());
  EXPECT_EQ(test::Sql(database.url()).value("SELECT e::text FROM holdfast.webhook_endpoint e"), before);
  EXPECT_TRUE(second.webhooks.is_relaying());
  const Numbers rest = second.deliveries.seqs();
  EXPECT_LE(rest.front(), said_before);
  EXPECT_EQ(rest, from_to(rest.front(), 200));
}

}  // namespace
}  // namespace holdfast::feed
