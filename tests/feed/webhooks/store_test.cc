// The store of webhooks, in a file and in a database: a queue that keeps the order of each group, dead messages, and calls that
// are carried out only once.
#include <gmock/gmock.h>

#include "feed/stores_in_test.h"

namespace holdfast::test {
namespace {

using feed::Endpoint;
using feed::QueuedMessage;
using feed::WebhookStore;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

Uuid id_of(std::uint8_t number) {
  Uuid id{};
  id.data[15] = number;
  return id;
}

QueuedMessage message(const std::string& id, const std::string& group, Millis next_at) {
  return {.id = id, .kind = ChangeKind::held, .group = group, .attempts = 1, .next_at = next_at, .body = "{\"" + id + "\":1}"};
}

class WebhookStoreTest : public testing::TestWithParam<Home> {
 protected:
  WebhookStoreTest() {
    endpoint.secret = std::string("\0secret\xFF", 8);
    endpoint.url = "https://example.org/";
    EXPECT_EQ(store->create(endpoint, {}), WebhookStore::Made::created);
  }

  void reopen() { store = stores->open_webhooks(); }
  std::vector<std::string> due(Millis now) { return store->due_groups(endpoint.id, now, 100); }
  std::vector<std::string> of(const std::string& group) {
    std::vector<std::string> ids;
    for (const QueuedMessage& each : store->of_group(endpoint.id, group, 100)) ids.push_back(each.id);
    return ids;
  }
  std::int64_t number_of(const std::string& group) { return store->of_group(endpoint.id, group, 1).at(0).number; }

  std::unique_ptr<StoresInTest> stores = StoresInTest::in(GetParam());
  const feed::Epoch epoch = stores->epoch();
  std::unique_ptr<WebhookStore> store = stores->open_webhooks();
  Endpoint endpoint{.id = id_of(1), .created_at = 7, .position = "12.3"};
};

INSTANTIATE_TEST_SUITE_P(In, WebhookStoreTest, k_homes, name_of_home);

TEST_P(WebhookStoreTest, AnEndpointIsUnchangedAfterReopening) {
  reopen();
  const auto report = store->find(endpoint.id);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->endpoint.secret, endpoint.secret);
  EXPECT_EQ(report->endpoint.url, endpoint.url);
  EXPECT_EQ(report->endpoint.position, "12.3");
  EXPECT_EQ(report->endpoint.kinds, feed::k_all_kinds);
  EXPECT_TRUE(report->endpoint.enabled);
  EXPECT_FALSE(store->find(id_of(2)));
}

TEST_P(WebhookStoreTest, ProgressChangesOnlyTheGivenMembers) {
  store->save(epoch, endpoint.id, {.position = "20"});
  store->save(epoch, endpoint.id, {.last_success_at = 50});
  store->save(epoch, endpoint.id, {.last_failure_at = 60, .last_error = "no"});
  store->save(epoch, endpoint.id, {.position = "21", .last_success_at = 70});
  const auto report = store->find(endpoint.id).value();
  EXPECT_EQ(report.endpoint.position, "21");
  EXPECT_EQ(report.last_success_at, 70);
  EXPECT_EQ(report.last_failure_at, 60);
  EXPECT_EQ(report.last_error, "no");
}

TEST_P(WebhookStoreTest, AnEndpointIsDisabledOnlyUnderTheUrlThatAnswered) {
  EXPECT_FALSE(store->disable(epoch, endpoint.id, "https://example.org/former", "gone"));
  EXPECT_TRUE(store->find(endpoint.id)->endpoint.enabled);
  EXPECT_TRUE(store->disable(epoch, endpoint.id, endpoint.url, "gone"));
  EXPECT_FALSE(store->find(endpoint.id)->endpoint.enabled);
  EXPECT_FALSE(store->disable(epoch, id_of(2), endpoint.url, "gone")) << "there is none";
}

TEST_P(WebhookStoreTest, AMessageGetsItsBodyAndItsKindWhenTheyAreKnown) {
  QueuedMessage unread = message("a1", "a", 100);
  unread.kind = {};
  unread.body.clear();
  unread.attempts = 4;
  const std::vector<QueuedMessage> messages = {unread, message("a2", "a", 100)};
  EXPECT_THAT(store->enqueue(epoch, endpoint.id, messages), ElementsAre(true, true));
  store->complete(epoch, endpoint.id, number_of("a"), ChangeKind::released, R"({"now":"known"})");
  reopen();
  const QueuedMessage first = store->of_group(endpoint.id, "a", 1).at(0);
  EXPECT_EQ(first.id, "a1");
  EXPECT_EQ(first.kind, ChangeKind::released);
  EXPECT_EQ(first.body, R"({"now":"known"})");
  EXPECT_EQ(first.attempts, 0U);
}

TEST_P(WebhookStoreTest, OnlyTheFirstMessageOfAGroupIsEverDue) {
  const std::vector<QueuedMessage> messages = {message("a1", "a", 100), message("b1", "b", 50), message("a2", "a", 10)};
  EXPECT_THAT(store->enqueue(epoch, endpoint.id, messages), ElementsAre(true, true, true));
  reopen();
  EXPECT_THAT(due(49), IsEmpty());
  EXPECT_EQ(store->next_due(endpoint.id, 0), 50);
  EXPECT_EQ(store->next_due(endpoint.id, 50), 100);
  EXPECT_THAT(due(100), ElementsAre("b", "a"));
  EXPECT_THAT(of("a"), ElementsAre("a1", "a2"));
  store->postpone(epoch, endpoint.id, number_of("a"), 2, 200, "again");
  EXPECT_THAT(due(199), ElementsAre("b"));
  EXPECT_EQ(store->of_group(endpoint.id, "a", 1).at(0).attempts, 2U);
  store->settle(epoch, endpoint.id, number_of("a"), 120);
  EXPECT_THAT(of("a"), ElementsAre("a2"));
  EXPECT_THAT(due(120), ElementsAre("b", "a")) << "its turn has come";
  store->settle(epoch, endpoint.id, number_of("a"), 130);
  store->settle(epoch, endpoint.id, number_of("b"), 130);
  EXPECT_EQ(store->next_due(endpoint.id, 0), k_never);
  EXPECT_EQ(store->queue(endpoint.id).messages, 0U);
}

TEST_P(WebhookStoreTest, AMessageIsQueuedOnlyOnce) {
  const std::vector<QueuedMessage> messages = {message("a1", "a", 1), message("a2", "a", 1)};
  store->enqueue(epoch, endpoint.id, messages);
  EXPECT_THAT(store->enqueue(epoch, endpoint.id, messages), ElementsAre(false, false));
  store->bury(epoch, endpoint.id, number_of("a"), 9, 5, "dead", 10);
  EXPECT_THAT(store->enqueue(epoch, endpoint.id, messages), ElementsAre(false, false)) << "not when it is dead either";
  const auto queue = store->queue(endpoint.id);
  EXPECT_EQ(queue.messages, 1U);
  EXPECT_EQ(queue.bytes, messages[1].body.size());
  EXPECT_EQ(queue.groups, (std::map<std::string, std::uint64_t>{{"a", 1}}));
}

TEST_P(WebhookStoreTest, DeadMessagesAreKeptUpToALimitAndComeBackInOrder) {
  const std::vector<QueuedMessage> messages = {message("a1", "a", 1), message("a2", "a", 1), message("a3", "a", 1), message("a4", "a", 1)};
  store->enqueue(epoch, endpoint.id, messages);
  for (Millis now = 10; now < 13; ++now) store->bury(epoch, endpoint.id, number_of("a"), 9, now, "dead", 2);
  const auto report = store->find(endpoint.id).value();
  EXPECT_EQ(report.dead, 2U);
  EXPECT_EQ(report.dead_dropped, 1U);
  EXPECT_EQ(report.pending, 1U);
  const auto dead = store->dead(endpoint.id, 0, 10);
  ASSERT_EQ(dead.size(), 2U);
  EXPECT_EQ(dead[0].id, "a2");
  EXPECT_EQ(dead[0].died_at, 11);
  EXPECT_EQ(store->dead(endpoint.id, dead[0].number, 10).at(0).id, "a3");
  EXPECT_EQ(store->revive(endpoint.id, std::vector<std::string>{"a3", "a1"}, 20), 1U);
  EXPECT_EQ(store->revive(endpoint.id, {}, 20), 1U);
  EXPECT_THAT(of("a"), ElementsAre("a2", "a3", "a4"));
  EXPECT_EQ(store->of_group(endpoint.id, "a", 3).at(1).next_at, k_never);
  EXPECT_THAT(due(20), ElementsAre("a"));
}

TEST_P(WebhookStoreTest, EachDeadMessageThatIsDroppedIsCountedOnceHoweverManyAreDroppedTogether) {
  const std::vector<QueuedMessage> messages = {message("a1", "a", 1), message("a2", "a", 1), message("a3", "a", 1),
                                               message("a4", "a", 1), message("a5", "a", 1), message("a6", "a", 1)};
  store->enqueue(epoch, endpoint.id, messages);
  const auto bury = [&](std::size_t dead_max) { store->bury(epoch, endpoint.id, number_of("a"), 9, 10, "dead", dead_max); };
  for (int i = 0; i < 4; ++i) bury(10);
  EXPECT_EQ(store->find(endpoint.id)->dead_dropped, 0U);
  bury(2);   // the limit is an option, and was lowered
  EXPECT_EQ(store->find(endpoint.id)->dead_dropped, 3U);
  bury(2);
  const auto report = store->find(endpoint.id).value();
  EXPECT_EQ(report.dead_dropped, 4U);
  EXPECT_EQ(report.dead, 2U);
  EXPECT_EQ(store->dead(endpoint.id, 0, 10).at(0).id, "a5");
}

TEST_P(WebhookStoreTest, ADeliveredMessageLeavesItsGroupToEarlierOnesThatCameBack) {
  store->enqueue(epoch, endpoint.id, std::vector{message("a1", "a", 1), message("a2", "a", 1), message("a3", "a", 1)});
  store->bury(epoch, endpoint.id, number_of("a"), 9, 5, "dead", 10);
  const std::int64_t second = number_of("a");   // in flight …
  store->revive(endpoint.id, {}, 6);
  store->postpone(epoch, endpoint.id, number_of("a"), 1, 500, "again");
  store->settle(epoch, endpoint.id, second, 7);   // … and delivered
  EXPECT_THAT(of("a"), ElementsAre("a1", "a3"));
  EXPECT_THAT(due(499), IsEmpty()) << "a1 is the first, and waits";
  store->settle(epoch, endpoint.id, number_of("a"), 501);
  EXPECT_THAT(due(501), ElementsAre("a"));
}

TEST_P(WebhookStoreTest, ARemovedEndpointTakesItsMessagesWithIt) {
  const std::vector<QueuedMessage> messages = {message("a1", "a", 1)};
  store->enqueue(epoch, endpoint.id, messages);
  const std::int64_t number = number_of("a");
  EXPECT_TRUE(store->remove(endpoint.id));
  EXPECT_FALSE(store->remove(endpoint.id));
  EXPECT_THAT(store->enqueue(epoch, endpoint.id, messages), ElementsAre(false)) << "a delivery may end after its endpoint";
  store->settle(epoch, endpoint.id, number, 1);
  store->bury(epoch, endpoint.id, number, 1, 1, "", 1);
  store->save(epoch, endpoint.id, {.position = "30"});
  EXPECT_THAT(store->list(), IsEmpty());
}

TEST_P(WebhookStoreTest, ACallWithAKeyIsCarriedOutOnce) {
  Endpoint first{.id = id_of(2), .url = "https://a/", .secret = "s"};
  EXPECT_EQ(store->create(first, {"key", "request"}), WebhookStore::Made::created);
  Endpoint second{.id = id_of(3), .url = "https://a/", .secret = "t"};
  EXPECT_EQ(store->create(second, {"key", "request"}), WebhookStore::Made::replayed);
  EXPECT_EQ(second.id, first.id);
  EXPECT_EQ(second.secret, "s");
  EXPECT_EQ(store->create(second, {"key", "other"}), WebhookStore::Made::key_reused);
  const auto rotate = [](Endpoint& each) { each.secret += "+"; };
  EXPECT_EQ(store->change_once(first.id, {"once", "r"}, rotate), WebhookStore::Changed::changed);
  EXPECT_EQ(store->change_once(first.id, {"once", "r"}, rotate), WebhookStore::Changed::replayed);
  EXPECT_EQ(store->change_once(first.id, {"once", "q"}, rotate), WebhookStore::Changed::key_reused);
  EXPECT_EQ(store->change_once(id_of(9), {"once", "r"}, rotate), WebhookStore::Changed::not_found);
  EXPECT_EQ(store->find(first.id)->endpoint.secret, "s+");
}

TEST_P(WebhookStoreTest, TextsAreKeptByteByByte) {
  const std::string odd("\0 \xC3\xBC \xFF cut \xC3", 12);
  store->change(endpoint.id, [&](Endpoint& each) { each.description = odd; });
  store->save(epoch, endpoint.id, {.last_failure_at = 5, .last_error = odd});
  QueuedMessage made = message("a1", "a", 1);
  made.last_error = odd;
  store->enqueue(epoch, endpoint.id, std::vector{made});
  reopen();
  EXPECT_EQ(store->find(endpoint.id)->endpoint.description, odd);
  EXPECT_EQ(store->find(endpoint.id)->last_error, odd);
  EXPECT_EQ(store->of_group(endpoint.id, "a", 1).at(0).last_error, odd);
}

TEST_P(WebhookStoreTest, EveryChangeThroughTheApiRaisesTheRevision) {
  std::int64_t before = store->revision();
  const auto moved = [&] {
    const std::int64_t now = store->revision();
    return std::exchange(before, now) != now;
  };
  EXPECT_FALSE(moved());
  Endpoint second{.id = id_of(2), .url = "https://a/"};
  store->create(second, {});
  EXPECT_TRUE(moved());
  store->change(second.id, [](Endpoint& each) { each.enabled = false; });
  EXPECT_TRUE(moved());
  store->change_once(second.id, {"k", "r"}, [](Endpoint& each) { each.secret = "t"; });
  EXPECT_TRUE(moved());
  store->enqueue(epoch, second.id, std::vector{message("a1", "a", 1)});
  store->save(epoch, second.id, {.position = "3"});
  store->bury(epoch, second.id, store->of_group(second.id, "a", 1).at(0).number, 9, 5, "dead", 10);
  EXPECT_FALSE(moved()) << "what its own relay does, a relay need not read again";
  store->revive(second.id, {}, 6);
  EXPECT_TRUE(moved());
  store->remove(second.id);
  EXPECT_TRUE(moved());
}

TEST_P(WebhookStoreTest, HasALimitOfEndpoints) {
  for (std::size_t i = 2; i <= feed::k_endpoints_max; ++i) {
    Endpoint more{.id = id_of(static_cast<std::uint8_t>(i))};
    ASSERT_EQ(store->create(more, {}), WebhookStore::Made::created);
  }
  Endpoint one_more{.id = id_of(200)};
  EXPECT_EQ(store->create(one_more, {}), WebhookStore::Made::too_many);
  const auto all = store->list();
  ASSERT_EQ(all.size(), feed::k_endpoints_max);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].endpoint.id, id_of(static_cast<std::uint8_t>(i + 1))) << "the oldest first";
}

}  // namespace
}  // namespace holdfast::test
