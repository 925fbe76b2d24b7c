// The Kafka feed of the real program: every message of contract 1, exactly for what was committed, whatever dies in between.
#include <gmock/gmock.h>

#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "feed/kafka/program.h"

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::UnorderedElementsAre;

struct KafkaFeedProgram : testing::Test {
  bool read(KafkaReader& reader, std::size_t messages) {
    return reader.read_until([&] { return reader.messages().size() >= messages; }, 4 * k_patience);
  }
  static std::string id_of(const Answer& answer) { return string_of(answer.json().at("id")); }

  const std::string kafka = shared_kafka();
  const FeedNames names;
};

TEST_F(KafkaFeedProgram, PublishesAReservationFromCreationToSale) {
  Server server(with_feed(names, kafka));
  Client client = server.connect();
  const TestEvent event = make_event(client, 3);
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const Answer made = reserve(client, event[1], "customer-123", {{"traceparent", trace}});
  ASSERT_EQ(made.status, 201) << made;
  const std::string id = string_of(made.json().at("reservationId"));
  ASSERT_EQ(client.post("/v1/reservations/" + id + "/consume", R"({"orderId":"order-1"})").status, 200);

  KafkaReader reader(kafka, names.reservation_topics());
  ASSERT_TRUE(read(reader, 2));
  const auto created = reader.of_topic(names.topic("reservation-created"));
  ASSERT_EQ(created.size(), 1u);
  const Json body = created[0].json();
  EXPECT_EQ(created[0].key, without_dashes(event[1]));
  EXPECT_THAT(members_of(body), UnorderedElementsAre("eventId", "reservationId", "customerId", "seatId", "seatNumber", "section",
                                                     "basePrice", "createdAt", "expiresAt", "status", "concertEventId", "version"));
  EXPECT_EQ(string_of(body.at("reservationId")), id);
  EXPECT_EQ(body.at("customerId"), "customer-123");
  EXPECT_EQ(string_of(body.at("seatId")), event[1]);
  EXPECT_EQ(body.at("seatNumber"), "A-1-2");
  EXPECT_EQ(body.at("section"), "A");
  EXPECT_THAT(created[0].value, HasSubstr(R"("basePrice":45.00,)"));
  EXPECT_EQ(body.at("expiresAt"), made.json().at("expiresAt"));
  EXPECT_EQ(millis_of(body.at("expiresAt")) - millis_of(body.at("createdAt")), 15 * 60'000);
  EXPECT_EQ(body.at("status"), "active");
  EXPECT_EQ(string_of(body.at("concertEventId")), event.id);
  EXPECT_EQ(body.at("version"), 1);
  const auto& headers = created[0].headers;
  EXPECT_EQ(headers.at("ce_id"), string_of(body.at("eventId")));
  EXPECT_EQ(headers.at("ce_type"), "reservation-created");
  EXPECT_EQ(headers.at("ce_source"), "/v1/events/" + event.id);
  EXPECT_EQ(headers.at("ce_time"), string_of(body.at("createdAt")));
  EXPECT_EQ(headers.at("ce_subject"), event[1]);
  EXPECT_EQ(headers.at("ce_specversion"), "1.0");
  EXPECT_EQ(headers.at("version"), "1");
  EXPECT_EQ(headers.at("traceparent"), trace);

  const auto consumed = reader.of_topic(names.topic("reservation-consumed"));
  ASSERT_EQ(consumed.size(), 1u);
  const Json sale = consumed[0].json();
  EXPECT_EQ(consumed[0].key, created[0].key);
  EXPECT_THAT(members_of(sale), UnorderedElementsAre("eventId", "messageId", "concertEventId", "reservationId", "seatId", "customerId",
                                                     "status", "consumedAt", "version"));
  EXPECT_EQ(sale.at("messageId"), sale.at("eventId"));
  EXPECT_EQ(string_of(sale.at("concertEventId")), event.id);
  EXPECT_EQ(string_of(sale.at("reservationId")), id);
  EXPECT_EQ(string_of(sale.at("seatId")), event[1]);
  EXPECT_EQ(sale.at("customerId"), "customer-123");
  EXPECT_EQ(sale.at("status"), "consumed");
  EXPECT_EQ(sale.at("version"), 2);
  EXPECT_NE(sale.at("eventId"), body.at("eventId"));
  EXPECT_FALSE(consumed[0].headers.contains("traceparent")) << "the request had none";
}

TEST_F(KafkaFeedProgram, PublishesTheOutcomeOfEachSeatOfSeveral) {
  Server server(with_feed(names, kafka, {"--feed-returned", "on"}));
  Client client = server.connect();
  const TestEvent event = make_event(client, 5);
  const std::string a = id_of(hold(client, "anna", {event[0], event[1]}));
  ASSERT_EQ(client.post("/v1/reservations/" + a + "/add", R"({"seatIds":)" + json_of(std::vector{event[2]}) + "}").status, 200);
  ASSERT_EQ(client.post("/v1/reservations/" + a + "/release", R"({"seatIds":)" + json_of(std::vector{event[0]}) + "}").status, 200);
  ASSERT_EQ(client.post("/v1/reservations/" + a + "/consume", R"({"orderId":"order-1"})").status, 200);
  ASSERT_EQ(
      client.post("/v1/reservations/" + a + "/return", R"({"orderId":"order-1","seatIds":)" + json_of(std::vector{event[2]}) + "}").status,
      200);
  const std::string b = id_of(hold(client, "berta", {event[3]}, R"("holdSeconds":1)"));

  KafkaReader reader(kafka, names.reservation_topics());
  ASSERT_TRUE(read(reader, 9));
  std::vector<std::string> told;
  for (const KafkaMessage& message : reader.messages()) {
    const Json body = message.json();
    const auto at = std::ranges::find(event.seats, string_of(body.at("seatId"))) - event.seats.begin();
    told.push_back(string_of(body.at("customerId")) + " " + std::to_string(at) + " " + string_of(body.at("status")) + " " +
                   message.headers.at("version"));
    EXPECT_EQ(string_of(body.at("reservationId")), string_of(body.at("customerId")) == "anna" ? a : b);
  }
  EXPECT_THAT(told, UnorderedElementsAre("anna 0 active 1", "anna 1 active 1", "anna 2 active 1", "anna 0 released 2", "anna 1 consumed 2",
                                         "anna 2 consumed 2", "anna 2 returned 3", "berta 3 active 1", "berta 3 expired 2"));
}

TEST_F(KafkaFeedProgram, PublishesReleasesAsExpiriesTooIfConfigured) {
  Server server(with_feed(names, kafka, {"--feed-releases-as-expired", "on"}));
  Client client = server.connect();
  const TestEvent event = make_event(client, 1);
  const std::string id = id_of(hold(client, "anna", {event[0]}));
  ASSERT_EQ(client.post("/v1/reservations/" + id + "/release", "").status, 200);

  KafkaReader reader(kafka, names.reservation_topics());
  ASSERT_TRUE(read(reader, 3));
  const auto released = reader.of_topic(names.topic("reservation-released"));
  const auto expired = reader.of_topic(names.topic("reservation-expired"));
  ASSERT_EQ(released.size(), 1u);
  ASSERT_EQ(expired.size(), 1u);
  const Json ending = expired[0].json();
  EXPECT_EQ(string_of(ending.at("reason")), "manual_cancellation");
  EXPECT_EQ(ending.at("expiredAt"), released[0].json().at("releasedAt"));
  EXPECT_EQ(string_of(ending.at("concertEventId")), event.id);
  EXPECT_EQ(ending.at("messageId"), ending.at("eventId"));
  EXPECT_NE(ending.at("eventId"), released[0].json().at("eventId"));
  EXPECT_EQ(expired[0].headers.at("ce_id"), string_of(ending.at("eventId")));
  EXPECT_EQ(metric(client, "holdfast_feed_messages_total", {"reservation-expired"}), 1);
}

TEST_F(KafkaFeedProgram, PublishesTicketLocksAndOtherIdsOnlyIfConfigured) {
  const std::string opaque = "ticket-" + new_uuid();
  Server server(with_feed(names, kafka));
  Client client = server.connect();
  const TestEvent event = make_event(client, {new_uuid(), opaque, new_uuid()});
  ASSERT_EQ(lock_tickets(client, {event[0]}).status, 200);
  ASSERT_EQ(hold(client, "anna", {opaque}).status, 201);
  ASSERT_EQ(hold(client, "anna", {event[2]}).status, 201);
  {
    KafkaReader reader(kafka, names.reservation_topics());
    ASSERT_TRUE(read(reader, 1));
    reader.read_for(milliseconds(300));
    ASSERT_EQ(reader.messages().size(), 1u);
    EXPECT_EQ(reader.messages()[0].key, without_dashes(event[2]));
  }
  server.stop();
  const FeedNames other;
  server.settings().flags = with_feed(other, kafka, {"--feed-ticket-locks", "on", "--feed-all-seat-ids", "on"}).flags;
  server.start();
  Client again = server.connect();
  ASSERT_EQ(again.post("/tickets_unlock_param", unlock_body({event[0]})).status, 200);
  ASSERT_EQ(lock_tickets(again, {event[0]}).status, 200);
  KafkaReader reader(kafka, other.reservation_topics());
  ASSERT_TRUE(read(reader, 2));
  EXPECT_EQ(reader.messages()[0].key, without_dashes(event[0]));
  EXPECT_THAT(reader.messages()[0].value, HasSubstr(R"("customerId":null)"));
}

TEST_F(KafkaFeedProgram, PublishesTheRestAfterARestart) {
  Server server(with_feed(names, kafka));
  KafkaReader reader(kafka, names.reservation_topics());
  TestEvent event;
  {
    Client client = server.connect();
    event = make_event(client, 20);
    for (std::size_t i = 0; i < 10; ++i) ASSERT_EQ(reserve(client, event[i], "anna").status, 201);
    ASSERT_TRUE(read(reader, 10));
  }
  server.stop();
  server.start();
  Client client = server.connect();
  for (std::size_t i = 10; i < 20; ++i) ASSERT_EQ(reserve(client, event[i], "anna").status, 201);
  ASSERT_TRUE(read(reader, 20));
  reader.read_for(milliseconds(300));
  std::multiset<std::string> keys;
  for (const KafkaMessage& message : reader.messages()) keys.insert(message.key);
  EXPECT_EQ(keys.size(), 20u);
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), 20u);
  EXPECT_EQ(metric(client, "holdfast_feed_messages_total", {"reservation-created"}), 10);
}

// Sells as fast as it can, from several connections, until the server is gone.
void sell(std::uint16_t port, const TestEvent& event, std::uint64_t seed, std::atomic<int>& held) {
  std::mt19937_64 random(seed);
  std::vector<std::string> mine;
  try {
    Client client(port);
    for (;;) {
      const auto choice = random() % 4;
      if (choice < 2 || mine.empty()) {
        const Answer made = hold(client, "customer-" + std::to_string(seed), {event[random() % event.seats.size()]},
                                 random() % 4 == 0 ? R"("holdSeconds":1)" : "");
        if (made.status != 201) continue;
        mine.push_back(string_of(made.json().at("id")));
        ++held;
        continue;
      }
      const std::string id = mine[random() % mine.size()];
      const std::string order = "order-" + id;
      if (choice == 2) {
        client.post("/v1/reservations/" + id + "/release", "");
      } else if (client.post("/v1/reservations/" + id + "/consume", R"({"orderId":)" + json_of(order) + "}").status == 200) {
        client.post("/v1/reservations/" + id + "/return", R"({"orderId":)" + json_of(order) + "}");
      }
      std::erase(mine, id);
    }
  } catch (const ConnectionLost&) {}
}

// The messages that must be on the topics, by the server's own account: topic, key and version of every change of every seat.
std::multiset<std::string> expected_messages(Client& client, const TestEvent& event, const FeedNames& names) {
  const std::map<std::string, std::string> topics = {{"held", "reservation-created"},      {"seats_added", "reservation-created"},
                                                     {"released", "reservation-released"}, {"consumed", "reservation-consumed"},
                                                     {"expired", "reservation-expired"},   {"returned", "reservation-returned"}};
  std::map<std::string, int> versions;
  std::multiset<std::string> expected;
  for (std::string after = "0";;) {
    const Json page = client.get("/v1/events/" + event.id + "/changes?limit=1000&after=" + after).json();
    if (page.at("items").as_array().empty()) return expected;
    for (const Json& change : page.at("items").as_array()) {
      after = std::to_string(change.at("seq").as_int64());
      const auto topic = topics.find(string_of(change.at("type")));
      if (topic == topics.end()) continue;
      for (const Json& each : change.at("seats").as_array()) {
        const std::string id = string_of(each.at("id"));
        expected.insert(names.topic(topic->second) + " " + without_dashes(id) + " " + std::to_string(++versions[id]));
      }
    }
  }
}

TEST_F(KafkaFeedProgram, KilledRepeatedlyPublishesExactlyTheCommittedChangesInOrderBySeat) {
  constexpr int k_kills = 5;
  constexpr std::size_t k_sellers = 4;
  std::mt19937_64 random(std::random_device{}());
  Server server(with_feed(names, kafka, {"--feed-returned", "on"}));
  std::atomic<int> held{0};
  TestEvent event;
  {
    Client client = server.connect();
    event = make_event(client, 60);
  }
  for (int kill = 0; kill < k_kills; ++kill) {
    if (kill > 0) server.start();
    std::vector<std::jthread> sellers;
    for (std::size_t i = 0; i < k_sellers; ++i) {
      sellers.emplace_back([&, seed = random()] { sell(server.port(), event, seed, held); });
    }
    const int enough = held + 100;
    EXPECT_TRUE(eventually([&] { return held >= enough; }, 4 * k_patience));
    std::this_thread::sleep_for(milliseconds(random() % 400));   // where it dies is left to chance
    server.kill();
  }
  server.start();
  Client client = server.connect();
  // Remaining holds end by themselves or are sold; then nothing changes any more.
  ASSERT_TRUE(eventually(
      [&] {
        client.post("/tickets_unlock", "");
        return metric(client, "holdfast_feed_publishing") == 1 && metric(client, "holdfast_feed_lag_changes") == 0;
      },
      4 * k_patience));
  auto expected = expected_messages(client, event, names);
  EXPECT_GT(expected.size(), 1'000u);

  KafkaReader reader(kafka, names.reservation_topics());
  ASSERT_TRUE(reader.read_until([&] { return reader.messages().size() >= expected.size(); }, 4 * k_patience))
      << reader.messages().size() << " of " << expected.size();
  // Holds of a second may still end.
  ASSERT_TRUE(eventually([&] {
    reader.read_for(milliseconds(500));
    expected = expected_messages(client, event, names);
    return reader.messages().size() >= expected.size();
  }));
  for (std::size_t before = 0; before != expected.size();) {
    before = expected.size();
    reader.read_for(milliseconds(1'500));
    expected = expected_messages(client, event, names);
  }
  const bool is_real = has_real_kafka();
  std::multiset<std::string> found;
  std::map<std::string, std::set<std::string>> bodies;
  std::map<std::string, std::int64_t> last;
  for (const KafkaMessage& message : reader.messages()) {
    found.insert(message.topic + " " + message.key + " " + message.headers.at("version"));
    bodies[message.headers.at("ce_id")].insert(message.value);
    const std::int64_t version = message.json().at("version").as_int64();
    const auto before = last.find(message.topic + message.key);
    EXPECT_TRUE(before == last.end() || before->second < version || !is_real) << "in order by seat";
    last[message.topic + message.key] = version;
  }
  for (const auto& [id, all] : bodies) EXPECT_EQ(all.size(), 1u) << id;
  if (is_real) {
    EXPECT_TRUE(found == expected) << found.size() << " messages, " << expected.size() << " changes of seats";
  } else {   // the mock cluster shows aborted messages to readers of committed ones, so only "at least once" can be checked
    EXPECT_TRUE(std::ranges::all_of(expected, [&](const std::string& each) { return found.contains(each); }));
    EXPECT_TRUE(std::ranges::all_of(found, [&](const std::string& each) { return expected.contains(each); }));
  }
}

TEST_F(KafkaFeedProgram, SellsWhileKafkaIsAwaySaysSoAndPublishesAllAfterwards) {
  KafkaServer own;
  Server server(with_feed(names, own.bootstrap()));
  Client client = server.connect();
  const TestEvent event = make_event(client, 40);
  for (std::size_t i = 0; i < 10; ++i) ASSERT_EQ(reserve(client, event[i], "anna").status, 201);
  ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_feed_messages_total", {"reservation-created"}) == 10; }, 4 * k_patience));
  EXPECT_EQ(client.get("/readyz").body, "ready\n");
  own.stop();
  for (std::size_t i = 10; i < 40; ++i) ASSERT_EQ(reserve(client, event[i], "anna").status, 201);
  ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_feed_lag_changes") == 30; }, 4 * k_patience));
  const Answer ready = client.get("/readyz");
  EXPECT_EQ(ready.status, 200) << "holds need no Kafka";
  EXPECT_THAT(ready.body, HasSubstr("degraded: changes wait for Kafka (30 of them)"));
  EXPECT_GT(metric(client, "holdfast_feed_lag_seconds"), 0);
  own.start();
  ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_feed_messages_total", {"reservation-created"}) == 40; }, 6 * k_patience));
  EXPECT_TRUE(eventually([&] { return client.get("/readyz").body == "ready\n"; }, 4 * k_patience)) << client.get("/readyz").body;
  EXPECT_EQ(metric(client, "holdfast_feed_lag_changes"), 0);
}

TEST_F(KafkaFeedProgram, StartsAndSellsWithoutKafkaAndStopsInTime) {
  Server server(with_feed(names, "127.0.0.1:" + std::to_string(free_port())));
  Client client = server.connect();
  const TestEvent event = make_event(client, 1);
  EXPECT_EQ(reserve(client, event[0], "anna").status, 201);
  EXPECT_TRUE(eventually([&] { return client.get("/readyz").body.find("changes wait for Kafka") != std::string::npos; }));
  server.stop();
  EXPECT_THAT(server.log(), HasSubstr("kafka feed: stopped"));
}

TEST(KafkaFeedOptions, WrongOnesAreRefusedByNameAndSecretsAreNeverShown) {
  const auto refusal = [](std::vector<std::string> flags) { return failing_start({.flags = std::move(flags)}); };
  const Finished url = refusal({"--feed", "redis://127.0.0.1:1"});
  EXPECT_EQ(url.status, 2);
  EXPECT_THAT(url.everything(), HasSubstr("--feed-url must be kafka://HOST:PORT"));
  const Finished ours = refusal({"--feed", "kafka://127.0.0.1:1", "--feed-kafka", "enable.idempotence=false"});
  EXPECT_EQ(ours.status, 2);
  EXPECT_THAT(ours.everything(), HasSubstr("--feed-kafka has `enable.idempotence`, which is Holdfast's own to set"));
  const Finished secret = refusal({"--feed", "kafka://127.0.0.1:1", "--feed-kafka", "sasl.password=hush", "--feed-kafka", "no.such=hush"});
  EXPECT_EQ(secret.status, 2);
  EXPECT_THAT(secret.everything(), HasSubstr("`no.such`, which is not a setting of librdkafka"));
  EXPECT_THAT(secret.everything(), Not(HasSubstr("hush")));
  EXPECT_THAT(refusal({"--feed-kafka", "sasl.password=hush"}).everything(), HasSubstr("feed.url is not set"));
  EXPECT_EQ(refusal({"--feed", "kafka://127.0.0.1:1", "--feed-topic-prefix", "a b"}).status, 2);
}

TEST(KafkaFeedOptions, PassThroughFromAFileAndTheEnvironmentAndAreTogether) {
  const TempFolder folder;
  write_file(folder / "holdfast.toml",
             "[feed]\nurl = \"kafka://127.0.0.1:1\"\n[feed.kafka]\n\"security.protocol\" = \"SASL_PLAINTEXT\"\n"
             "sasl.mechanism = \"PLAIN\"\nsasl.username = \"u\"\nsasl.password = \"hush-hush\"\n");
  Server server({.flags = {"--port", "0", "--config", (folder / "holdfast.toml").string(), "--feed-kafka", "reconnect.backoff.max.ms=1000"},
                 .environment = {{"HOLDFAST_FEED_KAFKA", "client.id=a node\nsocket.keepalive.enable=true"}}});
  Client client = server.connect();
  EXPECT_TRUE(eventually([&] { return client.get("/readyz").body.find("degraded: changes wait") != std::string::npos; }));
  EXPECT_TRUE(server.says("a node#producer")) << "the setting of the environment is in force";
  EXPECT_THAT(server.log(), Not(HasSubstr("hush-hush")));
}

}  // namespace
}  // namespace holdfast::test
