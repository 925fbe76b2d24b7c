// Relays with a failing source, store or endpoint: nothing is lost, and order is kept. The store is the real one; source and
// sender are scripted. tests/contract has webhooks as seen from outside.
#include <gmock/gmock.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>
#include <map>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

#include "feed/webhooks/scripted_source.h"
#include "feed/webhooks/store.h"
#include "feed/webhooks/webhook_file.h"
#include "ledger/embedded/data_folder.h"
#include "support/waiting.h"

namespace holdfast::feed {
namespace {

using test::eventually;
using testing::ElementsAre;

class FailingStore : public WebhookStore {
 public:
  explicit FailingStore(const std::string& path) : WebhookStore(open_webhook_file(path)) {}

  std::vector<bool> enqueue(Epoch epoch, const Uuid& id, std::span<const QueuedMessage> messages) override {
    fail();
    return WebhookStore::enqueue(epoch, id, messages);
  }
  void save(Epoch epoch, const Uuid& id, const Progress& progress) override {
    fail();
    WebhookStore::save(epoch, id, progress);
  }
  void settle(Epoch epoch, const Uuid& id, std::int64_t number, Millis now) override {
    fail();
    WebhookStore::settle(epoch, id, number, now);
  }

  std::atomic<int> failures{0};   // of the next writes

 private:
  void fail() {
    if (failures.fetch_sub(1) > 0) throw std::runtime_error("the disk is full");
  }
};

struct RelayTest : testing::Test {
  struct ScriptedSender : Sender {
    ScriptedSender(RelayTest& to, boost::asio::io_context& io) : test(to), context(io) {}
    boost::asio::awaitable<Attempt> send(Delivery delivery) override {
      const std::uint64_t seq = seq_of(delivery);
      if (test.hangs) {
        ++test.hanging;
        boost::asio::steady_timer timer(context, std::chrono::hours(1));
        co_await timer.async_wait(boost::asio::use_awaitable);
      }
      if (test.held == seq) {
        ++test.hanging;
        for (boost::asio::steady_timer timer(context); test.held == seq;) {
          timer.expires_after(std::chrono::milliseconds(1));
          co_await timer.async_wait(boost::asio::use_awaitable);
        }
      }
      const std::scoped_lock lock(test.mutex);
      if (test.gone_url == delivery.url) co_return Attempt{.outcome = Attempt::Outcome::rejected, .status = 410, .error = "gone"};
      if (const auto rejection = test.rejections.find(seq); rejection != test.rejections.end()) {
        test.rejections.erase(rejection);
        co_return Attempt{.outcome = Attempt::Outcome::rejected, .status = 500, .error = "no"};
      }
      test.delivered.push_back(seq);
      co_return Attempt{.outcome = Attempt::Outcome::delivered, .status = 200};
    }
    boost::asio::awaitable<std::string> why_refused(std::string) override { co_return ""; }
    RelayTest& test;
    boost::asio::io_context& context;
  };

  RelayTest() {
    std::string name = std::filesystem::temp_directory_path() / "holdfast-feed-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
    store = std::make_unique<FailingStore>(DataFolder::registry_in(folder));
    Endpoint endpoint{.id = id, .url = "https://example.org/", .secret = std::string(24, 's')};
    EXPECT_EQ(store->create(endpoint, {}), WebhookStore::Made::created);
  }
  ~RelayTest() override {
    webhooks.reset();
    store.reset();
    std::filesystem::remove_all(folder);
  }

  void start(ScriptedSource& source, WebhookOptions options = {.retry = {std::chrono::milliseconds(5), std::chrono::milliseconds(5)}}) {
    webhooks = std::make_unique<Webhooks>(std::move(options), *store, source, [this](boost::asio::io_context& context) {
      return std::make_unique<ScriptedSender>(*this, context);
    });
    webhooks->start();
  }
  std::vector<std::uint64_t> seen() {
    const std::scoped_lock lock(mutex);
    return delivered;
  }
  SourcePosition position() { return store->find(id)->endpoint.position; }
  // A change with a message of so many bytes.
  static std::string json_for(std::size_t message_bytes) {
    constexpr std::string_view k_around = R"({"type":"held","timestamp":"1970-01-01T00:00:00Z","data":""})";
    return "\"" + std::string(message_bytes - k_around.size(), 'x') + "\"";
  }

  const Uuid id = id_of(1);
  std::filesystem::path folder;
  std::unique_ptr<FailingStore> store;
  std::mutex mutex;
  std::vector<std::uint64_t> delivered;
  std::multiset<std::uint64_t> rejections;   // so many times each
  std::atomic<bool> hangs{false};
  std::atomic<int> hanging{0};
  std::atomic<std::uint64_t> held{0};   // the message of this change waits until this is another number
  std::string gone_url;   // this URL answers 410
  std::unique_ptr<Webhooks> webhooks;
};

TEST_F(RelayTest, AGroupIsDeliveredInOrderAndThePositionFollows) {
  ScriptedSource source(300, 1);   // more than are in memory at once
  start(source);
  ASSERT_TRUE(eventually([&] { return position() == "300"; }));
  std::vector<std::uint64_t> all(300);
  std::iota(all.begin(), all.end(), 1U);
  EXPECT_EQ(seen(), all);
}

TEST_F(RelayTest, OnlyTheGroupOfAFailureWaits) {
  ScriptedSource source(6, 2);
  rejections = {1, 1};
  start(source, {.retry = {std::chrono::milliseconds(300), std::chrono::milliseconds(300)}});
  ASSERT_TRUE(eventually([&] { return position() == "6"; }));
  EXPECT_THAT(seen(), ElementsAre(2, 4, 6)) << "the position is behind what is in the queue";
  ASSERT_TRUE(eventually([&] { return seen().size() == 6; }));
  EXPECT_THAT(seen(), ElementsAre(2, 4, 6, 1, 3, 5));
  ASSERT_TRUE(eventually([&] { return store->queue(id).messages == 0; }));
}

TEST_F(RelayTest, AnEndpointThatRefusesEverySecondMessageGetsAllInOrder) {
  ScriptedSource source(200, 10);
  for (std::uint64_t seq = 2; seq <= 200; seq += 2) rejections.insert(seq);
  start(source);
  ASSERT_TRUE(eventually([&] { return seen().size() == 200; }));
  std::map<std::uint64_t, std::uint64_t> last;
  for (const std::uint64_t seq : seen()) {
    EXPECT_GT(seq, std::exchange(last[seq % 10], seq));
  }
}

TEST_F(RelayTest, AFailingSourceIsRetried) {
  ScriptedSource source(3, 1);
  source.failures = 1;
  start(source);
  ASSERT_TRUE(eventually([&] { return position() == "3"; }));
  EXPECT_THAT(seen(), ElementsAre(1, 2, 3));
}

TEST_F(RelayTest, AFailingStoreLosesNoFailedMessage) {
  ScriptedSource source(4, 1);
  rejections = {2};
  store->failures = 1;
  start(source);
  ASSERT_TRUE(eventually([&] { return position() == "4" && store->queue(id).messages == 0; }));
  EXPECT_THAT(seen(), ElementsAre(1, 1, 2, 3, 4)) << "what was not noted is sent again, in order";
}

TEST_F(RelayTest, ChangesThatAreNoLongerKeptAreCounted) {
  ScriptedSource source(5, 1);
  source.kept_from = 3;
  start(source);
  ASSERT_TRUE(eventually([&] { return position() == "5"; }));
  EXPECT_THAT(seen(), ElementsAre(4, 5));
  EXPECT_EQ(webhooks->counters().lost, 1U);
}

TEST_F(RelayTest, AnUnreadableChangeWaitsInTheQueueAndNothingWaitsForIt) {
  ScriptedSource source(6, 2);
  source.unreadable_reservation = 1;   // changes 1, 3 and 5
  start(source);
  ASSERT_TRUE(eventually([&] { return position() == "6"; }));
  EXPECT_THAT(seen(), ElementsAre(2, 4, 6));
  ASSERT_TRUE(eventually([&] { return !store->of_group(id, to_string(id_of(1)), 1).at(0).last_error.empty(); })) << "asked for again";
  EXPECT_EQ(store->queue(id).messages, 3U);
  webhooks->stop();
  source.unreadable_reservation = 0;
  start(source);   // it is kept over a restart
  ASSERT_TRUE(eventually([&] { return seen().size() == 6; }));
  EXPECT_THAT(seen(), ElementsAre(2, 4, 6, 1, 3, 5));
  EXPECT_TRUE(eventually([&] { return store->queue(id).messages == 0; }));
}

TEST_F(RelayTest, AnUnreadableChangeIsQueuedBehindOlderOnesOfItsReservationThatFail) {
  ScriptedSource source(6, 2);
  source.unreadable_reservation = 1;
  source.unreadable_from = 3;   // changes 3 and 5; 1 can be read
  rejections = {1};
  start(source, {.retry = {std::chrono::milliseconds(50)}});
  ASSERT_TRUE(eventually([&] { return seen().size() == 4; }));
  EXPECT_THAT(seen(), testing::UnorderedElementsAre(1, 2, 4, 6)) << "1 waits for none that cannot be read";
  ASSERT_TRUE(eventually([&] { return store->queue(id).messages == 2; }));
  source.unreadable_reservation = 0;
  ASSERT_TRUE(eventually([&] { return store->queue(id).messages == 0; }));
  std::uint64_t last = 0;
  for (const std::uint64_t seq : seen()) {
    if (seq % 2 == 1) EXPECT_GT(seq, std::exchange(last, seq));
  }
}

TEST_F(RelayTest, AMessageThatWasUnreadableAtFirstDiesLikeAnyOther) {
  ScriptedSource source(1, 1);
  source.unreadable_reservation = 1;
  source.tells_kind = false;
  rejections = {1, 1, 1};
  start(source);
  ASSERT_TRUE(eventually([&] { return store->queue(id).messages == 1; }));
  EXPECT_EQ(store->of_group(id, to_string(id_of(1)), 1).at(0).kind, ChangeKind{});
  source.unreadable_reservation = 0;
  ASSERT_TRUE(eventually([&] { return store->dead(id, 0, 1).size() == 1; }));
  const QueuedMessage dead = store->dead(id, 0, 1).front();
  EXPECT_EQ(dead.kind, ChangeKind::held);
  EXPECT_THAT(dead.body, testing::HasSubstr(R"({"type":"held",)"));
  EXPECT_THAT(seen(), testing::IsEmpty());
}

TEST_F(RelayTest, AMessageThatCanNeverBeReadLeavesTheQueueAndIsCountedAsLost) {
  ScriptedSource source(2, 1);
  source.unreadable_reservation = 1;
  start(source);
  ASSERT_TRUE(eventually([&] { return store->queue(id).messages == 2; }));
  source.is_gone = true;
  ASSERT_TRUE(eventually([&] { return store->queue(id).messages == 0; }));
  EXPECT_EQ(webhooks->counters().lost, 2U);
  EXPECT_EQ(store->find(id)->dead, 0U);
  EXPECT_THAT(seen(), testing::IsEmpty());
}

TEST_F(RelayTest, AMessageWhoseKindIsLearnedLateIsNotSentIfUnwanted) {
  ScriptedSource source(1, 1);
  source.unreadable_reservation = 1;
  source.tells_kind = false;
  ASSERT_TRUE(store->change(id, [](Endpoint& each) { each.kinds = kind_bit(ChangeKind::released); }));
  start(source);
  ASSERT_TRUE(eventually([&] { return store->queue(id).messages == 1; }));
  source.unreadable_reservation = 0;
  ASSERT_TRUE(eventually([&] { return store->queue(id).messages == 0; }));
  EXPECT_THAT(seen(), testing::IsEmpty());
}

TEST_F(RelayTest, AChangeThatIsUnreadForLongIsReportedAsPending) {
  ScriptedSource source(3, 1);
  source.failures = 1'000;
  start(source);
  EXPECT_TRUE(eventually([&] { return webhooks->oldest_pending().count() > 0; }));
  source.failures = 0;
  EXPECT_TRUE(eventually([&] { return position() == "3" && webhooks->oldest_pending().count() == 0; }));
}

TEST_F(RelayTest, AStopDoesNotWaitForASilentEndpoint) {
  ScriptedSource source(20, 20);
  hangs = true;
  start(source, {.stop_time = std::chrono::milliseconds(50)});
  ASSERT_TRUE(eventually([&] { return hanging == 8; }));
  webhooks->stop();
  EXPECT_EQ(position(), "") << "what was not answered is sent again";
  hangs = false;
  start(source);
  EXPECT_TRUE(eventually([&] { return seen().size() == 20; }));
}

// After a page that fills the memory, nothing is read until some of it has been delivered.
TEST_F(RelayTest, HasUpTo256MessagesInMemory) {
  ScriptedSource source(1'000, 200);
  hangs = true;
  start(source, {.stop_time = std::chrono::milliseconds(50)});
  ASSERT_TRUE(eventually([&] { return hanging == 8; })) << "it has read what it may, and sends";
  webhooks->stop();
  EXPECT_EQ(source.furthest, 256U);
}

TEST_F(RelayTest, HasUpTo4MiBInMemory) {
  hangs = true;
  for (const std::size_t missing : {0U, 1U}) {   // so many bytes are missing for a page of 64 messages to fill it
    ScriptedSource source(1'000, 200);
    source.json = json_for(64 * 1'024 - missing);
    hanging = 0;
    start(source, {.stop_time = std::chrono::milliseconds(50)});
    ASSERT_TRUE(eventually([&] { return hanging == 8; }));
    webhooks->stop();
    EXPECT_EQ(source.furthest, missing == 0 ? 64U : 128U);
  }
}

// Messages of a waiting group go into the queue at once when they are read, up to all that may be in memory.
TEST_F(RelayTest, ReadsNothingMoreWhenTenThousandMessagesWait) {
  constexpr std::uint64_t k_most = 10'000, k_in_memory = 256;
  ScriptedSource source(2 * k_most, 1);
  rejections = {1};
  start(source, {.retry = {std::chrono::hours(1)}});
  ASSERT_TRUE(eventually([&] { return store->queue(id).messages >= k_most; }));
  webhooks->stop();
  EXPECT_LT(store->queue(id).messages, k_most + k_in_memory);
  EXPECT_EQ(source.furthest, store->queue(id).messages);
}

// Their number has no other end: an event that is damaged may have had any number of changes.
TEST_F(RelayTest, ReadsNothingMoreWhenTheQueueIsFullOfWhatCannotBeReadAndGoesOnByItself) {
  constexpr std::uint64_t k_changes = 1'000, k_most = 50, k_in_memory = 256;
  ScriptedSource source(k_changes, 2);
  source.unreadable_reservation = 1;
  start(source, {.queue_max = k_most});
  ASSERT_TRUE(eventually([&] { return store->queue(id).messages >= k_most && position() == std::to_string(source.furthest); }));
  EXPECT_LT(store->queue(id).messages, k_most + k_in_memory);
  EXPECT_LT(source.furthest, k_changes);
  EXPECT_EQ(seen().size(), source.furthest / 2) << "those of the other reservation before that";
  source.unreadable_reservation = 0;
  ASSERT_TRUE(eventually([&] { return position() == std::to_string(k_changes) && store->queue(id).messages == 0; }));
  std::map<std::uint64_t, std::uint64_t> last;
  for (const std::uint64_t seq : seen()) EXPECT_GT(seq, std::exchange(last[seq % 2], seq));
  EXPECT_EQ(seen().size(), k_changes);
}

TEST_F(RelayTest, ReadsNothingMoreWhen64MiBWait) {
  constexpr std::uint64_t k_messages = 1'024, k_bytes = 64 * 1'024;
  ScriptedSource source(2 * k_messages, 1);
  source.json = json_for(k_bytes);
  rejections = {1};
  start(source, {.retry = {std::chrono::hours(1)}});
  ASSERT_TRUE(eventually([&] { return store->queue(id).messages >= k_messages; }));
  webhooks->stop();
  EXPECT_EQ(store->queue(id).bytes, k_messages * k_bytes);
  EXPECT_EQ(source.furthest, k_messages);
}

TEST_F(RelayTest, AThousandDeadMessagesAreKeptAndTheOldestOfOneMoreIsDropped) {
  constexpr std::uint64_t k_most = 1'000;
  ScriptedSource source(k_most + 1, 200);
  for (std::uint64_t seq = 1; seq <= k_most + 1; ++seq) rejections.insert({seq, seq});   // of both attempts
  start(source, {.retry = {std::chrono::milliseconds(1)}});
  ASSERT_TRUE(eventually([&] { return store->find(id)->dead + store->find(id)->dead_dropped == k_most + 1; }));
  EXPECT_EQ(store->find(id)->dead, k_most);
  EXPECT_EQ(store->find(id)->dead_dropped, 1U);
  EXPECT_TRUE(seen().empty());
}

TEST_F(RelayTest, ARedeliveredMessageWaitsOnlyForItsGroup) {
  ScriptedSource source(1, 1);
  rejections = {1, 1, 1};
  start(source);
  ASSERT_TRUE(eventually([&] { return store->find(id)->dead == 1; }));
  held = 2;
  source.grow_to(2);
  webhooks->notify();
  ASSERT_TRUE(eventually([&] { return hanging == 1; }));
  ASSERT_EQ(store->revive(id, {}, wall_time()), 1U);
  webhooks->changed(id);
  source.grow_to(3);   // the reload is done: change 3 goes after the first, because its group is in the queue by now
  webhooks->notify();
  ASSERT_TRUE(eventually([&] { return store->queue(id).messages == 2; }));
  held = 0;
  EXPECT_TRUE(eventually([&] { return seen().size() == 3; }));
  EXPECT_THAT(seen(), ElementsAre(2, 1, 3));
}

TEST_F(RelayTest, A410OfAFormerUrlDoesNotDisableTheWebhook) {
  ScriptedSource source(1, 1);
  gone_url = "https://example.org/";
  held = 1;
  // Repeats until this relay has learned of the new URL.
  start(source, {.retry = std::vector<std::chrono::milliseconds>(10'000, std::chrono::milliseconds(5))});
  ASSERT_TRUE(eventually([&] { return hanging == 1; }));
  ASSERT_TRUE(store->change(id, [](Endpoint& endpoint) { endpoint.url = "https://example.org/new"; }));
  // As on another node: this one has not heard of the change when the answer comes.
  held = 0;
  ASSERT_TRUE(eventually([&] { return store->find(id)->last_failure_at != 0 || !store->find(id)->endpoint.enabled; }));
  EXPECT_TRUE(store->find(id)->endpoint.enabled);
  webhooks->changed(id);
  EXPECT_TRUE(eventually([&] { return seen().size() == 1; }));
}

TEST_F(RelayTest, ARemovedEndpointEndsItsRelay) {
  ScriptedSource source(20, 20);
  hangs = true;
  start(source, {.stop_time = std::chrono::milliseconds(50)});
  ASSERT_TRUE(eventually([&] { return hanging == 8; }));
  ASSERT_TRUE(store->remove(id));
  hangs = false;
  webhooks->changed(id);
  webhooks->stop();
  EXPECT_TRUE(seen().empty());
}

// ---- the file of the store

struct WebhookFile : RelayTest {
  std::string file = (folder / "new.db").string();
  static std::string why_not(const std::string& path) {
    try {
      open_webhook_file(path);
      return "it is open";
    } catch (const DataError& error) {
      return error.what();
    }
  }
};

TEST_F(WebhookFile, IsCreatedForItsOwnerAloneByWhoeverIsFirst) {
  std::atomic<int> opened{0};
  {
    std::vector<std::jthread> openers;
    for (int i = 0; i < 8; ++i) {
      openers.emplace_back([&] {
        create_private_file_if_missing(file);
        ++opened;
      });
    }
  }
  EXPECT_EQ(opened, 8);
  EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(why_not(file), "it is open");
  EXPECT_EQ(why_not(file), "it is open") << "again";
  EXPECT_THROW(create_private_file(file), DataError) << "for those that must be the first";
}

TEST_F(WebhookFile, ThatCannotBeCreatedIsReportedWithWhatHoldfastNeeds) {
  for (const std::string& path : {(folder / "missing" / "new.db").string(), (folder / "registry.db" / "new.db").string()}) {
    EXPECT_THAT(why_not(path), testing::StartsWith("cannot create " + path + ": "));
    EXPECT_THAT(why_not(path), testing::EndsWith(". Holdfast needs to write to its data folder."));
  }
}

}  // namespace
}  // namespace holdfast::feed
