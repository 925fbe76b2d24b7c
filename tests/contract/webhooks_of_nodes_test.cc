// Webhooks of several nodes over one database, with the real program: any node takes calls, one node sends, and another takes
// over when it dies.
#include <gmock/gmock.h>

#include <set>

#include "support/events.h"
#include "support/receiver.h"
#include "support/server.h"
#include "support/services.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;

struct Nodes : testing::Test {
  Nodes() { EXPECT_EQ(run_holdfast({"migrate", "--ledger", database.url()}).status, 0); }

  ServerSettings settings() const {
    return {.flags = {"--ledger", database.url(), "--webhooks-allow-hosts", "127.0.0.1"}, .environment = {}, .data = {}};
  }
  static bool relays(Server& node) {
    Client client = node.connect();
    return metric(client, "holdfast_webhook_relaying") == 1;
  }
  static std::string create(Client& client, const std::string& url) {
    const Answer made = client.post("/v1/webhooks", R"({"types":["held","released"],"url":)" + json_of(url) + "}");
    EXPECT_EQ(made.status, 201) << made;
    return string_of(made.json().at("id"));
  }
  // Holds a seat and releases it again. Returns the reservation's id.
  static std::string hold_and_release(Client& client, const std::string& seat) {
    const Answer held = hold(client, "customer-1", {seat});
    EXPECT_EQ(held.status, 201) << held;
    const std::string id = string_of(held.json().at("id"));
    const Answer released = client.post("/v1/reservations/" + id + "/release", "{}");
    EXPECT_EQ(released.status, 200) << released;
    return id;
  }
  // Types by reservation, of messages in the order of their first arrival.
  static std::map<std::string, std::string> told(const Receiver& receiver) {
    std::map<std::string, std::string> types;
    std::set<std::string> seen;
    for (const Received& each : receiver.received()) {
      if (seen.insert(each.id()).second) types[each.reservation()] += each.type() + " ";
    }
    return types;
  }

  PostgresDatabase database;
  Receiver receiver;
};

TEST_F(Nodes, OneOfThemSendsTheChangesOfAll) {
  Server first(settings());
  ASSERT_TRUE(eventually([&] { return relays(first); }));
  Server second(settings());
  Client a = first.connect();
  Client b = second.connect();
  create(b, receiver.url());   // at the node that does not relay
  const TestEvent event = make_event(a, 40);
  std::set<std::string> reservations;
  for (std::size_t i = 0; i < 40; ++i) reservations.insert(hold_and_release(i % 2 == 0 ? a : b, event[i]));
  ASSERT_TRUE(eventually([&] { return told(receiver).size() == 40; }));
  EXPECT_TRUE(
      eventually([&] { return std::ranges::all_of(told(receiver), [](const auto& each) { return each.second == "held released "; }); }));
  EXPECT_EQ(receiver.received().size(), 80U) << "each once: nothing has failed";
  EXPECT_FALSE(relays(second));
}

TEST_F(Nodes, WhenTheSenderIsKilledAnotherGoesOnAndNothingIsLost) {
  Server first(settings());
  ASSERT_TRUE(eventually([&] { return relays(first); }));
  Server second(settings());
  Client a = first.connect();
  Client b = second.connect();
  create(a, receiver.url());
  const TestEvent event = make_event(a, 60);
  for (std::size_t i = 0; i < 30; ++i) hold_and_release(i % 2 == 0 ? a : b, event[i]);
  first.kill();
  for (std::size_t i = 30; i < 60; ++i) hold_and_release(b, event[i]);
  ASSERT_TRUE(eventually([&] { return told(receiver).size() == 60; }));
  EXPECT_TRUE(
      eventually([&] { return std::ranges::all_of(told(receiver), [](const auto& each) { return each.second == "held released "; }); }));
  EXPECT_TRUE(relays(second));
}

TEST_F(Nodes, CallsAboutWebhooksWorkOnEveryNode) {
  Receiver other;
  Server first(settings());
  ASSERT_TRUE(eventually([&] { return relays(first); }));
  Server second(settings());
  Client a = first.connect();
  Client b = second.connect();
  const std::string id = create(a, receiver.url());
  EXPECT_EQ(b.get("/v1/webhooks/" + id).status, 200);
  const Answer tested = b.post("/v1/webhooks/" + id + "/test", "{}");
  EXPECT_EQ(tested.status, 200) << tested;
  EXPECT_THAT(tested.bytes, HasSubstr(R"("delivered":true)"));

  EXPECT_EQ(b.request("PATCH", "/v1/webhooks/" + id, R"({"url":)" + json_of(other.url()) + "}").status, 200);
  const TestEvent event = make_event(b, 30);
  std::size_t seat = 0;
  ASSERT_TRUE(eventually([&] {
    if (seat < event.seats.size()) hold_and_release(a, event[seat++]);
    return !other.received().empty();
  }));
  EXPECT_EQ(b.post("/v1/webhooks/" + id + "/rotate-secret", "{}").status, 200);
  EXPECT_EQ(b.request("DELETE", "/v1/webhooks/" + id, "").status, 204);
  EXPECT_EQ(a.get("/v1/webhooks/" + id).status, 404);
}

TEST_F(Nodes, ANewOrRevokedKeyCountsOnEveryNodeWithinTwoSeconds) {
  Server first(settings());
  Server second(settings());
  Client a = first.connect();
  Client b = second.connect();
  EXPECT_EQ(b.get("/v1/events").status, 200) << "open on loopback";
  const Finished made = run_holdfast({"keys", "create", "--ledger", database.url(), "--name", "n", "--scopes", "read"});
  ASSERT_EQ(made.status, 0) << made.everything();
  const Headers key = {{"Authorization", "Bearer " + made.out.substr(0, made.out.find('\n'))}};
  ASSERT_TRUE(eventually([&] { return a.get("/v1/events").status == 401 && b.get("/v1/events").status == 401; }));
  EXPECT_EQ(a.get("/v1/events", key).status, 200);
  EXPECT_EQ(b.get("/v1/events", key).status, 200);
  const std::string list = run_holdfast({"keys", "list", "--ledger", database.url()}).out;
  EXPECT_EQ(run_holdfast({"keys", "revoke", "--ledger", database.url(), list.substr(0, list.find(' '))}).status, 0);
  EXPECT_TRUE(eventually([&] { return a.get("/v1/events", key).status == 401 && b.get("/v1/events", key).status == 401; }));
}

}  // namespace
}  // namespace holdfast::test
