// The store of webhooks: a queue that keeps the order of each group, dead messages, and calls that are not carried out twice.
#include "ledger/embedded/embedded_webhook_store.h"

#include <gmock/gmock.h>

#include "ledger/ledger_in_test.h"

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

struct WebhookStoreTest : testing::Test {
  WebhookStoreTest() {
    endpoint.secret = std::string("\0secret\xFF", 8);
    endpoint.url = "https://example.org/";
    EXPECT_EQ(store->create(endpoint, {}), WebhookStore::Made::created);
  }

  void reopen() { store = std::make_unique<EmbeddedWebhookStore>(file); }
  std::vector<std::string> due(Millis now) { return store->due_groups(endpoint.id, now, 100); }
  std::vector<std::string> of(const std::string& group) {
    std::vector<std::string> ids;
    for (const QueuedMessage& each : store->of_group(endpoint.id, group, 100)) ids.push_back(each.id);
    return ids;
  }
  std::int64_t number_of(const std::string& group) { return store->of_group(endpoint.id, group, 1).at(0).number; }

  TempFolder folder;
  std::string file = EmbeddedWebhookStore::file_in(folder.path());
  std::unique_ptr<EmbeddedWebhookStore> store = std::make_unique<EmbeddedWebhookStore>(file);
  Endpoint endpoint{.id = id_of(1), .created_at = 7, .position = "12.3"};
};

TEST_F(WebhookStoreTest, AnEndpointIsThereAsItWasMadeAlsoAfterAReopening) {
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

TEST_F(WebhookStoreTest, ProgressChangesOnlyWhatItSays) {
  store->save(endpoint.id, {.position = "20"});
  store->save(endpoint.id, {.last_success_at = 50});
  store->save(endpoint.id, {.last_failure_at = 60, .last_error = "no"});
  store->save(endpoint.id, {.position = "21", .last_success_at = 70});
  const auto report = store->find(endpoint.id).value();
  EXPECT_EQ(report.endpoint.position, "21");
  EXPECT_EQ(report.last_success_at, 70);
  EXPECT_EQ(report.last_failure_at, 60);
  EXPECT_EQ(report.last_error, "no");
}

TEST_F(WebhookStoreTest, OnlyTheFirstMessageOfAGroupIsEverDue) {
  const std::vector<QueuedMessage> messages = {message("a1", "a", 100), message("b1", "b", 50), message("a2", "a", 10)};
  EXPECT_THAT(store->enqueue(endpoint.id, messages), ElementsAre(true, true, true));
  reopen();
  EXPECT_THAT(due(49), IsEmpty());
  EXPECT_EQ(store->next_due(endpoint.id, 0), 50);
  EXPECT_EQ(store->next_due(endpoint.id, 50), 100);
  EXPECT_THAT(due(100), ElementsAre("b", "a"));
  EXPECT_THAT(of("a"), ElementsAre("a1", "a2"));
  store->postpone(endpoint.id, number_of("a"), 2, 200, "again");
  EXPECT_THAT(due(199), ElementsAre("b"));
  EXPECT_EQ(store->of_group(endpoint.id, "a", 1).at(0).attempts, 2U);
  store->settle(endpoint.id, number_of("a"), 120);
  EXPECT_THAT(of("a"), ElementsAre("a2"));
  EXPECT_THAT(due(120), ElementsAre("b", "a")) << "its turn has come";
  store->settle(endpoint.id, number_of("a"), 130);
  store->settle(endpoint.id, number_of("b"), 130);
  EXPECT_EQ(store->next_due(endpoint.id, 0), k_never);
  EXPECT_EQ(store->queue(endpoint.id).messages, 0U);
}

TEST_F(WebhookStoreTest, AMessageThatIsThereIsNotTakenTwice) {
  const std::vector<QueuedMessage> messages = {message("a1", "a", 1), message("a2", "a", 1)};
  store->enqueue(endpoint.id, messages);
  EXPECT_THAT(store->enqueue(endpoint.id, messages), ElementsAre(false, false));
  store->bury(endpoint.id, number_of("a"), 9, 5, "dead", 10);
  EXPECT_THAT(store->enqueue(endpoint.id, messages), ElementsAre(false, false)) << "not when it is dead either";
  const auto queue = store->queue(endpoint.id);
  EXPECT_EQ(queue.messages, 1U);
  EXPECT_EQ(queue.bytes, messages[1].body.size());
  EXPECT_EQ(queue.groups, (std::map<std::string, std::uint64_t>{{"a", 1}}));
}

TEST_F(WebhookStoreTest, TheDeadAreKeptUpToALimitAndComeBackInTheirOrder) {
  const std::vector<QueuedMessage> messages = {message("a1", "a", 1), message("a2", "a", 1), message("a3", "a", 1), message("a4", "a", 1)};
  store->enqueue(endpoint.id, messages);
  for (Millis now = 10; now < 13; ++now) store->bury(endpoint.id, number_of("a"), 9, now, "dead", 2);
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

TEST_F(WebhookStoreTest, ARemovedEndpointTakesAllThatIsItsWithIt) {
  const std::vector<QueuedMessage> messages = {message("a1", "a", 1)};
  store->enqueue(endpoint.id, messages);
  const std::int64_t number = number_of("a");
  EXPECT_TRUE(store->remove(endpoint.id));
  EXPECT_FALSE(store->remove(endpoint.id));
  EXPECT_THAT(store->enqueue(endpoint.id, messages), ElementsAre(false)) << "a delivery may end after its endpoint";
  store->settle(endpoint.id, number, 1);
  store->bury(endpoint.id, number, 1, 1, "", 1);
  store->save(endpoint.id, {.position = "30"});
  EXPECT_THAT(store->list(), IsEmpty());
}

TEST_F(WebhookStoreTest, ACallWithAKeyIsCarriedOutOnce) {
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

TEST_F(WebhookStoreTest, OtherTablesInTheFileAreLeftAlone) {
  sqlite::Database other(file, sqlite::Database::Mode::read_write);
  other.execute("CREATE TABLE api_key (id TEXT)");
  reopen();
  EXPECT_EQ(other.query_int("SELECT count(*) FROM api_key"), 0);
}

}  // namespace
}  // namespace holdfast::test
